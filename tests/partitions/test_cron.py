from __future__ import annotations

import subprocess
import sys
from typing import Any
from zoneinfo import available_timezones

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from warehouse_assets import ScheduleType, TimeWindowPartitionsDefinition
from warehouse_assets.errors import InvalidDefinitionError
from warehouse_assets.partitions.clock import clock_of
from warehouse_assets.partitions.cron import CronTicks, cron_schedule_of, ticks_of
from warehouse_assets.partitions.ticks import DayTicks, HourTicks, MonthTicks

ZONES = [
    "UTC",
    "Europe/Berlin",
    "America/New_York",
    "America/Sao_Paulo",
    "Asia/Kathmandu",
    "Australia/Sydney",
    "America/Havana",
]


@pytest.mark.parametrize(
    ("schedule", "kind"),
    [
        ("15 * * * *", HourTicks),
        ("*/15 * * * *", HourTicks),
        ("* * * * *", HourTicks),
        ("@hourly", HourTicks),
        ("0 0 * * *", DayTicks),
        ("@daily", DayTicks),
        ("0 0 * * 7", DayTicks),
        ("@weekly", DayTicks),
        ("0 0 28 * *", MonthTicks),
        ("@monthly", MonthTicks),
        ("0 0 29 * *", CronTicks),
        ("*/7 * * * *", CronTicks),
        ("0 0 * * MON", CronTicks),
        ("@yearly", CronTicks),
    ],
)
def test_plain_schedules_go_by_arithmetic(schedule: str, kind: type) -> None:
    assert type(ticks_of(schedule, "UTC")) is kind


@example("0 * * * *", "Australia/Lord_Howe", 1_712_300_000)
@example("0 0 * * *", "Pacific/Apia", 1_324_000_000)
@given(
    st.sampled_from(["0 * * * *", "*/30 * * * *", "0 0 * * *", "30 2 * * *", "45 1 * * *", "0 3 * * 0", "0 0 28 * *"]),
    st.sampled_from(sorted(available_timezones())),
    st.integers(-2_000_000_000, 3_000_000_000),
)
def test_arithmetic_agrees_with_cron(schedule: str, zone: str, start: int) -> None:
    stop = start + 300 * 86_400
    fields = schedule.split()
    if fields[1] == "*":
        stop = start + 5 * 86_400

    plain = list(ticks_of(schedule, zone).between(start, stop))

    assert plain == list(CronTicks(clock_of(zone), schedule).between(start, stop))


@pytest.mark.parametrize(
    "schedule", ["", "0 0 * *", "0 0 * * * *", "60 * * * *", "0 24 * * *", "0 0 30 2 *", "0 0 * * 8", "never", "0 0 1 * 1 2 3"]
)
def test_a_faulty_schedule_is_refused(schedule: str) -> None:
    with pytest.raises(InvalidDefinitionError, match="cannot be used"):
        ticks_of(schedule, "UTC")


@pytest.mark.parametrize(
    ("given_type", "offsets", "expected"),
    [
        (ScheduleType.HOURLY, {"minute_offset": 15}, "15 * * * *"),
        (ScheduleType.HOURLY, {"hour_offset": 0}, "0 * * * *"),
        (ScheduleType.DAILY, {"minute_offset": 15, "hour_offset": 2}, "15 2 * * *"),
        (ScheduleType.WEEKLY, {"day_offset": 3}, "0 0 * * 3"),
        (ScheduleType.MONTHLY, {"day_offset": 31, "hour_offset": None}, "0 0 31 * *"),
        (ScheduleType.MONTHLY, {}, "0 0 1 * *"),
    ],
)
def test_a_type_with_offsets_is_a_schedule(given_type: ScheduleType, offsets: dict[str, int | None], expected: str) -> None:
    assert cron_schedule_of(None, given_type, offsets) == expected


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((None, None, {}), "either a cron_schedule, or a schedule_type"),
        (("0 0 * * *", ScheduleType.DAILY, {}), "either a cron_schedule, or a schedule_type"),
        (("0 0 * * *", None, {"hour_offset": 1}), "either a cron_schedule, or a schedule_type"),
        ((None, ScheduleType.HOURLY, {"hour_offset": 1}), "hour_offset is 1 for hourly partitions. It may be from 0 to 0."),
        (
            (None, ScheduleType.DAILY, {"minute_offset": 60}),
            "minute_offset is 60 for daily partitions. It may be from 0 to 59.",
        ),
        ((None, ScheduleType.WEEKLY, {"day_offset": 7}), "day_offset is 7 for weekly partitions. It may be from 0 to 6."),
        ((None, ScheduleType.MONTHLY, {"day_offset": 0}), "day_offset is 0 for monthly partitions. It may be from 1 to 31."),
    ],
)
def test_what_is_no_schedule_is_refused(arguments: Any, message: str) -> None:
    with pytest.raises(InvalidDefinitionError, match=message):
        cron_schedule_of(*arguments)


def test_only_unusual_schedules_import_cronsim() -> None:
    program = """
import sys
from warehouse_assets import DailyPartitionsDefinition, HourlyPartitionsDefinition, TimeWindowPartitionsDefinition
DailyPartitionsDefinition("2024-01-01").get_num_partitions(), HourlyPartitionsDefinition("2024-01-01").get_last_partition_key()
print("cronsim" in sys.modules)
TimeWindowPartitionsDefinition("2024-01-01", "%Y-%m-%d", cron_schedule="0 0 * * 1-5")
print("cronsim" in sys.modules)
"""

    done = subprocess.run([sys.executable, "-c", program], check=True, capture_output=True, text=True)

    assert done.stdout.split() == ["False", "True"]


def test_assets_without_partitions_do_not_import_them() -> None:
    program = "import sys; from warehouse_assets import asset, Definitions, materialize; print('warehouse_assets.partitions' in sys.modules)"

    done = subprocess.run([sys.executable, "-c", program], check=True, capture_output=True, text=True)

    assert done.stdout.strip() == "False"


def test_an_alias_is_kept_as_its_fields() -> None:
    assert TimeWindowPartitionsDefinition("2024-01-01", "%Y-%m-%d", cron_schedule=" @daily ").cron_schedule == "0 0 * * *"
