"""The seam between tables and SQL databases: a `Session` is one transaction, and a `Dialect` knows how a database does things."""

from __future__ import annotations

import itertools
import re
from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, ClassVar

import polars as pl

from io_managers.sqlalchemy.types import Kind, kind_of
from warehouse_assets.errors import InvalidDefinitionError
from warehouse_assets.tables import TableName, quote_identifier

if TYPE_CHECKING:
    import logging

    from sqlalchemy.engine import Engine

    from io_managers.sqlalchemy.incoming import Incoming

__all__ = ["PARAMETER", "Confined", "CursorSession", "Dialect", "Session", "parameter_name"]

FETCH_ROWS = 50_000  # that are Python objects at once

PARAMETER = re.compile(r"\$(_wa_\w+_\d+)")

Confined = tuple[Mapping[str, str], str, Mapping[str, Any]]

_numbers = itertools.count(1)


def parameter_name(name: str = "value") -> str:
    """A name for a bound value; no two are the same, and none is one that people write. In SQL it follows a dollar sign."""
    return f"_wa_{name}_{next(_numbers)}"


class Session(ABC):
    """A connection with a transaction that is open from the first statement on."""

    @abstractmethod
    def execute(self, sql: str, parameters: Mapping[str, Any] | None = None) -> list[tuple[Any, ...]]:
        """The rows that a statement gives, whole; none where it gives none."""

    @abstractmethod
    def run(self, sql: str, parameters: Mapping[str, Any] | None = None) -> int:
        """Run a statement; how many rows it changed."""

    @abstractmethod
    def insert(self, table: TableName, kinds: Mapping[str, Kind], frames: Iterable[pl.DataFrame]) -> None:
        """Add the rows of encoded frames, which have the columns `kinds`, a batch at a time."""

    @abstractmethod
    def stream(self, sql: str, parameters: Mapping[str, Any], kinds: Mapping[str, Kind]) -> Iterator[pl.DataFrame]:
        """The rows of a query whose columns are of these kinds, a batch at a time, as they travel."""

    @abstractmethod
    def commit(self) -> None:
        """Publish what was done."""

    @abstractmethod
    def rollback(self) -> None:
        """Undo what was done."""

    @abstractmethod
    def close(self) -> None:
        """Undo what was not published, and give the connection back."""

    def spoil(self) -> None:  # noqa: B027
        """Have no one use the connection again, which has settings or temporary tables that others should not find."""


class Dialect(ABC):
    """What is different from database to database.

    Names of tables are physical ones: those that `place` gave. Types are the text by which the database names them.
    """

    name: ClassVar[str]
    folds_case: ClassVar[bool] = False
    transactional_ddl: ClassVar[bool] = True
    joins_by_hash: ClassVar[bool] = True  # and finds without an index which rows are among others
    keeps_views: ClassVar[bool] = True
    has_arrays: ClassVar[bool] = False  # among the values that are bound
    alters_types: ClassVar[bool] = True  # and the defaults of columns
    confines: ClassVar[bool] = True  # a session to reading

    def __init__(self, engine: Engine) -> None:
        self.engine = engine

    @property
    def sqlglot(self) -> str:
        """The name of its SQL in sqlglot."""
        return self.name

    @abstractmethod
    def session(self, *, rows: int | None = 0) -> Session:
        """A new transaction, on a connection that is good for so many rows: None for as many as may come."""

    def reading_session(self, table: TableName, *, reads_rows: bool = True) -> Session:
        """A new transaction to read a table, or no more of it than its columns."""
        return self.session()

    def pin(self, session: Session, table: TableName) -> None:  # noqa: B027
        """Have the table, if there is one, stay what it is until the transaction ends."""

    @property
    def default_schema(self) -> str | None:
        """The schema of tables whose key has one segment."""
        return None

    @property
    def is_missing(self) -> bool:
        """Whether there is no database yet."""
        return False

    def lock_name(self, table: TableName) -> str:
        """What threads lock to write the table."""
        return str(table).casefold() if self.folds_case else str(table)

    def rows_of(self, incoming: Incoming, few: int) -> int | None:
        """How many rows come, where that decides about the session: None for more than a few."""
        return 0

    def limited(self, query: str, limit: int | None) -> str:
        """No more than so many rows of a query."""
        return query if limit is None else f"{query} limit {limit}"

    def quote(self, name: str) -> str:
        """A quoted identifier."""
        return quote_identifier(name)

    def full(self, table: TableName) -> str:
        """The quoted name of a table."""
        return ".".join(self.quote(part) for part in (table.schema, table.table) if part is not None)

    def place(self, table: TableName) -> TableName:
        """The table as the database names it; InvalidDefinitionError for a name that it would cut or refuse."""
        for part in (table.schema, table.table):
            if part is not None:
                self.check_name(part)
        return table

    def check_name(self, name: str) -> None:
        """Raise InvalidDefinitionError for a name of a table, schema or column that the database would cut or refuse."""
        self.quote(name)

    def refuse_long(self, name: str, length: int, limit: int, unit: str) -> None:
        """Raise InvalidDefinitionError for a name that is longer than the limit."""
        if length > limit:
            raise InvalidDefinitionError(
                f"{self.name} takes names of up to {limit} {unit}, and {name!r} has {length}",
                hint="Give a shorter name; nothing is cut, since two names might then be one.",
            )

    def make_schema(self, table: TableName) -> None:  # noqa: B027
        """Make the schema of the table, in a transaction of its own, where there is none."""

    @abstractmethod
    def lock(self, session: Session, table: TableName, lock_timeout: float, log: logging.Logger) -> None:
        """Have the table written by this session alone, until its transaction ends or its process dies."""

    @abstractmethod
    def staging(self, table: TableName) -> TableName:
        """Where rows are staged that will be the table: in the same transaction or one that readers do not see."""

    @abstractmethod
    def sql_type(self, kind: Kind) -> str:
        """The type of a column of this kind."""

    @abstractmethod
    def kind(self, sql_type: str) -> Kind:
        """The kind of a column of this type."""

    @abstractmethod
    def describe(self, session: Session, table: TableName) -> dict[str, str] | None:
        """The types of the columns of a table or view, None where there is none."""

    @abstractmethod
    def describe_query(self, session: Session, query: str, parameters: Mapping[str, Any]) -> dict[str, str]:
        """The types of the columns of a query."""

    def confined(self, session: Session, query: str, parameters: Mapping[str, Any]) -> Confined:
        """The types of the columns of a query, what stands for it, and its parameters: from now on the session only reads.

        InvalidSQLError for a query that calls a function which may do more than read.
        """
        raise NotImplementedError(f"{self.name} cannot be kept from writing")

    def stored_kinds(
        self, session: Session, rows: str, types: Mapping[str, str], parameters: Mapping[str, Any] | None = None
    ) -> dict[str, Kind]:
        """The kinds of the columns of `rows`, which stand after FROM; those of a database that has them by value may look there."""
        return {name: self.kind(sql_type) for name, sql_type in types.items()}

    @abstractmethod
    def create(self, session: Session, table: TableName, kinds: Mapping[str, Kind], notes: Mapping[str, Any]) -> None:
        """Make a table without rows, with notes for some of its columns."""

    @abstractmethod
    def create_as(self, session: Session, table: TableName, query: str, parameters: Mapping[str, Any]) -> int:
        """Make a table from a query; how many rows it has."""

    def index(self, session: Session, table: TableName, columns: Sequence[str]) -> None:  # noqa: B027
        """Let rows of a staged table be found by these columns, where the database needs that to be fast."""

    def create_temporary(self, session: Session, kinds: Mapping[str, Kind]) -> TableName:
        """Make a table that nobody but this session sees."""
        table = TableName(parameter_name("brought"))
        columns = ", ".join(f"{self.quote(name)} {self.sql_type(kind)}" for name, kind in kinds.items())
        session.run(f"create temporary table {self.full(table)} ({columns})")
        return table

    def drop_temporary(self, session: Session, table: TableName) -> None:
        """Remove such a table; where the transaction failed, its end does."""
        with suppress(Exception):
            session.run(f"drop table if exists {self.full(table)}")

    @abstractmethod
    def notes(self, session: Session, table: TableName) -> dict[str, Any]:
        """What was noted of columns."""

    @abstractmethod
    def note(self, session: Session, table: TableName, notes: Mapping[str, Any]) -> None:
        """Note something of columns, and nothing of the others."""

    def reading(self, name: str, kind: Kind) -> str:
        """The SQL that gives a column as its kind travels."""
        return self.quote(name)

    def as_text(self, quoted: str) -> str:
        """The SQL for a value as text."""
        return f"cast({quoted} as text)"

    def bound(self, value: Any, kind: Kind) -> Any:
        """A moment, date, number or text, as it is bound to compare with a column of this kind."""
        return value

    def given(self, value: Any) -> Any:
        """A value that a person gave, as it is bound; NotImplemented for one of a type that the database has not."""
        return value

    def among_none(self, *, negated: bool) -> str:
        """The SQL after a value that asks whether it is, or is not, among none, which it never is."""
        return f"{'not ' if negated else ''}in (select null where 1 = 0)"

    @abstractmethod
    def swap(self, session: Session, staged: TableName, table: TableName) -> None:
        """Put the staged table in the place of the other, if there is one, in the transaction or at once."""

    def noted_type(self, kind: Kind) -> str:
        """The type of a column of this kind, as `describe` will tell it."""
        return self.sql_type(kind)

    def alike(self, stored: Kind, made: Kind) -> bool:
        """Whether what SQL made is stored as the values of a column are."""
        return stored == made

    def column(self, name: str, dtype: pl.DataType, notes: Mapping[str, Any]) -> str:
        """The definition of a column."""
        return f"{self.quote(name)} {self.sql_type(kind_of(dtype))}"

    def moment(self, moment: datetime) -> str:
        """The SQL for a moment, which has a time zone, to the microsecond."""
        return f"'{moment.astimezone(UTC).isoformat(' ', 'microseconds')}'"

    def describe_columns(self, session: Session, table: TableName, descriptions: Mapping[str, str]) -> None:  # noqa: B027
        """Let columns have what was said of them as their comments, where the database has such."""

    def cast(self, expression: str, sql_type: str) -> str:
        """The SQL for a value as another type."""
        return f"cast({expression} as {sql_type})"

    def discard(self, session: Session, staged: TableName) -> None:
        """Remove a staged table, in the transaction where that undoes it too."""
        self.drop(session, staged)

    def clean(self, session: Session, tables: Sequence[TableName]) -> None:  # noqa: B027
        """Remove the tables that the end of a failed transaction left behind."""

    def drop(self, session: Session, table: TableName) -> None:
        """Remove a table."""
        session.run(f"drop table {self.full(table)}")

    def is_view(self, session: Session, table: TableName) -> bool:
        """Whether there is a view of this name."""
        return False

    def create_view(self, session: Session, view: TableName, query: str) -> None:
        """Make a view, so that it can be told later from those that others made, where the database has a place for that."""
        session.run(f"create view {self.full(view)} as {query}")

    def remove(self, session: Session, table: TableName) -> None:
        """Remove a table or a view."""
        if self.is_view(session, table):
            session.run(f"drop view {self.full(table)}")
        else:
            self.drop(session, table)

    @abstractmethod
    def byte_size(self, table: TableName) -> int | None:
        """The bytes that a published table takes; None where the database does not tell."""

    def is_own_error(self, error: Exception) -> bool:
        """Whether an error comes from the driver."""
        return isinstance(error, self.engine.dialect.loaded_dbapi.Error)

    def is_bad_sql(self, error: Exception) -> bool:
        """Whether an error says that SQL is faulty, or names what is not there."""
        return False

    def is_locked(self, error: Exception) -> bool:
        """Whether an error says that another holds what is needed."""
        return False


class CursorSession(Session):
    """A session on a connection of the Python database API."""

    def __init__(self, dialect: Dialect) -> None:
        self.dialect = dialect
        self.connection = dialect.engine.raw_connection()
        self._style = dialect.engine.dialect.paramstyle

    def execute(self, sql: str, parameters: Mapping[str, Any] | None = None) -> list[tuple[Any, ...]]:
        cursor = self.cursor(sql, parameters)
        try:
            return [tuple(row) for row in cursor.fetchall()] if cursor.description is not None else []
        finally:
            cursor.close()

    def run(self, sql: str, parameters: Mapping[str, Any] | None = None) -> int:
        cursor = self.cursor(sql, parameters)
        try:
            return int(cursor.rowcount)
        finally:
            cursor.close()

    def cursor(self, sql: str, parameters: Mapping[str, Any] | None = None, cursor: Any = None) -> Any:
        """A cursor on which the statement was run."""
        cursor = self.connection.cursor() if cursor is None else cursor
        try:
            text, values = self.in_style(sql, parameters)
            if values is None:
                cursor.execute(text)
            else:
                cursor.execute(text, values)
        except BaseException:
            with suppress(Exception):
                cursor.close()
            raise
        return cursor

    def in_style(self, sql: str, parameters: Mapping[str, Any] | None) -> tuple[str, Any]:
        """A statement and its values as the driver takes them."""
        return _in_style(sql, parameters or {}, self._style)

    def insert(self, table: TableName, kinds: Mapping[str, Kind], frames: Iterable[pl.DataFrame]) -> None:
        names = ", ".join(map(self.dialect.quote, kinds))
        if self._style in ("format", "pyformat"):
            names = names.replace("%", "%%")
        marks = ", ".join(_marks(self._style, len(kinds)))
        statement = f"insert into {self.dialect.full(table)} ({names}) values ({marks})"
        cursor = self.connection.cursor()
        try:
            for frame in frames:
                for part in frame.iter_slices(FETCH_ROWS):
                    columns = [self.values(part[name], kind) for name, kind in kinds.items()]
                    self.insert_rows(cursor, statement, list(zip(*columns, strict=True)))
        finally:
            cursor.close()

    def insert_rows(self, cursor: Any, statement: str, rows: Sequence[tuple[Any, ...]]) -> None:
        """Add some rows."""
        cursor.executemany(statement, rows)

    def values(self, series: pl.Series, kind: Kind) -> list[Any]:
        """The values of an encoded column as the driver takes them."""
        return series.cast(pl.String).to_list() if kind.name == "numeric" else series.to_list()

    def stream(self, sql: str, parameters: Mapping[str, Any], kinds: Mapping[str, Kind]) -> Iterator[pl.DataFrame]:
        cursor = self.cursor(sql, parameters, self.streaming_cursor())
        try:
            while rows := cursor.fetchmany(FETCH_ROWS):
                columns = zip(*rows, strict=True)
                yield pl.DataFrame([self.series(*pair, values) for pair, values in zip(kinds.items(), columns, strict=True)])
        finally:
            cursor.close()

    def streaming_cursor(self) -> Any:
        """A cursor that does not fetch all rows at once, where the driver has one."""
        return None

    def series(self, name: str, kind: Kind, values: Sequence[Any]) -> pl.Series:
        """Values from the driver as a column that travels."""
        if kind.wire == pl.String():
            values = [value if value is None or isinstance(value, str) else str(value) for value in values]
        return pl.Series(name, values, dtype=kind.wire)

    def commit(self) -> None:
        self.connection.commit()

    def rollback(self) -> None:
        self.connection.rollback()

    def spoil(self) -> None:
        self.connection.detach()  # from the pool, which would give it to others

    def close(self) -> None:
        self.connection.close()


def _in_style(sql: str, parameters: Mapping[str, Any], style: str) -> tuple[str, Any]:
    """A statement and its values as a driver takes them."""
    if not parameters:
        return sql, None
    if style in ("format", "pyformat"):
        sql = sql.replace("%", "%%")
    if style in ("named", "pyformat"):
        form = ":{}" if style == "named" else "%({})s"
        return PARAMETER.sub(lambda match: form.format(match[1]) if match[1] in parameters else match[0], sql), dict(parameters)
    values: list[Any] = []

    def put(match: re.Match[str]) -> str:
        if match[1] not in parameters:
            return match[0]
        values.append(parameters[match[1]])
        return {"qmark": "?", "format": "%s"}.get(style) or f":{len(values)}"

    return PARAMETER.sub(put, sql), tuple(values)


def _marks(style: str, count: int) -> Iterator[str]:
    for number in range(1, count + 1):
        yield {"qmark": "?", "named": "?", "format": "%s", "pyformat": "%s"}.get(style) or f":{number}"
