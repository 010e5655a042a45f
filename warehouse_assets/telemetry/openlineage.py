"""OpenLineage: a run, each of its steps, and the checks of each, as events for catalogs of data."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

from warehouse_assets.errors import ExtraRequiredError
from warehouse_assets.events import Event, EventType
from warehouse_assets.io_manager.powers import NamesTables
from warehouse_assets.keys import AssetKey
from warehouse_assets.telemetry.datasets import DatasetName, dataset_name
from warehouse_assets.telemetry.delivery import Delivery
from warehouse_assets.telemetry.watched import WatchedRun

if TYPE_CHECKING:
    from openlineage.client.event_v2 import Job, Run, RunEvent

__all__ = ["NAMESPACE_VARIABLE", "LineageEvents", "delivery_by"]

NAMESPACE_VARIABLE = "OPENLINEAGE_NAMESPACE"
NAMESPACE = "warehouse-assets"

State: TypeAlias = Literal["START", "COMPLETE", "FAIL", "ABORT"]

_RUN_STATES: dict[EventType, State] = {
    "RUN_START": "START",
    "RUN_SUCCESS": "COMPLETE",
    "RUN_FAILURE": "FAIL",
    "RUN_CANCELED": "ABORT",
}
_STEP_STATES: dict[EventType, State] = {
    "STEP_SUCCESS": "COMPLETE",
    "STEP_UP_TO_DATE": "COMPLETE",
    "STEP_FAILURE": "FAIL",
}


@lru_cache(maxsize=1)
def _own_delivery() -> Delivery:
    return Delivery("OpenLineage events", _connect)


def delivery_by(client: Any) -> Delivery:
    """What sends events by a client, or, where that is true, by the one that OpenLineage's own configuration gives.

    ExtraRequiredError where OpenLineage is not installed.
    """
    try:
        import warehouse_assets.telemetry.facets  # noqa: F401 - here, as a thread cannot import all of it once the process ends
    except ImportError:
        raise ExtraRequiredError.of("openlineage-python", "openlineage", "telling OpenLineage of runs") from None
    return _own_delivery() if client is True else _delivery_of(client)


@lru_cache(maxsize=8)
def _delivery_of(client: Any) -> Delivery:
    return Delivery("OpenLineage events", lambda: client.emit)


def _connect() -> Callable[[Any], None]:
    from openlineage.client import OpenLineageClient

    return OpenLineageClient().emit


@dataclass(frozen=True, slots=True)
class _Told:
    """What is to be told of a step: `reads` and `writes` with the names of their datasets, and the `events` since it began."""

    state: State
    event: Event
    key: str
    reads: dict[AssetKey, DatasetName]
    writes: dict[AssetKey, DatasetName]
    dialect: str | None = None
    events: Sequence[Event] = ()


class LineageEvents:
    """A listener that tells OpenLineage of a run; the events are made and sent by another thread."""

    def __init__(self, watched: WatchedRun, delivery: Delivery) -> None:
        self._watched = watched
        self._delivery = delivery
        self._open: dict[str, list[Event]] = {}
        self._namespace = os.environ.get(NAMESPACE_VARIABLE) or NAMESPACE

    def __call__(self, event: Event) -> None:
        try:
            self._take(event)
        except Exception as error:  # noqa: BLE001 - a place that cannot be told is no reason for a run to fail
            self._delivery.complain(error)

    def _take(self, event: Event) -> None:
        step = event.step_key
        if step is None:
            if state := _RUN_STATES.get(event.event_type):
                self._tell_run(state, event)
        elif event.event_type == "STEP_START":
            if step not in self._open:  # and not another attempt
                self._open[step] = []
                self._tell_step("START", event, step, ())
        elif state := _STEP_STATES.get(event.event_type):
            self._tell_step(state, event, step, self._open.pop(step, ()))
        elif event.data is not None and step in self._open:
            self._open[step].append(event)

    def _tell_run(self, state: State, event: Event) -> None:
        for key in list(self._open):  # which were running as it ended
            self._tell_step("ABORT", event, key, self._open.pop(key))
        self._delivery.put(lambda: _Events(self._watched, self._namespace).of_run(state, event))

    def _tell_step(self, state: State, event: Event, key: str, events: Sequence[Event]) -> None:
        graph = self._watched.graph
        written = self._watched.makes.get(key, ())
        checked = [found.asset_key for each in events if (found := each.asset_check_evaluation) is not None]
        read = dict.fromkeys(parent for made in written for parent in graph.nodes[made].parents if parent not in written)
        read.update(dict.fromkeys(other for other in checked if other not in written))
        manager = self._watched.manager(written[0]) if written else None
        told = _Told(
            state,
            event,
            key,
            {other: self._name(other) for other in read},
            {other: self._name(other) for other in written},
            manager.sql_naming().dialect if isinstance(manager, NamesTables) else None,
            events,
        )
        self._delivery.put(lambda: _Events(self._watched, self._namespace).of_step(told))

    def _name(self, key: AssetKey) -> DatasetName:
        node = self._watched.graph.nodes.get(key)
        if node is None:
            return DatasetName(self._namespace, key.to_user_string())
        manager = None if node.is_stub and node.spec.io_manager_key is None else self._watched.manager(key)
        return dataset_name(manager, key, node.spec.metadata, self._namespace)


class _Events:
    """Makes the events of a run, in the words of OpenLineage; for the thread that sends them."""

    def __init__(self, watched: WatchedRun, namespace: str) -> None:
        self._watched = watched
        self._namespace = namespace

    def of_run(self, state: State, event: Event) -> Iterator[RunEvent]:
        from warehouse_assets.telemetry.facets import error_facet, job_type, run_facets

        more = run_facets(self._watched.run.tags)
        if state == "FAIL":
            more.update(error_facet(event.message or "the run failed", event.error))
        yield self._event(state, event, self._run("", more), self._job(self._watched.name, job_type("JOB")))

    def of_step(self, told: _Told) -> Iterator[RunEvent]:
        from warehouse_assets.telemetry.facets import (
            error_facet,
            input_dataset,
            job_facets,
            job_type,
            output_dataset,
            query_facet,
        )

        nodes = self._watched.graph.nodes
        more = self._parent()
        if told.state == "FAIL":
            more.update(error_facet(told.event.message or "the step failed", told.event.error))
        made = {each.asset_key: each.asset_materialization for each in told.events}
        checks = [check for each in told.events if (check := each.asset_check_evaluation) is not None]
        about = job_type("ASSET" if told.writes else "CHECK")
        if told.writes:
            first = next(iter(told.writes))
            about.update(job_facets(nodes[first], told.dialect))
            if "sql" not in about and (found := made.get(first)) is not None:
                about.update(query_facet(found, told.dialect))
        inputs = [
            input_dataset(nodes.get(key), name, [check for check in checks if check.asset_key == key])
            for key, name in told.reads.items()
        ]
        names = {**told.reads, **told.writes}
        outputs = [
            output_dataset(nodes[key], name, made.get(key), lambda other: names.get(other) or self._unplaced(other))
            for key, name in told.writes.items()
        ]
        run, job = self._run(told.key, more), self._job(told.key, about)
        yield self._event(told.state, told.event, run, job, inputs, outputs)
        own = [check for check in checks if check.asset_key in told.writes]
        if own:
            inputs = [
                input_dataset(nodes[key], name, of)
                for key, name in told.writes.items()
                if (of := [check for check in own if check.asset_key == key])
            ]
            yield from self._of_checks(told, inputs)

    def _of_checks(self, told: _Told, inputs: Sequence[Any]) -> Iterator[RunEvent]:
        """The checks of the tables that a step made, as a job of their own that reads them: only inputs have assertions."""
        from warehouse_assets.telemetry.facets import job_type

        run, job = self._run(f"{told.key} checks", self._parent()), self._job(f"{told.key}.checks", job_type("CHECK"))
        yield self._event("START", told.event, run, job, inputs)
        yield self._event("COMPLETE", told.event, run, job, inputs)

    def _event(
        self, state: State, event: Event, run: Run, job: Job, inputs: Iterable[Any] = (), outputs: Iterable[Any] = ()
    ) -> RunEvent:
        from openlineage.client.event_v2 import RunEvent, RunState

        from warehouse_assets.telemetry.facets import PRODUCER

        return RunEvent(
            eventType=RunState(state),
            eventTime=datetime.fromtimestamp(event.timestamp, UTC).isoformat(timespec="milliseconds"),
            run=run,
            job=job,
            inputs=list(inputs),
            outputs=list(outputs),
            producer=PRODUCER,
        )

    def _run(self, step: str, facets: dict[str, Any]) -> Run:
        from openlineage.client.event_v2 import Run

        return Run(self._run_id(step), facets)

    def _run_id(self, step: str) -> str:
        """The id of the run, or of a step of it, as OpenLineage wants it: equal for all events of one, and in the order of time."""
        from openlineage.client.uuid import generate_static_uuid

        run = self._watched.run
        created = datetime.fromtimestamp(run.created, UTC)
        return str(generate_static_uuid(created, f"{run.run_id}/{step}".encode()))

    def _job(self, name: str, facets: dict[str, Any]) -> Job:
        from openlineage.client.event_v2 import Job

        return Job(self._namespace, name, facets)

    def _parent(self) -> dict[str, Any]:
        from openlineage.client.facet_v2 import parent_run

        from warehouse_assets.telemetry.facets import PRODUCER

        own = self._run_id("")
        job = self._namespace, self._watched.name
        root = parent_run.Root(run=parent_run.RootRun(own), job=parent_run.RootJob(*job))
        facet = parent_run.ParentRunFacet(run=parent_run.Run(own), job=parent_run.Job(*job), root=root, producer=PRODUCER)
        return {"parent": facet}

    def _unplaced(self, key: AssetKey) -> DatasetName:
        return DatasetName(self._namespace, key.to_user_string())
