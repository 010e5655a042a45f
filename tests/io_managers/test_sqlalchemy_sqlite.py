"""Tables in SQLite."""

from __future__ import annotations

import sqlite3

import polars as pl
import pytest
from polars.testing import assert_frame_equal

from io_managers.sqlalchemy import SQLAlchemyIOManager
from io_managers.sqlalchemy.sqlite import NOTES
from warehouse_assets.errors import StoreLockedError, TableError
from warehouse_assets.sql import SQL
from warehouse_assets.testing.contract import departs
from warehouse_assets.testing.io_manager import (
    BY_DAY,
    KEY,
    ORDERS,
    AtomicContract,
    AtomicPartitionContract,
    AtomicStagingContract,
    ColumnsContract,
    ConcurrencyContract,
    PartitionContract,
    PartitionSQLContract,
    SchemaPolicyContract,
    SelectionContract,
    SharedTableContract,
    SQLContract,
    StagingContract,
    TableContract,
    ViewContract,
    WriteModeContract,
    days,
    load,
    source,
    store,
)

pytestmark = pytest.mark.semantics(38, 39, 40, 41, 42, 43, 44, 45)


class Store:
    STORE = "SQLite"
    ROWS, BATCH = 75_000, 20_000  # more than are read ahead, in a store that takes them one by one

    @pytest.fixture
    def manager(self, tmp_path):
        return SQLAlchemyIOManager(url=f"sqlite:///{tmp_path}/w.sqlite")

    def connection(self, manager):
        return sqlite3.connect(manager.url.removeprefix("sqlite:///"))

    def byte_size(self, manager, key):
        connection = self.connection(manager)
        [(size,)] = connection.execute("select sum(pgsize) from dbstat where name = ?", [str(manager.table_name(key))])
        connection.close()
        return size

    def debris(self, manager):
        connection = self.connection(manager)
        names = {name for (name,) in connection.execute("select name from sqlite_master where type = 'table'")}
        connection.close()
        return names - {"shop/orders", NOTES}

    def peek(self, manager, key):
        return load(manager, pl.DataFrame, key)


class TestSQLite(Store, TableContract, SQLContract, AtomicContract, ConcurrencyContract, SharedTableContract):
    @departs("there is no type of spans of time, in the SQL of SQLite")
    def test_sql_results_have_types_that_frames_have(self, manager):
        store(
            manager,
            SQL("select sum(n) as total, avg(n) as mean, 'a' as text, null as gone from (select 1 as n union select 2)"),
        )

        assert load(manager).rows() == [(3, 1.5, "a", None)]

    @departs("a cast never fails in SQLite")
    def test_sql_that_fails_leaves_the_old_table(self, manager):
        store(manager, ORDERS)
        with pytest.raises(TableError, match="malformed JSON"):
            store(manager, SQL("select json('abc' || id) as id from shop.orders"), sources={KEY: source(manager, KEY)})

        assert_frame_equal(load(manager), ORDERS)


class TestSQLiteModes(Store, WriteModeContract, SelectionContract, ColumnsContract):
    pass


class TestSQLiteViews(Store, ViewContract):
    pass


class TestSQLitePartitions(
    Store,
    PartitionContract,
    PartitionSQLContract,
    SchemaPolicyContract,
    AtomicPartitionContract,
    StagingContract,
    AtomicStagingContract,
):
    DAY = "select cast({day} as text) as day, 1 as n from (values (1), (2), (3))"
    OF_DAY = "select * from {orders} where day = {day}"
    ONE_DAY = "select '2024-01-01' as day, 10 as n"

    @departs("a cast never fails in SQLite")
    def test_sql_that_fails_leaves_the_old_partition(self, manager):
        store(manager, days(d1=1, d2=2), partitions=BY_DAY("2024-01-01", "2024-01-02"))
        sources = {KEY: source(manager, KEY, BY_DAY("2024-01-01"))}
        with pytest.raises(TableError, match="malformed JSON"):
            store(
                manager,
                SQL("select day, json('abc' || n) as n from shop.orders"),
                sources=sources,
                partitions=BY_DAY("2024-01-01"),
            )

        assert load(manager).height == 2

    @departs("the SQL of SQLite makes no dates, but text")
    @pytest.mark.parametrize("form", ["eager", "lazy", "stream"])
    def test_a_table_is_published_as_the_block_ends(self, manager, form):
        super().test_a_table_is_published_as_the_block_ends(manager, form)

    @departs("the SQL of SQLite makes no dates, but text")
    @pytest.mark.parametrize("form", ["eager", "lazy", "stream"])
    def test_a_partition_is_published_as_the_block_ends(self, manager, form):
        super().test_a_partition_is_published_as_the_block_ends(manager, form)


class TestFile:
    def test_another_writer_is_waited_for_and_then_reported(self, tmp_path, caplog):
        manager = SQLAlchemyIOManager(url=f"sqlite:///{tmp_path}/w.sqlite", lock_timeout=0.8)
        store(manager, ORDERS)
        connection = sqlite3.connect(f"{tmp_path}/w.sqlite", isolation_level=None)
        connection.execute("begin immediate")
        with pytest.raises(StoreLockedError, match=r"waited 0\.8 s"):
            store(manager, ORDERS)
        connection.close()

        assert "waiting for it up to 0.8 s" in caplog.text
        assert store(manager, ORDERS)["row_count"] == 3

    def test_columns_that_differ_in_case_only_are_refused(self, tmp_path):
        with pytest.raises(ValueError, match="'a' and 'A', which are one to sqlite"):
            store(SQLAlchemyIOManager(url=f"sqlite:///{tmp_path}/w.sqlite"), pl.DataFrame({"a": [1], "A": [2]}))
