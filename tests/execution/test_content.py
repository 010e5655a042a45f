"""`data_version="content"`: equal tables have equal versions, in whatever order and store."""

from __future__ import annotations

import datetime as dt
import decimal
from collections.abc import Callable
from pathlib import Path
from typing import Any

import polars as pl
import pyarrow as pa
import pytest

from io_managers import DuckDBIOManager, FsspecIOManager, InMemoryIOManager, ParquetIOManager
from warehouse_assets import SQL, AssetKey, IOManager, asset, materialize
from warehouse_assets.errors import InvalidOutputError
from warehouse_assets.events import DATA_VERSION_TAG

MANAGERS: dict[str, Callable[[Path], IOManager]] = {
    "duckdb": lambda folder: DuckDBIOManager(database=str(folder / "w.duckdb")),
    "duckdb_in_memory": lambda folder: DuckDBIOManager(database=":memory:"),
    "parquet": lambda folder: ParquetIOManager(base_path=str(folder / "lake")),
    "pickle": lambda folder: FsspecIOManager(base_path=str(folder / "files")),
    "memory": lambda folder: InMemoryIOManager(),
}


@pytest.fixture(params=MANAGERS)
def manager(request: pytest.FixtureRequest, tmp_path: Path) -> IOManager:
    return MANAGERS[request.param](tmp_path)


def version(manager: IOManager, value: Any, key: AssetKey | None = None) -> str:
    @asset(key=key or AssetKey(["shop", "orders"]), data_version="content")
    def orders() -> Any:
        return value

    run = materialize([orders], resources={"io_manager": manager})
    (made,) = run.asset_materializations_for_node(run.steps()[0])
    return made.tags[DATA_VERSION_TAG]


NOON = dt.datetime(2024, 1, 1, 12)  # noqa: DTZ001 - a time without a zone is a type of its own
ROWS = pl.DataFrame(
    {
        "id": [1, 2, 3, 3],
        "name": ["a", None, "null", ""],
        "x": [0.5, float("nan"), None, 1e300],
        "n": [[1, None], [], None, [2]],
        "s": [{"a": 1, "b": "x"}, {"a": None, "b": None}, None, {"a": 2, "b": "y"}],
        "at": [NOON.replace(microsecond=123456), None, NOON, NOON.replace(year=1969)],
        "zoned": pl.Series([NOON] * 4, dtype=pl.Datetime("us", "Europe/Vienna")),
        "day": [dt.date(2024, 1, 1)] * 4,
        "price": pl.Series(
            [decimal.Decimal("1.50"), None, decimal.Decimal("-0.01"), decimal.Decimal(7)], dtype=pl.Decimal(12, 2)
        ),
        "raw": [b"\x00\xff", b"", None, b'"'],
        "ok": [True, False, None, True],
    }
)


@pytest.mark.semantics(25)
def test_the_order_of_rows_and_columns_does_not_matter(manager: IOManager) -> None:
    shuffled = ROWS.select(*ROWS.columns[::-1]).reverse()

    assert version(manager, shuffled) == version(manager, ROWS)


def test_the_store_does_not_matter(tmp_path: Path) -> None:
    found = {name: version(make(tmp_path), ROWS) for name, make in MANAGERS.items()}

    assert found == dict.fromkeys(MANAGERS, found["duckdb"])


@pytest.mark.parametrize(
    "kind", [pl.DataFrame, pl.LazyFrame, pa.Table, pa.RecordBatchReader], ids=["frame", "lazy", "arrow", "stream"]
)
def test_the_frame_does_not_matter(manager: IOManager, kind: Any) -> None:
    forms = {pl.LazyFrame: ROWS.lazy, pa.Table: ROWS.to_arrow, pa.RecordBatchReader: lambda: ROWS.to_arrow().to_reader()}

    assert version(manager, forms.get(kind, lambda: ROWS)()) == version(manager, ROWS)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ({"a": [1, 1]}, {"a": [1]}),
        ({"a": [1, 1, 2]}, {"a": [1, 2, 2]}),
        ({"a": [1, 1]}, {"a": [2, 2]}),
        ({"a": [1]}, {"a": ["1"]}),
        ({"a": [1]}, {"a": [1.0]}),
        ({"a": [1]}, {"b": [1]}),
        ({"a": [1], "b": [2]}, {"a": [2], "b": [1]}),
        ({"a": [1, 2], "b": [3, 4]}, {"a": [1, 2], "b": [4, 3]}),
        ({"a": ["x", "y"], "b": ["y", "x"]}, {"a": ["x", "y"], "b": ["x", "y"]}),
        ({"a": ["bc"], "b": ["d"]}, {"a": ["b"], "b": ["cd"]}),
        ({"a": [None]}, {"a": ["null"]}),
        ({"a": [""]}, {"a": pl.Series([None], dtype=pl.String)}),
        ({"a": [float("nan")]}, {"a": pl.Series([None], dtype=pl.Float64)}),
        ({"a": [[1, 2], [3]]}, {"a": [[1], [2, 3]]}),
        ({"a": [[1], []]}, {"a": [[1], None]}),
        ({"a": [{"x": 1}]}, {"a": [{"x": 2}]}),
        ({"a": [True]}, {"a": [1]}),
        ({"a": [dt.date(2024, 1, 1)]}, {"a": [NOON]}),
        ({"a": pl.Series([], dtype=pl.Int64)}, {"a": pl.Series([], dtype=pl.String)}),
        ({"a": pl.Series([], dtype=pl.Int64)}, {"a": pl.Series([None], dtype=pl.Int64)}),
    ],
    ids=str,
)
@pytest.mark.parametrize("manager", ["duckdb_in_memory", "parquet"], indirect=True)
def test_other_content_is_another_version(manager: IOManager, one: Any, other: Any) -> None:
    assert version(manager, pl.DataFrame(one)) != version(manager, pl.DataFrame(other))


def test_identical_rows_do_not_cancel_out(manager: IOManager) -> None:
    found = [version(manager, pl.DataFrame({"a": [7] * count}, schema={"a": pl.Int64})) for count in range(5)]

    assert len(set(found)) == 5


def test_how_wide_numbers_are_does_not_matter(tmp_path: Path) -> None:
    manager = MANAGERS["parquet"](tmp_path)

    assert version(manager, pl.DataFrame({"a": [1, 2]}, schema={"a": pl.Int8})) == version(manager, pl.DataFrame({"a": [1, 2]}))


@pytest.mark.parametrize("manager", ["duckdb", "parquet"], indirect=True)
def test_names_that_need_quoting(manager: IOManager) -> None:
    odd = {'a"b': [1], "select": [2], "{x} $y": [3], "ä ö": [4]}

    assert version(manager, pl.DataFrame(odd), AssetKey(['sch"ema', "{t} 'x'"])) == version(manager, pl.DataFrame(odd))


def test_a_table_that_sql_made(manager: IOManager) -> None:
    assert version(manager, SQL("select 2 as b, 'x' as a union all select 1, 'y'")) == version(
        manager, pl.DataFrame({"a": ["y", "x"], "b": [1, 2]})
    )


@pytest.mark.parametrize("manager", ["pickle", "memory"], indirect=True)
def test_any_other_value_counts_by_its_pickle(manager: IOManager) -> None:
    assert version(manager, {"a": [1, 2]}) == version(manager, {"a": [1, 2]})
    assert version(manager, {"a": [1, 2]}) != version(manager, {"a": [2, 1]})


def test_a_value_that_cannot_be_pickled_is_an_error() -> None:
    with pytest.raises(InvalidOutputError, match="the content of asset 'shop/orders' cannot be told") as caught:
        version(InMemoryIOManager(), lambda: 1)

    assert "data_version=" in str(caught.value)
