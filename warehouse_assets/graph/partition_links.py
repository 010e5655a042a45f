"""Which partitions each partition is made from, for many at once. Pure: all of it as of one time.

A table that is not partitioned is one partition here, whose key is None.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from graphlib import CycleError, TopologicalSorter
from typing import TYPE_CHECKING, TypeAlias

from warehouse_assets.graph.partitions import edge_mappings, readable_tables
from warehouse_assets.keys import AssetKey

if TYPE_CHECKING:
    from warehouse_assets.graph.asset_graph import AssetGraph
    from warehouse_assets.partitions.definition import DynamicPartitionsStore, PartitionsDefinition
    from warehouse_assets.partitions.mapping import PartitionMapping, PartitionsPair

__all__ = ["WHOLE", "Links", "Partition", "PartitionLinks", "different", "in_order"]

Partition: TypeAlias = "str | None"
Links: TypeAlias = "Mapping[Partition, Sequence[Partition]]"

WHOLE: Sequence[Partition] = (None,)  # the partitions of a table that is not partitioned


class PartitionLinks:
    """The partitions of the tables of a graph, and what each is made from; equal questions are answered once.

    `store` knows the dynamic partitions.
    """

    def __init__(
        self, graph: AssetGraph, store: DynamicPartitionsStore | None = None, current_time: datetime | None = None
    ) -> None:
        self._graph = graph
        self.store = store
        self.current_time = current_time or datetime.now(UTC)
        self._partitions: dict[int, Sequence[Partition]] = {}
        self._mapped: dict[object, list[tuple[PartitionMapping, Links]]] = {}

    def partitions(self, key: AssetKey) -> Sequence[Partition]:
        """All partitions there are of a table."""
        partitions_def = self._graph.nodes[key].spec.partitions_def
        if partitions_def is None:
            return WHOLE
        if id(partitions_def) not in self._partitions:
            found = partitions_def.get_partition_keys(self.current_time, self.store)
            self._partitions[id(partitions_def)] = tuple(found)
        return self._partitions[id(partitions_def)]

    def parents(self, key: AssetKey) -> Sequence[AssetKey]:
        """What a table is made from: itself too, where its partitions are made from earlier ones."""
        return readable_tables(self._graph.bindings, self._graph.nodes[key])

    def inputs(self, key: AssetKey, partitions: Sequence[Partition]) -> dict[AssetKey, Links]:
        """For each table that these partitions of one are made from, the partitions of it that each is made from."""
        return {parent: self._links(key, parent, partitions) for parent in self.parents(key)}

    def inputs_from(self, key: AssetKey, parent: AssetKey, partitions: Sequence[Partition]) -> Links:
        """For one of the tables that these partitions are made from, the partitions of it that each is made from."""
        return self._links(key, parent, partitions)

    def upstream(self, wanted: Mapping[AssetKey, Sequence[Partition]]) -> dict[AssetKey, Sequence[Partition]]:
        """These partitions, and all that they are made from, step by step; of a table that is made from itself, all partitions."""
        needed = {key: dict.fromkeys(partitions) for key, partitions in wanted.items()}
        for key in reversed(self._graph.order):
            if not needed.get(key):
                continue
            parents = self.parents(key)
            if key in parents:
                needed[key] = dict.fromkeys(self.partitions(key))
            for parent in parents:
                into = needed.setdefault(parent, {})
                for keys in different(self._links(key, parent, tuple(needed[key])).values()):
                    into.update(dict.fromkeys(keys))
        return {key: tuple(partitions) for key, partitions in needed.items()}

    def _links(self, key: AssetKey, parent: AssetKey, partitions: Sequence[Partition]) -> Links:
        upstream, downstream = (self._graph.nodes[side].spec.partitions_def for side in (parent, key))
        if upstream is None:
            return dict.fromkeys(partitions, WHOLE)
        mappings = edge_mappings(self._graph.nodes, self._graph.bindings, self._graph.nodes[key], parent)
        each = [self._map(mapping, upstream, downstream, partitions) for mapping in mappings]
        if len(each) == 1:
            return each[0]
        return {
            partition: tuple(dict.fromkeys(found for links in each for found in links[partition])) for partition in partitions
        }

    def _map(
        self,
        mapping: PartitionMapping,
        upstream: PartitionsDefinition,
        downstream: PartitionsDefinition | None,
        partitions: Sequence[Partition],
    ) -> Links:
        from warehouse_assets.partitions.mapping import PartitionsPair

        known = self._mapped.setdefault((id(upstream), id(downstream), tuple(partitions)), [])
        for other, links in known:
            if other == mapping:
                return links
        links = _mapped(mapping, PartitionsPair(upstream, downstream, self.current_time, self.store), partitions)
        known.append((mapping, links))
        return links


def _mapped(mapping: PartitionMapping, pair: PartitionsPair, partitions: Sequence[Partition]) -> Links:
    """Those that are needed and do not exist are left out."""
    if pair.downstream is None:
        return {None: mapping.get_upstream_keys((), pair).keys}
    found = mapping.get_upstream_keys_of_each(partitions, pair)  # type: ignore[arg-type]
    return {partition: answer.keys for partition, answer in found.items()}


def in_order(partitions: Sequence[Partition], earlier: Links) -> Sequence[Partition]:
    """The partitions of a table that is made from itself, each after those that it is made from."""
    known = set(partitions)
    try:
        order = TopologicalSorter({partition: known.intersection(earlier[partition]) for partition in partitions})
        return tuple(order.static_order())
    except CycleError:  # by a mapping that does not look back as it says
        return partitions


def different(answers: Iterable[Sequence[Partition]]) -> Iterable[Sequence[Partition]]:
    """Each once: thousands of partitions may be made from the same thousands."""
    return {id(answer): answer for answer in answers}.values()
