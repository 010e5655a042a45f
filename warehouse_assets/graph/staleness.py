"""What is missing, stale or fresh, and why. Pure: the graph and what was recorded go in, an answer for each asset comes out.

An asset is stale when its code, the data it is made from, or what it depends on is no longer what its latest materialization says
it was made from, and when something upstream is missing or stale. Equal versions mean equal data, whoever made it, and when.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Literal, TypeAlias

from warehouse_assets.events import CODE_VERSION_TAG, DATA_VERSION_TAG, INPUT_DATA_VERSION_TAG, Event
from warehouse_assets.graph.asset_graph import AssetGraph, AssetNode
from warehouse_assets.keys import AssetKey

__all__ = [
    "INITIAL",
    "AssetState",
    "AssetStatus",
    "Recorded",
    "StaleCause",
    "asset_statuses",
    "keys_to_run",
    "own_causes",
    "version_of",
]

INITIAL = "INITIAL"  # the data version of a table that nothing was ever recorded of

AssetState: TypeAlias = Literal["missing", "stale", "fresh"]
CauseKind: TypeAlias = Literal["code", "data", "dependency added", "dependency removed", "upstream"]


@dataclass(frozen=True, slots=True)
class Recorded:
    """What an event says of versions: that of the data, and what it was made from.

    `inputs` are the data versions of what the asset was made from; None where that is not known, as of a table that something
    else made. `storage_id` orders what was recorded; that of a run under way comes last.
    """

    data_version: str
    code_version: str | None = None
    inputs: Mapping[AssetKey, str] | None = None
    storage_id: float = math.inf

    @classmethod
    def of(cls, event: Event) -> Recorded:
        """What a materialization or observation says. One without a data version is a version of its own."""
        tags = event.data.tags if event.asset_key is not None else {}  # type: ignore[union-attr]
        storage_id = math.inf if event.storage_id is None else event.storage_id
        version, code = tags.get(DATA_VERSION_TAG), tags.get(CODE_VERSION_TAG)
        if version is None:
            return cls(f"event {event.storage_id}", code, None, storage_id)
        if not event.run_id:
            return cls(version, code, None, storage_id)
        inputs = {
            AssetKey.from_escaped_string(tag.removeprefix(INPUT_DATA_VERSION_TAG)): value
            for tag, value in tags.items()
            if tag.startswith(INPUT_DATA_VERSION_TAG)
        }
        return cls(version, code, inputs, storage_id)


@dataclass(frozen=True, slots=True)
class StaleCause:
    """One reason why an asset is stale.

    `key` is what has changed: the asset itself for "code", else one that it depends on. `old` and `new` are versions. The cause of
    kind "upstream" says that `key` is missing or stale, and `root` why: None where it is missing.
    """

    kind: CauseKind
    key: AssetKey
    old: str | None = None
    new: str | None = None
    root: StaleCause | None = None


@dataclass(frozen=True, slots=True)
class AssetStatus:
    """Whether an asset is missing, stale or fresh, and why it is stale."""

    state: AssetState
    causes: tuple[StaleCause, ...] = ()

    @property
    def is_own(self) -> bool:
        """Whether making the asset again, and nothing else, would help."""
        return self.state == "missing" or any(cause.kind != "upstream" for cause in self.causes)


def version_of(key: AssetKey, latest: Mapping[AssetKey, Recorded]) -> str:
    """The data version that a table has now."""
    recorded = latest.get(key)
    return recorded.data_version if recorded is not None else INITIAL


def own_causes(node: AssetNode, code_version: str | None, latest: Mapping[AssetKey, Recorded]) -> Iterator[StaleCause]:
    """What is no longer as it was when the asset was made, apart from the state of what is upstream."""
    recorded = latest[node.key]
    if recorded.inputs is None:  # made by something else: all that can be told is what came after it
        for parent in node.parents:
            if parent in latest and latest[parent].storage_id > recorded.storage_id:
                yield StaleCause("data", parent, None, latest[parent].data_version)
        return
    if code_version is not None and code_version != recorded.code_version:
        yield StaleCause("code", node.key, recorded.code_version, code_version)
    for parent in node.parents:
        now = version_of(parent, latest)
        if parent not in recorded.inputs:
            yield StaleCause("dependency added", parent, None, now)
        elif recorded.inputs[parent] != now:
            yield StaleCause("data", parent, recorded.inputs[parent], now)
    if len(recorded.inputs) > len(node.parents) or recorded.inputs.keys() - set(node.parents):
        for key in recorded.inputs.keys() - set(node.parents):
            yield StaleCause("dependency removed", key, recorded.inputs[key], None)


def asset_statuses(
    graph: AssetGraph,
    latest: Mapping[AssetKey, Recorded],
    code_version: Callable[[AssetNode], str | None] = lambda node: node.spec.code_version,
) -> dict[AssetKey, AssetStatus]:
    """The status of each asset that a run can make, in the order of the graph, in time linear in it.

    `latest` is what was last recorded of each asset and source, `code_version` what the code of an asset is now.
    """
    statuses: dict[AssetKey, AssetStatus] = {}
    for node in graph:
        if node.definition is None:
            continue
        if node.key not in latest:
            statuses[node.key] = AssetStatus("missing")
            continue
        causes = [*own_causes(node, code_version(node), latest)]
        causes += _upstream_causes(node, statuses)
        statuses[node.key] = AssetStatus("stale", tuple(causes)) if causes else _FRESH
    return statuses


_FRESH = AssetStatus("fresh")


def _upstream_causes(node: AssetNode, statuses: Mapping[AssetKey, AssetStatus]) -> Iterator[StaleCause]:
    for parent in node.parents:
        status = statuses.get(parent)
        if status is not None and status.state != "fresh":
            first = status.causes[0] if status.causes else None
            root = first.root or first if first is not None and first.kind == "upstream" else first
            yield StaleCause("upstream", parent, root=root)


def keys_to_run(graph: AssetGraph, selected: Collection[AssetKey], statuses: Mapping[AssetKey, AssetStatus]) -> set[AssetKey]:
    """The selected assets that may have to be made: those with a cause of their own, and what follows from them.

    A definition that makes all its assets or none is there with all of them, and a partitioned asset always, since its status is
    that of the partition that was made last.
    """
    wanted = set(selected)
    found: set[AssetKey] = set()
    pending = [
        key for key in wanted if key in statuses and (statuses[key].is_own or graph.nodes[key].spec.partitions_def is not None)
    ]
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
