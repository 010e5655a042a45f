from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pytest

from warehouse_assets import (
    DailyPartitionsDefinition,
    HourlyPartitionsDefinition,
    MonthlyPartitionsDefinition,
    TimeWindowPartitionsDefinition,
    WeeklyPartitionsDefinition,
)


@pytest.mark.semantics(37)
@pytest.mark.parametrize(
    ("partitions", "expected"),
    [
        (
            HourlyPartitionsDefinition("2024-02-29-22:00", "2024-03-01-01:00"),
            ["2024-02-29-22:00", "2024-02-29-23:00", "2024-03-01-00:00"],
        ),
        (HourlyPartitionsDefinition("2024-02-29-22:00", "2024-03-01-00:00", minute_offset=15), ["2024-02-29-22:15"]),
        (DailyPartitionsDefinition("2024-02-28", "2024-03-01"), ["2024-02-28", "2024-02-29"]),
        (DailyPartitionsDefinition("2023-02-28", "2023-03-02"), ["2023-02-28", "2023-03-01"]),
        (DailyPartitionsDefinition("2024-02-28", "2024-03-01", hour_offset=6, minute_offset=30), ["2024-02-28"]),
        (WeeklyPartitionsDefinition("2024-02-01", "2024-02-18"), ["2024-02-04", "2024-02-11"]),
        (WeeklyPartitionsDefinition("2024-02-01", "2024-02-18", day_offset=4), ["2024-02-01", "2024-02-08"]),
        (MonthlyPartitionsDefinition("2023-12-15", "2024-03-01"), ["2024-01-01", "2024-02-01"]),
        (MonthlyPartitionsDefinition("2023-12-15", "2024-03-01", day_offset=15), ["2023-12-15", "2024-01-15"]),
        (MonthlyPartitionsDefinition("2024-01-01", "2024-06-01", day_offset=31), ["2024-01-31", "2024-03-31"]),
    ],
    ids=str,
)
def test_the_keys_of_plain_windows(partitions: TimeWindowPartitionsDefinition, expected: list[str]) -> None:
    assert list(partitions.get_partition_keys()) == expected


@pytest.mark.semantics(37)
def test_an_hour_that_the_clock_shows_twice_is_two_partitions() -> None:
    partitions = HourlyPartitionsDefinition("2024-10-27-01:00", "2024-10-27-04:00", timezone="Europe/Berlin")

    windows = {key: partitions.time_window_for_partition_key(key) for key in partitions.get_partition_keys()}

    assert list(windows) == ["2024-10-27-01:00", "2024-10-27-02:00", "2024-10-27-02:00+0100", "2024-10-27-03:00"]
    assert {window.duration for window in windows.values()} == {timedelta(hours=1)}
    assert windows["2024-10-27-02:00+0100"].start.timestamp() == datetime(2024, 10, 27, 1, tzinfo=UTC).timestamp()


@pytest.mark.semantics(37)
def test_an_hour_that_the_clock_jumps_over_is_none() -> None:
    partitions = HourlyPartitionsDefinition("2024-03-31-01:00", "2024-03-31-04:00", timezone="Europe/Berlin")

    assert partitions.get_partition_keys() == ("2024-03-31-01:00", "2024-03-31-03:00")
    assert not partitions.has_partition_key("2024-03-31-02:00")


@pytest.mark.semantics(37)
def test_days_are_as_long_as_the_clock_makes_them() -> None:
    days = DailyPartitionsDefinition("2024-01-01", "2025-01-01", timezone="America/New_York")

    lengths = {key: days.time_window_for_partition_key(key).duration for key in days.get_partition_keys()}

    assert len(lengths) == 366
    assert {key: length / timedelta(hours=1) for key, length in lengths.items() if length != timedelta(days=1)} == {
        "2024-03-10": 23,
        "2024-11-03": 25,
    }


@pytest.mark.parametrize(
    ("make", "text"),
    [
        (HourlyPartitionsDefinition, "hourly partitions from '2024-01-01-00:00' (UTC)"),
        (DailyPartitionsDefinition, "daily partitions from '2024-01-01' (UTC)"),
        (WeeklyPartitionsDefinition, "weekly partitions from '2024-01-07' (UTC)"),
        (MonthlyPartitionsDefinition, "monthly partitions from '2024-01-01' (UTC)"),
    ],
)
def test_they_say_what_they_are(make: Callable[[str], TimeWindowPartitionsDefinition], text: str) -> None:
    assert str(make("2024-01-01")) == text
