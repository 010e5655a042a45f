"""Parquet files: one or several of them as one table, what their footers say, and how a frame becomes one."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any, TypeVar

from io_managers import engine
from io_managers.cloud import ReplacedError
from io_managers.database import in_memory
from io_managers.deferred import Deferred
from io_managers.files import Files, Stamp
from io_managers.frames import FrameType, Stream, from_reader
from io_managers.parquet.remote import RemoteParquet
from warehouse_assets.keys import AssetKey
from warehouse_assets.tables import quote_identifier

if TYPE_CHECKING:
    import polars as pl
    import pyarrow as pa
    import pyarrow.parquet as pq
else:
    pl = Deferred("polars")
    pa = Deferred("pyarrow")
    pq = Deferred("pyarrow.parquet")

__all__ = ["BATCH_ROWS", "Footer", "Footers", "ParquetFiles"]

BATCH_ROWS = 131_072  # of a table that is read as a stream
FOOTER_READERS = 16  # threads
REPLACED_TRIES = 10

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Footer:
    """What the end of a file says: how many rows there are, and of which columns."""

    rows: int
    schema: pl.Schema


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


@dataclass(frozen=True)
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

        if (source := self._local(self.paths[0])) is None:
            return self.steadily(lambda: Footer(*self._elsewhere.footer()))
        schema = self._scan([source]).collect_schema()
        try:
            return Footer(pq.read_metadata(source).num_rows, schema)
        except pa.ArrowNotImplementedError:  # 128-bit integers
            return Footer(self.scan().select(pl.len()).collect().item(), schema)

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

    @cached_property
    def _elsewhere(self) -> RemoteParquet:
        return RemoteParquet(self.files, [path for path in self.paths if path not in self.staged], self.schema)

    def scan(self, columns: list[str] | None = None, *, at_once: bool = False) -> pl.LazyFrame:
        """The table as a LazyFrame; files that are staged, or elsewhere, are open from now on."""
        stored = [path for path in self.paths if path not in self.staged]
        with ExitStack() as closing:  # polars keeps a descriptor of its own, whatever becomes of the path
            staged = [closing.enter_context(open(self.staged[path], "rb")) for path in self.paths if path in self.staged]
            here: list[list[Any]] = [[*stored] if self.files.is_local else [], staged]
            scans = [self._scan(group) for group in here if group]
        if stored and not self.files.is_local:
            scans.insert(0, self._elsewhere.scan(at_once=at_once))
        lazy = pl.concat(scans) if len(scans) > 1 else scans[0] if scans else pl.LazyFrame(schema=self.schema)
        return lazy if columns is None else lazy.select(columns)

    def duckdb_scan(self, connection: Any) -> str:
        """A SQL expression that reads the table; polars scans files that are elsewhere, or not alike, by the columns it is asked for."""
        if self.paths and self.alike and self.files.is_local:
            places = (self.staged.get(path) or self.files.uri(path) for path in self.paths)
            quoted = ", ".join("'" + place.replace("'", "''") + "'" for place in places)
            return f"read_parquet([{quoted}], hive_partitioning = false)"
        name = engine.temporary_name()
        connection.register(name, self.scan())
        return name

    def _scan(self, sources: list[Any]) -> pl.LazyFrame:
        if self.schema is None:
            return pl.scan_parquet(sources, glob=False, hive_partitioning=False)
        return pl.scan_parquet(sources, glob=False, hive_partitioning=False, schema=self.schema, missing_columns="insert")

    def _whole(self, columns: list[str] | None) -> pl.DataFrame:
        source = None if self.schema is not None else self._local(self.paths[0])
        if source is None:
            return self.scan(columns, at_once=True).collect()
        return pl.read_parquet(source, columns=columns, glob=False, hive_partitioning=False)

    def _local(self, path: str) -> str | None:
        return self.staged.get(path) or (path if self.files.is_local else None)

    def _reader(self, columns: list[str] | None) -> pa.RecordBatchReader:
        source = None if self.schema is not None else self._local(self.paths[0])
        if source is None:
            return Stream.of(self.scan(columns), AssetKey("files")).reader()
        try:
            file = pq.ParquetFile(source)
        except pa.ArrowNotImplementedError:  # 128-bit integers
            return Stream.of(self.scan(columns), AssetKey("file")).reader()
        names = file.schema_arrow.names if columns is None else columns
        schema = pa.schema([file.schema_arrow.field(name) for name in names])
        batches = (batch.select(names) for batch in file.iter_batches(BATCH_ROWS, columns=columns))
        return engine.owned_reader(pa.RecordBatchReader.from_batches(schema, batches), file.close)

    def steadily(self, read: Callable[[], T]) -> T:
        """What `read` returns, tried again where a file was replaced meanwhile: object stores do not keep the old one."""
        for _ in range(REPLACED_TRIES):
            try:
                return read()
            except ReplacedError:
                vars(self).pop("_elsewhere", None)
        return read()
