"""Rows of tables of other stores, of which only those travel that a query may need."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeAlias

import polars as pl
import pyarrow as pa
import pytest

from io_managers import DuckDBIOManager, SQLAlchemyIOManager
from io_managers.table import TableIOManager
from warehouse_assets.io_manager import InputContext, TableSource
from warehouse_assets.keys import AssetKey
from warehouse_assets.sql import SQL
from warehouse_assets.sql.comparisons import comparisons_with
from warehouse_assets.testing.io_manager import KEY, load, source, store
from warehouse_assets.testing.io_manager.use import input_context

WHOLE, MADE = AssetKey(["whole", "orders"]), AssetKey("made")
DAY, NOON = dt.date(2024, 1, 2), dt.datetime(2024, 1, 2, 12)  # noqa: DTZ001
ROWS = pl.DataFrame(
    {
        "id": [1, 2, 3, 4, None],
        "kind": ["a", "A", "a ", "it's", None],
        "day": [dt.date(2024, 1, day) for day in (1, 2, 3, 4)] + [None],
        "seen": [dt.datetime(2024, 1, day) for day in (1, 2, 3, 4)] + [None],  # noqa: DTZ001
        "amount": pl.Series(["1.50", "9.00", "10.25", None, "-3.00"]).cast(pl.Decimal(10, 2)),
        "share": [0.5, float("inf"), None, -1.0, 2.0],
        'odd "x`': [True, False, None, True, False],
    },
    schema_overrides={"id": pl.Int32},
)
# Each condition, with how many rows travel for it from PostgreSQL to DuckDB: all five where nothing can be told.
CONDITIONS: dict[str, tuple[dict[str, Any], int]] = {
    "id > 2": ({}, 2),
    "id >= {n} and id < {m}": ({"n": 2, "m": 4}, 2),
    "4 > id": ({}, 3),
    "id in (1, 3, 9)": ({}, 2),
    "id in {ids}": ({"ids": [1, 3]}, 5),
    "id between 2 and 3": ({}, 2),
    "(id = 2)": ({}, 1),
    "id = -1": ({}, 0),
    "id is not null": ({}, 4),
    "not id is null and id < 3": ({}, 2),
    "kind = 'a'": ({}, 1),
    "kind = {text}": ({"text": "it's"}, 1),
    "kind in ('a', 'A')": ({}, 2),
    "day >= date '2024-01-03'": ({}, 2),
    "day = '2024-01-03'": ({}, 1),
    "day < {day}": ({"day": DAY}, 1),
    "seen > '2024-01-02'": ({}, 2),
    "seen <= {noon}": ({"noon": NOON}, 2),
    "amount > 9": ({}, 1),
    "amount >= 1.5": ({}, 3),
    "share < 1": ({}, 2),
    "id > 1 and (kind = 'a' or id = 4)": ({}, 3),
    "id > 1 or kind = 'a'": ({}, 5),
    "id + 0 > 3": ({}, 5),
    "not id > 3": ({}, 5),
    "id <> 3": ({}, 5),
    "kind > 'a'": ({}, 5),
    "kind = 'back\\slash'": ({}, 5),
    "id is null": ({}, 5),
    "id = amount": ({}, 5),
    "id > (select 2)": ({}, 5),
}


@pytest.fixture
def travelled(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """How many rows came of each table that was read as a stream."""
    counts: list[int] = []
    load_input = TableIOManager.load_input

    def counting(self: Any, context: InputContext) -> Any:
        loaded = load_input(self, context)
        if context.type_hint is not pa.RecordBatchReader:
            return loaded
        table = loaded.read_all()
        counts.append(table.num_rows)
        return table.to_reader()

    monkeypatch.setattr(TableIOManager, "load_input", counting)
    return counts


Made: TypeAlias = Callable[[Path, Callable[[str], Any]], Any]
FROM: dict[str, Made] = {
    "postgresql": lambda path, server: SQLAlchemyIOManager(url=server("postgres").url),
    "mariadb": lambda path, server: SQLAlchemyIOManager(url=server("mariadb_alone").url),
    "sqlite": lambda path, server: SQLAlchemyIOManager(url=f"sqlite:///{path}/from.db"),
    "duckdb": lambda path, server: DuckDBIOManager(database=f"{path}/from.duckdb"),
}
TO: dict[str, Made] = {
    "duckdb": lambda path, server: DuckDBIOManager(database=f"{path}/to.duckdb"),
    "sqlite": lambda path, server: SQLAlchemyIOManager(url=f"sqlite:///{path}/to.db"),
    "postgresql": lambda path, server: SQLAlchemyIOManager(url=server("postgres").url),
    "mariadb": lambda path, server: SQLAlchemyIOManager(url=server("mariadb_alone").url),
}


def rows_of(manager: Any, query: SQL, sources: Any) -> list[str]:
    with manager.query(query, sources) as reader:
        return sorted(map(str, pl.DataFrame(reader.read_all()).rows()))


PAIRS = [("postgresql", "duckdb"), ("mariadb", "sqlite"), ("sqlite", "postgresql"), ("duckdb", "mariadb"), ("sqlite", "duckdb")]


@pytest.mark.parametrize(("origin", "target"), PAIRS)
def test_the_answer_is_that_over_all_rows(
    origin: str, target: str, tmp_path: Path, request: pytest.FixtureRequest, travelled: list[int]
) -> None:
    elsewhere, here = (made(tmp_path, request.getfixturevalue) for made in (FROM[origin], TO[target]))
    rows = ROWS if "mariadb" not in (origin, target) else ROWS.with_columns(pl.col("share").replace(float("inf"), 9.0))
    store(elsewhere, rows, KEY)
    store(here, rows, WHOLE)
    differing = {}
    for text, (values, _) in CONDITIONS.items():
        if "date '" in text and target == "sqlite":
            continue
        found, wanted = (
            rows_of(holder, SQL(f"select id, kind from {name} where {text}", **values), {key: source(manager, key)})
            for holder, name, key, manager in ((here, "shop.orders", KEY, elsewhere), (here, "whole.orders", WHOLE, here))
        )
        if found != wanted:
            differing[text] = found, wanted

    assert differing == {}
    assert min(travelled) == 0


def test_only_rows_that_may_be_needed_travel(postgres: Any, travelled: list[int]) -> None:
    elsewhere, here = SQLAlchemyIOManager(url=postgres.url), DuckDBIOManager()
    store(elsewhere, ROWS, KEY)
    found = {}
    for text, (values, _) in CONDITIONS.items():
        travelled.clear()
        rows_of(here, SQL(f"select id from shop.orders where {text}", **values), {KEY: source(elsewhere, KEY)})
        [found[text]] = travelled

    assert found == {text: most for text, (_, most) in CONDITIONS.items()}


def test_what_a_source_says_of_its_rows_holds_too(tmp_path: Path, travelled: list[int]) -> None:
    elsewhere, here = SQLAlchemyIOManager(url=f"sqlite:///{tmp_path}/w.db"), DuckDBIOManager()
    store(elsewhere, ROWS, KEY)
    found = []
    said: list[dict[str, Any]] = [{"where": "id = 1 or id = 3"}, {"limit": 2}, {"where": "kind is not null", "limit": 3}]
    for metadata in said:
        some = input_context(KEY, **metadata)
        store(here, SQL("select id from shop.orders where id > 1"), MADE, sources={KEY: TableSource(elsewhere, some)})
        found.append((travelled.pop(), load(here, pl.DataFrame, MADE)["id"].to_list()))

    assert found == [(1, [3]), (2, [2]), (3, [2, 3])]


@pytest.mark.parametrize(
    "text",
    [
        "select * from x.t asof join u on t.a >= u.a where t.b > 1",
        "select * from u positional join x.t where t.b > 1",
        "select * from x.t tablesample 10% where b > 1",
        "select * from x.t as t(b, a) where t.b > 1",
        "select * from x.t, x.t as o where t.b > 1",
        "select * from x.t join u using (a) where b > 1",
        "pivot x.t on a using sum(b)",
        "select * from (select * from x.t) where b > 1",
        "select * from x.t where b > random()",
        "select * from x.t where b > 1 or a > 1",
        "select * from x.t where b > c",
        "select * from x.t where t.b.c > 1",
        "select * from x.t where b > {missing}",
        "select * from x.t where b like 'a%'",
        "select * from x.t having b > 1",
        "select * from u where exists (select 1 from x.t) and b > 1",
        "create temp table k as select 1; select * from x.t where b > 1",
    ],
)
def test_where_nothing_is_certain_nothing_is_told(text: str) -> None:
    assert comparisons_with(text, ("x", "t"), "duckdb", {}) == ()


def test_rows_that_are_sorted_or_limited_after_it_are_chosen_before(travelled: list[int], tmp_path: Path) -> None:
    elsewhere, here = SQLAlchemyIOManager(url=f"sqlite:///{tmp_path}/w.db"), DuckDBIOManager()
    store(elsewhere, ROWS, KEY)
    text = "select id, row_number() over (order by id) as n from shop.orders where id > 1 order by id desc limit 1"
    store(here, SQL(text), MADE, sources={KEY: source(elsewhere, KEY)})

    assert (load(here, pl.DataFrame, MADE).rows(), travelled) == ([(4, 3)], [3])
