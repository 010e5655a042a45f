"""The versions of code and data: what a run finds, what it makes, and whether a table has to be made at all."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from hashlib import blake2b
from typing import TYPE_CHECKING, Any

from warehouse_assets.events import CODE_VERSION_TAG, DATA_VERSION_TAG, INPUT_DATA_VERSION_TAG
from warehouse_assets.graph.code.versions import CodeVersions
from warehouse_assets.graph.staleness import INITIAL, AssetStatus, Recorded, asset_statuses, keys_to_run, own_causes
from warehouse_assets.keys import AssetKey

if TYPE_CHECKING:
    from warehouse_assets.events import RunRecord
    from warehouse_assets.execution.plan import Step
    from warehouse_assets.graph.asset_graph import AssetGraph

__all__ = ["RunVersions", "keys_to_refresh", "latest_versions", "statuses"]


class RunVersions:
    """The data versions that a run starts from, which are read at once before it begins, and those that it makes."""

    def __init__(self, graph: AssetGraph, run: RunRecord, instance: Any, *, only_stale: bool = False) -> None:
        self._nodes = graph.nodes
        self._run_id = run.run_id
        own = set(run.asset_keys)
        needed = {parent for key in own for parent in graph.nodes[key].parents}
        latest = latest_versions(graph, instance, needed | own if only_stale else needed - own)
        self._latest = latest if only_stale else None
        self._versions = {key: recorded.data_version for key, recorded in latest.items()}
        code_version = CodeVersions()
        self._codes = {key: code_version(node) for key in own if (node := graph.nodes[key]).spec.code_version is not None}

    def code_version(self, key: AssetKey) -> str | None:
        """The version of the code that makes an asset of the run."""
        return self._codes.get(key)

    def is_fresh(self, step: Step) -> bool:
        """Whether a step of a run of what is stale has nothing to do: its tables are made from what is there now.

        Of partitions that is not known yet, so they are made.
        """
        latest = self._latest
        return latest is not None and not any(
            key not in latest
            or self._nodes[key].spec.partitions_def is not None
            or any(own_causes(self._nodes[key], self._codes.get(key), latest))
            for key in step.asset_keys
        )

    def tags(self, key: AssetKey, data_version: str | None) -> dict[str, str]:
        """What is recorded of versions with a materialization: of the code, of the inputs, and of the data.

        The version of the data is the one that is given, or follows from the others. Without a version of the code it is the run.
        """
        code = self._codes.get(key)
        versions = self._versions
        parents = self._nodes[key].parents
        tags = {INPUT_DATA_VERSION_TAG + parent.to_escaped_string(): versions.get(parent, INITIAL) for parent in parents}
        if data_version is None:
            data_version = self._run_id if code is None else _digest((code, sorted(tags.items())))
        if self._latest is not None:
            inputs = {parent: versions.get(parent, INITIAL) for parent in parents}
            self._latest[key] = Recorded(data_version, code, inputs)
        if code is not None:
            tags[CODE_VERSION_TAG] = code
        tags[DATA_VERSION_TAG] = versions[key] = data_version
        return tags


def _digest(value: object) -> str:
    return blake2b(repr(value).encode("utf-8", "surrogatepass"), digest_size=16).hexdigest()


def latest_versions(graph: AssetGraph, instance: Any, keys: Collection[AssetKey]) -> dict[AssetKey, Recorded]:
    """What was last recorded of these assets and sources, in one query for what was made, and one for what was observed."""
    if not keys:
        return {}
    latest = {key: Recorded.of(event) for key, event in instance.get_latest_materialization_events(keys).items()}
    sources = [key for key in keys if graph.nodes[key].definition is None]
    for key, event in _observations(instance, sources):
        if key not in latest or latest[key].storage_id < event.storage_id:
            latest[key] = Recorded.of(event)
    return latest


def _observations(instance: Any, keys: Collection[AssetKey]) -> Iterator[tuple[AssetKey, Any]]:
    """The latest observation of each source that has one with a data version; those that tell something else are passed over."""
    found = instance.event_log.get_latest("ASSET_OBSERVATION", keys) if keys else {}
    for key, event in found.items():
        earlier = [event]
        while earlier and DATA_VERSION_TAG not in earlier[-1].data.tags:
            earlier = instance.get_event_records(
                asset_key=key, event_types="ASSET_OBSERVATION", before=earlier[-1].storage_id, limit=1, ascending=False
            )
        if earlier:
            yield key, earlier[-1]


def statuses(graph: AssetGraph, instance: Any) -> dict[AssetKey, AssetStatus]:
    """The status of each asset of the graph that a run can make, as the instance remembers it."""
    return asset_statuses(graph, latest_versions(graph, instance, graph.nodes.keys()), CodeVersions())


def keys_to_refresh(graph: AssetGraph, selected: Collection[AssetKey], instance: Any) -> set[AssetKey]:
    """The selected assets that a run of what is stale may have to make."""
    return keys_to_run(graph, selected, statuses(graph, instance))
