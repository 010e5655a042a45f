"""What people ask of runs, and have done with them: `Runs`, which commands and pages ask."""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Literal, TypeAlias

from warehouse_assets.automation.processes import RunProcesses
from warehouse_assets.automation.reruns import rerun
from warehouse_assets.errors import RunNotFoundError, RunTakenError
from warehouse_assets.events import ErrorInfo, Event, EventType, RunRecord, RunStatus
from warehouse_assets.execution.capture import Stream, log_file
from warehouse_assets.execution.heartbeat import have_it_look

if TYPE_CHECKING:
    from warehouse_assets.instance import Instance

__all__ = ["Cancellation", "Printed", "Runs", "StepSummary", "steps_of"]

Cancellation: TypeAlias = Literal["canceled", "canceling", "over"]
_QUEUED: tuple[RunStatus, ...] = ("QUEUED",)
_RUNNING: tuple[RunStatus, ...] = ("STARTING", "STARTED")
_OVER: tuple[RunStatus, ...] = ("SUCCESS", "FAILURE", "CANCELED")
_ENDS: Mapping[EventType, str] = {
    "STEP_SUCCESS": "success",
    "STEP_FAILURE": "failure",
    "STEP_SKIPPED": "skipped",
    "STEP_UP_TO_DATE": "fresh",
    "STEP_UP_FOR_RETRY": "retrying",
}
_SEARCHED = 10_000


@dataclass(frozen=True, slots=True)
class StepSummary:
    """How a step of a run went, or how far it has come. Times are seconds since the epoch.

    `status` is running, retrying, success, failure, skipped, fresh, or stopped for one that a run left behind.
    """

    key: str
    status: str
    started: float | None = None
    ended: float | None = None
    attempts: int = 0
    message: str | None = None
    error: ErrorInfo | None = field(default=None, repr=False)


@dataclass(frozen=True, slots=True)
class Printed:
    """What a step printed, or the process of the run where `step_key` is None: whole lines, unless the run is over."""

    step_key: str | None
    stream: Stream
    text: str


def steps_of(events: Iterable[Event], *, over: bool = False) -> list[StepSummary]:
    """The steps that the events of a run tell of, in the order in which they began; `over` is whether nothing runs any more.

    >>> steps_of([Event("STEP_START", "r1", 1.0, "orders"), Event("STEP_SUCCESS", "r1", 3.5, "orders")])
    [StepSummary(key='orders', status='success', started=1.0, ended=3.5, attempts=1, message=None)]
    """
    steps: dict[str, StepSummary] = {}
    for event in events:
        if (key := event.step_key) is None:
            continue
        if event.event_type == "STEP_START":
            step = steps.get(key, StepSummary(key, "running", event.timestamp))
            steps[key] = replace(step, status="running", ended=None, attempts=step.attempts + 1)
        elif (status := _ENDS.get(event.event_type)) is not None:
            step = steps.get(key, StepSummary(key, status))
            steps[key] = replace(step, status=status, ended=event.timestamp, message=event.message, error=event.error)
    if over:
        return [replace(step, status="stopped") if step.status in ("running", "retrying") else step for step in steps.values()]
    return list(steps.values())


class Runs:
    """The runs of an instance, as people ask for them: by an id, or by as many letters of it as only one has."""

    def __init__(self, instance: Instance) -> None:
        self._instance = instance

    def find(self, text: str) -> RunRecord:
        """The run that a person names; RunNotFoundError where there is none, or several begin so."""
        if run := self._instance.get_run_by_id(text):
            return run
        found = [run for run in self._instance.get_runs(limit=_SEARCHED) if text and run.run_id.startswith(text)]
        if len(found) == 1:
            return found[0]
        if found:
            names = ", ".join(run.run_id for run in found[:5])
            raise RunNotFoundError(f"{len(found)} runs begin with {text!r}: {names}", hint="Give more of the id.")
        raise RunNotFoundError(f"no run {text!r} is recorded", hint="`wa runs list` shows those that are.")

    def recent(
        self,
        *,
        statuses: Collection[RunStatus] = (),
        job_name: str | None = None,
        tags: Mapping[str, str] | None = None,
        limit: int | None = None,
    ) -> list[RunRecord]:
        """Runs, the last one first."""
        return self._instance.get_runs(statuses=statuses, job_name=job_name, tags=tags, limit=limit)

    def steps(self, run: RunRecord) -> list[StepSummary]:
        """How the steps of a run went."""
        types: tuple[EventType, ...] = ("STEP_START", *_ENDS)
        events = self._instance.get_event_records(run_id=run.run_id, event_types=types)
        return steps_of(events, over=run.status in _OVER)

    def error(self, run: RunRecord) -> str | None:
        """Why a run failed or was canceled, in a line."""
        types: tuple[EventType, ...] = ("RUN_FAILURE", "RUN_CANCELED")
        events = self._instance.get_event_records(run_id=run.run_id, event_types=types, limit=1, ascending=False)
        return events[0].message if events else None

    def cancel(self, run: RunRecord) -> Cancellation:
        """Cancel a run that waits, have one that runs come to its end, and leave one that is over alone."""
        log, now = self._instance.event_log, time.time()
        canceled = Event("RUN_CANCELED", run.run_id, now, message="canceled before it began")
        if log.store_events_if(run.run_id, _QUEUED, [canceled]):
            return "canceled"
        if log.store_events_if(run.run_id, _RUNNING, [Event("RUN_CANCELING", run.run_id, now)]):
            have_it_look(self._instance, run.run_id)
            return "canceling"
        return "canceling" if self._instance.get_run_record(run.run_id).status == "CANCELING" else "over"

    def rerun(self, run: RunRecord, *, from_failure: bool = False, tags: Mapping[str, str] | None = None) -> RunRecord:
        """Have a run that is over done again, or what it left undone; see `reruns.rerun`."""
        return rerun(self._instance, run.run_id, from_failure=from_failure, tags=tags)

    def start(self, run: RunRecord) -> None:
        """Start the process of a run that waits, whatever the queue holds; RunTakenError where it does not wait any more."""
        now = time.time()
        if not self._instance.event_log.store_events_if(run.run_id, _QUEUED, [Event("RUN_STARTING", run.run_id, now)]):
            raise RunTakenError(f"run {run.run_id!r} does not wait to be started")
        processes = RunProcesses(self._instance)
        processes.start(run, now)
        processes.close()

    def printed(self, run: RunRecord, step_key: str | None = None) -> list[Printed]:
        """What a run printed, or one step of it: first the process, then its steps in the order in which they began."""
        return list(_Output(self._instance, run.run_id, step_key).read(whole=True))

    def follow(
        self,
        run: RunRecord,
        step_key: str | None = None,
        *,
        after: int | None = None,
        wait: bool = True,
        sleep: Callable[[float], None] = time.sleep,
    ) -> Iterator[Event | Printed]:
        """The events of a run, or of one step, and what was printed; with `wait` as they come, until the run is over.

        `after` is the storage id of the last event that is known.
        """
        output = _Output(self._instance, run.run_id, step_key)
        while True:
            over = not wait or self._instance.get_run_record(run.run_id).status in _OVER
            for event in self._instance.get_event_records(run_id=run.run_id, after=after):
                after = event.storage_id
                output.know(event.step_key)
                if step_key is None or event.step_key == step_key:
                    yield event
            yield from output.read(whole=over)
            if over:
                return
            sleep(0.3)


class _Output:
    """The files that a run prints to, read as they grow."""

    def __init__(self, instance: Instance, run_id: str, step_key: str | None) -> None:
        self._folder = instance.folder
        self._run_id = run_id
        self._offsets: dict[str, int] = {}
        self._names: dict[str, tuple[str | None, Stream]] = {}
        self._only = step_key
        self.know(step_key)
        if step_key is None:
            self._know_steps(instance)

    def know(self, step_key: str | None) -> None:
        """Read the files of this step from now on."""
        if self._only is not None and step_key != self._only:
            return
        for stream in ("out", "err"):
            place = log_file(self._folder, self._run_id, step_key, stream)
            self._names.setdefault(place.name, (step_key, stream))

    def _know_steps(self, instance: Instance) -> None:
        for event in instance.get_event_records(run_id=self._run_id, event_types="STEP_START"):
            self.know(event.step_key)

    def read(self, *, whole: bool) -> Iterator[Printed]:
        """What came since, in whole lines, or all of it."""
        folder = log_file(self._folder, self._run_id, None, "out").parent
        there = {entry.name: entry for entry in folder.iterdir()} if folder.is_dir() else {}
        for name, (step_key, stream) in self._names.items():
            begin = self._offsets.get(name, 0)
            if name not in there or there[name].stat().st_size <= begin:
                continue
            with there[name].open("rb") as file:
                file.seek(begin)
                data = file.read()
            if not whole:
                data = data[: data.rfind(b"\n") + 1]
            if data:
                self._offsets[name] = begin + len(data)
                yield Printed(step_key, stream, data.decode(errors="replace"))
