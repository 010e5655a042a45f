"""`TimeWindowPartitionsDefinition`: partitions that divide time, each a window with a start and an end."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from functools import cached_property
from itertools import islice

from warehouse_assets.errors import InvalidDefinitionError, PartitionNotFoundError
from warehouse_assets.partitions.clock import Clock, TimeWindow, clock_of
from warehouse_assets.partitions.cron import ScheduleType, cron_schedule_of, ticks_of
from warehouse_assets.partitions.definition import DynamicPartitionsStore, PartitionKeyRange, PartitionsDefinition
from warehouse_assets.partitions.ticks import Ticks

__all__ = ["TimeWindowPartitionsDefinition"]

_FAR = 2**62
_PROBED = 3  # windows whose keys are tried on declaration


@dataclass(frozen=True, init=False)
class TimeWindowPartitionsDefinition(PartitionsDefinition):
    """Windows that follow each other without gap, from each firing of a schedule to the next.

    The first is the first that begins at or after `start`, the last the last that has ended by now and by `end`. An
    `end_offset` of n adds the n windows that end next, as far as `end` allows; of -n it leaves out the last n. `start` and `end`
    are texts of the form `fmt` or ISO 8601, dates, or datetimes; without a zone they are local times of `timezone` (UTC).

    A window's key is its start, written by `fmt`. Where the clock is put back and shows an hour twice, the keys of the second
    hour have the offset from UTC appended. Times that the clock jumps over are those at which it has jumped.

    The schedule is a `cron_schedule`, or a `schedule_type` with offsets: the minute, the hour, and the day (of the month from
    1, of the week from 0 for Sunday).

    >>> weekdays = TimeWindowPartitionsDefinition("2024-03-01", "%Y-%m-%d", end="2024-03-06", cron_schedule="0 0 * * 1-5")
    >>> weekdays.get_partition_keys()
    ('2024-03-01', '2024-03-04', '2024-03-05')
    >>> weekdays.time_window_for_partition_key("2024-03-01").duration.days
    3
    """

    start: datetime
    fmt: str
    end: datetime | None
    timezone: str
    end_offset: int
    cron_schedule: str

    def __init__(
        self,
        start: datetime | date | str,
        fmt: str,
        end: datetime | date | str | None = None,
        *,
        schedule_type: ScheduleType | None = None,
        timezone: str | None = None,
        end_offset: int = 0,
        minute_offset: int | None = None,
        hour_offset: int | None = None,
        day_offset: int | None = None,
        cron_schedule: str | None = None,
    ) -> None:
        zone = timezone or "UTC"
        clock = clock_of(zone)
        offsets = {"minute_offset": minute_offset, "hour_offset": hour_offset, "day_offset": day_offset}
        vars(self).update(
            start=_local_time(start, fmt, clock, "start"),
            fmt=fmt,
            end=None if end is None else _local_time(end, fmt, clock, "end"),
            timezone=zone,
            end_offset=end_offset,
            cron_schedule=cron_schedule_of(cron_schedule, schedule_type, offsets),
        )
        self._check_keys()

    def __str__(self) -> str:
        name = type(self).__name__.removesuffix("PartitionsDefinition").lower()
        kind = f"partitions by {self.cron_schedule!r}" if name == "timewindow" else f"{name} partitions"
        return f"{kind} from {self._key(self.first)!r} ({self.timezone})"

    def get_partition_keys(
        self, current_time: datetime | None = None, dynamic_partitions_store: DynamicPartitionsStore | None = None
    ) -> Sequence[str]:
        return self.keys_between(self.first, self.stop(current_time))

    def has_partition_key(
        self,
        partition_key: str,
        current_time: datetime | None = None,
        dynamic_partitions_store: DynamicPartitionsStore | None = None,
    ) -> bool:
        tick = self._tick(partition_key)
        return tick is not None and self.first <= tick < self.stop(current_time)

    def get_num_partitions(
        self, current_time: datetime | None = None, dynamic_partitions_store: DynamicPartitionsStore | None = None
    ) -> int:
        return self.ticks.count(self.first, self.stop(current_time))

    def get_first_partition_key(
        self, current_time: datetime | None = None, dynamic_partitions_store: DynamicPartitionsStore | None = None
    ) -> str | None:
        return self._key(self.first) if self.first < self.stop(current_time) else None

    def get_last_partition_key(
        self, current_time: datetime | None = None, dynamic_partitions_store: DynamicPartitionsStore | None = None
    ) -> str | None:
        stop = self.stop(current_time)
        return self._key(self.ticks.floor(stop - 1)) if self.first < stop else None

    def get_partition_keys_in_range(
        self,
        partition_key_range: PartitionKeyRange,
        current_time: datetime | None = None,
        dynamic_partitions_store: DynamicPartitionsStore | None = None,
    ) -> Sequence[str]:
        for key in (partition_key_range.start, partition_key_range.end):
            self.validate_partition_key(key, current_time)
        start, end = self.tick(partition_key_range.start), self.tick(partition_key_range.end)
        return self.keys_between(start, end + 1) or self._refuse_range(partition_key_range)

    def get_next_partition_key(self, partition_key: str, current_time: datetime | None = None) -> str | None:
        """The key of the partition after this one; None where there is none yet."""
        tick = max(self.first, self.ticks.ceil(self.tick(partition_key) + 1))
        return self._key(tick) if tick < self.stop(current_time) else None

    def get_prev_partition_key(self, partition_key: str, current_time: datetime | None = None) -> str | None:
        """The key of the partition before this one; None where there is none."""
        tick = self.ticks.floor(min(self.tick(partition_key), self.stop(current_time)) - 1)
        return self._key(tick) if tick >= self.first else None

    def time_window_for_partition_key(self, partition_key: str) -> TimeWindow:
        """The window of a partition, which need not have come yet; PartitionNotFoundError where no window has this key."""
        tick = self.tick(partition_key)
        return TimeWindow(self.clock.at(tick), self.clock.at(self.ticks.ceil(tick + 1)))

    def get_partition_keys_in_time_window(self, time_window: TimeWindow, current_time: datetime | None = None) -> Sequence[str]:
        """The keys of the partitions that begin in a window of time."""
        start, end = (self.clock.moment(time) for time in (time_window.start, time_window.end))
        return self.keys_between(max(start, self.first), min(end, self.stop(current_time)))

    def get_partition_key_for_timestamp(self, timestamp: float) -> str:
        """The key of the window that holds a moment, in seconds since the epoch; whether it exists or not."""
        return self._key(self.ticks.floor(int(timestamp // 1)))

    def get_cron_schedule(
        self,
        minute_of_hour: int | None = None,
        hour_of_day: int | None = None,
        day_of_week: int | None = None,
        day_of_month: int | None = None,
    ) -> str:
        """The cron schedule that fires when a window ends, or at another minute, hour or day of its kind.

        >>> TimeWindowPartitionsDefinition("2024-01-01", "%Y-%m-%d", cron_schedule="0 0 * * *").get_cron_schedule(hour_of_day=4)
        '0 4 * * *'
        """
        fields = self.cron_schedule.split()
        for place, name, value in (
            (0, "minute_of_hour", minute_of_hour),
            (1, "hour_of_day", hour_of_day),
            (2, "day_of_month", day_of_month),
            (4, "day_of_week", day_of_week),
        ):
            if value is not None:
                if not fields[place].isdecimal():
                    raise InvalidDefinitionError(f"{self} do not fire at one {name}, so it cannot be {value}")
                fields[place] = str(value)
        ticks_of(" ".join(fields), self.timezone)
        return " ".join(fields)

    @cached_property
    def clock(self) -> Clock:
        """The clock of the zone."""
        return clock_of(self.timezone)

    @cached_property
    def ticks(self) -> Ticks:
        """The moments at which windows begin, those before the first partition and in the future included."""
        return ticks_of(self.cron_schedule, self.timezone)

    @cached_property
    def first(self) -> int:
        """The tick at which the first partition begins."""
        return self.ticks.ceil(self.clock.moment(self.start))

    def stop(self, current_time: datetime | None = None) -> int:
        """The tick at which the last partition ends; where there is none yet, one not after `first`."""
        now = self.clock.moment(current_time or datetime.now(UTC))
        stop = self.ticks.shift(self.ticks.floor(now), self.end_offset)
        return stop if self.end is None else min(stop, self.ticks.floor(self.clock.moment(self.end)))

    def tick(self, partition_key: str) -> int:
        """The tick at which the window of this key begins; PartitionNotFoundError where no window has this key."""
        if (tick := self._tick(partition_key)) is None:
            raise PartitionNotFoundError(f"no window of {self} has the key {partition_key!r}", hint=self._hint(partition_key))
        return tick

    def keys_between(self, start: int, stop: int) -> tuple[str, ...]:
        """The keys of the windows that begin at `start` or later and before `stop`."""
        return tuple(map(self._key, self.ticks.between(start, stop)))

    def starts(self, partition_keys: Sequence[str]) -> Sequence[int]:
        """The ticks at which the windows of these keys begin, in the order of the keys."""
        if len(partition_keys) > 1:
            start, end = self.tick(partition_keys[0]), self.tick(partition_keys[-1]) + 1
            if self.ticks.count(start, end) == len(partition_keys) and self.keys_between(start, end) == tuple(partition_keys):
                return [*self.ticks.between(start, end)]  # most often they follow each other, and to read keys takes long
        return [self.tick(key) for key in partition_keys]

    def spans(self, partition_keys: Sequence[str]) -> list[tuple[int, int]]:
        """The time that the windows of these keys cover: starts and ends in order, of which none touches another."""
        if not partition_keys:
            return []
        starts = sorted(set(self.starts(partition_keys)))
        if self.ticks.count(starts[0], starts[-1] + 1) == len(starts):
            return [(starts[0], self.ticks.ceil(starts[-1] + 1))]
        spans: list[tuple[int, int]] = []
        for tick in starts:
            begun = spans.pop()[0] if spans and spans[-1][1] == tick else tick
            spans.append((begun, self.ticks.ceil(tick + 1)))
        return spans

    def _key(self, tick: int) -> str:
        local = self.ticks.label(tick)
        return local.strftime(self.fmt + "%z" if local.fold and "%z" not in self.fmt else self.fmt)

    def _tick(self, partition_key: str) -> int | None:
        moment = self._moment(partition_key)
        if moment is None:
            return None
        tick = self.ticks.ceil(moment)  # a format need not tell the minute, or the day of the month
        if self._key(tick) == partition_key:
            return tick
        tick = self.ticks.ceil(
            tick + 1
        )  # a day may begin with the window of the day before, where the clock jumps over midnight
        return tick if self._key(tick) == partition_key else None

    def _moment(self, partition_key: str) -> int | None:
        local = _parsed(partition_key, self.fmt)
        if local is None and "%z" not in self.fmt:
            local = _parsed(partition_key, self.fmt + "%z")
        return None if local is None else self.clock.moment(local)

    def _hint(
        self,
        partition_key: str,
        current_time: datetime | None = None,
        dynamic_partitions_store: DynamicPartitionsStore | None = None,
    ) -> str:
        if (moment := self._moment(partition_key)) is None:
            return f"Keys look like {self._key(self.first)!r}."
        key = self._key(self.ticks.floor(moment))
        if key != partition_key:
            return f"Did you mean {key!r}?"
        last = self.get_last_partition_key(current_time)
        return "There is none yet." if last is None else f"There are those from {self._key(self.first)!r} to {last!r}."

    def _check_keys(self) -> None:
        if self.end is not None and self.clock.moment(self.end) < self.clock.moment(self.start):
            raise InvalidDefinitionError(f"{self} end before they start, at {self.end.isoformat()}")
        for tick in islice(self.ticks.between(self.first, _FAR), _PROBED):
            if not (key := self._key(tick)) or self._tick(key) != tick:
                raise InvalidDefinitionError(
                    f"the format {self.fmt!r} gives the window that starts at {self.clock.at(tick)} the key {key!r}, "
                    "from which the window cannot be told",
                    hint="Include the year, and all that differs from one window to the next.",
                )


def _parsed(text: str, fmt: str) -> datetime | None:
    try:
        return datetime.strptime(text, fmt)  # noqa: DTZ007 - the clock knows the zone
    except (ValueError, re.error):
        return None


def _local_time(value: datetime | date | str, fmt: str, clock: Clock, what: str) -> datetime:
    """A boundary in any of the forms in which people may give it, by the clock of the zone."""
    try:
        if isinstance(value, str):
            value = _parsed(value, fmt) or datetime.fromisoformat(value)
        elif not isinstance(value, datetime):
            value = datetime(value.year, value.month, value.day)  # noqa: DTZ001 - the clock knows the zone
    except (ValueError, AttributeError):
        hint = f"Give a text of the form {fmt!r}, a date or a datetime."
        raise InvalidDefinitionError(f"the {what} of time-window partitions is {value!r}", hint=hint) from None
    return clock.at(clock.moment(value))
