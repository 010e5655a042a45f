"""How fresh the tables that have a freshness policy are, as an instance remembers it."""

from __future__ import annotations

from collections.abc import Collection
from typing import TYPE_CHECKING

from warehouse_assets.graph.freshness import Freshness, freshness_of
from warehouse_assets.keys import AssetKey

if TYPE_CHECKING:
    from warehouse_assets.graph.asset_graph import AssetGraph
    from warehouse_assets.instance import Instance

__all__ = ["asset_freshness"]


def asset_freshness(
    graph: AssetGraph, instance: Instance, now: float, keys: Collection[AssetKey] | None = None
) -> dict[AssetKey, Freshness]:
    """How fresh each of these assets that has a policy is, or each of all, in the order of the graph.

    Of a partitioned one it is whichever partition was made last that counts; of what something else fills, observations count too.
    """
    wanted = [node for node in graph if node.spec.freshness_policy is not None and (keys is None or node.key in keys)]
    if not wanted:
        return {}
    latest: dict[AssetKey, float] = {}
    sources = [node.key for node in wanted if not node.is_executable]
    made = instance.event_log.get_latest_marks("ASSET_MATERIALIZATION", [node.key for node in wanted])
    seen = instance.event_log.get_latest_marks("ASSET_OBSERVATION", sources) if sources else {}
    for marks in (made, seen):
        for key, of in marks.items():
            latest[key] = max(latest.get(key, 0.0), *(mark.timestamp for mark in of.values()))
    return {node.key: freshness_of(node.spec.freshness_policy, latest.get(node.key), now) for node in wanted}
