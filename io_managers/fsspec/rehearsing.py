"""Writes of pickled frames rehearsed, without any row."""

from __future__ import annotations

from collections.abc import Callable, Collection, Generator
from contextlib import contextmanager
from tempfile import TemporaryDirectory
from typing import Any

from io_managers.frames import table_schema
from io_managers.rehearsal import promised_frame, types_of, without_rows
from warehouse_assets.errors import UnsupportedTypeError
from warehouse_assets.io_manager import InputContext, IOManager, OutputContext
from warehouse_assets.sql import SQL
from warehouse_assets.tables import TableSchema

__all__ = ["PickleRehearsal", "rehearsed"]


class PickleRehearsal:
    """Frames without rows in `io_manager`. A pickle that is stored stays closed: loading it reads all of it, and may run any code."""

    def __init__(self, io_manager: IOManager) -> None:
        self.io_manager = io_manager

    def recall(self, context: InputContext, without: Collection[str] = ()) -> TableSchema:
        raise UnsupportedTypeError(f"asset {context.asset_key.to_user_string()!r} is kept as a pickle, which tells no columns")

    def promised(self, context: OutputContext) -> Any:
        return promised_frame(context)

    def write(self, context: OutputContext, obj: Any) -> TableSchema:
        import polars as pl

        if isinstance(obj, SQL):
            self.io_manager.handle_output(context, without_rows(obj))
            schema: TableSchema = context.output_metadata["column_schema"].value
            return schema
        types = types_of(obj, context.asset_key)
        self.io_manager.handle_output(context, pl.DataFrame(schema=types))
        return table_schema(types)


@contextmanager
def rehearsed(twin: Callable[[str], IOManager]) -> Generator[PickleRehearsal]:
    """The rehearsal in a folder that goes with the block."""
    with TemporaryDirectory(prefix="warehouse-assets-", ignore_cleanup_errors=True) as folder:
        yield PickleRehearsal(twin(folder))
