"""Partitions of Delta tables, and tables that are shown before they are published."""

from __future__ import annotations

import datetime as dt
import os

import polars as pl
import pytest
from deltalake import DeltaTable

from io_managers.delta import DeltaLakeIOManager
from warehouse_assets.partitions.periodic import HourlyPartitionsDefinition
from warehouse_assets.partitions.static import StaticPartitionsDefinition
from warehouse_assets.testing.io_manager import (
    KEY,
    AtomicPartitionContract,
    AtomicStagingContract,
    PartitionContract,
    Partitions,
    PartitionSQLContract,
    SchemaPolicyContract,
    StagingContract,
    load,
    store,
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


BY_HOUR = Partitions(HourlyPartitionsDefinition("2024-01-01-00:00"), "at")
HOURS = [f"2024-01-01-{hour:02}:00" for hour in range(4)]


def hour(number, zone):
    moments = pl.Series([dt.datetime.combine(dt.date(2024, 1, 1), dt.time(number, minute)) for minute in (0, 30, 59)])
    at = moments.dt.replace_time_zone("UTC").dt.convert_time_zone(zone) if zone else moments
    return pl.DataFrame({"at": at, "n": number})


@pytest.mark.parametrize("zone", [None, "Asia/Kathmandu"], ids=["no zone", "zone"])
def test_a_partition_is_read_and_replaced_without_the_files_of_others(tmp_path, zone):
    manager = DeltaLakeIOManager(base_path=str(tmp_path))
    seen: list[set[str]] = []
    for number, key in enumerate(HOURS):
        store(manager, hour(number, zone), partitions=BY_HOUR(key))
        seen.append({*DeltaTable(manager.place_of(KEY, {})).file_uris()})
    for uri in seen[3] - (seen[2] - seen[1]):
        os.remove(uri)

    assert load(manager, partitions=BY_HOUR(HOURS[2]))["n"].to_list() == [2, 2, 2]
    store(manager, hour(2, zone).head(1), partitions=BY_HOUR(HOURS[2]))
    assert load(manager, partitions=BY_HOUR(HOURS[2]))["n"].to_list() == [2]


@pytest.mark.parametrize("column", ["name", "number"])
def test_a_partition_whose_rows_share_a_file_with_others_is_replaced_alone(tmp_path, column):
    manager = DeltaLakeIOManager(base_path=str(tmp_path))
    by = Partitions(StaticPartitionsDefinition(["1", "2", "3"]), column)
    frame = pl.DataFrame({"name": ["1", "2", "2", "3"], "number": [1, 2, 2, 3], "n": [10, 20, 21, 30]})
    store(manager, frame, partitions=by("1", "2", "3"))
    recorded = store(manager, frame.filter(n=21), partitions=by("2"))

    assert load(manager)["n"].sort().to_list() == [10, 21, 30]
    assert (recorded["row_count"], recorded["partition_row_count"]) == (3, 1)
