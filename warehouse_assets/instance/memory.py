"""`MemoryEventLog`: the record of one process, gone with it."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import replace
from itertools import islice

from warehouse_assets.events import Event, EventType, RunRecord, RunStatus
from warehouse_assets.instance.automation import enqueued
from warehouse_assets.instance.event_log import (
    CHECKS,
    EVERY_RUN,
    EVERYTHING,
    EventFilter,
    Mark,
    RunFilter,
    filed_as,
    is_of_the_whole,
    latest_name,
    run_changes,
    run_exists,
    run_key_taken,
    run_not_found,
)
from warehouse_assets.instance.memory_automation import MemoryAutomation
from warehouse_assets.instance.upkeep import BACKFILL_TAG, ENDED, ENDED_BACKFILLS, Pruned, RecordInfo
from warehouse_assets.keys import AssetCheckKey, AssetKey

__all__ = ["MemoryEventLog"]


class MemoryEventLog(MemoryAutomation):
    """Keeps events in a list, in which an event's storage id is its position, counted from one.

    Storing only extends the list, and the next question files what is new: a run stores many events and asks for few.
    """

    def __init__(self) -> None:
        super().__init__()
        self._events: list[Event | None] = []  # None where one was wiped
        self._filed = 0
        self._runs: dict[str, RunRecord] = {}
        self._run_keys: set[str] = set()
        self._ids_of_run: dict[str, list[int]] = defaultdict(list)
        self._ids_of_asset: dict[AssetKey, list[int]] = defaultdict(list)
        self._latest: dict[AssetKey, dict[tuple[str, str | None], int]] = defaultdict(dict)
        self._dynamic_partitions: dict[str, dict[str, None]] = defaultdict(dict)

    def store_events(self, events: Iterable[Event]) -> None:
        batch = tuple(events)
        with self._lock:
            self._events.extend(batch)

    def store_events_if(self, run_id: str, statuses: Collection[RunStatus], events: Iterable[Event]) -> bool:
        batch = tuple(events)
        with self._lock:
            run = self.get_run(run_id)
            if run is None or run.status not in statuses:
                return False
            self._events.extend(batch)
            return True

    def get_events(self, where: EventFilter = EVERYTHING, *, limit: int | None = None, ascending: bool = True) -> list[Event]:
        with self._lock:
            self._file_new_events()
            ids = self._candidates(where)
            start = bisect_right(ids, where.after) if where.after is not None else 0
            stop = bisect_left(ids, where.before) if where.before is not None else len(ids)
            chosen = ids[start:stop] if ascending else ids[start:stop][::-1]
            fitting = (pair for pair in self._numbered(chosen) if where.accepts(pair[1]))
            return [replace(event, storage_id=storage_id) for storage_id, event in islice(fitting, limit)]

    def get_latest(
        self,
        event_type: EventType,
        keys: Iterable[AssetKey],
        partition: str | None = None,
        check_name: str | None = None,
        *,
        versioned: bool = False,
    ) -> dict[AssetKey, Event]:
        with self._lock:
            self._file_new_events()
            known = (latest for key in keys if (latest := self._latest.get(key)))
            name = latest_name(event_type, check_name, versioned=versioned), partition
            ids = [latest[name] for latest in known if name in latest]
            return {key: replace(event, storage_id=i) for i, event in self._numbered(ids) if (key := event.asset_key)}

    def get_latest_by_partition(
        self,
        event_type: EventType,
        keys: Iterable[AssetKey],
        partitions: Collection[str] | None = None,
        *,
        versioned: bool = False,
    ) -> dict[AssetKey, dict[str, Event]]:
        kind = latest_name(event_type, versioned=versioned)
        with self._lock:
            self._file_new_events()
            found: dict[AssetKey, dict[str, Event]] = {}
            for key in dict.fromkeys(keys):
                latest = self._latest.get(key, {})
                names = partitions if partitions is not None else [name for _, name in latest if name is not None]
                ids = {i: name for name in names if (i := latest.get((kind, name)))}
                if ids:
                    found[key] = {ids[i]: replace(event, storage_id=i) for i, event in self._numbered(ids)}
            return found

    def get_latest_marks(self, event_type: EventType, keys: Iterable[AssetKey]) -> dict[AssetKey, dict[str | None, Mark]]:
        with self._lock:
            self._file_new_events()
            found: dict[AssetKey, dict[str | None, Mark]] = {}
            for key in keys:
                for (kind, partition), i in self._latest.get(key, {}).items():
                    if kind == event_type and (event := self._events[i - 1]) is not None:
                        found.setdefault(key, {})[partition] = Mark(i, event.run_id, event.timestamp)
            return found

    def get_latest_check_events(self, keys: Iterable[AssetKey]) -> dict[AssetCheckKey, Event]:
        with self._lock:
            self._file_new_events()
            ids = [
                i
                for key in keys
                for (kind, partition), i in self._latest.get(key, {}).items()
                if partition is None and kind.startswith(CHECKS)
            ]
            events = [replace(event, storage_id=i) for i, event in self._numbered(ids)]
            return {check.asset_check_key: event for event in events if (check := event.asset_check_evaluation) is not None}

    def get_partitions(self, event_type: EventType, key: AssetKey) -> dict[str, int]:
        with self._lock:
            self._file_new_events()
            latest = self._latest.get(key, {}).items()
            return {name: storage_id for (kind, name), storage_id in latest if kind == event_type and name is not None}

    def add_run(self, run: RunRecord) -> None:
        with self._lock:
            self._file_new_events()
            if run.run_id in self._runs:
                raise run_exists(run.run_id)
            if run.run_key is not None and run.run_key in self._run_keys:
                raise run_key_taken(run.run_key)
            self._add(run)

    def add_runs(self, runs: Iterable[RunRecord]) -> list[RunRecord]:
        wanted = list(runs)
        with self._lock:
            self._file_new_events()
            free = {run.run_key or run.run_id: run for run in reversed(wanted) if run.run_key not in self._run_keys}
            added = [run for run in wanted if free.get(run.run_key or run.run_id) is run]
            for run in added:
                if run.run_id in self._runs:
                    raise run_exists(run.run_id)
            for run in added:
                self._add(run)
            self._events.extend(map(enqueued, added))
            self._file_new_events()
            for run in added:  # as it was given, though that event is of one that waits
                self._runs[run.run_id] = run
        return added

    def heartbeat(self, run_ids: Iterable[str], timestamp: float) -> None:
        with self._lock:
            self._file_new_events()
            for run_id in run_ids:
                if run := self._runs.get(run_id):
                    self._runs[run_id] = replace(run, heartbeat=timestamp)

    def get_run(self, run_id: str) -> RunRecord | None:
        with self._lock:
            self._file_new_events()
            return self._runs.get(run_id)

    def get_runs(self, where: RunFilter = EVERY_RUN, *, limit: int | None = None, cursor: str | None = None) -> list[RunRecord]:
        with self._lock:
            self._file_new_events()
            runs = list(self._runs.values())
            if cursor is not None:
                if cursor not in self._runs:
                    raise run_not_found(cursor)
                runs = runs[: list(self._runs).index(cursor)]
        return list(islice((run for run in reversed(runs) if where.accepts(run)), limit))

    def get_run_counts(self) -> dict[RunStatus, int]:
        return dict(sorted(Counter(run.status for run in self.get_runs()).items()))

    def add_dynamic_partitions(self, name: str, keys: Sequence[str]) -> None:
        with self._lock:
            self._dynamic_partitions[name].update(dict.fromkeys(keys))

    def delete_dynamic_partition(self, name: str, key: str) -> None:
        with self._lock:
            self._dynamic_partitions[name].pop(key, None)

    def get_dynamic_partitions(self, name: str) -> list[str]:
        with self._lock:
            return list(self._dynamic_partitions.get(name, ()))

    def wipe(self, keys: Iterable[AssetKey]) -> None:
        with self._lock:
            self._file_new_events()
            for key in keys:
                self._latest.pop(key, None)
                for storage_id in self._ids_of_asset.pop(key, ()):
                    self._events[storage_id - 1] = None

    def info(self) -> RecordInfo:
        with self._lock:
            self._file_new_events()
            stored = sum(event is not None for event in self._events)
            counts = self.get_run_counts()
            return RecordInfo(
                "memory",
                "the memory of this process",
                events=stored,
                assets=sum(bool(latest) for latest in self._latest.values()),
                ticks=len(self.get_ticks()),
                backfills=len(self._backfills),
                run_counts=counts,
            )

    def prune(self, before: float, *, dry_run: bool = False) -> Pruned:
        with self._lock:
            self._file_new_events()
            unfinished = {one.backfill_id for one in self._backfills.values() if one.status not in ENDED_BACKFILLS}
            old = {
                run.run_id
                for run in self._runs.values()
                if run.status in ENDED
                and (run.created if run.ended is None else run.ended) < before
                and run.tags.get(BACKFILL_TAG) not in unfinished
            }
            kept = self._latest_of_the_whole().union(*(latest.values() for latest in self._latest.values()))
            gone = {
                i
                for i, event in self._numbered(range(1, len(self._events) + 1))
                if event.timestamp < before and i not in kept and (event.run_id in old or event.run_id not in self._runs)
            }
            old.difference_update(run_id for run_id, ids in self._ids_of_run.items() if not gone.issuperset(ids))
            if not dry_run:
                self._forget(gone, old)
            return Pruned(len(gone), len(old), *self._prune_automation(before, dry_run=dry_run))

    def close(self) -> None:
        pass

    def _latest_of_the_whole(self) -> set[int]:
        """The events that say of a partitioned asset what holds for all its partitions, and were not followed by another."""
        found: dict[tuple[AssetKey, EventType], int] = {}
        for key, latest in self._latest.items():
            if any(partition is not None for _, partition in latest):
                found |= {(key, e.event_type): i for i, e in self._numbered(self._ids_of_asset[key]) if is_of_the_whole(e)}
        return set(found.values())

    def _forget(self, ids: set[int], run_ids: set[str]) -> None:
        for i in ids:
            self._events[i - 1] = None
        for known in (*self._ids_of_run.values(), *self._ids_of_asset.values()):
            known[:] = [i for i in known if i not in ids]
        for run_id in run_ids:
            del self._runs[run_id]

    def _add(self, run: RunRecord) -> None:
        self._runs[run.run_id] = run
        if run.run_key is not None:
            self._run_keys.add(run.run_key)

    def _file_new_events(self) -> None:
        while self._filed < len(self._events):
            event = self._events[self._filed]
            self._filed += 1
            if event is not None:
                self._file(event, self._filed)

    def _file(self, event: Event, storage_id: int) -> None:
        self._ids_of_run[event.run_id].append(storage_id)
        if (key := event.asset_key) is not None:
            self._ids_of_asset[key].append(storage_id)
            latest = self._latest[key]
            for name in filed_as(event):
                latest[name, None] = storage_id
                if event.partition is not None:
                    latest[name, event.partition] = storage_id
        if (changes := run_changes(event)) and (run := self._runs.get(event.run_id)):
            self._runs[event.run_id] = replace(run, **changes)

    def _candidates(self, where: EventFilter) -> Sequence[int]:
        if where.asset_key is not None:
            return self._ids_of_asset.get(where.asset_key, ())
        if where.run_id is not None:
            return self._ids_of_run.get(where.run_id, ())
        return range(1, len(self._events) + 1)

    def _numbered(self, ids: Iterable[int]) -> Iterator[tuple[int, Event]]:
        return ((i, event) for i in ids if (event := self._events[i - 1]) is not None)
