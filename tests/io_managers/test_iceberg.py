from __future__ import annotations

import pytest

from io_managers.iceberg import IcebergIOManager
from tests.io_managers.iceberg_tables import catalog_of
from warehouse_assets.testing.io_manager import AtomicContract, ConcurrencyContract, SQLContract, TableContract


class TestIcebergIOManager(TableContract, SQLContract, AtomicContract, ConcurrencyContract):
    STORE = "Iceberg"

    @pytest.fixture
    def manager(self, tmp_path):
        return IcebergIOManager(warehouse=str(tmp_path / "lake [1]*"))

    def byte_size(self, manager, key):
        table = catalog_of(manager).load_table(tuple(key.path))
        return sum(table.inspect.files()["file_size_in_bytes"].to_pylist())

    def debris(self, manager):
        return set()
