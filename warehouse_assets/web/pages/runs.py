"""The pages of runs: the list, one run with its timeline and log, and what can be done with them."""

from __future__ import annotations

import json
from typing import Annotated, Any, cast, get_args

from fastapi import APIRouter, Form, Query, Request
from starlette.responses import HTMLResponse, Response

from warehouse_assets.automation.runs import Runs
from warehouse_assets.events import RunStatus
from warehouse_assets.web.rendering import is_fragment, render, site_of
from warehouse_assets.web.views.runs import ACTIVE, OVER, log_lines, run_rows, run_view, status_counts
from warehouse_assets.web.views.timeline import timeline

__all__ = ["router"]

router = APIRouter()
PAGE = 50
GROUPS = {"active": ACTIVE, "failed": ("FAILURE",), "done": ("SUCCESS",), "canceled": ("CANCELED",)}


@router.get("/runs")
def runs(request: Request, state: str = "", job: str = "", cursor: str | None = None) -> HTMLResponse:
    """The list of runs; a part of it for pages that are open."""
    site = site_of(request)
    statuses = GROUPS.get(state, (state.upper(),) if state.upper() in get_args(RunStatus) else ())
    rows = run_rows(site, statuses=cast("Any", statuses), job=job or None, cursor=cursor, limit=PAGE)
    counts = status_counts(site)
    totals = {name: sum(counts.get(one, 0) for one in group) for name, group in GROUPS.items()}
    part = (
        "runs/_rows.html"
        if is_fragment(request) and cursor
        else "runs/_list.html"
        if is_fragment(request)
        else "runs/list.html"
    )
    more = rows[-1].run.run_id if len(rows) == PAGE else None
    return render(
        request, part, area="runs", rows=rows, totals=totals, every=sum(counts.values()), state=state, job=job, more=more
    )


@router.post("/runs/cancel")
def cancel_several(request: Request, run: Annotated[list[str], Form()]) -> Response:
    """Cancel the chosen runs."""
    site = site_of(request)
    site.check_writable()
    asked = Runs(site.instance)
    for name in run:
        asked.cancel(asked.find(name))
    return _told(f"{len(run)} run{'s' if len(run) > 1 else ''} canceled")


@router.get("/runs/{run_id}")
def run(
    request: Request,
    run_id: str,
    part: str = "",
    step: str = "",
    level: str = "INFO",
    text: str = "",
    after: Annotated[int | None, Query(ge=0, le=2**62)] = None,
    before: Annotated[int | None, Query(ge=0, le=2**62)] = None,
) -> HTMLResponse:
    """The page of a run, or a part of it: `view` (all but the log), `log`, or `output`."""
    site = site_of(request)
    found = Runs(site.instance).find(run_id)
    values: dict[str, Any] = {
        "area": "runs",
        "run": found,
        "over": found.status in OVER,
        "step": step,
        "level": level,
        "text": text,
    }
    if part == "output":
        return render(request, "runs/_output.html", printed=Runs(site.instance).printed(found, step or None), **values)
    if part != "view":
        values["lines"] = log_lines(site, found, after=after, before=before, step=step, level=level, text=text)
    if part == "log":
        return render(request, "runs/_log.html", **values)
    view = run_view(site, found)
    values |= {"view": view, "bars": timeline(view)}
    return render(request, "runs/_view.html" if part == "view" else "runs/run.html", **values)


@router.post("/runs/{run_id}/cancel")
def cancel(request: Request, run_id: str) -> Response:
    """Cancel a run."""
    site = site_of(request)
    site.check_writable()
    asked = Runs(site.instance)
    words = {"canceled": "Canceled before it began", "canceling": "It is coming to its end", "over": "It was over already"}
    return _told(words[asked.cancel(asked.find(run_id))])


@router.post("/runs/{run_id}/rerun")
def rerun(request: Request, run_id: str, from_failure: Annotated[bool, Form()] = False) -> Response:
    """Do again what a run did, or what it left undone."""
    site = site_of(request)
    site.check_writable()
    asked = Runs(site.instance)
    again = asked.rerun(asked.find(run_id), from_failure=from_failure)
    site.on_submit()
    return Response(status_code=204, headers={"HX-Redirect": f"/runs/{again.run_id}"})


def _told(text: str, href: str | None = None) -> Response:
    """No content, and a word of what was done."""
    return Response(status_code=204, headers={"HX-Trigger": json.dumps({"wa:toast": {"text": text, "href": href}})})
