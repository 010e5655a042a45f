"""The catalog: all assets, filtered, sorted and a page at a time."""

from __future__ import annotations

import functools
import re
import threading
from collections import Counter, OrderedDict
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from warehouse_assets.automation.runs import steps_of
from warehouse_assets.code_location.workspace import JoinedAsset
from warehouse_assets.errors import WarehouseAssetsError
from warehouse_assets.events import Event, EventType
from warehouse_assets.instance.event_log import EventFilter
from warehouse_assets.keys import AssetKey
from warehouse_assets.web.answers.catalog import AssetState, Selection, select
from warehouse_assets.web.views.pulse import Known, Made, Pulse, check_counts, failures_of, made_by, running_of

if TYPE_CHECKING:
    from warehouse_assets.web.site import Facts, Site

__all__ = ["PAGE", "SORTS", "STATES", "CatalogFilter", "CatalogPage", "CatalogRow", "catalog", "natural", "prepare", "state_of"]

PAGE = 60
HISTORY = 20
SORTS = ("name", "rows", "bytes", "last")
STATES = ("failed", "stale", "late", "missing", "fresh", "materializing", "source")
_MAKES: tuple[EventType, ...] = ("ASSET_MATERIALIZATION",)
_STEPS: tuple[EventType, ...] = ("STEP_START", "STEP_SUCCESS", "STEP_FAILURE")
_DIGITS = re.compile(r"(\d+)")
_SYNTAX = re.compile(r"[+:*()\"]|\b(and|or|not)\b")


@dataclass(frozen=True, slots=True)
class CatalogFilter:
    """Which assets are shown, and in which order; nothing stands for all of them."""

    text: str = ""
    group: str = ""
    kind: str = ""
    owner: str = ""
    tag: str = ""
    store: str = ""
    state: str = ""
    checks: str = ""
    location: str = ""
    sort: str = "name"
    descending: bool = False


@dataclass(frozen=True, slots=True)
class CatalogRow:
    """One asset as the catalog shows it. `history` are its last row counts, oldest first."""

    key: AssetKey
    asset: JoinedAsset
    state: str
    why: str
    partitions: AssetState | None
    made: Made | None
    before: int | None
    history: Sequence[int]
    seconds: float | None
    checks: tuple[int, int, int]
    freshness: str | None


@dataclass(frozen=True, slots=True)
class CatalogPage:
    """A page of rows of all that fit, and what one can filter by, each with how many there are."""

    rows: Sequence[CatalogRow]
    total: int
    every: int
    offset: int
    facets: Mapping[str, Mapping[str, int]]
    fault: str | None = None
    is_stated: bool = True

    @property
    def more(self) -> int | None:
        """Where the next page begins."""
        end = self.offset + len(self.rows)
        return end if end < self.total else None


def catalog(site: Site, wanted: CatalogFilter, *, offset: int = 0, limit: int = PAGE) -> CatalogPage:
    """A page of the catalog."""
    facts = site.facts
    index, seen = site.kept(_Indexed).of(facts), _seen(site, facts)
    chosen, fault = _searched(site, index, wanted.text)
    keys = [key for key in index.order if key in chosen and _fits(wanted, seen, key, facts.assets[key])]
    shown = _sorted(keys, wanted, seen.known.made)[offset : offset + limit]
    details = site.kept(_Details)
    rows = [_row(seen, details, key, facts.assets[key]) for key in shown]
    return CatalogPage(rows, len(keys), len(facts.assets), offset, index.facets, fault, site.kept(Pulse).is_stated)


def prepare(site: Site) -> None:
    """Read what the first page of the catalog needs, once all is loaded, so that nobody waits for it."""
    with suppress(TimeoutError, WarehouseAssetsError):  # which those are told who look at a page
        site.wait()
        catalog(site, CatalogFilter())


@dataclass(frozen=True, slots=True)
class _Seen:
    """What all rows are made from: what last happened, and the word for how each asset stands."""

    known: Known
    states: Mapping[AssetKey, AssetState]
    failures: Mapping[AssetKey, Event]
    words: Mapping[AssetKey, str]

    def is_late(self, key: AssetKey) -> bool:
        """Whether the policy of an asset says so."""
        return key in self.states and self.states[key].freshness in ("WARN", "FAIL")


def _seen(site: Site, facts: Facts) -> _Seen:
    pulse = site.kept(Pulse)
    states, known = pulse.states(), pulse.look()
    failures, running = failures_of(known), running_of(known)
    words = {
        key: state_of(asset, states.get(key), key in failures, key in running, key in known.made)
        for key, asset in facts.assets.items()
    }
    return _Seen(known, states, failures, words)


def _fits(wanted: CatalogFilter, seen: _Seen, key: AssetKey, asset: JoinedAsset) -> bool:
    one = asset.facts
    return (
        (not wanted.group or one.group == wanted.group)
        and (not wanted.kind or wanted.kind in one.kinds)
        and (not wanted.owner or wanted.owner in one.owners)
        and (not wanted.tag or wanted.tag in {f"{name}={value}" if value else name for name, value in one.tags.items()})
        and (not wanted.store or one.io_manager == wanted.store)
        and (not wanted.location or asset.location == wanted.location)
        and (not wanted.state or seen.words[key] == wanted.state or (wanted.state == "late" and seen.is_late(key)))
        and (not wanted.checks or _check_word(check_counts(seen.known, key)) == wanted.checks)
    )


def _row(seen: _Seen, details: _Details, key: AssetKey, asset: JoinedAsset) -> CatalogRow:
    made, state, word = seen.known.made.get(key), seen.states.get(key), seen.words[key]
    history = details.history(key, made)
    why = state.cause if state is not None else ""
    if word == "failed":
        why = seen.failures[key].message or ""
    return CatalogRow(
        key,
        asset,
        word,
        why,
        state if asset.facts.partitions else None,
        made,
        history[-2] if len(history) > 1 else None,
        history,
        _seconds(seen.known, details, made, (state.step if state is not None else None) or key.to_escaped_string()),
        check_counts(seen.known, key),
        state.freshness if state is not None else None,
    )


def state_of(asset: JoinedAsset, state: AssetState | None, failed: bool, running: bool, made: bool) -> str:
    """The word for how an asset stands: materializing, failed, missing, stale, fresh, source, or unknown while that is worked out."""
    if running:
        return "materializing"
    if failed:
        return "failed"
    if not asset.facts.is_executable:
        return "source"
    if state is not None and state.state is not None:
        return state.state
    return "unknown" if made else "missing"


def natural(text: str) -> tuple[Any, ...]:
    """What sorts numbers in text as numbers.

    >>> sorted(["m10", "m2", "m1"], key=natural)
    ['m1', 'm2', 'm10']
    """
    return tuple(
        (0, int(part), "") if part.isascii() and part.isdigit() else (1, 0, part.casefold())
        for part in _DIGITS.split(text)
        if part
    )


@dataclass(frozen=True)
class _Index:
    """All keys in natural order, the text that a search looks at, and counts of what one can filter by."""

    version: int
    order: Sequence[AssetKey]
    text: Mapping[AssetKey, str]
    facets: Mapping[str, Mapping[str, int]]


class _Indexed:
    """The index of the present facts."""

    def __init__(self, site: Site) -> None:
        self._index = _Index(-1, (), {}, {})
        self._lock = threading.Lock()

    def of(self, facts: Facts) -> _Index:
        """The index of these facts, which is made once, however many ask for it."""
        with self._lock:
            if self._index.version != facts.version:
                self._index = _indexed(facts)
            return self._index


def _indexed(facts: Facts) -> _Index:
    counts: dict[str, Counter[str]] = {name: Counter() for name in ("group", "kind", "owner", "tag", "store", "location")}
    text = {}
    for key, asset in facts.assets.items():
        one = asset.facts
        tags = [f"{name}={value}" if value else name for name, value in one.tags.items()]
        for name, values in (
            ("group", [one.group]),
            ("kind", one.kinds),
            ("owner", one.owners),
            ("tag", tags),
            ("store", [one.io_manager] if one.io_manager else []),
            ("location", [asset.location]),
        ):
            counts[name].update(values)
        parts = [key.to_user_string(), one.description or "", one.group, *one.kinds, *one.owners, *tags]
        text[key] = "\n".join(parts).casefold()
    parts_of = functools.cache(natural)
    order = sorted(facts.assets, key=lambda key: [parts_of(segment) for segment in key.path])
    return _Index(
        facts.version,
        order,
        text,
        {name: dict(sorted(found.items(), key=lambda each: natural(each[0]))) for name, found in counts.items()},
    )


def _searched(site: Site, index: _Index, text: str) -> tuple[Iterable[AssetKey] | Mapping[AssetKey, str], str | None]:
    """The keys that a search means: those whose text has all its words, or those of a selection where it is one."""
    words = text.casefold().split()
    if not words:
        return index.text, None
    found = {key for key, of in index.text.items() if all(word in of for word in words)}
    if found or not _SYNTAX.search(text):
        return found, None
    fault = None
    for name in site.facts.locations:
        try:
            found.update(AssetKey(path) for path in site.workspace[name].ask(select, Selection(text)).keys)
        except WarehouseAssetsError as error:
            fault = str(error)
    return found, None if found else fault


def _sorted(keys: list[AssetKey], wanted: CatalogFilter, made: Mapping[AssetKey, Made]) -> list[AssetKey]:
    """The keys in the order that is asked for; what was never made comes last."""
    measures: dict[str, Callable[[Made], float | None]] = {
        "rows": lambda one: one.rows,
        "bytes": lambda one: one.bytes,
        "last": lambda one: one.at,
    }
    if wanted.sort not in measures:
        return keys[::-1] if wanted.descending else keys
    values = {key: measures[wanted.sort](made[key]) if key in made else None for key in keys}
    sign = -1 if wanted.descending else 1
    return sorted(keys, key=lambda key: (values[key] is None, sign * (values[key] or 0)))


def _check_word(counts: tuple[int, int, int]) -> str:
    passed, warned, failed = counts
    return "failed" if failed else "warned" if warned else "passed" if passed else "none"


@dataclass
class _Details:
    """What is read for the rows that are shown, and kept for as long as it cannot have changed."""

    site: Site
    histories: OrderedDict[tuple[AssetKey, int], Sequence[int]] = field(default_factory=OrderedDict)
    runs: OrderedDict[str, Mapping[str, float]] = field(default_factory=OrderedDict)

    def history(self, key: AssetKey, made: Made | None) -> Sequence[int]:
        """The last row counts of an asset, oldest first."""
        if made is None:
            return ()
        mark = (key, made.event_id)
        if mark not in self.histories:
            where = EventFilter(asset_key=key, event_types=_MAKES)
            events = self.site.instance.event_log.get_events(where, limit=HISTORY, ascending=False)
            rows = [made_by(event).rows for event in reversed(events)]
            self.histories[mark] = [count for count in rows if count is not None]
            _forget(self.histories, 4000)
        return self.histories[mark]

    def seconds(self, run_id: str) -> Mapping[str, float]:
        """How long the steps of a run took that is over."""
        if run_id not in self.runs:
            run = self.site.instance.get_run_by_id(run_id)
            if run is None or run.ended is None:
                return {}
            events = self.site.instance.event_log.get_events(EventFilter(run_id=run_id, event_types=_STEPS))
            self.runs[run_id] = {
                one.key: one.ended - one.started
                for one in steps_of(events)
                if one.started is not None and one.ended is not None
            }
            _forget(self.runs, 200)
        return self.runs[run_id]


def _seconds(known: Known, details: _Details, made: Made | None, step: str) -> float | None:
    """How long the step took that made an asset last; a run that goes on is not read again for each of its assets."""
    if made is None:
        return None
    run_id, seconds = known.took.get(step, ("", 0.0))
    return seconds if run_id == made.run_id else details.seconds(made.run_id).get(step)


def _forget(kept: OrderedDict[Any, Any], most: int) -> None:
    while len(kept) > most:
        kept.popitem(last=False)
