"""The duty that loses no run: ends those whose process died, lets those wait again that never began, retries those that failed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, Any

from warehouse_assets.automation.processes import RunProcesses, end_run
from warehouse_assets.automation.reruns import MAX_RETRIES_TAG, retry_key, retry_of
from warehouse_assets.errors import InvalidConfigError, close_matches
from warehouse_assets.events import Event, RunRecord, RunStatus
from warehouse_assets.execution.heartbeat import HEARTBEAT_LIMIT, is_gone
from warehouse_assets.instance.event_log import RunFilter

if TYPE_CHECKING:
    from warehouse_assets.instance import Instance

__all__ = ["MonitoringSettings", "RunMonitoring"]

_LOOKED_BACK = 1_000
_STARTING: tuple[RunStatus, ...] = ("STARTING",)


@dataclass(frozen=True, slots=True)
class MonitoringSettings:
    """When a run is taken for dead, in seconds, and how often its process is started before it has failed.

    `heartbeat_limit` is the silence of one that began, `start_limit` of one that did not. Of the runs that failed before the daemon
    began, those of the last `retry_window` seconds are retried.
    """

    heartbeat_limit: float = HEARTBEAT_LIMIT
    start_limit: float = 120.0
    start_attempts: int = 3
    retry_window: float = 24 * 3600.0

    @classmethod
    def of(cls, table: Mapping[str, Any]) -> MonitoringSettings:
        """The settings of a table of TOML, whose names are those of the fields.

        >>> MonitoringSettings.of({"start_attempts": 5}).start_attempts
        5

        InvalidConfigError for what it does not know, and for values of another type.
        """
        if not isinstance(table, Mapping):
            raise InvalidConfigError(f"the daemon is a table, not {table!r}", hint="Write [tool.warehouse_assets.daemon].")
        known = [field.name for field in fields(cls)]
        for name, value in table.items():
            if name not in known:
                hint = close_matches(name, known) or f"There are {', '.join(known)}."
                raise InvalidConfigError(f"the daemon has the setting {name!r}", hint=hint)
            kinds = (int,) if name == "start_attempts" else (int, float)
            if isinstance(value, bool) or not isinstance(value, kinds) or not 0 < value < float("inf"):
                raise InvalidConfigError(f"the daemon has {name} = {value!r}", hint="It is a number above 0.")
        return cls(**table)


class RunMonitoring:
    """Looks after the runs of an instance. Several daemons may do so at once: whoever is first changes the record, the others find it so."""

    def __init__(
        self, instance: Instance, processes: RunProcesses | None = None, settings: MonitoringSettings | None = None
    ) -> None:
        self._instance = instance
        self._processes = processes
        self._settings = settings or MonitoringSettings()
        self._cursor: int | None = None  # of the failures that were looked at

    def round(self, now: float) -> None:
        """End the dead, and see to those that failed."""
        if self._processes is not None:
            self._processes.look(now)
        for run in self._instance.get_runs(statuses=("STARTED", "CANCELING")):
            self._look_at(run, now)
        for run in self._instance.get_runs(statuses="STARTING"):
            self._look_at_start(run, now)
        self._free_places()
        self._retry(now)

    def _look_at(self, run: RunRecord, now: float) -> None:
        """End a run that has fallen silent; one that never told that it lives does not have to."""
        limit = self._settings.heartbeat_limit
        if run.heartbeat is not None and is_gone(run, now, limit):
            message = f"the process of the run died: it was last heard of {now - run.heartbeat:.0f} s ago"
            end_run(self._instance, run.run_id, message, now)

    def _look_at_start(self, run: RunRecord, now: float) -> None:
        """Let a run wait again whose process did not come: the daemon that was to start it may be dead."""
        events = self._instance.get_event_records(run_id=run.run_id, event_types="RUN_STARTING")
        last = max([run.heartbeat or run.created, *(event.timestamp for event in events)])
        if now - last <= self._settings.start_limit:
            return
        if len(events) >= self._settings.start_attempts:
            end_run(self._instance, run.run_id, f"the run did not begin, and was started {len(events)} times", now)
        else:
            again = Event(
                "RUN_ENQUEUED", run.run_id, now, message=f"the run did not begin in {now - last:.0f} s, and waits again"
            )
            self._instance.event_log.store_events_if(run.run_id, _STARTING, [again])

    def _free_places(self) -> None:
        """Give back the places in pools of runs that are over."""
        log = self._instance.event_log
        for run_id in {slot.run_id for slot in log.get_slots()}:
            run = log.get_run(run_id)
            if run is None or run.ended is not None:
                log.free_slots(run_id)

    def _retry(self, now: float) -> None:
        found, cursor = self._newly_failed(now)
        if failed := [run for run in found if MAX_RETRIES_TAG in run.tags]:
            self._retry_those(failed, now)
        self._cursor = cursor  # only now: the record may have been out of reach

    def _retry_those(self, failed: Sequence[RunRecord], now: float) -> None:
        log = self._instance.event_log
        known = {run.run_key for run in log.get_runs(RunFilter(run_keys=[retry_key(run) for run in failed]))}
        retries = (
            retry_of(run, self._instance.get_event_records(run_id=run.run_id), now)
            for run in failed
            if retry_key(run) not in known
        )
        if wanted := [run for run in retries if run is not None]:
            log.add_runs(wanted)

    def _newly_failed(self, now: float) -> tuple[list[RunRecord], int | None]:
        """The runs that failed since the last round, at first those of a while before; and how far the record was read."""
        if self._cursor is None:
            last = self._instance.get_event_records(limit=1, ascending=False)
            runs = self._instance.get_runs(statuses="FAILURE", limit=_LOOKED_BACK)
            recent = [run for run in runs if run.ended is not None and run.ended >= now - self._settings.retry_window]
            return recent, last[0].storage_id if last else 0
        events = self._instance.get_event_records(event_types="RUN_FAILURE", after=self._cursor)
        found = (self._instance.get_run_by_id(event.run_id) for event in events)
        return [run for run in found if run is not None], events[-1].storage_id if events else self._cursor
