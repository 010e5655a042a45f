"""Writes rehearsed: the columns that a table would have, as a twin of its store makes it where nobody looks, without any row."""

from __future__ import annotations

from collections.abc import Callable, Collection, Generator, Mapping
from contextlib import contextmanager
from tempfile import TemporaryDirectory
from typing import Any, Protocol

from io_managers.column_contract import ColumnContract
from io_managers.frames import FrameType, Stream, is_lazy, is_polars
from warehouse_assets.errors import SchemaChangedError
from warehouse_assets.io_manager import InputContext, IOManager, OutputContext
from warehouse_assets.keys import AssetKey
from warehouse_assets.sql import SQL
from warehouse_assets.table_options import TABLE_OPTIONS
from warehouse_assets.tables import TableName, TableSchema, TableSlice

__all__ = [
    "Store",
    "TwinRehearsal",
    "in_a_folder",
    "promised_frame",
    "reading_whole",
    "types_of",
    "without_options",
    "without_rows",
]


class Store(Protocol):
    """What a rehearsal asks of a manager of tables."""

    def name_of(self, output: OutputContext) -> TableName:
        """The table that a write is of."""

    def read(self, context: InputContext, table: TableSlice, kind: FrameType) -> Any:
        """The columns of the table that `table` names, as a frame of type `kind`."""


class TwinRehearsal:
    """Tables without rows in `twin`, a manager like `store` that keeps its tables in a place of its own.

    Whatever the store does as it writes it does here too: write modes, schema policies and contracts need no second telling.
    """

    def __init__(
        self,
        store: Store,
        twin: IOManager,
        recall: Callable[[InputContext, OutputContext, Collection[str]], TableSchema] | None = None,
    ) -> None:
        self.io_manager = twin
        self._store = store
        self._recall = recall or self._written_anew

    def recall(self, context: InputContext, without: Collection[str] = ()) -> TableSchema:
        output = without_options(context.upstream_output, context.partition_keys[:1])
        return self._recall(reading_whole(context), output, without)

    def promised(self, context: OutputContext) -> Any:
        return promised_frame(context)

    def write(self, context: OutputContext, obj: Any) -> TableSchema:
        self.io_manager.handle_output(context, _without_rows(obj, context.asset_key))
        return _recorded(context)

    def _written_anew(self, context: InputContext, output: OutputContext, without: Collection[str]) -> TableSchema:
        import polars as pl

        name = self._store.name_of(context.upstream_output)
        stored = self._store.read(context, TableSlice(name), FrameType.LAZY).collect_schema()
        self.io_manager.handle_output(output, pl.DataFrame(schema=stored).drop(without, strict=False))
        return _recorded(output)


@contextmanager
def in_a_folder(store: Store, twin: Callable[[str], IOManager]) -> Generator[TwinRehearsal]:
    """The rehearsal of a store of files, whose `twin` keeps its tables in a folder that goes with the block."""
    with TemporaryDirectory(prefix="warehouse-assets-", ignore_cleanup_errors=True) as folder:
        yield TwinRehearsal(store, twin(folder))


def reading_whole(context: InputContext) -> InputContext:
    """The context in which the whole of a table is read, with all its columns."""
    output = context.upstream_output
    metadata = {name: value for name, value in output.definition_metadata.items() if name not in ("columns", "where", "limit")}
    told = OutputContext(context.asset_key, definition_metadata=metadata, log=context.log)
    return InputContext(context.asset_key, upstream_output=told, log=context.log, made_by=context.made_by)


def without_options(output: OutputContext, partition_keys: Any) -> OutputContext:
    """The context of a write to the same table that neither looks at the rows there nor promises any columns."""
    metadata = {name: value for name, value in output.definition_metadata.items() if name != TABLE_OPTIONS}
    return OutputContext(
        output.asset_key,
        definition_metadata=metadata,
        log=output.log,
        instance=output.instance,
        partition_keys=partition_keys,
        partitions_def=output.partitions_def,
    )


def types_of(obj: Any, key: AssetKey) -> Mapping[str, Any]:
    """The polars types of the columns of a frame; SchemaChangedError for a LazyFrame that asks for what its tables do not have."""
    import polars as pl

    if not (is_lazy(obj) or is_polars(obj, "DataFrame")):
        return pl.Schema(Stream.of(obj, key).schema)
    try:
        types: Mapping[str, Any] = obj.collect_schema()
    except pl.exceptions.PolarsError as error:
        text = str(error).partition("\n\nResolved plan until failure")[0].strip()
        raise SchemaChangedError(f"the LazyFrame of asset {key.to_user_string()!r}: {text}") from None
    return types


def promised_frame(context: OutputContext) -> Any:
    """A frame without rows that has the columns which the asset promises; None where it promises none, or leaves types open."""
    import polars as pl

    contract = ColumnContract.of(context.asset_key, context.table_options)
    types = contract.types if contract is not None else None
    return pl.DataFrame(schema=types) if types is not None else None


def _without_rows(obj: Any, key: AssetKey) -> Any:
    """What gives the same columns, and computes nothing: SQL may read files of its own, and a LazyFrame call functions."""
    import polars as pl

    if isinstance(obj, SQL):
        return without_rows(obj)
    return pl.DataFrame(schema=types_of(obj, key))


def without_rows(sql: SQL) -> SQL:
    """The query over none of its rows; faults in it are still told at their place in the text as it was written."""
    from warehouse_assets.sql.analysis import token_spans

    text, end = sql.template, len(sql.template)
    for start, stop in reversed(list(token_spans(text, sql.dialect or "duckdb"))):
        if text[start:stop] != ";":
            break
        end = start
    return sql.rewritten(f"select * from (\n{text[:end]}\n) limit 0", sql.bindings)


def _recorded(output: OutputContext) -> TableSchema:
    schema: TableSchema = output.output_metadata["column_schema"].value
    return schema
