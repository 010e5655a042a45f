"""Which ticks of a schedule are due, and which of those that were missed are made up for. No clock is looked at here."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import islice

from warehouse_assets.definitions.schedule import ScheduleDefinition

__all__ = ["GRACE_SECONDS", "DueTicks", "due_ticks"]

GRACE_SECONDS = 300.0  # a tick that is evaluated within this time was not missed
_AT_ONCE = 100


@dataclass(frozen=True, slots=True)
class DueTicks:
    """The moments to evaluate now, in order; `passed` were passed over, up to and with the moment `until`."""

    ticks: Sequence[int] = ()
    passed: int = 0
    until: int | None = None


def due_ticks(schedule: ScheduleDefinition, since: float, now: float) -> DueTicks:
    """The ticks after `since` and not after `now` (seconds since the epoch), as the schedule's policy for missed ones has it.

    With "all" the oldest come first, a hundred at a time. With "latest" the last one is evaluated, however late; with "skip" only if it is at most
    five minutes late. Those before it are passed over.
    """
    found = schedule.ticks_between(since, now)
    if schedule.missed == "all":
        return DueTicks(tuple(islice(found, _AT_ONCE)))
    count = 0
    last: deque[int] = deque(maxlen=1)
    for tick in found:
        count += 1
        last.append(tick)
    if not last:
        return DueTicks()
    if schedule.missed == "skip" and now - last[0] > GRACE_SECONDS:
        return DueTicks(passed=count, until=last[0])
    return DueTicks((last[0],), count - 1)
