"""One evaluation of a schedule or sensor: what it is asked, what it answers, and how the runs that it asks for become records."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from warehouse_assets.automation.submission import run_for
from warehouse_assets.automation_records import InstigatorKind
from warehouse_assets.definitions.run_requests import (
    AddDynamicPartitionsRequest,
    DeleteDynamicPartitionsRequest,
    RunRequest,
    SkipReason,
)
from warehouse_assets.errors import InvalidInvocationError
from warehouse_assets.events import CodeLocation, ErrorInfo, RunRecord, event_data_from_json, event_data_to_json
from warehouse_assets.instance.codec import run_body, run_from_body

if TYPE_CHECKING:
    from warehouse_assets.code_location.definitions import Definitions
    from warehouse_assets.instance import Instance

__all__ = ["SCHEDULE_TAG", "SENSOR_TAG", "TICK_TAG", "TickAnswer", "TickRequest", "evaluate_here", "origin_of"]

SCHEDULE_TAG = "warehouse_assets/schedule_name"
SENSOR_TAG = "warehouse_assets/sensor_name"
TICK_TAG = "warehouse_assets/scheduled_execution_time"


def origin_of(location: CodeLocation, name: str) -> str:
    """The name of a schedule or sensor in the whole workspace."""
    return f"{location.name}:{name}"


@dataclass(frozen=True, slots=True)
class TickRequest:
    """Which schedule or sensor is evaluated, and for which time (seconds since the epoch) or from which cursor on."""

    kind: InstigatorKind
    name: str
    scheduled: float
    cursor: str | None = None
    last_tick: float | None = None

    def to_json(self) -> str:
        """As a line of text."""
        return json.dumps([self.kind, self.name, self.scheduled, self.cursor, self.last_tick])

    @classmethod
    def from_json(cls, text: str) -> TickRequest:
        """What `to_json` wrote."""
        return cls(*json.loads(text))


@dataclass(frozen=True, slots=True)
class TickAnswer:
    """The runs that are asked for, or why there are none; or the error that user code raised, which leaves all as it was."""

    runs: tuple[RunRecord, ...] = ()
    skip_message: str | None = None
    cursor: str | None = None
    error: ErrorInfo | None = None

    def to_json(self) -> str:
        """As a line of text."""
        runs = [(run.run_id, run.created, run.job_name, run.run_key, run_body(run)) for run in self.runs]
        error = None if self.error is None else event_data_to_json(self.error)
        return json.dumps([runs, self.skip_message, self.cursor, error])

    @classmethod
    def from_json(cls, text: str) -> TickAnswer:
        """What `to_json` wrote."""
        runs, skip_message, cursor, error = json.loads(text)
        records = [
            run_from_body(run_id, "QUEUED", created, None, None, job_name, run_key, None, body)
            for run_id, created, job_name, run_key, body in runs
        ]
        found: Any = None if error is None else event_data_from_json("LOG", error)
        return cls(tuple(records), skip_message, cursor, found)


def evaluate_here(definitions: Definitions, location: CodeLocation, instance: Instance, request: TickRequest) -> TickAnswer:
    """Call the function of a schedule or sensor in this process, and have its runs checked as they will run. Nothing is stored."""
    try:
        return _evaluated(definitions, location, instance, request)
    except BaseException as error:
        if isinstance(error, KeyboardInterrupt):
            raise
        return TickAnswer(cursor=request.cursor, error=ErrorInfo.of(error))


def _evaluated(definitions: Definitions, location: CodeLocation, instance: Instance, request: TickRequest) -> TickAnswer:
    from warehouse_assets.execution.automation_contexts import build_schedule_context, build_sensor_context

    with ExitStack() as stack:
        shared: dict[str, Any] = {"instance": instance, "definitions": definitions}
        if request.kind == "schedule":
            schedule = definitions.get_schedule_def(request.name)
            time = schedule.local_time(request.scheduled)
            resources = _needed(definitions, schedule.required_resource_keys)
            context = build_schedule_context(scheduled_execution_time=time, resources=resources, **shared)
            stack.callback(context.resources._close)
            answer = schedule.evaluate_tick(context)
            tags = {SCHEDULE_TAG: schedule.name, TICK_TAG: time.isoformat()}
            if isinstance(answer, SkipReason):
                return TickAnswer(skip_message=answer.skip_message)
            return TickAnswer(_records(definitions, location, instance, schedule, request, answer, tags))
        sensor = definitions.get_sensor_def(request.name)
        resources = _needed(definitions, sensor.required_resource_keys)
        looking = build_sensor_context(cursor=request.cursor, last_tick_time=request.last_tick, resources=resources, **shared)
        stack.callback(looking.resources._close)
        found = sensor.evaluate_tick(looking)
        for change in found.dynamic_partitions_requests:  # first, since the runs may be of these partitions
            _change_partitions(instance, change)
        runs = _records(definitions, location, instance, sensor, request, found.run_requests, {SENSOR_TAG: sensor.name})
        return TickAnswer(runs, found.skip_message, found.cursor)


def _needed(definitions: Definitions, names: Iterable[str]) -> dict[str, Any]:
    return {name: definitions.resources[name] for name in names if name in definitions.resources}


def _records(
    definitions: Definitions,
    location: CodeLocation,
    instance: Instance,
    instigator: Any,
    request: TickRequest,
    asked: Iterable[RunRequest],
    tags: Mapping[str, str],
) -> tuple[RunRecord, ...]:
    """The records of the runs. Those of a schedule without keys are told by the time of the tick: it has each of them once, ever."""
    origin = origin_of(location, instigator.name)
    records = []
    for number, one in enumerate(asked):
        key = one.run_key
        if key is None and request.kind == "schedule":
            key = f"{request.scheduled:.0f}" + (f"/{number}" if number else "")
        record = run_for(
            definitions,
            location,
            **_target(instigator, one),
            partition_key=one.partition_key,
            run_config=one.run_config,
            tags={**one.tags, **tags},
            run_key=None if key is None else f"{origin}:{key}",
            instance=instance,
        )
        records.append(record)
    return tuple(records)


def _target(instigator: Any, request: RunRequest) -> dict[str, Any]:
    """What a request runs: its job, or what the schedule or sensor is for."""
    own = instigator.target
    names = [target.job_name for target in getattr(instigator, "jobs", ())]
    if request.job_name is not None:
        known = [*names, *([own.job_name] if own is not None and own.job_name else [])]
        if known and request.job_name not in known:
            raise InvalidInvocationError(
                f"{instigator.name!r} asks for the job {request.job_name!r}", hint=f"It was declared for {', '.join(known)}."
            )
        return {"job_name": request.job_name, "selection": request.asset_selection}
    if own is None and len(names) == 1:
        return {"job_name": names[0], "selection": request.asset_selection}
    if own is not None and own.job_name is not None:
        return {"job_name": own.job_name, "selection": request.asset_selection}
    if own is not None:
        return {"selection": own.selection if request.asset_selection is None else request.asset_selection}
    if request.asset_selection is not None and not names:
        return {"selection": request.asset_selection}
    hint = f"Name one of {', '.join(names)}: RunRequest(job_name=…)." if names else "Declare it with target=, job= or jobs=."
    raise InvalidInvocationError(f"{instigator.name!r} asks for a run, and of what is not clear", hint=hint)


def _change_partitions(instance: Instance, change: AddDynamicPartitionsRequest | DeleteDynamicPartitionsRequest) -> None:
    if isinstance(change, AddDynamicPartitionsRequest):
        instance.add_dynamic_partitions(change.partitions_def_name, change.partition_keys)
        return
    for key in change.partition_keys:
        instance.delete_dynamic_partition(change.partitions_def_name, key)


def failed(request: TickRequest, error: ErrorInfo) -> TickAnswer:
    """The answer of an evaluation that did not come to an end."""
    return TickAnswer(cursor=request.cursor, error=error)
