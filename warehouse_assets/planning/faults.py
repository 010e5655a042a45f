"""What is wrong with an asset: the columns of upstream tables that it asks for and that would be gone, found one by one."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from textwrap import dedent
from typing import Any

from warehouse_assets.column_lineage import TableColumnLineage
from warehouse_assets.errors import InvalidSQLError, SchemaChangedError, WarehouseAssetsError
from warehouse_assets.graph.asset_graph import AssetGraph, AssetNode
from warehouse_assets.graph.tracing import LineageNode, trace_columns
from warehouse_assets.keys import AssetKey
from warehouse_assets.planning.plan import Fault
from warehouse_assets.planning.rehearsing import RehearsedTables, UnknownColumnsError

__all__ = ["faults_of", "reached"]

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
        found: list[Fault] = []
        with suppress(Exception):  # of a store or a function, which was asked often enough
            found = list(_missed(node, removed, attempt, tables))
        for key in removed:
            tables.restore(key)
        if found:
            return found
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
    except UnknownColumnsError:  # of a function that is not called, whose arguments are there
        return None
    return None


def _fault(error: WarehouseAssetsError, node: AssetNode, upstream: AssetKey | None = None, column: str | None = None) -> Fault:
    message = error.message.removeprefix(f"the SQL of asset {node.key.to_user_string()!r}: ")
    if excerpt := getattr(error, "excerpt", None):  # the line at fault, marked
        message = f"{message}\n{dedent(excerpt)}"
    origin = node.sql.origin if node.sql is not None else None
    where = error.where or (f"{origin.file}:{origin.line}" if origin is not None else node.place)
    return Fault(message, where, upstream, column)


def reached(
    graph: AssetGraph,
    lineages: Mapping[AssetKey, TableColumnLineage],
    columns: Mapping[AssetKey, Sequence[str] | None],
    fault: Fault,
    key: AssetKey,
) -> tuple[LineageNode, ...]:
    """The columns of the asset `key`, and of those downstream of it, that are made from the column which a fault is over."""
    if fault.upstream is None or fault.column is None:
        return ()
    start = [LineageNode(fault.upstream, fault.column)]
    links = trace_columns(graph, lineages, {}, start, "downstream", 1, rows=True).links
    own = [link.target for link in links if link.target.asset_key == key and link.kind != "unknown"]
    beyond = trace_columns(graph, lineages, columns, own, "downstream", rows=True).links
    return tuple(dict.fromkeys((*own, *(link.target for link in beyond if link.kind != "unknown"))))
