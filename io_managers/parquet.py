"""`ParquetIOManager`: tables as Parquet files, in any file system that fsspec knows."""

from __future__ import annotations

import re
from collections.abc import Callable, Generator, Mapping, Sequence
from contextlib import AbstractContextManager, closing, contextmanager, nullcontext
from functools import cached_property
from typing import Any, BinaryIO, Literal, Self, TypeVar

import duckdb
import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
from pydantic import Field

from io_managers import engine
from io_managers.database import in_memory
from io_managers.duckdb_types import Column, restored
from io_managers.files import Files
from io_managers.frames import FrameType, Stream, is_lazy, is_polars, table_schema
from io_managers.table import TableIOManager, check_columns, missing_table
from warehouse_assets.io_manager import InputContext, OutputContext
from warehouse_assets.keys import AssetKey
from warehouse_assets.tables import TableSlice, TableStats, quote_identifier

__all__ = ["ParquetIOManager"]

SUFFIX = ".parquet"
ROW_GROUP_ROWS = 1_048_576  # of a stream, which is gathered to this size, the default of pyarrow; polars has its own
BATCH_ROWS = 131_072  # of a table that is read as a stream

# The types that DuckDB writes to Parquet as they are; others go through Arrow, which is slower and keeps them.
_COPIED = re.compile(
    r"U?(TINY|SMALL|BIG)INT|U?INTEGER|U?HUGEINT|FLOAT|DOUBLE|DECIMAL\(\d+,\d+\)|VARCHAR|BLOB|BOOLEAN|DATE|TIMESTAMP( WITH TIME ZONE)?"
)

REPLACED_TRIES = 10

T = TypeVar("T")
Compression = Literal["zstd", "snappy", "lz4", "gzip", "brotli", "uncompressed"]


class ParquetIOManager(TableIOManager):
    """Keeps each asset as one Parquet file, `base_path/schema/table.parquet`; `base_path` is a folder or a URL.

    `storage_options` go to the file system. SQL assets run on an embedded DuckDB.
    """

    base_path: str
    storage_options: Mapping[str, Any] = Field(default_factory=dict, repr=False)
    compression: Compression = "zstd"

    @classmethod
    def from_uri(cls, uri: str) -> Self:
        """The manager for files under the URL `uri`."""
        return cls(base_path=uri)

    @cached_property
    def _files(self) -> Files:
        return Files(self.base_path, self.storage_options)

    @property
    def store_id(self) -> str:
        return f"parquet:{self._files.uri(self._files.root)}"

    def place_of(self, key: AssetKey, metadata: Mapping[str, Any]) -> str:
        """The URI of the file."""
        return self._files.uri(self._path(key))

    def write(self, context: OutputContext, table: TableSlice, obj: Any) -> TableStats:
        path = self._path(context.asset_key)
        with self._files.replacing(path, durable=True) as target:
            if is_polars(obj, "DataFrame"):
                obj.write_parquet(target, compression=self.compression)
            elif is_lazy(obj):
                obj.sink_parquet(target, compression=self.compression)
            else:
                self._write_stream(Stream.of(obj, context.asset_key), target)
        return self._measured(path)

    def run_sql(self, context: OutputContext, sql: Any) -> TableStats:
        """Make the file from `sql`, on an embedded DuckDB that reads the Parquet files of other assets in place."""
        path = self._path(context.asset_key)
        with (
            closing(in_memory()) as connection,
            engine.bound(sql, context.sources, connection, asset_key=context.asset_key) as (text, parameters),
            self._files.replacing(path, durable=True) as target,
        ):
            relation = connection.sql(text, params=parameters)
            kinds = dict(zip(relation.columns, map(str, relation.types), strict=True))
            columns = [_kept(name, kind) for name, kind in kinds.items()]
            text = f"select {', '.join(column.sql for column in columns)} from ({text}\n)"
            if isinstance(target, str) and all(_COPIED.fullmatch(kind) for kind in kinds.values()):
                place = target.replace("'", "''")
                copy = f"copy ({text}) to '{place}' (format parquet, compression {self.compression})"
                connection.execute(copy, parameters)
            else:
                with connection.sql(text, params=parameters).to_arrow_reader(BATCH_ROWS) as reader:
                    self._write_stream(Stream.of(restored(reader, columns), context.asset_key), target)
        return self._measured(path)

    @contextmanager
    def query(self, sql: Any, sources: Mapping[AssetKey, Any]) -> Generator[Any]:
        """The answer to `sql` as a `pyarrow.RecordBatchReader`, open inside the block; nothing is written."""
        with (
            closing(in_memory()) as connection,
            engine.bound(sql, sources, connection) as (text, parameters),
            connection.sql(text, params=parameters).to_arrow_reader() as reader,
        ):
            yield reader

    def duckdb_scan(self, connection: Any, context: InputContext) -> str:
        """A `read_parquet` of the file; the connection gets its file system if it is not local.

        A connection takes one file system for each protocol. Where it has one, which may be of another account, polars scans.
        """
        path = self._existing(context)
        if not self._files.is_local:
            try:
                connection.register_filesystem(self._files.fs)
            except duckdb.InvalidInputException:
                name = engine.temporary_name()
                connection.register(name, self._scan(path))
                return name
        place = self._files.uri(path).replace("'", "''")
        return f"read_parquet('{place}', hive_partitioning = false)"

    def drop(self, context: OutputContext) -> bool:
        """Remove the file; whether there was one."""
        return self._files.remove(self._path(context.asset_key))

    def read(self, context: InputContext, table: TableSlice, kind: FrameType) -> Any:
        path = self._existing(context)
        columns = None if table.columns is None else list(table.columns)
        check_columns(context, columns, list(self._schema(path)) if columns else ())
        match kind:
            case FrameType.POLARS:
                return self._steadily(lambda: self._whole(path, columns))
            case FrameType.LAZY:
                return self._scan(path, columns)
            case FrameType.RELATION:
                connection = in_memory()
                names = "*" if columns is None else ", ".join(map(quote_identifier, columns))
                scan = self.duckdb_scan(connection, context)
                return engine.closing_with(connection.sql(f"select {names} from {scan}"), connection.close)
            case FrameType.READER:
                return self._reader(path, columns)
        arrow = self._steadily(lambda: self._reader(path, columns).read_all())
        return arrow if kind is FrameType.ARROW else arrow.to_pandas()

    def _path(self, key: AssetKey) -> str:
        return self._files.path(key, SUFFIX)

    def _existing(self, context: InputContext) -> str:
        path = self._path(context.asset_key)
        if not self._files.exists(path):
            raise missing_table(context, str(self.table_name(context.asset_key)), self._files.uri(path))
        return path

    def _source(self, path: str) -> AbstractContextManager[Any]:
        return nullcontext(path) if self._files.is_local else self._files.open(path)

    def _whole(self, path: str, columns: list[str] | None) -> pl.DataFrame:
        with self._source(path) as source:
            return pl.read_parquet(source, columns=columns, glob=False, hive_partitioning=False)

    def _schema(self, path: str) -> dict[str, pl.DataType]:
        return dict(self._scan(path).collect_schema())

    def _scan(self, path: str, columns: Sequence[str] | None = None) -> pl.LazyFrame:
        source = path if self._files.is_local else self._files.open(path)
        lazy = pl.scan_parquet(source, glob=False, hive_partitioning=False)
        return lazy if columns is None else lazy.select(columns)

    def _reader(self, path: str, columns: list[str] | None) -> pa.RecordBatchReader:
        source = path if self._files.is_local else self._files.open(path)
        try:
            file = pq.ParquetFile(source)
        except pa.ArrowNotImplementedError:  # 128-bit integers
            return Stream.of(self._scan(path, columns), AssetKey(path)).reader()
        schema = file.schema_arrow if columns is None else pa.schema([file.schema_arrow.field(name) for name in columns])
        batches = (batch.select(schema.names) for batch in file.iter_batches(BATCH_ROWS, columns=columns))
        return engine.owned_reader(pa.RecordBatchReader.from_batches(schema, batches), file.close)

    def _write_stream(self, stream: Stream, target: str | BinaryIO) -> None:
        """Write a stream, gathered to row groups of a good size."""
        if any("string_view" in str(field.type) and "dictionary" in str(field.type) for field in stream.schema):
            stream = stream.cast({})  # pyarrow writes categories in its own form only
        compression = "none" if self.compression == "uncompressed" else self.compression
        with pq.ParquetWriter(target, stream.schema, compression=compression) as writer:
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

    def _measured(self, path: str) -> TableStats:
        """What the footer of the published file says."""

        def measure() -> TableStats:
            scan = self._scan(path)
            rows, schema = scan.select(pl.len()).collect().item(), table_schema(scan.collect_schema())
            return TableStats(rows, self._files.size(path), schema, uri=self._files.uri(path))

        return self._steadily(measure)

    def _steadily(self, read: Callable[[], T]) -> T:
        """What `read` returns, tried again when the file was replaced meanwhile: object stores do not keep the old one."""
        for _ in range(REPLACED_TRIES):
            try:
                return read()
            except BaseException as error:  # polars panics when the file handle that it reads fails
                if self._files.is_local or "FileExpired" not in str(error):
                    raise
        return read()


def _kept(name: str, kind: str) -> Column:
    """How Parquet keeps a column of a DuckDB result: durations as such, and 128-bit integers as decimals, which all readers know."""
    quoted = quote_identifier(name)
    if kind in ("HUGEINT", "UHUGEINT"):
        return Column(name, f"{quoted}::decimal(38, 0) as {quoted}")
    return Column.of(name, kind, pl.Duration("us") if kind == "INTERVAL" else None, polars=False)
