"""The events of a run, in the words of OpenLineage."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Literal, TypeAlias

from openlineage.client.event_v2 import Job, Run, RunEvent, RunState
from openlineage.client.facet_v2 import parent_run
from openlineage.client.uuid import generate_static_uuid

from warehouse_assets.events import AssetCheckEvaluation, AssetMaterialization, Event
from warehouse_assets.keys import AssetKey
from warehouse_assets.telemetry.datasets import DatasetName
from warehouse_assets.telemetry.facets import (
    PRODUCER,
    error_facet,
    input_dataset,
    job_facets,
    job_type,
    output_dataset,
    query_facet,
    run_facets,
)
from warehouse_assets.telemetry.watched import WatchedRun

__all__ = ["RunEvents", "State", "ToldStep"]

State: TypeAlias = Literal["START", "COMPLETE", "FAIL", "ABORT"]


@dataclass(frozen=True, slots=True)
class ToldStep:
    """What is to be told of a step: `reads` and `writes` with the names of their datasets, and the `events` since it began."""

    state: State
    event: Event
    key: str
    reads: dict[AssetKey, DatasetName]
    writes: dict[AssetKey, DatasetName]
    dialect: str | None = None
    events: Sequence[Event] = ()


class RunEvents:
    """Makes the events of a run, in the thread that sends them."""

    def __init__(self, watched: WatchedRun, namespace: str) -> None:
        self._watched = watched
        self._namespace = namespace

    def of_run(self, state: State, event: Event) -> Iterator[RunEvent]:
        """What is told of the run as a whole."""
        more = run_facets(self._watched.run.tags)
        if state == "FAIL":
            more.update(error_facet(event.message or "the run failed", event.error))
        yield self._event(state, event, self._run("", more), self._job(self._watched.name, job_type("JOB")))

    def of_step(self, told: ToldStep) -> Iterator[RunEvent]:
        """What is told of a step, and of the checks that it evaluated of its own tables."""
        nodes = self._watched.graph.nodes
        more = self._parent()
        if told.state == "FAIL":
            more.update(error_facet(told.event.message or "the step failed", told.event.error))
        made = {done.asset_key: done for each in told.events if (done := each.asset_materialization) is not None}
        checks = [check for each in told.events if (check := each.asset_check_evaluation) is not None]
        inputs = [input_dataset(nodes.get(key), name, _of(checks, key)) for key, name in told.reads.items()]
        names = {**told.reads, **told.writes}
        outputs = [
            output_dataset(nodes[key], name, made.get(key), lambda other: names.get(other) or self._unplaced(other))
            for key, name in told.writes.items()
        ]
        run, job = self._run(told.key, more), self._job(told.key, self._about(told, made))
        yield self._event(told.state, told.event, run, job, inputs, outputs)
        checked = [(key, name, own) for key, name in told.writes.items() if (own := _of(checks, key))]
        if checked:
            yield from self._of_checks(told, [input_dataset(nodes[key], name, own) for key, name, own in checked])

    def _about(self, told: ToldStep, made: Mapping[AssetKey, AssetMaterialization]) -> dict[str, Any]:
        """What is said of the job of a step: of its first asset, where it makes several."""
        if not told.writes:
            return job_type("CHECK")
        first = next(iter(told.writes))
        about = {**job_type("ASSET"), **job_facets(self._watched.graph.nodes[first], told.dialect)}
        if "sql" not in about and first in made:
            about.update(query_facet(made[first], told.dialect))
        return about

    def _of_checks(self, told: ToldStep, inputs: Sequence[Any]) -> Iterator[RunEvent]:
        """The checks of the tables that a step made, as a job of their own that reads them: only inputs have assertions."""
        run, job = self._run(f"{told.key} checks", self._parent()), self._job(f"{told.key}.checks", job_type("CHECK"))
        yield self._event("START", told.event, run, job, inputs)
        yield self._event("COMPLETE", told.event, run, job, inputs)

    def _event(
        self, state: State, event: Event, run: Run, job: Job, inputs: Iterable[Any] = (), outputs: Iterable[Any] = ()
    ) -> RunEvent:
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
        return Run(self._run_id(step), facets)

    def _run_id(self, step: str) -> str:
        """The id of the run, or of a step of it, as OpenLineage wants it: equal for all events of one, and in the order of time."""
        run = self._watched.run
        created = datetime.fromtimestamp(run.created, UTC)
        return str(generate_static_uuid(created, f"{run.run_id}/{step}".encode()))

    def _job(self, name: str, facets: dict[str, Any]) -> Job:
        return Job(self._namespace, name, facets)

    def _parent(self) -> dict[str, Any]:
        own = self._run_id("")
        job = self._namespace, self._watched.name
        root = parent_run.Root(run=parent_run.RootRun(own), job=parent_run.RootJob(*job))
        facet = parent_run.ParentRunFacet(run=parent_run.Run(own), job=parent_run.Job(*job), root=root, producer=PRODUCER)
        return {"parent": facet}

    def _unplaced(self, key: AssetKey) -> DatasetName:
        return DatasetName(self._namespace, key.to_user_string())


def _of(checks: Iterable[AssetCheckEvaluation], key: AssetKey) -> list[AssetCheckEvaluation]:
    return [check for check in checks if check.asset_key == key]
