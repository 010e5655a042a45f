from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from io_managers import DuckDBIOManager, ParquetIOManager, SQLAlchemyIOManager
from warehouse_assets import (
    SQL,
    AssetDep,
    AssetKey,
    AssetsDefinition,
    DailyPartitionsDefinition,
    Definitions,
    EnvVar,
    SourceAsset,
    TableOptions,
    TimeWindowPartitionMapping,
    asset,
    materialize,
    materialize_to_memory,
    sql_asset,
)
from warehouse_assets.errors import InvalidDefinitionError, InvalidDefinitionsError, TableNotFoundError
from warehouse_assets.graph.asset_graph import AssetGraph
from warehouse_assets.graph.sql_tables import naming_of
from warehouse_assets.sql import SQLOrigin
from warehouse_assets.tables import SQLNaming
from warehouse_assets.testing import check_asset


def reading(*names: str, key: str = "report", **options: Any) -> AssetsDefinition:
    return sql_asset(key, f"select * from {' , '.join(names)}", **options)


def parents(graph: AssetGraph, key: str = "report") -> list[str]:
    return [parent.to_user_string() for parent in graph[AssetKey.coerce(key)].parents]


def test_the_tables_that_sql_reads_are_dependencies() -> None:
    @asset(key_prefix="staging")
    def orders() -> SQL:
        return SQL("select 1 as id")

    report = sql_asset("report", "with o as (select * from staging.orders) select * from o join raw.lines using (id)")
    graph = AssetGraph.build([report, orders, SourceAsset("raw/lines")])

    assert parents(graph) == ["staging/orders", "raw/lines"]
    assert graph[AssetKey(["staging", "orders"])].children == [AssetKey("report")]
    assert graph.order[-1] == AssetKey("report")
    assert graph[AssetKey("report")].sql == report.sql
    assert graph[AssetKey(["staging", "orders"])].sql is None


def test_declared_dependencies_stay_and_those_of_the_sql_are_added() -> None:
    graph = AssetGraph.build([reading("b", deps=["a", "b"]), *map(SourceAsset, "ab")])

    assert parents(graph) == ["a", "b"]


@pytest.mark.parametrize(
    ("name", "keys", "meant"),
    [
        ("orders", ["orders", "raw/orders"], "orders"),
        ("ORDERS", ["orders"], "orders"),
        ("orders", ["raw/orders"], "raw/orders"),
        ("raw.orders", ["lake/raw/orders"], "lake/raw/orders"),
        ("lake.raw.orders", ["lake/raw/orders", "raw/orders"], "lake/raw/orders"),
        ('"my orders"', ["raw/my orders"], "raw/my orders"),
        ('"a/b".c', ["a/b/c"], "a/b/c"),
        ("main.orders", ["orders"], "orders"),
    ],
)
def test_a_name_means_the_table_that_the_store_would_read(name: str, keys: list[str], meant: str) -> None:
    graph = AssetGraph.build(
        [reading(name), *(SourceAsset(AssetKey(key.split("/"))) for key in keys)], resources={"io_manager": DuckDBIOManager()}
    )

    assert parents(graph) == [meant]


def test_the_default_schema_is_that_of_the_asset_s_own_store() -> None:
    resources = {"a": DuckDBIOManager(schema="sales"), "b": DuckDBIOManager(schema="other")}
    orders = SourceAsset("orders", io_manager_key="a")

    graph = Definitions([reading("sales.orders", io_manager_key="a"), orders], resources=resources).graph
    assert parents(graph) == ["orders"]
    with pytest.raises(InvalidDefinitionError, match=r"reads the table 'sales.orders'"):
        Definitions([reading("sales.orders", io_manager_key="b"), orders], resources=resources)


def test_a_table_in_another_schema_than_its_key_says_is_found_by_both() -> None:
    orders = sql_asset("orders", "select 1 as id", table=TableOptions(schema="raw"))

    assert parents(AssetGraph.build([reading("raw.orders", "orders"), orders])) == ["orders"]


@pytest.mark.parametrize(
    "name", ["'events.parquet'", "information_schema.tables", "read_csv('x.csv')", "range(3)", "(values (1)) as v"]
)
def test_what_is_no_table_of_the_store_is_no_dependency(name: str) -> None:
    assert parents(AssetGraph.build([reading(name)])) == []


def test_a_name_that_may_be_several_is_an_error_that_lists_them() -> None:
    with pytest.raises(InvalidDefinitionError) as caught:
        AssetGraph.build([reading("orders"), SourceAsset("raw/orders"), SourceAsset("staging/orders")])

    assert "'orders', which may be several assets: raw/orders, staging/orders (line 1, column 15 of it)" in str(caught.value)
    assert "Say which with the schema: raw.orders" in str(caught.value)


def test_an_own_name_means_the_other_table_of_that_name() -> None:
    graph = AssetGraph.build([sql_asset("staging/orders", "select * from orders"), SourceAsset("raw/orders")])

    assert parents(graph, "staging/orders") == ["raw/orders"]


def test_an_unknown_table_is_an_error_with_its_place_and_the_nearest_name() -> None:
    sql = SQL("select *\nfrom staging.ordres").told(origin=SQLOrigin("models/report.sql", 4))

    with pytest.raises(InvalidDefinitionError) as caught:
        AssetGraph.build([sql_asset("report", sql), SourceAsset("staging/orders")])

    assert str(caught.value) == (
        "asset 'report': its SQL reads the table 'staging.ordres', which is no asset (models/report.sql:5:6). "
        "Did you mean 'staging/orders'?"
    )


def test_an_unknown_table_is_told_once_however_many_read_it() -> None:
    assets = [reading("raw.x", key="a"), reading("raw.X", key="b"), reading("raw.x", "raw.y", key="c")]

    with pytest.raises(InvalidDefinitionsError) as caught:
        AssetGraph.build(assets)

    told = [fault.message for fault in caught.value.exceptions]
    assert told == [
        "asset 'a': its SQL reads the table 'raw.x', which is no asset; so do 2 other places (line 1, column 15 of it)",
        "asset 'c': its SQL reads the table 'raw.y', which is no asset (line 1, column 23 of it)",
    ]
    assert 'unknown_tables="source"' in str(caught.value)


def test_an_unknown_table_can_be_a_source() -> None:
    assets = [reading("raw.x", "main.y", key="a"), reading("RAW.X", "y", key="b")]
    graph = Definitions(assets, resources={"io_manager": DuckDBIOManager()}, unknown_tables="source").graph

    assert parents(graph, "a") == parents(graph, "b") == ["raw/x", "y"]
    assert graph[AssetKey(["raw", "x"])].is_stub


def test_a_source_is_in_the_store_of_the_sql_that_reads_it(tmp_path: Path) -> None:
    warehouse = DuckDBIOManager(database=str(tmp_path / "w.duckdb"))
    materialize([sql_asset("raw/x", "select 7 as n")], resources={"io_manager": warehouse})
    resources = {"warehouse": warehouse}

    result = materialize([reading("raw.x", io_manager_key="warehouse")], resources=resources, unknown_tables="source")

    assert result.asset_value("report")["n"].to_list() == [7]


def test_a_source_that_two_stores_may_hold_has_to_be_declared(tmp_path: Path) -> None:
    resources = {"a": DuckDBIOManager(), "b": ParquetIOManager(base_path=str(tmp_path))}
    assets = [reading("raw.x", key=name, io_manager_key=name) for name in "ab"]

    with pytest.raises(
        InvalidDefinitionError, match=r'in the store \'b\', and other SQL in \'a\' .*SourceAsset\("raw/x", io_manager_key'
    ):
        Definitions(assets, resources=resources, unknown_tables="source")


@pytest.mark.parametrize("wrong", ["sources", None, True])
def test_unknown_tables_is_one_of_two(wrong: Any) -> None:
    with pytest.raises(InvalidDefinitionError, match=r'unknown_tables is .* It is "source" or "error"'):
        Definitions([], unknown_tables=wrong)


def test_sql_that_cannot_be_read_is_an_error_that_names_the_asset() -> None:
    with pytest.raises(InvalidDefinitionError, match=r"the SQL of asset 'report': .*test_sql_tables.py:\d+:56"):
        AssetGraph.build([sql_asset("report", "select (1")])


def test_all_faults_are_told_at_once() -> None:
    with pytest.raises(InvalidDefinitionsError) as caught:
        AssetGraph.build(
            [
                reading("a", key="b"),
                reading("(", key="c"),
                reading("orders", key="d"),
                SourceAsset("x/orders"),
                SourceAsset("y/orders"),
            ]
        )

    assert len(caught.value.exceptions) == 3


def test_a_circle_of_sql_is_an_error() -> None:
    with pytest.raises(InvalidDefinitionError, match=r"in a circle: a → b → a|in a circle: b → a → b"):
        AssetGraph.build([reading("b", key="a"), reading("a", key="b")])


def test_sql_that_reads_its_own_table_is_an_error_without_partitions() -> None:
    with pytest.raises(InvalidDefinitionError, match=r"its SQL reads 'report', which is its own table \(line 1, column 15"):
        AssetGraph.build([reading("report")])


def test_sql_of_partitions_may_read_earlier_ones() -> None:
    day = DailyPartitionsDefinition("2024-01-01")
    back = AssetDep("report", TimeWindowPartitionMapping(start_offset=-1, end_offset=-1))

    assert AssetGraph.build([reading("report", partitions_def=day, deps=[back])]).order == [AssetKey("report")]
    with pytest.raises(
        InvalidDefinitionError, match="asset 'report' depends on itself, by a partition mapping that does not look back"
    ):
        AssetGraph.build([reading("report", partitions_def=day)])


def test_names_mean_in_a_run_what_they_mean_in_the_graph(tmp_path: Path) -> None:
    resources = {"io_manager": DuckDBIOManager(database=str(tmp_path / "shop.duckdb"), schema="sales")}
    orders = sql_asset("orders", "select 1 as id", table=TableOptions(schema="raw"))
    lines = sql_asset("lines", "select 2 as id")
    names = ["raw.orders", "orders", "shop.raw.orders", "lines", "sales.lines", "SHOP.sales.lines"]
    report = sql_asset("report", " union all ".join(f"select id from {name} as t" for name in names))

    result = materialize([report, orders, lines], resources=resources)

    assert result.asset_value("report")["id"].to_list() == [1, 1, 1, 2, 2, 2]


@pytest.mark.parametrize(
    ("url", "naming"),
    [
        ("postgresql://me:secret@host/shop", SQLNaming("postgres", "public", "shop")),
        ("mysql://me:secret@host/shop", SQLNaming("mysql", "shop")),
        ("sqlite:///shop.sqlite", SQLNaming("sqlite", "main")),
    ],
    ids=["postgresql", "mysql", "sqlite"],
)
def test_the_dialect_is_that_of_the_store(url: str, naming: SQLNaming) -> None:
    manager = SQLAlchemyIOManager(url=url)

    assert manager.sql_naming() == naming
    name = "`raw`.`x`" if naming.dialect == "mysql" else '"raw"."x"'
    graph = Definitions([reading(name), SourceAsset("raw/x")], resources={"io_manager": manager}).graph
    assert parents(graph) == ["raw/x"]


def test_a_store_whose_address_is_not_known_yet_is_taken_for_duckdb(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("NO_SUCH_URL", raising=False)
    node = AssetGraph.build([reading("raw.x"), SourceAsset("raw/x")])[AssetKey("report")]

    assert naming_of(node, {"io_manager": SQLAlchemyIOManager(url=EnvVar("NO_SUCH_URL"))}) == SQLNaming()


def test_the_dialect_is_that_of_the_asset() -> None:
    graph = AssetGraph.build(
        [sql_asset("report", "select `x` from `raw`.`orders`", dialect="mysql"), SourceAsset("raw/orders")]
    )

    assert parents(graph) == ["raw/orders"]


def test_what_merges_reads_across_its_parts() -> None:
    made = Definitions([sql_asset("raw/x", "select 1 as n")])
    report = Definitions([reading("raw.x")], unknown_tables="source")

    merged = Definitions.merge(made, report)

    assert not merged.graph[AssetKey(["raw", "x"])].is_stub
    assert merged.unknown_tables == "source"


def test_in_memory_names_mean_what_they_mean_in_their_store(tmp_path: Path) -> None:
    warehouse = DuckDBIOManager(database=str(tmp_path / "shop.duckdb"))
    materialize([sql_asset("raw/x", "select 7 as n")], resources={"warehouse": warehouse, "io_manager": warehouse})
    assets = [
        sql_asset("y", "select n + 1 as n from shop.raw.x", io_manager_key="warehouse"),
        sql_asset("z", "select n + 1 as n from main.y", io_manager_key="warehouse"),
    ]

    result = materialize_to_memory(assets, resources={"warehouse": warehouse}, unknown_tables="source")

    assert result.asset_value("z")["n"].to_list() == [9]
    with pytest.raises(TableNotFoundError):
        Definitions(
            [assets[0], SourceAsset("raw/x", io_manager_key="warehouse")], resources={"warehouse": warehouse}
        ).load_asset_value("y")


def test_a_test_of_one_asset_knows_the_names_of_its_store() -> None:
    total = sql_asset("marts/total", "select sum(n) as total from memory.main.orders join raw.rates using (id)")
    defs = Definitions([total, SourceAsset("orders"), SourceAsset("raw/rates")], resources={"io_manager": DuckDBIOManager()})

    check_asset(defs, "marts/total", given={"orders": {"id": [1], "n": [3]}, "raw/rates": {"id": [1]}}, expect={"total": [3]})


def test_in_memory_it_is_the_same() -> None:
    result = materialize_to_memory([reading("raw.x"), sql_asset("raw/x", "select 7 as n")])

    assert result.asset_value("report")["n"].to_list() == [7]
