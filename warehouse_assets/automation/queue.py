"""The queue of runs: which of those that wait are started now, and the duty that starts them."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from warehouse_assets.errors import InvalidConfigError, close_matches
from warehouse_assets.events import Event, RunRecord, RunStatus

if TYPE_CHECKING:
    from warehouse_assets.automation.processes import RunProcesses
    from warehouse_assets.instance import Instance

__all__ = ["PRIORITY_TAG", "QueueSettings", "RunQueue", "TagLimit", "runs_to_start"]

PRIORITY_TAG = "warehouse_assets/priority"
_WAITS: tuple[RunStatus, ...] = ("QUEUED",)
RUNNING: tuple[RunStatus, ...] = ("STARTING", "STARTED", "CANCELING")


@dataclass(frozen=True, slots=True)
class TagLimit:
    """At most `limit` runs at once that have the tag `key`; those of one `value`, or of each value where `per_value` is set."""

    key: str
    limit: int
    value: str | None = None
    per_value: bool = False

    def group_of(self, run: RunRecord) -> str | None:
        """Which of the groups that the limit counts a run is in; None where it is in none."""
        value = run.tags.get(self.key)
        if value is None or (self.value is not None and value != self.value):
            return None
        return value if self.per_value else ""


@dataclass(frozen=True, slots=True)
class QueueSettings:
    """How many runs a daemon has running at once, in all and by their tags; and the limits of pools."""

    max_concurrent_runs: int = 10
    tag_limits: tuple[TagLimit, ...] = ()
    pools: Mapping[str, int] = field(default_factory=dict)

    @classmethod
    def of(cls, table: Mapping[str, Any]) -> QueueSettings:
        """The settings of a table of TOML: `max_concurrent_runs`, `tag_limits`, a list of tables with the fields of TagLimit, and `pools`.

        >>> QueueSettings.of({"tag_limits": [{"key": "team", "limit": 2, "per_value": True}]}).tag_limits
        (TagLimit(key='team', limit=2, value=None, per_value=True),)

        InvalidConfigError for what it does not know, and for values of another type.
        """
        _check_fields("the queue", table, {"max_concurrent_runs": int, "tag_limits": list, "pools": dict})
        _check_fields("the table of pools", table.get("pools", {}), dict.fromkeys(table.get("pools", ()), int))
        limits = []
        for entry in table.get("tag_limits", ()):
            _check_fields("a tag limit", entry, {"key": str, "limit": int, "value": str, "per_value": bool})
            if "key" not in entry or "limit" not in entry:
                raise InvalidConfigError(f"a tag limit has a key and a limit, not {entry!r}")
            limits.append(TagLimit(**entry))
        return cls(table.get("max_concurrent_runs", cls().max_concurrent_runs), tuple(limits), dict(table.get("pools", {})))


def _check_fields(what: str, table: Any, types: Mapping[str, type]) -> None:
    if not isinstance(table, Mapping):
        raise InvalidConfigError(f"{what} is a table, not {table!r}")
    for name, value in table.items():
        if name not in types:
            hint = close_matches(name, list(types)) or f"There are {', '.join(types)}."
            raise InvalidConfigError(f"{what} has the setting {name!r}", hint=hint)
        if type(value) is not types[name] or (isinstance(value, int) and value < 0):
            raise InvalidConfigError(
                f"{what} has {name} = {value!r}", hint=f"It is of the type {types[name].__name__}, and not below 0."
            )


def priority(run: RunRecord) -> int:
    """The priority that the tag of a run says, 0 where it says no number."""
    text = run.tags.get(PRIORITY_TAG, "0")
    try:
        return int(text)
    except ValueError:
        return 0


def runs_to_start(waiting: Iterable[RunRecord], running: Iterable[RunRecord], settings: QueueSettings) -> list[RunRecord]:
    """Which runs that wait start now, beside those that run: higher priorities first, and of one priority those that came first.

    `waiting` are in the order in which they came. A run that a limit holds back lets others pass.
    """
    counts = [Counter[str]() for _ in settings.tag_limits]
    places = settings.max_concurrent_runs
    for run in running:
        places -= 1
        for limit, count in zip(settings.tag_limits, counts, strict=True):
            if (group := limit.group_of(run)) is not None:
                count[group] += 1
    chosen: list[RunRecord] = []
    for run in sorted(waiting, key=priority, reverse=True):  # which keeps the order of equals
        if len(chosen) >= places:
            break
        groups = [limit.group_of(run) for limit in settings.tag_limits]
        full = (
            group is not None and count[group] >= limit.limit
            for limit, count, group in zip(settings.tag_limits, counts, groups, strict=True)
        )
        if any(full):
            continue
        for count, group in zip(counts, groups, strict=True):
            if group is not None:
                count[group] += 1
        chosen.append(run)
    return chosen


class RunQueue:
    """The duty that starts runs that wait, each in a process of its own.

    That each starts once rests on its status in the record, however many do this; limits hold where one daemon works at a time.
    """

    def __init__(self, instance: Instance, processes: RunProcesses, settings: QueueSettings | None = None) -> None:
        self._instance = instance
        self._processes = processes
        self._settings = settings or QueueSettings()
        self._pools_are_set = False
        self._lock = threading.Lock()

    def round(self, now: float) -> None:
        """Start what can start; one thread at a time, or each would count without the other."""
        with self._lock:
            self._start_what_can(now)

    def _start_what_can(self, now: float) -> None:
        log = self._instance.event_log
        if not self._pools_are_set:
            for pool, limit in self._settings.pools.items():
                log.set_pool_limit(pool, limit)
            self._pools_are_set = True
        if not (waiting := _placed(self._instance.get_runs(statuses="QUEUED"))):
            return
        running = _placed(self._instance.get_runs(statuses=RUNNING))
        for run in runs_to_start(waiting[::-1], running, self._settings):
            if log.store_events_if(run.run_id, _WAITS, [Event("RUN_STARTING", run.run_id, now)]):
                self._processes.start(run, now)


def _placed(runs: Sequence[RunRecord]) -> list[RunRecord]:
    """Those that a process of its own runs, or can run."""
    return [run for run in runs if run.location is not None]
