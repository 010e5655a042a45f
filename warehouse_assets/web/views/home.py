"""What needs somebody, what runs now, and what was made lately."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from heapq import nlargest
from typing import TYPE_CHECKING

from warehouse_assets.automation_records import Tick
from warehouse_assets.code_location.workspace import JoinedAsset
from warehouse_assets.errors import LocationError
from warehouse_assets.events import Event, EventType, RunRecord, RunStatus
from warehouse_assets.instance.event_log import EventFilter
from warehouse_assets.keys import AssetKey
from warehouse_assets.web.answers.catalog import AssetState
from warehouse_assets.web.views.catalog import state_of
from warehouse_assets.web.views.pulse import Known, Made, Pulse, failures_of, keys_of, running_of
from warehouse_assets.web.views.runs import RunRow, Trouble, run_rows, trouble_of

if TYPE_CHECKING:
    from warehouse_assets.web.site import Site

__all__ = ["FailedAsset", "FailedCheck", "Home", "home"]

SHOWN = 12
_ACTIVE: tuple[RunStatus, ...] = ("QUEUED", "STARTING", "STARTED", "CANCELING")
_BROKE: tuple[EventType, ...] = ("STEP_FAILURE",)
_FAILED: tuple[RunStatus, ...] = ("FAILURE",)
_DONE: tuple[RunStatus, ...] = ("SUCCESS",)


@dataclass(frozen=True, slots=True)
class FailedAsset:
    """An asset whose last run failed, and why."""

    key: AssetKey
    asset: JoinedAsset
    run_id: str
    at: float
    trouble: Trouble | None
    message: str


@dataclass(frozen=True, slots=True)
class FailedCheck:
    """A check that did not pass the last time."""

    key: AssetKey
    name: str
    at: float
    run_id: str
    is_warning: bool
    description: str


@dataclass(frozen=True, slots=True)
class Standing:
    """An asset that is stale, late or missing, and why."""

    key: AssetKey
    state: str
    why: str


@dataclass(frozen=True, slots=True)
class Home:
    """All that the first page shows."""

    failed: Sequence[FailedAsset]
    runs: Sequence[RunRow]
    checks: Sequence[FailedCheck]
    late: Sequence[Standing]
    stale: Sequence[Standing]
    missing: int
    fresh: int
    assets: int
    ticks: Sequence[Tick]
    broken: Sequence[tuple[str, LocationError]]
    active: Sequence[RunRow]
    recent: Sequence[tuple[AssetKey, Made]]
    has_runs: bool
    is_stated: bool

    @property
    def needs_somebody(self) -> bool:
        """Whether anything is wrong."""
        return bool(self.failed or self.runs or self.checks or self.late or self.stale or self.ticks or self.broken)


def home(site: Site) -> Home:
    """What the first page shows, by the record and what is declared now."""
    pulse, facts = site.kept(Pulse), site.facts
    known, states = pulse.look(), pulse.states()
    failures = {key: event for key, event in failures_of(known).items() if key in facts.assets}
    running = running_of(known)
    words = {
        key: state_of(asset, states.get(key), key in failures, key in running, key in known.made)
        for key, asset in facts.assets.items()
    }
    failed = [_failed(key, facts.assets[key], event) for key, event in failures.items()]
    return Home(
        sorted(failed, key=lambda one: -one.at),
        _failed_runs(site, known, {one.run_id for one in failed}),
        _failed_checks([event for key, of in known.checks.items() if key in facts.assets for event in of.values()]),
        [
            Standing(key, state.freshness or "", state.cause)
            for key, state in states.items()
            if state.freshness in ("WARN", "FAIL")
        ],
        [_standing(key, states[key], "stale") for key, word in words.items() if word == "stale" and key in states],
        sum(word == "missing" for word in words.values()),
        sum(word == "fresh" for word in words.values()),
        sum(asset.facts.is_executable for asset in facts.assets.values()),
        _broken_ticks(site),
        list(facts.errors.items()),
        run_rows(site, statuses=_ACTIVE, limit=SHOWN),
        nlargest(SHOWN, known.made.items(), key=lambda one: one[1].at),
        bool(known.made) or bool(site.instance.get_runs(limit=1)),
        pulse.is_stated,
    )


def _failed(key: AssetKey, asset: JoinedAsset, event: Event) -> FailedAsset:
    return FailedAsset(key, asset, event.run_id, event.timestamp, trouble_of(event), event.message or "")


def _failed_runs(site: Site, known: Known, told: Collection[str]) -> list[RunRow]:
    """The last runs that failed other than by an asset that is told of, where what they were to do was not done since."""
    rows = run_rows(site, statuses=_FAILED, limit=SHOWN)
    return [row for row in rows if row.run.run_id not in told and _is_open(site, known, row.run)]


def _is_open(site: Site, known: Known, run: RunRecord) -> bool:
    facts = site.facts
    if not run.asset_keys:
        later = site.instance.get_runs(statuses=_DONE, job_name=run.job_name, limit=1)
        return not later or later[0].created < run.created
    mine = [key for key in run.asset_keys if key in facts.assets]
    broke = site.instance.event_log.get_events(EventFilter(run_id=run.run_id, event_types=_BROKE))
    if not broke:
        ended = run.ended or run.created
        return any(key not in known.made or known.made[key].at < ended for key in mine)
    last = [known.failed.get(event.step_key or "") for event in broke]
    steps = [event.step_key or "" for event in last if event is not None and event.run_id == run.run_id]
    return bool(mine) and any(not any(key in facts.assets for key in keys_of(known, step)) for step in steps)


def _failed_checks(events: Sequence[Event]) -> list[FailedCheck]:
    found = []
    for event in events:
        told = event.asset_check_evaluation
        if told is None or told.passed:
            continue
        found.append(
            FailedCheck(told.asset_key, told.check_name, event.timestamp, event.run_id, not told.failed, told.description or "")
        )
    return sorted(found, key=lambda one: (one.is_warning, -one.at))


def _standing(key: AssetKey, state: AssetState, word: str) -> Standing:
    counts = (state.missing, "missing"), (state.stale, "stale")
    parts = [f"{count:,} {'is' if count == 1 else 'are'} {name}" for count, name in counts if count]
    return Standing(key, word, state.cause or (f"of its partitions {' and '.join(parts)}" if parts else ""))


def _broken_ticks(site: Site) -> list[Tick]:
    """The last tick of each schedule, sensor and condition whose last one failed."""
    last: dict[str, Tick] = {}
    for tick in site.instance.event_log.get_ticks(limit=200):
        last.setdefault(tick.origin, tick)
    return [tick for tick in last.values() if tick.status == "FAILURE"]
