"""Schedules, sensors, conditions, jobs and backfills of all code locations, as pages and the API show them."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

from warehouse_assets.automation.backfill_questions import backfill_facts, failed_runs
from warehouse_assets.automation.backfill_requests import cancel_backfill, get_backfill, resume_backfill
from warehouse_assets.automation.daemon import LEASE
from warehouse_assets.automation_records import Backfill, Tick
from warehouse_assets.errors import InvalidSelectionError, LocationError
from warehouse_assets.web.answers.automation import (
    Explained,
    JobFacts,
    Shown,
    Tried,
    Which,
    explain,
    instigators,
    jobs,
    switch,
    try_now,
)
from warehouse_assets.web.views.cron_text import cron_text

if TYPE_CHECKING:
    from warehouse_assets.keys import AssetKey
    from warehouse_assets.web.site import Site

__all__ = [
    "AutomationView",
    "BackfillView",
    "InstigatorRow",
    "JobRow",
    "automation",
    "backfill_view",
    "backfills",
    "daemon_of",
    "job_rows",
]

STRIP = 30
_KINDS = {"schedule": "schedule", "sensor": "sensor", "automation": "conditions"}


@dataclass(frozen=True, slots=True)
class InstigatorRow:
    """A schedule, sensor or condition sensor with its last ticks, oldest first."""

    location: str
    shown: Shown
    ticks: Sequence[Tick]

    @property
    def last(self) -> Tick | None:
        """The last tick."""
        return self.ticks[-1] if self.ticks else None

    @property
    def kind(self) -> str:
        """What it is, in a word."""
        return _KINDS[self.shown.kind]

    @property
    def when(self) -> str:
        """When it is evaluated, in words."""
        return cron_text(self.shown.crons) if self.shown.crons else self.shown.when

    @property
    def next_there(self) -> Sequence[tuple[float, str]]:
        """The next ticks, each as a moment and as the clock of its own zone shows it."""
        zone = ZoneInfo(self.shown.zone or "UTC")
        return [(at, datetime.fromtimestamp(at, zone).strftime("%a %d %b %Y %H:%M")) for at in self.shown.next_ticks]


@dataclass(frozen=True, slots=True)
class AutomationView:
    """All of them; `daemon` is who evaluates them, None where nobody does."""

    rows: Sequence[InstigatorRow]
    daemon: str | None
    faults: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class JobRow:
    """A job of a code location."""

    location: str
    job: JobFacts


@dataclass(frozen=True, slots=True)
class BackfillView:
    """A backfill with what is told of it: how many partitions are where, by asset and in all."""

    backfill: Backfill
    facts: Mapping[str, Any]
    failed: Sequence[Mapping[str, Any]] = ()

    @property
    def total(self) -> int:
        """How many partitions it makes."""
        total: int = self.facts["partitions"].get("requested", 0)
        return total

    @property
    def is_over(self) -> bool:
        """Whether nothing of it goes on."""
        return self.backfill.status in ("COMPLETED", "FAILED", "CANCELED")


def daemon_of(site: Site) -> str | None:
    """The host of the daemon that works for the record; None where none does."""
    owner = site.instance.event_log.get_lease_owner(LEASE, time.time())
    return None if owner is None else owner.partition(":")[0]


def automation(site: Site) -> AutomationView:
    """Everything that starts runs by itself, in all code locations."""
    rows, faults = [], {}
    for name in site.facts.locations:
        try:
            found = site.workspace[name].ask(instigators, Which(site.workspace[name].location)).found
        except LocationError as error:
            faults[name] = str(error)
            continue
        rows += [InstigatorRow(name, one, _ticks(site, one.origin, STRIP)[::-1]) for one in found]
    return AutomationView(rows, daemon_of(site), faults)


def one_of(site: Site, location: str, name: str) -> InstigatorRow:
    """One of them; InvalidSelectionError where there is none of this name."""
    process = site.workspace[location]
    for one in process.ask(instigators, Which(process.location)).found:
        if one.name == name:
            return InstigatorRow(location, one, _ticks(site, one.origin, STRIP)[::-1])
    raise InvalidSelectionError(f"there is no schedule or sensor {name!r} in {location}", hint="They are all at /automation.")


def ticks_of(site: Site, row: InstigatorRow, *, limit: int = 50, before: int | None = None) -> list[Tick]:
    """Its ticks, the last one first."""
    return site.instance.event_log.get_ticks(row.shown.origin, limit=limit, before=before)


def switched(site: Site, location: str, name: str, *, on: bool | None = None, cursor: str | None = None) -> bool:
    """Switch it, or change its cursor; whether it is on now."""
    site.check_writable()
    process = site.workspace[location]
    return process.ask(switch, Which(process.location, name, on, cursor)).is_on


def tried(site: Site, location: str, name: str) -> Tried:
    """What it would ask for now."""
    process = site.workspace[location]
    return process.ask(try_now, Which(process.location, name))


def explained(site: Site, key: AssetKey) -> Explained:
    """Why the condition of an asset asks for it now, or does not."""
    asset = site.facts.assets.get(key)
    if asset is None:
        raise InvalidSelectionError(f"there is no asset {key.to_user_string()!r}")
    process = site.workspace[asset.location]
    return process.ask(explain, Which(process.location, key=key.path))


def job_rows(site: Site) -> list[JobRow]:
    """The jobs of all code locations."""
    rows = []
    for name in site.facts.locations:
        try:
            found = site.workspace[name].ask(jobs, Which(site.workspace[name].location)).found
        except LocationError:
            continue
        rows += [JobRow(name, one) for one in found]
    return rows


def job_of(site: Site, location: str, name: str) -> JobRow:
    """A job; InvalidSelectionError where there is none of this name."""
    process = site.workspace[location]
    for one in process.ask(jobs, Which(process.location)).found:
        if one.name == name:
            return JobRow(location, one)
    raise InvalidSelectionError(f"there is no job {name!r} in {location}", hint="They are all at /jobs.")


def backfills(site: Site, limit: int = 100) -> list[BackfillView]:
    """Backfills, the last one first."""
    return [BackfillView(one, backfill_facts(one)) for one in site.instance.event_log.get_backfills(limit=limit)]


def backfill_view(site: Site, backfill_id: str) -> BackfillView:
    """A backfill with the runs of it that failed."""
    found = get_backfill(site.instance, backfill_id)
    return BackfillView(found, backfill_facts(found), failed_runs(site.instance, found, 20))


def canceled(site: Site, backfill_id: str) -> BackfillView:
    """Cancel a backfill and its runs."""
    site.check_writable()
    cancel_backfill(site.instance, get_backfill(site.instance, backfill_id).backfill_id, time.time())
    return backfill_view(site, backfill_id)


def resumed(site: Site, backfill_id: str) -> BackfillView:
    """Have what a backfill left undone made."""
    site.check_writable()
    resume_backfill(site.instance, get_backfill(site.instance, backfill_id).backfill_id, time.time())
    site.on_submit()
    return backfill_view(site, backfill_id)


def _ticks(site: Site, origin: str, limit: int) -> list[Tick]:
    return site.instance.event_log.get_ticks(origin, limit=limit)
