"""The partitions of an asset as bars, and a page of their keys."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from warehouse_assets.web.answers.asset_partitions import Lane, PartitionsRequest, PartitionStates, Span, partition_states
from warehouse_assets.web.views.asset import AssetPage, asked
from warehouse_assets.web.views.asset_events import AssetEvent, event_page

__all__ = ["Bar", "Block", "PartitionsTab", "partitions_tab", "states_of"]

STATES = ("missing", "stale", "fresh", "made")  # the worst first
PAGE = 100
_WIDTH = 1_000  # blocks that a bar can show


@dataclass(frozen=True, slots=True)
class Block:
    """A part of a bar: where it begins and how wide it is, of 1,000; `count` partitions from `first` to `last`."""

    x: float
    width: float
    state: str
    count: int
    first: str
    last: str

    @property
    def title(self) -> str:
        """What it says on hover."""
        keys = self.first if self.count == 1 else f"{self.first} … {self.last}"
        return f"{keys}: {self.state}" + ("" if self.count == 1 else f" ({self.count:,})")


@dataclass(frozen=True, slots=True)
class Bar:
    """The partitions of a lane, `start` the place of the first among all, where the lane is the only one."""

    name: str
    total: int
    blocks: tuple[Block, ...]


@dataclass(frozen=True, slots=True)
class PartitionsTab:
    """Bars, a page of keys, and the events of the chosen one."""

    states: PartitionStates | None
    fault: str | None
    bars: tuple[Bar, ...] = ()
    text: str = ""
    state: str | None = None
    offset: int = 0
    chosen: str | None = None
    chosen_state: str | None = None
    events: tuple[AssetEvent, ...] = ()

    @property
    def next_offset(self) -> int | None:
        """Where the next page begins."""
        after = self.offset + PAGE
        return after if self.states is not None and after < self.states.matching else None


def states_of(
    page: AssetPage,
    text: str = "",
    state: str | None = None,
    offset: int = 0,
    limit: int = PAGE,
    lane: str | None = None,
    *,
    quick: bool = False,
) -> tuple[PartitionStates | None, str | None]:
    """The states of the partitions of an asset, or why they are not told."""
    wanted = state if state in STATES else None
    return asked(
        page,
        partition_states,
        PartitionsRequest(page.key.path, text, wanted, max(0, offset), max(1, min(limit, 1_000)), lane, quick),
    )


def partitions_tab(
    page: AssetPage,
    text: str = "",
    state: str | None = None,
    offset: int = 0,
    chosen: str | None = None,
    *,
    quick: bool = False,
) -> PartitionsTab:
    """The Partitions tab; `chosen` is the partition that the address names."""
    states, fault = states_of(page, text, state, offset, quick=quick)
    bars = tuple(_bar(lane) for lane in states.lanes) if states is not None else ()
    events: tuple[AssetEvent, ...] = ()
    chosen_state = None
    if chosen is not None:
        events = event_page(page.site.instance, page.key, partition=chosen, limit=20).events
        found, _ = states_of(page, chosen, None, 0, 1_000, quick=quick)
        chosen_state = dict(found.listed).get(chosen) if found is not None else None
    return PartitionsTab(states, fault, bars, text, state, max(0, offset), chosen, chosen_state, events)


def _bar(lane: Lane) -> Bar:
    total = sum(span.count for span in lane.spans)
    return Bar(lane.name, total, tuple(_blocks(lane.spans, total)))


def _blocks(spans: Sequence[Span], total: int) -> Iterator[Block]:
    """One block for each span; where there are more than can be seen, those that share a place are one, in the worst state."""
    if len(spans) <= _WIDTH:
        at = 0
        for span in spans:
            yield _block(at, span.count, total, span.state, span.first, span.last)
            at += span.count
        return
    at, start, held = 0, 0, list[Span]()
    for span in spans:
        held.append(span)
        at += span.count
        if (at - start) * _WIDTH >= total or at == total:
            worst = min((one.state for one in held), key=STATES.index)
            yield _block(start, at - start, total, worst, held[0].first, held[-1].last)
            start, held = at, []


def _block(at: int, count: int, total: int, state: str, first: str, last: str) -> Block:
    scale = _WIDTH / max(total, 1)
    return Block(round(at * scale, 3), round(count * scale, 3), state, count, first, last)
