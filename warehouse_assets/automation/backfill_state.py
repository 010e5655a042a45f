"""How far a backfill is: told how its runs went, it says which can begin. Pure; each run and each link is looked at once."""

from __future__ import annotations

import base64
import re
import zlib
from collections.abc import Iterator, Mapping, Sequence
from heapq import heapify, heappop, heappush
from itertools import compress

from warehouse_assets.automation.backfill_plan import BackfillPlan

__all__ = ["CANCELED", "DONE", "FAILED", "OPEN", "WAITING", "BackfillState", "read_statuses", "written_statuses"]

WAITING, OPEN, DONE, FAILED, CANCELED = b"wodfc"
NAMES = {WAITING: "waiting", OPEN: "in_progress", DONE: "done", FAILED: "failed", CANCELED: "canceled"}

_RUNS = re.compile(rb"(.)\1*", re.DOTALL)
_LONG = 4_000  # characters, from which on a text is compressed


class BackfillState:
    """The status of each run of a plan, as `statuses` has them, or with all of them waiting."""

    def __init__(self, plan: BackfillPlan, statuses: bytes | None = None) -> None:
        self.plan = plan
        self.statuses = bytearray(statuses if statuses is not None else bytes([WAITING]) * plan.count)
        self.open = {index for index in range(plan.count) if self.statuses[index] == OPEN}
        self._missing = list(plan.missing)
        self._ready: list[int] = []
        for index in compress(range(plan.count), (status == DONE for status in self.statuses)):
            self._release(index)
        self._ready = [index for index in range(plan.count) if self._is_ready(index)]
        heapify(self._ready)

    def next(self, room: int) -> list[int]:
        """At most so many runs that can begin now, the first ones first; they count as begun."""
        begun: list[int] = []
        while self._ready and len(begun) < room:
            index = heappop(self._ready)
            if self.statuses[index] == WAITING:
                self.statuses[index] = OPEN
                begun.append(index)
        self.open.update(begun)
        return begun

    def ended(self, index: int, status: int) -> None:
        """Note how a run went: DONE, FAILED or CANCELED."""
        self.open.discard(index)
        self.statuses[index] = status
        if status == DONE:
            self._release(index)

    @property
    def is_over(self) -> bool:
        """Whether no run goes on, and none can begin."""
        while self._ready and self.statuses[self._ready[0]] != WAITING:
            heappop(self._ready)
        return not self.open and not self._ready

    @property
    def is_complete(self) -> bool:
        """Whether every run went well."""
        return self.statuses.count(DONE) == self.plan.count

    def progress(self) -> Iterator[tuple[Sequence[str], Mapping[str, int]]]:
        """For the assets of each stage, how many partitions are `requested`, and how many of those are in each status."""
        for stage in self.plan.stages:
            own = self.statuses[stage.first : stage.first + len(stage.units)]
            counts = dict.fromkeys(("requested", *NAMES.values()), 0)
            counts["requested"] = stage.size
            if stage.size == len(stage.units):
                counts.update({name: own.count(status) for status, name in NAMES.items()})
            else:
                for status, unit in zip(own, stage.units, strict=True):
                    counts[NAMES[status]] += len(unit)
            yield [key.to_user_string() for key in stage.asset_keys], counts

    def _is_ready(self, index: int) -> bool:
        return self.statuses[index] == WAITING and not self._missing[index]

    def _release(self, index: int) -> None:
        """Let those begin that waited for this run, or for the gate that it was the last of."""
        opened = [index]
        while opened:
            for waiting in self.plan.feeds[opened.pop()]:
                self._missing[waiting] -= 1
                if self._missing[waiting]:
                    continue
                if waiting >= self.plan.count:
                    opened.append(waiting)
                elif self.statuses[waiting] == WAITING:
                    heappush(self._ready, waiting)


def written_statuses(statuses: bytes | bytearray) -> str:
    """Statuses as a short text.

    >>> written_statuses(b"ddddow")
    'd4 o1 w1'
    """
    text = " ".join(f"{found[0][:1].decode()}{len(found[0])}" for found in _RUNS.finditer(statuses))
    return f"z{base64.b85encode(zlib.compress(statuses)).decode()}" if len(text) > _LONG else text


def read_statuses(text: str) -> bytes:
    """What `written_statuses` wrote.

    >>> read_statuses("d4 o1 w1")
    b'ddddow'
    """
    if text.startswith("z"):
        return zlib.decompress(base64.b85decode(text[1:]))
    return b"".join(part[:1].encode() * int(part[1:]) for part in text.split())
