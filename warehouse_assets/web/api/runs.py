"""Runs for programs: read, start, cancel, do again."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Query, Request
from pydantic import BaseModel, Field

from warehouse_assets.automation.runs import Cancellation, Runs
from warehouse_assets.events import RunRecord, RunStatus, event_data_to_json
from warehouse_assets.instance.event_log import EventFilter
from warehouse_assets.keys import AssetKey
from warehouse_assets.web.rendering import site_of
from warehouse_assets.web.views.launch import LaunchInput, launched
from warehouse_assets.web.views.runs import RunView, run_rows, run_view, tags_of
from warehouse_assets.web.views.timeline import Timeline, timeline

__all__ = ["router"]

router = APIRouter(prefix="/api/runs", tags=["runs"])


class Run(BaseModel):
    """A run. Times are seconds since the epoch."""

    run_id: str
    status: RunStatus
    job: str | None
    assets: list[str]
    location: str | None
    partition: str | None
    tags: dict[str, str]
    created: float
    started: float | None
    ended: float | None
    cause: str
    error: str | None

    @classmethod
    def of(cls, row: Any) -> Run:
        """A run of a list."""
        run: RunRecord = row.run
        return cls(
            run_id=run.run_id,
            status=run.status,
            job=run.job_name,
            assets=[key.to_user_string() for key in run.asset_keys],
            location=run.location.name if run.location is not None else None,
            partition=row.partition,
            tags=dict(run.tags),
            created=run.created,
            started=run.started,
            ended=run.ended,
            cause=row.cause.kind,
            error=row.error,
        )


class Step(BaseModel):
    """A step of a run: running, retrying, success, failure, skipped, fresh, or stopped."""

    key: str
    status: str
    started: float | None
    ended: float | None
    attempts: int
    message: str | None


class Made(BaseModel):
    """A table that a run made."""

    asset: str
    partition: str | None
    rows: int | None
    bytes: int | None
    event_id: int


class RunDetails(Run):
    """A run with its steps and what it made."""

    steps: list[Step]
    waiting: list[str]
    made: list[Made]

    @classmethod
    def told(cls, view: RunView) -> RunDetails:
        """All of a run."""
        steps = [
            Step(
                key=one.key, status=one.status, started=one.started, ended=one.ended, attempts=one.attempts, message=one.message
            )
            for one in view.steps
        ]
        made = [
            Made(asset=one.key.to_user_string(), partition=one.partition, rows=one.rows, bytes=one.bytes, event_id=one.event_id)
            for one in view.made
        ]
        return cls(**Run.of(view.row).model_dump(), steps=steps, waiting=list(view.waiting), made=made)


class RunEvent(BaseModel):
    """An event of a run."""

    id: int
    type: str
    timestamp: float
    step: str | None
    message: str | None
    data: dict[str, Any] | None


class Printed(BaseModel):
    """What a step printed, or the process of the run where there is no step."""

    step: str | None
    stream: str
    text: str


class Started(BaseModel):
    """What a launch led to: a run, a backfill, or neither where there was nothing to do."""

    run_id: str | None
    backfill_id: str | None
    count: int = Field(description="How many assets it makes.")


class Canceled(BaseModel):
    """What became of a run that was to be canceled."""

    result: Cancellation


class Again(BaseModel):
    """How a run is to be done again."""

    from_failure: bool = Field(default=False, description="Only what it left undone.")


@router.get("")
def runs(
    request: Request,
    status: Annotated[list[RunStatus], Query()] = [],  # noqa: B006 - FastAPI reads it
    job: str | None = None,
    asset: Annotated[str | None, Query(description="Runs that something is recorded of for this asset.")] = None,
    tag: Annotated[list[str], Query(description="NAME=VALUE, several times for runs that have all.")] = [],  # noqa: B006
    cursor: Annotated[str | None, Query(description="Continue after the run of this id.")] = None,
    limit: Annotated[int, Query(ge=1, le=1000)] = 100,
) -> list[Run]:
    """Runs, the last one first."""
    key = AssetKey.from_escaped_string(asset) if asset else None
    tags = tags_of(tag)
    rows = run_rows(site_of(request), statuses=status, job=job, tags=tags, asset=key, cursor=cursor, limit=limit)
    return [Run.of(row) for row in rows]


@router.post("")
def start(request: Request, asked: LaunchInput) -> Started:
    """Have assets, a selection or a job run."""
    answer = launched(site_of(request), asked)
    return Started(run_id=answer.run_id, backfill_id=answer.backfill_id, count=answer.count)


@router.get("/{run_id}")
def run(request: Request, run_id: str) -> RunDetails:
    """One run, by its id or as many letters of it as only one has."""
    site = site_of(request)
    return RunDetails.told(run_view(site, Runs(site.instance).find(run_id)))


@router.get("/{run_id}/events")
def events(
    request: Request,
    run_id: str,
    after: Annotated[int | None, Query(ge=0, le=2**62)] = None,
    limit: Annotated[int, Query(ge=1, le=5000)] = 1000,
) -> list[RunEvent]:
    """The events of a run in their order, after the one of an id."""
    site = site_of(request)
    found = Runs(site.instance).find(run_id)
    told = site.instance.event_log.get_events(EventFilter(run_id=found.run_id, after=after), limit=limit)
    return [
        RunEvent(
            id=one.storage_id or 0,
            type=one.event_type,
            timestamp=one.timestamp,
            step=one.step_key,
            message=one.message,
            data=event_data_to_json(one.data),
        )
        for one in told
    ]


@router.get("/{run_id}/timeline")
def steps(request: Request, run_id: str, after: Annotated[int | None, Query(ge=0, le=2**62)] = None) -> Timeline:
    """What happened to the steps of a run, after the event of an id or from the beginning."""
    site = site_of(request)
    return timeline(site, Runs(site.instance).find(run_id), after or None)


@router.get("/{run_id}/output")
def output(request: Request, run_id: str, step: str | None = None) -> list[Printed]:
    """What a run printed, or one step of it."""
    asked = Runs(site_of(request).instance)
    return [Printed(step=one.step_key, stream=one.stream, text=one.text) for one in asked.printed(asked.find(run_id), step)]


@router.post("/{run_id}/cancel")
def cancel(request: Request, run_id: str) -> Canceled:
    """Cancel a run that waits, or have one that runs come to its end."""
    site = site_of(request)
    site.check_writable()
    asked = Runs(site.instance)
    return Canceled(result=asked.cancel(asked.find(run_id)))


@router.post("/{run_id}/rerun")
def rerun(request: Request, run_id: str, how: Again | None = None) -> Started:
    """Do again what a run did, or what it left undone."""
    site = site_of(request)
    site.check_writable()
    asked = Runs(site.instance)
    again = asked.rerun(asked.find(run_id), from_failure=how is not None and how.from_failure)
    site.on_submit()
    return Started(run_id=again.run_id, backfill_id=None, count=len(again.asset_keys))
