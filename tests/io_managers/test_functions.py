"""Tests for io_managers.functions."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import date
from pathlib import Path
from typing import Any

import polars as pl
import pyarrow as pa
import pyarrow.compute as pc
import pytest

from io_managers import DeltaLakeIOManager, DuckDBIOManager, IcebergIOManager, ParquetIOManager, sql_function
from warehouse_assets.keys import AssetKey
from warehouse_assets.sql import SQL
from warehouse_assets.table_options import TableOptions
from warehouse_assets.testing.io_manager import KEY, ORDERS, load, source, store

MADE = AssetKey("made")


def following(number: int) -> int:
    """The number after."""
    return number + 1


@sql_function(takes_null=True)
def said(text: str | None) -> str:
    return "nothing" if text is None else text.upper()


@sql_function(type="arrow", parameters=["DOUBLE"], returns="DOUBLE")
def doubled(values: pa.Array) -> Any:
    return pc.multiply(values, 2)


@sql_function(name="parts_of")
def parts(text: str, day: date) -> list[str]:
    return [text, str(day)]


@sql_function
def broken(number: int) -> int:
    raise ValueError(f"{number} is odd")


FUNCTIONS = [following, said, doubled, parts, broken]


@pytest.fixture(params=["duckdb", "memory", "parquet", "delta", "iceberg"])
def manager(request: pytest.FixtureRequest, tmp_path: Path) -> Any:
    made: dict[str, Any] = {
        "duckdb": lambda: DuckDBIOManager(database=str(tmp_path / "w.duckdb"), functions=FUNCTIONS),
        "memory": lambda: DuckDBIOManager(functions=FUNCTIONS),
        "parquet": lambda: ParquetIOManager(base_path=str(tmp_path), functions=FUNCTIONS),
        "delta": lambda: DeltaLakeIOManager(base_path=str(tmp_path), functions=FUNCTIONS),
        "iceberg": lambda: IcebergIOManager(warehouse=str(tmp_path), functions=FUNCTIONS),
    }
    return made[request.param]()


def test_sql_calls_python(manager: Any) -> None:
    store(manager, ORDERS)
    text = "select following(id) as id, said(kind) as kind, doubled(amount) as amount, parts_of('a', date '2024-01-01') as l"
    store(manager, SQL(f"{text} from shop.orders order by id"), MADE, sources={KEY: source(manager, KEY)})

    assert load(manager, pl.DataFrame, MADE).rows() == [
        (2, "A", 19.0, ["a", "2024-01-01"]),
        (3, "B", None, ["a", "2024-01-01"]),
        (4, "nothing", 14.0, ["a", "2024-01-01"]),
    ]
    with manager.query(SQL("select sum(following(id)) as n from shop.orders"), {KEY: source(manager, KEY)}) as reader:
        assert reader.read_all().to_pylist() == [{"n": 9}]


def test_what_fails_in_python_is_named(manager: Any) -> None:
    store(manager, ORDERS)

    with pytest.raises(Exception, match=r"the SQL function broken \(.*test_functions.py:\d+\) raised ValueError: 1 is odd"):
        store(manager, SQL("select broken(id) as id from shop.orders"), MADE, sources={KEY: source(manager, KEY)})


def test_threads_call_one_function(tmp_path: Path) -> None:
    manager = DuckDBIOManager(database=str(tmp_path / "w.duckdb"), functions=FUNCTIONS)
    sql = SQL("select sum(following(n)) as n from range(1000) t(n)")
    with ThreadPoolExecutor(8) as pool:
        [*pool.map(lambda number: store(manager, sql, AssetKey(f"made_{number}")), range(16))]

    assert {load(manager, pl.DataFrame, AssetKey(f"made_{number}")).item() for number in range(16)} == {500_500}


def test_a_function_that_is_written_anew_is_the_one_that_is_called() -> None:
    manager = DuckDBIOManager(functions=[sql_function(lambda x: x, name="f", parameters=["BIGINT"], returns="BIGINT")])
    store(manager, SQL("select f(1) as n"))
    again = manager.model_copy(
        update={"functions": [sql_function(lambda x: -x, name="f", parameters=["BIGINT"], returns="BIGINT")]}
    )
    store(again, SQL("select f(1) as n"))

    assert load(again, pl.DataFrame).item() == -1


def test_a_view_calls_python(tmp_path: Path) -> None:
    manager = DuckDBIOManager(database=str(tmp_path / "w.duckdb"), functions=FUNCTIONS)
    view: dict[str, Any] = {"table_options": TableOptions(materialized="view")}
    store(manager, SQL("select following(n) as n from range(2) t(n)"), **view)

    assert load(manager, pl.DataFrame)["n"].to_list() == [1, 2]


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        (lambda: sql_function(lambda x: x), "'<lambda>' is no name for a SQL function"),
        (lambda: sql_function(lambda x: x, name="f"), "which SQL type its argument 'x' has, of the SQL function 'f'"),
        (lambda: sql_function(doubled.function, type="arrow"), "which SQL type its argument 'values' has"),
        (lambda: sql_function(following, type="rows"), "the type of a SQL function is 'rows'"),
        (lambda: DuckDBIOManager(functions=[following, sql_function(following)]), "two SQL functions are called 'following'"),
        (lambda: store(DuckDBIOManager(functions=[sql_function(following, name="sum")]), ORDERS), "of its own"),
    ],
    ids=["name", "type", "arrow", "kind", "two", "built-in"],
)
def test_what_is_wrong_with_a_function_is_said(wrong: Any, message: str) -> None:
    with pytest.raises(ValueError) as caught:  # noqa: PT011 - that of pydantic too
        wrong()

    assert message in str(caught.value)
