"""What is wrong with an asset: the columns of upstream tables that it asks for and that would be gone, found one by one."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from warehouse_assets.errors import InvalidSQLError, SchemaChangedError, WarehouseAssetsError
from warehouse_assets.graph.asset_graph import AssetNode
from warehouse_assets.keys import AssetKey
from warehouse_assets.planning.plan import Fault
from warehouse_assets.planning.rehearsing import RehearsedTables

__all__ = ["faults_of"]

MOST_TRIED = 100  # columns that are gone; of more, the first fault is told


def faults_of(
    error: WarehouseAssetsError,
    node: AssetNode,
    removed: Mapping[AssetKey, Sequence[str]],
    attempt: Callable[[], Any],
    tables: RehearsedTables,
) -> list[Fault]:
    """The faults of an asset that a rehearsal refused with `error`, where tables upstream lose the `removed` columns.

    An engine names the first column that it misses. So each is taken from the tables as they are now, one after the other, and
    `attempt`, which rehearses the asset again, says whether it is missed.
    """
    if removed and isinstance(error, (InvalidSQLError, SchemaChangedError)) and sum(map(len, removed.values())) <= MOST_TRIED:
        try:
            if found := list(_missed(node, removed, attempt, tables)):
                return found
        finally:
            for key in removed:
                tables.restore(key)
    return [_fault(error, node)]


def _missed(
    node: AssetNode, removed: Mapping[AssetKey, Sequence[str]], attempt: Callable[[], Any], tables: RehearsedTables
) -> Iterator[Fault]:
    for key in removed:
        tables.recall(key)
    if _refusal(attempt) is not None:
        return  # it does not even go with the tables as they are
    for key, names in removed.items():
        for name in names:
            tables.recall(key, without=(name,))
            if (refused := _refusal(attempt)) is not None:
                yield _fault(refused, node, key, name)
        tables.recall(key)


def _refusal(attempt: Callable[[], Any]) -> WarehouseAssetsError | None:
    try:
        attempt()
    except (InvalidSQLError, SchemaChangedError) as error:
        return error
    return None


def _fault(error: WarehouseAssetsError, node: AssetNode, upstream: AssetKey | None = None, column: str | None = None) -> Fault:
    message = error.message.removeprefix(f"the SQL of asset {node.key.to_user_string()!r}: ")
    origin = node.sql.origin if node.sql is not None else None
    where = error.where or (f"{origin.file}:{origin.line}" if origin is not None else node.place)
    return Fault(message, where, upstream, column)
