from __future__ import annotations

from datetime import datetime, timedelta
from itertools import pairwise
from zoneinfo import available_timezones

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from warehouse_assets.partitions.clock import clock_of
from warehouse_assets.partitions.cron import ticks_of

DAY = 86_400
PLAIN = [
    "0 * * * *",
    "30 * * * *",
    "*/15 * * * *",
    "0 0 * * *",
    "30 2 * * *",
    "59 23 * * *",
    "15 1 * * 3",
    "0 0 1 * *",
    "45 23 28 * *",
]
CRON = ["0 9 * * 1-5", "0 */6 * * *", "30 1,2 * * *", "0 0 31 * *", "5 4 29 2 *"]

zones = st.sampled_from(sorted(available_timezones()))
plain = st.sampled_from(PLAIN)
moments = st.integers(-2_000_000_000, 3_500_000_000)


@given(plain | st.sampled_from(CRON), zones, moments)
@example("0 * * * *", "Australia/Lord_Howe", 1_712_416_000)
@example("0 * * * *", "Australia/Lord_Howe", 1_712_415_500)
@example("30 1 * * 1-6", "Pacific/Apia", 1_325_240_000)
def test_every_moment_lies_between_two_ticks(schedule: str, zone: str, moment: int) -> None:
    ticks = ticks_of(schedule, zone)

    low, high = ticks.floor(moment), ticks.ceil(moment + 1)

    assert low <= moment < high
    assert (ticks.ceil(low), ticks.floor(high - 1), ticks.ceil(low + 1), ticks.floor(high)) == (low, low, high, high)


@given(plain, zones, moments, st.integers(0, 40 * DAY))
@example("0 0 * * *", "Pacific/Apia", 1_325_000_000, 40 * DAY)
@example("0 5 * * *", "Pacific/Apia", 1_325_000_000, 40 * DAY)
@example("0 0 * * *", "Pacific/Kwajalein", 745_000_000, 40 * DAY)
@example("30 * * * *", "America/St_Johns", 1_194_000_000, 10 * DAY)
@example("0 * * * *", "America/Caracas", 1_197_000_000, 10 * DAY)
@example("59 23 * * *", "Africa/Algiers", -1_690_000_000, 10 * DAY)
def test_ticks_are_counted_as_they_come(schedule: str, zone: str, start: int, length: int) -> None:
    ticks = ticks_of(schedule, zone)

    found = list(ticks.between(start, start + length))

    assert found == sorted(set(found))
    assert [ticks.ceil(before + 1) for before, _ in pairwise(found)] == found[1:]
    assert (ticks.count(start, start + length), ticks.count(start, start)) == (len(found), 0)


@given(plain, zones, moments, st.integers(-30, 30))
def test_a_shift_forth_and_back_leads_home(schedule: str, zone: str, moment: int, by: int) -> None:
    ticks = ticks_of(schedule, zone)
    tick = ticks.ceil(moment)

    assert ticks.shift(ticks.shift(tick, by), -by) == tick
    assert ticks.count(min(tick, ticks.shift(tick, by)), max(tick, ticks.shift(tick, by))) == abs(by)


@pytest.mark.parametrize(
    ("schedule", "zone", "start", "expected"),
    [
        ("30 2 * * *", "America/New_York", "2024-03-09", ["09T02:30-05", "10T03:00-04", "11T02:30-04"]),
        ("30 1 * * *", "America/New_York", "2024-11-02", ["02T01:30-04", "03T01:30-04", "04T01:30-05"]),
        ("0 0 * * *", "America/Sao_Paulo", "2018-11-03", ["03T00:00-03", "04T01:00-02", "05T00:00-02"]),
        ("0 0 * * *", "America/Havana", "2023-11-04", ["04T00:00-04", "05T00:00-04", "06T00:00-05"]),
        ("0 0 * * *", "Pacific/Apia", "2011-12-29", ["29T00:00-10", "31T00:00+14", "01T00:00+14"]),
        ("0 0 29 * *", "UTC", "2024-01-30", ["29T00:00+00", "29T00:00+00", "29T00:00+00"]),
    ],
)
def test_days_begin_where_the_clock_changes(schedule: str, zone: str, start: str, expected: list[str]) -> None:
    clock = clock_of(zone)
    ticks = ticks_of(schedule, zone)

    first = ticks.ceil(clock.moment(datetime.fromisoformat(start)))
    found = [clock.at(ticks.shift(first, by)) for by in range(3)]

    assert [local.strftime("%dT%H:%M%z")[:-2] for local in found] == expected


def test_hours_pass_where_the_clock_changes() -> None:
    def hours(zone: str, date: str) -> int:
        clock = clock_of(zone)
        day = datetime.fromisoformat(date)
        return ticks_of("0 * * * *", zone).count(clock.moment(day), clock.moment(day + timedelta(days=1)))

    assert [hours("Europe/Berlin", "2024-03-31"), hours("Europe/Berlin", "2024-10-27")] == [23, 25]
    assert [hours("America/New_York", "2024-03-10"), hours("America/New_York", "2024-11-03")] == [23, 25]
    assert [hours("Australia/Lord_Howe", "2024-10-06"), hours("Australia/Lord_Howe", "2024-04-07")] == [23, 24]


def test_a_hundred_thousand_hours_are_counted_without_being_named() -> None:
    ticks = ticks_of("0 * * * *", "America/New_York")
    start = ticks.ceil(1_400_000_000)

    assert ticks.count(start, start + 100_000 * 3_600) == 100_000
