"""Cron schedules and their ticks: plain minutes, hours, days, weeks and months by arithmetic, anything else through the package cronsim."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from enum import Enum
from functools import lru_cache
from itertools import takewhile

from warehouse_assets.errors import InvalidDefinitionError
from warehouse_assets.partitions.clock import Clock, clock_of, seconds_shown, wall_shown
from warehouse_assets.partitions.ticks import DayTicks, HourTicks, MonthTicks, Ticks

__all__ = ["CronTicks", "ScheduleType", "cron_schedule_of", "ticks_of"]

_HOUR = 3_600
_FAR = 2**62
_ALIASES = {
    "@hourly": "0 * * * *",
    "@daily": "0 0 * * *",
    "@midnight": "0 0 * * *",
    "@weekly": "0 0 * * 0",
    "@monthly": "0 0 1 * *",
    "@yearly": "0 0 1 1 *",
    "@annually": "0 0 1 1 *",
}
_EVERY = {"*": 1, **{f"*/{minutes}": minutes for minutes in range(1, 31) if 60 % minutes == 0}}
_PLAIN = (range(60), range(24), range(1, 29), range(0), range(8))


class ScheduleType(Enum):
    """How often a plain schedule fires; the value is its cron schedule, without offsets."""

    HOURLY = "0 * * * *"
    DAILY = "0 0 * * *"
    WEEKLY = "0 0 * * 0"
    MONTHLY = "0 0 1 * *"


_OFFSETS: dict[ScheduleType, dict[str, tuple[int, range]]] = {  # the field that each sets, and what it may be
    ScheduleType.HOURLY: {"minute_offset": (0, range(60))},
    ScheduleType.DAILY: {"minute_offset": (0, range(60)), "hour_offset": (1, range(24))},
    ScheduleType.WEEKLY: {"minute_offset": (0, range(60)), "hour_offset": (1, range(24)), "day_offset": (4, range(7))},
    ScheduleType.MONTHLY: {"minute_offset": (0, range(60)), "hour_offset": (1, range(24)), "day_offset": (2, range(1, 32))},
}


def cron_schedule_of(cron_schedule: str | None, schedule_type: ScheduleType | None, offsets: Mapping[str, int | None]) -> str:
    """The cron schedule of five fields that is meant by one, or by a type of schedule with offsets; never by both.

    >>> cron_schedule_of(None, ScheduleType.WEEKLY, {"day_offset": 1, "hour_offset": 6})
    '0 6 * * 1'
    """
    given = {name: offset for name, offset in offsets.items() if offset is not None}
    if (cron_schedule is None) == (schedule_type is None) or (cron_schedule is not None and given):
        raise InvalidDefinitionError("time-window partitions need either a cron_schedule, or a schedule_type with offsets")
    if schedule_type is None:
        return " ".join(_ALIASES.get(str(cron_schedule).strip(), str(cron_schedule)).split())
    fields = schedule_type.value.split()
    for name, offset in given.items():
        place, allowed = _OFFSETS[schedule_type].get(name, (None, range(1)))
        if offset not in allowed:
            hint = f"It may be from {allowed[0]} to {allowed[-1]}."
            raise InvalidDefinitionError(f"{name} is {offset} for {schedule_type.name.lower()} partitions", hint=hint)
        if place is not None:
            fields[place] = str(offset)
    return " ".join(fields)


@lru_cache(maxsize=256)
def ticks_of(cron_schedule: str, timezone: str) -> Ticks:
    """The ticks of a cron schedule of five fields, by the clock of a zone; a faulty one is an InvalidDefinitionError.

    >>> ticks_of("30 4 * * 1", "Europe/Berlin").clock.zone.key
    'Europe/Berlin'
    """
    clock = clock_of(timezone)
    fields = cron_schedule_of(cron_schedule, None, {}).split()
    numbers = [
        int(text) if text.isdecimal() and int(text) in plain else text for text, plain in zip(fields, _PLAIN, strict=False)
    ]
    match [*numbers, *fields[len(_PLAIN) :]]:
        case [int(minute), "*", "*", "*", "*"]:
            return HourTicks(clock, minute)
        case [str(step), "*", "*", "*", "*"] if step in _EVERY:
            return HourTicks(clock, every=_EVERY[step])
        case [int(minute), int(hour), "*", "*", "*"]:
            return DayTicks(clock, hour, minute)
        case [int(minute), int(hour), "*", "*", int(weekday)]:
            return DayTicks(clock, hour, minute, every=7, phase=weekday % 7)
        case [int(minute), int(hour), int(day), "*", "*"]:
            return MonthTicks(clock, hour, minute, day)
    return CronTicks(clock, " ".join(fields))


class CronTicks(Ticks):
    """Whenever a cron schedule fires.

    One whose minute or hour begins with "*" fires each time that the clock shows what it says; any other once for each time that
    it says, as soon as the clock shows it or has jumped over it.
    """

    def __init__(self, clock: Clock, cron_schedule: str) -> None:
        from cronsim import CronSimError

        self.clock = clock
        self._cron_schedule = cron_schedule
        fields = cron_schedule.split()
        self._repeats = any(field.startswith("*") for field in fields[:2])
        try:
            if len(fields) != 5:
                raise CronSimError(f"it has {len(fields)} fields, not 5")
            next(self._walls(0))
        except (CronSimError, StopIteration) as error:
            reason = str(error) or "it never fires"
            raise InvalidDefinitionError(f"the cron schedule {cron_schedule!r} cannot be used: {reason}") from None

    def floor(self, moment: int) -> int:
        span = _HOUR
        while (first := self.ceil(moment - span)) > moment:
            span *= 2
        *_, last = self.between(first, moment + 1)
        return last

    def ceil(self, moment: int) -> int:
        return next(self.between(moment, _FAR))

    def between(self, start: int, stop: int) -> Iterator[int]:
        return takewhile(lambda tick: tick < stop, self._each_time(start) if self._repeats else self._once(start))

    def _each_time(self, start: int) -> Iterator[int]:
        for low, high, offset in self.clock.steady(start):
            for shown in self._walls(low + offset):
                if shown - offset >= high:
                    break
                yield shown - offset

    def _once(self, start: int) -> Iterator[int]:
        last = start - 1
        for shown in self._walls(last + self.clock.offset(last)):
            tick = self.clock.first(wall_shown(shown))
            if tick > last:  # two times that the clock jumps over come at once
                yield tick
                last = tick

    def _walls(self, start: int) -> Iterator[int]:
        """The times that it says, as seconds that a clock shows, from a time on."""
        from cronsim import CronSim

        return map(seconds_shown, CronSim(self._cron_schedule, wall_shown(start - 1)))
