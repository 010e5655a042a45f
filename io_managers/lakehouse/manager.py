"""`LakehouseIOManager`: what the managers of Delta tables and of Iceberg tables share."""

from __future__ import annotations

import random
import threading
import time
from abc import abstractmethod
from collections import ChainMap, defaultdict
from collections.abc import Callable, Generator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from typing import Any, ClassVar, TypeVar

import polars as pl
from pydantic import Field

from io_managers import engine
from io_managers.frame_slices import rows_of
from io_managers.frames import FrameType, table_schema
from io_managers.functions import named_functions
from io_managers.lakehouse.files import DataFile
from io_managers.lakehouse.slices import scan_slice
from io_managers.lakehouse.table import Change, LostRaceError, Place, Snapshot, state_of
from io_managers.lakehouse.writing import Write, new_rows
from io_managers.scanned import read_part, registered
from io_managers.table import StagedWrite, TableIOManager, keeps_rows, missing_table
from warehouse_assets.errors import StoreLockedError, TableNotFoundError
from warehouse_assets.io_manager import InputContext, OutputContext, TableSource
from warehouse_assets.keys import AssetKey
from warehouse_assets.table_options import WriteModeKind
from warehouse_assets.tables import TableSlice, TableStats, TableVersion

__all__ = ["LakehouseIOManager"]

FIRST_RETRY, LONGEST_RETRY = 0.01, 1.0  # seconds

_locks: defaultdict[tuple[str, str], threading.Lock] = defaultdict(threading.Lock)

_T = TypeVar("_T")


class LakehouseIOManager(TableIOManager):
    """Keeps each asset as a table whose log, or catalog, says which data files it is made of; a subclass says where it is."""

    schema_: str = Field(default="public", alias="schema")
    commit_timeout: float = 60.0
    functions: Sequence[Any] = Field(default=(), repr=False)

    write_modes: ClassVar[frozenset[WriteModeKind]] = frozenset({"replace", "append", "upsert", "delete_insert", "snapshot"})
    reads_rows: ClassVar[bool] = True

    @abstractmethod
    def place(self, key: AssetKey, metadata: Mapping[str, Any]) -> Place:
        """Where the table of an asset is."""

    @property
    def default_schema(self) -> str:
        return self.schema_

    def place_of(self, key: AssetKey, metadata: Mapping[str, Any]) -> str:
        """The path or URL of the table, or its name where a catalog finds the place."""
        return self.place(key, metadata).uri

    def sql_functions(self) -> Mapping[str, Any]:
        return named_functions(self.functions)

    @property
    def called_functions(self) -> Sequence[Any]:
        return self.functions

    @contextmanager
    def staging(self, context: OutputContext, table: TableSlice, obj: Any) -> Generator[_Staged]:
        place = self._place(context)
        base = place.snapshot()
        if base is None:
            place.prepare()
        files = place.files(base, context.asset_key)
        published: Sequence[DataFile] = ()
        try:
            rows = new_rows(context, obj, files, base)
            write = Write(context, rows, files, table.partitions, self.policy(context), self.now())
            plan = self._planned(context, place, write, base)
            staged = _Staged(self, context.asset_key, write, plan.base)
            yield staged
            made, change = self._publish(context, place, write, plan)
            published = change.named
        finally:
            files.discard(published)
        count = None if table.partitions is None else rows.rows
        if table.partitions and keeps_rows(write.mode):
            count = scan_slice(made, table.partitions, context.asset_key).select(pl.len()).collect().item()
        staged.stats = _measured(made, count)

    def query(self, sql: Any, sources: Mapping[AssetKey, TableSource]) -> AbstractContextManager[Any]:
        """The answer to `sql` as a `pyarrow.RecordBatchReader`, open inside the block; nothing is written."""
        return engine.answered(sql.calling(self.functions), sources)

    def duckdb_scan(self, connection: Any, context: InputContext) -> str:
        """The name under which the connection sees the table."""
        return registered(connection, self._scan(context, self.slice_of(context)))

    def read(self, context: InputContext, table: TableSlice, kind: FrameType) -> Any:
        return read_part(self._scan(context, table), context, table, kind)

    def drop(self, context: OutputContext) -> bool:
        """Remove the table and all its files; whether there was one."""
        return self._place(context).drop()

    def table_versions(self, context: InputContext) -> Sequence[TableVersion]:
        """The versions that can be read, the oldest first."""
        return self._snapshot(context, None).versions()

    def roll_back(self, context: OutputContext, version: str) -> TableStats:
        """Make an earlier version the present one, as a new version."""
        place = self._place(context)

        def attempt() -> Snapshot:
            base, old = place.snapshot(), place.snapshot(version)
            if base is None or old is None:
                raise TableNotFoundError(f"the table {self.name_of(context)} in {self.store_id} has no version {version}")
            with place.as_of(base):
                return place.restore(base, old, _said(context), context.table_options.keep_versions)

        return _measured(self._retried(context, attempt), None)

    def _place(self, output: OutputContext) -> Place:
        return self.place(output.asset_key, output.definition_metadata)

    def _snapshot(self, context: InputContext, version: str | None) -> Snapshot:
        found = self._place(context.upstream_output).snapshot(version)
        if found is None:
            name = str(self.name_of(context.upstream_output))
            raise missing_table(context, name if version is None else f"{name} at version {version}", self.store_id)
        return found

    def _scan(self, context: InputContext, table: TableSlice) -> pl.LazyFrame:
        """The partitions of the table that are asked for, with all columns."""
        snapshot = self._snapshot(context, context.table_version)
        return snapshot.scan() if table.partitions is None else scan_slice(snapshot, table.partitions, context.asset_key)

    def _planned(self, context: OutputContext, place: Place, write: Write, base: Snapshot | None) -> _Plan:
        """What is to be done to the table as it is."""
        found = base

        def attempt() -> _Plan:
            nonlocal found
            try:
                with place.as_of(found):
                    return _Plan(found, write.change(found))
            except LostRaceError:
                found = place.snapshot()
                raise

        return self._retried(context, attempt)

    def _publish(self, context: OutputContext, place: Place, write: Write, plan: _Plan) -> tuple[Snapshot, Change]:
        """Commit to the table as it is by then; the version that was made, and by which change."""

        def attempt() -> tuple[Snapshot, Change]:
            nonlocal plan
            with _locks[self.store_id, place.uri]:
                present = place.snapshot()
                if state_of(present) != state_of(plan.base):
                    with place.as_of(present):
                        plan = _Plan(present, write.change(present))
                if present is not None and plan.change.is_nothing:
                    return present, plan.change
                return place.commit(present, plan.change, _said(context), context.table_options.keep_versions), plan.change

        return self._retried(context, attempt)

    def _retried(self, context: OutputContext, attempt: Callable[[], _T]) -> _T:
        """What an attempt gives, which is made again and again where other writers come first."""
        deadline = time.monotonic() + self.commit_timeout
        delay = FIRST_RETRY
        while True:
            try:
                return attempt()
            except LostRaceError:
                if time.monotonic() + delay > deadline:
                    raise StoreLockedError(
                        f"the table {self.name_of(context)} in {self.store_id} was written by others again and again, "
                        f"for {self.commit_timeout:g} s",
                        hint="Write it less often, or give the I/O manager a longer commit_timeout.",
                    ) from None
            time.sleep(delay * random.uniform(0.5, 1))
            delay = min(delay * 2, LONGEST_RETRY)


@dataclass(frozen=True, slots=True)
class _Plan:
    """What a write does to the table as `base` has it."""

    base: Snapshot | None
    change: Change


class _Staged(StagedWrite):
    """New rows in a data file that nothing names, beside the rows of the table that stay."""

    manager: LakehouseIOManager

    def __init__(self, manager: LakehouseIOManager, key: AssetKey, write: Write, base: Snapshot | None) -> None:
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


def _measured(snapshot: Snapshot, partition_rows: int | None) -> TableStats:
    """What the store says of a version."""
    return TableStats(
        row_count=snapshot.row_count(),
        byte_size=snapshot.byte_size(),
        schema=table_schema(snapshot.types),
        uri=snapshot.uri,
        partition_row_count=partition_rows,
        version=snapshot.version,
    )


def _said(context: OutputContext) -> dict[str, str]:
    """What a version says of a write: which asset it is of, which run made it, and which partitions."""
    said = {"asset_key": context.asset_key.to_escaped_string(), "run_id": context.run_id or ""}
    if context.partition_keys:
        said["partition_keys"] = ", ".join(context.partition_keys)
    return {name: value for name, value in said.items() if value}
