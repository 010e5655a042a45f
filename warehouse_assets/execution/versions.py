"""The versions of code and data: what a run finds, what it makes, and whether a table has to be made at all."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, Any

from warehouse_assets.events import CODE_VERSION_TAG, DATA_VERSION_TAG, INPUT_DATA_VERSION_TAG
from warehouse_assets.execution.partitions import ChosenPartitions, RunPartitions
from warehouse_assets.execution.recorded_versions import latest_versions
from warehouse_assets.graph.code.versions import CodeVersions
from warehouse_assets.graph.partition_links import WHOLE, Links, Partition, PartitionLinks, different, in_order
from warehouse_assets.graph.staleness import keys_to_run, own_causes
from warehouse_assets.graph.versions import INITIAL, Recorded, digest
from warehouse_assets.keys import AssetKey

if TYPE_CHECKING:
    from warehouse_assets.execution.plan import Step
    from warehouse_assets.graph.asset_graph import AssetGraph

__all__ = ["RunVersions", "keys_to_refresh"]


class RunVersions:
    """The data versions that a run of the assets `keys` starts from, which are read at once before it begins, and those that it makes."""

    def __init__(
        self,
        graph: AssetGraph,
        keys: Collection[AssetKey],
        instance: Any,
        partitions: RunPartitions,
        *,
        run_id: str = "",
        only_stale: bool = False,
    ) -> None:
        self._nodes = graph.nodes
        self._run_id = run_id
        self._only_stale = only_stale
        self._partitions = partitions
        own = set(keys)
        parents = {parent for key in own for parent in graph.nodes[key].parents}
        self._links = self._partition_links(graph, own, parents)
        linked = {parent for links in self._links.values() for parent in links}  # of which other partitions may be needed
        read = parents | own if only_stale else parents - own | linked
        self._latest = latest_versions(graph, instance, read, self._partition_keys() if self._links else None)
        code_version = CodeVersions(graph.resources)
        self._codes = {key: code_version(node) for key in own if (node := graph.nodes[key]).spec.code_version is not None}

    def code_version(self, key: AssetKey) -> str | None:
        """The version of the code that makes an asset of the run."""
        return self._codes.get(key)

    def made(self, key: AssetKey) -> Sequence[Partition]:
        """The partitions of an asset that the run makes, each after those that it is made from; None for one that has none."""
        if self._partitions.chosen is None:
            return WHOLE
        definition = self._nodes[key].definition
        partitions = self._partitions.made(definition) if definition is not None else ()
        if len(partitions) > 1 and key in self._links.get(key, ()):
            return in_order(partitions, self._links[key][key])
        return partitions or WHOLE

    def is_fresh(self, step: Step) -> bool:
        """Whether a step of a run of what is stale has nothing to do: all it would make is made from what is there now.

        Where some partitions at the ends of a range are fresh, the step is for the others from now on, unless it makes them from
        others of its own, which it may change.
        """
        if not self._only_stale:
            return False
        stale = {partition for key in step.asset_keys for partition in self._stale(key)}
        own = set(step.asset_keys)
        if stale and None not in stale and all(own.isdisjoint(self._links.get(key, ())) for key in own):
            self._partitions.narrow(step.definition, {str(partition) for partition in stale})
        return not stale

    def is_current(self, key: AssetKey) -> bool:
        """Whether an asset, in each of the partitions that the run would make, is made from what is there now."""
        return next(self._stale(key), self) is self

    def _stale(self, key: AssetKey) -> Iterator[Partition]:
        """The partitions, of those that the run would make, that are made from something else than what is there now."""
        code = self._codes.get(key)
        for partition in self.made(key):
            recorded = self._latest.get(key, partition)
            if recorded is None or any(own_causes(key, code, recorded, dict(self._inputs(key, partition)))):
                yield partition

    def tags(self, key: AssetKey, data_version: str | None, partition: Partition = None) -> dict[str, str]:
        """What is recorded of versions with a materialization: of the code, of the inputs, and of the data.

        The version of the data is the one that is given, or follows from the others. Without a version of the code it is the run.
        Partitions differ.
        """
        code = self._codes.get(key)
        tags = {
            INPUT_DATA_VERSION_TAG + parent.to_escaped_string(): INITIAL if found is None else found.data_version
            for parent, found in self._inputs(key, partition)
        }
        if data_version is None:
            apart = () if partition is None else (str(partition),)
            if code is not None:
                data_version = digest((code, sorted(tags.items()), *apart))
            else:
                data_version = "/".join((self._run_id, *apart)) if apart else self._run_id
        self._latest.record(key, partition, Recorded(data_version))
        if code is not None:
            tags[CODE_VERSION_TAG] = code
        tags[DATA_VERSION_TAG] = data_version
        return tags

    def _inputs(self, key: AssetKey, partition: Partition) -> Iterable[tuple[AssetKey, Recorded | None]]:
        """What a partition is made from as it is now."""
        latest = self._latest
        links = self._links.get(key) if self._links else None
        if links is None:
            return [(parent, latest.get(parent)) for parent in self._nodes[key].parents]
        return [(parent, latest.together(parent, keys[partition], partition)) for parent, keys in links.items()]

    def _partition_links(
        self, graph: AssetGraph, own: Collection[AssetKey], parents: Collection[AssetKey]
    ) -> dict[AssetKey, dict[AssetKey, Links]]:
        """What the partitions of the run are made from; assets that have nothing to do with partitions are left out."""
        partitioned = {key for keys in (own, parents) for key in keys if graph.nodes[key].spec.partitions_def is not None}
        if not partitioned:
            return {}
        links = PartitionLinks(graph, self._partitions.store, self._partitions.current_time)
        concerned = (key for key in own if key in partitioned or not partitioned.isdisjoint(graph.nodes[key].parents))
        return {key: links.inputs(key, self._partitions.made(graph.nodes[key].definition) or WHOLE) for key in concerned}  # type: ignore[arg-type]

    def _partition_keys(self) -> set[str]:
        """All partitions that the run makes or needs, whichever table they are of."""
        needed = {
            name
            for links in self._links.values()
            for keys in links.values()
            for answer in different(keys.values())
            for name in answer
            if name is not None
        }
        return needed.union(self._partitions.chosen.keys if self._partitions.chosen is not None else ())


def keys_to_refresh(
    graph: AssetGraph, selected: Collection[AssetKey], instance: Any, chosen: ChosenPartitions | None = None
) -> set[AssetKey]:
    """The selected assets that a run of what is stale may have to make, where it is asked for the `chosen` partitions."""
    versions = RunVersions(graph, selected, instance, RunPartitions(graph, chosen, instance), only_stale=True)
    return keys_to_run(graph, selected, [key for key in selected if not versions.is_current(key)])
