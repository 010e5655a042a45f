"""`Clock` and `TimeWindow`: the local time of a zone, right across daylight-saving changes and moves over the date line.

Moments are whole seconds since the epoch. Local times are only made from them to be shown: Python compares two local times of
one zone by what the clock shows, so the two 01:30 of an autumn night are the same to it.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import TYPE_CHECKING

from warehouse_assets.errors import InvalidDefinitionError, close_matches

if TYPE_CHECKING:
    from zoneinfo import ZoneInfo

__all__ = ["Clock", "TimeWindow", "clock_of", "seconds_shown", "wall_shown"]

_SECOND = timedelta(seconds=1)
_DAY = 86_400
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_NAIVE_EPOCH = _EPOCH.replace(tzinfo=None)


@dataclass(frozen=True, slots=True, eq=False)
class TimeWindow:
    """The time from `start` on and before `end`, both local times of one zone; equal where they are the same moments."""

    start: datetime
    end: datetime

    @property
    def duration(self) -> timedelta:
        """The time that passes in it, which for a day is 23 or 25 hours where the clock changes."""
        return timedelta(seconds=self.end.timestamp() - self.start.timestamp())

    def __eq__(self, other: object) -> bool:
        return isinstance(other, TimeWindow) and self._moments == other._moments

    def __hash__(self) -> int:
        return hash(self._moments)

    def __contains__(self, moment: datetime) -> bool:
        start, end = self._moments
        return start <= moment.timestamp() < end

    @property
    def _moments(self) -> tuple[float, float]:
        return self.start.timestamp(), self.end.timestamp()


class Clock:
    """The clock of a zone."""

    __slots__ = ("zone",)

    def __init__(self, zone: ZoneInfo) -> None:
        self.zone = zone

    def at(self, moment: int) -> datetime:
        """The local time of a moment."""
        return (_EPOCH + timedelta(seconds=moment)).astimezone(self.zone)

    def offset(self, moment: int) -> int:
        """How far the clock is ahead of UTC, in seconds."""
        return self.at(moment).utcoffset() // _SECOND  # type: ignore[operator]

    def first(self, wall: datetime) -> int:
        """The first moment at which the clock shows `wall` (a datetime without zone), or has passed it.

        >>> new_york = clock_of("America/New_York")
        >>> new_york.at(new_york.first(datetime(2024, 3, 10, 2, 30))).isoformat()  # a time that the clock jumps over
        '2024-03-10T03:00:00-04:00'
        >>> new_york.at(new_york.first(datetime(2024, 11, 3, 1, 30))).isoformat()  # a time that it shows twice
        '2024-11-03T01:30:00-04:00'
        """
        shown = seconds_shown(wall)
        before: int = self.zone.utcoffset(wall.replace(fold=0)) // _SECOND  # type: ignore[operator]
        after: int = self.zone.utcoffset(wall.replace(fold=1)) // _SECOND  # type: ignore[operator]
        return shown - before if before >= after else self.change(shown - after, shown - before)

    def change(self, low: int, high: int) -> int:
        """The moment in (low, high] from which on the offset is the one at `high`; it changes once in between."""
        new = self.offset(high)
        return low + 1 + bisect_left(range(low + 1, high), True, key=lambda moment: self.offset(moment) == new)

    def steady(self, start: int) -> Iterator[tuple[int, int, int]]:
        """Start, end and offset of stretches in which the offset stays, a month at most, from `start` on and without end."""
        while True:
            offset, end = self.offset(start), start
            while end < start + 30 * _DAY and self.offset(end + _DAY) == offset:
                end += _DAY
            if end < start + 30 * _DAY:
                end = self.change(end, end + _DAY)
            yield start, end, offset
            start = end

    def moment(self, time: datetime) -> int:
        """The moment of a datetime, rounded down to the second; without a zone it is what this clock shows."""
        if time.tzinfo is None:
            return self.first(time.replace(microsecond=0))
        return (time - _EPOCH) // _SECOND


def seconds_shown(wall: datetime) -> int:
    """The seconds from the start of 1970 to a time without zone, both as a clock shows them."""
    return (wall - _NAIVE_EPOCH) // _SECOND


def wall_shown(seconds: int) -> datetime:
    """The time without zone that comes so many seconds after the start of 1970."""
    return _NAIVE_EPOCH + timedelta(seconds=seconds)


@lru_cache(maxsize=128)
def clock_of(timezone: str) -> Clock:
    """The clock of the zone of this name, such as "Europe/Berlin"; an unknown one is an InvalidDefinitionError."""
    from zoneinfo import ZoneInfo, ZoneInfoNotFoundError, available_timezones

    try:
        return Clock(ZoneInfo(timezone))
    except (ZoneInfoNotFoundError, ValueError, OSError):
        hint = close_matches(timezone, available_timezones())
        raise InvalidDefinitionError(f"the time zone {timezone!r} is not known", hint=hint) from None
