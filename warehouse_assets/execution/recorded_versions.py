"""What the record says of versions, read in one query of each kind."""

from __future__ import annotations

from collections.abc import Collection
from typing import TYPE_CHECKING, Any, TypeAlias

from warehouse_assets.events import Event
from warehouse_assets.graph.versions import LatestVersions, Recorded
from warehouse_assets.instance.event_log import is_of_the_whole
from warehouse_assets.keys import AssetKey

if TYPE_CHECKING:
    from warehouse_assets.graph.asset_graph import AssetGraph
    from warehouse_assets.graph.partition_links import Partition

__all__ = ["latest_versions"]

_AT_ONCE = 1_000  # events that are read in one query where an earlier one is looked for

_Found: TypeAlias = "dict[AssetKey, dict[Partition, Recorded]]"


def latest_versions(
    graph: AssetGraph, instance: Any, keys: Collection[AssetKey], partitions: Collection[str] | None = None
) -> LatestVersions:
    """What was last recorded of these assets and sources; of those that are partitioned, of all `partitions` or the ones given.

    Of what is made it is the latest materialization. Of a source it is that or the latest observation with a data version.
    """
    nodes = graph.nodes
    sliced = [key for key in keys if nodes[key].spec.partitions_def is not None]
    whole = [key for key in keys if nodes[key].spec.partitions_def is None] if sliced else keys
    found = _of_tables(graph, instance, whole) if whole else {}
    if sliced:
        found |= _of_partitions(graph, instance, sliced, partitions)
    return LatestVersions(found)


def _of_tables(graph: AssetGraph, instance: Any, keys: Collection[AssetKey]) -> _Found:
    made = instance.get_latest_materialization_events(keys)
    found: _Found = {key: {None: Recorded.of(event)} for key, event in made.items()}
    sources = [key for key in keys if graph.nodes[key].definition is None]
    if sources:
        for key, event in instance.event_log.get_latest("ASSET_OBSERVATION", sources, versioned=True).items():
            _keep_later(found, key, None, event)
    return found


def _of_partitions(graph: AssetGraph, instance: Any, keys: Collection[AssetKey], partitions: Collection[str] | None) -> _Found:
    log = instance.event_log
    made = log.get_latest_by_partition("ASSET_MATERIALIZATION", keys, partitions)
    found: _Found = {key: {name: Recorded.of(event) for name, event in events.items()} for key, events in made.items()}
    sources = [key for key in keys if graph.nodes[key].definition is None]
    if not sources:
        return found
    for key, events in log.get_latest_by_partition("ASSET_OBSERVATION", sources, partitions, versioned=True).items():
        for name, event in events.items():
            _keep_later(found, key, name, event)
    for kind in ("ASSET_MATERIALIZATION", "ASSET_OBSERVATION"):
        for key, event in log.get_latest(kind, sources, versioned=True).items():
            if (whole := _latest_of_the_whole(event, instance)) is not None:
                _keep_later(found, key, None, whole)
    return found


def _latest_of_the_whole(event: Event, instance: Any) -> Event | None:
    """This event, or the latest before it of the same asset and type, that is of no single partition."""
    events = [event]
    while events:
        if (found := next(filter(is_of_the_whole, events), None)) is not None:
            return found
        last = events[-1]
        events = instance.get_event_records(
            asset_key=last.asset_key, event_types=last.event_type, before=last.storage_id, limit=_AT_ONCE, ascending=False
        )
    return None


def _keep_later(found: _Found, key: AssetKey, partition: Partition, event: Event) -> None:
    known = found.setdefault(key, {}).get(partition)
    if known is None or known.storage_id < (event.storage_id or 0):
        found[key][partition] = Recorded.of(event)
