"""Which partitions of each asset a backfill is to make. Pure: all of it as of one time."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, TypeAlias

from warehouse_assets.errors import InvalidSelectionError
from warehouse_assets.graph.partition_links import WHOLE, Partition, PartitionLinks
from warehouse_assets.graph.partitions import edge_mappings
from warehouse_assets.keys import AssetKey
from warehouse_assets.partitions.mapping import PartitionsPair

if TYPE_CHECKING:
    from warehouse_assets.graph.asset_graph import AssetGraph

__all__ = ["Targets", "anchor_of", "mapped_targets", "narrowed", "spans_of"]

Targets: TypeAlias = "dict[AssetKey, Sequence[Partition]]"


def anchor_of(graph: AssetGraph, selected: Collection[AssetKey], named: AssetKey | None = None) -> AssetKey:
    """The asset whose partitions are meant where keys are given: the one that is `named`, or the first of the partitioned ones.

    InvalidSelectionError where none is partitioned, or where several stand first that are not partitioned alike.
    """
    if named is not None:
        if named not in graph or graph.nodes[named].spec.partitions_def is None:
            raise InvalidSelectionError(f"the partitions are to be those of {named.to_user_string()!r}, which has none")
        return named
    split = [key for key in graph.order if key in selected and graph.nodes[key].spec.partitions_def is not None]
    if not split:
        raise InvalidSelectionError("partitions are given, and no selected asset is partitioned", hint="Leave them out.")
    above: dict[AssetKey, bool] = {}
    first: list[AssetKey] = []
    for key in graph.order:
        above[key] = any(above.get(parent) for parent in graph.nodes[key].parents)
        if key in selected and graph.nodes[key].spec.partitions_def is not None:
            if not above[key]:
                first.append(key)
            above[key] = True
    defs = [graph.nodes[key].spec.partitions_def for key in first]
    for key, other in zip(first, defs, strict=True):
        if other != defs[0]:
            raise InvalidSelectionError(
                f"the assets to begin with are not partitioned alike: {first[0].to_user_string()!r} has {defs[0]}, "
                f"and {key.to_user_string()!r} has {other}",
                hint="Say whose partitions are meant (--partitions-of), or backfill them one after the other.",
            )
    return first[0]


def mapped_targets(
    graph: AssetGraph, selected: Collection[AssetKey], links: PartitionLinks, anchor: AssetKey, keys: Sequence[Partition]
) -> Targets:
    """The partitions of each selected asset, where `keys` are those of the anchor.

    Assets that are partitioned like it have the same; others those that are made from them, or that they are made from;
    and what is not partitioned is made as a whole. InvalidSelectionError for an asset that none of this says anything about.
    """
    nodes, shared = graph.nodes, graph.nodes[anchor].spec.partitions_def
    found: Targets = {}
    order = [key for key in graph.order if key in selected]
    for key in order:
        partitions_def = nodes[key].spec.partitions_def
        if partitions_def is None or partitions_def == shared:
            found[key] = WHOLE if partitions_def is None else keys
    for key in order:
        if key not in found:
            _add(found, links, key, _made_from(graph, links, key, found))
    for key in reversed(order):
        if key not in found:
            _add(found, links, key, _making(links, key, order, found))
    if unknown := [key for key in order if key not in found]:
        raise InvalidSelectionError(
            f"{unknown[0].to_user_string()!r} has {nodes[unknown[0]].spec.partitions_def}, and nothing says which of them go with "
            f"those of {anchor.to_user_string()!r}",
            where=nodes[unknown[0]].place,
            hint="Leave it out, and backfill it by itself.",
        )
    return {key: found[key] for key in order}


def narrowed(targets: Targets, wanted: Mapping[AssetKey, Collection[Partition]]) -> Targets:
    """Those of the partitions that are `wanted`; assets of which none is left are left out."""
    left = {key: tuple(each for each in partitions if each in wanted[key]) for key, partitions in targets.items()}
    return {key: partitions for key, partitions in left.items() if partitions}


def spans_of(keys: Sequence[Partition], every: Sequence[Partition]) -> list[str | tuple[str, str]]:
    """The keys, those as a range from first to last that follow each other among all there are.

    >>> spans_of(["a", "b", "d"], ["a", "b", "c", "d"])
    [('a', 'b'), 'd']
    """
    place = {key: index for index, key in enumerate(every)}
    spans: list[list[Any]] = []
    last = -2
    for key in keys:
        if place[key] == last + 1 and spans:
            spans[-1][1] = key
        else:
            spans.append([key, key])
        last = place[key]
    return [start if start == end else (start, end) for start, end in spans]


def _made_from(graph: AssetGraph, links: PartitionLinks, key: AssetKey, found: Targets) -> Iterable[Partition]:
    """The partitions of an asset that are made from those of its parents that are to be made."""
    nodes = graph.nodes
    for parent in nodes[key].parents:
        upstream, downstream = nodes[parent].spec.partitions_def, nodes[key].spec.partitions_def
        if upstream is None or not found.get(parent):
            continue
        pair = PartitionsPair(upstream, downstream, links.current_time, links.store)
        for mapping in edge_mappings(nodes, graph.bindings, nodes[key], parent):
            yield from mapping.get_downstream_keys(found[parent], pair)  # type: ignore[arg-type]


def _making(links: PartitionLinks, key: AssetKey, order: Iterable[AssetKey], found: Targets) -> Iterable[Partition]:
    """The partitions of an asset that those of its children are made from that are to be made."""
    for child in order:
        if found.get(child) and found[child] != WHOLE and key in links.parents(child):
            for answer in links.inputs(child, found[child])[key].values():
                yield from answer


def _add(found: Targets, links: PartitionLinks, key: AssetKey, partitions: Iterable[Partition]) -> None:
    if wanted := set(partitions):
        found[key] = tuple(each for each in links.partitions(key) if each in wanted)
