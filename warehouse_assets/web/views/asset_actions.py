"""What a page or program has done to one asset beside launching it."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from warehouse_assets.errors import InvalidInvocationError, InvalidSelectionError
from warehouse_assets.web.answers.asset import AssetRequest
from warehouse_assets.web.answers.asset_actions import CheckRequest, CheckRun, Observed, observe_source, start_checks
from warehouse_assets.web.answers.asset_records import (
    Report,
    Reported,
    Wiped,
    WipeRequest,
    record_reports,
    report_asset,
    wipe_asset,
)
from warehouse_assets.web.views.asset import AssetPage, under_way

__all__ = ["ReportInput", "WipeInput", "checks_started", "metadata_of", "observed", "reported", "wiped"]


class ReportInput(BaseModel):
    """What somebody knows of a table that no run has recorded."""

    model_config = ConfigDict(extra="forbid")

    kind: Literal["materialization", "observation"] = "materialization"
    partition: str | None = None
    partition_range: tuple[str, str] | None = Field(default=None, description="The first and the last partition.")
    description: str | None = None
    metadata: dict[str, Any] = Field(default={}, description="Numbers, texts, lists and the like, by name.")
    data_version: str | None = None


class WipeInput(BaseModel):
    """Whether only what is recorded of an asset is to be forgotten, or its table is to go, too."""

    model_config = ConfigDict(extra="forbid")

    tables: bool = Field(default=False, description="Drop the table, which cannot be undone.")
    confirm: str = Field(default="", description="The name of the asset once more, where its table is dropped.")


def checks_started(page: AssetPage, names: Sequence[str] = ()) -> CheckRun:
    """Have the checks of an asset evaluated, or some of them; InvalidSelectionError where there are none."""
    page.site.check_writable()
    location = page.site.workspace[_location(page)]
    answer = location.ask(start_checks, CheckRequest(location.location, page.key.path, tuple(names)))
    page.site.on_submit()
    return answer


def observed(page: AssetPage) -> Observed:
    """Observe a source now; what its function raises is a LocationError."""
    page.site.check_writable()
    return page.site.workspace[_location(page)].ask(observe_source, AssetRequest(page.key.path))


def reported(page: AssetPage, given: ReportInput) -> Reported:
    """Record what somebody says of an asset, as something that happened outside of any run."""
    page.site.check_writable()
    ends = (given.partition,) if given.partition is not None else given.partition_range or ()
    report = Report(
        page.key.path, given.kind == "observation", ends, given.description or None, given.metadata, given.data_version or None
    )
    if page.joined is not None:
        return page.site.workspace[page.joined.location].ask(report_asset, report)
    return record_reports(page.site.instance, report, ends[:1])


def wiped(page: AssetPage, given: WipeInput) -> Wiped:
    """Forget what is recorded of an asset, and drop its table where that is asked for and confirmed.

    InvalidInvocationError where it is not, or where a run makes the table now.
    """
    page.site.check_writable()
    if given.tables:
        if given.confirm.strip() != page.name:
            raise InvalidInvocationError("the table stays: its name was not confirmed", hint=f"Write {page.name}.")
        if running := under_way(page):
            raise InvalidInvocationError(f"run {running.run.run_id} makes this table", hint="Cancel it, or wait for its end.")
    if page.joined is not None:
        answer = page.site.workspace[page.joined.location].ask(wipe_asset, WipeRequest(page.key.path, given.tables))
    elif given.tables:
        raise InvalidSelectionError(f"no code location declares {page.name!r}, so that its table is not known")
    else:
        page.site.instance.wipe([page.key])
        answer = Wiped(False)
    page.site.renew()
    return answer


def metadata_of(text: str) -> dict[str, Any]:
    """Metadata from lines of NAME=VALUE: a value is JSON where it can be read as that, and else text; InvalidInvocationError without =."""
    found: dict[str, Any] = {}
    for line in filter(None, map(str.strip, text.splitlines())):
        name, equals, value = line.partition("=")
        if not equals or not name.strip():
            raise InvalidInvocationError(f"{line!r} is not NAME=VALUE", hint="Write one on each line, such as row_count=1200.")
        try:
            found[name.strip()] = json.loads(value)
        except ValueError:
            found[name.strip()] = value.strip()
    return found


def _location(page: AssetPage) -> str:
    if page.joined is None:
        raise InvalidSelectionError(f"no code location declares {page.name!r}", hint="See /locations.")
    return page.joined.location
