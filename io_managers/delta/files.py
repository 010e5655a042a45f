"""Data files of a Delta table: how rows become some, and what a log entry says of each."""

from __future__ import annotations

import json
import math
import os
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, date, datetime
from functools import cached_property
from typing import TYPE_CHECKING, Any, Literal
from uuid import uuid4

import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq

from io_managers.delta.types import check_columns_kept, in_frames, in_store, stored_types
from io_managers.frames import Stream, is_lazy, is_polars
from warehouse_assets.errors import UnsupportedTypeError
from warehouse_assets.keys import AssetKey

if TYPE_CHECKING:
    from deltalake.transaction import AddAction

__all__ = ["DataFile", "DataFiles", "scan_places"]

LONGEST_STATISTIC = 256  # characters
COMPRESSION: Literal["zstd"] = "zstd"

_WIDER = pl.ScanCastOptions(  # files may be older than a change of a type, and of writers with types of their own
    integer_cast="upcast", float_cast="upcast", datetime_cast=["nanosecond-downcast", "convert-timezone"]
)


@dataclass(frozen=True, slots=True)
class DataFile:
    """A file with rows of these types, at a path that is relative to its table, and what its footer says."""

    path: str
    place: str
    size: int
    footer: pq.FileMetaData
    types: pl.Schema

    @property
    def rows(self) -> int:
        """How many there are."""
        return int(self.footer.num_rows)

    def action(self) -> AddAction:
        """What a log entry says of it, with the smallest and the largest values of its columns, by which readers skip files."""
        from deltalake.transaction import AddAction

        return AddAction(self.path, self.size, {}, int(time.time() * 1000), True, json.dumps(_statistics(self.footer)))


class DataFiles:
    """The data files that are written into the folder of a table, at `uri`; no reader knows of one before a log entry names it."""

    def __init__(self, uri: str, options: dict[str, str], key: AssetKey) -> None:
        self.uri = uri
        self.key = key
        self.is_local = "://" not in uri
        self._options = options
        self._written: list[str] = []

    @cached_property
    def _fs(self) -> Any:
        from deltalake.fs import DeltaStorageHandler
        from pyarrow.fs import PyFileSystem

        return PyFileSystem(DeltaStorageHandler(self.uri, self._options))

    def write(self, obj: Any) -> DataFile:
        """The rows of a frame, in one pass, in a file of their own."""
        is_frame = is_polars(obj, "DataFrame") or is_lazy(obj)
        stream = None if is_frame else Stream.of(obj, self.key)
        types = obj.collect_schema() if stream is None else _polars_schema(stream.schema, self.key)
        check_columns_kept(types, self.key)
        path = f"part-{uuid4()}.parquet"
        self._written.append(path)
        if self.is_local:
            os.makedirs(self.uri, exist_ok=True)
        place = f"{self.uri}/{path}"
        options = None if self.is_local else self._options
        rows = obj.lazy() if stream is None else _streamed(stream, types)
        try:
            rows.select(in_store(types, self.key)).sink_parquet(place, compression=COMPRESSION, storage_options=options)
        except Exception:
            if stream is not None and stream.error is not None:
                raise stream.error from None  # which polars tells as one of its own
            raise
        return self._described(path, types)

    def scan(self, file: DataFile) -> pl.LazyFrame:
        """The rows of a file, with the types that they have in frames."""
        return scan_places([file.place], stored_types(file.types), self._options).select(in_frames(file.types))

    def remove_all(self) -> None:
        """Remove the table, with all that is in its folder."""
        self._fs.delete_dir("")

    def discard(self, published: Iterable[DataFile] = ()) -> None:
        """Remove the files that were written, but for those that are `published`."""
        kept = {file.path for file in published}
        for path in self._written:
            if path not in kept:
                with suppress(FileNotFoundError):
                    os.remove(f"{self.uri}/{path}") if self.is_local else self._fs.delete_file(path)
        self._written.clear()

    def _described(self, path: str, types: pl.Schema) -> DataFile:
        place = f"{self.uri}/{path}"
        if self.is_local:
            _flush(place)
            return DataFile(path, place, os.stat(place).st_size, pq.read_metadata(place), types)
        with self._fs.open_input_file(path) as file:
            return DataFile(path, place, file.size(), pq.read_metadata(file), types)


def scan_places(
    places: Sequence[str], stored: pl.Schema, options: Mapping[str, str], path_column: str | None = None
) -> pl.LazyFrame:
    """Data files as a LazyFrame of the stored types, with a column that tells in which of them a row is, if asked for."""
    if not places:
        return pl.LazyFrame(schema={**stored, **({path_column: pl.String()} if path_column else {})})
    return pl.scan_parquet(
        list(places),
        schema=stored,
        missing_columns="insert",
        extra_columns="ignore",
        glob=False,
        hive_partitioning=False,
        include_file_paths=path_column,
        cast_options=_WIDER,
        storage_options=dict(options) or None,
    )


def _polars_schema(schema: pa.Schema, key: AssetKey) -> pl.Schema:
    try:
        return pl.DataFrame(schema.empty_table()).schema
    except (pl.exceptions.PolarsError, NotImplementedError, ValueError) as error:
        raise UnsupportedTypeError(
            f"asset {key.to_user_string()!r} returned a frame with a type that Delta cannot keep: {error}"
        ) from None


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


def _statistics(footer: pq.FileMetaData) -> dict[str, Any]:
    """What Delta keeps of a file: its rows, and of each column that is no list or struct the range of its values, and the NULLs."""
    said: dict[str, Any] = {"numRecords": footer.num_rows, "minValues": {}, "maxValues": {}, "nullCount": {}}
    groups = [footer.row_group(number) for number in range(footer.num_row_groups)]
    for index in range(footer.num_columns):
        column = footer.schema.column(index)
        if column.max_repetition_level or column.path != column.name:
            continue
        found: list[Any] = [group.column(index).statistics for group in groups]
        if not found or any(each is None or not each.has_null_count for each in found):
            continue
        said["nullCount"][column.name] = sum(each.null_count for each in found)
        valued = [each for each in found if each.num_values]
        if valued and all(each.has_min_max for each in valued):
            low, high = _said(min(each.min for each in valued)), _said(max(each.max for each in valued))
            if low is not None and high is not None:
                said["minValues"][column.name], said["maxValues"][column.name] = low, high
    return said


def _said(value: Any) -> Any:
    """A value as the statistics in a log say it; None where they cannot."""
    match value:
        case bool():
            return None
        case int():
            return value
        case float():
            return value if math.isfinite(value) else None
        case str():
            return value if len(value) <= LONGEST_STATISTIC else None
        case datetime():
            if value.year < 1000:
                return None
            text = (value.astimezone(UTC) if value.tzinfo else value).replace(tzinfo=None).isoformat(timespec="microseconds")
            return f"{text}Z" if value.tzinfo else text
        case date():
            return value.isoformat()
    return None
