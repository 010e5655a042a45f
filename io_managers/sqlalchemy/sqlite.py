"""SQLite: tables in one file, where one transaction writes at a time and readers see what was before it."""

from __future__ import annotations

import itertools
import json
import sqlite3
from collections.abc import Mapping, Sequence
from contextlib import suppress
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar
from uuid import UUID

import polars as pl

from io_managers.sqlalchemy.confining import confine_sqlite
from io_managers.sqlalchemy.dialect import PARAMETER, Confined, CursorSession, Dialect, Session
from io_managers.sqlalchemy.engines import patience
from io_managers.sqlalchemy.types import Kind, KindName
from io_managers.views import MARK
from warehouse_assets.errors import InvalidConfigError, TableError
from warehouse_assets.keys import AssetKey
from warehouse_assets.tables import TableName

if TYPE_CHECKING:
    import logging

    from sqlalchemy.engine import Engine

__all__ = ["NOTES", "SQLite"]

NOTES = "_wa_column_types"  # the table with what SQLite forgets of columns
STAGED = "_wa_staged"

# The names decide how SQLite keeps values: one with "INT" as integers, with "TEXT" as they are, other ones as numbers if they are.
_TYPES: dict[KindName, str] = {
    "boolean": "BOOLEAN",
    "int16": "SMALLINT",
    "int32": "INT4",
    "int64": "BIGINT",
    "numeric": "DECIMAL_TEXT",
    "float32": "FLOAT",
    "float64": "DOUBLE",
    "text": "TEXT",
    "binary": "BLOB",
    "date": "DATE",
    "time": "TIME",
    "timestamp": "TIMESTAMP",
    "timestamptz": "TIMESTAMPTZ",
    "interval": "INTERVAL",
    "json": "JSON_TEXT",
}
_KINDS = {text: name for name, text in _TYPES.items()} | {"DATETIME": "timestamp", "JSON": "json", "BOOL": "boolean"}
_AS_TEXT = ("date", "time", "timestamp", "timestamptz", "numeric", "json")
_FORMATS = {"time": "%H:%M:%S%.6f", "timestamp": "%Y-%m-%d %H:%M:%S%.6f", "timestamptz": "%Y-%m-%d %H:%M:%S%.6f+00:00"}

_MARK = f"/* {MARK} */"

_views = itertools.count(1)


class SQLite(Dialect):
    """Schemas are part of the names of tables: `shop/orders`. Files are in write-ahead mode, so that readers do not wait."""

    name: ClassVar[str] = "sqlite"
    folds_case: ClassVar[bool] = True
    joins_by_hash: ClassVar[bool] = False
    alters_types: ClassVar[bool] = False

    def __init__(self, engine: Engine) -> None:
        super().__init__(engine)
        self.path = engine.url.database
        if not self.path or self.path == ":memory:":
            raise InvalidConfigError("a SQLite database in memory is another one for each thread", hint="Name a file.")

    @property
    def default_schema(self) -> str:
        return "main"

    @property
    def is_missing(self) -> bool:
        return not Path(str(self.path)).exists()

    def lock_name(self, table: TableName) -> str:
        return ""  # since one transaction writes at a time

    def session(self, *, rows: int | None = 0) -> SQLiteSession:
        Path(str(self.path)).parent.mkdir(parents=True, exist_ok=True)
        return SQLiteSession(self)

    def place(self, table: TableName) -> TableName:
        name = AssetKey(table.table).to_escaped_string()
        if table.schema not in (None, "main"):
            name = f"{table.schema}/{name}"
        self.check_name(name)
        return TableName(name)

    def lock(self, session: Session, table: TableName, lock_timeout: float, log: logging.Logger) -> None:
        def attempt(seconds: float) -> bool:
            session.run(f"pragma busy_timeout = {int(seconds * 1000)}")
            try:
                session.run("begin immediate")
            except sqlite3.OperationalError as error:
                if not self.is_locked(error):
                    raise
                return False
            return True

        with suppress(sqlite3.OperationalError):  # of others that read or write just now: the next write will do it
            session.run("pragma journal_mode = wal")
        patience(attempt, str(self.path), lock_timeout, log)
        session.run(f"pragma busy_timeout = {int(lock_timeout * 1000)}")

    def staging(self, table: TableName) -> TableName:
        return TableName(STAGED)

    def sql_type(self, kind: Kind) -> str:
        sized = kind.name == "numeric" and kind.precision is not None
        return f"{_TYPES[kind.name]}({kind.precision},{kind.scale})" if sized else _TYPES[kind.name]

    def kind(self, sql_type: str) -> Kind:
        base, _, size = sql_type.upper().partition("(")
        if name := _KINDS.get(base.strip()):
            if base == "DECIMAL_TEXT" and size:
                precision, _, scale = size.rstrip(")").partition(",")
                return Kind("numeric", int(precision), int(scale or 0))
            return Kind(name)
        for words, found in ((("INT",), "int64"), (("CHAR", "CLOB", "TEXT"), "text"), (("REAL", "FLOA", "DOUB"), "float64")):
            if any(word in base for word in words):
                return Kind(found)  # type: ignore[arg-type]
        return Kind("json", item=pl.Null())  # to be told by its values

    def stored_kinds(
        self, session: Session, rows: str, types: Mapping[str, str], parameters: Mapping[str, Any] | None = None
    ) -> dict[str, Kind]:
        kinds = {name: self.kind(text) for name, text in types.items()}
        for name, kind in kinds.items():
            if kind.item is not None:
                found = session.execute(f"select distinct typeof({self.quote(name)}) from {rows} limit 6", parameters)
                kinds[name] = Kind(_by_values({text for (text,) in found}))
        return kinds

    def describe(self, session: Session, table: TableName) -> dict[str, str] | None:
        rows = session.execute("select name, type from pragma_table_info($_wa_t_0)", {"_wa_t_0": table.table})
        return dict(rows) if rows else None

    def describe_query(self, session: Session, query: str, parameters: Mapping[str, Any]) -> dict[str, str]:
        view = f"_wa_view_{next(_views)}"
        session.run(f"create temp view {view} as {PARAMETER.sub('null', query)}")  # a view has no parameters
        rows = session.execute(f"select name, type from pragma_table_info('{view}')")
        session.run(f"drop view temp.{view}")
        return dict(rows)

    def confined(self, session: Session, query: str, parameters: Mapping[str, Any]) -> Confined:
        types = self.describe_query(session, query, parameters)
        confine_sqlite(session)
        return types, query, parameters

    def create(self, session: Session, table: TableName, kinds: Mapping[str, Kind], notes: Mapping[str, Any]) -> None:
        self._create(session, table, {name: self.sql_type(kind) for name, kind in kinds.items()})
        self.note(session, table, notes)

    def _create(self, session: Session, table: TableName, types: Mapping[str, str]) -> None:
        columns = ", ".join(f"{self.quote(name)} {text}" for name, text in types.items())
        session.run(f"create table {self.full(table)} ({columns})")

    def create_as(self, session: Session, table: TableName, query: str, parameters: Mapping[str, Any]) -> int:
        self._create(session, table, self.describe_query(session, query, parameters))  # which keeps the types that columns have
        return session.run(f"insert into {self.full(table)} {query}", parameters)

    def index(self, session: Session, table: TableName, columns: Sequence[str]) -> None:
        names = ", ".join(map(self.quote, columns))
        session.run(f"create index {self.quote(f'{table.table}_keys')} on {self.full(table)} ({names})")

    def notes(self, session: Session, table: TableName) -> dict[str, Any]:
        if not self.describe(session, TableName(NOTES)):
            return {}
        rows = session.execute(f"select notes from {NOTES} where name = $_wa_t_0", {"_wa_t_0": table.table})
        return dict(json.loads(rows[0][0])) if rows else {}

    def note(self, session: Session, table: TableName, notes: Mapping[str, Any]) -> None:
        if notes or self.describe(session, TableName(NOTES)):
            session.run(f"create table if not exists {NOTES} (name text primary key collate nocase, notes text)")
            session.run(f"delete from {NOTES} where name = $_wa_t_0", {"_wa_t_0": table.table})
        if notes:
            text = json.dumps(dict(notes), ensure_ascii=False)
            session.run(f"insert into {NOTES} values ($_wa_t_0, $_wa_t_1)", {"_wa_t_0": table.table, "_wa_t_1": text})

    def alike(self, stored: Kind, made: Kind) -> bool:
        return stored == made or (made.name == "text" and stored.name in _AS_TEXT)

    def cast(self, expression: str, sql_type: str) -> str:
        return expression  # SQLite casts as it stores

    def bound(self, value: Any, kind: Kind) -> Any:
        return value.isoformat(" ") if isinstance(value, datetime) else str(value) if isinstance(value, date) else value

    def given(self, value: Any) -> Any:
        match value:
            case datetime(tzinfo=None) | None:
                return self.bound(value, Kind("text"))
            case datetime():
                return self.bound(value.astimezone(UTC), Kind("text"))
            case date() | UUID():
                return str(value)
            case time(tzinfo=None):
                return value.isoformat()
            case Decimal() | time() | timedelta():
                return NotImplemented
        return value

    def is_view(self, session: Session, table: TableName) -> bool:
        return self._query_of(session, table) is not None

    def _query_of(self, session: Session, view: TableName) -> str | None:
        """The SQL of a view, None where there is none."""
        known = "select sql from sqlite_master where type = 'view' and name = $_wa_t_0 collate nocase"
        return next((sql for (sql,) in session.execute(known, {"_wa_t_0": view.table})), None)

    def create_view(self, session: Session, view: TableName, query: str) -> None:
        super().create_view(session, view, f"{_MARK} {query}")

    def swap(self, session: Session, staged: TableName, table: TableName) -> None:
        session.run("pragma legacy_alter_table = on")  # else views of the table, which is not there for a moment, are an error
        if (old := self._query_of(session, table)) is not None and _MARK not in old:
            raise TableError(f"{table} is a view, not a table", hint=f"Drop it first: drop view {self.full(table)}")
        if old is not None or self.describe(session, table) is not None:
            self.remove(session, table)
        notes = self.notes(session, staged)
        if (query := self._query_of(session, staged)) is not None:  # which cannot be renamed
            self.remove(session, staged)
            self.create_view(session, table, query.partition(_MARK)[2].strip())
        else:
            session.run(f"alter table {self.full(staged)} rename to {self.quote(table.table)}")
        self.note(session, staged, {})
        self.note(session, table, notes)

    def byte_size(self, table: TableName) -> int | None:
        session = self.session()
        try:
            [(size,)] = session.execute("select sum(pgsize) from dbstat where name = $_wa_t_0", {"_wa_t_0": table.table})
            return int(size)
        except sqlite3.OperationalError:  # built without dbstat
            return None
        finally:
            session.close()

    def is_bad_sql(self, error: Exception) -> bool:
        texts = ("no such column", "no such table", "no such function", "syntax error", "ambiguous column", "misuse of")
        return isinstance(error, sqlite3.OperationalError) and any(text in str(error) for text in texts)

    def is_locked(self, error: Exception) -> bool:
        return isinstance(error, sqlite3.OperationalError) and ("locked" in str(error) or "busy" in str(error))


def _by_values(found: set[str]) -> KindName:
    """The kind of a column whose type is not declared, by the types of its values."""
    found.discard("null")
    if found == {"blob"}:
        return "binary"
    if found and found <= {"integer", "real"}:
        return "int64" if found == {"integer"} else "float64"
    return "text"


class SQLiteSession(CursorSession):
    """A connection that is its transaction's only user."""

    def values(self, series: pl.Series, kind: Kind) -> list[Any]:
        match kind.name:
            case "boolean":
                return series.cast(pl.Int64).to_list()
            case "interval":
                return series.to_physical().to_list()
            case "date":
                return series.cast(pl.String).to_list()
            case "time" | "timestamp" | "timestamptz" as name:
                return series.dt.strftime(_FORMATS[name]).to_list()
            case "float32" | "float64" if series.is_nan().any():  # which SQLite takes for NULL
                return [value if value is None or value == value else "NaN" for value in series.to_list()]
        return super().values(series, kind)

    def series(self, name: str, kind: Kind, values: Sequence[Any]) -> pl.Series:
        match kind.name:
            case "boolean":
                return pl.Series(name, values, dtype=pl.Int64).cast(pl.Boolean)
            case "interval":
                return pl.Series(name, values, dtype=pl.Int64).cast(kind.wire)
            case "date" | "time" | "timestamp":
                return pl.Series(name, values, dtype=pl.String).str.strptime(kind.wire)  # type: ignore[arg-type]
            case "timestamptz":
                return pl.Series(name, values, dtype=pl.String).str.to_datetime(time_unit="us", time_zone="UTC")
            case "float32" | "float64":
                values = [float(value) if isinstance(value, str) else value for value in values]
        return super().series(name, kind, values)

    def rollback(self) -> None:
        if self.connection.dbapi_connection is not None and self.connection.dbapi_connection.in_transaction:
            self.connection.rollback()
