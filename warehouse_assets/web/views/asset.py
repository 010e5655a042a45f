"""One asset as its page begins: what it is, how it stands, what was last made of it, and what goes on."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeVar

from warehouse_assets.automation.evaluation import SENSOR_TAG
from warehouse_assets.errors import InvalidDefinitionError, InvalidSelectionError, WarehouseAssetsError
from warehouse_assets.graph.asset_graph import suggest_keys
from warehouse_assets.keys import AssetKey
from warehouse_assets.web.addresses import joined_keys, key_from_path
from warehouse_assets.web.answers.asset_state import AssetNow, NowRequest, asset_now
from warehouse_assets.web.views.asset_events import AssetEvent, events_of, told
from warehouse_assets.web.views.pulse import Pulse, failures_of

if TYPE_CHECKING:
    from fastapi import Request

    from warehouse_assets.code_location.snapshot import AssetFacts
    from warehouse_assets.code_location.workspace import JoinedAsset
    from warehouse_assets.events import RunRecord, RunStatus
    from warehouse_assets.web.site import Site

__all__ = ["TABS", "AssetHead", "AssetPage", "asked", "asset_page", "head_of", "key_in_path", "requested_runs", "under_way"]

TABS = ("overview", "activity", "table", "columns", "checks", "partitions", "definition")
UNDER_WAY: tuple[RunStatus, ...] = ("QUEUED", "STARTING", "STARTED", "CANCELING")
_RUNS = 20
_RUNS_OF_SENSOR, _SHOWN_RUNS = 100, 5

Asked = TypeVar("Asked")
Answered = TypeVar("Answered")


@dataclass(frozen=True, slots=True)
class AssetPage:
    """An asset that has a page: declared somewhere (`joined`), or only known by the record. `loading` says that more may come."""

    site: Site
    key: AssetKey
    joined: JoinedAsset | None
    loading: bool = False

    @property
    def facts(self) -> AssetFacts | None:
        """What its code location says of it."""
        return self.joined.facts if self.joined is not None else None

    @property
    def name(self) -> str:
        """Its key as people read it."""
        return self.key.to_user_string()

    @property
    def meant(self) -> dict[str, str]:
        """What the launch of it is asked with."""
        name = {"assets": joined_keys(self.key)}
        return {**name, "location": self.joined.location} if self.joined is not None else name

    def relative(self, place: str) -> str:
        """A place in the code as seen from the folder of its location."""
        if self.joined is None:
            return place
        return place.removeprefix(self.site.workspace[self.joined.location].location.working_directory.rstrip("/") + "/")

    @property
    def tabs(self) -> tuple[str, ...]:
        """The tabs that say something of it."""
        partitioned = self.facts is not None and self.facts.partitions is not None
        return tuple(tab for tab in TABS if tab != "partitions" or partitioned)


@dataclass(frozen=True, slots=True)
class AssetHead:
    """The head of the page. `state` is the word of a chip: materializing, queued, failed, fresh, stale, missing, source or unknown."""

    page: AssetPage
    state: str
    now: AssetNow | None
    fault: str | None
    latest: AssetEvent | None
    rows_change: int | None
    observed: AssetEvent | None
    running: Running | None
    failed: Failed | None
    place: str | None


@dataclass(frozen=True, slots=True)
class Running:
    """A run that makes the asset; `is_working` is whether it does so now, and it waits otherwise."""

    run: RunRecord
    is_working: bool


@dataclass(frozen=True, slots=True)
class Failed:
    """The run in which the asset failed, later than it was last made; and with which error."""

    run_id: str
    timestamp: float
    error: str


def key_in_path(request: Request, before: str, after: str = "") -> AssetKey:
    """The key that an address has after `before`, each segment unquoted by itself, so that one may hold a slash.

    InvalidSelectionError where there is none.
    """
    raw: bytes = request.scope.get("raw_path") or request.scope["path"].encode()
    path = raw.partition(b"?")[0].decode("ascii", "replace")
    text = path.removeprefix(before).removesuffix(after).strip("/")
    try:
        return key_from_path(text)
    except InvalidDefinitionError:
        raise InvalidSelectionError(f"{path!r} names no asset", hint="Look for it at /assets.") from None


def asset_page(site: Site, key: AssetKey) -> AssetPage:
    """The asset of this key, or of the same text; InvalidSelectionError, with near names, for one that nobody knows."""
    facts = site.facts
    joined = facts.assets.get(key)
    if joined is None and (alike := next((one for one in facts.assets if one.to_user_string() == key.to_user_string()), None)):
        key, joined = alike, facts.assets[alike]
    if joined is None and not facts.is_loading and not site.instance.get_event_records(asset_key=key, limit=1):
        raise InvalidSelectionError(f"there is no asset {key.to_user_string()!r}", hint=suggest_keys(key, facts.assets))
    return AssetPage(site, key, joined, facts.is_loading)


def asked(page: AssetPage, question: Callable[[Any, Asked], Answered], request: Asked) -> tuple[Answered | None, str | None]:
    """What the code location of an asset answers, or why it does not."""
    if page.joined is None:
        return None, _undeclared(page)
    try:
        return page.site.workspace[page.joined.location].ask(question, request), None
    except WarehouseAssetsError as error:
        return None, str(error)


def _undeclared(page: AssetPage) -> str:
    """Why no code location tells of an asset."""
    if page.loading:
        return "The code locations are loading."
    if broken := sorted(page.site.facts.errors):
        return f"No code location that could be loaded declares this asset; {', '.join(broken)} could not."
    return "No code location declares this asset any more."


def head_of(page: AssetPage, *, quick: bool = False) -> AssetHead:
    """The head of an asset's page; a `quick` one may not know how it stands yet."""
    instance, key = page.site.instance, page.key
    made = events_of(instance, key, ("ASSET_MATERIALIZATION",), 2)
    seen = events_of(instance, key, ("ASSET_OBSERVATION",), 1)
    latest = next(iter(told(instance, made)), None)
    now, fault = asked(page, asset_now, NowRequest(key.path, quick))
    running = _running(page, latest)
    failed = _failed(page) if running is None or not running.is_working else None
    return AssetHead(
        page=page,
        state=_state(page, now, running, failed),
        now=now,
        fault=fault,
        latest=latest,
        rows_change=latest.rows_change if latest is not None else None,
        observed=next(iter(told(instance, seen)), None),
        running=running,
        failed=failed,
        place=_place(latest),
    )


def _state(page: AssetPage, now: AssetNow | None, running: Running | None, failed: Failed | None) -> str:
    if running is not None:
        return "materializing" if running.is_working else "queued"
    if failed is not None:
        return "failed"
    if now is not None and now.state is not None:
        return now.state
    if now is not None and now.is_pending:
        return "loading"
    return "source" if page.facts is not None and not page.facts.is_executable else "unknown"


def requested_runs(page: AssetPage, sensor: str | None) -> list[RunRecord]:
    """The latest runs of the asset that its condition asked for, by the sensor that evaluates it."""
    if sensor is None or page.joined is None:
        return []
    found = page.site.instance.get_runs(tags={SENSOR_TAG: sensor}, limit=_RUNS_OF_SENSOR)
    return [
        run
        for run in found
        if page.key in run.asset_keys and run.location is not None and run.location.name == page.joined.location
    ][:_SHOWN_RUNS]


def under_way(page: AssetPage) -> Running | None:
    """The run that makes the asset, or that is going to."""
    return _running(
        page, next(iter(told(page.site.instance, events_of(page.site.instance, page.key, ("ASSET_MATERIALIZATION",), 1))), None)
    )


def _running(page: AssetPage, latest: AssetEvent | None) -> Running | None:
    """The run that makes the asset, or that is going to."""
    instance, key = page.site.instance, page.key
    steps = {step for step in (key.to_escaped_string(), latest.step_key if latest is not None else None) if step is not None}
    at_work = page.site.kept(Pulse).look().running
    for run in instance.get_runs(statuses=UNDER_WAY, limit=_RUNS):
        if key in run.asset_keys:
            if any(at_work.get(step) == run.run_id for step in steps):
                return Running(run, True)
            if latest is None or latest.run_id != run.run_id:
                return Running(run, False)
    return None


def _failed(page: AssetPage) -> Failed | None:
    """How the asset failed, where it was not made since."""
    event = failures_of(page.site.kept(Pulse).look()).get(page.key)
    if event is None:
        return None
    error = event.error
    said = f"{error.cls_name}: {error.message.strip().partition(chr(10))[0]}" if error is not None else event.message or ""
    return Failed(event.run_id, event.timestamp, said)


def _place(latest: AssetEvent | None) -> str | None:
    """Where the table was last written to."""
    if latest is None:
        return None
    found = (latest.metadata.get(name) for name in ("table_name", "uri"))
    return next((str(value.value) for value in found if value is not None), None)
