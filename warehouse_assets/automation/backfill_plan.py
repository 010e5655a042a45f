"""The runs of a backfill, and which of them have to end before others begin. Pure, and linear in partitions and dependencies."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING
from zlib import crc32

from warehouse_assets.automation.backfill_targets import Targets
from warehouse_assets.definitions.policies import BackfillPolicy
from warehouse_assets.errors import PartitionNotFoundError
from warehouse_assets.execution.plan import Plan
from warehouse_assets.graph.partition_links import Links, Partition, PartitionLinks
from warehouse_assets.keys import AssetKey
from warehouse_assets.partitions.definition import PartitionKeyRange
from warehouse_assets.partitions.multi import MultiPartitionsDefinition

if TYPE_CHECKING:
    from warehouse_assets.graph.asset_graph import AssetGraph

__all__ = ["BackfillPlan", "Stage", "Unit"]

ONE_BY_ONE = BackfillPolicy.multi_run(1)


@dataclass(frozen=True, slots=True, eq=False)
class Stage:
    """Assets that are made in the same runs, since they have the same partitions and need only their own of each other.

    `size` is how many partitions that are, `first` the number of its first run.
    """

    asset_keys: tuple[AssetKey, ...]
    units: Sequence[tuple[Partition, ...]]
    first: int
    size: int


@dataclass(frozen=True, slots=True)
class Unit:
    """One run: these assets, for these partitions, which follow each other."""

    asset_keys: tuple[AssetKey, ...]
    partitions: tuple[Partition, ...]

    @property
    def name(self) -> str:
        """What tells it from all other runs of the backfill."""
        start, end = self.partitions[0], self.partitions[-1]
        of = self.asset_keys[0].to_escaped_string()
        return f"{of}:{start}" if start == end else f"{of}:{start}...{end}"

    @property
    def partition_key(self) -> str | None:
        """The one partition; None where there are several, or the assets have none."""
        return self.partitions[0] if len(self.partitions) == 1 else None

    @property
    def partition_key_range(self) -> PartitionKeyRange | None:
        """The range, where there are several partitions."""
        start, end = self.partitions[0], self.partitions[-1]
        return PartitionKeyRange(start, end) if len(self.partitions) > 1 and start is not None and end is not None else None


class BackfillPlan:
    """The runs of a backfill, numbered in an order in which each stands after all that it needs.

    `feeds` says for each which others wait for it, and `missing` for how many each waits. Beyond the runs there are gates, which
    stand for many runs that many others wait for, so that there are never as many links as pairs of them.
    """

    def __init__(self, graph: AssetGraph, targets: Targets, links: PartitionLinks) -> None:
        self.stages = _stages(graph, targets, links)
        self._firsts = [stage.first for stage in self.stages]
        self.count = sum(len(stage.units) for stage in self.stages)
        self.missing = [0] * self.count
        self.feeds: list[list[int]] = [[] for _ in range(self.count)]
        stage_of = {key: stage for stage in self.stages for key in stage.asset_keys}
        places: dict[int, dict[Partition, int]] = {}
        for stage in self.stages:
            places[stage.first] = {each: stage.first + i for i, unit in enumerate(stage.units) for each in unit}
        for stage in self.stages:
            partitions = tuple(places[stage.first])
            waits: set[tuple[int, int]] = set()
            for key in stage.asset_keys:
                for parent, found in links.inputs(key, partitions).items():
                    other = stage_of.get(parent)
                    if other is not None and (other is not stage or parent == key or not _own(found)):
                        self._connect(stage, places[other.first], found, waits)

    def stage_of(self, index: int) -> int:
        """The number of the stage that a run is of."""
        return bisect_right(self._firsts, index) - 1

    def unit(self, index: int) -> Unit:
        """The run of this number."""
        stage = self.stages[self.stage_of(index)]
        return Unit(stage.asset_keys, stage.units[index - stage.first])

    @property
    def digest(self) -> str:
        """What changes where the numbers of the runs would stand for others."""
        shape = repr([(stage.asset_keys, len(stage.units), [unit[0] for unit in stage.units]) for stage in self.stages])
        return f"{crc32(shape.encode()):08x}"

    def _connect(self, stage: Stage, places: Mapping[Partition, int], found: Links, waits: set[tuple[int, int]]) -> None:
        """Let the runs of a stage wait for those that make what theirs are made from; equal answers are looked at once."""
        gates: dict[int, Sequence[int]] = {}
        for index, unit in enumerate(stage.units, stage.first):
            for partition in unit:
                answer = found[partition]
                if id(answer) not in gates:
                    needed = dict.fromkeys(places[each] for each in answer if each in places)
                    gates[id(answer)] = self._gate(tuple(needed)) if len(needed) > 2 and index not in needed else tuple(needed)
                for node in gates[id(answer)]:
                    if node != index and (node, index) not in waits:
                        waits.add((node, index))
                        self.feeds[node].append(index)
                        self.missing[index] += 1

    def _gate(self, needed: Sequence[int]) -> Sequence[int]:
        gate = len(self.missing)
        self.missing.append(len(needed))
        self.feeds.append([])
        for index in needed:
            self.feeds[index].append(gate)
        return (gate,)


def _own(found: Links) -> bool:
    """Whether each partition is made from the one of its own key alone."""
    return all(tuple(answer) == (partition,) for partition, answer in found.items())


def _stages(graph: AssetGraph, targets: Targets, links: PartitionLinks) -> list[Stage]:
    """The selected assets in groups that can be made together, in an order in which each stands after those it needs."""
    levels: dict[AssetKey, int] = {}
    groups: dict[tuple[int, int], list[AssetKey]] = {}
    kinds = _Kinds(graph, targets)
    for step in Plan.build(graph, targets.keys(), ()).steps:
        level = 0
        for key in step.asset_keys:
            for parent, found in links.inputs(key, targets[key]).items():
                if parent in levels and parent not in step.asset_keys:
                    together = kinds.of(parent) == kinds.of(key) and _own(found)
                    level = max(level, levels[parent] + (not together))
        levels.update(dict.fromkeys(step.asset_keys, level))
        groups.setdefault((level, kinds.of(step.asset_keys[0])), []).extend(step.asset_keys)
    stages: list[Stage] = []
    first = 0
    for (_, _), keys in sorted(groups.items()):
        units = tuple(_units(graph, keys[0], targets[keys[0]], links))
        stages.append(Stage(tuple(keys), units, first, len(targets[keys[0]])))
        first += len(units)
    return stages


class _Kinds:
    """Numbers for ways of being made: assets of one number have the same partitions, to be made as many at once."""

    def __init__(self, graph: AssetGraph, targets: Targets) -> None:
        self._graph = graph
        self._targets = targets
        self._known: list[tuple[object, object, Sequence[Partition]]] = []
        self._numbers: dict[AssetKey, int] = {}

    def of(self, key: AssetKey) -> int:
        if key not in self._numbers:
            kind = (self._graph.nodes[key].spec.partitions_def, _policy(self._graph, key), self._targets[key])
            if kind not in self._known:
                self._known.append(kind)
            self._numbers[key] = self._known.index(kind)
        return self._numbers[key]


def _policy(graph: AssetGraph, key: AssetKey) -> BackfillPolicy:
    definition = graph.nodes[key].definition
    policy: BackfillPolicy | None = definition.backfill_policy if definition is not None else None
    return policy or ONE_BY_ONE


def _units(
    graph: AssetGraph, key: AssetKey, partitions: Sequence[Partition], links: PartitionLinks
) -> Iterator[tuple[Partition, ...]]:
    """The partitions that are made in one run each: as many as the policy allows of those that follow each other."""
    at_once = _policy(graph, key).max_partitions_per_run
    partitions_def = graph.nodes[key].spec.partitions_def
    if at_once == 1 or partitions_def is None:
        yield from ((each,) for each in partitions)
        return
    for chunk in _following(partitions, links.partitions(key), at_once):
        if isinstance(partitions_def, MultiPartitionsDefinition) and not _is_block(partitions_def, chunk, links):
            yield from ((each,) for each in chunk)
        else:
            yield chunk


def _is_block(partitions_def: MultiPartitionsDefinition, chunk: tuple[Partition, ...], links: PartitionLinks) -> bool:
    """Whether these are all the partitions of their range, which is one along each dimension."""
    ends = PartitionKeyRange(str(chunk[0]), str(chunk[-1]))
    try:
        return tuple(partitions_def.get_partition_keys_in_range(ends, links.current_time, links.store)) == chunk
    except PartitionNotFoundError:  # which ends before it starts along one of them
        return False


def _following(
    partitions: Iterable[Partition], every: Sequence[Partition], at_once: int | None
) -> Iterator[tuple[Partition, ...]]:
    place = {key: index for index, key in enumerate(every)}
    chunk: list[Partition] = []
    for key in partitions:
        if chunk and (place[key] != place[chunk[-1]] + 1 or len(chunk) == at_once):
            yield tuple(chunk)
            chunk = []
        chunk.append(key)
    if chunk:
        yield tuple(chunk)
