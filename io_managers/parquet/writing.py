"""How a frame or SQL becomes a Parquet file."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Mapping, Sequence
from contextlib import closing, suppress
from functools import cache
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any, BinaryIO

from io_managers import engine
from io_managers.database import in_memory
from io_managers.deferred import Deferred
from io_managers.engine_types import Column, restored
from io_managers.frames import Stream, is_lazy, is_polars
from io_managers.parquet.files import BATCH_ROWS
from warehouse_assets.errors import SchemaChangedError, close_matches
from warehouse_assets.io_manager import OutputContext
from warehouse_assets.keys import AssetKey
from warehouse_assets.sql import SQL
from warehouse_assets.tables import quote_identifier

if TYPE_CHECKING:
    import polars as pl
    import pyarrow as pa
    import pyarrow.parquet as pq
else:
    pl = Deferred("polars")
    pa = Deferred("pyarrow")
    pq = Deferred("pyarrow.parquet")

__all__ = ["are_plain", "sink_sorted", "write_parquet"]

ROW_GROUP_ROWS = 1_048_576  # of a stream, which is gathered to this size, the default of pyarrow; polars has its own

# The types that DuckDB writes to Parquet as they are; others go through Arrow, which is slower and keeps them.
_COPIED = re.compile(
    r"U?(TINY|SMALL|BIG)INT|U?INTEGER|U?HUGEINT|FLOAT|DOUBLE|DECIMAL\(\d+,\d+\)|VARCHAR|BLOB|BOOLEAN|DATE|TIMESTAMP( WITH TIME ZONE)?"
)


def are_plain(dtypes: Iterable[pl.DataType]) -> bool:
    """Whether DuckDB reads columns of these types from a file, and writes them to one, as they are."""
    return all(dtype in _plain() for dtype in dtypes)


@cache
def _plain() -> Sequence[Any]:
    numbers = pl.Int8, pl.Int16, pl.Int32, pl.Int64, pl.UInt8, pl.UInt16, pl.UInt32, pl.UInt64, pl.Float32, pl.Float64
    return (*numbers, pl.String, pl.Binary, pl.Boolean, pl.Date, pl.Datetime("us"), pl.Datetime("us", "UTC"))


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


def sink_sorted(frame: pl.LazyFrame, target: str, columns: Sequence[str], key: AssetKey, compression: Any) -> None:
    """Write a LazyFrame to a local path in the order of these columns, if any; SchemaChangedError for one that it has not.

    Types that DuckDB writes as they are it sorts, which spills to the disk what does not fit in memory; polars sorts others.
    """
    schema = frame.collect_schema()
    for column in columns:
        if column not in schema:
            raise SchemaChangedError(
                f"asset {key.to_user_string()!r} is sorted by {column!r}, and its rows have no such column",
                hint=close_matches(column, schema.names()) or f"They have {', '.join(map(repr, schema))}.",
            )
    if not columns or not are_plain(schema.values()):
        frame = frame.sort(columns, maintain_order=True, nulls_last=True) if columns else frame
        frame.sink_parquet(target, compression=compression)
        return
    unsorted = f"{target}.unsorted"
    try:
        frame.sink_parquet(unsorted, compression="lz4")
        with closing(in_memory()) as connection, TemporaryDirectory(prefix="warehouse-assets-") as spilled:
            connection.execute("set temp_directory = $folder", {"folder": spilled})
            order = ", ".join(f"{quote_identifier(column)} nulls last" for column in columns)
            query = f"select * from read_parquet($source, hive_partitioning = false) order by {order}"
            place = target.replace("'", "''")
            connection.execute(f"copy ({query}) to '{place}' (format parquet, compression {compression})", {"source": unsorted})
    finally:
        with suppress(FileNotFoundError):
            os.remove(unsorted)


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
