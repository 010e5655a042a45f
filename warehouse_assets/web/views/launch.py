"""Launching: what a page or program asks to run, found in the code location that owns it."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from typing import TYPE_CHECKING, Any, Literal

import msgspec
from pydantic import BaseModel, ConfigDict, Field

from warehouse_assets.errors import InvalidInvocationError, InvalidSelectionError, LocationError
from warehouse_assets.graph.asset_graph import suggest_keys
from warehouse_assets.keys import AssetKey
from warehouse_assets.web.answers.launch import Launch, Launched, LaunchForm, launch, launch_form, prepared

if TYPE_CHECKING:
    from warehouse_assets.web.site import Site

__all__ = ["LaunchInput", "form_of", "launched", "location_for", "prepare"]


class LaunchInput(BaseModel):
    """What is to run: assets by key, a selection, or a job; in one code location."""

    model_config = ConfigDict(extra="forbid")

    assets: list[str] = Field(default=[], description="Keys, with / between their segments, and a backslash before one inside.")
    selection: str | None = Field(default=None, description='Such as "+marts/orders".')
    job: str | None = None
    location: str | None = Field(
        default=None, description="Where it is declared; needed where several locations could be meant."
    )
    also: Literal["", "upstream", "downstream"] = Field(
        default="", description="Add what the assets are made from, or what is made from them."
    )
    only_stale: bool = Field(default=False, description="Leave out what is fresh.")
    partition: str | None = None
    partition_range: tuple[str, str] | None = Field(default=None, description="The first and the last partition.")
    missing: bool = Field(default=False, description="A backfill of the partitions that are missing.")
    one_run: bool = Field(default=False, description="One run for a range, not one for each of its partitions.")
    config: dict[str, Any] = {}
    tags: dict[str, str] = {}


def launched(site: Site, asked: LaunchInput) -> Launched:
    """Have it run: InvalidSelectionError, InvalidConfigError, PartitionNotFoundError or another error for what cannot."""
    site.check_writable()
    name, request = _request(site, asked)
    answer = site.workspace[name].ask(launch, request)
    site.on_submit()
    return answer


def form_of(site: Site, asked: LaunchInput, *, states: bool = False) -> tuple[str, LaunchForm]:
    """The location that it would run in, what would run, and what it can be given; with `states`, how that stands."""
    name, request = _request(site, asked)
    return name, site.workspace[name].ask(launch_form, msgspec.structs.replace(request, states=states))


def prepare(site: Site) -> None:
    """Have the processes of all locations load what the first launch needs."""
    with suppress(TimeoutError):
        site.wait()
    for name in site.facts.locations:
        with suppress(LocationError):
            site.workspace[name].ask(prepared, None)


def location_for(site: Site, keys: Sequence[AssetKey], given: str | None) -> str:
    """The code location that makes these assets; InvalidSelectionError where there is none, or more than one."""
    if given is not None:
        return site.workspace[given].location.name
    assets = site.facts.assets
    for key in keys:
        if key not in assets:
            raise InvalidSelectionError(f"there is no asset {key.to_user_string()!r}", hint=suggest_keys(key, assets))
    found = list(dict.fromkeys(assets[key].location for key in keys)) or list(site)
    if len(found) > 1:
        raise InvalidInvocationError(f"this is in several code locations: {', '.join(found)}", hint="Run each by itself.")
    return found[0]


def _request(site: Site, asked: LaunchInput) -> tuple[str, Launch]:
    keys = [AssetKey.from_escaped_string(text) for text in asked.assets]
    if not keys and not asked.selection and not asked.job:
        raise InvalidInvocationError(
            "it is not said what is to run", hint='Name assets or a job, or select "*" for all assets.'
        )
    name = location_for(site, keys, asked.location)
    ends = (asked.partition,) if asked.partition is not None else asked.partition_range or ()
    return name, Launch(
        location=site.workspace[name].location,
        also=asked.also,
        assets=tuple(key.path for key in keys),
        selection=asked.selection or None,
        job=asked.job or None,
        only_stale=asked.only_stale,
        partitions=tuple(ends),
        missing=asked.missing,
        one_run=asked.one_run,
        config=asked.config,
        tags=asked.tags,
    )
