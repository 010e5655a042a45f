"""What is missing, stale or fresh, as an instance remembers it."""

from __future__ import annotations

from collections.abc import Collection
from typing import TYPE_CHECKING, Any

from warehouse_assets.errors import InvalidInvocationError
from warehouse_assets.execution.partitions import checked_partition_key
from warehouse_assets.execution.recorded_versions import latest_versions
from warehouse_assets.graph.code.versions import CodeVersions
from warehouse_assets.graph.partition_links import Partition, PartitionLinks
from warehouse_assets.graph.staleness import AssetStatus, overall_status, partition_statuses
from warehouse_assets.keys import AssetKey

if TYPE_CHECKING:
    from warehouse_assets.graph.asset_graph import AssetGraph

__all__ = ["asset_statuses", "asset_statuses_for"]


def asset_statuses(
    graph: AssetGraph, selected: Collection[AssetKey], instance: Any, partitions: Collection[str] | None = None
) -> dict[AssetKey, AssetStatus]:
    """The status of each of these assets, in the order of the graph; of those that are partitioned for all partitions, or for some."""
    found = _statuses(graph, selected, instance, partitions)
    return {key: overall_status(statuses) for key, statuses in found.items()}


def asset_statuses_for(
    partition_key: str, graph: AssetGraph, selected: Collection[AssetKey], instance: Any
) -> dict[AssetKey, AssetStatus]:
    """The status of one partition of each of these assets that has it, and of those that are not partitioned.

    PartitionNotFoundError where none has it, and InvalidInvocationError where none is partitioned.
    """
    found = _statuses(graph, selected, instance, [partition_key])
    if not any(partition_key in statuses for statuses in found.values()):
        definitions = [graph.nodes[key].spec.partitions_def for key in graph.order if key in selected]
        partitioned = [partitions_def for partitions_def in definitions if partitions_def is not None]
        if not partitioned:
            raise InvalidInvocationError(f"partition_key is {partition_key!r}, and no selected asset is partitioned")
        checked_partition_key(partitioned[0], partition_key, instance)
    return {key: status for key, statuses in found.items() for status in statuses.values()}


def _statuses(
    graph: AssetGraph, selected: Collection[AssetKey], instance: Any, partitions: Collection[str] | None
) -> dict[AssetKey, dict[Partition, AssetStatus]]:
    """Assets that have none of these partitions are left out."""
    links, chosen = PartitionLinks(graph, instance), set(selected)
    wanted = {key: links.partitions(key) for key in graph.order if key in chosen}
    if partitions is not None:
        some = {None, *partitions}
        wanted = {key: here for key, every in wanted.items() if (here := [name for name in every if name in some])}
    needed = links.upstream(wanted)
    names = None if partitions is None else {name for here in needed.values() for name in here if name is not None}
    latest = latest_versions(graph, instance, needed.keys(), names)
    found = partition_statuses(graph, latest, links, needed, CodeVersions(graph.resources))
    return {key: {name: found[key][name] for name in here} for key, here in wanted.items()}
