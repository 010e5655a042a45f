"""The pages of schedules, sensors, conditions, jobs and backfills."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Depends, Form, Query, Request
from starlette.responses import HTMLResponse

from warehouse_assets.events import ErrorInfo
from warehouse_assets.instance.upkeep import BACKFILL_TAG
from warehouse_assets.keys import AssetKey
from warehouse_assets.web.rendering import is_fragment, render, site_of
from warehouse_assets.web.security import limited
from warehouse_assets.web.views.automation import (
    automation,
    backfill_view,
    backfills,
    canceled,
    daemon_of,
    explained,
    job_of,
    job_rows,
    one_of,
    resumed,
    switched,
    ticks_of,
    tried,
)
from warehouse_assets.web.views.runs import frames_of, run_rows

__all__ = ["router"]

router = APIRouter()
PAGE = 50


@router.get("/automation")
def all_of_it(request: Request) -> HTMLResponse:
    """Everything that starts runs by itself."""
    template = "automation/_list.html" if is_fragment(request) else "automation/page.html"
    return render(request, template, area="automation", view=automation(site_of(request)))


@router.get("/automation/explain")
def why(request: Request, asset: str) -> HTMLResponse:
    """Why the condition of an asset asks for it now, or does not, as a part of a page."""
    found = explained(site_of(request), AssetKey.from_escaped_string(asset))
    return render(request, "automation/_explained.html", asset=asset, explained=found)


@router.get("/automation/{location}/{name}")
def one(
    request: Request, location: str, name: str, before: Annotated[int | None, Query(ge=0, le=2**62)] = None
) -> HTMLResponse:
    """A schedule or sensor with its ticks."""
    site = site_of(request)
    row = one_of(site, location, name)
    ticks = ticks_of(site, row, limit=PAGE, before=before)
    more = ticks[-1].tick_id if len(ticks) == PAGE else None
    template = (
        "automation/_ticks.html"
        if before is not None
        else "automation/_one.html"
        if is_fragment(request)
        else "automation/one.html"
    )
    return render(
        request,
        template,
        area="automation",
        row=row,
        keys=[AssetKey(path) for path in row.shown.keys],
        ticks=ticks,
        more=more,
        daemon=daemon_of(site),
        frames_of=frames_of,
    )


@router.post("/automation/{location}/{name}/switch")
def switch(
    request: Request, location: str, name: str, on: Annotated[bool, Form()], part: Annotated[str, Form()] = ""
) -> HTMLResponse:
    """Switch it on or off."""
    site = site_of(request)
    switched(site, location, name, on=on)
    return render(request, "automation/_switch.html", row=one_of(site, location, name))


@router.post("/automation/{location}/{name}/cursor")
def cursor(request: Request, location: str, name: str, cursor: Annotated[str, Form()] = "") -> HTMLResponse:
    """Have its next evaluation begin with another cursor, or anew."""
    site = site_of(request)
    switched(site, location, name, cursor=cursor)
    return one(request, location, name)


@router.post("/automation/{location}/{name}/try", dependencies=[Depends(limited)])
def try_it(request: Request, location: str, name: str) -> HTMLResponse:
    """What it would ask for now."""
    found = tried(site_of(request), location, name)
    return render(
        request, "automation/_tried.html", tried=found, frames=frames_of(ErrorInfo("", found.error or "", found.stack))
    )


@router.get("/jobs")
def jobs(request: Request) -> HTMLResponse:
    """The jobs."""
    return render(request, "automation/jobs.html", area="jobs", rows=job_rows(site_of(request)))


@router.get("/jobs/{location}/{name}")
def job(request: Request, location: str, name: str) -> HTMLResponse:
    """A job: what it makes, what starts it, and its last runs."""
    site = site_of(request)
    found = job_of(site, location, name)
    keys = [AssetKey(path) for path in found.job.keys]
    return render(
        request,
        "automation/job.html",
        area="jobs",
        row=found,
        keys=keys,
        name=name,
        rows=run_rows(site, job=name, limit=20),
        more=None,
        state="",
        job="",
    )


@router.get("/backfills")
def all_backfills(request: Request) -> HTMLResponse:
    """The backfills."""
    template = "automation/_backfills.html" if is_fragment(request) else "automation/backfills.html"
    return render(request, template, area="backfills", found=backfills(site_of(request)))


@router.get("/backfills/{backfill_id}")
def backfill(request: Request, backfill_id: str) -> HTMLResponse:
    """A backfill: how far it is, and what of it failed."""
    return _backfill(request, backfill_id)


@router.post("/backfills/{backfill_id}/cancel")
def cancel(request: Request, backfill_id: str) -> HTMLResponse:
    """Cancel a backfill."""
    canceled(site_of(request), backfill_id)
    return _backfill(request, backfill_id)


@router.post("/backfills/{backfill_id}/resume")
def resume(request: Request, backfill_id: str) -> HTMLResponse:
    """Have what it left undone made."""
    resumed(site_of(request), backfill_id)
    return _backfill(request, backfill_id)


def _backfill(request: Request, backfill_id: str) -> HTMLResponse:
    site = site_of(request)
    view = backfill_view(site, backfill_id)
    rows = run_rows(site, tags={BACKFILL_TAG: view.backfill.backfill_id}, limit=30)
    template = "automation/_backfill.html" if is_fragment(request) else "automation/backfill.html"
    return render(request, template, area="backfills", view=view, rows=rows, more=None, state="", job="")
