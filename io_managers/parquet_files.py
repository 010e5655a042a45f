"""Parquet files: one or several of them as one table, what their footers say, and how a frame becomes one."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, ExitStack, nullcontext
from dataclasses import dataclass, field
from typing import Any, TypeVar

import duckdb
import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq

from io_managers import engine
from io_managers.database import in_memory
from io_managers.files import Files, Stamp
from io_managers.frames import FrameType, Stream, from_reader
from warehouse_assets.keys import AssetKey
from warehouse_assets.tables import quote_identifier

__all__ = ["BATCH_ROWS", "Footer", "Footers", "ParquetFiles", "joint_schema"]

BATCH_ROWS = 131_072  # of a table that is read as a stream
FOOTER_READERS = 16  # threads
REPLACED_TRIES = 10

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Footer:
    """What the end of a file says: how many rows there are, and of which columns."""

    rows: int
    schema: pl.Schema


def joint_schema(schemas: Iterable[pl.Schema]) -> pl.Schema:
    """The columns of all, in the order in which they come; a column without values takes the type that others have."""
    joint: dict[str, pl.DataType] = {}
    for schema in schemas:
        for name, dtype in schema.items():
            if joint.setdefault(name, dtype) == pl.Null:
                joint[name] = dtype
    return pl.Schema(joint)


class Footers:
    """The footers of many files, each of which is read once as long as the file stays the same."""

    def __init__(self, files: Files) -> None:
        self._files = files
        self._known: dict[str, tuple[Stamp, Footer]] = {}

    def of(self, found: Mapping[str, Stamp], staged: Mapping[str, str]) -> dict[str, Footer]:
        """The footers of these files, without those that were removed meanwhile; `staged` are in the place of stored ones."""
        if staged:
            own = {path: ParquetFiles(self._files, [path], staged=staged).footer() for path in found if path in staged}
            stored = self.of({path: stamp for path, stamp in found.items() if path not in staged}, {})
            return dict(sorted({**stored, **own}.items()))
        new = [path for path, stamp in found.items() if self._known.get(path, (None,))[0] != stamp]
        if new:
            with ThreadPoolExecutor(min(FOOTER_READERS, len(new))) as threads:
                for path, footer in zip(new, threads.map(self._read, new), strict=True):
                    if footer is None:
                        self._known.pop(path, None)
                    else:
                        self._known[path] = (found[path], footer)
        return {path: known[1] for path in found if (known := self._known.get(path))}

    def _read(self, path: str) -> Footer | None:
        try:
            return ParquetFiles(self._files, [path]).footer()
        except FileNotFoundError:
            return None


@dataclass(frozen=True, slots=True)
class ParquetFiles:
    """Some files as one table.

    `schema` are its columns, which need not be those of each file unless they are `alike`; None: those of the one file. `staged`
    are local files to read in the place of others.
    """

    files: Files
    paths: Sequence[str]
    schema: pl.Schema | None = None
    alike: bool = True
    staged: Mapping[str, str] = field(default_factory=dict)

    def columns(self) -> pl.Schema:
        """The names and types of the columns."""
        return self.scan().collect_schema() if self.schema is None else self.schema

    def footer(self) -> Footer:
        """The footer of the one file."""

        def read() -> Footer:
            with self._source(self.paths[0]) as source:
                schema = self._scan([source]).collect_schema()
                if not isinstance(source, str):
                    source.seek(0)
                try:
                    return Footer(pq.read_metadata(source).num_rows, schema)
                except pa.ArrowNotImplementedError:  # 128-bit integers
                    return Footer(self.scan().select(pl.len()).collect().item(), schema)

        return self.steadily(read)

    def read(self, kind: FrameType, columns: list[str] | None) -> Any:
        """The table, of these columns, as a frame of this kind."""
        match kind:
            case FrameType.POLARS:
                return self.steadily(lambda: self._whole(columns))
            case FrameType.LAZY:
                return self.scan(columns)
            case FrameType.RELATION if not self.staged:
                connection = in_memory()
                names = "*" if columns is None else ", ".join(map(quote_identifier, columns))
                relation = connection.sql(f"select {names} from {self.duckdb_scan(connection)}")
                return engine.closing_with(relation, connection.close)
            case FrameType.READER:
                return self._reader(columns)
        return self.steadily(lambda: from_reader(self._reader(columns), kind))

    def scan(self, columns: list[str] | None = None) -> pl.LazyFrame:
        """The table as a LazyFrame; files that are staged, or elsewhere, are open from now on."""
        stored = [path for path in self.paths if path not in self.staged]
        with ExitStack() as closing:  # polars keeps a descriptor of its own, whatever becomes of the path
            groups: list[list[Any]] = [
                list(stored) if self.files.is_local else [self.files.open(path) for path in stored],
                [closing.enter_context(open(self.staged[path], "rb")) for path in self.paths if path in self.staged],
            ]
            scans = [self._scan(group) for group in groups if group]
        lazy = pl.concat(scans) if len(scans) > 1 else scans[0] if scans else pl.LazyFrame(schema=self.schema)
        return lazy if columns is None else lazy.select(columns)

    def duckdb_scan(self, connection: Any) -> str:
        """A SQL expression that reads the table; the connection gets the file system if it is not local.

        A connection takes one file system for each protocol. Where it has one, which may be of another account, polars scans, as
        it does files that are not alike.
        """
        if self.paths and self.alike and (self.files.is_local or self._lends_file_system(connection)):
            places = (self.staged.get(path) or self.files.uri(path) for path in self.paths)
            quoted = ", ".join("'" + place.replace("'", "''") + "'" for place in places)
            return f"read_parquet([{quoted}], hive_partitioning = false)"
        name = engine.temporary_name()
        connection.register(name, self.scan())
        return name

    def _lends_file_system(self, connection: Any) -> bool:
        try:
            connection.register_filesystem(self.files.fs)
        except duckdb.InvalidInputException:
            return False
        return True

    def _scan(self, sources: list[Any]) -> pl.LazyFrame:
        if self.schema is None:
            return pl.scan_parquet(sources, glob=False, hive_partitioning=False)
        return pl.scan_parquet(sources, glob=False, hive_partitioning=False, schema=self.schema, missing_columns="insert")

    def _whole(self, columns: list[str] | None) -> pl.DataFrame:
        if self.schema is not None:
            return self.scan(columns).collect()
        with self._source(self.paths[0]) as source:
            return pl.read_parquet(source, columns=columns, glob=False, hive_partitioning=False)

    def _source(self, path: str) -> AbstractContextManager[Any]:
        local = self._local(path)
        return self.files.open(path) if local is None else nullcontext(local)

    def _local(self, path: str) -> str | None:
        return self.staged.get(path) or (path if self.files.is_local else None)

    def _reader(self, columns: list[str] | None) -> pa.RecordBatchReader:
        if self.schema is not None:
            return Stream.of(self.scan(columns), AssetKey("partitions")).reader()
        path = self.paths[0]
        try:
            file = pq.ParquetFile(self._local(path) or self.files.open(path))
        except pa.ArrowNotImplementedError:  # 128-bit integers
            return Stream.of(self.scan(columns), AssetKey("file")).reader()
        names = file.schema_arrow.names if columns is None else columns
        schema = pa.schema([file.schema_arrow.field(name) for name in names])
        batches = (batch.select(names) for batch in file.iter_batches(BATCH_ROWS, columns=columns))
        return engine.owned_reader(pa.RecordBatchReader.from_batches(schema, batches), file.close)

    def steadily(self, read: Callable[[], T]) -> T:
        """What `read` returns, tried again when a file was replaced meanwhile: object stores do not keep the old one."""
        for _ in range(REPLACED_TRIES):
            try:
                return read()
            except BaseException as error:  # polars panics when the file handle that it reads fails
                if self.files.is_local or "FileExpired" not in str(error):
                    raise
        return read()
