"""Tables in PostgreSQL."""

from __future__ import annotations

import os

import polars as pl
import psycopg
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
)


@pytest.fixture
def manager(postgres, monkeypatch):
    """One whose URL comes from the environment, so that its repr builds it again in another process."""
    monkeypatch.setenv("WAREHOUSE_URL", postgres.url)
    return SQLAlchemyIOManager(url=EnvVar("WAREHOUSE_URL"), lock_timeout=20)


class TestPostgreSQL(
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
    STORE = "PostgreSQL"

    @pytest.fixture
    def manager(self, manager):
        return manager

    def byte_size(self, manager, key):
        return ask(manager, "select pg_total_relation_size(to_regclass(%s))", manager.table_name(key).quoted)[0][0]

    def debris(self, manager):
        rows = ask(manager, "select relname from pg_class where relnamespace = 'shop'::regnamespace and relname <> 'orders'")
        return {name for (name,) in rows}

    def peek(self, manager, key):
        table = manager.table_name(key).quoted
        [(names,)] = ask(
            manager,
            "select array_agg(attname::text order by attnum) from pg_attribute "
            "where attnum > 0 and not attisdropped and attrelid = to_regclass(%s)",
            table,
        )
        return pl.DataFrame(ask(manager, f"select * from {table}"), schema=names, orient="row", infer_schema_length=None)


def ask(manager, statement, *parameters):
    with psycopg.connect(os.environ["WAREHOUSE_URL"]) as connection:
        return connection.execute(statement, parameters or None).fetchall()
