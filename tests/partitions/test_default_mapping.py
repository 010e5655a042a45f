from __future__ import annotations

import pytest

from warehouse_assets import (
    AllPartitionMapping,
    DailyPartitionsDefinition,
    DimensionPartitionMapping,
    HourlyPartitionsDefinition,
    IdentityPartitionMapping,
    MultiPartitionMapping,
    MultiPartitionsDefinition,
    MultiToSingleDimensionPartitionMapping,
    PartitionMapping,
    PartitionsDefinition,
    StaticPartitionsDefinition,
    TimeWindowPartitionMapping,
)
from warehouse_assets.partitions.default_mapping import default_partition_mapping

DAYS = DailyPartitionsDefinition("2024-01-01")
HOURS = HourlyPartitionsDefinition("2024-01-01-00:00")
REGIONS = StaticPartitionsDefinition(["us", "eu"])
COUNTRIES = StaticPartitionsDefinition(["de", "us"])
BY_DAY = MultiPartitionsDefinition({"time": DAYS, "region": REGIONS})
BY_HOUR = MultiPartitionsDefinition({"time": HOURS, "country": COUNTRIES})


@pytest.mark.semantics(37)
@pytest.mark.parametrize(
    ("upstream", "downstream", "expected"),
    [
        (None, None, AllPartitionMapping()),
        (DAYS, None, AllPartitionMapping()),
        (None, REGIONS, AllPartitionMapping()),
        (DAYS, DAYS, TimeWindowPartitionMapping()),
        (HOURS, DAYS, TimeWindowPartitionMapping()),
        (REGIONS, REGIONS, IdentityPartitionMapping()),
        (REGIONS, COUNTRIES, IdentityPartitionMapping()),
        (DAYS, REGIONS, IdentityPartitionMapping()),
        (BY_DAY, BY_DAY, IdentityPartitionMapping()),
        (BY_DAY, REGIONS, MultiToSingleDimensionPartitionMapping()),
        (HOURS, BY_DAY, MultiToSingleDimensionPartitionMapping()),
        (BY_HOUR, BY_DAY, MultiPartitionMapping({"time": DimensionPartitionMapping("time", TimeWindowPartitionMapping())})),
    ],
    ids=str,
)
def test_a_mapping_follows_from_the_kinds_of_partitions(
    upstream: PartitionsDefinition | None, downstream: PartitionsDefinition | None, expected: PartitionMapping
) -> None:
    assert default_partition_mapping(upstream, downstream) == expected
