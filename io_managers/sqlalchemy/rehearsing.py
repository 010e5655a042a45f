"""Writes to a SQL database rehearsed: the database itself tells the columns of a query over temporary tables, and nothing is kept."""

from __future__ import annotations

from collections.abc import Collection, Generator, Mapping
from contextlib import closing, contextmanager
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

import polars as pl

from io_managers.column_contract import ColumnContract
from io_managers.frames import FrameType, Stream, from_reader, requested
from io_managers.merging import check_key, not_a_snapshot
from io_managers.rehearsal import promised_frame, types_of
from io_managers.slices import missing_partition_column, partition_columns
from io_managers.sqlalchemy.columns import fitting
from io_managers.sqlalchemy.conditions import own_name
from io_managers.sqlalchemy.dialect import Dialect, Session, parameter_name
from io_managers.sqlalchemy.incoming import Incoming
from io_managers.sqlalchemy.sql import bound_sql
from io_managers.sqlalchemy.types import default_dtype, kind_of
from io_managers.sqlalchemy.writing import Columns
from io_managers.table import check_columns, missing_table
from warehouse_assets.errors import SchemaChangedError, UnsupportedTypeError, close_matches
from warehouse_assets.io_manager import InputContext, IOManager, OutputContext, TableSource
from warehouse_assets.sql import SQL
from warehouse_assets.tables import Table, TableColumn, TableName, TableSchema

if TYPE_CHECKING:
    from io_managers.sqlalchemy.manager import SQLAlchemyIOManager

__all__ = ["DatabaseRehearsal", "EmptyTables", "rehearsed"]

_MOMENT = pl.Datetime("us", "UTC")  # of the times of a snapshot


@contextmanager
def rehearsed(store: SQLAlchemyIOManager, dialect: Dialect) -> Generator[DatabaseRehearsal]:
    """The rehearsal of writes to `store`. SQLite tries queries in a file of its own, since to open one is to make it."""
    if dialect.name == "plain":
        raise UnsupportedTypeError(f"what {store.store_id} makes of a query is not known without writing to it")
    if dialect.name != "sqlite":
        yield DatabaseRehearsal(store, dialect)
        return
    with TemporaryDirectory(prefix="warehouse-assets-", ignore_cleanup_errors=True) as folder:
        yield DatabaseRehearsal(store, store.apart(folder)._dialect)


class EmptyTables(IOManager):
    """Tables without rows, as frames and as columns that the database has types for."""

    def __init__(self) -> None:
        self.tables: dict[Any, Columns] = {}

    def handle_output(self, context: OutputContext, obj: Any) -> None:
        raise UnsupportedTypeError("tables of a rehearsal are made by the rehearsal")

    def load_input(self, context: InputContext) -> Any:
        kind = requested(context.type_hint, context.asset_key)
        if kind is FrameType.HANDLE:
            return Table(context.asset_key)
        types = self.tables[context.asset_key].dtypes
        check_columns(context, context.columns, list(types))
        frame = pl.DataFrame(schema={name: types[name] for name in context.columns or types})
        return from_reader(Stream.of(frame, context.asset_key).reader(), kind)


class DatabaseRehearsal:
    """Each query is described in a transaction of its own, over temporary tables with the columns of those that it reads."""

    def __init__(self, store: SQLAlchemyIOManager, dialect: Dialect) -> None:
        self.io_manager = EmptyTables()
        self._store = store
        self._dialect = dialect

    def recall(self, context: InputContext, without: Collection[str] = ()) -> TableSchema:
        store, dialect = self._store, self._store._dialect
        name = store.name_of(context.upstream_output)
        columns: Columns | None = None
        if not dialect.is_missing:
            with store._errors(context.asset_key), closing(dialect.session()) as session:
                columns = Columns.of(dialect, session, name, by_values=False)
        if columns is None:
            raise missing_table(context, str(name), store.store_id)
        for column in without:
            for parts in (columns.types, columns.kinds, columns.dtypes):
                parts.pop(column, None)
        return self._kept(context, columns)

    def promised(self, context: OutputContext) -> Any:
        return promised_frame(context)

    def write(self, context: OutputContext, obj: Any) -> TableSchema:
        is_sql = isinstance(obj, SQL)
        new = self._of_query(context, obj) if is_sql else self._of_frame(context, obj)
        self._check(context, new)
        return self._kept(context, self._merged(context, new, is_sql=is_sql))

    def _of_query(self, context: OutputContext, sql: SQL) -> Columns:
        dialect, store = self._dialect, self._store
        with (
            store._errors(context.asset_key, is_sql=True),
            closing(dialect.session()) as session,
            bound_sql(
                store.bound_to_partitions(context, sql),
                context.sources,
                dialect,
                session,
                asset_key=context.asset_key,
                default_schema=store.default_schema,
                in_place=lambda source: self._temporary(source, session),
            ) as (text, parameters),
        ):
            types = dialect.describe_query(session, text, parameters)
        kinds = {name: dialect.kind(text) for name, text in types.items()}
        return Columns(types, kinds, {name: default_dtype(kind) for name, kind in kinds.items()})

    def _of_frame(self, context: OutputContext, obj: Any) -> Columns:
        dialect, dtypes = self._dialect, dict(types_of(obj, context.asset_key))
        Incoming(pl.DataFrame(schema=dtypes), context.asset_key).check(dialect.name, folds_case=dialect.folds_case)
        kinds = {name: kind_of(dtype) for name, dtype in dtypes.items()}
        return Columns({name: dialect.noted_type(kind) for name, kind in kinds.items()}, kinds, dtypes)

    def _temporary(self, source: TableSource, session: Session) -> tuple[str, Mapping[str, Any]] | None:
        if source.io_manager is not self.io_manager:
            return None
        dialect, table = self._dialect, TableName(parameter_name("brought"))
        columns = self.io_manager.tables[source.asset_key].types.items()
        listed = ", ".join(f"{dialect.quote(name)} {text}" for name, text in columns)
        session.run(f"create temporary table {dialect.full(table)} ({listed})")
        return dialect.full(table), {}

    def _check(self, context: OutputContext, new: Columns) -> None:
        """Raise what a write raises over the columns of its rows alone."""
        key, options = context.asset_key, context.table_options
        if contract := ColumnContract.of(key, options):
            contract.check_types(new.dtypes)
        check_key(options.mode, list(new.types), key)
        for column in options.sort_by:
            if own_name(new.types, column, folds_case=self._dialect.folds_case) is None:
                raise SchemaChangedError(
                    f"asset {key.to_user_string()!r} is sorted by {column!r}, and its rows have no such column",
                    hint=close_matches(column, list(new.types)),
                )
        if context.partitions_def is not None:
            for column in partition_columns(key, context.definition_metadata, context.partitions_def):
                if own_name(new.types, column, folds_case=self._dialect.folds_case) is None:
                    raise missing_partition_column(key, column, list(new.types))

    def _merged(self, context: OutputContext, new: Columns, *, is_sql: bool) -> Columns:
        """The columns of the table once the rows are in it; SchemaChangedError where its policy does not allow them."""
        dialect, mode, key = self._dialect, context.table_options.mode, context.asset_key
        old = self.io_manager.tables.get(key)
        names = (mode.valid_from, mode.valid_to) if mode.kind == "snapshot" else ()
        if old is None or (context.partitions_def is None and mode.kind == "replace"):
            return _with(dialect, new, dict.fromkeys(names, _MOMENT))
        times = {}
        for name in names:
            if (own := own_name(old.types, name, folds_case=dialect.folds_case)) is None:
                raise not_a_snapshot(mode, name, key)
            times[own] = old.dtypes[own]
        fit = fitting(
            {name: dtype for name, dtype in old.dtypes.items() if name not in times},
            new.dtypes,
            self._store.policy(context),
            key,
            alike=dialect.alike if is_sql else None,
            folds_case=dialect.folds_case,
        )
        stay = {name: text for name, text in old.types.items() if name in fit.dtypes and name not in fit.retyped}
        kept = Columns(stay, {name: old.kinds[name] for name in stay}, {name: fit.dtypes[name] for name in stay})
        return _with(dialect, kept, {name: dtype for name, dtype in (fit.dtypes | times).items() if name not in stay})

    def _kept(self, context: InputContext | OutputContext, columns: Columns) -> TableSchema:
        self.io_manager.tables[context.asset_key] = columns
        return TableSchema(tuple(TableColumn(name, text) for name, text in columns.types.items()))


def _with(dialect: Dialect, columns: Columns, more: Mapping[str, pl.DataType]) -> Columns:
    """The columns, and more of them, by their polars types."""
    kinds = {name: kind_of(dtype) for name, dtype in more.items()}
    types = {name: dialect.noted_type(kind) for name, kind in kinds.items()}
    return Columns({**columns.types, **types}, {**columns.kinds, **kinds}, {**columns.dtypes, **more})
