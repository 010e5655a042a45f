"""Any database that SQLAlchemy has a dialect for, by plain SQL: its own names of types, and rows in batches."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, ClassVar
from uuid import uuid4

import sqlalchemy
from sqlalchemy import types

from io_managers.sqlalchemy.dialect import CursorSession, Dialect, Session
from io_managers.sqlalchemy.types import Kind, KindName
from warehouse_assets.tables import TableName

if TYPE_CHECKING:
    import logging

__all__ = ["Plain"]

_SQLGLOT = {"mssql": "tsql", "postgresql": "postgres", "cockroachdb": "postgres", "mariadb": "mysql"}

_TYPES: dict[KindName, types.TypeEngine[Any]] = {
    "boolean": types.Boolean(),
    "int16": types.SmallInteger(),
    "int32": types.Integer(),
    "int64": types.BigInteger(),
    "float32": types.Float(),
    "float64": types.Double(),
    "text": types.Text(),
    "binary": types.LargeBinary(),
    "date": types.Date(),
    "time": types.Time(),
    "timestamp": types.DateTime(),
    "timestamptz": types.DateTime(timezone=True),
    "interval": types.BigInteger(),
    "json": types.Text(),
}


class Plain(Dialect):
    """A database of which nothing is known beside what SQLAlchemy knows; types that it has no equal for are not remembered.

    Writers of one table wait for each other in their process only.
    """

    name: ClassVar[str] = "plain"
    keeps_views: ClassVar[bool] = False
    alters_types: ClassVar[bool] = False
    confines: ClassVar[bool] = False

    @property
    def sqlglot(self) -> str:
        from sqlglot.dialects.dialect import Dialects

        name = _SQLGLOT.get(self.engine.dialect.name, self.engine.dialect.name)
        return name if name in {each.value for each in Dialects} else ""

    @property
    def default_schema(self) -> str | None:
        with self.engine.connect() as connection:
            return connection.dialect.default_schema_name

    def session(self, *, rows: int | None = 0) -> PlainSession:
        return PlainSession(self)

    def quote(self, name: str) -> str:
        super().quote(name)
        quoted = self.engine.dialect.identifier_preparer.quote_identifier(name)
        return quoted.replace("%%", "%") if self.engine.dialect.paramstyle in ("format", "pyformat") else quoted  # done later

    def check_name(self, name: str) -> None:
        super().check_name(name)
        self.refuse_long(name, len(name), self.engine.dialect.max_identifier_length, "characters")

    def make_schema(self, table: TableName) -> None:
        with self.engine.begin() as connection:
            known = sqlalchemy.inspect(connection).get_schema_names()
            if table.schema is not None and table.schema not in known:
                connection.exec_driver_sql(f"create schema {self.quote(table.schema)}")

    def lock(self, session: Session, table: TableName, lock_timeout: float, log: logging.Logger) -> None:
        """Threads wait for each other before; others do where the database itself has them wait."""

    def staging(self, table: TableName) -> TableName:
        return TableName(f"wa_{uuid4().hex[:20]}", table.schema)

    def sql_type(self, kind: Kind) -> str:
        if kind.name == "numeric":
            number: types.TypeEngine[Any] = (
                types.Double() if kind.precision is None else types.Numeric(kind.precision, kind.scale)
            )
            return number.compile(self.engine.dialect)
        return _TYPES[kind.name].compile(self.engine.dialect)

    def kind(self, sql_type: str) -> Kind:
        return _kind_of_text(sql_type)

    def describe(self, session: Session, table: TableName) -> dict[str, str] | None:
        assert isinstance(session, PlainSession)
        try:
            columns = sqlalchemy.inspect(session.opened).get_columns(table.table, table.schema)
        except sqlalchemy.exc.NoSuchTableError:
            return None
        return {column["name"]: self._text_of(column["type"]) for column in columns}

    def _text_of(self, kind: types.TypeEngine[Any]) -> str:
        return "text" if isinstance(kind, types.NullType) else kind.compile(self.engine.dialect)

    def describe_query(self, session: Session, query: str, parameters: Mapping[str, Any]) -> dict[str, str]:
        staged = TableName(f"wa_{uuid4().hex[:20]}", self.default_schema)
        session.run(f"create table {self.full(staged)} as select * from (\n{query}\n) query where 1 = 0", parameters)
        found = self.describe(session, staged) or {}
        self.drop(session, staged)
        return found

    def create(self, session: Session, table: TableName, kinds: Mapping[str, Kind], notes: Mapping[str, Any]) -> None:
        columns = ", ".join(f"{self.quote(name)} {self.sql_type(kind)}" for name, kind in kinds.items())
        session.run(f"create table {self.full(table)} ({columns})")

    def create_as(self, session: Session, table: TableName, query: str, parameters: Mapping[str, Any]) -> int:
        session.run(f"create table {self.full(table)} as {query}", parameters)
        [(rows,)] = session.execute(f"select count(*) from {self.full(table)}")
        return int(rows)

    def notes(self, session: Session, table: TableName) -> dict[str, Any]:
        return {}

    def note(self, session: Session, table: TableName, notes: Mapping[str, Any]) -> None:
        """Nothing is noted in a database that is not known."""

    def as_text(self, quoted: str) -> str:
        return f"cast({quoted} as varchar(4000))"

    def swap(self, session: Session, staged: TableName, table: TableName) -> None:
        if self.describe(session, table) is not None:
            self.drop(session, table)
        session.run(f"alter table {self.full(staged)} rename to {self.quote(table.table)}")

    def byte_size(self, table: TableName) -> int | None:
        return None

    def is_bad_sql(self, error: Exception) -> bool:
        return type(error).__name__ == "ProgrammingError" or str(getattr(error, "sqlstate", "")).startswith("42")


_WORDS: tuple[tuple[tuple[str, ...], KindName], ...] = (
    (("bool", "bit"), "boolean"),
    (("smallint", "int2"), "int16"),
    (("bigint", "int8"), "int64"),
    (("interval",), "text"),
    (("int",), "int32"),
    (("with time zone", "timestamptz", "datetimeoffset"), "timestamptz"),
    (("timestamp", "datetime"), "timestamp"),
    (("date",), "date"),
    (("time",), "time"),
    (("real", "float4"), "float32"),
    (("float", "double"), "float64"),
    (("blob", "binary", "bytea", "raw", "image"), "binary"),
)


def _kind_of_text(sql_type: str) -> Kind:
    text = sql_type.lower()
    if text.startswith(("numeric", "decimal", "number")):
        _, _, size = text.partition("(")
        precision, _, scale = size.rstrip(")").partition(",")
        return Kind("numeric", int(precision), int(scale or 0)) if precision.isdigit() else Kind("float64")
    return Kind(next((name for words, name in _WORDS if any(word in text for word in words)), "text"))


class PlainSession(CursorSession):
    """A connection that SQLAlchemy opened, and through which it tells what is there, tables that are not yet published too."""

    def __init__(self, dialect: Dialect) -> None:
        self.dialect = dialect
        self.opened = dialect.engine.connect()
        self.connection = self.opened.connection
        self._style = dialect.engine.dialect.paramstyle

    def close(self) -> None:
        if not self.opened.closed:  # a stream closes it at its end, and when it is dropped
            self.rollback()
            self.opened.close()
