"""Tables in files that are no Parquet: Arrow IPC, CSV and JSON by lines."""

from __future__ import annotations

import os
from pathlib import Path

import polars as pl
import pyarrow.csv as csv
import pytest

from io_managers.fsspec import FsspecIOManager
from warehouse_assets.testing.io_manager import (
    AtomicContract,
    AtomicPartitionContract,
    AtomicStagingContract,
    PartitionContract,
    PartitionSQLContract,
    SchemaPolicyContract,
    SQLContract,
    StagingContract,
    TableContract,
)

FORMATS = ["arrow", "csv", "ndjson"]


def visible(manager):
    """The files that any tool shows, by their paths in the store."""
    root = Path(manager.base_path)
    paths = (path.relative_to(root) for path in root.rglob("*") if path.is_file())
    return {path.as_posix() for path in paths if not path.name.startswith(".")}


@pytest.fixture(params=FORMATS)
def manager(request, tmp_path):
    return FsspecIOManager(base_path=str(tmp_path / "files [1]*"), format=request.param)


class TestTables(TableContract, SQLContract, AtomicContract):
    @pytest.fixture
    def manager(self, manager):
        return manager

    def byte_size(self, manager, key):
        return os.path.getsize(Path(manager.base_path, *key.path).with_suffix(f".{manager.format}"))

    def debris(self, manager):
        return visible(manager) - {f"shop/orders.{manager.format}"}


class TestPartitions(
    PartitionContract,
    PartitionSQLContract,
    SchemaPolicyContract,
    AtomicPartitionContract,
    StagingContract,
    AtomicStagingContract,
):
    @pytest.fixture
    def manager(self, manager):
        return manager

    def peek(self, manager, key):
        paths = [Path(manager.base_path, path) for path in sorted(visible(manager))]
        if manager.format == "csv":  # polars does not tell nothing from an empty text
            frames = [pl.DataFrame(csv.read_csv(path)) for path in paths]
        else:
            read = pl.read_ipc if manager.format == "arrow" else pl.read_ndjson
            frames = [read(path.read_bytes()) for path in paths if path.stat().st_size]
        as_day = pl.col("day").cast(pl.String).str.to_date()
        return pl.concat(
            [frame.with_columns(as_day) if "day" in frame.columns else frame for frame in frames], how="diagonal_relaxed"
        )
