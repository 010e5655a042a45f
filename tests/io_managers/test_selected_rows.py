from __future__ import annotations

import polars as pl
import pyarrow as pa
import pytest
from polars.testing import assert_frame_equal

from io_managers.duckdb import DuckDBIOManager
from io_managers.parquet import ParquetIOManager
from warehouse_assets import AssetIn, SourceAsset, asset, materialize
from warehouse_assets.errors import InvalidDefinitionError, InvalidSQLError, SchemaChangedError
from warehouse_assets.sql import SQL

ROWS = pl.DataFrame(
    {"id": range(8), "kind": pl.Series(["a", "b"] * 4, dtype=pl.Categorical), "nothing": pl.Series([None] * 8, dtype=pl.Null)}
)


@pytest.fixture(params=["duckdb", "parquet"])
def manager(request, tmp_path):
    return (
        DuckDBIOManager(database=str(tmp_path / "w.duckdb"))
        if request.param == "duckdb"
        else ParquetIOManager(base_path=str(tmp_path))
    )


@asset
def rows():
    return ROWS


def read(manager, given, annotation=pl.DataFrame, source=rows):
    seen = []

    @asset(ins={"table": given})
    def reading(table: annotation) -> None:
        seen.append(table)

    materialize([source, reading], resources={"io_manager": manager})
    return seen[0]


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        (AssetIn("rows", where="id > 4"), ROWS.filter(pl.col("id") > 4)),
        (AssetIn("rows", where="kind = 'b' -- those", columns=["id"]), ROWS.filter(pl.col("kind") == "b").select("id")),
        (AssetIn("rows", limit=2), ROWS.head(2)),
        (AssetIn("rows", limit=0), ROWS.head(0)),
        (
            AssetIn("rows", metadata={"where": "id % 2 = 1 or nothing is not null", "limit": 3}),
            ROWS.filter(pl.col("id") % 2 == 1).head(3),
        ),
    ],
    ids=["where", "where-columns", "limit", "none", "metadata"],
)
def test_only_the_rows_that_are_asked_for_are_read(manager, given, expected):
    assert_frame_equal(read(manager, given), expected)


@pytest.mark.parametrize("annotation", [pl.LazyFrame, pa.Table, pa.RecordBatchReader], ids=["lazy", "arrow", "reader"])
def test_in_every_form(manager, annotation):
    seen = []

    @asset(ins={"table": AssetIn("rows", where="id > 5", columns=["id"])})
    def reading(table: annotation) -> None:
        seen.append(pl.DataFrame(table.collect() if annotation is pl.LazyFrame else pa.table(table)))

    materialize([rows, reading], resources={"io_manager": manager})

    assert seen[0]["id"].to_list() == [6, 7]


def test_a_source_says_which_of_its_rows_are_meant_to_python_and_to_sql(manager):
    source = SourceAsset("rows", metadata={"where": "id < 3"})

    @asset(deps=["rows"])
    def by_sql() -> SQL:
        return SQL("select count(*) as n from rows")

    @asset(key="by_python")
    def by_python(rows: pl.DataFrame) -> pl.DataFrame:
        return rows.select(n=pl.len())

    materialize([rows], resources={"io_manager": manager})
    result = materialize([source, by_sql, by_python], resources={"io_manager": manager})

    assert [result.asset_value(name)["n"].item() for name in ("by_sql", "by_python")] == [3, 3]


@pytest.mark.parametrize("where", ["1=1; drop table rows", "1=1) or (1=1", "select 1", "id limit 1"])
def test_what_is_no_condition_is_refused(manager, where):
    with pytest.raises(InvalidSQLError, match=r"given to read some rows of asset 'rows', is no SQL condition"):
        read(manager, AssetIn("rows", where=where))


def test_a_condition_that_does_not_fit_the_table_is_refused(manager):
    with pytest.raises(InvalidSQLError, match="the condition 'amount > 1' on asset 'rows'"):
        read(manager, AssetIn("rows", where="amount > 1"))
    with pytest.raises(SchemaChangedError, match="has no column 'idd'"):
        read(manager, AssetIn("rows", where="id > 1", columns=["idd"]))


@pytest.mark.parametrize(
    "part",
    [{"columns": "id"}, {"where": " "}, {"where": 3}, {"limit": -1}, {"limit": True}],
    ids=["columns", "blank", "number", "negative", "bool"],
)
def test_a_part_that_cannot_be_meant_is_refused_where_it_is_declared(part):
    with pytest.raises(InvalidDefinitionError, match=r"an AssetIn has .*test_selected_rows.py"):
        AssetIn("rows", **part)
