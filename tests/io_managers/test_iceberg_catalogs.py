"""Iceberg tables in catalogs of other kinds than a SQLite file in their folder."""

from __future__ import annotations

from contextlib import closing

import polars as pl
import pytest
from polars.testing import assert_frame_equal
from pyiceberg.catalog import load_catalog
from pyiceberg.utils.config import Config

from io_managers.iceberg import IcebergIOManager
from warehouse_assets.table_options import TableOptions
from warehouse_assets.testing.io_manager import ORDERS, ConcurrencyContract, StagingContract, load, store
from warehouse_assets.testing.io_manager.use import input_context


@pytest.fixture
def declare(monkeypatch):
    """Declare a catalog for this process, and for those that it starts, as `.pyiceberg.yaml` would."""

    def declare(name, **properties):
        for prop, value in properties.items():
            monkeypatch.setenv(f"PYICEBERG_CATALOG__{name.upper()}__{prop.upper()}", value)
        monkeypatch.setattr("pyiceberg.catalog._ENV_CONFIG", Config())

    return declare


class TestInPostgreSQL(StagingContract, ConcurrencyContract):
    STORE = "Iceberg in PostgreSQL"

    @pytest.fixture
    def manager(self, postgres, declare, tmp_path):
        declare("shared", uri=postgres.sqlalchemy_url)
        return IcebergIOManager(catalog="shared", warehouse=str(tmp_path / "lake"))

    def peek(self, manager, key):
        with closing(load_catalog("shared")) as catalog:
            return pl.DataFrame(catalog.load_table(tuple(key.path)).scan().to_arrow())


def test_a_catalog_in_memory_keeps_tables_and_their_last_versions(tmp_path):
    manager = IcebergIOManager(catalog="here", warehouse=str(tmp_path), properties={"type": "in-memory"})
    for number in (1, 2, 3):
        store(manager, ORDERS.head(number), **TableOptions(keep_versions=2).in_metadata({}))

    assert_frame_equal(load(manager), ORDERS)
    assert [version.row_count for version in manager.table_versions(input_context())] == [2, 3]


def test_a_catalog_that_is_declared_elsewhere_is_used_with_a_folder_too(declare, tmp_path):
    declare("elsewhere", uri=f"sqlite:///{tmp_path}/declared.db")
    store(IcebergIOManager(catalog="elsewhere", warehouse=str(tmp_path / "lake")), ORDERS)

    assert (tmp_path / "declared.db").exists()
    assert not (tmp_path / "lake" / "catalog.db").exists()
