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
from io_managers.frames import FrameType, Stream, is_lazy, is_polars, requested, table_schema
from io_managers.parquet_slices import SUFFIX, PartitionFiles, PartitionWrite, as_frame
from io_managers.slices import polars_condition
from io_managers.table import StagedWrite, TableIOManager, check_columns, missing_table
from warehouse_assets.errors import TableError
from warehouse_assets.io_manager import InputContext, OutputContext
from warehouse_assets.keys import AssetKey
from warehouse_assets.sql import SQL
from warehouse_assets.tables import Table, TableSlice, TableStats, quote_identifier

__all__ = ["ParquetIOManager"]

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

    A partitioned one is a folder of that name, with a file for each partition: `table.parquet/partition=2024-01-01/data.parquet`,
    or with a folder for each dimension. Several partitions written at once take their places one after another.
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

    @contextmanager
    def staging(
        self, context: OutputContext, table: TableSlice, obj: Any, *, inspected: bool = False
    ) -> Generator[StagedParquet]:
        """Write the file of the table, or those of the partitions, which take their places one by one as the block ends."""
        path = self._path(context.asset_key)
        slices = PartitionFiles(self._files, path)
        if table.partitions is not None:
            write = PartitionWrite(slices, context, table, self.policy_for(context))
            with write.replacing(lambda target: self._write(context, obj, target)) as target:
                staged = StagedParquet(target)
                rows = pq.read_metadata(target).num_rows
                yield staged
            staged.stats = write.stats(rows)
            return
        if slices.all():
            raise TableError(
                f"the table of asset {context.asset_key.to_user_string()!r} has partitions, and is to be one file",
                hint=f"Move {self._files.uri(path)} away, then make the table.",
            )
        replacing = self._files.replacing_readably if inspected else self._files.replacing
        with replacing(path, durable=True) as place:
            self._write(context, obj, place)
            staged = StagedParquet(str(place))
            yield staged
        staged.stats = self._measured(path)

    def _write(self, context: OutputContext, obj: Any, target: str | BinaryIO) -> None:
        if isinstance(obj, SQL):
            self._write_sql(context, obj, target)
        elif is_polars(obj, "DataFrame"):
            obj.write_parquet(target, compression=self.compression)
        elif is_lazy(obj):
            obj.sink_parquet(target, compression=self.compression)
        else:
            self._write_stream(Stream.of(obj, context.asset_key), target)

    def _write_sql(self, context: OutputContext, sql: SQL, target: str | BinaryIO) -> None:
        """Write the answer of an embedded DuckDB, which reads the Parquet files of other assets in place."""
        with (
            closing(in_memory()) as connection,
            engine.bound(sql, context.sources, connection, asset_key=context.asset_key) as (text, parameters),
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
        path = self._path(context.asset_key)
        if context.partitions_def is not None or not self._files.exists(path):
            return engine.registered(connection, self._sliced(context, self.slice_to_read(context)))
        if not self._files.is_local:
            try:
                connection.register_filesystem(self._files.fs)
            except duckdb.InvalidInputException:
                return engine.registered(connection, self._scan(path))
        return parquet_scan(self._files.uri(path))

    def drop(self, context: OutputContext) -> bool:
        """Remove the file; whether there was one."""
        return self._files.remove(self._path(context.asset_key))

    def read(self, context: InputContext, table: TableSlice, kind: FrameType) -> Any:
        path = self._path(context.asset_key)
        columns = None if table.columns is None else list(table.columns)
        if context.partitions_def is not None or not self._files.exists(path):
            lazy = self._sliced(context, table)
            check_columns(context, columns, lazy.collect_schema().names())
            lazy = lazy if columns is None else lazy.select(columns)
            return self._steadily(lambda: as_frame(lazy, kind, context.asset_key))
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

    def _sliced(self, context: InputContext, table: TableSlice) -> pl.LazyFrame:
        """The rows of the partitions that are asked for, or of all; none of those that were never written."""
        slices = PartitionFiles(self._files, path := self._path(context.asset_key))
        if paths := slices.all():
            if table.partitions is None:
                return slices.scan(paths)
            places = [slices.place(context.partitions_def, key) for key in context.partition_keys]
            wanted = [place for place in places if place in set(paths)]
            return slices.scan(wanted) if wanted else slices.scan(paths).head(0)
        if self._files.exists(path):
            whole = self._scan(path)
            return whole.filter(polars_condition(table.partitions or (), whole.collect_schema()))
        if table.partitions == ():
            return pl.LazyFrame()
        raise missing_table(context, str(self.table_name(context.asset_key)), self._files.uri(path))

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


class StagedParquet(StagedWrite):
    """A local file that is complete, and is not at its place yet."""

    def __init__(self, path: str) -> None:
        self._path = path

    def load_input(self, context: InputContext) -> Any:
        kind = requested(context.type_hint, context.asset_key)
        if kind is FrameType.HANDLE:
            return Table(context.asset_key)
        lazy = pl.scan_parquet(self._path, glob=False, hive_partitioning=False)
        check_columns(context, context.columns, lazy.collect_schema().names())
        return as_frame(lazy if context.columns is None else lazy.select(context.columns), kind, context.asset_key)

    def duckdb_scan(self, connection: Any, context: InputContext) -> str:
        """A `read_parquet` of the file."""
        return parquet_scan(self._path)


def parquet_scan(place: str) -> str:
    """The SQL with which DuckDB reads a Parquet file."""
    quoted = place.replace("'", "''")
    return f"read_parquet('{quoted}', hive_partitioning = false)"


def _kept(name: str, kind: str) -> Column:
    """How Parquet keeps a column of a DuckDB result: durations as such, and 128-bit integers as decimals, which all readers know."""
    quoted = quote_identifier(name)
    if kind in ("HUGEINT", "UHUGEINT"):
        return Column(name, f"{quoted}::decimal(38, 0) as {quoted}")
    return Column.of(name, kind, pl.Duration("us") if kind == "INTERVAL" else None, polars=False)
