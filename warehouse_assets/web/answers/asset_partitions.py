"""The states of all partitions of an asset, as runs of equal ones, and a page of their keys."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING

import msgspec

from warehouse_assets.events import EventType
from warehouse_assets.keys import AssetKey
from warehouse_assets.web.answers.asset_statuses import known_statuses, statuses_of, takes_long
from warehouse_assets.web.answers.record import the_instance

if TYPE_CHECKING:
    from warehouse_assets.code_location.definitions import Definitions

__all__ = ["Lane", "PartitionStates", "PartitionsRequest", "Span", "partition_states"]

MOST_LANES = 60


class PartitionsRequest(msgspec.Struct, frozen=True, omit_defaults=True):
    """Which keys to list: those that hold `text`, have `state` and are of the bar `lane`, where these are given; `limit` of them from `offset` on. With `quick` nothing that takes long is worked out."""

    key: tuple[str, ...]
    text: str = ""
    state: str | None = None
    offset: int = 0
    limit: int = 100
    lane: str | None = None
    quick: bool = False


class Span(msgspec.Struct, frozen=True, array_like=True):
    """Partitions that follow each other and have one state: how many, and the first and the last key."""

    state: str
    count: int
    first: str
    last: str


class Lane(msgspec.Struct, frozen=True):
    """The partitions of one key of the shorter dimension, or all, in order."""

    name: str
    spans: tuple[Span, ...]


class PartitionStates(msgspec.Struct, frozen=True, omit_defaults=True):
    """How many partitions have each state, their bar or bars, and the listed ones as (key, state).

    `dimensions` are the names of the one along the bars and of the one that the bars are of, where there are two. `left_out` counts bars that are not drawn. `is_quick` is whether what is stale is not worked out: then partitions are made or missing. `is_behind` is whether they may have changed since.
    """

    total: int = 0
    counts: dict[str, int] = {}
    lanes: tuple[Lane, ...] = ()
    dimensions: tuple[str, ...] = ()
    left_out: int = 0
    listed: tuple[tuple[str, str], ...] = ()
    matching: int = 0
    is_quick: bool = False
    is_behind: bool = False


def partition_states(definitions: Definitions, request: PartitionsRequest) -> PartitionStates:
    """The state of each partition by the record of the project; of a source, those that were ever recorded are fresh."""
    key = AssetKey(request.key)
    node = definitions.graph[key]
    if node.spec.partitions_def is None:
        return PartitionStates()
    states, is_quick, is_behind = _states(definitions, key, quick=request.quick)
    names = [*states]
    dimensions, lanes = _lanes(node.spec.partitions_def, names)
    among = names if request.lane is None else lanes.get(request.lane, [])
    wanted = [(name, states[name]) for name in among if _fits(name, states[name], request)]
    drawn = list(lanes.items())[:MOST_LANES]
    return PartitionStates(
        total=len(names),
        counts=dict(Counter(states.values())),
        lanes=tuple(Lane(name, tuple(_spans((one, states[one]) for one in members))) for name, members in drawn),
        dimensions=dimensions,
        left_out=max(0, len(lanes) - MOST_LANES),
        listed=tuple(wanted[request.offset : request.offset + request.limit]),
        matching=len(wanted),
        is_quick=is_quick,
        is_behind=is_behind,
    )


def _states(definitions: Definitions, key: AssetKey, *, quick: bool) -> tuple[dict[str, str], bool, bool]:
    """The states, whether they only tell what was made, since it takes long to find out what is stale, and whether they may have changed."""
    if definitions.graph[key].is_executable:
        known = known_statuses(definitions, key)
        if known is None and not (quick and takes_long(definitions, key)):
            known = statuses_of(definitions, key)
        if known is not None:
            return {str(name): status.state for name, status in known.statuses.items()}, False, known.is_behind
        return _recorded(definitions, key, "made"), True, False
    return _recorded(definitions, key, "fresh"), False, False


def _recorded(definitions: Definitions, key: AssetKey, word: str) -> dict[str, str]:
    instance, partitions_def = the_instance(), definitions.graph[key].spec.partitions_def
    kinds: tuple[EventType, ...] = ("ASSET_MATERIALIZATION", "ASSET_OBSERVATION")
    known = {name for kind in kinds for name in instance.event_log.get_partitions(kind, key)}
    return {str(name): word if name in known else "missing" for name in partitions_def.get_partition_keys(None, instance)}


def _fits(name: str, state: str, request: PartitionsRequest) -> bool:
    return (request.state is None or state == request.state) and (
        not request.text or request.text.casefold() in name.casefold()
    )


def _lanes(partitions_def: object, names: list[str]) -> tuple[tuple[str, ...], dict[str, list[str]]]:
    """One bar for all, or, of two dimensions, one for each key of the one that has fewer."""
    dimensions = tuple(getattr(partitions_def, "partition_dimension_names", ()))
    if len(dimensions) != 2:
        return (), {"": names}
    pairs = [name.split("|", 1) for name in names]
    sizes = [len({pair[place] for pair in pairs}) for place in (0, 1)]
    of = 0 if sizes[0] < sizes[1] else 1
    grouped: dict[str, list[str]] = {}
    for name, pair in zip(names, pairs, strict=True):
        grouped.setdefault(pair[of], []).append(name)
    return (dimensions[1 - of], dimensions[of]), grouped


def _spans(pairs: Iterable[tuple[str, str]]) -> Iterator[Span]:
    state, count, first, last = "", 0, "", ""
    for name, here in pairs:
        if here != state:
            if count:
                yield Span(state, count, first, last)
            state, count, first = here, 0, name
        count, last = count + 1, name
    if count:
        yield Span(state, count, first, last)
