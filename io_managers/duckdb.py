"""`DuckDBIOManager`: tables in a DuckDB database file."""

from __future__ import annotations

import os
import time
from collections.abc import Generator, Mapping
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from typing import Any, Self
from urllib.parse import parse_qsl, unquote

import duckdb
import polars as pl
from pydantic import Field, PrivateAttr

from io_managers import engine
from io_managers.database import Database, Lease
from io_managers.duckdb_types import Column, is_null_inside, on_its_way, polars_schema, remember, remembered, restored
from io_managers.frames import BATCH_ROWS, FrameType, Stream, is_lazy, is_polars
from io_managers.table import TableIOManager, check_columns, missing_table
from warehouse_assets.errors import SchemaChangedError, TableError, UnsupportedTypeError
from warehouse_assets.io_manager import InputContext, OutputContext, TableSource
from warehouse_assets.io_manager.contexts import logger
from warehouse_assets.keys import AssetKey
from warehouse_assets.tables import TableColumn, TableName, TableSchema, TableSlice, TableStats, quote_identifier

__all__ = ["DuckDBIOManager"]

CHECKPOINT_WAIT = 1.0  # seconds that a small write waits for others to end before it is measured in the write-ahead log

_BROKEN_STREAM = "reading the stream registered as '_incoming' failed: "


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

    def write(self, context: OutputContext, table: TableSlice, obj: Any) -> TableStats:
        frame, dtypes, stream = _prepare(obj, context.asset_key)
        with self._writing(context, table.name) as connection:
            connection.register("_incoming", frame)
            try:
                return self._replace(connection, table.name, f"select {_casts(dtypes)} from _incoming", dtypes=dtypes)
            except duckdb.Error as error:
                if stream is not None and stream.error is not None:
                    raise stream.error from None
                _raise_own(error, obj)
                raise
            finally:
                connection.unregister("_incoming")

    def run_sql(self, context: OutputContext, sql: Any) -> TableStats:
        """Make the table of `context.asset_key` from `sql`; tables of this database do not leave it."""
        name = self.table_name(context.asset_key)
        with (
            self._writing(context, name) as connection,
            engine.bound(
                sql,
                context.sources,
                connection,
                asset_key=context.asset_key,
                default_schema=self.schema_,
                in_place=lambda source: self._in_place(source, connection),
            ) as (text, parameters),
        ):
            return self._replace(connection, name, text, parameters)

    @contextmanager
    def query(self, sql: Any, sources: Mapping[AssetKey, TableSource]) -> Generator[Any]:
        """The answer to `sql` as a `pyarrow.RecordBatchReader`, open inside the block; nothing is written."""
        database = Database() if self._is_missing else self._database
        with (
            closing(database.lease(lock_timeout=self.lock_timeout, log=logger, reads_only=True)) as lease,
            engine.bound(
                sql,
                sources,
                lease.connection,
                default_schema=self.schema_,
                in_place=lambda source: self._in_place(source, lease.connection),
            ) as (text, parameters),
            lease.connection.sql(text, params=parameters).to_arrow_reader() as reader,
        ):
            yield reader

    def read(self, context: InputContext, table: TableSlice, kind: FrameType) -> Any:
        if self._is_missing:
            raise missing_table(context, str(table.name), self.database)
        lease = self._database.lease(lock_timeout=self.lock_timeout, log=context.log, reads_only=True)
        try:
            frame = self._frame(lease, context, table, kind)
        except BaseException:
            lease.close()
            raise
        if kind in (FrameType.POLARS, FrameType.ARROW, FrameType.PANDAS):
            lease.close()
        return frame

    def drop(self, context: OutputContext) -> bool:
        """Remove the table; whether there was one."""
        name = self.table_name(context.asset_key)
        if self._is_missing:
            return False
        with self._writing(context, name) as connection:
            exists = _exists(connection, name)
            connection.execute(f"drop table if exists {_quoted(connection, name)}")
            return exists

    def _frame(self, lease: Lease, context: InputContext, table: TableSlice, kind: FrameType) -> Any:
        connection = lease.connection
        quoted = _quoted(connection, table.name)
        try:
            relation = connection.sql(f"from {quoted}")
        except duckdb.CatalogException:
            raise missing_table(context, str(table.name), self.database) from None
        stored = dict(zip(relation.columns, map(str, relation.types), strict=True))
        check_columns(context, table.columns, list(stored))
        dtypes = remembered(connection, table.name, stored)
        polars = kind in (FrameType.POLARS, FrameType.LAZY)
        columns = [Column.of(name, stored[name], dtypes.get(name), polars=polars) for name in table.columns or stored]
        if kind is FrameType.RELATION:
            columns = [Column(column.name, quote_identifier(column.name)) for column in columns]
        relation = connection.sql(f"select {', '.join(column.sql for column in columns)} from {quoted}")
        casts = [column.expression for column in columns if column.casts]
        match kind:
            case FrameType.POLARS:
                frame = relation.pl()
                return frame.with_columns(casts) if casts else frame
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
        arrow = restored(relation.to_arrow_reader(), columns).read_all() if casts else relation.to_arrow_table()
        return arrow if kind is FrameType.ARROW else arrow.to_pandas()

    def _in_place(self, source: TableSource, connection: duckdb.DuckDBPyConnection) -> str | None:
        manager = source.io_manager
        if not isinstance(manager, DuckDBIOManager) or manager.store_id != self.store_id:
            return None
        name = manager.table_name(source.asset_key)
        if not _exists(connection, name):
            raise missing_table(source.context, str(name), self.database)
        return _quoted(connection, name)

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

    def _replace(
        self,
        connection: duckdb.DuckDBPyConnection,
        name: TableName,
        query: str,
        parameters: Mapping[str, Any] | None = None,
        dtypes: Mapping[str, pl.DataType] | None = None,
    ) -> TableStats:
        database = self._database
        quoted = _quoted(connection, name)
        with database.lock:
            database.writers += 1
        try:
            connection.begin()
            [(rows,)] = connection.execute(f"create or replace table {quoted} as {query}", parameters).fetchall()
            remember(connection, quoted, dtypes or {})
            columns = connection.execute(f"describe {quoted}").fetchall()
            logged = self._commit(connection)
        except BaseException as error:
            with suppress(duckdb.Error):  # the failure may have ended the transaction
                connection.rollback()
            if isinstance(error, duckdb.CatalogException) and "is of type View" in str(error):
                hint = f"Drop it first: drop view {name.quoted}"
                raise TableError(f"{name} in {self.database} is a view, not a table", hint=hint) from None
            raise
        finally:
            with database.lock:
                database.writers -= 1
        return TableStats(
            row_count=rows,
            byte_size=self._bytes_at_rest(connection, quoted, logged),
            schema=TableSchema(tuple(TableColumn(column[0], column[1]) for column in columns)),
            table_name=str(name),
        )

    def _commit(self, connection: duckdb.DuckDBPyConnection) -> int:
        """Commit; how many bytes that added to the write-ahead log."""
        database = self._database
        if database.path is None:
            connection.commit()
            return 0
        with database.commit_lock:
            before = _file_size(f"{database.path}.wal")
            connection.commit()
            return max(0, _file_size(f"{database.path}.wal") - before)

    def _bytes_at_rest(self, connection: duckdb.DuckDBPyConnection, table: str, logged: int) -> int | None:
        """The bytes of the blocks that hold the table; None in memory.

        A small table is in the write-ahead log until a checkpoint, which waits for the transactions of others to end: if they
        take too long, the `logged` bytes count instead.
        """
        if self._database.path is None:
            return None
        blocks, pending, block_size = _blocks(connection, table)
        started = time.monotonic()
        while pending:
            with suppress(duckdb.TransactionException):
                connection.execute("checkpoint")
            blocks, pending, block_size = _blocks(connection, table)
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


def _raise_own(error: duckdb.Error, obj: Any) -> None:
    """Raise what a LazyFrame raised while DuckDB read it.

    DuckDB passes on the text alone, so the frame is computed again, without storing it, up to where it fails.
    """
    _, _, text = str(error).partition(_BROKEN_STREAM)
    if not (text and is_lazy(obj)):
        return
    for _ in obj.collect_batches(chunk_size=BATCH_ROWS, lazy=True):
        pass
    raise pl.exceptions.ComputeError(text) from None


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


def _quoted(connection: duckdb.DuckDBPyConnection, name: TableName) -> str:
    """The full name, with the catalog, since a schema may be called like the database file."""
    [(catalog,)] = connection.execute("select current_database()").fetchall()
    return f"{quote_identifier(catalog)}.{name.quoted}"


def _exists(connection: duckdb.DuckDBPyConnection, name: TableName) -> bool:
    try:
        connection.sql(f"from {_quoted(connection, name)}")
    except duckdb.CatalogException:
        return False
    return True


def _blocks(connection: duckdb.DuckDBPyConnection, table: str) -> tuple[int, bool, int]:
    """How many blocks hold the table, whether some of it is not in a block yet, and the bytes of a block."""
    [row] = connection.execute(
        """
        with segments as (from pragma_storage_info($table))
        select
            (select count(distinct block) from (
                select block_id as block from segments where persistent and block_id >= 0
                union all select unnest(additional_block_ids) from segments where persistent)),
            (select coalesce(bool_or(not persistent), false) from segments),
            (select block_size from pragma_database_size() where database_name = current_database())
        """,
        {"table": table},
    ).fetchall()
    return row


def _file_size(path: str) -> int:
    try:
        return os.stat(path).st_size
    except FileNotFoundError:
        return 0
