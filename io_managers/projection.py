"""Tables of other stores, of which only the columns are read that a query may need."""

from __future__ import annotations

import copy
from collections.abc import Collection
from typing import Any, Protocol, runtime_checkable

from warehouse_assets.io_manager import InputContext, TableSource
from warehouse_assets.tables import TableSlice

__all__ = ["narrowed"]


@runtime_checkable
class _ReadsColumns(Protocol):
    """A store that tells the columns of a table without reading it, and reads those that are asked for."""

    reads_rows: bool

    def slice_of(self, context: InputContext) -> TableSlice:
        """The part of the table that is to be read."""


def narrowed(source: TableSource, kind: Any, names: Collection[str] | None) -> InputContext:
    """The context to read a table as a `kind`, with no more columns than those of these names, without case; None for all."""
    import polars as pl

    context: InputContext = copy.copy(source.context)
    if names is not None and isinstance(source.io_manager, _ReadsColumns) and source.io_manager.reads_rows:
        context.type_hint = pl.LazyFrame
        known = source.io_manager.load_input(context).collect_schema().names()
        columns = [name for name in known if name.casefold() in names] or known[:1]  # whose rows are counted
        context.metadata = {**context.metadata, "columns": columns}
    context.type_hint = kind
    return context
