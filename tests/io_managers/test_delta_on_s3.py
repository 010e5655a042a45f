"""Delta tables in a real object store, which has no compare-and-swap."""

from __future__ import annotations

import polars as pl
import pyarrow as pa
import pytest
from deltalake import DeltaTable

from io_managers.delta import DeltaLakeIOManager
from warehouse_assets.testing.io_manager import (
    SQLContract,
    StagingContract,
    TableContract,
)


class TestOnS3(TableContract, SQLContract, StagingContract):
    STORE = "Delta Lake on S3"

    @pytest.fixture
    def manager(self, swift):
        return DeltaLakeIOManager(base_path=f"{swift.uri}/lake", storage_options=swift.storage_options)

    def byte_size(self, manager, key):
        return sum(pa.table(self.table(manager, key).get_add_actions())["size_bytes"].to_pylist())

    def peek(self, manager, key):
        return pl.DataFrame(self.table(manager, key).scan().read_all())

    def table(self, manager, key):
        return DeltaTable(manager.place_of(key, {}), storage_options=dict(manager.storage_options))
