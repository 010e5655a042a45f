"""The pages of runs: the list, one run with its timeline and log, and what can be done with them."""

from __future__ import annotations

import json
from typing import Annotated, Any, cast, get_args

from fastapi import APIRouter, Form, Query, Request
from starlette.responses import HTMLResponse, Response

from warehouse_assets.automation.runs import Runs
from warehouse_assets.events import RunStatus
from warehouse_assets.keys import AssetKey
from warehouse_assets.web.rendering import is_fragment, render, site_of
from warehouse_assets.web.views.runs import (
    ACTIVE,
    OVER,
    config_text,
    log_lines,
    made_by,
    run_head,
    run_rows,
    status_counts,
    tags_of,
)

__all__ = ["router"]

router = APIRouter()
PAGE, MOST = 50, 500
LINES = 300
GROUPS = {"active": ACTIVE, "failed": ("FAILURE",), "done": ("SUCCESS",), "canceled": ("CANCELED",)}


@router.get("/runs")
def runs(
    request: Request,
    state: str = "",
    job: str = "",
    asset: str = "",
    tag: str = "",
    cursor: str | None = None,
    rows: Annotated[int, Query(ge=1)] = PAGE,
) -> HTMLResponse:
    """The list of runs; a part of it for pages that are open, of as many `rows` as they show."""
    site, limit = site_of(request), min(max(rows, PAGE), MOST)
    statuses = GROUPS.get(state, (state.upper(),) if state.upper() in get_args(RunStatus) else ())
    where: dict[str, Any] = {"state": state, "job": job, "asset": asset, "tag": tag}
    found = run_rows(
        site,
        statuses=cast("Any", statuses),
        job=job or None,
        tags=tags_of([tag] if tag else []),
        asset=AssetKey.from_escaped_string(asset) if asset else None,
        cursor=cursor,
        limit=limit,
    )
    counts = status_counts(site)
    totals = {name: sum(counts.get(one, 0) for one in group) for name, group in GROUPS.items()}
    part = "runs/_rows.html" if cursor else "runs/_list.html"
    return render(
        request,
        part if is_fragment(request) else "runs/list.html",
        area="runs",
        rows=found,
        totals=totals,
        every=sum(counts.values()),
        where=where,
        is_narrowed=bool(job or asset or tag),
        jobs=sorted({name for _, name in site.facts.jobs} | ({job} if job else set())),
        more=found[-1].run.run_id if len(found) == limit else None,
        **where,
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
    """The page of a run, or a part of it: `view` (its head), `made`, `log`, or `output`."""
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
    if part == "made":
        return render(request, "runs/_made.html", made=made_by(site, found), **values)
    if part in ("", "log"):
        lines = log_lines(site, found, after=after, before=before, step=step, level=level, text=text, limit=LINES)
        values |= {"lines": lines, "is_full": len(lines) == LINES}
    if part == "log":
        return render(request, "runs/_log.html", **values)
    values["view"] = run_head(site, found)
    if part == "view":
        return render(request, "runs/_view.html", **values)
    return render(request, "runs/run.html", made=made_by(site, found), config=config_text(found), **values)


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
