"""Schedules, sensors, jobs and backfills for programs."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Depends, Query, Request
from pydantic import BaseModel

from warehouse_assets.automation_records import BackfillStatus, Tick, TickStatus
from warehouse_assets.keys import AssetKey
from warehouse_assets.web.rendering import site_of
from warehouse_assets.web.security import limited
from warehouse_assets.web.views.automation import (
    BackfillView,
    InstigatorRow,
    automation,
    backfill_view,
    backfills,
    canceled,
    daemon_of,
    explained,
    job_rows,
    one_of,
    resumed,
    switched,
    ticks_of,
    tried,
)

__all__ = ["router"]

router = APIRouter(prefix="/api", tags=["automation"])


class Instigator(BaseModel):
    """A schedule, sensor or condition sensor. Times are seconds since the epoch."""

    name: str
    location: str
    kind: str
    is_on: bool
    runs: str
    when: str
    cursor: str | None
    next_ticks: list[float]
    last_tick: float | None
    last_status: TickStatus | None

    @classmethod
    def of(cls, row: InstigatorRow) -> Instigator:
        """One of a list."""
        one, last = row.shown, row.last
        return cls(
            name=one.name,
            location=row.location,
            kind=row.kind,
            is_on=one.is_on,
            runs=one.runs,
            when=one.when,
            cursor=one.cursor,
            next_ticks=list(one.next_ticks),
            last_tick=last.started if last is not None else None,
            last_status=last.status if last is not None else None,
        )


class Automation(BaseModel):
    """All of them, and the host of the daemon that evaluates them, if any."""

    daemon: str | None
    instigators: list[Instigator]


class TickOf(BaseModel):
    """One evaluation."""

    id: int
    scheduled: float
    started: float
    ended: float
    status: TickStatus
    run_ids: list[str]
    skip_message: str | None
    error: str | None

    @classmethod
    def of(cls, tick: Tick) -> TickOf:
        """One of a list."""
        return cls(
            id=tick.tick_id or 0,
            scheduled=tick.scheduled,
            started=tick.started,
            ended=tick.ended,
            status=tick.status,
            run_ids=list(tick.run_ids),
            skip_message=tick.skip_message,
            error=None if tick.error is None else f"{tick.error.cls_name}: {tick.error.message}",
        )


class Switch(BaseModel):
    """What it is to be; a cursor of "" has the next evaluation begin anew."""

    on: bool | None = None
    cursor: str | None = None


class Asked(BaseModel):
    """What an evaluation would ask for: assets or a job for each run, with its run key, or why for none.

    For a run whose key is among `known_run_keys` there is one already, and none is made.
    """

    runs: list[str]
    run_keys: list[str]
    known_run_keys: list[str]
    skip_message: str | None
    error: str | None
    cursor: str | None


class Part(BaseModel):
    """A part of a condition, indented below what it is a part of."""

    holds: bool
    text: str


class Condition(BaseModel):
    """Whether an asset is asked for now."""

    requested: bool
    parts: list[Part]


class Job(BaseModel):
    """A job."""

    name: str
    location: str
    selection: str
    assets: list[str]
    description: str | None
    started_by: list[str]


class BackfillOf(BaseModel):
    """A backfill. Times are seconds since the epoch."""

    backfill_id: str
    status: BackfillStatus
    created: float
    ended: float | None
    partitions: dict[str, int]
    assets: dict[str, dict[str, int]]
    error: str | None

    @classmethod
    def of(cls, view: BackfillView) -> BackfillOf:
        """One of a list."""
        facts: dict[str, Any] = dict(view.facts)
        return cls(**{name: facts[name] for name in cls.model_fields})


@router.get("/automation")
def shown(request: Request) -> Automation:
    """Everything that starts runs by itself."""
    view = automation(site_of(request))
    return Automation(daemon=view.daemon, instigators=[Instigator.of(row) for row in view.rows])


@router.get("/automation/{location}/{name}")
def one(request: Request, location: str, name: str) -> Instigator:
    """One of them."""
    return Instigator.of(one_of(site_of(request), location, name))


@router.get("/automation/{location}/{name}/ticks")
def ticks(
    request: Request,
    location: str,
    name: str,
    limit: Annotated[int, Query(ge=1, le=1000)] = 100,
    before: Annotated[int | None, Query(ge=0, le=2**62)] = None,
) -> list[TickOf]:
    """Its ticks, the last one first."""
    site = site_of(request)
    return [TickOf.of(tick) for tick in ticks_of(site, one_of(site, location, name), limit=limit, before=before)]


@router.post("/automation/{location}/{name}")
def switch(request: Request, location: str, name: str, to: Switch) -> Instigator:
    """Switch it on or off, or change its cursor."""
    site = site_of(request)
    switched(site, location, name, on=to.on, cursor=to.cursor)
    return Instigator.of(one_of(site, location, name))


@router.post("/automation/{location}/{name}/try", dependencies=[Depends(limited)])
def try_now(request: Request, location: str, name: str) -> Asked:
    """What it would ask for now; nothing is recorded."""
    found = tried(site_of(request), location, name)
    return Asked(
        runs=list(found.runs),
        run_keys=list(found.keys),
        known_run_keys=list(found.known),
        skip_message=found.skip_message,
        error=found.error,
        cursor=found.cursor,
    )


@router.get("/conditions", dependencies=[Depends(limited)])
def explain(request: Request, asset: str) -> Condition:
    """Whether the condition of an asset asks for it now, and why."""
    found = explained(site_of(request), AssetKey.from_escaped_string(asset))
    return Condition(requested=found.requested, parts=[Part(holds=holds, text=text) for holds, text in found.lines])


@router.get("/daemon")
def daemon(request: Request) -> str | None:
    """The host of the daemon that works for the record."""
    return daemon_of(site_of(request))


@router.get("/jobs")
def jobs(request: Request) -> list[Job]:
    """The jobs."""
    return [
        Job(
            name=row.job.name,
            location=row.location,
            selection=row.job.selection,
            assets=["/".join(path) for path in row.job.keys],
            description=row.job.description,
            started_by=list(row.job.started_by),
        )
        for row in job_rows(site_of(request))
    ]


@router.get("/backfills")
def all_backfills(request: Request, limit: Annotated[int, Query(ge=1, le=1000)] = 100) -> list[BackfillOf]:
    """Backfills, the last one first."""
    return [BackfillOf.of(view) for view in backfills(site_of(request), limit)]


@router.get("/backfills/{backfill_id}")
def backfill(request: Request, backfill_id: str) -> BackfillOf:
    """A backfill."""
    return BackfillOf.of(backfill_view(site_of(request), backfill_id))


@router.post("/backfills/{backfill_id}/cancel")
def cancel(request: Request, backfill_id: str) -> BackfillOf:
    """Cancel a backfill and its runs."""
    return BackfillOf.of(canceled(site_of(request), backfill_id))


@router.post("/backfills/{backfill_id}/resume")
def resume(request: Request, backfill_id: str) -> BackfillOf:
    """Have what it left undone made."""
    return BackfillOf.of(resumed(site_of(request), backfill_id))
