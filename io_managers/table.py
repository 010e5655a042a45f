"""`TableIOManager`: what all stores of tables share. A store is a small subclass."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence
from typing import Any

from io_managers.frames import FrameType, requested
from warehouse_assets.errors import SchemaChangedError, TableNotFoundError, UnsupportedTypeError, close_matches
from warehouse_assets.io_manager import ConfigurableIOManager, InputContext, OutputContext
from warehouse_assets.keys import AssetKey
from warehouse_assets.metadata import stats_metadata
from warehouse_assets.sql import SQL
from warehouse_assets.tables import Table, TableName, TableSlice, TableStats

__all__ = ["TableIOManager", "check_columns", "missing_table", "refuse_none"]


class TableIOManager(ConfigurableIOManager):
    """Stores each asset as a table; a subclass says how one is written, read, and made from SQL.

    `default_schema` is that of keys with a single segment.
    """

    @property
    @abstractmethod
    def store_id(self) -> str:
        """The engine and the place, without secrets."""

    @property
    def default_schema(self) -> str | None:
        """The schema of assets whose key has one segment."""
        return None

    @abstractmethod
    def write(self, context: OutputContext, table: TableSlice, obj: Any) -> TableStats:
        """Replace the table by the frame `obj`, at once: readers see the old or the new one, and a failure leaves the old."""

    @abstractmethod
    def read(self, context: InputContext, table: TableSlice, kind: FrameType) -> Any:
        """The columns of the table that `table.columns` names, as a frame of type `kind`."""

    @abstractmethod
    def run_sql(self, context: OutputContext, sql: Any) -> TableStats:
        """Make the table of `context.asset_key` from `sql`, whose tables are among `context.sources`."""

    def table_name(self, key: AssetKey) -> TableName:
        """The table of an asset in this store."""
        return TableName.of(key, self.default_schema)

    def handle_output(self, context: OutputContext, obj: Any) -> None:
        if isinstance(obj, SQL):
            stats = self.run_sql(context, obj)
        else:
            refuse_none(obj, context.asset_key)
            stats = self.write(context, TableSlice(self.table_name(context.asset_key)), obj)
        context.add_output_metadata(stats_metadata(stats))

    def load_input(self, context: InputContext) -> Any:
        kind = requested(context.type_hint, context.asset_key)
        if kind is FrameType.HANDLE:
            return Table(context.asset_key)
        return self.read(context, TableSlice(self.table_name(context.asset_key), context.columns), kind)


def refuse_none(obj: Any, key: AssetKey) -> None:
    """Raise UnsupportedTypeError where an asset that should make a table returned None."""
    if obj is None:
        raise UnsupportedTypeError(
            f"asset {key.to_user_string()!r} returned None, which is no table",
            hint="Return a frame, or annotate the function with -> None if it stores the table itself.",
        )


def missing_table(context: InputContext, table: str, store: str) -> TableNotFoundError:
    """The error for a table that is not in the store, naming the asset that should have made it."""
    key = context.asset_key.to_user_string()
    return TableNotFoundError(
        f"the table {table} does not exist in {store}; it should come from {context.made_by or f'asset {key!r}'}",
        hint="Materialize it first, or check that it is written to the same place.",
    )


def check_columns(context: InputContext, columns: Sequence[str] | None, known: Sequence[str]) -> None:
    """Raise SchemaChangedError for the first of `columns` that is not among those of the stored table."""
    for column in columns or ():
        if column not in known:
            raise SchemaChangedError(
                f"the table of asset {context.asset_key.to_user_string()!r} has no column {column!r}",
                hint=close_matches(column, known) or f"It has {', '.join(map(repr, known))}.",
            )
