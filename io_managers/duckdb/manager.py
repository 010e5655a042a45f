"""`DuckDBIOManager`: tables in a DuckDB database file."""

from __future__ import annotations

from collections import ChainMap
from collections.abc import Generator, Mapping, Sequence
from contextlib import AbstractContextManager, closing, contextmanager
from dataclasses import dataclass, replace
from logging import Logger
from pathlib import Path
from typing import Any, ClassVar, Self

import duckdb
from pydantic import Field, PrivateAttr

from io_managers import engine
from io_managers.column_contract import descriptions
from io_managers.database import Database, Lease
from io_managers.duckdb.catalog import bytes_at_rest, exists, full_name, is_listed, kinds_of, make_schema, schema_of
from io_managers.duckdb.incoming import Incoming, IncomingFrame
from io_managers.duckdb.merging import describe_columns, merge_rows, sorted_rows
from io_managers.duckdb.notes import remember, remembered
from io_managers.duckdb.partitions import write_partitions
from io_managers.duckdb.publishing import commit, rolled_back
from io_managers.duckdb.rehearsing import rehearsed
from io_managers.duckdb.settings import check_settings, from_uri
from io_managers.duckdb.versions import History, forget, is_tracked, listed, place_of_version, restore
from io_managers.duckdb.views import drop_view, put_view
from io_managers.engine_types import Column, restored
from io_managers.frames import FrameType
from io_managers.functions import named_functions
from io_managers.selected_rows import wrong_condition
from io_managers.slices import condition
from io_managers.table import StagedWrite, TableIOManager, check_columns, missing_table
from io_managers.views import is_view, refuse_values, seen_by_view, unreadable_view
from io_managers.write_modes import keeps_rows
from warehouse_assets.io_manager import InputContext, OutputContext, Rehearsal, ScansInDuckDB, TableSource
from warehouse_assets.io_manager.contexts import logger
from warehouse_assets.keys import AssetKey
from warehouse_assets.sql import SQL
from warehouse_assets.tables import SQLNaming, TableName, TableSlice, TableStats, TableVersion, placed_key, quote_identifier

__all__ = ["DuckDBIOManager"]

_NOTHING: Mapping[str, Any] = {}


@dataclass(frozen=True, slots=True)
class Written:
    """What a transaction wrote: the rows of the table, but not of a view, those of partitions if some were written, and a version."""

    rows: int | None
    partition_rows: int | None
    version: str | None


class DuckDBIOManager(TableIOManager):
    """Keeps each asset as a table of a DuckDB database: the last segment of its key is the table, those before it the schema.

    `database` is a file, made on the first write, or ":memory:"; `schema` is that of keys with one segment. `attach` names further
    files: an asset whose key has three segments or more, the first of which is such a name, is a table there. A file is held only
    while something reads or writes it. While another program holds it, a read or a write waits for `lock_timeout` seconds, saying
    so, and then raises StoreLockedError. `connection_config` are settings of DuckDB, such as `{"memory_limit": "2GB", "threads": 4}`.
    `functions` are Python functions that SQL and views can call, see `sql_function`.
    """

    database: str = ":memory:"
    attach: Mapping[str, str] = Field(default_factory=dict)
    schema_: str = Field(default="main", alias="schema")
    lock_timeout: float = 60.0
    connection_config: Mapping[str, Any] = Field(default_factory=dict)
    functions: Sequence[Any] = Field(default=(), repr=False)

    write_modes: ClassVar = frozenset({"replace", "append", "upsert", "delete_insert", "snapshot"})
    reads_rows: ClassVar = True
    keeps_views: ClassVar = True

    _memory: Database = PrivateAttr(default_factory=Database)
    _only_reads: bool = PrivateAttr(default=False)

    def model_post_init(self, context: Any) -> None:
        super().model_post_init(context)
        if self.connection_config:
            check_settings(self.connection_config)
        named_functions(self.functions)
        engine.closing_with(self, self._memory.close)

    @classmethod
    def from_uri(cls, uri: str) -> Self:
        """The manager for `duckdb:///relative.duckdb`, `duckdb:////absolute.duckdb`, or `duckdb://` in memory.

        `?schema=name&lock_timeout=5` are fields of the manager, what else follows the question mark settings of DuckDB.
        """
        return cls(**from_uri(uri))

    @property
    def store_id(self) -> str:
        return f"duckdb:{self._database.path or f':memory:{id(self._memory)}'}"

    @property
    def default_schema(self) -> str:
        return self.schema_

    def sql_naming(self) -> SQLNaming:
        return SQLNaming("duckdb", self.schema_, "memory" if self.database == ":memory:" else Path(self.database).stem)

    def sql_functions(self) -> Mapping[str, Any]:
        return named_functions(self.functions)

    @property
    def _database(self) -> Database:
        return self._memory if self.database == ":memory:" else Database.of(self.database)

    def opened_read_only(self) -> Self:
        """The same database, which DuckDB itself keeps from being written."""
        copy = self.model_copy()
        copy._only_reads = True
        return copy

    def keep_open(self, keep: bool) -> None:
        for database in (self._database, *map(Database.of, self.attach.values())):
            database.keep_open(keep)

    def _lease(self, database: Database, log: Logger, *, reads_only: bool = False) -> Lease:
        config = self.connection_config
        if self._only_reads and database.path is not None:
            config = {**config, "access_mode": "READ_ONLY", "autoinstall_known_extensions": False}
        lease = database.lease(lock_timeout=self.lock_timeout, log=log, reads_only=reads_only, config=config)
        if self.functions:
            database.learn(named_functions(self.functions))
        return lease

    def _database_of(self, name: TableName) -> Database:
        return self._database if name.catalog is None else Database.of(self.attach[name.catalog])

    def table_name(self, key: AssetKey, metadata: Mapping[str, Any] = _NOTHING) -> TableName:
        catalog, *path = placed_key(key, metadata).path
        if len(path) > 1 and catalog in self.attach:
            return replace(TableName.of(AssetKey(path)), catalog=catalog)
        return super().table_name(key, metadata)

    def place_of(self, key: AssetKey, metadata: Mapping[str, Any]) -> str:
        """The name of the table; DuckDB takes no notice of case."""
        return str(self.table_name(key, metadata)).casefold()

    @contextmanager
    def staging(self, context: OutputContext, table: TableSlice, obj: Any) -> Generator[_Staged]:
        frame = None if isinstance(obj, SQL) else IncomingFrame(obj, context.asset_key)
        database = self._database_of(table.name)
        with self._writing(context, table.name) as connection:
            source = self._from_sql(context, obj, connection) if frame is None else frame.registered(connection)
            with source as incoming:  # and no longer, since the block may read on this connection
                written = self._begin(connection, context, table, incoming)
            staged = _Staged(self, connection, database, context.asset_key)
            try:
                yield staged
                logged = commit(connection, database, context.asset_key)
            except BaseException:
                rolled_back(connection)
                raise
            staged.stats = self._measured(connection, table, written, logged)

    def _begin(
        self, connection: duckdb.DuckDBPyConnection, context: OutputContext, table: TableSlice, incoming: Incoming
    ) -> Written:
        """Write in a transaction that stays open."""
        try:
            history = self._history(connection, context, context.table_options.keep_versions)
            connection.begin()
            history.begin()
            rows, partition_rows = self._put(connection, context, table, incoming)
            return Written(rows, partition_rows, history.end(rows or 0))
        except BaseException:
            rolled_back(connection)
            raise

    def _put(
        self, connection: duckdb.DuckDBPyConnection, context: OutputContext, table: TableSlice, incoming: Incoming
    ) -> tuple[int | None, int | None]:
        """Write the rows; how many the table has, and the partitions where some are written. A view has none."""
        quoted, options, database = full_name(connection, table.name), context.table_options, self._database_of(table.name)
        words = descriptions(options, context.asset_key)
        if is_view(context):
            put_view(connection, database, table.name, incoming.query)
            describe_columns(connection, quoted, words)
            return None, None
        drop_view(connection, database, table.name)
        incoming = sorted_rows(connection, incoming, options.sort_by, context.asset_key)
        if not keeps_rows(options.mode) and table.partitions is None:
            statement = f"create or replace table {quoted} as {incoming.query}"
            found = connection.execute(statement, incoming.parameters).fetchall()
            found = (
                found or connection.execute(f"select count(*) from {quoted}").fetchall()
            )  # a PIVOT without IN tells no number
            [(rows,)] = found
            remember(connection, quoted, incoming.dtypes or {})
            describe_columns(connection, quoted, words)
            return rows, None
        if keeps_rows(options.mode):
            written = merge_rows(connection, context, table, quoted, incoming, self.policy(context), self.now())
        else:
            written = write_partitions(connection, context, table, quoted, incoming, self.policy(context))
        describe_columns(connection, quoted, words)
        [(rows,)] = connection.execute(f"select count(*) from {quoted}").fetchall()
        return rows, written

    def _history(self, connection: duckdb.DuckDBPyConnection, context: OutputContext, keep: int | None) -> History:
        name = self.name_of(context)
        with self._database_of(name).lock:
            return History.of(connection, name, keep or 1, self.now(), context.run_id)

    def table_versions(self, context: InputContext) -> Sequence[TableVersion]:
        """The versions of a table that are kept, since it was declared with `keep_versions`."""
        name = self.name_of(context.upstream_output)
        database = self._database_of(name)
        if database.is_missing:
            raise missing_table(context, str(name), str(database))
        with closing(self._lease(database, context.log, reads_only=True)) as lease:
            if not exists(lease.connection, name):
                raise missing_table(context, str(name), str(database))
            return listed(lease.connection, name) if is_tracked(lease.connection) else []

    def roll_back(self, context: OutputContext, version: str) -> TableStats:
        """Make an earlier version of the table the present one, as a new version; what it is now is kept too."""
        name = self.name_of(context)
        with self._writing(context, name) as connection:
            place_of_version(connection, name, version)
            keep = max(context.table_options.keep_versions or 1, len(listed(connection, name)))
            history = self._history(connection, context, max(keep, 2))
            try:
                connection.begin()
                history.begin()
                rows = restore(connection, name, version)
                described = descriptions(context.table_options, context.asset_key)
                describe_columns(connection, full_name(connection, name), described)
                written = Written(rows, None, history.end(rows))
                logged = commit(connection, self._database_of(name), context.asset_key)
            except BaseException:
                rolled_back(connection)
                raise
            return self._measured(connection, TableSlice(name), written, logged)

    @contextmanager
    def _from_sql(self, context: OutputContext, sql: SQL, connection: duckdb.DuckDBPyConnection) -> Generator[Incoming]:
        """The rows that `sql` gives; tables of this database do not leave it.

        Those of a query over the partitions that it replaces are kept aside, before the old ones are deleted.
        """
        seen: list[str] = []
        database = self._database_of(self.name_of(context))

        def in_place(source: TableSource) -> tuple[str, Mapping[str, Any]] | None:
            seen.append(self.place_of(source.asset_key, source.context.upstream_output.definition_metadata))
            return self._in_place(source, connection, database)

        with engine.bound(
            sql,
            context.sources,
            connection,
            asset_key=context.asset_key,
            default_schema=self.schema_,
            in_place=seen_by_view(context, in_place) if is_view(context) else in_place,
        ) as (text, parameters):
            if is_view(context):
                refuse_values(context, parameters)
            if context.partitions_def is None or str(self.name_of(context)).casefold() not in seen:
                yield Incoming(text, parameters)
                return
            aside = engine.temporary_name()
            connection.execute(f"create temp table {aside} as {text}", parameters)
            try:
                yield Incoming(f"select * from {aside}")
            finally:
                connection.execute(f"drop table {aside}")

    @contextmanager
    def query(self, sql: Any, sources: Mapping[AssetKey, TableSource]) -> Generator[Any]:
        """The answer to `sql` as a `pyarrow.RecordBatchReader`, open inside the block; nothing is written."""
        database = Database() if self._database.is_missing else self._database
        elsewhere: list[Any] = []

        def in_place(source: TableSource) -> tuple[str, Mapping[str, Any]] | None:
            if (found := self._in_place(source, lease.connection, database)) is None:
                elsewhere.append(source.io_manager)
            return found

        with (
            closing(self._lease(database, logger, reads_only=True)) as lease,
            engine.bound(sql, sources, lease.connection, default_schema=self.schema_, in_place=in_place) as (text, parameters),
            engine.answer(lease.connection, text, parameters, elsewhere if self._only_reads else None) as reader,
        ):
            yield reader

    def column_names(self, source: TableSource) -> Sequence[str] | None:
        """The columns of a table that SQL reads in place, here or where it is."""
        if self._database.is_missing:
            return None
        with closing(self._lease(self._database, logger, reads_only=True)) as lease:
            rows, parameters = self._in_place(source, lease.connection, self._database) or (None, {})
            if rows is None and isinstance(source.io_manager, ScansInDuckDB):
                rows = source.io_manager.duckdb_scan(lease.connection, source.context)
            return None if rows is None else lease.connection.sql(f"from {rows}", params=parameters or None).columns

    def read(self, context: InputContext, table: TableSlice, kind: FrameType) -> Any:
        database = self._database_of(table.name)
        if database.is_missing:
            raise missing_table(context, str(table.name), str(database))
        lease = self._lease(database, context.log, reads_only=True)
        try:
            frame = self._frame(lease, context, table, kind)
        except BaseException as error:
            lease.close()
            if table.where is not None and isinstance(error, (duckdb.BinderException, duckdb.ConversionException)):
                raise wrong_condition(table.where, context.asset_key, error) from None
            raise
        if kind in (FrameType.POLARS, FrameType.ARROW, FrameType.PANDAS):
            lease.close()
        return frame

    def apart(self, folder: str) -> Self:
        return self.with_config({"database": ":memory:", "attach": {}})

    def rehearsal(self) -> AbstractContextManager[Rehearsal]:
        """Tables without rows in a database in memory."""
        return rehearsed(self, self.apart(""))

    def drop(self, context: OutputContext) -> bool:
        """Remove the table; whether there was one."""
        name = self.name_of(context)
        if self._database_of(name).is_missing:
            return False
        with self._writing(context, name) as connection:
            found = exists(connection, name)
            drop_view(connection, self._database_of(name), name)
            connection.execute(f"drop table if exists {full_name(connection, name)}")
            if is_tracked(connection):
                forget(connection, name)
            return found

    def _frame(self, lease: Lease, context: InputContext, table: TableSlice, kind: FrameType) -> Any:
        """A frame that keeps the lease as long as it may read."""
        if context.table_version is not None:
            table = replace(table, name=place_of_version(lease.connection, table.name, context.table_version))
        relation, columns = self.select(lease.connection, context, table, kind, self._database_of(table.name))
        casts = [column.expression for column in columns if column.casts]
        match kind:
            case FrameType.LAZY:
                lazy = engine.closing_with(relation, lease.close).pl(lazy=True)
                return lazy.with_columns(casts) if casts else lazy
            case FrameType.RELATION:
                return engine.closing_with(relation, lease.close)
            case FrameType.READER:
                reader = relation.to_arrow_reader()

                def close() -> None:
                    reader.close()
                    lease.close()

                return engine.owned_reader(restored(reader, columns), close)
        return _whole_frame(relation, columns, kind)

    def select(
        self,
        connection: duckdb.DuckDBPyConnection,
        context: InputContext,
        table: TableSlice,
        kind: FrameType,
        unchanged: Database | None = None,
    ) -> tuple[duckdb.DuckDBPyRelation, list[Column]]:
        """The part of a table that is asked for, and its columns as a frame of type `kind` has them; see `remembered`."""
        quoted = full_name(connection, table.name)
        try:
            relation = connection.sql(f"from {quoted}")
        except (duckdb.CatalogException, duckdb.BinderException) as error:
            if is_listed(connection, table.name):
                raise unreadable_view(context, table.name, str(error)) from None
            raise missing_table(context, str(table.name), str(self._database_of(table.name))) from None
        stored = dict(zip(relation.columns, map(str, relation.types), strict=True))
        check_columns(context, table.columns, list(stored))
        dtypes = remembered(connection, table.name, stored, unchanged)
        polars = kind in (FrameType.POLARS, FrameType.LAZY)
        columns = [Column.of(name, stored[name], dtypes.get(name), polars=polars) for name in table.columns or stored]
        if kind is FrameType.RELATION:
            columns = [Column(column.name, quote_identifier(column.name)) for column in columns]
        rows, parameters = _rows_of(quoted, table, stored, context.asset_key)
        query = f"select {', '.join(column.sql for column in columns)} from {rows}"
        return connection.sql(query, params=parameters or None), columns

    def _in_place(
        self, source: TableSource, connection: duckdb.DuckDBPyConnection, database: Database, staged: AssetKey | None = None
    ) -> tuple[str, Mapping[str, Any]] | None:
        """The rows of a table of the connection's database, as SQL; of the one that is `staged`, if any, as it will be."""
        key = source.asset_key
        manager = self if key == staged else source.io_manager
        if not isinstance(manager, DuckDBIOManager):
            return None
        if manager._database_of(manager.name_of(source.context.upstream_output)) is not database:
            return None
        table = replace(manager.slice_of(source.context), where=None, limit=None)  # which are put around it
        if not (exists if staged is None else is_listed)(connection, table.name):
            raise missing_table(source.context, str(table.name), str(database))
        quoted = full_name(connection, table.name)
        if table.partitions is None:
            return quoted, {}
        return _rows_of(quoted, table, kinds_of(connection, quoted), key)

    @contextmanager
    def _writing(self, context: OutputContext, name: TableName) -> Generator[duckdb.DuckDBPyConnection]:
        """A connection on which the table is written by no one else in this process; its schema exists."""
        database = self._database_of(name)
        if database.path is not None:
            Path(database.path).parent.mkdir(parents=True, exist_ok=True)
        with (
            database.table_lock(str(name)),
            closing(self._lease(database, context.log)) as lease,
        ):
            with database.lock:  # two threads that create one schema at once would fail
                make_schema(lease.connection, name.schema or "main")
            yield lease.connection

    def _measured(self, connection: duckdb.DuckDBPyConnection, table: TableSlice, written: Written, logged: int) -> TableStats:
        """What was published."""
        quoted = full_name(connection, table.name)
        return TableStats(
            row_count=written.rows,
            byte_size=None
            if written.rows is None
            else bytes_at_rest(connection, self._database_of(table.name), quoted, logged),
            schema=schema_of(connection, quoted),
            table_name=str(table.name),
            partition_row_count=written.partition_rows,
            version=written.version,
        )


class _Staged(StagedWrite):
    """What was written in a transaction that is open; only its own connection sees it."""

    manager: DuckDBIOManager

    def __init__(
        self, manager: DuckDBIOManager, connection: duckdb.DuckDBPyConnection, database: Database, key: AssetKey
    ) -> None:
        super().__init__(manager)
        self._connection = connection
        self._database = database
        self._key = key

    def read(self, context: InputContext, table: TableSlice, kind: FrameType) -> Any:
        whole = {FrameType.LAZY: FrameType.POLARS, FrameType.READER: FrameType.ARROW}.get(kind, kind)
        frame = _whole_frame(*self.manager.select(self._connection, context, table, whole), whole)
        match kind:
            case FrameType.LAZY:
                return frame.lazy()
            case FrameType.READER:
                return frame.to_reader()
        return frame

    @contextmanager
    def query(self, sql: SQL, sources: Mapping[AssetKey, TableSource]) -> Generator[Any]:
        """The answer to `sql`, whole, as a `pyarrow.RecordBatchReader`; the asset's own key means what is staged."""
        own = TableSource(self.manager, InputContext(self._key))
        with engine.bound(
            sql,
            ChainMap({}, sources, {self._key: own}),  # type: ignore[arg-type]
            self._connection,
            default_schema=self.manager.schema_,
            in_place=lambda source: self.manager._in_place(source, self._connection, self._database, self._key),
        ) as (text, parameters):
            answer = self._connection.sql(text, params=parameters).to_arrow_table()
        with answer.to_reader() as reader:
            yield reader


def _whole_frame(relation: duckdb.DuckDBPyRelation, columns: Sequence[Column], kind: FrameType) -> Any:
    """All rows of a relation, as a frame that needs it no longer."""
    casts = [column.expression for column in columns if column.casts]
    if kind is FrameType.POLARS:
        frame = relation.pl()
        return frame.with_columns(casts) if casts else frame
    arrow = restored(relation.to_arrow_reader(), columns).read_all() if casts else relation.to_arrow_table()
    match kind:
        case FrameType.PANDAS:
            return arrow.to_pandas()
        case FrameType.RELATION:
            return engine.relation_of(arrow)
    return arrow


def _rows_of(quoted: str, table: TableSlice, kinds: Mapping[str, str], key: AssetKey) -> tuple[str, dict[str, Any]]:
    """What to select from, for the partitions and the rows of a table that are asked for, and its parameters."""
    rows, parameters = quoted, {}
    if table.partitions is not None:
        holds = condition(table.partitions, kinds, key)
        rows, parameters = f"(select * from {quoted} where {holds.sql})", holds.parameters
    return engine.limited(rows, table.where, table.limit, key), parameters
