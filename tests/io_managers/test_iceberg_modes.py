"""Write modes and versions of Iceberg tables: each write is one snapshot, and earlier ones stay readable."""

from __future__ import annotations

import polars as pl
import pytest

from io_managers.iceberg import IcebergIOManager
from tests.io_managers.iceberg_tables import catalog_of
from warehouse_assets.testing.io_manager import AtomicWriteModeContract, ColumnsContract, WriteModeContract


class TestWriteModes(WriteModeContract, AtomicWriteModeContract, ColumnsContract):
    STORE = "Iceberg"

    @pytest.fixture
    def manager(self, tmp_path):
        return IcebergIOManager(warehouse=str(tmp_path / "lake"))

    def peek(self, manager, key):
        return pl.DataFrame(catalog_of(manager).load_table(tuple(key.path)).scan().to_arrow())
