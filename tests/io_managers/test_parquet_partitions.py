"""Partitions as folders of Parquet files, and tables that are shown before they are published."""

from __future__ import annotations

from pathlib import Path

import fsspec
import polars as pl
import pytest

from io_managers.parquet import ParquetIOManager
from warehouse_assets.testing.io_manager import (
    AtomicPartitionContract,
    AtomicStagingContract,
    PartitionContract,
    PartitionSQLContract,
    SchemaPolicyContract,
    StagingContract,
)

MON, TUE = "2024-01-01", "2024-01-02"

pytestmark = pytest.mark.semantics(40, 41, 44)


def joined(frames):
    return pl.concat(frames, how="diagonal_relaxed")


class TestPartitions(
    PartitionContract,
    PartitionSQLContract,
    SchemaPolicyContract,
    AtomicPartitionContract,
    StagingContract,
    AtomicStagingContract,
):
    @pytest.fixture
    def manager(self, tmp_path):
        return ParquetIOManager(base_path=str(tmp_path / "lake [1]*"))

    def peek(self, manager, key):
        return joined(pl.read_parquet(path.read_bytes()) for path in sorted(Path(manager.base_path).rglob("*.parquet")))


class TestPartitionsInMemory(PartitionContract, PartitionSQLContract, SchemaPolicyContract, StagingContract):
    @pytest.fixture
    def manager(self):
        yield ParquetIOManager(base_path="memory://lake")
        fsspec.filesystem("memory").store.clear()

    def peek(self, manager, key):
        files = fsspec.filesystem("memory")
        return joined(pl.read_parquet(files.cat(path)) for path in files.find("/lake"))
