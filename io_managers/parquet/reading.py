"""Reading a part of a table of Parquet files: DuckDB judges conditions, and skips what it can tell from the footers."""

from __future__ import annotations

from contextlib import closing
from typing import TYPE_CHECKING, Any

import duckdb

from io_managers import engine
from io_managers.database import in_memory, judging
from io_managers.deferred import Deferred
from io_managers.frames import FrameType, Stream, from_reader
from io_managers.parquet.files import ParquetFiles
from io_managers.parquet.writing import are_plain
from io_managers.selected_rows import check_condition, holding, selected, wrong_condition
from io_managers.table import check_columns
from warehouse_assets.io_manager import InputContext
from warehouse_assets.tables import TableSlice, quote_identifier

if TYPE_CHECKING:
    import polars as pl
else:
    pl = Deferred("polars")

__all__ = ["read_part"]


def read_part(files: ParquetFiles, context: InputContext, table: TableSlice, kind: FrameType) -> Any:
    """The columns and rows of `table` as a frame of this kind. A LazyFrame reads when it is collected."""
    columns = None if table.columns is None else list(table.columns)
    schema = files.columns() if columns or table.where is not None else pl.Schema()
    check_columns(context, columns, schema.names())
    if table.where is None and table.limit is None:
        return files.read(kind, columns)
    if table.where is None and kind in (FrameType.LAZY, FrameType.POLARS):
        lazy = files.scan(columns).head(table.limit or 0)
        return lazy if kind is FrameType.LAZY else files.steadily(lambda: lazy.collect())
    if table.where is not None and kind in (FrameType.LAZY, FrameType.POLARS) and not _is_plain(schema, columns):
        lazy = _filtered(files, context, table)
        return lazy if kind is FrameType.LAZY else files.steadily(lambda: lazy.collect(engine="streaming"))
    if table.where is None or not _is_plain(schema, columns):
        return from_reader(selected(files.read(FrameType.READER, None), table, context.asset_key), kind)
    return files.steadily(lambda: _judged(files, context, table, kind))


def _is_plain(schema: pl.Schema, columns: list[str] | None) -> bool:
    """Whether DuckDB gives the columns as they are."""
    return are_plain(schema[name] for name in columns or schema)


def _filtered(files: ParquetFiles, context: InputContext, table: TableSlice) -> pl.LazyFrame:
    """The rows for which the condition holds, as polars reads them: DuckDB only judges them, a batch at a time."""
    key, where, scan = context.asset_key, table.where or "true", files.scan()
    check_condition(Stream.of(scan.head(0).collect(), key).reader().read_all(), where, key)

    def judged(frame: pl.DataFrame) -> pl.DataFrame:
        with closing(judging()) as connection:
            holds = holding(connection, Stream.of(frame, key).reader().read_all(), where, key)
        return frame.filter(pl.Series(holds, dtype=pl.Boolean))

    rows = scan.map_batches(
        judged, projection_pushdown=False, slice_pushdown=False, schema=scan.collect_schema(), streamable=True
    )
    some = rows if table.limit is None else rows.head(table.limit)
    return some if table.columns is None else some.select(table.columns)


def _judged(files: ParquetFiles, context: InputContext, table: TableSlice, kind: FrameType) -> Any:
    """The rows for which the condition holds, of types that DuckDB reads and gives as they are."""
    from warehouse_assets.sql.conditions import condition_text

    holds = condition_text(table.where or "true", context.asset_key)
    names = "*" if table.columns is None else ", ".join(map(quote_identifier, table.columns))
    limit = "" if table.limit is None else f" limit {table.limit}"
    connection = in_memory()
    try:
        relation = connection.sql(f"select {names} from {files.duckdb_scan(connection)} where {holds}{limit}")
        if not files.staged and kind in (FrameType.LAZY, FrameType.READER, FrameType.RELATION):
            engine.closing_with(relation, connection.close)
            match kind:
                case FrameType.LAZY:
                    return relation.pl(lazy=True)
                case FrameType.READER:
                    return engine.owned_reader(relation.to_arrow_reader(), connection.close)
            return relation
        whole = relation.pl() if kind in (FrameType.LAZY, FrameType.POLARS) else relation.to_arrow_table()
    except (duckdb.BinderException, duckdb.ConversionException) as error:
        connection.close()
        raise wrong_condition(table.where, context.asset_key, error) from None
    except BaseException:
        connection.close()
        raise
    connection.close()
    if isinstance(whole, pl.DataFrame):
        return whole.lazy() if kind is FrameType.LAZY else whole
    return from_reader(whole.to_reader(), kind)
