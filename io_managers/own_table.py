"""SQL that reads the table it makes: before its first run that table is one without rows."""

from __future__ import annotations

import copy
from collections import ChainMap
from typing import TYPE_CHECKING, Any

from io_managers.rehearsal import promised_frame, reading_whole
from io_managers.views import is_view
from warehouse_assets.errors import TableNotFoundError
from warehouse_assets.io_manager import InputContext, IOManager, OutputContext, TableSource

if TYPE_CHECKING:
    import polars as pl

__all__ = ["with_own_table"]


class _NoRows(IOManager):
    """A table that is not stored yet, as a frame without rows."""

    def __init__(self, frame: pl.DataFrame) -> None:
        self._frame = frame

    def handle_output(self, context: OutputContext, obj: Any) -> None:
        raise NotImplementedError

    def load_input(self, context: InputContext) -> Any:
        from io_managers.frames import converted

        return converted(self._frame, context.type_hint, context.columns, context.asset_key)


def with_own_table(context: OutputContext) -> OutputContext:
    """The context of a write by SQL; where the asset reads its own table, and there is none yet, it reads one without rows.

    Raises TableNotFoundError where nothing says which columns that has. A view never reads itself, which its store says.
    """
    key = context.asset_key
    if key not in context.sources or is_view(context):
        return context
    import polars as pl

    source = context.sources[key]
    whole = reading_whole(source.context)
    whole.type_hint = pl.LazyFrame
    try:
        source.io_manager.load_input(whole).collect_schema()
    except TableNotFoundError as error:
        if (frame := promised_frame(context)) is None:
            raise TableNotFoundError(
                f"{error.message.partition(';')[0]}, and the SQL of asset {key.to_user_string()!r} reads it",
                hint="Say what columns it has, TableOptions(columns={…}) or `columns:` in the header, each with its type: "
                "then the first run reads a table without rows.",
            ) from None
        context = copy.copy(context)
        context.sources = ChainMap({key: TableSource(_NoRows(frame), source.context)}, context.sources)  # type: ignore[arg-type]
    return context
