"""`TimeWindowPartitionMapping`: windows of time are made from the upstream windows that overlap them."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import chain

from warehouse_assets.errors import InvalidDefinitionError
from warehouse_assets.partitions.definition import PartitionsDefinition
from warehouse_assets.partitions.mapping import PartitionMapping, PartitionsPair, UpstreamPartitions
from warehouse_assets.partitions.time_window import TimeWindowPartitionsDefinition

__all__ = ["TimeWindowPartitionMapping"]


@dataclass(frozen=True, slots=True)
class TimeWindowPartitionMapping(PartitionMapping):
    """Each window is made from the upstream windows that overlap it, its start and its end first moved by offsets.

    An offset counts downstream windows: with `start_offset=-1`, a day is made from what overlaps it and the day before; with
    both offsets -1, from the day before alone, so that a table may depend on itself. Upstream windows that are needed but do not
    exist are reported, unless `allow_nonexistent_upstream_partitions` says that one may do without them.
    """

    start_offset: int = 0
    end_offset: int = 0
    allow_nonexistent_upstream_partitions: bool = False

    def __post_init__(self) -> None:
        if self.start_offset > self.end_offset:
            raise InvalidDefinitionError(
                f"the start_offset of a time-window partition mapping is {self.start_offset}, after its end_offset {self.end_offset}"
            )

    @property
    def looks_back(self) -> bool:
        return self.end_offset < 0

    def validate(self, upstream: PartitionsDefinition | None, downstream: PartitionsDefinition | None) -> None:
        """Both tables have time-window partitions."""
        _windows(upstream, "upstream")
        _windows(downstream, "downstream")

    def get_upstream_keys(self, downstream_keys: Sequence[str], pair: PartitionsPair) -> UpstreamPartitions:
        upstream, downstream = _windows(pair.upstream, "upstream"), _windows(pair.downstream, "downstream")
        needed = _joined(
            (
                upstream.ticks.floor(downstream.ticks.shift(start, self.start_offset)),
                downstream.ticks.shift(end, self.end_offset),
            )
            for start, end in downstream.spans(downstream_keys)
        )
        first, stop = upstream.first, upstream.stop(pair.current_time)
        existing = [(max(start, first), min(end, stop)) for start, end in needed]
        missing = [span for start, end in needed for span in ((start, min(end, first)), (max(start, stop, first), end))]
        if self.allow_nonexistent_upstream_partitions:
            missing = []
        return UpstreamPartitions(_keys(upstream, existing), _keys(upstream, missing))

    def get_upstream_keys_of_each(self, downstream_keys: Sequence[str], pair: PartitionsPair) -> dict[str, UpstreamPartitions]:
        if len(downstream_keys) < 2:
            return PartitionMapping.get_upstream_keys_of_each(self, downstream_keys, pair)
        upstream, downstream = _windows(pair.upstream, "upstream"), _windows(pair.downstream, "downstream")
        starts = downstream.starts(downstream_keys)
        low = downstream.ticks.shift(min(starts), min(self.start_offset, 0))
        high = downstream.ticks.shift(max(starts), max(self.end_offset + 1, 0))
        own = [*downstream.ticks.between(low, high), high]  # in which an offset is one of places
        ticks = [*upstream.ticks.between(upstream.ticks.floor(low), high)]
        keys = upstream.keys_between(ticks[0], high) if ticks else ()
        first, stop = bisect_left(ticks, upstream.first), bisect_left(ticks, upstream.stop(pair.current_time))
        found = {}
        for key, tick in zip(downstream_keys, starts, strict=True):
            place = bisect_left(own, tick)
            start = bisect_right(ticks, own[place + self.start_offset]) - 1
            end = max(start, bisect_left(ticks, own[place + self.end_offset + 1]))
            missing = (*keys[start : min(end, first)], *keys[max(start, stop, first) : end])
            existing = keys[max(start, first) : min(end, stop)]
            found[key] = UpstreamPartitions(existing, () if self.allow_nonexistent_upstream_partitions else missing)
        return found

    def get_downstream_keys(self, upstream_keys: Sequence[str], pair: PartitionsPair) -> Sequence[str]:
        upstream, downstream = _windows(pair.upstream, "upstream"), _windows(pair.downstream, "downstream")
        ticks = downstream.ticks
        first, stop = downstream.first, downstream.stop(pair.current_time)
        made = _joined(  # from the first window that ends, when moved, after the span has begun to the last that begins in it
            (
                max(ticks.shift(ticks.floor(start), -self.end_offset), first),
                min(ticks.shift(ticks.ceil(end), -self.start_offset), stop),
            )
            for start, end in upstream.spans(upstream_keys)
        )
        return _keys(downstream, made)


def _windows(partitions_def: PartitionsDefinition | None, side: str) -> TimeWindowPartitionsDefinition:
    if isinstance(partitions_def, TimeWindowPartitionsDefinition):
        return partitions_def
    found = "none" if partitions_def is None else str(partitions_def)
    raise InvalidDefinitionError(
        f"a time-window partition mapping needs {side} partitions that are time windows, not {found}",
        hint="For a table without partitions give an AllPartitionMapping or a LastPartitionMapping.",
    )


def _joined(spans: Iterable[tuple[int, int]]) -> list[tuple[int, int]]:
    """The same time in ascending spans, of which none overlaps another."""
    joined: list[tuple[int, int]] = []
    for start, end in spans:
        if joined and start <= joined[-1][1]:
            joined[-1] = (joined[-1][0], max(joined[-1][1], end))
        else:
            joined.append((start, end))
    return joined


def _keys(partitions_def: TimeWindowPartitionsDefinition, spans: Iterable[tuple[int, int]]) -> tuple[str, ...]:
    return tuple(chain.from_iterable(partitions_def.keys_between(start, stop) for start, stop in spans))
