"""Tables in MariaDB, as MySQL keeps them."""

from __future__ import annotations

import fcntl
from contextlib import closing

import polars as pl
import pymysql
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

_KEPT = ("information_schema", "mysql", "performance_schema", "sys")


@pytest.fixture
def alone(mariadb, meeting_place):
    """The server for one test at a time, without the databases of others: schemas are databases, whose names the tests share."""
    with open(meeting_place / "mariadb.lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield mariadb
        connect = {"host": mariadb.host, "port": mariadb.port, "user": mariadb.user, "password": mariadb.password}
        with closing(pymysql.connect(**connect)) as connection, closing(connection.cursor()) as cursor:
            cursor.execute("select schema_name from information_schema.schemata")
            for (name,) in cursor.fetchall():
                if name not in _KEPT and not name.startswith("test_"):
                    cursor.execute("drop database `" + name.replace("`", "``") + "`")


@pytest.fixture
def manager(alone, monkeypatch):
    mariadb = alone
    monkeypatch.setenv("WAREHOUSE_URL", mariadb.url)
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
