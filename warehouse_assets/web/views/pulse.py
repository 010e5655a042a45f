"""What last happened to every asset, read once and then kept true by the events that come."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from warehouse_assets.errors import LocationError, WarehouseAssetsError
from warehouse_assets.events import Event, EventType
from warehouse_assets.instance.event_log import EventFilter
from warehouse_assets.keys import AssetKey
from warehouse_assets.web.answers.catalog import AssetState, states

if TYPE_CHECKING:
    from warehouse_assets.web.site import Site

__all__ = ["Known", "Made", "Pulse", "check_counts", "failures_of", "keys_of", "made_by", "running_of"]

REST = 1.0  # times as long as the states took to work out, they are left as they are while much happens
READ_ANEW = 60.0  # seconds after which all is read again, as somebody may have wiped or pruned
BATCH = 20_000
_FOLLOWED: tuple[EventType, ...] = (
    "ASSET_MATERIALIZATION",
    "ASSET_CHECK_EVALUATION",
    "STEP_START",
    "STEP_SUCCESS",
    "STEP_FAILURE",
    "STEP_SKIPPED",
    "STEP_UP_TO_DATE",
    "RUN_SUCCESS",
    "RUN_FAILURE",
    "RUN_CANCELED",
)


@dataclass(frozen=True, slots=True)
class Made:
    """The last materialization of an asset: of its table, or of one of its partitions."""

    event_id: int
    at: float
    run_id: str
    rows: int | None
    bytes: int | None
    partition: str | None


@dataclass(slots=True)
class Known:
    """What was read; dicts are by key, and by the name of a step. It is copied before it is changed, as others still look at it."""

    position: int = 0
    read: float = 0.0
    made: dict[AssetKey, Made] = field(default_factory=dict)
    checks: dict[AssetKey, dict[str, Event]] = field(default_factory=dict)
    failed: dict[str, Event] = field(default_factory=dict)
    running: dict[str, str] = field(default_factory=dict)
    began: dict[str, float] = field(default_factory=dict)
    took: dict[str, tuple[str, float]] = field(default_factory=dict)  # the run and the seconds of steps that were seen to end
    steps: Mapping[str, Sequence[AssetKey]] = field(default_factory=dict)

    def copied(self) -> Known:
        """The same, to be changed."""
        copies: dict[str, Any] = {
            name: dict(getattr(self, name)) for name in ("made", "checks", "failed", "running", "began", "took")
        }
        return replace(self, **copies)


class Pulse:
    """What last happened to every asset of a site, and how each stands."""

    def __init__(self, site: Site) -> None:
        self._site = site
        self._lock = threading.Lock()
        self._known = Known()
        self._facts = -1
        self._states: dict[str, Mapping[AssetKey, AssetState]] = {}
        self._stated: dict[str, tuple[int, int]] = {}
        self._asking: set[str] = set()
        self._rest: dict[str, float] = {}

    def look(self) -> Known:
        """What last happened, up to now."""
        with self._lock:
            known, facts = self._known, self._site.facts
            if facts.version != self._facts or time.monotonic() - known.read > READ_ANEW:
                before, self._known = known, self._read(facts.assets)
                known, self._facts = self._known, facts.version
                if before.made.keys() - known.made.keys():
                    self._stated.clear()
            else:
                self._known = known = self._followed(known)
            return replace(known, steps=self._steps())

    def states(self) -> Mapping[AssetKey, AssetState]:
        """How the assets stand, as far as that is worked out; what changed since is being worked out."""
        position, facts = self.look().position, self._site.facts
        for name in facts.locations:
            stated = self._stated.get(name, (-1, -1))
            rests = stated[1] == facts.version and time.monotonic() < self._rest.get(name, 0.0)
            if stated == (position, facts.version) or rests:
                continue
            with self._lock:
                asked = name in self._asking
                self._asking.add(name)
            if not asked:
                threading.Thread(
                    target=self._ask, args=[name, (position, facts.version)], daemon=True, name=f"states of {name}"
                ).start()
        found: dict[AssetKey, AssetState] = {}
        for name in facts.locations:
            found.update(self._states.get(name, {}))
        return found

    @property
    def is_stated(self) -> bool:
        """Whether the states are those of now."""
        now = (self._known.position, self._site.facts.version)
        return all(self._stated.get(name) == now for name in self._site.facts.locations)

    def _steps(self) -> Mapping[str, Sequence[AssetKey]]:
        """The assets of each step that makes several."""
        found: dict[str, list[AssetKey]] = {}
        for told in list(self._states.values()):
            for key, one in told.items():
                if one.step is not None:
                    found.setdefault(one.step, []).append(key)
        return found

    def _ask(self, name: str, of: tuple[int, int]) -> None:
        began = time.monotonic()
        try:
            answer = self._site.workspace[name].ask(states, None)
        except (LocationError, WarehouseAssetsError):  # the page of locations says why
            pass
        else:
            assets = self._site.facts.assets
            told = {AssetKey(one.key): one for one in answer.assets}
            self._states[name] = {key: one for key, one in told.items() if key not in assets or assets[key].location == name}
        finally:
            self._stated[name] = of
            self._rest[name] = time.monotonic() + min(REST * (time.monotonic() - began), 5.0)
            self._asking.discard(name)

    def _read(self, keys: Iterable[AssetKey]) -> Known:
        log, every = self._site.instance.event_log, list(keys)
        last = log.get_events(limit=1, ascending=False)
        known = Known((last[0].storage_id or 0) if last else 0, time.monotonic())
        known.made = {key: made_by(event) for key, event in log.get_latest("ASSET_MATERIALIZATION", every).items()}
        for key, event in log.get_latest_check_events(every).items():
            known.checks.setdefault(key.asset_key, {})[key.name] = event
        steps: tuple[EventType, ...] = ("STEP_FAILURE",)
        for event in reversed(log.get_events(EventFilter(event_types=steps), limit=2000, ascending=False)):
            if event.step_key is not None:
                known.failed[event.step_key] = event
        for run in self._site.instance.get_runs(statuses=("STARTED", "CANCELING")):
            for event in log.get_events(EventFilter(run_id=run.run_id, event_types=_FOLLOWED)):
                _apply(known, event)
        known.failed = {step: event for step, event in known.failed.items() if not _is_past(known, step, event)}
        return known

    def _followed(self, known: Known) -> Known:
        """The same with what happened since."""
        while True:
            events = self._site.instance.event_log.get_events(EventFilter(after=known.position), limit=BATCH)
            if events:
                known = known.copied()
            for event in events:
                _apply(known, event)
                known.position = max(known.position, event.storage_id or 0)
            if len(events) < BATCH:
                return known


def made_by(event: Event) -> Made:
    """What a materialization tells of the table."""
    told = event.asset_materialization
    assert told is not None
    values = told.metadata
    rows, size = (
        next(
            (int(values[name].value) for name in names if name in values and isinstance(values[name].value, (int, float))), None
        )
        for names in (("row_count", "partition_row_count"), ("byte_size", "partition_byte_size"))
    )
    return Made(event.storage_id or 0, event.timestamp, event.run_id, rows, size, told.partition)


def _apply(known: Known, event: Event) -> None:
    step = event.step_key
    if event.asset_materialization is not None:
        key = event.asset_materialization.asset_key
        known.made[key] = made_by(event)
        known.failed.pop(key.to_escaped_string(), None)
    elif (evaluation := event.asset_check_evaluation) is not None:
        before = known.checks.get(evaluation.asset_key, {})
        known.checks[evaluation.asset_key] = {**before, evaluation.check_name: event}
    elif event.event_type in ("RUN_SUCCESS", "RUN_FAILURE", "RUN_CANCELED"):
        known.running = {step: run_id for step, run_id in known.running.items() if run_id != event.run_id}
    elif step is None:
        return
    elif event.event_type == "STEP_START":
        known.running[step], known.began[step] = event.run_id, event.timestamp
    elif event.event_type.startswith("STEP_") and event.event_type != "STEP_UP_FOR_RETRY":
        known.running.pop(step, None)
        if (began := known.began.pop(step, None)) is not None:
            known.took[step] = (event.run_id, event.timestamp - began)
        if event.event_type == "STEP_FAILURE":
            known.failed[step] = event
        elif event.event_type != "STEP_SKIPPED":
            known.failed.pop(step, None)


def _is_past(known: Known, step: str, event: Event) -> bool:
    """Whether what failed was made since."""
    return any(key in known.made and known.made[key].event_id > (event.storage_id or 0) for key in keys_of(known, step))


def failures_of(known: Known) -> Mapping[AssetKey, Event]:
    """The failure of each asset that was not made since."""
    return {
        key: event for step, event in known.failed.items() if not _is_past(known, step, event) for key in keys_of(known, step)
    }


def running_of(known: Known) -> frozenset[AssetKey]:
    """The assets that are being made."""
    return frozenset(key for step in known.running for key in keys_of(known, step))


def keys_of(known: Known, step: str) -> Sequence[AssetKey]:
    """The assets that a step makes: one, by whose key it is called, or several."""
    if step in known.steps:
        return known.steps[step]
    try:
        return (AssetKey.from_escaped_string(step),)
    except WarehouseAssetsError:
        return ()


def check_counts(known: Known, key: AssetKey) -> tuple[int, int, int]:
    """How many checks of an asset passed, warned and failed the last time."""
    passed = warned = failed = 0
    for event in known.checks.get(key, {}).values():
        evaluation = event.asset_check_evaluation
        if evaluation is None:
            continue
        passed += evaluation.passed
        failed += evaluation.failed
        warned += not evaluation.passed and not evaluation.failed
    return passed, warned, failed
