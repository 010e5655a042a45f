from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from warehouse_assets import (
    DailyPartitionsDefinition,
    HourlyPartitionsDefinition,
    MultiPartitionsDefinition,
    PartitionKeyRange,
    StaticPartitionsDefinition,
    TimeWindow,
)
from warehouse_assets.errors import PartitionNotFoundError
from warehouse_assets.partitions.chosen import key_range, only_key, partitioned, time_window

DAYS = DailyPartitionsDefinition("2024-01-01")
HOURS = HourlyPartitionsDefinition("2024-01-01-00:00", timezone="America/New_York")
REGIONS = StaticPartitionsDefinition(["eu", "us"])
BOTH = MultiPartitionsDefinition({"day": DAYS, "region": REGIONS})
WHO = "asset 'orders'"


def utc(day: int, month: int = 1, hour: int = 0) -> datetime:
    return datetime(2024, month, day, hour, tzinfo=UTC)


def test_one_partition() -> None:
    assert (only_key(DAYS, ["2024-01-02"], WHO), key_range(DAYS, ["2024-01-02"], WHO)) == (
        "2024-01-02",
        PartitionKeyRange("2024-01-02", "2024-01-02"),
    )
    assert partitioned(DAYS, WHO) is DAYS


def test_several_partitions() -> None:
    assert key_range(REGIONS, ["us", "eu"], WHO) == PartitionKeyRange("us", "eu")


@pytest.mark.parametrize(
    ("parts", "keys", "start", "end"),
    [
        (DAYS, ["2024-02-28", "2024-02-29", "2024-03-01"], utc(28, 2), utc(2, 3)),
        (DAYS, ["2024-01-03", "2024-01-02"], utc(2), utc(4)),
        (HOURS, ["2024-11-03-01:00", "2024-11-03-01:00-0500"], utc(3, 11, 5), utc(3, 11, 7)),
        (HOURS, ["2024-03-10-01:00", "2024-03-10-03:00"], utc(10, 3, 6), utc(10, 3, 8)),
        (BOTH, ["2024-01-02|eu", "2024-01-02|us", "2024-01-03|eu"], utc(2), utc(4)),
    ],
    ids=["leap_day", "any_order", "autumn", "spring", "multi"],
)
def test_the_window_of_several(parts: Any, keys: list[str], start: datetime, end: datetime) -> None:
    assert time_window(parts, keys, WHO) == TimeWindow(start, end)


@pytest.mark.parametrize(
    ("ask", "parts", "keys", "what"),
    [
        (only_key, None, (), "asset 'orders' is not partitioned"),
        (key_range, None, (), "asset 'orders' is not partitioned"),
        (time_window, None, (), "asset 'orders' is not partitioned"),
        (partitioned, None, None, "asset 'orders' is not partitioned"),
        (only_key, DAYS, (), "asset 'orders' has no partition here, not one"),
        (only_key, DAYS, ("2024-01-01", "2024-01-02"), "asset 'orders' has 2 partitions here, not one"),
        (key_range, DAYS, (), "asset 'orders' has no partition here"),
        (time_window, DAYS, (), "asset 'orders' has no partition here, and so no one window of time"),
        (time_window, DAYS, ("2024-01-01", "2024-01-03"), "2 partitions here that do not follow each other"),
        (time_window, REGIONS, ("eu",), "are not windows of time: it has static partitions"),
        (time_window, MultiPartitionsDefinition({"a": REGIONS, "b": REGIONS}), ("eu|eu",), "are not windows of time"),
    ],
)
def test_a_question_without_an_answer_says_why(ask: Any, parts: Any, keys: Any, what: str) -> None:
    with pytest.raises(PartitionNotFoundError, match=what):
        ask(*((parts, WHO) if keys is None else (parts, keys, WHO)))
