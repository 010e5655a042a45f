"""Data files of an Iceberg table: how rows become some, and what a snapshot says of each."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, closing, nullcontext, suppress
from dataclasses import dataclass, field
from typing import IO, TYPE_CHECKING, Any, Literal, cast
from uuid import uuid4

import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq

from io_managers.frames import Stream, is_lazy, is_polars
from io_managers.iceberg.types import (
    Numbering,
    arrow_schema,
    check_columns_kept,
    in_frames,
    in_store,
    stored_types,
)
from warehouse_assets.errors import UnsupportedTypeError
from warehouse_assets.keys import AssetKey

if TYPE_CHECKING:
    from pyiceberg.io import FileIO
    from pyiceberg.manifest import DataFile
    from pyiceberg.schema import Schema

__all__ = ["DataFiles", "WrittenFile", "scan_places"]

ROW_GROUP_ROWS = 1_048_576  # of a stream, which is gathered to this size; polars has its own
COMPRESSION: Literal["zstd"] = "zstd"

_WIDER = pl.ScanCastOptions(  # files may be older than a change of a type, and of writers with types of their own
    integer_cast="upcast", float_cast="upcast", datetime_cast=["nanosecond-downcast", "convert-timezone"]
)

_OPTIONS = {  # of Iceberg, and what the object stores of polars call the same
    "s3.endpoint": "aws_endpoint_url",
    "s3.access-key-id": "aws_access_key_id",
    "s3.secret-access-key": "aws_secret_access_key",
    "s3.session-token": "aws_session_token",
    "s3.region": "aws_region",
    "adls.account-name": "azure_storage_account_name",
    "adls.account-key": "azure_storage_account_key",
    "adls.sas-token": "azure_storage_sas_key",
    "adls.tenant-id": "azure_storage_tenant_id",
    "adls.client-id": "azure_storage_client_id",
    "adls.client-secret": "azure_storage_client_secret",
    "gcs.oauth2.token": "bearer_token",
}


@dataclass(frozen=True, slots=True)
class WrittenFile:
    """A file with rows of these types, under the numbers of `schema`, and what its footer says."""

    place: str
    size: int
    footer: pq.FileMetaData = field(repr=False)
    types: pl.Schema
    schema: Schema

    @property
    def rows(self) -> int:
        """How many there are."""
        return int(self.footer.num_rows)

    def fits(self, schema: Schema) -> bool:
        """Whether its columns are those of a table, or some of them, so that it can be a part of it."""
        known = {column.field_id: column for column in schema.fields}
        return all(
            (other := known.get(column.field_id)) is not None
            and (other.name, other.field_type) == (column.name, column.field_type)
            for column in self.schema.fields
        )

    def entry(self, properties: Mapping[str, str], spec_id: int) -> DataFile:
        """What a snapshot says of it, with the smallest and the largest values of its columns, by which readers skip files."""
        from pyiceberg.io.pyarrow import (
            compute_statistics_plan,
            data_file_statistics_from_parquet_metadata,
            parquet_path_to_id_mapping,
        )
        from pyiceberg.manifest import DataFile, DataFileContent, FileFormat
        from pyiceberg.typedef import Record

        statistics = data_file_statistics_from_parquet_metadata(
            parquet_metadata=self.footer,
            stats_columns=compute_statistics_plan(self.schema, dict(properties)),
            parquet_column_mapping=parquet_path_to_id_mapping(self.schema),
        )
        entry = DataFile.from_args(
            content=DataFileContent.DATA,
            file_path=self.place,
            file_format=FileFormat.PARQUET,
            partition=Record(),
            file_size_in_bytes=self.size,
            sort_order_id=None,
            equality_ids=None,
            key_metadata=None,
            **statistics.to_serialized_dict(),
        )
        entry.spec_id = spec_id
        return entry


class DataFiles:
    """The data files that are written into the folder of a table, at `uri`; no reader knows of one before a snapshot names it."""

    def __init__(self, uri: str, io: FileIO, numbering: Numbering, key: AssetKey) -> None:
        self.uri = uri
        self.key = key
        self.numbering = numbering
        self._io = io
        self._written: list[str] = []

    @property
    def options(self) -> dict[str, str]:
        """What polars has to know to read the files."""
        return polars_options(self._io.properties)

    def write(self, obj: Any) -> WrittenFile:
        """The rows of a frame, in one pass, in a file of their own."""
        is_frame = is_polars(obj, "DataFrame") or is_lazy(obj)
        stream = None if is_frame else Stream.of(obj, self.key)
        types = obj.collect_schema() if stream is None else _polars_types(stream.schema, self.key)
        check_columns_kept(types, self.key)
        schema = self.numbering.schema(types)
        place = f"{self.uri}/data/{uuid4()}.parquet"
        self._written.append(place)
        columns = in_store(types, self.key)
        with self._target(place) as target:
            if stream is None:
                obj.lazy().select(columns).sink_parquet(target, compression=COMPRESSION, arrow_schema=arrow_schema(schema))
            else:
                _write_stream(_as_stored(stream, columns, arrow_schema(schema)), target)
        return self._described(place, types, schema)

    def scan(self, file: WrittenFile) -> pl.LazyFrame:
        """The rows of a file, with the types that they have in frames."""
        return scan_places([file.place], stored_types(file.types), self.options).select(in_frames(file.types))

    def discard(self, published: Iterable[WrittenFile] = ()) -> None:
        """Remove the files that were written, but for those that are `published`."""
        kept = {file.place for file in published}
        for place in self._written:
            if place not in kept:
                with suppress(FileNotFoundError):
                    os.remove(local) if (local := local_path(place)) else self._io.delete(place)
        self._written.clear()

    def _target(self, place: str) -> AbstractContextManager[Any]:
        if local := local_path(place):
            os.makedirs(os.path.dirname(local), exist_ok=True)
            return nullcontext(local)
        return closing(self._io.new_output(place).create(overwrite=True))

    def _described(self, place: str, types: pl.Schema, schema: Schema) -> WrittenFile:
        if local := local_path(place):
            _flush(local)
            return WrittenFile(place, os.stat(local).st_size, pq.read_metadata(local), types, schema)
        source = self._io.new_input(place)
        with source.open() as file:
            return WrittenFile(place, len(source), pq.read_metadata(cast(IO[Any], file)), types, schema)


def local_path(place: str) -> str | None:
    """The path of a local file; None for one elsewhere."""
    return place.removeprefix("file://") if place.startswith(("/", "file://")) or "://" not in place else None


def polars_options(properties: Mapping[str, Any]) -> dict[str, str]:
    """What polars has to know to get at files, from what Iceberg has."""
    found = {theirs: str(properties[name]) for name, theirs in _OPTIONS.items() if name in properties}
    if found.get("aws_endpoint_url", "").startswith("http://"):
        found["aws_allow_http"] = "true"
    return found


def scan_places(
    places: Sequence[str], stored: pl.Schema, options: Mapping[str, str], path_column: str | None = None
) -> pl.LazyFrame:
    """Data files as a LazyFrame of the stored types, with a column that tells in which of them a row is, if asked for."""
    if not places:
        return pl.LazyFrame(schema={**stored, **({path_column: pl.String()} if path_column else {})})
    return pl.scan_parquet(
        [local_path(place) or place for place in places],
        schema=stored,
        missing_columns="insert",
        extra_columns="ignore",
        glob=False,
        hive_partitioning=False,
        include_file_paths=path_column,
        cast_options=_WIDER,
        storage_options=dict(options) or None,
    )


def _polars_types(schema: pa.Schema, key: AssetKey) -> pl.Schema:
    try:
        return pl.DataFrame(schema.empty_table()).schema
    except (pl.exceptions.PolarsError, NotImplementedError, pl.exceptions.PanicException) as error:
        raise UnsupportedTypeError(
            f"asset {key.to_user_string()!r} returned a frame with a type that Iceberg cannot keep: {error}"
        ) from None


def _as_stored(stream: Stream, columns: Sequence[pl.Expr], schema: pa.Schema) -> Stream:
    def batches() -> Iterator[pa.RecordBatch]:
        for batch in stream:
            frame = pl.DataFrame(batch).select(columns)
            yield from frame.to_arrow(compat_level=pl.CompatLevel.oldest()).cast(schema).to_batches()

    return Stream(schema, batches())


def _write_stream(stream: Stream, target: Any) -> None:
    """Write a stream, gathered to row groups of a good size."""
    with pq.ParquetWriter(target, stream.schema, compression=COMPRESSION, store_schema=False) as writer:
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


def _flush(path: str) -> None:
    descriptor = os.open(path, os.O_RDWR)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
