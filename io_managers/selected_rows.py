"""Some rows and columns of a stream, for stores that cannot pick them themselves."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import closing
from typing import TYPE_CHECKING, Any

import duckdb

from io_managers.database import judging
from io_managers.engine import owned_reader
from warehouse_assets.errors import InvalidSQLError, SchemaChangedError, close_matches
from warehouse_assets.io_manager.contexts import InputContext
from warehouse_assets.keys import AssetKey
from warehouse_assets.tables import TableSlice

if TYPE_CHECKING:
    import pyarrow as pa

__all__ = ["check_columns", "check_condition", "holding", "selected", "wrong_condition"]


def selected(reader: pa.RecordBatchReader, table: TableSlice, key: AssetKey) -> pa.RecordBatchReader:
    """The rows for which `table.where` holds, no more than `table.limit`, with the columns of `table`: a batch at a time.

    Only DuckDB's answer to the condition is taken, so that the types of the columns stay what they are.
    """
    import pyarrow as pa

    names = list(table.columns) if table.columns is not None else reader.schema.names
    schema = pa.schema([reader.schema.field(name) for name in names])
    if table.where is not None:
        check_condition(reader.schema.empty_table(), table.where, key)

    def batches() -> Iterator[pa.RecordBatch]:
        left = table.limit
        with closing(judging()) as connection:
            for batch in reader:
                if left is not None and left <= 0:
                    return
                rows = batch if table.where is None else batch.filter(holding(connection, batch, table.where, key))
                rows = rows.select(names)
                if left is not None:
                    rows = rows.slice(0, left)
                    left -= rows.num_rows
                yield rows

    return owned_reader(pa.RecordBatchReader.from_batches(schema, batches()), reader.close)


def check_condition(rows: pa.Table, where: str, key: AssetKey) -> None:
    """Raise InvalidSQLError, before a row is read, for what is no condition on such rows."""
    from warehouse_assets.sql.conditions import condition_text

    holds = condition_text(where, key)
    with closing(judging()) as connection:
        connection.register("_batch", _readable(rows))
        try:
            connection.execute(f"select 1 from _batch where {holds}")
        except (duckdb.BinderException, duckdb.ConversionException) as error:
            raise wrong_condition(where, key, error) from None


def holding(
    connection: duckdb.DuckDBPyConnection, batch: pa.RecordBatch | pa.Table, where: str, key: AssetKey
) -> pa.BooleanArray:
    """Whether the condition holds, for each row; NULL where it is neither true nor false."""
    from warehouse_assets.sql.conditions import condition_text

    connection.register("_batch", _readable(batch))
    try:
        answer = connection.sql(f"select {condition_text(where, key)}::boolean from _batch").to_arrow_table()
    except (duckdb.BinderException, duckdb.ConversionException) as error:
        raise wrong_condition(where, key, error) from None
    finally:
        connection.unregister("_batch")
    holds: pa.BooleanArray = answer.column(0).combine_chunks()
    return holds


def _readable(rows: Any) -> Any:
    """The rows without half floats, which DuckDB does not know."""
    import pyarrow as pa

    for index, field in enumerate(rows.schema):
        if pa.types.is_float16(field.type):
            rows = rows.set_column(index, field.name, rows.column(index).cast(pa.float32()))
    return rows


def wrong_condition(where: str | None, key: AssetKey, error: duckdb.Error) -> InvalidSQLError:
    """The error for a condition on the table of asset `key` that DuckDB cannot judge."""
    message, _, _ = str(error).partition("\n\nLINE ")  # of the statement that was built around it
    return InvalidSQLError(f"the condition {where!r} on asset {key.to_user_string()!r}: {message}")


def check_columns(context: InputContext, columns: Sequence[str] | None, known: Sequence[str]) -> None:
    """Raise SchemaChangedError for the first of `columns` that is not among those of the stored table."""
    for column in columns or ():
        if column not in known:
            raise SchemaChangedError(
                f"the table of asset {context.asset_key.to_user_string()!r} has no column {column!r}",
                hint=close_matches(column, known) or f"It has {', '.join(map(repr, known))}.",
            )
