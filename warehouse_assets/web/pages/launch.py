"""Launching from pages: one click where nothing has to be said, and a dialog where something does, or may."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Annotated, Any, cast

from fastapi import APIRouter, Query, Request
from starlette.concurrency import run_in_threadpool
from starlette.datastructures import FormData
from starlette.responses import HTMLResponse, Response

from warehouse_assets.errors import InvalidConfigError, PartitionNotFoundError, WarehouseAssetsError
from warehouse_assets.web.addresses import split_keys
from warehouse_assets.web.answers.launch import LaunchForm
from warehouse_assets.web.rendering import render, site_of
from warehouse_assets.web.views.launch import LaunchInput, form_of, launched
from warehouse_assets.web.views.launch_form import config_from, is_told_by_fields, sections

__all__ = ["router"]

router = APIRouter()
_OWN = "warehouse_assets/"


@router.get("/launch")
def dialog(
    request: Request,
    assets: Annotated[list[str], Query()] = [],  # noqa: B006 - FastAPI reads it
    select: str | None = None,
    job: str | None = None,
    location: str | None = None,
    only_stale: bool = False,
    range: str | None = None,
    partition: str | None = None,
) -> HTMLResponse:
    """The dialog: what would run, and what it can be given. Assets come as several values, or with commas between them (see `joined_keys`)."""
    first, _, last = (range or "").partition("...")
    asked = LaunchInput(
        assets=split_keys(assets),
        selection=select,
        job=job,
        location=location,
        only_stale=only_stale,
        partition=partition,
        partition_range=(first, last) if last else None,
    )
    return _dialog(request, asked)


@router.post("/launch")
async def start(request: Request) -> Response:
    """Run what a button or the dialog asks for; the dialog comes back where something is missing or wrong."""
    form = await request.form()
    return await run_in_threadpool(_start, request, form)


@router.post("/launch/form")
async def form_again(request: Request) -> Response:
    """The form of the dialog for what is chosen in it so far."""
    form = await request.form()
    return await run_in_threadpool(lambda: _dialog(request, _asked(form), form=form, part="launch/_form.html"))


def _start(request: Request, form: FormData) -> Response:
    site = site_of(request)
    site.check_writable()
    asked = _asked(form)
    from_dialog = form.get("dialog") == "1"
    try:
        if not from_dialog and (form.get("options") == "1" or _needs_more(form_of(site, asked)[1], asked)):
            return _dialog(request, asked)
        if from_dialog:
            asked = asked.model_copy(update={"config": config_from(form_of(site, asked)[1].configs, dict(form))})
        answer = launched(site, asked)
    except (InvalidConfigError, PartitionNotFoundError) as error:
        return _dialog(request, asked, error, form)
    if answer.backfill_id is not None:
        text, href = f"Backfill {answer.backfill_id} is asked for", f"/backfills/{answer.backfill_id}"
    elif answer.run_id is not None:
        text, href = (
            f"Run {answer.run_id[:8]} of {answer.count} asset{'s' if answer.count != 1 else ''} is asked for",
            f"/runs/{answer.run_id}",
        )
    else:
        text, href = "There is nothing to do: all of it is fresh", ""
    told = {"wa:toast": {"text": text, "href": href}, "wa:launched": {"run": answer.run_id, "backfill": answer.backfill_id}}
    return HTMLResponse("", headers={"HX-Trigger": json.dumps(told)})


def _dialog(
    request: Request,
    asked: LaunchInput,
    error: WarehouseAssetsError | None = None,
    form: FormData | None = None,
    part: str = "launch/_dialog.html",
) -> HTMLResponse:
    site = site_of(request)
    location, found = form_of(site, asked, states=True)
    values: Mapping[str, Any] = {} if form is None else dict(form)
    priority = values.get("priority", "")
    tags = values.get("tags", "\n".join(f"{name}={value}" for name, value in found.tags.items() if not name.startswith(_OWN)))
    message = error.message if error is not None else ""
    shown = sections(found.configs, values, message)
    return render(
        request,
        part,
        asked=asked,
        location=location,
        form=found,
        sections=shown,
        is_told=is_told_by_fields(message, shown),
        is_new=form is None,
        error=error,
        tags=tags,
        priority=priority,
        partitions=[*found.first_partitions, *found.last_partitions],
    )


def _needs_more(form: LaunchForm, asked: LaunchInput) -> bool:
    """Whether somebody has to say something before this can run."""
    chosen = asked.partition is not None or asked.partition_range is not None or asked.missing
    return (form.partition_count is not None and not chosen) or any(config.required for config in form.configs)


def _asked(form: FormData) -> LaunchInput:
    """What a form asks for, apart from configuration."""
    tags = dict(line.strip().split("=", 1) for line in str(form.get("tags", "")).splitlines() if "=" in line)
    if priority := str(form.get("priority", "")).strip():
        tags["warehouse_assets/priority"] = priority
    which, first, last = (str(form.get(name, "")) for name in ("which", "first", "last"))
    return LaunchInput(
        assets=split_keys([str(text) for text in form.getlist("assets")]),
        selection=str(form.get("select") or "") or None,
        job=str(form.get("job") or "") or None,
        location=str(form.get("location") or "") or None,
        also=cast("Any", also if (also := form.get("also")) in ("upstream", "downstream") else ""),
        only_stale=form.get("only_stale") in ("1", "true", "on"),
        partition=(first or None) if which in ("", "one") else None,
        partition_range=(first, last) if which in ("range", "one_run") and first and last else None,
        missing=which == "missing",
        one_run=which == "one_run",
        tags=tags,
    )
