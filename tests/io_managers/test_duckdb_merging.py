from __future__ import annotations

import duckdb
import pytest

from io_managers.duckdb import DuckDBIOManager
from warehouse_assets.testing.io_manager import AtomicWriteModeContract, ColumnsContract, SelectionContract, WriteModeContract


class TestWriteModes(WriteModeContract, AtomicWriteModeContract, SelectionContract, ColumnsContract):
    STORE = "DuckDB"

    @pytest.fixture
    def manager(self, tmp_path):
        return DuckDBIOManager(database=str(tmp_path / "w.duckdb"))

    def peek(self, manager, key):
        with duckdb.connect(manager.database) as connection:
            return connection.sql(f"from {manager.table_name(key).quoted}").pl()


class TestWriteModesInMemory(WriteModeContract, SelectionContract, ColumnsContract):
    STORE = "DuckDB in memory"

    @pytest.fixture
    def manager(self):
        return DuckDBIOManager()

    def peek(self, manager, key):
        with manager._memory._root.cursor() as connection:
            return connection.sql(f"from {manager.table_name(key).quoted}").pl()
