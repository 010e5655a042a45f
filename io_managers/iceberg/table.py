"""An Iceberg table at one of its snapshots, and a commit that makes the next one."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cached_property
from typing import TYPE_CHECKING, Any

import polars as pl

from io_managers.iceberg.catalog import IcebergPlace
from io_managers.iceberg.files import WrittenFile, local_path, polars_options, scan_places
from io_managers.iceberg.types import Numbering, frame_types, in_frames, note, stored_types
from warehouse_assets.tables import TableVersion

if TYPE_CHECKING:
    from pyiceberg.manifest import DataFile
    from pyiceberg.schema import Schema
    from pyiceberg.table import Table, Transaction
    from pyiceberg.table import snapshots as ice

__all__ = ["Change", "LostRaceError", "Snapshot"]

OURS = "warehouse-assets."  # before the names of what a snapshot is told
RUN_ID, TYPES, PLAIN = f"{OURS}run-id", f"{OURS}types", f"{OURS}plain"


class LostRaceError(Exception):
    """Another writer made the snapshot that a commit was to be."""


class Snapshot:
    """A table at one snapshot; later ones do not change what is read from it."""

    def __init__(self, place: IcebergPlace, table: Table, version: str | None = None) -> None:
        self.place = place
        self.table = table
        self._is_present = version is None
        self._snapshot = table.current_snapshot() if version is None else table.snapshot_by_id(int(version))

    @classmethod
    def of(cls, place: IcebergPlace, version: str | None = None, *, create: bool = False) -> Snapshot | None:
        """The table as it is, or was; None where there is no table, or no such version."""
        table = place.table(create=create)
        if table is None:
            return None
        if version is not None and (not version.isdecimal() or table.snapshot_by_id(int(version)) is None):
            return None
        return cls(place, table, version)

    @property
    def version(self) -> str | None:
        """The number of the snapshot; None for a table that never had rows."""
        return None if self._snapshot is None else str(self._snapshot.snapshot_id)

    @cached_property
    def schema(self) -> Schema:
        """The columns of the table, as Iceberg knows them."""
        number = None if self._is_present or self._snapshot is None else self._snapshot.schema_id
        return self.table.schema() if number is None else self.table.schemas()[number]

    @cached_property
    def types(self) -> pl.Schema:
        """The columns, with the types that they have in frames."""
        return frame_types(self.schema, self._said(TYPES))

    @property
    def numbering(self) -> Numbering:
        """The numbers of the columns, for files that are to be a part of the table."""
        return Numbering.of(self.schema, self.table.metadata.last_column_id)

    @property
    def options(self) -> dict[str, str]:
        """What polars has to know to read the files."""
        return polars_options(self.table.io.properties)

    @cached_property
    def _tasks(self) -> list[Any]:
        if self._snapshot is None:
            return []
        return list(self.table.scan(snapshot_id=self._snapshot.snapshot_id).plan_files())

    @cached_property
    def files(self) -> list[DataFile]:
        """The data files that the table is made of."""
        return [task.file for task in self._tasks]

    @cached_property
    def has_plain_files(self) -> bool:
        """Whether the rows of the table are those of its files, by the names of their columns: none are deleted, nor renamed."""
        if any(task.delete_files or task.file.file_format != "PARQUET" for task in self._tasks):
            return False
        if self._snapshot is None or (self._summary.get(PLAIN) == "true" and self._is_own_schema):
            return True
        names = {(each.field_id, each.name) for schema in self.table.schemas().values() for each in schema.fields}
        return len({number for number, _ in names}) == len(names) == len({name for _, name in names})

    @property
    def _is_own_schema(self) -> bool:
        """Whether nobody gave the table other columns since the snapshot was made."""
        return self._snapshot is not None and self._snapshot.schema_id == self.schema.schema_id

    def scan(self) -> pl.LazyFrame:
        """The table as a LazyFrame, which reads the files and the columns that it needs."""
        if self.has_plain_files:
            return self.scan_files(file.file_path for file in self.files)
        number = None if self._is_present or self._snapshot is None else self._snapshot.snapshot_id
        return pl.scan_iceberg(self.table, snapshot_id=number, reader_override="pyiceberg").select(in_frames(self.types))

    def scan_files(self, places: Iterable[str], path_column: str | None = None) -> pl.LazyFrame:
        """Some of the files of a table that `has_plain_files`, with a column that tells in which of them a row is, if asked for."""
        columns = [*in_frames(self.types), *([path_column] if path_column else [])]
        return scan_places(list(places), stored_types(self.types), self.options, path_column).select(columns)

    @property
    def _summary(self) -> Mapping[str, str]:
        return summary(self._snapshot)

    def _said(self, name: str) -> str | None:
        """What the snapshot, or the newest one before it that was made here, was told."""
        found = self._snapshot
        while found is not None:
            if (said := summary(found).get(name)) is not None:
                return said or None
            found = None if found.parent_snapshot_id is None else self.table.snapshot_by_id(found.parent_snapshot_id)
        return None

    def row_count(self) -> int:
        """The rows of the table, as its snapshot says, or else counted."""
        total = self._summary.get("total-records")
        if self._snapshot is None:
            return 0
        if total is None or self._summary.get("total-delete-files", "0") != "0":
            return int(self.scan().select(pl.len()).collect().item())
        return int(total)

    def byte_size(self) -> int:
        """The bytes of the data files."""
        total = self._summary.get("total-files-size")
        return int(total) if total is not None else sum(file.file_size_in_bytes for file in self.files)

    def versions(self) -> list[TableVersion]:
        """The snapshots that the table still has and that were the present one, the oldest first."""
        found: dict[int, TableVersion] = {}
        for entry in self.table.history():
            snapshot = self.table.snapshot_by_id(entry.snapshot_id)
            if snapshot is None:
                continue
            said = summary(snapshot)
            moment = datetime.fromtimestamp(entry.timestamp_ms / 1000, UTC)
            rows = said.get("total-records")
            found.pop(entry.snapshot_id, None)
            found[entry.snapshot_id] = TableVersion(
                str(entry.snapshot_id), moment, said.get(RUN_ID), int(rows) if rows is not None else None
            )
        return list(found.values())


def summary(snapshot: ice.Snapshot | None) -> Mapping[str, str]:
    """What a snapshot says of itself."""
    return {} if snapshot is None or snapshot.summary is None else snapshot.summary.additional_properties


@dataclass(frozen=True, slots=True)
class Change:
    """What a commit does to a table: files that come, files that go, and the columns; `replaces` says that all others go.

    `returning` are files of an earlier snapshot that are part of the table again.
    """

    adds: Sequence[WrittenFile]
    types: pl.Schema
    schema: Schema
    removes: Sequence[DataFile] = ()
    replaces: bool = False
    returning: Sequence[DataFile] = ()

    @property
    def is_nothing(self) -> bool:
        """Whether the table stays as it is."""
        return not (self.adds or self.removes or self.replaces or self.returning)

    def commit(self, place: IcebergPlace, base: Snapshot | None, said: Mapping[str, str]) -> Snapshot:
        """Make the snapshot that follows `base`, or the first, with the table; LostRaceError where another writer did that."""
        from pyiceberg.exceptions import CommitFailedException, TableAlreadyExistsError
        from pyiceberg.table import Table
        from pyiceberg.table.update import AssertCreate, AssertTableUUID

        if base is None:
            transaction: Transaction = place.opened.create_table_transaction(place.identifier, self.schema, place.location)
        else:
            transaction = base.table.transaction()
            self._stage_columns(transaction, base)
        removes = self._removed(base)
        properties = {**said, TYPES: note(self.types) or "", PLAIN: "true"}
        update = transaction.update_snapshot(snapshot_properties=properties)
        producer: Any = update.overwrite() if removes or self.replaces else update.merge_append()
        for file in self.adds:
            if file.rows:
                producer.append_data_file(
                    file.entry(transaction.table_metadata.properties, transaction.table_metadata.default_spec_id)
                )
        for known in self.returning:
            producer.append_data_file(known)
        for known in removes:
            producer.delete_data_file(known)
        producer.commit()
        table = transaction._table
        uuid = AssertTableUUID(uuid=table.metadata.table_uuid)
        required = (AssertCreate(),) if base is None else (*transaction._requirements, uuid)
        try:
            # not the commit of the transaction, which tries again by itself, with what was made of the table as it was
            table._do_commit(transaction._updates, required)
        except (CommitFailedException, TableAlreadyExistsError):
            with suppress(Exception):
                producer._clean_all_uncommitted()
            raise LostRaceError from None
        if base is None:  # a staged table cannot be read
            table = Table(table.name(), table.metadata, table.metadata_location, table.io, table.catalog)
        return Snapshot(place, table)

    def _removed(self, base: Snapshot | None) -> Sequence[DataFile]:
        if base is None or not self.replaces:
            return self.removes
        staying = {file.file_path for file in self.returning}
        return [file for file in base.files if file.file_path not in staying]

    def _stage_columns(self, transaction: Transaction, base: Snapshot) -> None:
        """Give the table its columns, and no folders for some of them, which the files that come do not have."""
        from pyiceberg.partitioning import UNPARTITIONED_PARTITION_SPEC
        from pyiceberg.table.update import (
            AddPartitionSpecUpdate,
            AddSchemaUpdate,
            AssertCurrentSchemaId,
            AssertLastAssignedFieldId,
            SetCurrentSchemaUpdate,
            SetDefaultSpecUpdate,
        )

        metadata = base.table.metadata
        if self.schema.fields != base.table.schema().fields:
            known = next((each.schema_id for each in metadata.schemas if each.fields == self.schema.fields), None)
            number = max(each.schema_id for each in metadata.schemas) + 1 if known is None else known
            new = self.schema.model_copy(update={"schema_id": number})
            transaction._stage(
                (
                    *(() if known is not None else (AddSchemaUpdate(schema=new),)),
                    SetCurrentSchemaUpdate.model_validate({"schema-id": number}),
                ),
                (
                    AssertCurrentSchemaId.model_validate({"current-schema-id": metadata.current_schema_id}),
                    AssertLastAssignedFieldId.model_validate({"last-assigned-field-id": metadata.last_column_id}),
                ),
            )
        if not base.table.spec().is_unpartitioned():
            plain = next((each.spec_id for each in metadata.partition_specs if each.is_unpartitioned()), None)
            if plain is None:
                plain = max(each.spec_id for each in metadata.partition_specs) + 1
                spec = UNPARTITIONED_PARTITION_SPEC.model_copy(update={"spec_id": plain})
                transaction._stage((AddPartitionSpecUpdate(spec=spec),))
            transaction._stage((SetDefaultSpecUpdate.model_validate({"spec-id": plain}),))


def remove_folder(location: str) -> None:
    """Remove what is left of a local table."""
    import shutil

    if path := local_path(location):
        shutil.rmtree(path, ignore_errors=True)
