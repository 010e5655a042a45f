"""Partitions of Iceberg tables, tables that are shown before they are published, and parts that are read."""

from __future__ import annotations

import polars as pl
import pytest

from io_managers.iceberg import IcebergIOManager
from tests.io_managers.iceberg_tables import catalog_of
from warehouse_assets.testing.io_manager import (
    AtomicPartitionContract,
    AtomicStagingContract,
    PartitionContract,
    PartitionSQLContract,
    SchemaPolicyContract,
    SelectionContract,
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
    SelectionContract,
):
    STORE = "Iceberg"

    @pytest.fixture
    def manager(self, tmp_path):
        return IcebergIOManager(warehouse=str(tmp_path / "lake [1]*"))

    def peek(self, manager, key):
        return pl.DataFrame(catalog_of(manager).load_table(tuple(key.path)).scan().to_arrow())
