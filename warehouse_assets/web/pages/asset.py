"""The page of one asset, its tabs, and the parts of them that come later or refresh themselves."""

from __future__ import annotations

import json
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Form, Query, Request
from pydantic import BaseModel
from starlette.responses import HTMLResponse, Response

from warehouse_assets.errors import InvalidInvocationError, InvalidSelectionError, WarehouseAssetsError
from warehouse_assets.keys import AssetKey
from warehouse_assets.web.rendering import asset_url, is_fragment, render, site_of
from warehouse_assets.web.security import limited
from warehouse_assets.web.views.asset import TABS, AssetHead, AssetPage, asset_page, head_of, key_in_path, requested_runs
from warehouse_assets.web.views.asset_actions import (
    ReportInput,
    WipeInput,
    checks_started,
    metadata_of,
    observed,
    reported,
    wiped,
)
from warehouse_assets.web.views.asset_checks import shown_checks
from warehouse_assets.web.views.asset_events import compared, event_of, event_page, events_of, series_of
from warehouse_assets.web.views.asset_partitions import partitions_tab, states_of
from warehouse_assets.web.views.asset_tabs import columns_tab, definition_tab, rows_of, table_tab, versions_of
from warehouse_assets.web.views.asset_text import markdown

__all__ = ["router"]

router = APIRouter()

_OFFERED = 1_000  # partitions that a field suggests
_PLOTS = 12
_LARGEST = 2**62
_SERIES_READ = 200  # events that are looked at for the names of numbers


class Act(BaseModel):
    """What a button or a dialog of the page asks for: checks, observe, report or wipe."""

    do: str
    check: list[str] = []
    kind: Literal["materialization", "observation"] = "materialization"
    which: Literal["one", "range"] = "one"
    first: str = ""
    last: str = ""
    description: str = ""
    metadata: str = ""
    data_version: str = ""
    tables: bool = False
    confirm: str = ""


@router.get("/assets/{key:path}")
def asset(
    request: Request,
    key: str,
    tab: str = "overview",
    part: str | None = None,
    kind: str | None = None,
    partition: str | None = None,
    before: Annotated[int | None, Query(ge=0, lt=_LARGEST)] = None,
    compare: Annotated[list[str] | None, Query()] = None,
    column: str | None = None,
    q: str = "",
    state: str | None = None,
    offset: Annotated[int, Query(ge=0, lt=_LARGEST)] = 0,
    event: Annotated[int, Query(ge=0, lt=_LARGEST)] = 0,
    limit: Annotated[int, Query(ge=1, le=100)] = 20,
) -> Response:
    """The page of an asset, or a part of it for a page that is open."""
    page = asset_page(site_of(request), key_in_path(request, "/assets/"))
    if part is not None and is_fragment(request):
        if part == "head":
            return _head(request, page)
        if part in ("report", "wipe"):
            return _dialog(request, page, Act(do=part, first=partition or ""))
        if part == "rows":
            limited(request)
            return render(request, "asset/_rows.html", sample=rows_of(page, limit, partition or None))
        if part == "versions":
            return render(request, "asset/_versions.html", page=page, kept=versions_of(page))
        if part == "event":
            return render(request, "asset/_event.html", page=page, event=event_of(page.site.instance, page.key, event))
    tab = tab if tab in TABS else "overview"
    head = head_of(page, quick=part != "tab") if tab == "overview" or part != "tab" else None
    if tab == "overview":
        values = _overview(page, head)
    elif tab == "activity":
        values = _activity(page, kind or None, partition or None, before, _ids(compare))
    elif tab == "partitions":
        values = {"partitions": partitions_tab(page, q, state or None, offset, partition or None, quick=part != "tab")}
    elif tab == "checks":
        checks, fault = shown_checks(page)
        values = {"checks": checks, "checks_fault": fault}
    elif tab == "table":
        values = {"table": table_tab(page), "series": _numbers(page, ("row_count", "byte_size"))}
    elif tab == "columns":
        values = {"columns": columns_tab(page, column)}
    else:
        values = {"definition": definition_tab(page)}
    here = asset_url(
        page.key,
        tab=tab,
        part="tab",
        kind=kind,
        partition=partition,
        before=before,
        compare=compare,
        q=q,
        state=state,
        offset=offset or None,
    )
    values |= {"page": page, "tab": tab, "here": here, "key_of": AssetKey}
    if part == "tab" and is_fragment(request):
        return render(request, "asset/_tab.html", **values)
    return render(request, "asset/page.html", area="assets", head=head, **values)


@router.post("/assets/{key:path}")
def act(request: Request, key: str, asked: Annotated[Act, Form()]) -> Response:
    """Do what a button of the page asks for; a dialog comes back where something in it is wrong."""
    page = asset_page(site_of(request), key_in_path(request, "/assets/"))
    if asked.do == "checks":
        run = checks_started(page, asked.check)
        text = f"Run {run.run_id[:8]} of {run.count} check{'' if run.count == 1 else 's'} is asked for"
        return _told(text, f"/runs/{run.run_id}")
    if asked.do == "observe":
        seen = observed(page)
        return _told("Observed" + (f": version {seen.data_version}" if seen.data_version is not None else ""))
    if asked.do not in ("report", "wipe"):
        raise InvalidInvocationError(f"there is no action {asked.do!r}", hint="There are checks, observe, report and wipe.")
    try:
        return _reported(page, asked) if asked.do == "report" else _wiped(page, asked)
    except WarehouseAssetsError as error:
        if not is_fragment(request):
            raise
        return _dialog(request, page, asked, error)


def _reported(page: AssetPage, asked: Act) -> Response:
    one = asked.which == "one"
    count = reported(
        page,
        ReportInput(
            kind=asked.kind,
            partition=asked.first or None if one else None,
            partition_range=None if one else (asked.first, asked.last),
            description=asked.description,
            metadata=metadata_of(asked.metadata),
            data_version=asked.data_version,
        ),
    ).count
    return _told(f"Recorded {count:,} {asked.kind}{'' if count == 1 else 's'}", is_dialog=True)


def _wiped(page: AssetPage, asked: Act) -> Response:
    dropped = wiped(page, WipeInput(tables=asked.tables, confirm=asked.confirm)).dropped
    table = "its table is dropped" if dropped else "there was no table" if asked.tables else "its table stays"
    answer = _told(f"{page.name} is forgotten; {table}", is_dialog=True)
    if page.joined is None:
        answer.headers["HX-Redirect"] = "/assets"
    return answer


def _dialog(request: Request, page: AssetPage, asked: Act, error: WarehouseAssetsError | None = None) -> Response:
    facts, names = page.facts, []
    if facts is not None and facts.partitions is not None and asked.do == "report":
        found, _ = states_of(page, "", None, 0, _OFFERED, None)
        names = [name for name, _ in found.listed] if found is not None else []
    partitioned = facts is not None and facts.partitions is not None
    return render(request, f"asset/_{asked.do}.html", page=page, asked=asked, error=error, partitioned=partitioned, names=names)


def _told(text: str, href: str = "", *, is_dialog: bool = False) -> Response:
    """Nothing but a word to the person; in place of a dialog, which closes it."""
    told = {"HX-Trigger": json.dumps({"wa:toast": {"text": text, "href": href}})}
    return HTMLResponse("", headers=told) if is_dialog else Response(status_code=204, headers=told)


def _head(request: Request, page: AssetPage) -> Response:
    return render(request, "asset/_head.html", head=head_of(page))


def _overview(page: AssetPage, head: AssetHead | None) -> dict[str, Any]:
    assert head is not None
    joined, facts = page.joined, page.facts
    return {
        "now": head.now,
        "requested": requested_runs(page, head.now.sensor if head.now is not None else None),
        "latest": head.latest or head.observed,
        "description": markdown(facts.description if facts is not None else None),
        "parents": joined.parents if joined is not None else (),
        "children": sorted(joined.children) if joined is not None else [],
    }


def _activity(page: AssetPage, kind: str | None, partition: str | None, before: int | None, ids: list[int]) -> dict[str, Any]:
    events = event_page(page.site.instance, page.key, kind=kind, partition=partition, before=before)
    partitioned = any(event.partition is not None for event in events.events)
    return {
        "events": events,
        "series": _numbers(page)[:_PLOTS],
        "comparison": compared(page.site.instance, page.key, ids) if ids else None,
        "kind": kind,
        "partition": partition,
        "before": before,
        "partitioned": partitioned,
    }


def _numbers(page: AssetPage, only: tuple[str, ...] = ()) -> list[tuple[str, str]]:
    """The names of the numbers that were recorded at least twice, and how they are called."""
    found = series_of(events_of(page.site.instance, page.key, limit=_SERIES_READ))
    return [(one.name, one.label) for one in found if len(one.times) > 1 and (not only or one.name in only)]


def _ids(compare: list[str] | None) -> list[int]:
    """The ids that an address compares, as `1,2` or one after the other."""
    texts = [text for given in compare or () for text in given.split(",") if text]
    if not all(text.isdecimal() and len(text) < 20 for text in texts) or len(texts) > 2:
        raise InvalidSelectionError("two events are compared by their ids", hint="Write compare=ID,ID.")
    return [min(int(text), _LARGEST) for text in texts]
