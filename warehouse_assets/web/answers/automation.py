"""Schedules, sensors and automation conditions of a code location: how they stand, switching them, and what they would ask for."""

from __future__ import annotations

import time
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import msgspec

from warehouse_assets.errors import InvalidInvocationError
from warehouse_assets.events import CodeLocation
from warehouse_assets.keys import AssetKey
from warehouse_assets.web.answers.record import the_instance

if TYPE_CHECKING:
    from warehouse_assets.automation.instigators import Instigator
    from warehouse_assets.code_location.definitions import Definitions

__all__ = [
    "Explained",
    "Instigators",
    "JobFacts",
    "Jobs",
    "Shown",
    "Switched",
    "Tried",
    "Which",
    "explain",
    "instigators",
    "jobs",
    "switch",
    "try_now",
]

NEXT = 5


class Which(msgspec.Struct, frozen=True, omit_defaults=True):
    """A schedule or sensor; `on` is what it is to be, `cursor` what its next evaluation is to begin with ("": anew)."""

    location: CodeLocation
    name: str = ""
    on: bool | None = None
    cursor: str | None = None
    key: tuple[str, ...] = ()


class Shown(msgspec.Struct, frozen=True, omit_defaults=True):
    """A schedule, sensor or condition sensor as people see it; times are seconds since the epoch.

    `crons` are those of a schedule, by the clock of `zone`; `keys` the assets whose conditions are evaluated.
    """

    name: str
    origin: str
    kind: str
    is_on: bool
    runs: str
    when: str
    zone: str = ""
    description: str | None = None
    cursor: str | None = None
    next_ticks: tuple[float, ...] = ()
    crons: tuple[str, ...] = ()
    keys: tuple[tuple[str, ...], ...] = ()


class Instigators(msgspec.Struct, frozen=True):
    """All of a code location, by name."""

    found: tuple[Shown, ...]


class Switched(msgspec.Struct, frozen=True):
    """Whether it is on now."""

    is_on: bool


class Tried(msgspec.Struct, frozen=True, omit_defaults=True):
    """What an evaluation would ask for now: assets or a job for each run, or why for none; a run whose key is in `known` is not made again."""

    runs: tuple[str, ...] = ()
    keys: tuple[str, ...] = ()
    known: tuple[str, ...] = ()
    skip_message: str | None = None
    error: str | None = None
    stack: str = ""
    cursor: str | None = None


class Explained(msgspec.Struct, frozen=True):
    """Whether a condition asks for an asset now; each line is a part of it, and whether that is true."""

    requested: bool
    lines: tuple[tuple[bool, str], ...]


class JobFacts(msgspec.Struct, frozen=True, omit_defaults=True):
    """A job, what it selects, and the schedules and sensors that start it."""

    name: str
    selection: str
    keys: tuple[tuple[str, ...], ...]
    description: str | None = None
    started_by: tuple[str, ...] = ()
    tags: dict[str, str] = {}
    partitions: str | None = None


class Jobs(msgspec.Struct, frozen=True):
    """The jobs of a code location."""

    found: tuple[JobFacts, ...]


def instigators(definitions: Definitions, request: Which) -> Instigators:
    """All schedules, sensors and condition sensors."""
    from warehouse_assets.automation.conditions import declared_sensors
    from warehouse_assets.automation.instigators import instigators_of

    found = sorted(instigators_of(definitions, request.location), key=lambda one: one.declared.name)
    conditions = {one.name: tuple(key.path for key in sorted(keys)) for one, keys in declared_sensors(definitions)}
    return Instigators(tuple(_shown(one, conditions.get(one.declared.name, ())) for one in found))


def switch(definitions: Definitions, request: Which) -> Switched:
    """Switch one on or off, or have its next evaluation begin with another cursor."""
    from warehouse_assets.automation.instigators import started, stopped

    one, instance = _wanted(definitions, request), the_instance()
    if request.cursor is not None:
        state = replace(one.state(instance), cursor=request.cursor or None)
        if not instance.event_log.set_instigator(state):
            raise InvalidInvocationError(f"{request.name} was evaluated in this moment", hint="Try again.")
    if request.on is not None and request.on:
        started(instance, one, time.time())
    elif request.on is not None:
        stopped(instance, one)
    return Switched(one.state(instance).status == "RUNNING")


def try_now(definitions: Definitions, request: Which) -> Tried:
    """What it would ask for now; nothing is recorded. A condition sensor is asked asset by asset, with `explain`."""
    from warehouse_assets.automation.evaluation import TickRequest, evaluate_here
    from warehouse_assets.instance.event_log import RunFilter

    one, instance, now = _wanted(definitions, request), the_instance(), time.time()
    if one.kind == "automation":
        raise InvalidInvocationError(f"{request.name} evaluates conditions", hint="Ask for the condition of one asset.")
    state = one.state(instance)
    answer = evaluate_here(
        definitions, one.location, instance, TickRequest(one.kind, one.declared.name, now, state.cursor, state.last_scheduled)
    )
    if answer.error is not None:
        return Tried(error=f"{answer.error.cls_name}: {answer.error.message}", stack=answer.error.stack)
    keys = [run.run_key or "" for run in answer.runs]
    known = instance.event_log.get_runs(RunFilter(run_keys=set(keys) - {""})) if any(keys) else ()
    return Tried(
        tuple(run.job_name or ", ".join(key.to_user_string() for key in run.asset_keys[:6]) for run in answer.runs),
        tuple(keys),
        tuple(run.run_key for run in known if run.run_key is not None),
        answer.skip_message,
        cursor=answer.cursor,
    )


def explain(definitions: Definitions, request: Which) -> Explained:
    """Why the condition of an asset asks for it now, or does not."""
    from warehouse_assets.automation.condition_text import result_lines
    from warehouse_assets.automation.conditions import condition_sensors, sensor_of

    key, instance = AssetKey(request.key), the_instance()
    found = sensor_of(key, condition_sensors(definitions, request.location, instance), definitions.graph)
    evaluation = found.evaluate(time.time(), found.state, explain=[key])
    lines = result_lines(evaluation.results[key], key.to_user_string())
    return Explained(bool(evaluation.requested.get(key)), tuple(lines))


def jobs(definitions: Definitions, request: Which) -> Jobs:
    """All jobs."""
    from warehouse_assets.graph.selection import AssetSelection

    starters: dict[str, list[str]] = {}
    declared: Any
    for declared in (*definitions.schedules, *definitions.sensors):
        for target in (getattr(declared, "target", None), *getattr(declared, "jobs", ())):
            if target is not None and target.job_name is not None:
                starters.setdefault(target.job_name, []).append(declared.name)
    found = []
    for declared in definitions.jobs:
        job = definitions.get_job_def(declared.name)
        keys = tuple(key.path for key in definitions.graph.order if key in job.asset_keys)
        partitions = str(job.partitions_def) if job.partitions_def is not None else None
        selection = str(AssetSelection.of(declared.selection))
        starts = tuple(starters.get(declared.name, ()))
        found.append(JobFacts(declared.name, selection, keys, job.description, starts, dict(job.run_tags), partitions))
    return Jobs(tuple(found))


def _wanted(definitions: Definitions, request: Which) -> Instigator:
    from warehouse_assets.automation.instigators import instigators_of
    from warehouse_assets.errors import InvalidSelectionError, close_matches

    found = {one.declared.name: one for one in instigators_of(definitions, request.location)}
    if request.name not in found:
        hint = close_matches(request.name, list(found)) or None
        raise InvalidSelectionError(f"there is no schedule or sensor {request.name!r}", hint=hint)
    return found[request.name]


def _shown(one: Instigator, keys: tuple[tuple[str, ...], ...]) -> Shown:
    from warehouse_assets.automation.previews import next_times, view_of
    from warehouse_assets.definitions.schedule import ScheduleDefinition

    now, declared = time.time(), one.declared
    view = view_of(one, the_instance(), now)
    times: tuple[float, ...] = ()
    zone = ""
    crons: tuple[str, ...] = ()
    if isinstance(declared, ScheduleDefinition):
        times = tuple(moment.timestamp() for moment in next_times(declared, now, NEXT))
        zone, crons = str(declared.execution_timezone), tuple(declared.cron_schedules)
    return Shown(
        view.name,
        view.origin,
        view.kind,
        view.status == "RUNNING",
        view.runs,
        view.when,
        zone,
        view.description,
        view.cursor,
        times,
        crons,
        keys,
    )
