"""The lineage of assets as a drawing."""

from __future__ import annotations

from typing import TYPE_CHECKING

from warehouse_assets.graph.asset_graph import AssetGraph, AssetNode
from warehouse_assets.html import Box, Drawing, lineage

if TYPE_CHECKING:
    from warehouse_assets.graph.selection import CoercibleToAssetSelection

__all__ = ["lineage_of"]

HINT = 'Draw a part of it: .lineage("group:marts"), or .lineage("1+marts/orders+1").'


def lineage_of(graph: AssetGraph, selection: CoercibleToAssetSelection | None = None) -> Drawing:
    """All assets of a graph, or those of a selection, and what each is made from.

    Raises InvalidSelectionError for a selection that cannot be read, or names what is not there.
    """
    chosen = set(graph.nodes)
    if selection is not None:
        from warehouse_assets.graph.selection import AssetSelection

        chosen = AssetSelection.of(selection).resolve(graph)
    boxes = [_box(node) for node in graph if node.key in chosen]
    return Drawing(lineage(boxes, HINT), f"the lineage of {len(boxes)} tables")


def _box(node: AssetNode) -> Box:
    spec = node.spec
    said = [node.key.to_user_string(), spec.description or "", "" if node.is_executable else "something else fills it"]
    return Box(
        node.key.to_escaped_string(),
        [parent.to_escaped_string() for parent in node.parents],
        node.group_name,
        not node.is_executable,
        "\n".join(line for line in said if line),
    )
