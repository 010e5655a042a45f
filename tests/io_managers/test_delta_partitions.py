"""Partitions of Delta tables, and tables that are shown before they are published."""

from __future__ import annotations

import polars as pl
import pytest
from deltalake import DeltaTable

from io_managers.delta import DeltaLakeIOManager
from warehouse_assets.testing.io_manager import (
    AtomicPartitionContract,
    AtomicStagingContract,
    PartitionContract,
    PartitionSQLContract,
    SchemaPolicyContract,
    StagingContract,
)

pytestmark = pytest.mark.semantics(40, 41, 44)


class TestPartitions(
    PartitionContract,
    PartitionSQLContract,
    SchemaPolicyContract,
    AtomicPartitionContract,
    StagingContract,
    AtomicStagingContract,
):
    STORE = "Delta Lake"

    @pytest.fixture
    def manager(self, tmp_path):
        return DeltaLakeIOManager(base_path=str(tmp_path / "lake [1]*"))

    def peek(self, manager, key):
        return pl.DataFrame(DeltaTable(manager.place_of(key, {})).scan().read_all())
