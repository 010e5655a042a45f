"""Forgetting assets: what is recorded of them, and their tables too where that is asked for."""

from __future__ import annotations

from collections.abc import Collection
from typing import TYPE_CHECKING

from warehouse_assets.errors import UnsupportedTypeError
from warehouse_assets.execution.tables import StoredTables
from warehouse_assets.io_manager.powers import DropsTables
from warehouse_assets.keys import AssetKey

if TYPE_CHECKING:
    from warehouse_assets.instance import Instance

__all__ = ["drop_tables", "wipe_assets"]


def wipe_assets(instance: Instance, keys: Collection[AssetKey], tables: StoredTables | None = None) -> list[AssetKey]:
    """Forget all materializations, observations and checks of these assets, whose tables are dropped first where `tables` are given.

    What is made from them is stale after that. Returns the keys of the tables that were there, and are dropped.
    """
    dropped = drop_tables(tables, keys) if tables is not None else []
    instance.wipe(keys)
    return dropped


def drop_tables(tables: StoredTables, keys: Collection[AssetKey]) -> list[AssetKey]:
    """Drop the tables of assets, with all their partitions, and tell which were there.

    Nothing is dropped, and UnsupportedTypeError raised, where one is a source, which something else fills, or its I/O manager cannot.
    """
    for key in keys:
        node = tables.graph.nodes[key]
        if not node.is_executable:
            hint = "Leave out --tables; only what is recorded is forgotten then."
            raise UnsupportedTypeError(
                f"{key.to_user_string()!r} is a source: something else fills its table", where=node.place, hint=hint
            )
        if not isinstance(tables.manager_of(key), DropsTables):
            name = type(tables.manager_of(key)).__name__
            raise UnsupportedTypeError(
                f"the table of {key.to_user_string()!r} cannot be dropped: {name} drops none", where=node.place
            )
    return [key for key in keys if _drop(tables, key)]


def _drop(tables: StoredTables, key: AssetKey) -> bool:
    manager = tables.manager_of(key)
    return isinstance(manager, DropsTables) and manager.drop(tables.output_context(key))
