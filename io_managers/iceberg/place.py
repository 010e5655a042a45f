"""Where an Iceberg table is, and the commits that make its snapshots."""

from __future__ import annotations

import shutil
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from io_managers.iceberg.catalog import IcebergCatalog, safe_name
from io_managers.iceberg.expiry import expire, remove_expired
from io_managers.iceberg.files import IcebergFile, IcebergFiles
from io_managers.iceberg.table import OURS, PLAIN, TYPES, IcebergSnapshot
from io_managers.iceberg.types import Numbering, note
from io_managers.lakehouse.files import local_path
from io_managers.lakehouse.table import Change, LostRaceError, Place, StoredFile
from warehouse_assets.errors import TableError
from warehouse_assets.keys import AssetKey

if TYPE_CHECKING:
    from pyiceberg.schema import Schema
    from pyiceberg.table import Table, Transaction

__all__ = ["IcebergPlace"]


@dataclass(frozen=True)
class IcebergPlace(Place):
    """A table in a catalog, by its schema and its name."""

    catalog: IcebergCatalog
    identifier: tuple[str, str]

    @property
    def location(self) -> str | None:
        """Where a new table goes; None where its catalog says."""
        warehouse = self.catalog.warehouse
        return None if warehouse is None else f"{warehouse}/{'/'.join(map(safe_name, self.identifier))}"

    @property
    def uri(self) -> str:
        return self.location or f"iceberg:{self.catalog.name}:{'.'.join(map(repr, self.identifier))}"

    def __str__(self) -> str:
        return ".".join(self.identifier)

    def snapshot(self, version: str | None = None) -> IcebergSnapshot | None:
        table = self.catalog.table(self.identifier)
        if table is None:
            return None
        if version is not None and (not version.isdecimal() or table.snapshot_by_id(int(version)) is None):
            return None
        return IcebergSnapshot(table, version)

    def prepare(self) -> None:
        self.catalog.make_namespace(self.identifier[0])

    def files(self, base: IcebergSnapshot | None, key: AssetKey) -> IcebergFiles:
        from pyiceberg.io import load_file_io
        from pyiceberg.schema import Schema

        if base is not None:
            return IcebergFiles(base.uri, base.table.io, key)
        catalog, location = self.catalog.for_writing, self.location
        if location is None:
            location = catalog.create_table_transaction(self.identifier, Schema()).table_metadata.location
        return IcebergFiles(location, load_file_io(catalog.properties, location), key)

    def commit(
        self, base: IcebergSnapshot | None, change: Change, said: Mapping[str, str], keep: int | None = None
    ) -> IcebergSnapshot:
        if base is not None and not change.replaces and change.types.keys() == base.types.keys():
            schema = base.schema
        else:
            schema = (Numbering() if base is None else base.numbering).schema(change.types)
        return _Commit(self, base, change, schema, keep).made(said)

    def restore(
        self, base: IcebergSnapshot, old: IcebergSnapshot, said: Mapping[str, str], keep: int | None = None
    ) -> IcebergSnapshot:
        if not (old.has_plain_files and base.has_plain_files):
            raise TableError(
                f"the version {old.version} of the table {self} was made by others, with rows deleted from its files"
            )
        staying, there = {file.place for file in base.files}, {file.place for file in old.files}
        change = Change([], old.types, [file for file in base.files if file.place not in there])
        returning = [file for file in old.files if file.place not in staying]
        return _Commit(self, base, change, old.schema, keep, returning).made(said)

    def drop(self) -> bool:
        table = self.catalog.table(self.identifier)
        if table is None:
            return False
        if self.location is not None and (path := local_path(table.location())) == self.location:
            self.catalog.for_writing.drop_table(self.identifier)
            shutil.rmtree(path, ignore_errors=True)
        else:
            self.catalog.for_writing.purge_table(self.identifier)
        return True


@dataclass(frozen=True, slots=True)
class _Commit:
    """One snapshot, with the table itself if it is the first, and with its columns; `returning` files of an earlier one come back."""

    place: IcebergPlace
    base: IcebergSnapshot | None
    change: Change
    schema: Schema
    keep: int | None
    returning: Sequence[StoredFile] = ()

    def made(self, said: Mapping[str, str]) -> IcebergSnapshot:
        """The snapshot; LostRaceError where another writer made it."""
        from pyiceberg.exceptions import CommitFailedException, TableAlreadyExistsError
        from pyiceberg.table import Table
        from pyiceberg.table.update import AssertCreate, AssertTableUUID

        with self.place.as_of(self.base):
            transaction = self._transaction()
            producer = self._produced(transaction, said)
            if self.base is not None and self.keep is not None:
                expire(transaction, self.base, self.keep)
        table: Any = transaction._table
        before = table.snapshots()
        uuid = AssertTableUUID(uuid=table.metadata.table_uuid)
        required = (AssertCreate(),) if self.base is None else (*transaction._requirements, uuid)
        try:
            # not the commit of the transaction, which tries again by itself, with what was made of the table as it was
            table._do_commit(transaction._updates, required)
        except (CommitFailedException, TableAlreadyExistsError):
            with suppress(Exception):
                producer._clean_all_uncommitted()
            raise LostRaceError from None
        if self.base is None:  # a staged table cannot be read
            table = Table(table.name(), table.metadata, table.metadata_location, table.io, table.catalog)
        elif self.keep is not None:
            remove_expired(before, table)
        return IcebergSnapshot(table)

    def _transaction(self) -> Transaction:
        if self.base is None:
            place = self.place
            return place.catalog.for_writing.create_table_transaction(place.identifier, self.schema, place.location)
        transaction = self.base.table.transaction()
        _stage_columns(transaction, self.base.table, self.schema)
        return transaction

    def _produced(self, transaction: Transaction, said: Mapping[str, str]) -> Any:
        """The snapshot as a part of the transaction."""
        removes = self.change.removes if self.base is None or not self.change.replaces else self.base.files
        own = {f"{OURS}{name.replace('_', '-')}": value for name, value in said.items()}
        update = transaction.update_snapshot(snapshot_properties={**own, TYPES: note(self.change.types), PLAIN: "true"})
        producer: Any = update.overwrite() if removes or self.change.replaces else update.merge_append()
        metadata = transaction.table_metadata
        for file in self.change.named:
            assert isinstance(file, IcebergFile)
            producer.append_data_file(file.entry(metadata.properties, metadata.default_spec_id))
        for known in self.returning:
            producer.append_data_file(known.entry)
        for known in removes:
            producer.delete_data_file(known.entry)
        producer.commit()
        return producer


def _stage_columns(transaction: Transaction, table: Table, schema: Schema) -> None:
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

    metadata = table.metadata
    if schema.fields != table.schema().fields:
        known = next((each.schema_id for each in metadata.schemas if each.fields == schema.fields), None)
        number = max(each.schema_id for each in metadata.schemas) + 1 if known is None else known
        new = schema.model_copy(update={"schema_id": number})
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
    if not table.spec().is_unpartitioned():
        plain = next((each.spec_id for each in metadata.partition_specs if each.is_unpartitioned()), None)
        if plain is None:
            plain = max(each.spec_id for each in metadata.partition_specs) + 1
            spec = UNPARTITIONED_PARTITION_SPEC.model_copy(update={"spec_id": plain})
            transaction._stage((AddPartitionSpecUpdate(spec=spec),))
        transaction._stage((SetDefaultSpecUpdate.model_validate({"spec-id": plain}),))
