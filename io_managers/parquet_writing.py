"""How a frame or SQL becomes a Parquet file."""

from __future__ import annotations

import re
from collections.abc import Mapping
from contextlib import closing
from typing import Any, BinaryIO

import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq

from io_managers import engine
from io_managers.database import in_memory
from io_managers.duckdb_types import Column, restored
from io_managers.frames import Stream, is_lazy, is_polars
from io_managers.parquet_files import BATCH_ROWS
from warehouse_assets.io_manager import OutputContext
from warehouse_assets.sql import SQL
from warehouse_assets.tables import quote_identifier

__all__ = ["write_parquet"]

ROW_GROUP_ROWS = 1_048_576  # of a stream, which is gathered to this size, the default of pyarrow; polars has its own

# The types that DuckDB writes to Parquet as they are; others go through Arrow, which is slower and keeps them.
_COPIED = re.compile(
    r"U?(TINY|SMALL|BIG)INT|U?INTEGER|U?HUGEINT|FLOAT|DOUBLE|DECIMAL\(\d+,\d+\)|VARCHAR|BLOB|BOOLEAN|DATE|TIMESTAMP( WITH TIME ZONE)?"
)


def write_parquet(context: OutputContext, obj: Any, target: str | BinaryIO, compression: Any) -> None:
    """Write a frame, or the answer to SQL, to a local path or an open file, in one pass."""
    if isinstance(obj, SQL):
        _write_sql(context, obj, target, compression)
    elif is_polars(obj, "DataFrame"):
        obj.write_parquet(target, compression=compression)
    elif is_lazy(obj):
        obj.sink_parquet(target, compression=compression)
    else:
        _write_stream(Stream.of(obj, context.asset_key), target, compression)


def _write_sql(context: OutputContext, sql: SQL, target: str | BinaryIO, compression: Any) -> None:
    """Write the answer to `sql`, from an embedded DuckDB that reads the Parquet files of other assets in place."""
    with (
        closing(in_memory()) as connection,
        engine.bound(sql, context.sources, connection, asset_key=context.asset_key) as (text, parameters),
    ):
        relation = connection.sql(text, params=parameters)
        kinds: Mapping[str, str] = dict(zip(relation.columns, map(str, relation.types), strict=True))
        columns = [_kept(name, kind) for name, kind in kinds.items()]
        text = f"select {', '.join(column.sql for column in columns)} from ({text}\n)"
        if isinstance(target, str) and all(_COPIED.fullmatch(kind) for kind in kinds.values()):
            place = target.replace("'", "''")
            connection.execute(f"copy ({text}) to '{place}' (format parquet, compression {compression})", parameters)
        else:
            with connection.sql(text, params=parameters).to_arrow_reader(BATCH_ROWS) as reader:
                _write_stream(Stream.of(restored(reader, columns), context.asset_key), target, compression)


def _write_stream(stream: Stream, target: str | BinaryIO, compression: Any) -> None:
    """Write a stream, gathered to row groups of a good size."""
    if any("string_view" in str(field.type) and "dictionary" in str(field.type) for field in stream.schema):
        stream = stream.cast({})  # pyarrow writes categories in its own form only
    with pq.ParquetWriter(
        target, stream.schema, compression="none" if compression == "uncompressed" else compression
    ) as writer:
        group: list[pa.RecordBatch] = []
        rows = 0
        for batch in stream:
            group.append(batch)
            rows += batch.num_rows
            if rows >= ROW_GROUP_ROWS:
                writer.write_table(pa.Table.from_batches(group), row_group_size=ROW_GROUP_ROWS)
                group, rows = [], 0
        if group:
            writer.write_table(pa.Table.from_batches(group), row_group_size=ROW_GROUP_ROWS)


def _kept(name: str, kind: str) -> Column:
    """How Parquet keeps a column of a DuckDB result: durations as such, and 128-bit integers as decimals, which all readers know."""
    quoted = quote_identifier(name)
    if kind in ("HUGEINT", "UHUGEINT"):
        return Column(name, f"{quoted}::decimal(38, 0) as {quoted}")
    return Column.of(name, kind, pl.Duration("us") if kind == "INTERVAL" else None, polars=False)
