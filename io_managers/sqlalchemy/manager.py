"""`SQLAlchemyIOManager`: tables in PostgreSQL, MySQL, MariaDB, SQLite, and any database that SQLAlchemy knows."""

from __future__ import annotations

from collections import ChainMap
from collections.abc import Generator, Iterator, Mapping
from contextlib import AbstractContextManager, closing, contextmanager
from typing import Any, ClassVar, Self, get_args

import polars as pl
from pydantic import Field, PrivateAttr
from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import ArgumentError, DBAPIError

from io_managers.frames import FrameType
from io_managers.sqlalchemy.dialect import Dialect, Session
from io_managers.sqlalchemy.engines import Locks, engine_of, parsed, plain_text
from io_managers.sqlalchemy.incoming import Incoming
from io_managers.sqlalchemy.only_loading import OnlyLoads
from io_managers.sqlalchemy.reading import Selection, lazy_frame, reader_of, whole_frame
from io_managers.sqlalchemy.sql import bound_sql, invalid_sql
from io_managers.sqlalchemy.writing import Columns, Writing
from io_managers.table import StagedWrite, TableIOManager, missing_table
from io_managers.views import check_view, is_view, refuse_values, seen_by_view
from warehouse_assets.errors import StoreLockedError, TableError, WarehouseAssetsError
from warehouse_assets.io_manager import InputContext, IOManager, OutputContext, Rehearsal, TableSource
from warehouse_assets.keys import AssetKey
from warehouse_assets.resources import EnvVar
from warehouse_assets.sql import SQL
from warehouse_assets.table_options import TableOptions, WriteModeKind
from warehouse_assets.tables import SQLNaming, TableColumn, TableName, TableSchema, TableSlice, TableStats

__all__ = ["SQLAlchemyIOManager"]

FEW_ROWS = 50_000  # that are read ahead, to choose the way that suits so many

_locks: dict[str, Locks] = {}


class SQLAlchemyIOManager(TableIOManager):
    """Keeps each asset as a table of a SQL database: the last segment of its key is the table, those before it the schema.

    `url` is one of SQLAlchemy's, such as `postgresql://me:secret@host/warehouse`, or an `EnvVar`; its password is shown nowhere.
    `schema` is that of keys with one segment: by default the database's own. A table that another writes is waited for,
    `lock_timeout` seconds, which is said, and then StoreLockedError.
    """

    reads_rows: ClassVar[bool] = True
    keeps_views: ClassVar[bool] = True
    write_modes: ClassVar[frozenset[WriteModeKind]] = frozenset(get_args(WriteModeKind))

    url: str
    schema_: str | None = Field(default=None, alias="schema")
    lock_timeout: float = 60.0
    _only_reads: bool = PrivateAttr(default=False)

    @classmethod
    def from_uri(cls, uri: str) -> Self:
        """The manager for a URL of SQLAlchemy; `?schema=name` is the schema of keys with one segment."""
        try:
            url = make_url(uri)
        except ArgumentError:
            return cls(url=uri)
        schema = url.query.get("schema")
        if not isinstance(schema, str):
            return cls(url=uri)
        return cls(url=url.difference_update_query(["schema"]).render_as_string(hide_password=False), schema=schema)

    def __repr_args__(self) -> Iterator[tuple[str | None, Any]]:
        for name, value in super().__repr_args__():
            shown = name == "url" and isinstance(value, str) and not isinstance(value, EnvVar)
            yield name, self._url.render_as_string() if shown else value

    @property
    def _url(self) -> URL:
        return parsed(self.url.get_value() if isinstance(self.url, EnvVar) else self.url)

    @property
    def store_id(self) -> str:
        url = self._url
        if url.get_backend_name() == "sqlite":
            import os

            return f"sqlite:{os.path.realpath(url.database or '')}"
        return URL.create(
            url.get_backend_name(), host=url.host, port=url.port, database=url.database, query=url.query
        ).render_as_string()

    @property
    def default_schema(self) -> str | None:
        return self.schema_ or self._dialect.default_schema

    @property
    def _dialect(self) -> Dialect:
        return dialect_of(self._url)

    def sql_naming(self) -> SQLNaming:
        catalog = self._url.database if self._dialect.sqlglot == "postgres" else None
        return SQLNaming(self._dialect.sqlglot, self.default_schema, catalog)

    def table_name(self, key: AssetKey, metadata: Mapping[str, Any] = {}) -> TableName:
        return self._dialect.place(super().table_name(key, metadata))

    def place_of(self, key: AssetKey, metadata: Mapping[str, Any]) -> str:
        """The name of the table, in small letters where the database takes no notice of case."""
        text = str(self.table_name(key, metadata))
        return text.casefold() if self._dialect.folds_case else text

    def check_asset(self, key: AssetKey, metadata: Mapping[str, Any], partitions_def: Any) -> None:
        super().check_asset(key, metadata, partitions_def)
        check_view(key, TableOptions.of(metadata), partitions_def, keeps_views=self._dialect.keeps_views)
        self.table_name(key, metadata)

    def opened_read_only(self) -> IOManager:
        """The same database, which itself keeps SQL from writing; one that is not known to do so answers none."""
        if not self._dialect.confines:
            return OnlyLoads(self)
        copy = self.model_copy()
        copy._only_reads = True
        return copy

    def _check_writable(self) -> None:
        if self._only_reads:
            raise TableError(f"{self.store_id} was opened to be read")

    @contextmanager
    def staging(self, context: OutputContext, table: TableSlice, obj: Any) -> Generator[_Staged]:
        self._check_writable()
        dialect = self._dialect
        incoming = None if isinstance(obj, SQL) else Incoming(obj, context.asset_key)
        rows: int | None = 0
        if incoming is not None:
            incoming.check(dialect.name, folds_case=dialect.folds_case)
            for name in incoming.dtypes:
                dialect.check_name(name)
            with self._errors(context.asset_key, incoming):
                rows = dialect.rows_of(incoming, FEW_ROWS)
        locks = _locks.setdefault(self.store_id, Locks())
        with (
            locks.held(dialect.lock_name(table.name), f"the table {table.name}", self.lock_timeout, context.log),
            self._errors(context.asset_key, incoming, is_sql=incoming is None),
        ):
            dialect.make_schema(table.name)
            with closing(dialect.session(rows=rows)) as session:
                dialect.lock(session, table.name, self.lock_timeout, context.log)
                staged = dialect.staging(table.name)
                writing = Writing(dialect, session, context, table.name, staged, staged, self.now())
                try:
                    written = self._begin(writing, table, obj, incoming)
                    measured = _Staged(self, writing, written)
                    yield measured
                    total = measured.count()
                    schema = self._schema(writing)
                    writing.publish()
                except BaseException:
                    writing.undo()
                    raise
            measured.stats = TableStats(
                row_count=total,
                byte_size=None if total is None else dialect.byte_size(table.name),
                schema=schema,
                table_name=str(table.name),
                partition_row_count=None if table.partitions is None else written,
            )

    def _begin(self, writing: Writing, table: TableSlice, obj: Any, incoming: Incoming | None) -> int | None:
        """Stage the rows, in a transaction that stays open; how many they are, None for a view."""
        dialect, session, staged = writing.dialect, writing.session, writing.staged
        if incoming is None:
            context = writing.context

            def in_place(source: TableSource) -> tuple[str, Mapping[str, Any]] | None:
                return self._in_place(source, session)

            with bound_sql(
                obj,
                context.sources,
                dialect,
                session,
                asset_key=context.asset_key,
                default_schema=self.default_schema,
                in_place=seen_by_view(context, in_place) if is_view(context) else in_place,
            ) as (text, parameters):
                if is_view(context):
                    refuse_values(context, parameters)
                    dialect.create_view(session, staged, text)
                    dialect.describe(session, staged)  # which finds faults that no one looked for before
                    return None
                if writing.context.table_options.sort_by:
                    text = writing.sorted_query(text, dialect.describe_query(session, text, parameters))
                rows = dialect.create_as(session, staged, text, parameters)
        else:
            writing.stage(incoming.dtypes, incoming.frames())
            rows = incoming.rows
        if table.partitions is None and writing.context.table_options.mode.kind == "replace":
            return rows
        return writing.merge(table.partitions, incoming.dtypes if incoming else None, self.policy(writing.context))

    def _schema(self, writing: Writing) -> TableSchema:
        types = writing.dialect.describe(writing.session, writing.target) or {}
        return TableSchema(tuple(TableColumn(name, text) for name, text in types.items()))

    def read(self, context: InputContext, table: TableSlice, kind: FrameType) -> Any:
        session: Session | None = self._reading(context, table.name, reads_rows=kind is not FrameType.LAZY)
        assert session is not None
        try:
            selection = self.select(session, context, table)
            if kind is FrameType.LAZY:
                return lazy_frame(
                    selection, lambda: self._reading(context, table.name), lambda: self._errors(context.asset_key)
                )
            if kind is FrameType.READER:
                opened, session = session, None
                return reader_of(selection, self._failing_well(selection.frames(opened), context.asset_key), opened.close)
            with self._errors(context.asset_key):
                return whole_frame(selection, selection.frames(session), kind)
        finally:
            if session is not None:
                session.close()

    def _failing_well(self, frames: Iterator[pl.DataFrame], key: AssetKey) -> Iterator[pl.DataFrame]:
        with self._errors(key), closing(frames):  # type: ignore[type-var]
            yield from frames

    def _reading(self, context: InputContext, table: TableName, *, reads_rows: bool = True) -> Session:
        if self._dialect.is_missing:
            raise missing_table(context, str(table), self.store_id)
        with self._errors(context.asset_key):
            return self._dialect.reading_session(table, reads_rows=reads_rows)

    def select(self, session: Session, context: InputContext, table: TableSlice, target: TableName | None = None) -> Selection:
        """The part of a table that is asked for, of the table `target` where that is to be the one."""
        with self._errors(context.asset_key):
            columns = Columns.of(self._dialect, session, target or table.name)
        if columns is None:
            raise missing_table(context, str(table.name), self.store_id)
        selection = Selection.of(self._dialect, columns, context, table, target or table.name)
        if table.where is not None:
            with self._errors(
                context.asset_key, is_sql=True
            ):  # and not as the rows are read, which frames do in their own ways
                session.execute(self._dialect.limited(f"select 1 from {selection.rows}", 0), selection.parameters)
        return selection

    def apart(self, folder: str) -> Self:
        return self.with_config({"url": f"sqlite:///{folder}/rehearsal.sqlite", "schema_": None})

    def rehearsal(self) -> AbstractContextManager[Rehearsal]:
        """Tables without rows, of which the database is asked in transactions that are rolled back."""
        from io_managers.sqlalchemy.rehearsing import rehearsed

        return rehearsed(self, self._dialect)

    def drop(self, context: OutputContext) -> bool:
        """Remove the table; whether there was one."""
        self._check_writable()
        name, dialect = self.name_of(context), self._dialect
        if dialect.is_missing:
            return False
        with self._errors(context.asset_key), closing(dialect.session()) as session:
            dialect.lock(session, name, self.lock_timeout, context.log)
            found = dialect.is_view(session, name) or dialect.describe(session, name) is not None
            if found:
                dialect.note(session, name, {})
                dialect.remove(session, name)
            session.commit()
            return found

    @contextmanager
    def query(self, sql: Any, sources: Mapping[AssetKey, TableSource]) -> Generator[Any]:
        """The answer to `sql` as a `pyarrow.RecordBatchReader`, open inside the block; nothing is written."""
        with self._errors(None, is_sql=True), closing(self._dialect.session()) as session:
            yield from self._answer(session, sql, sources, lambda source: self._in_place(source, session))

    def _answer(self, session: Session, sql: SQL, sources: Mapping[AssetKey, TableSource], in_place: Any) -> Iterator[Any]:
        dialect = self._dialect
        with bound_sql(
            sql, sources, dialect, session, default_schema=self.default_schema, several=not self._only_reads, in_place=in_place
        ) as (text, parameters):
            if self._only_reads:
                confined = dialect.confined(session, text, parameters)
            else:
                confined = dialect.describe_query(session, text, parameters), text, parameters
            selection = Selection.of_query(dialect, session, *confined)
            with reader_of(selection, selection.frames(session), lambda: None) as reader:
                yield reader

    def _in_place(
        self, source: TableSource, session: Session, staged: tuple[AssetKey, TableName] | None = None
    ) -> tuple[str, Mapping[str, Any]] | None:
        """The rows of a table of this database, as SQL; of the one that is `staged`, if any, as it will be."""
        manager = self if staged is not None and source.asset_key == staged[0] else source.io_manager
        if not isinstance(manager, SQLAlchemyIOManager) or manager.store_id != self.store_id:
            return None
        table = manager.slice_of(source.context)
        name = staged[1] if staged is not None and source.asset_key == staged[0] else table.name
        if not self._only_reads:  # of views, this may run what they call, before the session only reads
            self._dialect.pin(session, name)
        columns = Columns.of(self._dialect, session, name)
        if columns is None:
            raise missing_table(source.context, str(table.name), self.store_id)
        return Selection.rows_of(self._dialect, columns, source.asset_key, table.partitions, name)

    @contextmanager
    def _errors(self, key: AssetKey | None, incoming: Incoming | None = None, *, is_sql: bool = False) -> Generator[None]:
        """Raise what a database says as errors of the tree, which name the asset and the store and hide the password."""
        dialect = self._dialect
        try:
            yield
        except WarehouseAssetsError:
            raise
        except Exception as error:
            if incoming is not None and incoming.error is not None:
                raise incoming.error from None
            if not (isinstance(error, DBAPIError) or dialect.is_own_error(error)):
                raise
            own = error.orig if isinstance(error, DBAPIError) and isinstance(error.orig, Exception) else error
            said = plain_text(error, self._url)
            whose = f"asset {key.to_user_string()!r} in {self.store_id}" if key else self.store_id
            if is_sql and dialect.is_bad_sql(own):
                raise invalid_sql(said, key) from None
            if dialect.is_locked(own):
                raise StoreLockedError(f"{whose}: {said}", hint="Let the other end, or give a longer lock_timeout.") from None
            failed = TableError(f"{whose}: {said}")
            for note in getattr(error, "__notes__", ()):
                failed.add_note(note)
            raise failed from None


class _Staged(StagedWrite):
    """What was written in a transaction that is open; only its own session sees it."""

    manager: SQLAlchemyIOManager

    def __init__(self, manager: SQLAlchemyIOManager, writing: Writing, rows: int | None) -> None:
        super().__init__(manager)
        self._writing = writing
        self._rows = rows

    def quote(self, name: str) -> str:
        return self._writing.dialect.quote(name)

    def count(self) -> int | None:
        """The rows of the whole table; those of a view are not counted."""
        writing = self._writing
        if writing.target == writing.staged:
            return self._rows
        [(rows,)] = writing.session.execute(f"select count(*) from {writing.dialect.full(writing.target)}")
        return int(rows)

    def read(self, context: InputContext, table: TableSlice, kind: FrameType) -> Any:
        session = self._writing.session
        selection = self.manager.select(session, context, table, self._writing.target)
        with self.manager._errors(context.asset_key):
            return whole_frame(selection, selection.frames(session), kind)

    @contextmanager
    def query(self, sql: SQL, sources: Mapping[AssetKey, TableSource]) -> Generator[Any]:
        """The answer to `sql`, whole, as a `pyarrow.RecordBatchReader`; the asset's own key means what is staged."""
        writing, key = self._writing, self._writing.context.asset_key
        own = TableSource(self.manager, InputContext(key))
        with self.manager._errors(None, is_sql=True):
            answers = self.manager._answer(
                writing.session,
                sql,
                ChainMap({}, sources, {key: own}),  # type: ignore[arg-type]
                lambda source: self.manager._in_place(source, writing.session, (key, writing.target)),
            )
            for reader in answers:
                table = reader.read_all()
        with table.to_reader() as whole:
            yield whole


def dialect_of(url: URL) -> Dialect:
    """What is known of the database of a URL."""
    engine = engine_of(url)
    match url.get_backend_name(), url.get_driver_name():
        case "postgresql", "psycopg":
            from io_managers.sqlalchemy.postgresql import PostgreSQL

            return PostgreSQL(engine)
        case "mysql" | "mariadb", "pymysql":
            from io_managers.sqlalchemy.mysql import MySQL

            return MySQL(engine)
        case "sqlite", _:
            from io_managers.sqlalchemy.sqlite import SQLite

            return SQLite(engine)
    from io_managers.sqlalchemy.plain import Plain

    return Plain(engine)
