"""Tests for io_managers.projection and warehouse_assets.sql.projection."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import polars as pl
import pytest

from io_managers import DuckDBIOManager, ParquetIOManager, SQLAlchemyIOManager
from warehouse_assets.io_manager import InputContext
from warehouse_assets.keys import AssetKey
from warehouse_assets.sql import SQL
from warehouse_assets.testing.io_manager import load, source, store

A, B, MADE = AssetKey(["x", "a"]), AssetKey(["x", "b"]), AssetKey("made")

ROWS_A = pl.DataFrame(
    {
        "id": [1, 2, 3, 3],
        "kind": ["k", "l", None, "k"],
        "Amount": [1.5, None, 2.0, 4.0],
        "date": [1, 2, 3, 4],
        "s p": [7, 8, 9, 9],
    }
)
ROWS_B = pl.DataFrame({"id": [1, 3, 4], "name": ["one", "three", "four"], "kind": ["z", "y", "x"], "more": [1, 2, 3]})

ONE = {
    "select id from x.a": {"id"},
    "select AMOUNT as n from x.a": {"Amount"},
    'select "s p" from x.a where date > 1': {"s p", "date"},
    "select count(*) as n from x.a": {"id"},
    "select 1 as n from x.a": {"id"},
    "select * from x.a": None,
    "select x.* from x.a as x": None,
    "with t as (select * from x.a) select id from t where kind = 'k'": {"id", "kind"},
    "with t as (select * from x.a), u as (select * from t where date > 1) select u.id from u": {"id", "date"},
    "select id from (select * from x.a where Amount > 1) as q order by kind": {"id", "Amount", "kind"},
    "with t(n, b, c, d, e) as (select * from x.a) select n from t": None,
    "select count(*) as n from (select distinct * from x.a) as q": None,
    "select count(*) as n from (select * from x.a union select * from x.a) as q": None,
    "select id, sum(amount) over (partition by kind order by id, date) as s from x.a": {"id", "Amount", "kind", "date"},
    "select id from x.a union all select date from x.a": {"id", "date"},
    "select id from x.a where exists (select 1 from x.a as o where o.id > a.id)": {"id"},
    "select id from x.a where (id, kind) in (select id, kind from x.a)": {"id", "kind"},
    "select id * date as n from x.a": {"id", "date"},
    "select case when kind = 'date' then 1 end as n from x.a": {"kind", "date"},
}
TWO = [
    "select a.id, b.name from x.a as a join x.b as b on a.id = b.id",
    "select id, name from x.a join x.b using (id)",
    "select a.kind, b.kind as other from x.a a left join x.b b on a.id = b.id",
    "select name from x.a natural join x.b",
    "with j as (select a.*, b.name from x.a a join x.b b on a.id = b.id) select name, kind from j",
    "select (select max(name) from x.b where b.id = a.id) as n from x.a",
    "with t as (select * from x.b) select a.id, t.name from x.a a join t on t.id = a.id",
    "select b.name from x.a a cross join (select * from x.b) b where b.id = a.id and a.date > 1",
    "select a.id, b.name from x.a a left join x.b b on a.id = b.id where b.id >= 3",
    "select a.id, b.name from x.a a left join x.b b on a.id = b.id where b.id is null",
    "select a.id, b.name from x.a a left join x.b b on a.id = b.id where a.kind in ('k', 'l') or b.id = 1",
    "select a.id, b.name from x.a a full join x.b b on a.id = b.id where b.id = 4 and b.kind = 'x'",
    "select count(*) as n from x.a where kind in ('k', 'nothing') and not (kind is null) and id between 2 and 3",
    "select id, (select count(*) from x.b where b.id >= 3 and more > 2) as n from x.a where 3 > id",
    "with t as (select id, kind from x.a where kind = 'k') select count(*) as n from t where id = 3",
    "select kind, count(*) as n from x.a where date <> 2 and id < 3 group by kind having count(*) > 0",
]
ASOF = "select a.id, b.id as other from x.a a asof left join x.b b on a.id >= b.id where b.more > 1"
DUCKDB = {
    "select n from (select distinct * from x.a) as q(n, b, c, d, e)": None,
    "from x.a": None,
    "from x.a select id": {"id"},
    "select columns('i.*') from x.a": None,
    "select * exclude (kind) from x.a": None,
    "select a from x.a": None,
    "select id, count(*) as n from x.a group by all order by all": {"id"},
    "select id, amount from x.a union all by name select kind, id from x.a": {"id", "kind", "Amount"},
    "select unnest(struct_pack(p := id, q := kind)) from x.a": {"id", "kind"},
    "select struct_pack(p := q) as n from (select a as q from x.a) as z": None,
}


@pytest.fixture
def elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> tuple[Any, dict[str, Any]]:
    """A store with the tables, and which columns were read of each."""
    manager = DuckDBIOManager(database=str(tmp_path / "elsewhere.duckdb"))
    store(manager, ROWS_A, A)
    store(manager, ROWS_B, B)
    read: dict[str, Any] = {}
    load_input = DuckDBIOManager.load_input

    def remembering(self: DuckDBIOManager, context: InputContext) -> Any:
        if self is manager and context.type_hint is not pl.LazyFrame:
            read[context.asset_key.path[-1]] = None if context.columns is None else set(context.columns)
        return load_input(self, context)

    monkeypatch.setattr(DuckDBIOManager, "load_input", remembering)
    return manager, read


def _rows(frame: pl.DataFrame) -> list[str]:
    return [str(frame.columns), *sorted(map(str, frame.rows()))]


@pytest.mark.parametrize("text", [*ONE, *TWO, *DUCKDB, ASOF])
def test_duckdb_answers_as_if_the_tables_were_its_own(elsewhere: Any, text: str, tmp_path: Path) -> None:
    manager, read = elsewhere
    store(manager, SQL(text), MADE, sources={A: source(manager, A), B: source(manager, B)})
    for other in (DuckDBIOManager(), ParquetIOManager(base_path=str(tmp_path / "files"))):
        read.clear()
        store(other, SQL(text), MADE, sources={A: source(manager, A), B: source(manager, B)})

        assert _rows(load(other, pl.DataFrame, MADE)) == _rows(load(manager, pl.DataFrame, MADE))
        assert text in (*TWO, ASOF) or read["a"] == {**ONE, **DUCKDB}[text]


@pytest.mark.parametrize("text", [*ONE, *TWO])
def test_sqlite_answers_as_if_the_tables_were_its_own(elsewhere: Any, text: str, tmp_path: Path) -> None:
    manager, read = elsewhere
    other = SQLAlchemyIOManager(url=f"sqlite:///{tmp_path}/w.sqlite")
    store(other, SQL(text), MADE, sources={A: source(manager, A), B: source(manager, B)})
    found = load(other, pl.DataFrame, MADE)
    store(other, ROWS_A, A)
    store(other, ROWS_B, B)
    store(other, SQL(text), AssetKey("wanted"), sources={A: source(other, A), B: source(other, B)})

    assert _rows(found) == _rows(load(other, pl.DataFrame, AssetKey("wanted")))
    assert text in TWO or read["a"] == ONE[text]
