"""`MemoryAutomation`: what automation remembers, in memory."""

from __future__ import annotations

import threading
from collections.abc import Collection, Sequence
from dataclasses import replace
from itertools import islice

from warehouse_assets.automation_records import Backfill, BackfillStatus, InstigatorState, PoolSlot, Tick
from warehouse_assets.events import RunRecord
from warehouse_assets.instance.event_log import EventLog
from warehouse_assets.instance.upkeep import ENDED_BACKFILLS

__all__ = ["MemoryAutomation"]


class MemoryAutomation(EventLog):
    """Ticks, the states of instigators, backfills, pools and leases, in dicts."""

    def __init__(self) -> None:
        self._lock = threading.RLock()
        self._instigators: dict[str, InstigatorState] = {}
        self._ticks: list[Tick | None] = []  # None where one was pruned
        self._backfills: dict[str, Backfill] = {}
        self._slots: dict[tuple[str, str, str], PoolSlot] = {}
        self._pool_limits: dict[str, int] = {}
        self._leases: dict[str, tuple[str, float]] = {}

    def get_instigator(self, origin: str) -> InstigatorState | None:
        return self._instigators.get(origin)

    def get_instigators(self) -> list[InstigatorState]:
        with self._lock:
            return [self._instigators[origin] for origin in sorted(self._instigators)]

    def set_instigator(self, state: InstigatorState) -> bool:
        with self._lock:
            known = self._instigators.get(state.origin)
            if (known.version if known else 0) != state.version:
                return False
            self._instigators[state.origin] = replace(state, version=state.version + 1)
            return True

    def commit_tick(self, tick: Tick, state: InstigatorState, runs: Sequence[RunRecord] = ()) -> Tick | None:
        with self._lock:
            before = self._instigators.get(state.origin)
            if not self.set_instigator(state):
                return None
            try:
                added = self.add_runs(runs)
            except BaseException:
                self._instigators.pop(state.origin)
                if before is not None:
                    self._instigators[state.origin] = before
                raise
            stored = replace(tick, run_ids=tuple(run.run_id for run in added), tick_id=len(self._ticks) + 1)
            self._ticks.append(stored)
            return stored

    def get_ticks(self, origin: str | None = None, *, limit: int | None = None, before: int | None = None) -> list[Tick]:
        with self._lock:
            ticks = self._ticks[: None if before is None else max(before - 1, 0)]
        return list(islice((tick for tick in reversed(ticks) if tick is not None and origin in (None, tick.origin)), limit))

    def put_backfill(self, backfill: Backfill, runs: Sequence[RunRecord] = ()) -> bool:
        with self._lock:
            known = self._backfills.get(backfill.backfill_id)
            if (known.version if known else 0) != backfill.version:
                return False
            self.add_runs(runs)
            self._backfills[backfill.backfill_id] = replace(backfill, version=backfill.version + 1)
            return True

    def get_backfill(self, backfill_id: str) -> Backfill | None:
        return self._backfills.get(backfill_id)

    def get_backfills(self, *, statuses: Collection[BackfillStatus] = (), limit: int | None = None) -> list[Backfill]:
        with self._lock:
            kept = list(self._backfills.values())
        return list(islice((one for one in reversed(kept) if not statuses or one.status in statuses), limit))

    def _prune_automation(self, before: float, *, dry_run: bool) -> tuple[int, int]:
        """Forget old ticks and backfills, or only count them."""
        last = {tick.origin: tick.tick_id for tick in self._ticks if tick is not None}
        ticks = [t.tick_id or 0 for t in self._ticks if t is not None and t.ended < before and t.tick_id != last[t.origin]]
        backfills = [
            one.backfill_id
            for one in self._backfills.values()
            if one.status in ENDED_BACKFILLS and (one.created if one.ended is None else one.ended) < before
        ]
        if not dry_run:
            for tick_id in ticks:
                self._ticks[tick_id - 1] = None
            for backfill_id in backfills:
                del self._backfills[backfill_id]
        return len(ticks), len(backfills)

    def claim_slot(self, pool: str, limit: int, run_id: str, step_key: str, now: float) -> bool:
        place = (pool, run_id, step_key)
        with self._lock:
            if place not in self._slots:
                if sum(slot.pool == pool for slot in self._slots.values()) >= limit:
                    return False
                self._slots[place] = PoolSlot(*place, now)
            return True

    def free_slots(self, run_id: str, step_key: str | None = None) -> None:
        with self._lock:
            for place in list(self._slots):
                if place[1] == run_id and step_key in (None, place[2]):
                    del self._slots[place]

    def get_slots(self, pool: str | None = None) -> list[PoolSlot]:
        with self._lock:
            slots = [slot for slot in self._slots.values() if pool in (None, slot.pool)]
        return sorted(slots, key=lambda slot: (slot.claimed, slot.run_id, slot.step_key))

    def set_pool_limit(self, pool: str, limit: int | None) -> None:
        with self._lock:
            self._pool_limits.pop(pool, None)
            if limit is not None:
                self._pool_limits[pool] = limit

    def get_pool_limits(self) -> dict[str, int]:
        with self._lock:
            return dict(sorted(self._pool_limits.items()))

    def take_lease(self, name: str, owner: str, now: float, seconds: float) -> bool:
        with self._lock:
            holder, until = self._leases.get(name, (owner, now))
            if holder != owner and until > now:
                return False
            self._leases[name] = (owner, now + seconds)
            return True

    def release_lease(self, name: str, owner: str) -> None:
        with self._lock:
            if name in self._leases and self._leases[name][0] == owner:
                del self._leases[name]

    def get_lease_owner(self, name: str, now: float) -> str | None:
        owner, until = self._leases.get(name, (None, now))
        return owner if until > now else None
