"""Some rows and columns of a stream, for stores that cannot pick them themselves."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from typing import TYPE_CHECKING

import duckdb

from io_managers.database import in_memory
from io_managers.engine import owned_reader
from warehouse_assets.errors import InvalidSQLError
from warehouse_assets.keys import AssetKey
from warehouse_assets.tables import TableSlice

if TYPE_CHECKING:
    import pyarrow as pa

__all__ = ["selected"]


def selected(reader: pa.RecordBatchReader, table: TableSlice, key: AssetKey) -> pa.RecordBatchReader:
    """The rows for which `table.where` holds, no more than `table.limit`, with the columns of `table`: a batch at a time.

    Only DuckDB's answer to the condition is taken, so that the types of the columns stay what they are.
    """
    import pyarrow as pa

    names = list(table.columns) if table.columns is not None else reader.schema.names
    schema = pa.schema([reader.schema.field(name) for name in names])

    def batches() -> Iterator[pa.RecordBatch]:
        left = table.limit
        with closing(in_memory()) as connection:
            for batch in reader:
                if left is not None and left <= 0:
                    return
                rows = batch if table.where is None else batch.filter(_holds(connection, batch, table.where, key))
                rows = rows.select(names)
                if left is not None:
                    rows = rows.slice(0, left)
                    left -= rows.num_rows
                yield rows

    return owned_reader(pa.RecordBatchReader.from_batches(schema, batches()), reader.close)


def _holds(connection: duckdb.DuckDBPyConnection, batch: pa.RecordBatch, where: str, key: AssetKey) -> pa.BooleanArray:
    from warehouse_assets.sql.conditions import condition_text

    connection.register("_batch", batch)
    try:
        answer = connection.sql(f"select {condition_text(where, key)}::boolean from _batch").to_arrow_table()
    except (duckdb.BinderException, duckdb.ConversionException) as error:
        raise InvalidSQLError(f"the condition {where!r} on asset {key.to_user_string()!r}: {error}") from None
    finally:
        connection.unregister("_batch")
    holds: pa.BooleanArray = answer.column(0).combine_chunks()
    return holds
