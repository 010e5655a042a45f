"""Data files of a table: how rows become one, and how several are scanned."""

from __future__ import annotations

import os
from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator, Mapping
from contextlib import AbstractContextManager, suppress
from dataclasses import dataclass, field
from typing import IO, Any, Literal

import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq

from io_managers.frames import Stream, is_lazy, is_polars
from io_managers.lakehouse.types import StoredTypes
from warehouse_assets.errors import UnsupportedTypeError
from warehouse_assets.keys import AssetKey

__all__ = ["COMPRESSION", "DataFile", "DataFiles", "local_path", "scan_places"]

COMPRESSION: Literal["zstd"] = "zstd"

_WIDER = pl.ScanCastOptions(  # files may be older than a change of a type, and of writers with types of their own
    integer_cast="upcast", float_cast="upcast", datetime_cast=["nanosecond-downcast", "convert-timezone"]
)


def local_path(place: str) -> str | None:
    """The path of a local file; None for one elsewhere.

    >>> local_path("file:///lake/a"), local_path("s3://lake/a")
    ('/lake/a', None)
    """
    return place.removeprefix("file://") if place.startswith(("/", "file://")) or "://" not in place else None


@dataclass(frozen=True)
class DataFile:
    """A file with rows of these types, and what its footer says."""

    place: str
    size: int
    footer: pq.FileMetaData = field(repr=False)
    types: pl.Schema

    @property
    def rows(self) -> int:
        """How many there are."""
        return int(self.footer.num_rows)


class DataFiles(ABC):
    """The data files that a write makes for the table at `uri`; no reader knows of one before a commit names it.

    `options` are what polars has to know to get at them.
    """

    def __init__(self, uri: str, stored: StoredTypes, options: Mapping[str, str], key: AssetKey) -> None:
        self.uri = uri
        self.options = options
        self._stored = stored
        self._key = key
        self._written: list[str] = []

    @abstractmethod
    def new_place(self) -> str:
        """A path or a URL for one more file."""

    @abstractmethod
    def sink(self, rows: pl.LazyFrame, types: pl.Schema, place: str, base: Any) -> DataFile:
        """Write rows of frames of these `types`, as they are stored, for the table as `base` has it."""

    @abstractmethod
    def fits(self, file: DataFile, types: pl.Schema, base: Any) -> bool:
        """Whether a file can be a part of the table that gets columns of these types, as it is."""

    @abstractmethod
    def opened(self, place: str) -> AbstractContextManager[IO[bytes] | pa.NativeFile]:
        """A file that is not a local one, to be read."""

    @abstractmethod
    def remove(self, place: str) -> None:
        """Remove a file that is not a local one."""

    def write(self, obj: Any, base: Any) -> DataFile:
        """The rows of a frame, in one pass, in a file of their own, which fits the table as the snapshot `base` has it."""
        is_frame = is_polars(obj, "DataFrame") or is_lazy(obj)
        stream = None if is_frame else Stream.of(obj, self._key)
        types = obj.collect_schema() if stream is None else self._polars_types(stream.schema)
        self._stored.check(types, self._key)
        place = self.new_place()
        self._written.append(place)
        if local := local_path(place):
            os.makedirs(os.path.dirname(local), exist_ok=True)
        rows = obj.lazy() if stream is None else _streamed(stream, types)
        try:
            return self.sink(rows.select(self._stored.into_store(types, self._key)), types, place, base)
        except Exception:
            if stream is not None and stream.error is not None:
                raise stream.error from None  # which polars tells as one of its own
            raise

    def scan(self, file: DataFile) -> pl.LazyFrame:
        """The rows of a file, with the types that they have in frames."""
        rows = scan_places([file.place], self._stored.stored(file.types), self.options)
        return rows.select(self._stored.into_frames(file.types))

    def discard(self, published: Iterable[DataFile] = ()) -> None:
        """Remove the files that were written, but for those that are `published`."""
        kept = {file.place for file in published}
        for place in self._written:
            if place not in kept:
                with suppress(FileNotFoundError):
                    os.remove(local) if (local := local_path(place)) else self.remove(place)
        self._written.clear()

    def measured(self, place: str) -> tuple[int, pq.FileMetaData]:
        """The size of a file that is written, and its footer; a local one is on the disk then."""
        if local := local_path(place):
            _flush(local)
            return os.stat(local).st_size, pq.read_metadata(local)
        with self.opened(place) as file:
            return file.seek(0, os.SEEK_END), pq.read_metadata(file)

    def _polars_types(self, schema: pa.Schema) -> pl.Schema:
        try:
            return pl.DataFrame(schema.empty_table()).schema
        except (pl.exceptions.PolarsError, pl.exceptions.PanicException, NotImplementedError, ValueError) as error:
            raise UnsupportedTypeError(
                f"asset {self._key.to_user_string()!r} returned a frame with a type that {self._stored.store} cannot keep: {error}"
            ) from None


def scan_places(
    places: Iterable[str], stored: pl.Schema, options: Mapping[str, str], path_column: str | None = None
) -> pl.LazyFrame:
    """Data files as a LazyFrame of the stored types, with a column that tells in which of them a row is, if asked for."""
    found = [local_path(place) or place for place in places]
    if not found:
        return pl.LazyFrame(schema={**stored, **({path_column: pl.String()} if path_column else {})})
    return pl.scan_parquet(
        found,
        schema=stored,
        missing_columns="insert",
        extra_columns="ignore",
        glob=False,
        hive_partitioning=False,
        include_file_paths=path_column,
        cast_options=_WIDER,
        storage_options=dict(options) or None,
    )


def _flush(path: str) -> None:
    descriptor = os.open(path, os.O_RDWR)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _streamed(stream: Stream, types: pl.Schema) -> pl.LazyFrame:
    """A stream as a LazyFrame that can be read once, with as many threads as there are to write it."""
    from polars.io.plugins import register_io_source

    def rows(
        columns: list[str] | None, predicate: pl.Expr | None, limit: int | None, size: int | None
    ) -> Iterator[pl.DataFrame]:
        for batch in stream:
            frame = pl.DataFrame(batch)
            yield frame if columns is None else frame.select(columns)

    return register_io_source(rows, schema=types)
