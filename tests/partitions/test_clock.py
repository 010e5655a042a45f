from __future__ import annotations

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo, available_timezones

import pytest
from hypothesis import given
from hypothesis import strategies as st

from warehouse_assets import TimeWindow
from warehouse_assets.errors import InvalidDefinitionError
from warehouse_assets.partitions.clock import clock_of

zones = st.sampled_from(sorted(available_timezones()))
walls = st.datetimes(datetime.fromisoformat("1902-01-01"), datetime.fromisoformat("2090-01-01")).map(
    lambda wall: wall.replace(second=0, microsecond=0)
)


@given(zones, walls)
def test_a_time_comes_first_when_the_clock_shows_it_or_has_jumped_over_it(zone: str, wall: datetime) -> None:
    clock = clock_of(zone)

    moment = clock.first(wall)

    assert clock.at(moment).replace(tzinfo=None) >= wall
    assert clock.at(moment - 1).replace(tzinfo=None) < wall


@given(zones, walls, st.integers(0, 172_800))
def test_a_later_time_never_comes_earlier(zone: str, wall: datetime, seconds: int) -> None:
    clock = clock_of(zone)

    assert clock.first(wall) <= clock.first(wall + timedelta(seconds=seconds))


def test_a_moment_is_read_from_times_with_and_without_a_zone() -> None:
    berlin = clock_of("Europe/Berlin")

    moments = {
        berlin.moment(datetime.fromisoformat("2024-07-01T12:00")),
        berlin.moment(datetime(2024, 7, 1, 10, tzinfo=UTC)),
        berlin.moment(datetime(2024, 7, 1, 19, tzinfo=ZoneInfo("Asia/Tokyo"))),
    }

    assert {berlin.at(moment).isoformat() for moment in moments} == {"2024-07-01T12:00:00+02:00"}


@pytest.mark.parametrize(
    ("zone", "hint"), [("Europe/Berln", "Did you mean 'Europe/Berlin'"), ("Atlantis", ""), ("../etc", ""), ("Europe", "")]
)
def test_an_unknown_zone_is_refused_with_close_ones(zone: str, hint: str) -> None:
    with pytest.raises(InvalidDefinitionError, match=f"the time zone '{zone}' is not known") as caught:
        clock_of(zone)

    assert (caught.value.hint or "").startswith(hint)


def test_a_window_lasts_as_long_as_time_passes() -> None:
    zone = ZoneInfo("America/New_York")

    days = [
        TimeWindow(datetime(2024, 3, 10, tzinfo=zone), datetime(2024, 3, 11, tzinfo=zone)),
        TimeWindow(datetime(2024, 11, 3, tzinfo=zone), datetime(2024, 11, 4, tzinfo=zone)),
    ]

    assert [window.duration / timedelta(hours=1) for window in days] == [23, 25]


def test_windows_that_a_clock_shows_twice_differ() -> None:
    first, second, other = (datetime(2024, 11, 3, 1, m, tzinfo=ZoneInfo("America/New_York")) for m in (0, 0, 30))
    once = TimeWindow(first, other)
    again = TimeWindow(second.replace(fold=1), other.replace(fold=1))

    assert (once == again, once == TimeWindow(first.astimezone(UTC), other.astimezone(UTC))) == (False, True)
    assert (len({once, again}), first in once, first in again, other in once) == (2, True, False, False)
