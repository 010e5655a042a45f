from __future__ import annotations

import pyarrow as pa
import pytest
from deltalake import DeltaTable

from io_managers.delta import DeltaLakeIOManager
from warehouse_assets.testing.io_manager import AtomicContract, ConcurrencyContract, SQLContract, TableContract


class TestDeltaLakeIOManager(TableContract, SQLContract, AtomicContract, ConcurrencyContract):
    STORE = "Delta Lake"

    @pytest.fixture
    def manager(self, tmp_path):
        return DeltaLakeIOManager(base_path=str(tmp_path / "lake [1]*"))

    def byte_size(self, manager, key):
        return sum(pa.table(DeltaTable(manager.place_of(key, {})).get_add_actions())["size_bytes"].to_pylist())

    def debris(self, manager):
        return set()
