"""Partitions in DuckDB, and tables that are shown before they are published."""

from __future__ import annotations

import os
from pathlib import Path

import duckdb
import polars as pl
import pytest

from io_managers.duckdb import DuckDBIOManager
from warehouse_assets.errors import InvalidSQLError, OutsidePartitionError, SchemaChangedError, TableError, TableNotFoundError
from warehouse_assets.io_manager import OutputContext
from warehouse_assets.keys import AssetKey
from warehouse_assets.sql import SQL
from warehouse_assets.testing.io_manager import (
    BY_DAY,
    KEY,
    ORDERS,
    AtomicPartitionContract,
    AtomicStagingContract,
    PartitionContract,
    PartitionSQLContract,
    SchemaPolicyContract,
    StagingContract,
    days,
    load,
    output_context,
    source,
    store,
)

MON, TUE = "2024-01-01", "2024-01-02"

pytestmark = pytest.mark.semantics(40, 41, 44)


class TestPartitions(
    PartitionContract,
    PartitionSQLContract,
    SchemaPolicyContract,
    AtomicPartitionContract,
    StagingContract,
    AtomicStagingContract,
):
    STORE = "DuckDB"

    @pytest.fixture
    def manager(self, tmp_path):
        return DuckDBIOManager(database=str(tmp_path / "w.duckdb"))

    def peek(self, manager, key):
        with duckdb.connect(manager.database) as connection:
            return connection.sql(f"from {manager.table_name(key).quoted}").pl()


class TestPartitionsInMemory(PartitionContract, PartitionSQLContract, SchemaPolicyContract, StagingContract):
    STORE = "DuckDB in memory"

    @pytest.fixture
    def manager(self):
        return DuckDBIOManager()

    def peek(self, manager, key):
        with manager._memory._root.cursor() as connection:
            return connection.sql(f"from {manager.table_name(key).quoted}").pl()


@pytest.fixture
def manager(tmp_path):
    return DuckDBIOManager(database=str(tmp_path / "w.duckdb"))


def sql(manager, text):
    with duckdb.connect(manager.database) as connection:
        return connection.execute(text).fetchall()


def is_open(path):
    return str(path) in {os.path.realpath(file) for file in Path("/proc/self/fd").iterdir()}


class TestFaultsOfOthers:
    """What managers are known to get wrong: each shown not to happen here."""

    @pytest.mark.parametrize(
        "frame",
        [days(d1=10).with_columns(more=pl.lit("x")), days(d1=10).with_columns(n=pl.lit("text")), days(d1=10, d2=20)],
        ids=["a new column", "a retyped column", "rows of another day"],
    )
    def test_a_failed_write_leaves_no_empty_partition(self, manager, frame):
        store(manager, days(d1=[1, 2]), partitions=BY_DAY(MON))
        with pytest.raises((SchemaChangedError, OutsidePartitionError)):
            store(manager, frame, partitions=BY_DAY(MON))

        assert sql(manager, "select n from shop.orders order by n") == [(1,), (2,)]

    def test_reordered_columns_do_not_swap_their_data(self, manager):
        frame = days(d1=1).with_columns(net=pl.lit(10), gross=pl.lit(12))
        store(manager, frame, partitions=BY_DAY(MON))
        store(manager, frame.select("gross", "net", "n", "day"), partitions=BY_DAY(MON))

        assert sql(manager, "select net, gross from shop.orders") == [(10, 12)]

    def test_an_empty_first_frame_makes_the_table(self, manager):
        store(manager, days(), partitions=BY_DAY(MON))

        assert sql(manager, "describe shop.orders")[0][:2] == ("day", "DATE")

    def test_schemas_are_quoted(self, manager):
        key = AssetKey(['a "b"; drop', "select"])
        store(manager, days(d1=1), key, partitions=BY_DAY(MON))

        assert load(manager, key=key, partitions=BY_DAY(MON)).height == 1

    def test_keys_of_three_segments_have_tables_of_their_own(self, manager):
        keys = [AssetKey(["x", "s", "t"]), AssetKey(["y", "s", "t"])]
        for number, key in enumerate(keys):
            store(manager, days(d1=number), key, partitions=BY_DAY(MON))

        assert [load(manager, key=key)["n"].to_list() for key in keys] == [[0], [1]]

    def test_a_failed_write_lets_the_file_go(self, manager):
        with pytest.raises(OutsidePartitionError):
            store(manager, days(d2=1), partitions=BY_DAY(MON))

        assert not is_open(manager.database)

    def test_bytes_are_recorded(self, manager):
        assert store(manager, days(d1=list(range(50_000))), partitions=BY_DAY(MON))["byte_size"] >= 262_144


class TestTables:
    def test_a_type_that_duckdb_has_not_is_kept_while_all_partitions_have_it(self, manager):
        first = days(d1=1).with_columns(kind=pl.Series(["a"], dtype=pl.Categorical))
        second = days(d2=2).with_columns(kind=pl.lit("b"))
        store(manager, first, partitions=BY_DAY(MON))
        with pytest.raises(SchemaChangedError, match="'kind' is VARCHAR, and was Categorical"):
            store(manager, second, partitions=BY_DAY(TUE))
        kinds = [load(manager).schema["kind"]]
        store(manager, second, partitions=BY_DAY(TUE), schema_policy="sync")

        assert [*kinds, load(manager).schema["kind"]] == [pl.Categorical, pl.String]

    def test_sql_knows_no_types_of_polars(self, manager):
        store(manager, days(d1=1).with_columns(kind=pl.Series(["a"], dtype=pl.Enum(["a"]))), partitions=BY_DAY(MON))
        store(manager, SQL("select date '2024-01-02' as day, 2::bigint as n, 'b' as kind"), partitions=BY_DAY(TUE))

        assert load(manager)["kind"].to_list() == ["a", "b"]

    def test_a_column_without_values_takes_the_type_of_the_first(self, manager):
        store(manager, days(d1=1).with_columns(note=pl.lit(None)), partitions=BY_DAY(MON))
        store(manager, days(d2=2).with_columns(note=pl.lit("x")), partitions=BY_DAY(TUE))

        assert load(manager).sort("n")["note"].to_list() == [None, "x"]

    def test_columns_that_differ_in_case_are_one(self, manager):
        store(manager, days(d1=1), partitions=BY_DAY(MON))
        store(manager, days(d2=2).rename({"day": "Day", "n": "N"}), partitions=BY_DAY(TUE))

        assert sorted(load(manager).rows()) == sorted(days(d1=1, d2=2).rows())

    def test_types_that_no_type_holds_cannot_be_synced(self, manager):
        store(manager, days(d1=1), partitions=BY_DAY(MON))
        with pytest.raises(SchemaChangedError, match=r"'n' is DATE, and was BIGINT.*No type holds both"):
            store(manager, days(d2=2).with_columns(n="day"), partitions=BY_DAY(TUE), schema_policy="sync")

        assert load(manager).rows() == days(d1=1).rows()

    def test_partitions_of_a_view_are_not_replaced(self, manager):
        sql(manager, "create schema shop; create view shop.orders as select date '2024-01-01' as day, 1::bigint as n")
        with pytest.raises(TableError, match="is a view, not a table"):
            store(manager, days(d1=2), partitions=BY_DAY(MON))

        assert load(manager)["n"].to_list() == [1]

    def test_an_index_stands_in_no_ones_way(self, manager):
        store(manager, days(d1=1, d2=2), partitions=BY_DAY(MON, TUE))
        sql(manager, "create unique index numbers on shop.orders (n)")
        store(manager, days(d1=1), partitions=BY_DAY(MON))

        assert load(manager)["n"].sort().to_list() == [1, 2]

    def test_a_query_outside_of_runs_reads_the_partitions_that_are_meant(self, manager):
        store(manager, days(d1=1, d2=2), partitions=BY_DAY(MON, TUE))
        with manager.query(SQL("select n from shop.orders"), {KEY: source(manager, KEY, BY_DAY(TUE))}) as reader:
            rows = reader.read_all().to_pylist()

        assert rows == [{"n": 2}]

    def test_a_relation_is_of_the_partitions_that_are_meant(self, manager):
        store(manager, days(d1=1, d2=2), partitions=BY_DAY(MON, TUE))
        relation = load(manager, duckdb.DuckDBPyRelation, partitions=BY_DAY(TUE))

        assert relation.filter("n > 0").project("n").fetchall() == [(2,)]

    def test_a_lazy_frame_reads_its_partitions_as_often_as_it_is_collected(self, manager):
        store(manager, days(d1=1, d2=2), partitions=BY_DAY(MON, TUE))
        lazy = load(manager, pl.LazyFrame, partitions=BY_DAY(TUE)).filter(pl.col("n") > 0)

        assert [lazy.collect().height, lazy.select("n").collect().item()] == [1, 2]


class TestStaging:
    def test_a_query_that_fails_keeps_the_table_from_being_published(self, manager):
        store(manager, days(d1=1))
        with (
            pytest.raises(TableError, match="'shop/orders' was not published, since a query on it failed"),
            manager.stage(OutputContext(KEY), days(d1=2)) as staged,
            pytest.raises(duckdb.ConversionException),
        ):
            staged.query(SQL("select cast('x' || n as int) from shop.orders"), {}).__enter__()

        assert load(manager)["n"].to_list() == [1]

    def test_a_query_that_cannot_be_bound_does_no_harm(self, manager):
        with manager.stage(OutputContext(KEY), days(d1=2)) as staged, pytest.raises(InvalidSQLError, match="nothing"):
            staged.query(SQL("select nothing from shop.orders"), {}).__enter__()

        assert load(manager)["n"].to_list() == [2]

    def test_a_missing_table_in_a_query_is_named(self, manager):
        other = AssetKey(["shop", "other"])
        with (
            manager.stage(OutputContext(KEY), ORDERS) as staged,
            pytest.raises(TableNotFoundError, match=r"shop\.other"),
        ):
            staged.query(SQL("select * from shop.other"), {other: source(manager, other)}).__enter__()

        assert load(manager).height == 3

    def test_two_tables_are_staged_at_once(self, manager):
        with manager.stage(OutputContext(KEY), ORDERS), manager.stage(OutputContext(AssetKey("other")), ORDERS) as staged:
            assert load(staged, duckdb.DuckDBPyRelation, AssetKey("other")).fetchall()[0] == (1, 9.5, "a")

        assert load(manager, key=AssetKey("other")).height == load(manager).height == 3

    def test_others_write_while_a_table_is_staged(self, manager):
        with manager.stage(output_context(partitions=BY_DAY(MON)), days(d1=1)):
            recorded = store(manager, ORDERS, AssetKey("other"))

        assert recorded["byte_size"] > 0
        assert load(manager)["n"].to_list() == [1]
