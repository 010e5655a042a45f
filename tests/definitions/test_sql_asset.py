from __future__ import annotations

from pathlib import Path

import pytest

from io_managers import DuckDBIOManager
from warehouse_assets import SQL, AssetKey, Definitions, SourceAsset, TableOptions, materialize, sql_asset
from warehouse_assets.errors import InvalidDefinitionError
from warehouse_assets.sql import SQLOrigin


def test_it_is_an_asset_with_all_that_is_said_of_it() -> None:
    daily = sql_asset(
        "marts/daily",
        "select 1 as x",
        description="All days.",
        tags={"tier": "1"},
        owners=["team:data"],
        kinds=["duckdb"],
        group_name="marts",
        io_manager_key="warehouse",
        table=TableOptions(sort_by="x"),
    )

    spec = daily.get_asset_spec()
    assert (spec.key, spec.description, spec.tags, spec.owners) == (
        AssetKey(["marts", "daily"]),
        "All days.",
        {"tier": "1"},
        ("team:data",),
    )
    assert (spec.kinds, spec.group_name, spec.io_manager_key) == ({"sql", "duckdb"}, "marts", "warehouse")
    assert spec.table is not None
    assert spec.table.sort_by == ("x",)
    assert spec.code_version == "auto"
    assert str(daily.place).startswith(__file__)


def test_its_query_is_known_before_anything_runs() -> None:
    daily = sql_asset("daily", "select 1", dialect="postgres")

    assert daily.sql == SQL("select 1") == daily()
    assert daily.sql is not None
    assert daily.sql.dialect == "postgres"


def test_a_query_knows_where_it_was_written() -> None:
    sql = SQL("select 1").told(origin=SQLOrigin("models/daily.sql", 3))

    assert str(sql_asset("daily", sql).place) == "models/daily.sql:3"


@pytest.mark.parametrize("sql", [None, 3, b"select 1", lambda: "select 1"], ids=["None", "number", "bytes", "function"])
def test_what_is_no_query_is_refused(sql: object) -> None:
    with pytest.raises(
        InvalidDefinitionError, match=r"asset 'daily': its SQL is .*, which is neither text nor SQL \(.*\.py:\d+\)"
    ):
        sql_asset("daily", sql)  # type: ignore[arg-type]


def test_it_can_be_a_view() -> None:
    table = sql_asset("daily", "select 1", materialized="view", table=TableOptions(schema="x")).get_asset_spec().table

    assert table == TableOptions(materialized="view", schema="x")
    with pytest.raises(InvalidDefinitionError, match=r"asset 'daily': materialized is 'vew' \(.*test_sql_asset.py:\d+\)"):
        sql_asset("daily", "select 1", materialized="vew")  # type: ignore[arg-type]


def test_it_is_made_where_the_tables_are(tmp_path: Path) -> None:
    warehouse = DuckDBIOManager(database=str(tmp_path / "w.duckdb"))
    orders = sql_asset("raw/orders", "select unnest([1, 2, 3]) as amount")
    total = sql_asset("marts/total", "with o as (select * from raw.orders) select sum(amount) as total from o")

    result = materialize([total, orders], resources={"io_manager": warehouse})

    assert result.success
    assert result.asset_value("marts/total")["total"].to_list() == [6]


def test_its_code_version_is_that_of_the_query_however_it_is_written() -> None:
    def version(sql: str | SQL) -> str | None:
        defs = Definitions([sql_asset("a", sql), SourceAsset("t")], resources={"io_manager": DuckDBIOManager()})
        from warehouse_assets.graph.code.versions import CodeVersions

        return CodeVersions()(defs.graph[AssetKey("a")])

    same = version("select x from t -- all of them")

    assert same == version("SELECT x\nFROM t")
    assert same != version("select y from t")
    assert version(SQL("select {x} as x", x=1)) != version(SQL("select {x} as x", x=2))
