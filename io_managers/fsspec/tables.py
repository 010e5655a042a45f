"""`FileTables`: tables as files of a format that is written and read a batch at a time. `FsspecIOManager` keeps tables with it."""

from __future__ import annotations

from collections import ChainMap
from collections.abc import Generator, Mapping
from contextlib import AbstractContextManager, contextmanager, suppress
from functools import cached_property
from itertools import islice
from typing import Any, ClassVar

from pydantic import Field

from io_managers import engine
from io_managers.asset_files import AssetFiles
from io_managers.cloud import ReplacedError
from io_managers.column_fitting import joint_schema
from io_managers.files import Files
from io_managers.frames import FrameType, table_schema
from io_managers.fsspec.formats import FORMATS, FileFormat
from io_managers.fsspec.frame_batches import batches_of
from io_managers.fsspec.partitions import staged_partitions
from io_managers.fsspec.reading import Staged, StoredTable, TableFiles
from io_managers.lazy_lineage import lineage_metadata
from io_managers.slices import PARTITION_EXPR
from io_managers.table import StagedWrite, TableIOManager, check_columns, missing_table, refuse_none
from warehouse_assets.io_manager import InputContext, OutputContext, TableSource
from warehouse_assets.keys import AssetKey
from warehouse_assets.metadata import stats_metadata
from warehouse_assets.tables import PartitionFilter, TableSlice, TableStats, placed_key

__all__ = ["FileTables"]

REPLACED_TRIES = 10

_NOTHING: Mapping[str, Staged] = {}


class FileTables(TableIOManager):
    """Keeps each asset as one file of the format `form`, and one with partitions as a folder with a file for each."""

    base_path: str
    form: str
    storage_options: Mapping[str, Any] = Field(default_factory=dict, repr=False)

    needs_partition_expr: ClassVar[bool] = False

    @cached_property
    def _files(self) -> Files:
        return Files(self.base_path, self.storage_options)

    @property
    def _format(self) -> FileFormat:
        return FORMATS[self.form]

    @cached_property
    def _tables(self) -> TableFiles:
        return TableFiles(self._files, self._format)

    @property
    def store_id(self) -> str:
        return f"{self.form}:{self._files.uri(self._files.root)}"

    def place_of(self, key: AssetKey, metadata: Mapping[str, Any]) -> str:
        """The URI of the file, of a partitioned table too."""
        return self._files.uri(self._own(placed_key(key, metadata)).whole)

    def filters(self, context: InputContext | OutputContext, output: OutputContext) -> tuple[PartitionFilter, ...] | None:
        if PARTITION_EXPR in output.definition_metadata:
            return super().filters(context, output)
        return () if context.partitions_def is not None and not context.partition_keys else None

    def handle_output(self, context: OutputContext, obj: Any) -> None:
        if not self._streams(context):
            return super().handle_output(context, obj)
        refuse_none(obj, context.asset_key)
        context.add_output_metadata({**stats_metadata(self._stream(context, obj)), **lineage_metadata(obj)})
        return None

    def run_sql(self, context: OutputContext, sql: Any) -> TableStats:
        return self._stream(context, sql) if self._streams(context) else super().run_sql(context, sql)

    @contextmanager
    def staging(self, context: OutputContext, table: TableSlice, obj: Any) -> Generator[_StagedFiles]:
        own, key = self._of(context), context.asset_key
        if context.partitions_def is not None:
            with staged_partitions(context, obj, own, self._tables, self.policy(context)) as files:
                staged = _StagedFiles(self, key, files)
                yield staged
            staged.stats = self._measured_partitions(context, own)
            return
        with self._files.staging(own.whole, durable=True) as path:
            with batches_of(context, obj) as batches:
                written = self._tables.write_locally(batches, path, key)
            staged = _StagedFiles(self, key, {own.whole: written})
            yield staged
            self._tables.notes.remember(own.whole, written.note)
        staged.stats = self._settled(own, written)

    def query(self, sql: Any, sources: Mapping[AssetKey, TableSource]) -> AbstractContextManager[Any]:
        """The answer to `sql` as a `pyarrow.RecordBatchReader`, open inside the block; nothing is written."""
        return engine.answered(sql, sources)

    def drop(self, context: OutputContext) -> bool:
        """Remove the table, or the partitions that are meant; whether there was one."""
        own = self._of(context)
        paths = [own.whole] if context.partitions_def is None else own.meant(context).values()
        removed = own.drop(context)
        for path in paths:
            self._tables.notes.forget(path)
        return removed

    def read(self, context: InputContext, table: TableSlice, kind: FrameType) -> Any:
        for _ in range(REPLACED_TRIES):
            with suppress(ReplacedError):
                return _read(self.stored(context), context, table, kind)
        return _read(self.stored(context), context, table, kind)

    def stored(self, context: InputContext, staged: Mapping[str, Staged] = _NOTHING) -> StoredTable:
        """The files to read, where `staged` ones take the place of others; TableNotFoundError where there is no table."""
        own = self._of(context.upstream_output)
        if own.whole in staged or own.is_whole():
            if context.partitions_def is not None:
                raise own.without_partitions()
            return self._tables.stored([own.whole], None, staged, context.asset_key)
        lenient = self.policy(context.upstream_output) != "fail"
        paths: list[str] | None = None
        if context.partitions_def is not None:
            asked = own.meant(context).values()
            there = {*staged, *own.existing([path for path in asked if path not in staged])}
            paths = [path for path in asked if path in there]
            if len(paths) == 1 and not lenient:
                return self._tables.stored(paths, None, staged, context.asset_key)
        found = {**own.partitions(), **dict.fromkeys(staged, (0, "staged"))}
        if not found:
            raise missing_table(context, str(self.name_of(context.upstream_output)), self._files.uri(own.whole))
        meant = found if paths is None else {path: found[path] for path in paths if path in found}
        telling = found if lenient else meant or dict(islice(found.items(), 1))  # which tell the columns
        known = self._tables.known(telling, staged)
        schema = joint_schema(file.schema for file in known.values())
        return self._tables.stored([path for path in meant if path in known], schema, staged, context.asset_key)

    def _of(self, output: OutputContext) -> AssetFiles:
        return self._own(placed_key(output.asset_key, output.definition_metadata))

    def _own(self, key: AssetKey) -> AssetFiles:
        return AssetFiles(self._files, key, self._format.suffix)

    def _streams(self, context: OutputContext) -> bool:
        """Whether a write that nobody looks at before it is published goes to its place in one go, without a local file."""
        options = context.table_options
        return not (options.columns or options.descriptions or context.partitions_def is not None or self._files.is_local)

    def _stream(self, context: OutputContext, obj: Any) -> TableStats:
        own = self._of(context)
        with self._files.replacing(own.whole) as target:
            with batches_of(context, obj) as batches:
                written = self._tables.write(batches, target, context.asset_key)
            self._tables.notes.remember(own.whole, written.note)
        return self._settled(own, written)

    def _settled(self, own: AssetFiles, written: Staged) -> TableStats:
        """What was counted of the file; partitions that it replaced are removed."""
        self._files.remove_folder(own.folder)
        file = written.note.file
        size, uri = self._files.size(own.whole), self._files.uri(own.whole)
        return TableStats(file.rows or 0, size, table_schema(file.schema), uri=uri)

    def _measured_partitions(self, context: OutputContext, own: AssetFiles) -> TableStats:
        found = own.partitions()
        known = self._tables.counted(self._tables.known(found), own.key)
        return TableStats(
            row_count=sum(known[path].rows or 0 for path in known),
            byte_size=sum(size for size, _ in found.values()),
            schema=table_schema(joint_schema(file.schema for file in known.values())),
            uri=self._files.uri(own.folder),
            partition_row_count=sum(known[path].rows or 0 for path in own.meant(context).values() if path in known),
        )


class _StagedFiles(StagedWrite):
    """Local files that are to take the place of others, by the paths of those."""

    manager: FileTables

    def __init__(self, manager: FileTables, key: AssetKey, files: Mapping[str, Staged]) -> None:
        super().__init__(manager)
        self.key = key
        self.files = files

    def read(self, context: InputContext, table: TableSlice, kind: FrameType) -> Any:
        return _read(self.manager.stored(context, self.files), context, table, kind)

    def query(self, sql: Any, sources: Mapping[AssetKey, TableSource]) -> AbstractContextManager[Any]:
        """The answer to `sql`, for which the table is as it will be."""
        mine = {self.key: TableSource(self, sources[self.key].context)} if self.key in sources else {}
        return self.manager.query(sql, ChainMap(mine, sources))  # type: ignore[arg-type]


def _read(stored: StoredTable, context: InputContext, table: TableSlice, kind: FrameType) -> Any:
    columns = None if table.columns is None else list(table.columns)
    check_columns(context, columns, stored.schema.names())
    return stored.read(kind, columns)
