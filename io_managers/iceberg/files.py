"""Data files of an Iceberg table, and what a snapshot says of each."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import AbstractContextManager, closing, nullcontext
from dataclasses import dataclass
from typing import IO, TYPE_CHECKING, Any, cast
from uuid import uuid4

import polars as pl

from io_managers.iceberg.types import ICEBERG, Numbering, arrow_schema
from io_managers.lakehouse.files import COMPRESSION, DataFile, DataFiles, local_path
from warehouse_assets.keys import AssetKey

if TYPE_CHECKING:
    from pyiceberg import manifest
    from pyiceberg.io import FileIO
    from pyiceberg.schema import Schema

__all__ = ["IcebergFile", "IcebergFiles", "polars_options"]

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


@dataclass(frozen=True)
class IcebergFile(DataFile):
    """A file whose columns have the numbers of `schema`."""

    schema: Schema

    def fits(self, schema: Schema) -> bool:
        """Whether its columns are those of a table, or some of them, so that it can be a part of it."""
        known = {column.field_id: column for column in schema.fields}
        return all(
            (other := known.get(column.field_id)) is not None
            and (other.name, other.field_type) == (column.name, column.field_type)
            for column in self.schema.fields
        )

    def entry(self, properties: Mapping[str, str], spec_id: int) -> manifest.DataFile:
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


class IcebergFiles(DataFiles):
    """The data files that are written for the table at `uri`."""

    def __init__(self, uri: str, io: FileIO, key: AssetKey) -> None:
        super().__init__(uri, ICEBERG, polars_options(io.properties), key)
        self._io = io

    def new_place(self) -> str:
        return f"{self.uri}/data/{uuid4()}.parquet"

    def sink(self, rows: pl.LazyFrame, types: pl.Schema, place: str, base: Any) -> IcebergFile:
        schema = _numbering(base).schema(types)
        local = local_path(place)
        with nullcontext(local) if local else closing(self._io.new_output(place).create(overwrite=True)) as target:
            rows.sink_parquet(cast(Any, target), compression=COMPRESSION, arrow_schema=arrow_schema(schema))
        return IcebergFile(place, *self.measured(place), types, schema)

    def fits(self, file: DataFile, types: pl.Schema, base: Any) -> bool:
        assert isinstance(file, IcebergFile)
        return file.fits(_numbering(base).schema(types))

    def opened(self, place: str) -> AbstractContextManager[IO[bytes]]:
        return cast(AbstractContextManager[IO[bytes]], self._io.new_input(place).open())

    def remove(self, place: str) -> None:
        self._io.delete(place)


def _numbering(base: Any) -> Numbering:
    return Numbering() if base is None else base.numbering


def polars_options(properties: Mapping[str, Any]) -> dict[str, str]:
    """What polars has to know to get at files, from what Iceberg has."""
    found = {theirs: str(properties[name]) for name, theirs in _OPTIONS.items() if name in properties}
    if found.get("aws_endpoint_url", "").startswith("http://"):
        found["aws_allow_http"] = "true"
    return found
