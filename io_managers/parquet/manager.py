"""`ParquetIOManager`: tables as Parquet files, in any file system that fsspec knows."""

from __future__ import annotations

from collections import ChainMap
from collections.abc import Generator, Mapping, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager, nullcontext
from dataclasses import replace
from functools import cached_property
from itertools import islice
from typing import TYPE_CHECKING, Any, ClassVar, Literal, Self

from pydantic import Field

from io_managers import engine
from io_managers.asset_files import AssetFiles
from io_managers.cloud import fields_of
from io_managers.column_fitting import joint_schema
from io_managers.deferred import Deferred
from io_managers.files import Files, Stamp
from io_managers.frames import FrameType, is_polars, table_schema
from io_managers.functions import named_functions
from io_managers.lazy_lineage import lineage_metadata
from io_managers.parquet.files import Footers, ParquetFiles
from io_managers.parquet.merging import judge_keys, merged_file
from io_managers.parquet.partitions import staged_partitions
from io_managers.parquet.reading import read_part
from io_managers.parquet.versions import FOLDER, History, refuse_partitions
from io_managers.parquet.writing import sink_sorted, write_parquet
from io_managers.slices import PARTITION_EXPR
from io_managers.table import StagedWrite, TableIOManager, missing_table, refuse_none
from io_managers.write_locks import among_merges, one_at_a_time, unless_replaced
from io_managers.write_modes import keeps_rows
from warehouse_assets.io_manager import InputContext, OutputContext, TableSource
from warehouse_assets.keys import AssetKey
from warehouse_assets.metadata import stats_metadata
from warehouse_assets.table_options import TableOptions
from warehouse_assets.tables import PartitionFilter, TableSlice, TableStats, TableVersion, placed_key

if TYPE_CHECKING:
    import polars as pl
else:
    pl = Deferred("polars")

__all__ = ["ParquetIOManager"]

SUFFIX = ".parquet"

_NOTHING: Mapping[str, str] = {}
_STAGED: Stamp = (0, "staged")

Compression = Literal["zstd", "snappy", "lz4", "gzip", "brotli", "uncompressed"]


class ParquetIOManager(TableIOManager):
    """Keeps each asset as one Parquet file, `base_path/schema/table.parquet`; `base_path` is a folder or a URL.

    One with partitions is a folder `table.parquet.partitions` with a file for each, `partition=2024-01-01/data.parquet`, which
    other tools read as one table. Each file is replaced at once; several partitions that are written together, one after another.
    With `keep_versions` a folder `table.parquet.versions` holds earlier ones. `storage_options` go to the file system. SQL assets run on an embedded DuckDB.
    """

    write_modes: ClassVar = frozenset({"replace", "append", "upsert", "delete_insert", "snapshot"})

    reads_rows: ClassVar = True
    needs_partition_expr: ClassVar = False  # a partition is a file, and its rows are what was written to it

    base_path: str
    storage_options: Mapping[str, Any] = Field(default_factory=dict, repr=False)
    compression: Compression = "zstd"
    functions: Sequence[Any] = Field(default=(), repr=False)

    @classmethod
    def from_uri(cls, uri: str) -> Self:
        """The manager for files under the URL `uri`, whose query has fields of this class and options of the file system."""
        return cls(**fields_of(uri, cls))

    @cached_property
    def _files(self) -> Files:
        return Files(self.base_path, self.storage_options)

    @cached_property
    def _footers(self) -> Footers:
        return Footers(self._files)

    @property
    def store_id(self) -> str:
        return f"parquet:{self._files.uri(self._files.root)}"

    def place_of(self, key: AssetKey, metadata: Mapping[str, Any]) -> str:
        """The URI of the file, of a partitioned table too."""
        return self._files.uri(self._own(placed_key(key, metadata)).whole)

    def check_asset(self, key: AssetKey, metadata: Mapping[str, Any], partitions_def: Any) -> None:
        super().check_asset(key, metadata, partitions_def)
        refuse_partitions(key, TableOptions.of(metadata), partitions_def)

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

    def sql_functions(self) -> Mapping[str, Any]:
        return named_functions(self.functions)

    @property
    def called_functions(self) -> Sequence[Any]:
        return self.functions

    @contextmanager
    def staging(self, context: OutputContext, table: TableSlice, obj: Any) -> Generator[_Staged]:
        own = self._of(context)
        if context.partitions_def is not None:
            with staged_partitions(
                context, obj, own, self._footers, self.policy(context), self.compression, self.now()
            ) as paths:
                staged = _Staged(self, context.asset_key, paths)
                yield staged
            staged.stats = self._measured_partitions(context, own)
            return
        history = self._history(context, own)
        alone = keeps_rows(context.table_options.mode) or history.keep > 1
        with (
            ExitStack() as publishing,
            one_at_a_time(self._files, own.whole, context.log) if alone else nullcontext() as confirm,
        ):
            history.adopt(self.now())
            if confirm is not None and keeps_rows(context.table_options.mode):
                confirm = unless_replaced(self._files, [own.whole], confirm)
            with self._files.staging(own.whole, durable=True, confirm=confirm) as path:
                self._write(context, own, obj, path)
                staged = _Staged(self, context.asset_key, {own.whole: path})
                yield staged
                if not alone:
                    publishing.enter_context(among_merges(self._files, own.whole, context.log))
            staged.stats = self._settled(own, history, context.run_id)

    def query(self, sql: Any, sources: Mapping[AssetKey, TableSource]) -> AbstractContextManager[Any]:
        """The answer to `sql` as a `pyarrow.RecordBatchReader`, open inside the block; nothing is written."""
        return engine.answered(sql.calling(self.functions), sources)

    def duckdb_scan(self, connection: Any, context: InputContext) -> str:
        """A `read_parquet` of the files, or a scan by polars of those that are elsewhere."""
        return self.stored(context).duckdb_scan(connection)

    def column_names(self, source: TableSource) -> Sequence[str] | None:
        """The columns of a table of Parquet files, as a footer has them."""
        manager = source.io_manager
        return manager.stored(source.context).columns().names() if isinstance(manager, ParquetIOManager) else None

    def drop(self, context: OutputContext) -> bool:
        """Remove the table, or the partitions that are meant; whether there was one."""
        own = self._of(context)
        if context.partitions_def is None:
            self._files.remove_folder(own.whole + FOLDER)
        return own.drop(context)

    def table_versions(self, context: InputContext) -> Sequence[TableVersion]:
        """The versions of a table that are kept, since it was declared with `keep_versions`."""
        own = self._of(context.upstream_output)
        if not own.is_whole() and not own.partitions():
            raise missing_table(context, str(self.name_of(context.upstream_output)), self._files.uri(own.whole))
        return self._history(context.upstream_output, own).versions(self._footers, self.now())

    def roll_back(self, context: OutputContext, version: str) -> TableStats:
        """Make an earlier version of the table the present one, as a new version; what it is now is kept too."""
        own = self._of(context)
        with one_at_a_time(self._files, own.whole, context.log) as confirm:
            assert confirm is not None  # it waited
            declared = self._history(context, own)
            history = replace(declared, keep=max(declared.keep, len(declared.kept()), 2))
            old = history.find(version)
            history.adopt(self.now())
            history.restore(old, confirm)
            return self._settled(own, history, context.run_id)

    def read(self, context: InputContext, table: TableSlice, kind: FrameType) -> Any:
        return read_part(self.stored(context), context, table, kind)

    def stored(self, context: InputContext, staged: Mapping[str, str] = _NOTHING) -> ParquetFiles:
        """The files to read, where `staged` local ones take the place of others; TableNotFoundError where there is no table."""
        own = self._of(context.upstream_output)
        if context.table_version is not None:
            return ParquetFiles(self._files, [self._history(context.upstream_output, own).find(context.table_version).path])
        if own.whole in staged or own.is_whole():
            if context.partitions_def is not None:
                raise own.without_partitions()
            return ParquetFiles(self._files, [own.whole], staged=staged)
        lenient = self.policy(context.upstream_output) != "fail"
        paths: list[str] | None = None
        if context.partitions_def is not None:
            asked = own.meant(context).values()
            there = {*staged, *own.existing([path for path in asked if path not in staged])}
            paths = [path for path in asked if path in there]
            if len(paths) == 1 and not lenient:
                return ParquetFiles(self._files, paths, staged=staged)
        found = {**own.partitions(), **dict.fromkeys(staged, _STAGED)}
        if not found:
            raise missing_table(context, str(self.name_of(context.upstream_output)), self._files.uri(own.whole))
        meant = found if paths is None else {path: found[path] for path in paths if path in found}
        telling = found if lenient else meant or dict(islice(found.items(), 1))  # whose footers tell the columns
        footers = self._footers.of(telling, staged)
        schema = joint_schema(footer.schema for footer in footers.values())
        files = {path: footers[path].schema for path in meant if path in footers}
        alike = all(list(each.items()) == list(schema.items()) for each in files.values())
        return ParquetFiles(self._files, list(files), schema, alike, staged)

    def _write(self, context: OutputContext, own: AssetFiles, obj: Any, path: str) -> None:
        """Write the whole table to a local file: the new rows, sorted, with those it has where the mode keeps them."""
        options = context.table_options
        if not keeps_rows(options.mode) and not options.sort_by:
            write_parquet(context, obj, path, self.compression)
            return
        with self._files.scratch(own.whole) as written:
            if is_polars(obj, "DataFrame"):
                frame = obj.lazy()
            else:  # it is read more than once
                write_parquet(context, obj, written, "lz4")
                frame = pl.scan_parquet(written, glob=False, hive_partitioning=False)
            if keeps_rows(options.mode):
                judge_keys(options.mode, frame, own.key)
                stored = ParquetFiles(self._files, [own.whole]).scan() if own.is_whole() else None
                if stored is None and own.partitions():
                    raise own.without_whole()
                frame = merged_file(stored, frame, options.mode, self.policy(context), own.key, self.now())
            sink_sorted(frame, path, options.sort_by, own.key, self.compression)

    def _of(self, output: OutputContext) -> AssetFiles:
        return self._own(placed_key(output.asset_key, output.definition_metadata))

    def _own(self, key: AssetKey) -> AssetFiles:
        return AssetFiles(self._files, key, SUFFIX)

    def _streams(self, context: OutputContext) -> bool:
        """Whether a write that nobody looks at before it is published goes to its place in one go, without a local file."""
        options = context.table_options
        plain = not (keeps_rows(options.mode) or options.sort_by or options.columns or options.descriptions)
        return plain and context.partitions_def is None and not self._files.is_local

    def _stream(self, context: OutputContext, obj: Any) -> TableStats:
        own, obj = self._of(context), self.bound_to_partitions(context, obj)
        history = self._history(context, own)
        with one_at_a_time(self._files, own.whole, context.log) if history.keep > 1 else nullcontext() as confirm:
            history.adopt(self.now())
            with self._files.replacing(own.whole, confirm=confirm) as target:
                write_parquet(context, obj, target, self.compression)
            return self._settled(own, history, context.run_id)

    def _settled(self, own: AssetFiles, history: History, run_id: str | None) -> TableStats:
        """What the footer of the published file says, once it is a version; partitions that it replaced are removed."""
        self._files.remove_folder(own.folder)
        version = history.add(self.now(), run_id)
        footer = ParquetFiles(self._files, [own.whole]).footer()
        size, uri = self._files.size(own.whole), self._files.uri(own.whole)
        return TableStats(footer.rows, size, table_schema(footer.schema), uri=uri, version=version)

    def _history(self, output: OutputContext, own: AssetFiles) -> History:
        return History(own, output.table_options.keep_versions or 0)

    def _measured_partitions(self, context: OutputContext, own: AssetFiles) -> TableStats:
        """What the footers of all published files say; those that were read before are remembered."""
        found = own.partitions()
        footers = self._footers.of(found, _NOTHING)
        return TableStats(
            row_count=sum(footer.rows for footer in footers.values()),
            byte_size=sum(size for size, _ in found.values()),
            schema=table_schema(joint_schema(footer.schema for footer in footers.values())),
            uri=self._files.uri(own.folder),
            partition_row_count=sum(footers[path].rows for path in own.meant(context).values() if path in footers),
        )


class _Staged(StagedWrite):
    """Local files that are to take the place of others, by the paths of those."""

    manager: ParquetIOManager

    def __init__(self, manager: ParquetIOManager, key: AssetKey, files: Mapping[str, str]) -> None:
        super().__init__(manager)
        self.key = key
        self.files = files

    def read(self, context: InputContext, table: TableSlice, kind: FrameType) -> Any:
        return read_part(self.manager.stored(context, self.files), context, table, kind)

    def duckdb_scan(self, connection: Any, context: InputContext) -> str:
        """A SQL expression that reads the table as it will be."""
        return self.manager.stored(context, self.files).duckdb_scan(connection)

    def query(self, sql: Any, sources: Mapping[AssetKey, TableSource]) -> AbstractContextManager[Any]:
        """The answer to `sql`, for which the table is as it will be."""
        mine = {self.key: TableSource(self, sources[self.key].context)} if self.key in sources else {}
        return self.manager.query(sql, ChainMap(mine, sources))  # type: ignore[arg-type]
