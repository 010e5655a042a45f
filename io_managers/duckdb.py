"""`DuckDBIOManager`: tables in a DuckDB database file."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Generator, Mapping
from contextlib import AbstractContextManager, closing, contextmanager, suppress
from pathlib import Path
from typing import Any, Self
from urllib.parse import parse_qsl, unquote

import duckdb
import polars as pl
from pydantic import Field, PrivateAttr

from io_managers import engine
from io_managers.database import Database, Lease
from io_managers.duckdb_tables import (
    INCOMING,
    Incoming,
    column_types,
    file_size,
    full_name,
    replace_slice,
    replace_table,
    sliced,
    table_blocks,
)
from io_managers.duckdb_types import Column, is_null_inside, on_its_way, polars_schema, remembered, restored
from io_managers.frames import BATCH_ROWS, FrameType, Stream, empty, is_lazy, is_polars, requested
from io_managers.table import StagedWrite, TableIOManager, check_columns, missing_table
from warehouse_assets.errors import SchemaChangedError, TableNotFoundError, UnsupportedTypeError
from warehouse_assets.io_manager import InputContext, OutputContext, TableSource
from warehouse_assets.io_manager.contexts import logger
from warehouse_assets.keys import AssetKey
from warehouse_assets.sql import SQL
from warehouse_assets.tables import Table, TableColumn, TableName, TableSchema, TableSlice, TableStats, quote_identifier

__all__ = ["DuckDBIOManager"]

CHECKPOINT_WAIT = 1.0  # seconds that a small write waits for others to end before it is measured in the write-ahead log


class DuckDBIOManager(TableIOManager):
    """Keeps each asset as a table of a DuckDB database: the last segment of its key is the table, those before it the schema.

    `database` is a file, made on the first write, or ":memory:"; `schema` is that of keys with one segment. The file is held
    only while something reads or writes it. While another program holds it, a read or a write waits for `lock_timeout` seconds,
    saying so, and then raises StoreLockedError.
    """

    database: str = ":memory:"
    schema_: str = Field(default="main", alias="schema")
    lock_timeout: float = 60.0

    _memory: Database = PrivateAttr(default_factory=Database)

    def model_post_init(self, context: Any) -> None:
        super().model_post_init(context)
        engine.closing_with(self, self._memory.close)

    @classmethod
    def from_uri(cls, uri: str) -> Self:
        """The manager for `duckdb:///relative.duckdb`, `duckdb:////absolute.duckdb`, or `duckdb://` in memory; `?schema=name`."""
        place, _, query = uri.removeprefix("duckdb:").removeprefix("//").partition("?")
        return cls(database=unquote(place.removeprefix("/")) or ":memory:", **dict[str, Any](parse_qsl(query)))

    @property
    def store_id(self) -> str:
        return f"duckdb:{self._database.path or f':memory:{id(self._memory)}'}"

    @property
    def default_schema(self) -> str:
        return self.schema_

    @property
    def _database(self) -> Database:
        return self._memory if self.database == ":memory:" else Database.of(self.database)

    @property
    def _is_missing(self) -> bool:
        path = self._database.path
        return path is not None and not os.path.exists(path)

    def place_of(self, key: AssetKey, metadata: Mapping[str, Any]) -> str:
        """The name of the table; DuckDB takes no notice of case."""
        return str(self.table_name(key)).casefold()

    @contextmanager
    def staging(
        self, context: OutputContext, table: TableSlice, obj: Any, *, inspected: bool = False
    ) -> Generator[StagedInDuckDB]:
        """Write the table, or the slice of it, in a transaction that ends with the block; tables of this database do not leave it."""
        with (
            self._writing(context, table.name) as connection,
            self._incoming(connection, context, obj) as incoming,
            self._transaction(connection) as commit,
        ):
            if table.partitions is None:
                rows = replace_table(connection, table.name, incoming)
            else:
                key, policy = context.asset_key, self.policy_for(context)
                rows = replace_slice(connection, key, table, incoming, policy, context.partition_keys)
            staged = StagedInDuckDB(self, connection)
            yield staged
            quoted = full_name(connection, table.name)
            columns = column_types(connection, table.name) or {}
            whole = rows
            if table.partitions is not None:
                [(whole,)] = connection.execute(f"select count(*) from {quoted}").fetchall()
            logged = commit()
            staged.stats = TableStats(
                row_count=whole,
                byte_size=self._bytes_at_rest(connection, quoted, logged),
                schema=TableSchema(tuple(TableColumn(name, kind) for name, kind in columns.items())),
                table_name=str(table.name),
                partition_row_count=None if table.partitions is None else rows,
            )

    @contextmanager
    def _incoming(self, connection: duckdb.DuckDBPyConnection, context: OutputContext, obj: Any) -> Generator[Incoming]:
        """What is to be written, as the connection can read it inside the block."""
        if isinstance(obj, SQL):
            with engine.bound(
                obj,
                context.sources,
                connection,
                asset_key=context.asset_key,
                default_schema=self.schema_,
                in_place=lambda source: self._in_place(source, connection),
            ) as (text, parameters):
                yield Incoming(text, parameters)
            return
        frame, dtypes, stream = _prepare(obj, context.asset_key)
        connection.register(INCOMING, frame)
        try:
            yield Incoming(f"select {_casts(dtypes)} from {INCOMING}", None, dtypes, obj, stream)
        finally:
            connection.unregister(INCOMING)

    @contextmanager
    def _transaction(self, connection: duckdb.DuckDBPyConnection) -> Generator[Callable[[], int]]:
        """A transaction that is rolled back where the block raises; calling what the block gets commits it."""
        database = self._database
        with database.lock:
            database.writers += 1
        try:
            connection.begin()
            yield lambda: self._commit(connection)
        except BaseException:
            with suppress(duckdb.Error):  # the failure may have ended the transaction
                connection.rollback()
            raise
        finally:
            with database.lock:
                database.writers -= 1

    @contextmanager
    def query(self, sql: Any, sources: Mapping[AssetKey, TableSource]) -> Generator[Any]:
        """The answer to `sql` as a `pyarrow.RecordBatchReader`, open inside the block; nothing is written."""
        database = Database() if self._is_missing else self._database
        with (
            closing(database.lease(lock_timeout=self.lock_timeout, log=logger, reads_only=True)) as lease,
            self.answer(sql, sources, lease.connection) as reader,
        ):
            yield reader

    @contextmanager
    def answer(
        self,
        sql: Any,
        sources: Mapping[AssetKey, TableSource],
        connection: duckdb.DuckDBPyConnection,
    ) -> Generator[Any]:
        """The answer to `sql` on a connection to this database, on which a table may be staged."""
        with (
            engine.bound(
                sql,
                sources,
                connection,
                default_schema=self.schema_,
                in_place=lambda source: self._in_place(source, connection),
            ) as (text, parameters),
            connection.sql(text, params=parameters).to_arrow_reader() as reader,
        ):
            yield reader

    def read(self, context: InputContext, table: TableSlice, kind: FrameType) -> Any:
        if self._is_missing:
            return self._nothing(context, table, kind)
        lease = self._database.lease(lock_timeout=self.lock_timeout, log=context.log, reads_only=True)
        try:
            frame = self._frame(lease, context, table, kind)
        except TableNotFoundError:
            lease.close()
            return self._nothing(context, table, kind)
        except BaseException:
            lease.close()
            raise
        if kind in (FrameType.POLARS, FrameType.ARROW, FrameType.PANDAS):
            lease.close()
        return frame

    def _nothing(self, context: InputContext, table: TableSlice, kind: FrameType) -> Any:
        """What a table that does not exist gives: a frame without columns where no row is asked for, else an error."""
        if table.partitions != ():
            raise missing_table(context, str(table.name), self.database)
        return empty(kind)

    def drop(self, context: OutputContext) -> bool:
        """Remove the table; whether there was one."""
        name = self.table_name(context.asset_key)
        if self._is_missing:
            return False
        with self._writing(context, name) as connection:
            exists = column_types(connection, name) is not None
            connection.execute(f"drop table if exists {full_name(connection, name)}")
            return exists

    def _frame(self, lease: Lease, context: InputContext, table: TableSlice, kind: FrameType) -> Any:
        connection = lease.connection
        relation, columns = self.selected(connection, context, table, kind)
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
        return _whole(relation, columns, kind)

    def selected(
        self, connection: duckdb.DuckDBPyConnection, context: InputContext, table: TableSlice, kind: FrameType
    ) -> tuple[duckdb.DuckDBPyRelation, list[Column]]:
        """The rows and columns of a slice as a relation, and how its columns are read."""
        stored = column_types(connection, table.name)
        if stored is None:
            raise missing_table(context, str(table.name), self.database)
        check_columns(context, table.columns, list(stored))
        dtypes = remembered(connection, table.name, stored)
        polars = kind in (FrameType.POLARS, FrameType.LAZY)
        columns = [Column.of(name, stored[name], dtypes.get(name), polars=polars) for name in table.columns or stored]
        if kind is FrameType.RELATION:
            columns = [Column(column.name, quote_identifier(column.name)) for column in columns]
        names = ", ".join(column.sql for column in columns)
        return connection.sql(f"select {names} from {sliced(connection, table, stored)}"), columns

    def _in_place(self, source: TableSource, connection: duckdb.DuckDBPyConnection) -> str | None:
        manager = source.io_manager
        if isinstance(manager, StagedInDuckDB) and manager.connection is connection:
            manager = manager.manager
        if not isinstance(manager, DuckDBIOManager) or manager.store_id != self.store_id:
            return None
        table = manager.slice_to_read(source.context)
        stored = column_types(connection, table.name)
        if stored is None:
            raise missing_table(source.context, str(table.name), self.database)
        return sliced(connection, table, stored)

    @contextmanager
    def _writing(self, context: OutputContext, name: TableName) -> Generator[duckdb.DuckDBPyConnection]:
        """A connection on which the table is written by no one else in this process; its schema exists."""
        database = self._database
        if database.path is not None:
            Path(database.path).parent.mkdir(parents=True, exist_ok=True)
        with (
            database.table_lock(str(name)),
            closing(database.lease(lock_timeout=self.lock_timeout, log=context.log)) as lease,
        ):
            with database.lock:  # two threads that create one schema at once would fail
                lease.connection.execute(f"create schema if not exists {quote_identifier(name.schema or 'main')}")
            yield lease.connection

    def _commit(self, connection: duckdb.DuckDBPyConnection) -> int:
        """Commit; how many bytes that added to the write-ahead log."""
        database = self._database
        if database.path is None:
            connection.commit()
            return 0
        with database.commit_lock:
            before = file_size(f"{database.path}.wal")
            connection.commit()
            return max(0, file_size(f"{database.path}.wal") - before)

    def _bytes_at_rest(self, connection: duckdb.DuckDBPyConnection, table: str, logged: int) -> int | None:
        """The bytes of the blocks that hold the table; None in memory.

        A small table is in the write-ahead log until a checkpoint, which waits for the transactions of others to end: if they
        take too long, the `logged` bytes count instead.
        """
        if self._database.path is None:
            return None
        blocks, pending, block_size = table_blocks(connection, table)
        started = time.monotonic()
        while pending:
            with suppress(duckdb.TransactionException):
                connection.execute("checkpoint")
            blocks, pending, block_size = table_blocks(connection, table)
            if pending and time.monotonic() - started > CHECKPOINT_WAIT / (1 if self._database.writers else 10):
                return blocks * block_size + logged
            time.sleep(0.005 if pending else 0)
        return blocks * block_size


def _prepare(obj: Any, key: AssetKey) -> tuple[Any, dict[str, pl.DataType], Stream | None]:
    """A frame as DuckDB can read it, its polars types, and the stream it comes in where it is not whole."""
    whole = is_polars(obj, "DataFrame")
    if whole or is_lazy(obj):
        names, dtypes = obj.collect_schema().names(), dict(obj.collect_schema())
    else:
        stream = Stream.of(obj, key)
        names, dtypes = stream.schema.names, polars_schema(stream.schema)
    _check_names(names, key)
    for name, dtype in dtypes.items():
        if dtype == pl.Object:
            raise UnsupportedTypeError(f"the column {name!r} of asset {key.to_user_string()!r} holds Python objects")
    casts = {name: way for name, dtype in dtypes.items() if (way := on_its_way(dtype)) != dtype}
    if whole:
        return (obj.cast(casts) if casts else obj), dtypes, None
    if is_lazy(obj):
        lazy = obj.cast(casts) if casts else obj
        if not any(map(is_null_inside, dtypes.values())):
            # polars' own stream; one through Python objects takes a third longer, and hundreds of megabytes
            return lazy.collect_batches(chunk_size=BATCH_ROWS, lazy=True), dtypes, None
        stream = Stream.of(lazy, key)
    elif casts:
        stream = stream.cast(casts)
    return stream.reader(), dtypes, stream


def _casts(dtypes: Mapping[str, pl.DataType]) -> str:
    big = {
        name: "hugeint" if dtype == pl.Int128 else "uhugeint"
        for name, dtype in dtypes.items()
        if dtype in (pl.Int128, pl.UInt128)
    }
    if not big:
        return "*"
    replaced = (f"{quote_identifier(name)}::{kind} as {quote_identifier(name)}" for name, kind in big.items())
    return f"* replace ({', '.join(replaced)})"


def _check_names(names: list[str], key: AssetKey) -> None:
    if not names:
        raise UnsupportedTypeError(f"asset {key.to_user_string()!r} returned a frame without columns, which DuckDB cannot keep")
    seen: dict[str, str] = {}
    for name in names:
        if (other := seen.setdefault(name.casefold(), name)) is not name:
            raise SchemaChangedError(
                f"asset {key.to_user_string()!r} returned the columns {other!r} and {name!r}, which are one to DuckDB",
                hint="Rename one of them; case makes no difference.",
            )


def _whole(relation: duckdb.DuckDBPyRelation, columns: list[Column], kind: FrameType) -> Any:
    """All rows of a relation, as a frame that keeps nothing open."""
    casts = [column.expression for column in columns if column.casts]
    if kind in (FrameType.POLARS, FrameType.LAZY):
        frame = relation.pl()
        frame = frame.with_columns(casts) if casts else frame
        return frame.lazy() if kind is FrameType.LAZY else frame
    arrow = restored(relation.to_arrow_reader(), columns).read_all() if casts else relation.to_arrow_table()
    if kind is FrameType.PANDAS:
        return arrow.to_pandas()
    if kind is FrameType.RELATION:
        return engine.relation_of(arrow)
    return arrow.to_reader() if kind is FrameType.READER else arrow


class StagedInDuckDB(StagedWrite):
    """A table that a transaction has written and not committed: seen on its connection alone."""

    def __init__(self, manager: DuckDBIOManager, connection: duckdb.DuckDBPyConnection) -> None:
        self.manager = manager
        self.connection = connection

    def load_input(self, context: InputContext) -> Any:
        kind = requested(context.type_hint, context.asset_key)
        if kind is FrameType.HANDLE:
            return Table(context.asset_key)
        relation, columns = self.manager.selected(self.connection, context, self.manager.slice_to_read(context), kind)
        return _whole(relation, columns, kind)

    def query(self, sql: Any, sources: Mapping[AssetKey, TableSource]) -> AbstractContextManager[Any]:
        """The answer to `sql` as a `pyarrow.RecordBatchReader`, open inside the block; the staged table is among its sources."""
        return self.manager.answer(sql, sources, self.connection)
