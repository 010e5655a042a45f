"""Tables in MariaDB, as MySQL keeps them."""

from __future__ import annotations

from contextlib import closing

import polars as pl
import pytest

from io_managers.sqlalchemy import SQLAlchemyIOManager
from warehouse_assets.resources import EnvVar
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
    load,
)


@pytest.fixture
def manager(mariadb_alone, monkeypatch):
    monkeypatch.setenv("WAREHOUSE_URL", mariadb_alone.url)
    return SQLAlchemyIOManager(url=EnvVar("WAREHOUSE_URL"), lock_timeout=20)


class TestMariaDB(
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
    STORE = "MariaDB"

    @pytest.fixture
    def manager(self, manager):
        return manager

    def byte_size(self, manager, key):
        name = manager.table_name(key)
        return ask(
            manager,
            "select data_length + index_length from information_schema.tables where table_schema = %s and table_name = %s",
            (name.schema, name.table),
        )[0][0]

    def debris(self, manager):
        rows = ask(manager, "select table_name from information_schema.tables where table_schema = 'shop'")
        return {name for (name,) in rows} - {"orders"}

    def peek(self, manager, key):
        return load(manager, pl.DataFrame, key)


def ask(manager, statement, parameters=None):
    with closing(manager._dialect.engine.raw_connection()) as connection, closing(connection.cursor()) as cursor:
        cursor.execute(statement, parameters)
        return cursor.fetchall()
