"""Launching from pages: one click where nothing has to be said, and a dialog where something does, or may."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, Any

from fastapi import APIRouter, Query, Request
from starlette.datastructures import FormData
from starlette.responses import HTMLResponse, Response

from warehouse_assets.errors import InvalidConfigError, PartitionNotFoundError, WarehouseAssetsError
from warehouse_assets.web.answers.launch import ConfigOf, LaunchForm
from warehouse_assets.web.rendering import render, site_of
from warehouse_assets.web.views.launch import LaunchInput, form_of, launched

__all__ = ["router"]

router = APIRouter()
_OWN = "warehouse_assets/"


@dataclass(frozen=True, slots=True)
class Field:
    """One field of a configuration as a form shows it: a kind of input, or JSON as text."""

    name: str
    label: str
    kind: str
    value: str
    required: bool
    description: str
    choices: Sequence[str] = ()


@dataclass(frozen=True, slots=True)
class Section:
    """The fields of the configuration of one step."""

    name: str
    fields: Sequence[Field]


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
    """The dialog: what would run, and what it can be given. Assets come as several values, or with commas between them."""
    first, _, last = (range or "").partition("...")
    asked = LaunchInput(
        assets=[key for text in assets for key in text.split(",") if key],
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
    from starlette.concurrency import run_in_threadpool

    return await run_in_threadpool(_start, request, form)


def _start(request: Request, form: FormData) -> Response:
    site = site_of(request)
    site.check_writable()
    asked = _asked(form)
    from_dialog = form.get("dialog") == "1"
    try:
        if not from_dialog and _needs_more(form_of(site, asked)[1], asked):
            return _dialog(request, asked)
        if from_dialog:
            asked = asked.model_copy(update={"config": _config(form_of(site, asked)[1], form)})
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
    request: Request, asked: LaunchInput, error: WarehouseAssetsError | None = None, form: FormData | None = None
) -> HTMLResponse:
    site = site_of(request)
    location, found = form_of(site, asked)
    values: Mapping[str, Any] = {} if form is None else dict(form)
    priority = values.get("priority", "")
    tags = values.get("tags", "\n".join(f"{name}={value}" for name, value in found.tags.items() if not name.startswith(_OWN)))
    return render(
        request,
        "launch/_dialog.html",
        asked=asked,
        location=location,
        form=found,
        sections=[_section(config, values) for config in found.configs],
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
        assets=[key for text in form.getlist("assets") for key in str(text).split(",") if key],
        selection=str(form.get("select") or "") or None,
        job=str(form.get("job") or "") or None,
        location=str(form.get("location") or "") or None,
        only_stale=form.get("only_stale") in ("1", "true", "on"),
        partition=(first or None) if which in ("", "one") else None,
        partition_range=(first, last) if which in ("range", "one_run") and first and last else None,
        missing=which == "missing",
        one_run=which == "one_run",
        tags=tags,
    )


def _section(config: ConfigOf, values: Mapping[str, Any]) -> Section:
    return Section(config.name, list(_fields(config, values)))


def _fields(config: ConfigOf, values: Mapping[str, Any]) -> Iterator[Field]:
    schema = config.schema
    for name, property_ in schema.get("properties", {}).items():
        kind, choices = _kind(property_, schema)
        given = values.get(f"config:{config.name}:{name}")
        default = property_.get("default")
        value = (
            given
            if given is not None
            else ""
            if default is None
            else default
            if isinstance(default, str)
            else json.dumps(default)
        )
        required = name in schema.get("required", ())
        yield Field(name, property_.get("title", name), kind, str(value), required, property_.get("description", ""), choices)
    if schema.get("additionalProperties") is True:
        yield Field("", "Configuration", "json", str(values.get(f"config:{config.name}:", "")), False, "A JSON object.")


def _kind(property_: Mapping[str, Any], schema: Mapping[str, Any]) -> tuple[str, list[str]]:
    """The input that fits a property of a JSON schema, and what can be chosen."""
    if "$ref" in property_:
        property_ = schema.get("$defs", {}).get(property_["$ref"].rpartition("/")[2], {})
    if "enum" in property_ and all(isinstance(one, str) for one in property_["enum"]):
        return "choice", list(property_["enum"])
    kind = property_.get("type")
    return {"integer": "integer", "number": "number", "boolean": "boolean", "string": "text"}.get(str(kind), "json"), []


def _config(form: LaunchForm, given: FormData) -> dict[str, Any]:
    """The run configuration that a form holds; InvalidConfigError for what cannot be read."""
    ops: dict[str, Any] = {}
    for config in form.configs:
        values: dict[str, Any] = {}
        for field in _fields(config, {}):
            text = given.get(f"config:{config.name}:{field.name}")
            if text is None or (str(text).strip() == "" and field.kind != "text"):
                continue
            read = _value(str(text), field)
            if field.name == "":
                values |= read if isinstance(read, dict) else {}
            elif read != "" or field.required:
                values[field.name] = read
        if values:
            ops[config.name] = {"config": values}
    return {"ops": ops} if ops else {}


def _value(text: str, field: Field) -> Any:
    if field.kind in ("text", "choice"):
        return text
    try:
        return json.loads(text)
    except ValueError:
        what = {"integer": "a whole number", "number": "a number", "boolean": "true or false"}.get(field.kind, "JSON")
        raise InvalidConfigError(f"{field.label} is to be {what}, not {text!r}") from None
