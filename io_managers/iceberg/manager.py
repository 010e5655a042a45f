"""`IcebergIOManager`: tables as Apache Iceberg keeps them, in any catalog that pyiceberg knows."""

from __future__ import annotations

import os
import random
import time
from collections import ChainMap
from collections.abc import Generator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from typing import Any, ClassVar, Self
from urllib.parse import unquote

import polars as pl
from pydantic import Field

from io_managers import engine
from io_managers.frame_slices import rows_of
from io_managers.frames import FrameType, table_schema
from io_managers.iceberg.catalog import IcebergCatalog, IcebergPlace
from io_managers.iceberg.files import DataFiles, local_path
from io_managers.iceberg.slices import scan_slice
from io_managers.iceberg.table import OURS, RUN_ID, Change, LostRaceError, Snapshot, remove_folder
from io_managers.iceberg.types import Numbering
from io_managers.iceberg.writing import Write, new_rows
from io_managers.scanned import read_part, registered
from io_managers.table import StagedWrite, TableIOManager, keeps_rows, missing_table
from warehouse_assets.errors import ExtraRequiredError, StoreLockedError, TableError, TableNotFoundError
from warehouse_assets.io_manager import InputContext, OutputContext, TableSource
from warehouse_assets.keys import AssetKey
from warehouse_assets.table_options import WriteModeKind
from warehouse_assets.tables import TableSlice, TableStats, TableVersion

__all__ = ["IcebergIOManager"]

FIRST_RETRY, LONGEST_RETRY = 0.01, 1.0  # seconds


class IcebergIOManager(TableIOManager):
    """Keeps each asset as an Iceberg table in a catalog, by default a SQLite file in the folder `warehouse`.

    `catalog` and `properties` are the name and the properties of any catalog that pyiceberg knows; what is declared for it in
    `.pyiceberg.yaml` holds too. `warehouse` is the folder or the URL in which tables are made. A write is one snapshot: its data
    files are there before, and no reader knows of them. Where another writer was faster, a write looks at the table anew and tries
    again, for up to `commit_timeout` seconds. SQL assets run on an embedded DuckDB. Needs `pip install "warehouse-assets[iceberg]"`.
    """

    warehouse: str | None = None
    catalog: str = "default"
    schema_: str = Field(default="public", alias="schema")
    properties: Mapping[str, str] = Field(default_factory=dict, repr=False)
    commit_timeout: float = 60.0

    write_modes: ClassVar[frozenset[WriteModeKind]] = frozenset({"replace", "append", "upsert", "delete_insert", "snapshot"})
    reads_rows: ClassVar = True

    @classmethod
    def from_uri(cls, uri: str) -> Self:
        """The manager for a warehouse, `iceberg:///folder`, or for a catalog that is declared elsewhere, `iceberg://name`."""
        name, _, path = uri.partition("://")[2].partition("/")
        return cls(warehouse=f"/{unquote(path)}" if path else None, catalog=unquote(name) or "default")

    @property
    def store_id(self) -> str:
        return f"iceberg:{self._root or ''}:{self.catalog}"

    @property
    def default_schema(self) -> str:
        return self.schema_

    @property
    def _root(self) -> str | None:
        if self.warehouse is None:
            return None
        path = local_path(self.warehouse)
        return self.warehouse.rstrip("/") if path is None else os.path.abspath(path)

    def apart(self, folder: str) -> Self:
        return self.with_config({"warehouse": folder, "catalog": f"rehearsal {folder}", "properties": {}})

    def place_of(self, key: AssetKey, metadata: Mapping[str, Any]) -> str:
        """The path or URL of the table, or its name where the catalog finds the place."""
        return self._place(key, metadata).uri

    @contextmanager
    def staging(self, context: OutputContext, table: TableSlice, obj: Any) -> Generator[_Staged]:
        place = self._place(context.asset_key, context.definition_metadata)
        base = Snapshot.of(place, create=True)
        files = _files(place, base, context.asset_key)
        published: Sequence[Any] = ()
        try:
            rows = new_rows(context, obj, files)
            write = Write(context, rows, files, table.partitions, self.policy(context), self.now())
            change = write.change(base)
            staged = _Staged(self, context.asset_key, write, base)
            yield staged
            made, change = self._publish(context, place, write, base, change)
            published = [file for file in change.adds if file.rows]
        finally:
            files.discard(published)
        count = None if table.partitions is None else rows.rows
        if table.partitions and keeps_rows(context.table_options.mode):
            count = scan_slice(made, table.partitions, context.asset_key).select(pl.len()).collect().item()
        staged.stats = _measured(made, count)

    def query(self, sql: Any, sources: Mapping[AssetKey, TableSource]) -> AbstractContextManager[Any]:
        """The answer to `sql` as a `pyarrow.RecordBatchReader`, open inside the block; nothing is written."""
        return engine.answered(sql, sources)

    def duckdb_scan(self, connection: Any, context: InputContext) -> str:
        """The name under which the connection sees the table."""
        return registered(connection, self._scan(context, self.slice_of(context)))

    def read(self, context: InputContext, table: TableSlice, kind: FrameType) -> Any:
        return read_part(self._scan(context, table), context, table, kind)

    def drop(self, context: OutputContext) -> bool:
        """Remove the table and its files; whether there was one."""
        place = self._place(context.asset_key, context.definition_metadata)
        table = place.table()
        if table is None:
            return False
        if place.location is not None and local_path(table.location()) == place.location:
            place.opened.drop_table(place.identifier)
            remove_folder(place.location)
        else:
            place.opened.purge_table(place.identifier)
        return True

    def table_versions(self, context: InputContext) -> Sequence[TableVersion]:
        """The snapshots that the table still has, the oldest first."""
        return self._snapshot(context, None).versions()

    def roll_back(self, context: OutputContext, version: str) -> TableStats:
        """Make an earlier snapshot the present state, as a new snapshot of the same files."""
        place = self._place(context.asset_key, context.definition_metadata)
        deadline = time.monotonic() + self.commit_timeout
        while True:
            base, old = Snapshot.of(place), Snapshot.of(place, version)
            if base is None or old is None:
                raise TableNotFoundError(f"the table {place} in {self.store_id} has no version {version}")
            if not (old.has_plain_files and base.has_plain_files):
                raise TableError(
                    f"the version {version} of the table {place} was made by others, with rows deleted from its files"
                )
            staying = {file.file_path for file in base.files}
            returning = [file for file in old.files if file.file_path not in staying]
            there = {file.file_path for file in old.files}
            removes = [file for file in base.files if file.file_path not in there]
            try:
                change = Change([], old.types, old.schema, removes, returning=returning)
                return _measured(change.commit(place, base, _said(context)), None)
            except LostRaceError:
                if time.monotonic() > deadline:
                    raise self._busy(place) from None

    def _place(self, key: AssetKey, metadata: Mapping[str, Any]) -> IcebergPlace:
        try:
            import pyiceberg  # noqa: F401
        except ImportError:
            raise ExtraRequiredError.of("pyiceberg", "iceberg", "IcebergIOManager") from None
        return IcebergCatalog(self.catalog, self._root, self.properties).place(self.table_name(key, metadata), self.schema_)

    def _snapshot(self, context: InputContext, version: str | None) -> Snapshot:
        output = context.upstream_output
        place = self._place(output.asset_key, output.definition_metadata)
        found = Snapshot.of(place, version)
        if found is None:
            raise missing_table(context, str(place) if version is None else f"{place} at version {version}", self.store_id)
        return found

    def _scan(self, context: InputContext, table: TableSlice) -> pl.LazyFrame:
        snapshot = self._snapshot(context, context.table_version)
        return snapshot.scan() if table.partitions is None else scan_slice(snapshot, table.partitions, context.asset_key)

    def _publish(
        self, context: OutputContext, place: IcebergPlace, write: Write, base: Snapshot | None, change: Change
    ) -> tuple[Snapshot, Change]:
        """Commit, again and again where other writers come first; the snapshot that was made, and by which change."""
        deadline = time.monotonic() + self.commit_timeout
        delay = FIRST_RETRY
        while True:
            with place.lock():
                present = Snapshot.of(place, create=True)
                if _state(present) != _state(base):
                    base, change = present, write.change(present)
                if base is not None and change.is_nothing:
                    return base, change
                try:
                    return change.commit(place, base, _said(context)), change
                except LostRaceError:
                    if time.monotonic() + delay > deadline:
                        raise self._busy(place) from None
            time.sleep(delay * random.uniform(0.5, 1))
            delay = min(delay * 2, LONGEST_RETRY)

    def _busy(self, place: IcebergPlace) -> StoreLockedError:
        return StoreLockedError(
            f"the table {place} in {self.store_id} was written by others again and again, for {self.commit_timeout:g} s",
            hint="Write it less often, or give the I/O manager a longer commit_timeout.",
        )


class _Staged(StagedWrite):
    """New rows in a data file that no snapshot names, beside the rows of the table that stay."""

    manager: IcebergIOManager

    def __init__(self, manager: IcebergIOManager, key: AssetKey, write: Write, base: Snapshot | None) -> None:
        super().__init__(manager)
        self.key = key
        fit = write.fit(base)
        self._types = fit.schema
        parts = [write.staying(base, fit), write.coming(base, fit)]
        self._frame = pl.concat([part for part in parts if part is not None])

    def _scan(self, context: InputContext, table: TableSlice) -> pl.LazyFrame:
        if table.partitions is None:
            return self._frame
        return self._frame.filter(rows_of(table.partitions, self._types, context.asset_key))

    def read(self, context: InputContext, table: TableSlice, kind: FrameType) -> Any:
        return read_part(self._scan(context, table), context, table, kind)

    def duckdb_scan(self, connection: Any, context: InputContext) -> str:
        """The name under which the connection sees the table as it will be."""
        return registered(connection, self._scan(context, self.manager.slice_of(context)))

    def query(self, sql: Any, sources: Mapping[AssetKey, TableSource]) -> AbstractContextManager[Any]:
        """The answer to `sql`, for which the table is as it will be."""
        mine = {self.key: TableSource(self, sources[self.key].context)} if self.key in sources else {}
        return self.manager.query(sql, ChainMap(mine, sources))  # type: ignore[arg-type]


def _files(place: IcebergPlace, base: Snapshot | None, key: AssetKey) -> DataFiles:
    """Data files for a table, or for one that is still to be made."""
    from pyiceberg.io import load_file_io
    from pyiceberg.schema import Schema

    if base is not None:
        return DataFiles(base.table.location(), base.table.io, base.numbering, key)
    location = place.location
    if location is None:
        location = place.opened.create_table_transaction(place.identifier, Schema()).table_metadata.location
    return DataFiles(location, load_file_io(place.opened.properties, location), Numbering(), key)


def _state(snapshot: Snapshot | None) -> tuple[Any, ...] | None:
    """What is another one after each commit to a table."""
    return None if snapshot is None else (snapshot.table.metadata.table_uuid, snapshot.table.metadata_location)


def _measured(snapshot: Snapshot, partition_rows: int | None) -> TableStats:
    """What the catalog says of a table, and its place."""
    return TableStats(
        row_count=snapshot.row_count(),
        byte_size=snapshot.byte_size(),
        schema=table_schema(snapshot.types),
        uri=snapshot.table.location(),
        partition_row_count=partition_rows,
        version=snapshot.version,
    )


def _said(context: OutputContext) -> dict[str, str]:
    """What a snapshot says of a write: which asset it is of, which run made it, and which partitions."""
    said = {f"{OURS}asset-key": context.asset_key.to_escaped_string(), RUN_ID: context.run_id or ""}
    if context.partition_keys:
        said[f"{OURS}partition-keys"] = ", ".join(context.partition_keys)
    return {name: value for name, value in said.items() if value}
