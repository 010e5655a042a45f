"""`InMemoryIOManager`: values kept in a dict, for tests and notebooks."""

from __future__ import annotations

from typing import Any, Self

from io_managers.frames import converted, row_count, settled, table_schema
from warehouse_assets.errors import TableNotFoundError
from warehouse_assets.io_manager.base import IOManager
from warehouse_assets.io_manager.contexts import InputContext, OutputContext
from warehouse_assets.keys import AssetKey
from warehouse_assets.metadata import IntMetadataValue, stats_metadata
from warehouse_assets.sql import SQL
from warehouse_assets.tables import Table, TableStats

__all__ = ["InMemoryIOManager"]


class InMemoryIOManager(IOManager):
    """Keeps the values of assets in memory, by key, as long as the manager itself; `values` shows them.

    Lazy frames and streams are read once and kept whole, and come back as the frame that an annotation asks for.
    """

    def __init__(self) -> None:
        self.values: dict[AssetKey, Any] = {}

    @classmethod
    def from_uri(cls, uri: str) -> Self:
        """A new memory; the URI is `memory://`."""
        return cls()

    @property
    def store_id(self) -> str:
        """This memory and no other."""
        return f"memory:{id(self)}"

    def handle_output(self, context: OutputContext, obj: Any) -> None:
        if isinstance(obj, SQL):
            context.add_output_metadata(stats_metadata(self.run_sql(context, obj)))
            return
        obj = self.values[context.asset_key] = settled(obj, context.asset_key)
        if (rows := row_count(obj)) is not None:
            context.add_output_metadata({"row_count": IntMetadataValue(rows)})

    def load_input(self, context: InputContext) -> Any:
        if context.type_hint is Table:
            return Table(context.asset_key)
        try:
            value = self.values[context.asset_key]
        except KeyError:
            key = context.asset_key.to_user_string()
            raise TableNotFoundError(
                f"nothing is kept in memory for asset {key!r}; it should come from {context.made_by or f'asset {key!r}'}",
                hint="Materialize it first, with the same I/O manager object.",
            ) from None
        return converted(value, context.type_hint, context.columns, context.asset_key)

    def run_sql(self, context: OutputContext, sql: Any) -> TableStats:
        """Keep the answer to `sql`, from an embedded DuckDB, as a polars DataFrame."""
        from io_managers.engine import collected

        frame = self.values[context.asset_key] = collected(sql, context.sources, context.asset_key)
        return TableStats(frame.height, None, table_schema(frame.schema))
