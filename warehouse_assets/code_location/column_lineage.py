"""The columns of a project, and what they are made from: as recorded, and as the SQL says where it was edited since, or never ran."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import TYPE_CHECKING

from warehouse_assets.column_lineage import TableColumnLineage
from warehouse_assets.errors import WarehouseAssetsError
from warehouse_assets.execution.column_lineage import ColumnLineages, columns_of, lineage_of
from warehouse_assets.graph.partitions import readable_tables
from warehouse_assets.graph.sql_tables import naming_of
from warehouse_assets.graph.tracing import Direction, LineageNode, LineageTrace, trace_columns
from warehouse_assets.keys import AssetKey
from warehouse_assets.metadata import SQL_TEXT
from warehouse_assets.sql.asset_columns import AssetQuery
from warehouse_assets.tables import placed_key

if TYPE_CHECKING:
    from warehouse_assets.code_location.definitions import Definitions
    from warehouse_assets.events import Event
    from warehouse_assets.graph.asset_graph import AssetNode
    from warehouse_assets.instance import Instance

__all__ = ["traced"]


def traced(
    definitions: Definitions,
    key: AssetKey,
    column: str | None,
    direction: Direction,
    depth: int | None,
    *,
    rows: bool,
    instance: Instance,
) -> LineageTrace:
    """See `Definitions.column_lineage`."""
    graph = definitions.graph
    down = graph.downstream([key]) if direction == "downstream" else set()
    known = _Known(definitions, instance, {key} | down | graph.upstream({key} | down))
    names = [column] if column is not None else known.columns.get(key)
    if names is None:
        lineage = known.lineages.get(key)
        names = tuple(lineage.deps_by_column) if lineage is not None else ()
    start = [LineageNode(key, name) for name in names] or [LineageNode(key)]
    return trace_columns(graph, known.lineages, known.columns, start, direction, depth, rows=rows)


class _Known:
    """The columns and lineages of some assets."""

    def __init__(self, definitions: Definitions, instance: Instance, keys: Collection[AssetKey]) -> None:
        self.columns: dict[AssetKey, Sequence[str] | None] = {}
        self.lineages: dict[AssetKey, TableColumnLineage] = {}
        self._definitions = definitions
        events = instance.get_latest_materialization_events(keys)
        with definitions.stored_tables(instance=instance) as tables:
            stores = ColumnLineages(tables)
            edited: set[AssetKey] = set()
            for node in (node for node in definitions.graph if node.key in keys):
                key, event = node.key, events.get(node.key)
                if event is not None and (_is_edited(node, event) or not edited.isdisjoint(node.parents)):
                    edited.add(key)
                by_sql = key in edited and node.sql is not None
                self.columns[key] = None if by_sql else columns_of(event)
                recorded = None if by_sql else lineage_of(event)
                found = recorded if recorded is not None else self._told_by_sql(key, stores)
                if found is None:
                    continue
                self.lineages[key] = found
                if self.columns[key] is None and found.opaque is None:
                    self.columns[key] = tuple(found.deps_by_column)

    def _told_by_sql(self, key: AssetKey, stores: ColumnLineages) -> TableColumnLineage | None:
        """What the query of an asset says; None for an asset that is none, or of which it is not known before it runs."""
        graph = self._definitions.graph
        node = graph[key]
        if node.sql is None:
            return None
        try:
            naming = naming_of(node, self._definitions.resources)
            query = AssetQuery(
                node.sql,
                naming,
                readable_tables(graph.bindings, node),
                key,
                lambda other: placed_key(other, graph[other].spec.metadata),
            )
            found = query.lineage(self._known(query), None)
            unknown = [other for other in query.tables.values() if self.columns.get(other) is None]
            if (found.opaque or found.opaque_by_column) and unknown:
                self.columns.update(stores.stored(unknown))
                found = query.lineage(self._known(query), None)
        except WarehouseAssetsError as error:
            return TableColumnLineage({}, opaque=f"the query cannot be followed: {error.message}")
        return found

    def _known(self, query: AssetQuery) -> dict[AssetKey, tuple[str, ...] | None]:
        return {key: None if (names := self.columns.get(key)) is None else tuple(names) for key in query.tables.values()}


def _is_edited(node: AssetNode, event: Event) -> bool:
    """Whether a table was made from other SQL than its asset has now."""
    made = event.asset_materialization
    text = made.metadata.get(SQL_TEXT) if made is not None else None
    return node.sql is not None and text is not None and text.value != node.sql.render()[0]
