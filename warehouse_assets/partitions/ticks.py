"""`Ticks`: the moments at which time-window partitions begin, each window ending where the next begins.

A tick at a local time that the clock jumps over comes when it has jumped; at one that it shows twice, the first time. Ticks of
every hour come in each hour that passes, so there are 23 or 25 on the days of a change.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator
from datetime import date, datetime, time
from itertools import chain, count

from warehouse_assets.partitions.clock import Clock

__all__ = ["DayTicks", "HourTicks", "MonthTicks", "Ticks"]

_MINUTE = 60
_DAY = 86_400
_STRIDE = 28


class Ticks(ABC):
    """Ascending moments (seconds since the epoch) without a first or last, by the clock of a zone."""

    clock: Clock

    @abstractmethod
    def floor(self, moment: int) -> int:
        """The last tick at or before a moment."""

    @abstractmethod
    def ceil(self, moment: int) -> int:
        """The first tick at or after a moment."""

    @abstractmethod
    def between(self, start: int, stop: int) -> Iterator[int]:
        """The ticks from `start` on and before `stop`."""

    def count(self, start: int, stop: int) -> int:
        """How many ticks there are from `start` on and before `stop`."""
        return sum(1 for _ in self.between(start, stop))

    def shift(self, tick: int, by: int) -> int:
        """The tick that comes `by` ticks after this one; before it where `by` is negative."""
        for _ in range(by):
            tick = self.ceil(tick + 1)
        for _ in range(-by):
            tick = self.floor(tick - 1)
        return tick

    def label(self, tick: int) -> datetime:
        """The local time by which people know the tick."""
        return self.clock.at(tick)


class HourTicks(Ticks):
    """Whenever the clock shows `minute` past any hour; or more often, `every` so many minutes (a divisor of 60)."""

    def __init__(self, clock: Clock, minute: int = 0, every: int = 60) -> None:
        self.clock = clock
        self._start = _MINUTE * minute
        self._step = _MINUTE * every

    def floor(self, moment: int) -> int:
        offset = self.clock.offset(moment)
        tick = moment - (moment + offset - self._start) % self._step
        if self._in_step(tick, offset):
            return tick
        return self.floor(self.clock.change(tick, moment) - 1)

    def ceil(self, moment: int) -> int:
        offset = self.clock.offset(moment)
        tick = moment + (self._start - moment - offset) % self._step
        if self._in_step(tick, offset):
            return tick
        return self.ceil(self.clock.change(moment, tick))

    def between(self, start: int, stop: int) -> Iterator[int]:
        return chain.from_iterable(self._runs(start, stop))

    def count(self, start: int, stop: int) -> int:
        return sum(map(len, self._runs(start, stop)))

    def _in_step(self, moment: int, offset: int) -> bool:
        """Whether the ticks are where they are under `offset`; some zones change by half an hour."""
        return (self.clock.offset(moment) - offset) % self._step == 0

    def _runs(self, start: int, stop: int) -> Iterator[range]:
        for low, high, offset in self.clock.steady(start):
            if low >= stop:
                return
            yield range(low + (self._start - low - offset) % self._step, min(high, stop), self._step)


class _CalendarTicks(Ticks):
    """Ticks at a time of day on numbered dates, in the order of their numbers."""

    def __init__(self, clock: Clock, hour: int = 0, minute: int = 0) -> None:
        self.clock = clock
        self._time = time(hour, minute)

    @abstractmethod
    def _date(self, number: int) -> date: ...

    @abstractmethod
    def _number(self, day: date) -> int:
        """The number of the last date at or before `day`."""

    def floor(self, moment: int) -> int:
        return self._tick(self._last(moment))

    def ceil(self, moment: int) -> int:
        number = self._last(moment)
        return moment if self._tick(number) == moment else self._tick(number + 1)

    def between(self, start: int, stop: int) -> Iterator[int]:
        last = None
        for number in count(self._last(self.ceil(start))):
            if (tick := self._tick(number)) >= stop:
                return
            if tick != last:
                yield tick
            last = tick

    def count(self, start: int, stop: int) -> int:
        low, high = (self._last(self.ceil(moment)) for moment in (start, stop))
        lost = sum(self._lost(number, min(number + _STRIDE, high)) for number in range(low, high, _STRIDE))
        return max(0, high - low) - lost

    def _lost(self, low: int, high: int) -> int:
        """How many of these dates the zone left out to change its side of the date line: their tick is the next date's."""
        if self._tick(high) - self._tick(low) > (self._date(high) - self._date(low)).days * _DAY - _DAY // 2:
            return 0
        return sum(self._tick(number) == self._tick(number + 1) for number in range(low, high))

    def label(self, tick: int) -> datetime:
        local = self.clock.at(tick)
        if local.time() == self._time:
            return local
        day = self._date(self._last(tick))  # where the clock jumps over midnight, the tick comes on the day after its own
        return local if local.date() == day else datetime.combine(day, self._time, self.clock.zone)

    def _tick(self, number: int) -> int:
        return self.clock.first(datetime.combine(self._date(number), self._time))

    def _last(self, moment: int) -> int:
        """The last number whose tick is at or before a moment."""
        number = self._number(self.clock.at(moment).date())
        while self._tick(number) > moment:
            number -= 1
        while self._tick(number + 1) <= moment:
            number += 1
        return number


class DayTicks(_CalendarTicks):
    """A time of day, on every day or on every 7th: `phase` is the day of the week, 0 for Sunday."""

    def __init__(self, clock: Clock, hour: int = 0, minute: int = 0, every: int = 1, phase: int = 0) -> None:
        super().__init__(clock, hour, minute)
        self._every = every
        self._phase = phase

    def _date(self, number: int) -> date:
        return date.fromordinal(self._every * number + self._phase)  # day 7 of the calendar was a Sunday

    def _number(self, day: date) -> int:
        return (day.toordinal() - self._phase) // self._every


class MonthTicks(_CalendarTicks):
    """A time of day, on one day of every month, 28 at most."""

    def __init__(self, clock: Clock, hour: int = 0, minute: int = 0, day: int = 1) -> None:
        super().__init__(clock, hour, minute)
        self._day = day

    def _date(self, number: int) -> date:
        return date(number // 12, number % 12 + 1, self._day)

    def _number(self, day: date) -> int:
        return 12 * day.year + day.month - 1 - (day.day < self._day)
