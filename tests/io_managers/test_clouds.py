"""Files in the three clouds, on real servers: what object stores do otherwise than a disk, and what they must not."""

from __future__ import annotations

from typing import Any

import polars as pl
import pytest

from io_managers.fsspec import FsspecIOManager
from io_managers.parquet import ParquetIOManager
from warehouse_assets.testing.io_manager import (
    FrameContract,
    PartitionContract,
    PartitionSQLContract,
    SchemaPolicyContract,
    SQLContract,
    StagingContract,
    TableContract,
    load,
)

# adlfs and gcsfs hand large parts to aiohttp as bytes, which warns of a moment in which it does nothing else.
pytestmark = pytest.mark.filterwarnings("ignore:Sending a large body directly:ResourceWarning")

MON, TUE, WED = "2024-01-01", "2024-01-02", "2024-01-03"


@pytest.fixture(params=["swift", "azurite", "gcs"])
def cloud(request: pytest.FixtureRequest) -> Any:
    """An empty bucket: in Swift by its S3 interface, in Azurite, and in an emulator of Google's storage."""
    return request.getfixturevalue(request.param)


def parquet(cloud: Any) -> ParquetIOManager:
    return ParquetIOManager(base_path=f"{cloud.uri}/tables", storage_options=cloud.options)


def found(manager: Any) -> dict[str, int]:
    """All files under the manager's place, with their sizes, without their hidden companions."""
    files = manager._files if hasattr(manager, "_files") else manager._keeper._files
    files.fs.invalidate_cache()
    root = files.root.strip("/") + "/"
    infos = files.fs.find(files.root, detail=True)
    return {
        path.removeprefix(root): info["size"] for path, info in infos.items() if not path.rpartition("/")[2].startswith(".")
    }


class Parquet:
    """What does not depend on the cloud is tried in one of them."""

    STORE = "Parquet in the clouds"

    def peek(self, manager, key):
        files = manager._files.fs
        files.invalidate_cache()
        return pl.concat([pl.read_parquet(files.cat(path)) for path in files.find(manager._files.root)], how="diagonal_relaxed")


class TestSQL(Parquet, SQLContract):
    @pytest.fixture
    def manager(self, azurite):
        return parquet(azurite)


class TestPartitionSQL(Parquet, PartitionSQLContract):
    @pytest.fixture
    def manager(self, gcs):
        return parquet(gcs)


class TestStaging(Parquet, StagingContract):
    @pytest.fixture
    def manager(self, swift):
        return parquet(swift)


@pytest.fixture(params=["parquet", "csv"])
def manager(request, cloud):
    if request.param == "parquet":
        return parquet(cloud)
    return FsspecIOManager(base_path=f"{cloud.uri}/files", storage_options=cloud.options, format=request.param)


class TestTables:
    """Promises that a store elsewhere may break, for each format."""

    test_threads = FrameContract.test_many_threads_replace_one_table
    test_many_tables = FrameContract.test_many_threads_write_and_read_at_once
    test_keys = FrameContract.test_keys_do_not_share_a_place
    test_missing = FrameContract.test_what_is_missing_is_named_with_what_should_have_made_it
    test_columns = FrameContract.test_only_the_columns_asked_for_are_loaded
    BATCH = TableContract.BATCH
    test_memory = TableContract.test_a_stream_is_read_a_batch_at_a_time
    test_partitions = PartitionContract.test_many_partitions_are_read_as_one_table
    test_hostile_partitions = PartitionContract.test_partitions_may_be_called_anything
    test_whole_after_partitions = PartitionContract.test_a_whole_write_replaces_all_partitions
    test_append = SchemaPolicyContract.test_append_adds_columns_and_fills_missing_ones
    test_sync = SchemaPolicyContract.test_sync_gives_the_table_the_columns_of_the_frame

    def peeked(self, manager):
        return sorted(load(manager)["n"])
