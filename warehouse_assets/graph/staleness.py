"""What is missing, stale or fresh, and why. Pure: the graph and what was recorded go in, an answer for each asset comes out.

An asset is stale when its code, the data it is made from, or what it depends on is no longer what its latest materialization says
it was made from, and when something upstream is missing or stale. Equal versions mean equal data, whoever made it, and when. Of a
partitioned asset that is so for each partition, and the upstream partitions that it is made from.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Literal, TypeAlias

from warehouse_assets.graph.asset_graph import AssetGraph, AssetNode
from warehouse_assets.graph.partition_links import Partition, PartitionLinks, in_order
from warehouse_assets.graph.versions import INITIAL, LatestVersions, Recorded
from warehouse_assets.keys import AssetKey

__all__ = [
    "AssetState",
    "AssetStatus",
    "PartitionCounts",
    "SomePartitions",
    "StaleCause",
    "keys_to_run",
    "overall_status",
    "own_causes",
    "partition_statuses",
]

AssetState: TypeAlias = Literal["missing", "stale", "fresh"]
CauseKind: TypeAlias = Literal["code", "data", "dependency added", "dependency removed", "upstream"]

_NAMED = 3


@dataclass(frozen=True, slots=True)
class SomePartitions:
    """Partitions of an asset: the `first` few, and how many there are.

    >>> print(SomePartitions.of(["mon", "tue", "wed", "thu", "fri"]))
    mon, tue, wed and 2 more
    """

    first: tuple[str, ...]
    count: int

    @classmethod
    def of(cls, partitions: Sequence[Partition], start: int = 0) -> SomePartitions | None:
        """These, from the place `start` on; None where they stand for a table that is not partitioned, or there are none."""
        first = tuple(str(partition) for partition in partitions[start : start + _NAMED] if partition is not None)
        return cls(first, len(partitions) - start) if first else None

    def __str__(self) -> str:
        more = self.count - len(self.first)
        return ", ".join(self.first) + (f" and {more} more" if more else "")


@dataclass(frozen=True, slots=True)
class StaleCause:
    """One reason why an asset is stale.

    `key` is what has changed: the asset itself for "code", else one that it depends on; and `partitions` those of it that did.
    `old` and `new` are versions. The cause of kind "upstream" says that `key` is missing or stale, and `root` why: None where it
    is missing. In the status of a partitioned asset as a whole the cause is that of the first of the partitions that it makes
    stale, and `of` tells these.
    """

    kind: CauseKind
    key: AssetKey
    old: str | None = None
    new: str | None = None
    root: StaleCause | None = None
    partitions: SomePartitions | None = None
    of: SomePartitions | None = None


@dataclass(frozen=True, slots=True)
class PartitionCounts:
    """How many partitions of an asset are missing, stale and fresh."""

    missing: int = 0
    stale: int = 0
    fresh: int = 0

    @property
    def total(self) -> int:
        """How many there are."""
        return self.missing + self.stale + self.fresh


@dataclass(frozen=True, slots=True)
class AssetStatus:
    """Whether an asset is missing, stale or fresh, and why it is stale.

    A partitioned asset is missing when none of its `partitions` is made, and stale when some are missing or stale.
    """

    state: AssetState
    causes: tuple[StaleCause, ...] = ()
    partitions: PartitionCounts | None = None


_FRESH, _MISSING = AssetStatus("fresh"), AssetStatus("missing")


def own_causes(
    key: AssetKey, code_version: str | None, recorded: Recorded, inputs: Mapping[AssetKey, Recorded | None]
) -> Iterator[StaleCause]:
    """What is no longer as it was when an asset, or a partition of it, was made, apart from the state of what is upstream.

    `inputs` has what it would be made from now, None where nothing is recorded of that.
    """
    then = recorded.inputs
    if then is None:  # made by something else: all that can be told is what came after it
        for parent, now in inputs.items():
            if now is not None and now.storage_id > recorded.storage_id:
                yield StaleCause("data", parent, None, now.data_version)
        return
    if code_version is not None and code_version != recorded.code_version:
        yield StaleCause("code", key, recorded.code_version, code_version)
    for parent, found in inputs.items():
        version = INITIAL if found is None else found.data_version
        if parent not in then:
            yield StaleCause("dependency added", parent, None, version)
        elif then[parent] != version:
            yield StaleCause("data", parent, then[parent], version)
    if then.keys() != inputs.keys():
        for parent in then.keys() - inputs.keys():
            yield StaleCause("dependency removed", parent, then[parent], None)


def partition_statuses(
    graph: AssetGraph,
    latest: LatestVersions,
    links: PartitionLinks,
    partitions: Mapping[AssetKey, Sequence[Partition]],
    code_version: Callable[[AssetNode], str | None] = lambda node: node.spec.code_version,
) -> dict[AssetKey, dict[Partition, AssetStatus]]:
    """The status of each of these `partitions` of assets that a run can make, in the order of the graph.

    All that they are made from has to be among them, as `PartitionLinks.upstream` gives it. `latest` is what was last recorded, and
    `code_version` what the code of an asset is now. It takes time linear in the partitions and the links between them.
    """
    statuses = _Statuses(latest)
    for node in graph:
        if node.definition is not None and (wanted := partitions.get(node.key)):
            statuses.add(node.key, code_version(node), wanted, links.inputs(node.key, wanted))
    return statuses.found


class _Statuses:
    """The statuses of assets, in an order in which each stands after all it is made from."""

    def __init__(self, latest: LatestVersions) -> None:
        self.found: dict[AssetKey, dict[Partition, AssetStatus]] = {}
        self._latest = latest
        self._upstream: dict[AssetKey, tuple[Sequence[Partition], tuple[StaleCause, ...]]] = {}

    def add(
        self,
        key: AssetKey,
        code_version: str | None,
        partitions: Sequence[Partition],
        links: Mapping[AssetKey, Mapping[Partition, Sequence[Partition]]],
    ) -> None:
        statuses = self.found[key] = dict.fromkeys(partitions, _MISSING)
        for partition in in_order(partitions, links[key]) if key in links else partitions:
            recorded = self._latest.get(key, partition)
            if recorded is None:
                continue
            inputs = {
                parent: self._latest.together(parent, upstream[partition], partition) for parent, upstream in links.items()
            }
            causes = [
                replace(cause, partitions=self._changed(cause, key, partition, recorded, links))
                for cause in own_causes(key, code_version, recorded, inputs)
            ]
            for parent, upstream in links.items():
                causes += self._upstream_causes(parent, upstream[partition])
            statuses[partition] = AssetStatus("stale", tuple(causes)) if causes else _FRESH

    def _changed(
        self,
        cause: StaleCause,
        key: AssetKey,
        partition: Partition,
        recorded: Recorded,
        links: Mapping[AssetKey, Mapping[Partition, Sequence[Partition]]],
    ) -> SomePartitions | None:
        """The partitions that a cause is about: those of the data that were made later."""
        if cause.kind == "code":
            return SomePartitions.of([partition])
        if cause.kind != "data":
            return None
        return SomePartitions.of(*self._latest.later(cause.key, links[cause.key][partition], recorded.storage_id))

    def _upstream_causes(self, parent: AssetKey, partitions: Sequence[Partition]) -> tuple[StaleCause, ...]:
        statuses = self.found.get(parent)
        if statuses is None:
            return ()
        last = self._upstream.get(parent)
        if last is None or last[0] is not partitions:  # thousands of partitions may be made from the same thousands
            last = self._upstream[parent] = (partitions, tuple(_not_fresh(parent, statuses, partitions)))
        return last[1]


def _not_fresh(
    parent: AssetKey, statuses: Mapping[Partition, AssetStatus], partitions: Sequence[Partition]
) -> Iterator[StaleCause]:
    """That some are missing, and that some are stale."""
    if missing := [name for name in partitions if statuses.get(name, _FRESH).state == "missing"]:
        yield StaleCause("upstream", parent, partitions=SomePartitions.of(missing))
    if stale := [name for name in partitions if statuses.get(name, _FRESH).state == "stale"]:
        first = statuses[stale[0]].causes[0]
        root = first.root or first if first.kind == "upstream" else first
        yield StaleCause("upstream", parent, root=root, partitions=SomePartitions.of(stale))


def overall_status(statuses: Mapping[Partition, AssetStatus]) -> AssetStatus:
    """The status of an asset, from those of its partitions, or of its only one."""
    if None in statuses:
        return statuses[None]
    counts = Counter(status.state for status in statuses.values())
    partitions = PartitionCounts(counts["missing"], counts["stale"], counts["fresh"])
    if partitions.missing == partitions.total:
        return AssetStatus("missing", (), partitions)
    stale: dict[object, tuple[StaleCause, list[Partition]]] = {}
    for partition, status in statuses.items():
        for cause in status.causes:
            stale.setdefault((cause.kind, cause.key, cause.root is None), (cause, []))[1].append(partition)
    causes = tuple(replace(cause, of=SomePartitions.of(names)) for cause, names in stale.values())
    return AssetStatus("fresh" if partitions.fresh == partitions.total else "stale", causes, partitions)


def keys_to_run(graph: AssetGraph, selected: Collection[AssetKey], own: Iterable[AssetKey]) -> set[AssetKey]:
    """The selected assets that may have to be made: those that are missing or stale of their `own`, and what follows from them.

    A definition that makes all its assets or none is there with all of them.
    """
    wanted = set(selected)
    found: set[AssetKey] = set()
    pending = [*_in(wanted, own)]
    while pending:
        key = pending.pop()
        if key in found:
            continue
        found.add(key)
        node = graph.nodes[key]
        pending += _in(wanted, node.children)
        if node.definition is not None and not node.definition.can_subset:
            pending += _in(wanted, node.definition.keys)
    return found


def _in(wanted: Collection[AssetKey], keys: Iterable[AssetKey]) -> Iterator[AssetKey]:
    return (key for key in keys if key in wanted)
