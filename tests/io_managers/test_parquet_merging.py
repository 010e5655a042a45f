from __future__ import annotations

import fsspec
import polars as pl
import pytest

from io_managers.parquet import ParquetIOManager
from warehouse_assets.testing.io_manager import AtomicWriteModeContract, ColumnsContract, SelectionContract, WriteModeContract


def peeked(manager, key):
    """All rows of the files of a table, in any order."""
    own = manager._own(key)
    paths = [own.whole] if own.is_whole() else list(own.partitions())
    frames = []
    for path in paths:
        with manager._files.open(path) as file:
            frames.append(pl.read_parquet(file))
    return pl.concat(frames)


class TestWriteModes(WriteModeContract, AtomicWriteModeContract, SelectionContract, ColumnsContract):
    STORE = "Parquet"

    @pytest.fixture
    def manager(self, tmp_path):
        return ParquetIOManager(base_path=str(tmp_path / "lake [1]*"))

    def peek(self, manager, key):
        return peeked(manager, key)


class TestWriteModesInMemory(WriteModeContract, SelectionContract, ColumnsContract):
    STORE = "Parquet in memory"

    @pytest.fixture
    def manager(self):
        yield ParquetIOManager(base_path="memory://lake")
        fsspec.filesystem("memory").store.clear()

    def peek(self, manager, key):
        return peeked(manager, key)
