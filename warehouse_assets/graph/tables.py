"""Whether the I/O managers can keep the tables of all assets, each in a place of its own: asked of them before anything runs."""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from typing import Any

from warehouse_assets.definitions.naming import Faults
from warehouse_assets.graph.asset_graph import AssetGraph, AssetNode
from warehouse_assets.io_manager.powers import ChecksAssets, PlacesTables

__all__ = ["check_stores", "check_table_names"]


def check_table_names(graph: AssetGraph, resources: Mapping[str, Any]) -> None:
    """Raise InvalidDefinitionError, or a group, for assets that a manager would keep in the same place."""
    faults = Faults()
    placing = {name: manager for name, manager in resources.items() if isinstance(manager, PlacesTables)}
    if not placing:
        return
    owners: dict[Hashable, AssetNode] = {}
    for node in graph:
        manager = placing.get(node.io_manager_key)
        if not node.is_executable or manager is None:
            continue
        place = (node.io_manager_key, manager.place_of(node.key, node.spec.metadata))
        other = owners.setdefault(place, node)
        if other is not node:
            names = f"{other.key.to_user_string()!r} ({other.place}) and {node.key.to_user_string()!r} ({node.place})"
            faults.add(f"the assets {names} would both be kept in {place[1]}", hint="Give one of them another name or schema.")
    faults.raise_any("the tables")


def check_stores(graph: AssetGraph, resources: Mapping[str, Any]) -> None:
    """Raise InvalidDefinitionError, or a group, for assets and sources that their manager says it cannot keep as they are declared."""
    checking = {name: manager for name, manager in resources.items() if isinstance(manager, ChecksAssets)}
    if not checking:
        return
    faults = Faults()
    for node in graph:
        manager = checking.get(node.io_manager_key)
        if manager is not None and not node.is_stub:
            faults.attempt(manager.check_asset, node.key, node.spec.metadata, node.spec.partitions_def)
    faults.raise_any("the tables")
