"""Which partition mapping stands between two assets, and whether it can. An asset without partitions is asked next to nothing."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING

from warehouse_assets.errors import InvalidDefinitionError, PartitionNotFoundError

if TYPE_CHECKING:
    from warehouse_assets.definitions.assets import AssetsDefinition
    from warehouse_assets.definitions.naming import Faults
    from warehouse_assets.graph.asset_graph import AssetNode
    from warehouse_assets.keys import AssetKey
    from warehouse_assets.partitions.mapping import PartitionMapping

    Nodes = Mapping[AssetKey, AssetNode]
    Bindings = Mapping[AssetsDefinition, Mapping[str, AssetKey]]

__all__ = [
    "argument_mapping",
    "check_partition_mappings",
    "check_self_dependency",
    "depends_on_itself",
    "edge_mappings",
    "readable_tables",
]


def argument_mapping(nodes: Nodes, definition: AssetsDefinition, argument: str, parent: AssetKey) -> PartitionMapping:
    """How the partitions of a definition's assets follow from those that one of its arguments is filled with."""
    return _or_default(_given_for(definition, argument, parent), nodes[parent], definition.partitions_def)


def edge_mappings(nodes: Nodes, bindings: Bindings, node: AssetNode, parent: AssetKey) -> list[PartitionMapping]:
    """How the partitions of an asset follow from those of one that it depends on: by any of these, most often the only one."""
    given = _given(bindings, node, parent)
    return [_or_default(mapping, nodes[parent], node.spec.partitions_def) for mapping in given]


def depends_on_itself(bindings: Bindings, node: AssetNode) -> bool:
    """Whether the partitions of an asset are made from earlier ones."""
    if any(dep.asset_key == node.key for dep in node.spec.deps):
        return True
    return node.definition is not None and next(_arguments(bindings, node, node.key), None) is not None


def readable_tables(bindings: Bindings, node: AssetNode) -> Sequence[AssetKey]:
    """The tables that SQL may read to make an asset: those it depends on, its own included where it is made from itself."""
    if node.spec.partitions_def is not None and depends_on_itself(bindings, node):
        return (*node.parents, node.key)
    return node.parents


def check_partition_mappings(nodes: Nodes, bindings: Bindings, faults: Faults) -> None:
    """Note mappings that cannot stand where they do, of the assets that are partitioned or that name one."""
    for node in nodes.values():
        if node.spec.partitions_def is not None or _names_a_mapping(node):
            for parent in node.parents:
                _check_edge(nodes, bindings, node, parent, faults)


def check_self_dependency(nodes: Nodes, bindings: Bindings, node: AssetNode, faults: Faults) -> None:
    """Note an asset that depends on itself other than by a mapping that looks back."""
    what = f"asset {node.key.to_user_string()!r} depends on itself"
    if node.spec.partitions_def is None:
        hint = "Only a partitioned asset can, with a partition mapping that looks back."
        faults.add(what, hint=hint, where=node.spec.place)
    elif not all(mapping.looks_back for mapping in edge_mappings(nodes, bindings, node, node.key)):
        hint = "Give the dependency a partition mapping such as TimeWindowPartitionMapping(start_offset=-1, end_offset=-1)."
        faults.add(f"{what}, by a partition mapping that does not look back", hint=hint, where=node.spec.place)
    else:
        _check_edge(nodes, bindings, node, node.key, faults)


def _check_edge(nodes: Nodes, bindings: Bindings, node: AssetNode, parent: AssetKey, faults: Faults) -> None:
    upstream, downstream = nodes[parent], node.spec.partitions_def
    if upstream.is_stub:
        return  # how it is partitioned is not known
    edge = f"asset {node.key.to_user_string()!r}: its dependency on {parent.to_user_string()!r}"
    for given in _given(bindings, node, parent):
        if given is not None and upstream.spec.partitions_def is None:
            hint = "Remove it, or declare how the upstream table is partitioned."
            faults.add(f"{edge} has a partition mapping, and that is not partitioned", hint=hint, where=node.spec.place)
            continue
        try:
            _or_default(given, upstream, downstream).validate(upstream.spec.partitions_def, downstream)
        except (InvalidDefinitionError, PartitionNotFoundError) as error:
            faults.add(f"{edge} cannot be mapped: {error.message}", hint=error.hint, where=node.spec.place)


def _names_a_mapping(node: AssetNode) -> bool:
    for dep in node.spec.deps:
        if dep.partition_mapping is not None:
            return True
    if node.definition is None or not node.definition.ins:
        return False
    return any(declared.partition_mapping is not None for declared in node.definition.ins.values())


def _given(bindings: Bindings, node: AssetNode, parent: AssetKey) -> list[PartitionMapping | None]:
    """What is declared of an edge, once: the mappings of the arguments that are loaded, else that of the dependency."""
    definition = node.definition
    if definition is not None and (arguments := list(_arguments(bindings, node, parent))):
        found: list[PartitionMapping | None] = []
        for argument in arguments:
            if (given := _given_for(definition, argument, parent)) not in found:
                found.append(given)
        return found
    return [next((dep.partition_mapping for dep in node.spec.deps if dep.asset_key == parent), None)]


def _given_for(definition: AssetsDefinition, argument: str, parent: AssetKey) -> PartitionMapping | None:
    declared = definition.ins.get(argument)
    if declared is not None and declared.partition_mapping is not None:
        return declared.partition_mapping  # type: ignore[no-any-return]
    deps = (dep for spec in definition.specs for dep in spec.deps if dep.asset_key == parent)
    return next((dep.partition_mapping for dep in deps if dep.partition_mapping is not None), None)


def _arguments(bindings: Bindings, node: AssetNode, parent: AssetKey) -> Iterator[str]:
    """The arguments by which an asset is made from another."""
    assert node.definition is not None
    used = node.output.inputs if node.output is not None else None
    for argument, key in bindings[node.definition].items():
        if key == parent and (used is None or argument in used):
            yield argument


def _or_default(given: PartitionMapping | None, upstream: AssetNode, downstream: object) -> PartitionMapping:
    if given is not None:
        return given
    from warehouse_assets.partitions.default_mapping import default_partition_mapping

    return default_partition_mapping(upstream.spec.partitions_def, downstream)  # type: ignore[arg-type]
