"""`DeltaLakeIOManager`: tables as Delta Lake keeps them, in a local folder or an object store."""

from __future__ import annotations

import os
import random
import threading
import time
from collections import ChainMap, defaultdict
from collections.abc import Generator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from typing import Any, ClassVar, Self
from urllib.parse import unquote

import polars as pl
from pydantic import Field

from io_managers import engine
from io_managers.delta.files import DataFiles
from io_managers.delta.slices import scan_slice
from io_managers.delta.table import Change, DeltaPlace, LostRaceError, Snapshot, folder_name
from io_managers.delta.writing import Write, new_rows
from io_managers.files import Files
from io_managers.frame_slices import rows_of
from io_managers.frames import FrameType, table_schema
from io_managers.scanned import read_part, registered
from io_managers.table import StagedWrite, TableIOManager, keeps_rows, missing_table
from warehouse_assets.errors import ExtraRequiredError, StoreLockedError, TableNotFoundError
from warehouse_assets.io_manager import InputContext, OutputContext, TableSource
from warehouse_assets.keys import AssetKey
from warehouse_assets.table_options import WriteModeKind
from warehouse_assets.tables import TableName, TableSlice, TableStats, TableVersion

__all__ = ["DeltaLakeIOManager"]

FIRST_RETRY, LONGEST_RETRY = 0.01, 1.0  # seconds

_locks: defaultdict[str, threading.Lock] = defaultdict(threading.Lock)


class DeltaLakeIOManager(TableIOManager):
    """Keeps each asset as a Delta table, `base_path/schema/table`; `base_path` is a folder or a URL such as `s3://bucket/prefix`.

    A write is one entry in the log of the table: its data files are there before, and no reader knows of them. `storage_options`
    are those of the `deltalake` package. Where another writer was faster, a write looks at the table anew and tries again, for up to
    `commit_timeout` seconds. SQL assets run on an embedded DuckDB. Needs `pip install "warehouse-assets[delta]"`.
    """

    base_path: str
    schema_: str = Field(default="public", alias="schema")
    storage_options: Mapping[str, Any] = Field(default_factory=dict, repr=False)
    commit_timeout: float = 60.0

    write_modes: ClassVar[frozenset[WriteModeKind]] = frozenset({"replace", "append", "upsert", "delete_insert", "snapshot"})
    reads_rows: ClassVar[bool] = True

    @classmethod
    def from_uri(cls, uri: str) -> Self:
        """The manager for `delta:///folder`, or for `delta+s3://bucket/prefix` and the like."""
        scheme, _, rest = uri.partition("://")
        own = scheme.removeprefix("delta").removeprefix("+")
        return cls(base_path=f"{own}://{rest}" if own not in ("", "file") else unquote(rest))

    @property
    def store_id(self) -> str:
        return f"delta:{self._root}"

    @property
    def default_schema(self) -> str:
        return self.schema_

    @property
    def _root(self) -> str:
        path = self.base_path.removeprefix("file://")
        return path.rstrip("/") if "://" in path else os.path.abspath(path)

    def place_of(self, key: AssetKey, metadata: Mapping[str, Any]) -> str:
        """The path or URL of the table."""
        return self._place(self.table_name(key, metadata)).uri

    @contextmanager
    def staging(self, context: OutputContext, table: TableSlice, obj: Any) -> Generator[_Staged]:
        place = self._place(table.name)
        files = DataFiles(place.uri, place.options, context.asset_key)
        published: Sequence[Any] = ()
        try:
            rows = new_rows(context, obj, files)
            write = Write(context, rows, files, table.partitions, self.policy(context), self.now())
            base = place.snapshot()
            change = write.change(base)
            staged = _Staged(self, context.asset_key, write, base)
            yield staged
            version, change = self._publish(context, place, write, base, change)
            published = change.adds
        finally:
            files.discard(published)
        staged.stats = self._measured(place, version, write)

    def query(self, sql: Any, sources: Mapping[AssetKey, TableSource]) -> AbstractContextManager[Any]:
        """The answer to `sql` as a `pyarrow.RecordBatchReader`, open inside the block; nothing is written."""
        return engine.answered(sql, sources)

    def duckdb_scan(self, connection: Any, context: InputContext) -> str:
        """The name under which the connection sees the table."""
        return registered(connection, self._scan(context, self.slice_of(context)))

    def read(self, context: InputContext, table: TableSlice, kind: FrameType) -> Any:
        return read_part(self._scan(context, table), context, table, kind)

    def drop(self, context: OutputContext) -> bool:
        """Remove the table, its data files and its log; whether there was one."""
        place = self._place(self.name_of(context))
        if place.snapshot() is None:
            return False
        if "://" not in place.uri:
            return Files(self._root).remove_folder(place.uri)
        DataFiles(place.uri, place.options, context.asset_key).remove_all()
        return True

    def table_versions(self, context: InputContext) -> Sequence[TableVersion]:
        """The versions that the log of the table has, the oldest first."""
        return self._snapshot(context).versions()

    def roll_back(self, context: OutputContext, version: str) -> TableStats:
        """Make an earlier version the present one, as a new version."""
        from deltalake import CommitProperties

        place = self._place(self.name_of(context))
        old = place.snapshot(int(version)) if version.isdecimal() else None
        base = place.snapshot()
        if old is None or base is None:
            raise TableNotFoundError(f"the table {place.uri} has no version {version}")
        base.table.restore(int(version), commit_properties=CommitProperties(custom_metadata=_said(context)))
        return self._measured(place, base.table.version(), None)

    def _place(self, name: TableName) -> DeltaPlace:
        try:
            import deltalake  # noqa: F401
        except ImportError:
            raise ExtraRequiredError.of("deltalake", "delta", "DeltaLakeIOManager") from None
        options = {name: str(value) for name, value in self.storage_options.items()}
        if self._root.startswith("s3"):
            options = {"aws_conditional_put": "etag", **options}
        return DeltaPlace(f"{self._root}/{folder_name(name.schema or self.schema_)}/{folder_name(name.table)}", options)

    def _snapshot(self, context: InputContext) -> Snapshot:
        name, version = self.name_of(context.upstream_output), context.table_version
        place = self._place(name)
        if version is None:
            found = place.snapshot()
        else:
            found = place.snapshot(int(version)) if version.isdecimal() else None
        if found is None:
            raise missing_table(context, str(name) if version is None else f"{name} at version {version}", place.uri)
        return found

    def _scan(self, context: InputContext, table: TableSlice) -> pl.LazyFrame:
        """The partitions of the table that are asked for, with all columns."""
        snapshot = self._snapshot(context)
        return snapshot.scan() if table.partitions is None else scan_slice(snapshot, table.partitions, context.asset_key)

    def _publish(
        self, context: OutputContext, place: DeltaPlace, write: Write, base: Snapshot | None, change: Change
    ) -> tuple[int, Change]:
        """Commit, again and again where other writers come first; the version that was made, and by which change."""
        deadline = time.monotonic() + self.commit_timeout
        delay = FIRST_RETRY
        while True:
            with _locks[place.uri]:
                present = place.snapshot()
                if (present and present.version) != (base and base.version):
                    base, change = present, write.change(present)
                if base is not None and change.is_nothing:
                    return base.version, change
                try:
                    return change.commit(place, base, _said(context)), change
                except LostRaceError:
                    if time.monotonic() + delay > deadline:
                        raise StoreLockedError(
                            f"the table {place.uri} was written by others again and again, for {self.commit_timeout:g} s",
                            hint="Write it less often, or give the I/O manager a longer commit_timeout.",
                        ) from None
            time.sleep(delay * random.uniform(0.5, 1))
            delay = min(delay * 2, LONGEST_RETRY)

    def _measured(self, place: DeltaPlace, version: int, write: Write | None) -> TableStats:
        """What the log says of a version."""
        snapshot = place.snapshot(version)
        assert snapshot is not None
        written = None
        if write is not None and write.partitions is not None:
            written = write.rows.rows
            if keeps_rows(write.mode):
                written = scan_slice(snapshot, write.partitions, write.key).select(pl.len()).collect().item()
        return TableStats(
            row_count=snapshot.row_count(),
            byte_size=snapshot.byte_size(),
            schema=table_schema(snapshot.types),
            uri=place.uri,
            partition_row_count=written,
            version=str(version),
        )


class _Staged(StagedWrite):
    """New rows in a data file that no log entry names, beside the rows of the table that stay."""

    manager: DeltaLakeIOManager

    def __init__(self, manager: DeltaLakeIOManager, key: AssetKey, write: Write, base: Snapshot | None) -> None:
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


def _said(context: OutputContext) -> dict[str, Any]:
    """What the log says of a write: which asset it is of, which run made it, and which partitions."""
    said = {"asset_key": context.asset_key.to_escaped_string(), "run_id": context.run_id}
    if context.partition_keys:
        said["partition_keys"] = ", ".join(context.partition_keys)
    return {name: value for name, value in said.items() if value}
