from __future__ import annotations

from datetime import datetime
from typing import Any

import pytest

from warehouse_assets import ScheduleDefinition
from warehouse_assets.automation.schedules import DueTicks, due_ticks

pytestmark = pytest.mark.semantics(32)

HOUR = 3600


def hourly(missed: Any = "latest") -> ScheduleDefinition:
    return ScheduleDefinition("hourly", cron_schedule="0 * * * *", target="*", missed=missed)


@pytest.mark.parametrize("missed", ["latest", "all", "skip"])
def test_a_tick_is_due_from_its_moment_on_and_once(missed: Any) -> None:
    one = hourly(missed)

    assert due_ticks(one, 10 * HOUR, 11 * HOUR - 1) == DueTicks()
    assert due_ticks(one, 10 * HOUR, 11 * HOUR) == DueTicks((11 * HOUR,))
    assert due_ticks(one, 10 * HOUR, 11 * HOUR + 59.5) == DueTicks((11 * HOUR,))
    assert due_ticks(one, 11 * HOUR, 11 * HOUR + 59.5) == DueTicks()


def test_ticks_that_were_missed_follow_the_policy() -> None:
    since, now = 10 * HOUR, 14 * HOUR + 600

    assert due_ticks(hourly("latest"), since, now) == DueTicks((14 * HOUR,), passed=3)
    assert due_ticks(hourly("all"), since, now) == DueTicks(tuple(hour * HOUR for hour in (11, 12, 13, 14)))
    assert due_ticks(hourly("skip"), since, now) == DueTicks(passed=4, until=14 * HOUR)
    assert due_ticks(hourly("skip"), since, now - 500) == DueTicks((14 * HOUR,), passed=3)


def test_a_year_of_missed_ticks_is_made_up_for_a_hundred_at_a_time() -> None:
    due = due_ticks(hourly("all"), 0, 8760 * HOUR)

    assert due.ticks == tuple(hour * HOUR for hour in range(1, 101))


def test_a_clock_that_is_set_back_makes_nothing_due() -> None:
    assert due_ticks(hourly("all"), 10 * HOUR, 8 * HOUR) == DueTicks()


def test_the_day_is_that_of_the_time_zone() -> None:
    one = ScheduleDefinition("one", cron_schedule="@daily", target="*", execution_timezone="Asia/Tokyo", missed="all")
    since, now = (datetime.fromisoformat(text).timestamp() for text in ("2024-01-01T00:00Z", "2024-01-02T00:00Z"))

    assert [one.local_time(tick).isoformat() for tick in due_ticks(one, since, now).ticks] == ["2024-01-02T00:00:00+09:00"]
