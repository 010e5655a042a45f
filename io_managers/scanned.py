"""A part of a table that polars scans, as a frame: polars reads the columns and files that it needs, DuckDB judges conditions."""

from __future__ import annotations

from typing import Any

import duckdb
import polars as pl

from io_managers import engine
from io_managers.database import in_memory
from io_managers.engine_types import on_its_way
from io_managers.frames import FrameType, Stream, from_reader
from io_managers.selected_rows import check_columns, selected, wrong_condition
from warehouse_assets.io_manager import InputContext
from warehouse_assets.tables import TableSlice, quote_identifier

__all__ = ["read_part", "registered"]

# The polars types that come back from DuckDB as they went in.
_PLAIN = (
    *(pl.Int8, pl.Int16, pl.Int32, pl.Int64, pl.UInt8, pl.UInt16, pl.UInt32, pl.UInt64, pl.Float32, pl.Float64),
    *(pl.String, pl.Binary, pl.Boolean, pl.Date, pl.Datetime("us"), pl.Datetime("us", "UTC")),
)


def read_part(scan: pl.LazyFrame, context: InputContext, table: TableSlice, kind: FrameType) -> Any:
    """The columns and rows of `table`, whose partitions `scan` has, as a frame of this kind."""
    types = scan.collect_schema()
    check_columns(context, table.columns, types.names())
    columns = list(table.columns or types)
    if table.where is None:
        lazy = scan if table.limit is None else scan.head(table.limit)
        return _frame(lazy.select(columns), context, kind)
    if any(types[name] not in _PLAIN for name in columns):
        return from_reader(selected(Stream.of(scan, context.asset_key).reader(), table, context.asset_key), kind)
    return _judged(scan, context, table, columns, kind)


def registered(connection: Any, scan: pl.LazyFrame) -> str:
    """The name under which the connection sees a frame, its columns as DuckDB reads them."""
    name = engine.temporary_name()
    types = scan.collect_schema()
    ways = pl.Schema({column: on_its_way(dtype) for column, dtype in types.items()})
    connection.register(name, scan if ways == types else scan.cast(ways))
    return name


def _frame(lazy: pl.LazyFrame, context: InputContext, kind: FrameType) -> Any:
    match kind:
        case FrameType.POLARS:
            return lazy.collect()
        case FrameType.LAZY:
            return lazy
        case FrameType.RELATION:
            connection = in_memory()
            relation = connection.sql(f"from {registered(connection, lazy)}")
            return engine.closing_with(relation, connection.close)
    return from_reader(Stream.of(lazy, context.asset_key).reader(), kind)


def _judged(scan: pl.LazyFrame, context: InputContext, table: TableSlice, columns: list[str], kind: FrameType) -> Any:
    """The rows for which the condition holds, of types that DuckDB gives as they are; a LazyFrame stays one."""
    connection = in_memory()
    try:
        rows = engine.limited(registered(connection, scan), table.where, table.limit, context.asset_key)
        relation = connection.sql(f"select {', '.join(map(quote_identifier, columns))} from {rows}")
        match kind:
            case FrameType.LAZY:
                return engine.closing_with(relation, connection.close).pl(lazy=True)
            case FrameType.RELATION:
                return engine.closing_with(relation, connection.close)
            case FrameType.READER:
                return engine.owned_reader(relation.to_arrow_reader(), connection.close)
        whole = relation.pl() if kind is FrameType.POLARS else from_reader(relation.to_arrow_table().to_reader(), kind)
    except (duckdb.BinderException, duckdb.ConversionException) as error:
        connection.close()
        raise wrong_condition(table.where, context.asset_key, error) from None
    except BaseException:
        connection.close()
        raise
    connection.close()
    return whole
