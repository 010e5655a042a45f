"""Tables in SQLite."""

from __future__ import annotations

import sqlite3

import polars as pl
import pytest

from io_managers.sqlalchemy import SQLAlchemyIOManager
from io_managers.sqlalchemy_sqlite import NOTES
from warehouse_assets.testing.io_manager import (
    AtomicContract,
    AtomicPartitionContract,
    AtomicStagingContract,
    ConcurrencyContract,
    PartitionContract,
    PartitionSQLContract,
    SchemaPolicyContract,
    SQLContract,
    StagingContract,
    TableContract,
)


class TestSQLite(
    TableContract,
    SQLContract,
    AtomicContract,
    PartitionContract,
    PartitionSQLContract,
    SchemaPolicyContract,
    AtomicPartitionContract,
    StagingContract,
    AtomicStagingContract,
    ConcurrencyContract,
):
    STORE = "SQLite"

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
        from warehouse_assets.testing.io_manager import load

        return load(manager, pl.DataFrame, key)
