"""Tests for warehouse_assets.sql.partitions."""

from __future__ import annotations

from datetime import UTC, date, datetime
from typing import Any

import pytest

from warehouse_assets import DailyPartitionsDefinition, HourlyPartitionsDefinition, sql_asset
from warehouse_assets.errors import InvalidDefinitionError
from warehouse_assets.io_manager import OutputContext
from warehouse_assets.keys import AssetKey
from warehouse_assets.partitions.definition import PartitionsDefinition
from warehouse_assets.sql import SQL
from warehouse_assets.sql.partitions import partition_parameters, with_partition

BERLIN = DailyPartitionsDefinition("2024-03-30", timezone="Europe/Berlin")
HOURS = HourlyPartitionsDefinition("2024-03-30-00:00", timezone="Europe/Berlin")


def context(definition: PartitionsDefinition, *keys: str) -> OutputContext:
    return OutputContext(AssetKey("orders"), partitions_def=definition, partition_keys=keys)


@pytest.mark.parametrize(
    ("definition", "keys", "start", "end"),
    [
        (BERLIN, ("2024-03-31",), date(2024, 3, 31), date(2024, 4, 1)),
        (BERLIN, ("2024-03-30", "2024-03-31"), date(2024, 3, 30), date(2024, 4, 1)),
        (HOURS, ("2024-03-31-01:00",), datetime(2024, 3, 31, 1), datetime(2024, 3, 31, 3)),  # noqa: DTZ001
        (HOURS, ("2024-04-01-00:00",), datetime(2024, 4, 1), datetime(2024, 4, 1, 1)),  # noqa: DTZ001
    ],
    ids=["day", "days", "hour that is left out after", "midnight"],
)
def test_bounds_are_what_the_clock_shows(definition: PartitionsDefinition, keys: tuple[str, ...], start: Any, end: Any) -> None:
    sql = with_partition(SQL("select $partition_start, $partition_end"), context(definition, *keys))

    assert sql.bindings == {"partition_start": start, "partition_end": end}
    assert sql.template == "select {partition_start}, {partition_end}"


def test_bounds_are_moments_where_they_are_asked_for() -> None:
    sql = with_partition(SQL("select $partition_start_utc, $partition_end_utc"), context(BERLIN, "2024-03-31"))

    assert sql.bindings == {
        "partition_start_utc": datetime(2024, 3, 30, 23, tzinfo=UTC),
        "partition_end_utc": datetime(2024, 3, 31, 22, tzinfo=UTC),
    }


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("select '$partition_key', \"$partition_key\" -- $partition_key\n/* $partition_key */", ()),
        ("select $partition_key, x$partition_start", ("partition_key",)),
        ("select $partitions, $partition", ()),
    ],
    ids=["text", "names", "others"],
)
def test_only_parameters_are_taken_for_such(text: str, names: tuple[str, ...]) -> None:
    assert partition_parameters(SQL(text)) == names


def test_an_asset_without_partitions_cannot_be_declared_with_their_bounds() -> None:
    with pytest.raises(
        InvalidDefinitionError, match=r"uses \$partition_start, and the asset has no partitions .*test_partitions"
    ):
        sql_asset("orders", "select $partition_start as day")
