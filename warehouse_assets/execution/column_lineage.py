"""The lineage of the columns that the queries of a run make, for its record."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from warehouse_assets.column_lineage import COLUMN_LINEAGE, TableColumnLineage
from warehouse_assets.io_manager.powers import NamesTables, TellsColumns
from warehouse_assets.keys import AssetKey
from warehouse_assets.metadata import MetadataValue
from warehouse_assets.sql.asset_columns import AssetQuery
from warehouse_assets.sql.value import SQL
from warehouse_assets.tables import SQLNaming, Table, TableSchema, placed_key

if TYPE_CHECKING:
    from warehouse_assets.events import Event
    from warehouse_assets.execution.tables import StoredTables
    from warehouse_assets.io_manager.contexts import OutputContext

__all__ = ["ColumnLineages", "columns_of", "lineage_of"]

COLUMN_SCHEMA = "column_schema"


class ColumnLineages:
    """Works out what columns are made from, with what the record and, where it says nothing, the stores tell of other tables.

    The columns of each table are asked for once.
    """

    def __init__(self, tables: StoredTables) -> None:
        self._tables = tables
        self._columns: dict[AssetKey, tuple[str, ...] | None] = {}
        self._asked: set[AssetKey] = set()

    def of(self, told: OutputContext, sql: SQL) -> MetadataValue:
        """The lineage of a table that was written from `sql`; no failure of it is one of the write."""
        try:
            lineage = self._of(told, sql)
        except Exception as error:
            told.log.debug("the lineage of %s cannot be told", told.asset_key, exc_info=True)
            lineage = TableColumnLineage({}, opaque=f"the query cannot be followed: {error}")
        return MetadataValue.column_lineage(lineage)

    def _of(self, told: OutputContext, sql: SQL) -> TableColumnLineage:
        manager, graph = self._tables.manager_of(told.asset_key), self._tables.graph
        naming = manager.sql_naming() if isinstance(manager, NamesTables) else SQLNaming()
        query = AssetQuery(sql, naming, told.sources, told.asset_key, lambda key: placed_key(key, graph[key].spec.metadata))
        schema = told.output_metadata.get(COLUMN_SCHEMA)
        names = schema.value.names if schema is not None else None
        keys = dict.fromkeys(query.tables.values())
        before = self._recall(keys, told.asset_key)
        if isinstance(manager, TellsColumns):
            self._tell((key for key in keys if self._columns[key] is None), manager)
        if before is not None and before.digest == query.digest(self._columns, names):
            return before
        lineage = query.lineage(self._columns, names)
        unknown = [key for key in keys if self._columns[key] is None]
        if (lineage.opaque or lineage.opaque_by_column) and self.stored(unknown):
            lineage = query.lineage(self._columns, names)
        return lineage

    def _recall(self, keys: Iterable[AssetKey], own: AssetKey) -> TableColumnLineage | None:
        """Look up the columns of these tables, as they were recorded last, and the lineage of `own` before."""
        missing = [key for key in keys if key not in self._columns]
        events = self._tables.instance.get_latest_materialization_events([own, *missing])
        self._columns.update((key, columns_of(events.get(key))) for key in missing)
        return lineage_of(events.get(own))

    def stored(self, keys: Iterable[AssetKey]) -> Mapping[AssetKey, tuple[str, ...]]:
        """The columns of those of these tables that are there, as their stores tell them, each asked once."""
        for key in (key for key in keys if key not in self._asked):
            self._asked.add(key)
            self._columns[key] = self._stored(key)
        return {key: names for key in keys if (names := self._columns.get(key)) is not None}

    def _tell(self, keys: Iterable[AssetKey], manager: TellsColumns) -> None:
        """Take up the columns of those of these tables that a store knows at once."""
        for key in (key for key in keys if key not in self._asked):
            with suppress(Exception):  # what is not there has no columns that are known
                if (names := manager.column_names(self._tables.sources([key])[key])) is not None:
                    self._asked.add(key)
                    self._columns[key] = tuple(names)

    def _stored(self, key: AssetKey) -> tuple[str, ...] | None:
        try:
            with self._tables.query(SQL("select * from {table} limit 0", table=Table(key))) as reader:
                return tuple(reader.schema.names)
        except Exception:  # noqa: BLE001 - what is not there, or no table, has no columns that are known
            return None


def columns_of(event: Event | None) -> tuple[str, ...] | None:
    """The columns of the table, where they were recorded with a materialization."""
    schema = _recorded(event, COLUMN_SCHEMA)
    return schema.names if isinstance(schema, TableSchema) else None


def lineage_of(event: Event | None) -> TableColumnLineage | None:
    """The lineage, where it was recorded with a materialization."""
    lineage = _recorded(event, COLUMN_LINEAGE)
    return lineage if isinstance(lineage, TableColumnLineage) else None


def _recorded(event: Event | None, name: str) -> Any:
    made = event.asset_materialization if event is not None else None
    value = made.metadata.get(name) if made is not None else None
    return value.value if value is not None else None
