"""MySQL and MariaDB, where a schema is a database and every change of a table commits: tables are made beside, and renamed at once."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping, Sequence
from contextlib import suppress
from datetime import UTC, datetime, time
from typing import TYPE_CHECKING, Any, ClassVar
from uuid import UUID, uuid4

import polars as pl

from io_managers.sqlalchemy.confining import types_while_reading_mysql
from io_managers.sqlalchemy.dialect import Confined, CursorSession, Dialect, Session
from io_managers.sqlalchemy.engines import patience
from io_managers.sqlalchemy.types import Kind, KindName, kind_of
from warehouse_assets.errors import InvalidDefinitionError, UnsupportedTypeError
from warehouse_assets.tables import TableName

if TYPE_CHECKING:
    import logging

__all__ = ["MySQL"]

PREFIX = "_wa_staged_"
LONGEST = 64  # characters of a name
LONGEST_COMMENT = 1024
PIECE = 2_000  # rows of one statement

_TYPES: dict[KindName, str] = {
    "boolean": "tinyint(1)",
    "int16": "smallint",
    "int32": "int",
    "int64": "bigint",
    "numeric": "decimal",
    "float32": "float",
    "float64": "double",
    "text": "longtext",
    "binary": "longblob",
    "date": "date",
    "time": "time(6)",
    "timestamp": "datetime(6)",
    "timestamptz": "datetime(6)",
    "interval": "bigint",
    "json": "longtext",
}
_KINDS: dict[str, KindName] = {
    "tinyint": "int16", "smallint": "int16", "mediumint": "int32", "int": "int32", "bigint": "int64",
    "float": "float32", "double": "float64", "date": "date", "time": "time", "datetime": "timestamp", "timestamp": "timestamptz",
    "binary": "binary", "varbinary": "binary", "blob": "binary", "tinyblob": "binary", "mediumblob": "binary",
    "longblob": "binary", "year": "int16",
}  # fmt: skip
_UNSIGNED: dict[KindName, Kind] = {"int16": Kind("int32"), "int32": Kind("int64"), "int64": Kind("numeric", 20)}
_SIZE = re.compile(r"\((\d+)(?:,(\d+))?\)")


class MySQL(Dialect):
    """Rows are staged in a table of their own, which the next write of the table removes should this one be killed."""

    name: ClassVar[str] = "mysql"
    folds_case: ClassVar[bool] = False
    transactional_ddl: ClassVar[bool] = False
    joins_by_hash: ClassVar[bool] = False

    _exact: str | None = None

    @property
    def default_schema(self) -> str | None:
        return self.engine.url.database

    def exact_collation(self, session: Session) -> str:
        """The collation by which text is equal that has the same letters, and as many spaces at its end, where the server has one."""
        if self._exact is None:
            known = "'utf8mb4_nopad_bin', 'utf8mb4_0900_bin'"  # of MariaDB, and of MySQL
            rows = session.execute(
                f"select collation_name from information_schema.collations where collation_name in ({known}) order by 1 desc"
            )
            self._exact = rows[0][0] if rows else "utf8mb4_bin"
        return self._exact

    def session(self, *, rows: int | None = 0) -> MySQLSession:
        return MySQLSession(self)

    def quote(self, name: str) -> str:
        if "\0" in name:
            raise InvalidDefinitionError(f"a table or column name cannot hold a NUL character: {name!r}")
        return "`" + name.replace("`", "``") + "`"

    def check_name(self, name: str) -> None:
        super().check_name(name)
        self.refuse_long(name, len(name), LONGEST, "characters")
        if name.endswith(" ") or any(ord(letter) > 0xFFFF for letter in name):
            raise InvalidDefinitionError(
                f"mysql takes no name with a space at its end, or with letters such as emojis: {name!r}",
                hint="Give another name.",
            )

    def pin(self, session: Session, table: TableName) -> None:
        if self.describe(session, table) is not None:
            session.execute(f"select 1 from {self.full(table)} limit 0")  # whose lock keeps others from renaming it

    def reading_session(self, table: TableName, *, reads_rows: bool = True) -> MySQLSession:
        session = self.session()
        try:
            session.run("start transaction read only")
            self.pin(session, table)
        except BaseException:
            session.close()
            raise
        return session

    def given(self, value: Any) -> Any:
        match value:
            case datetime() if value.tzinfo is not None:  # in UTC, as moments are kept
                return value.astimezone(UTC).replace(tzinfo=None)
            case time() if value.tzinfo is not None:
                return NotImplemented
            case UUID():
                return str(value)
            case memoryview():
                return bytes(value)
        return value

    def make_schema(self, table: TableName) -> None:
        session = self.session()
        try:
            name = {"_wa_t_0": table.schema}
            if not session.execute("select 1 from information_schema.schemata where schema_name = $_wa_t_0", name):
                session.run(f"create database if not exists {self.quote(table.schema or '')} character set utf8mb4")
        finally:
            session.close()

    def lock(self, session: Session, table: TableName, lock_timeout: float, log: logging.Logger) -> None:
        def attempt(seconds: float) -> bool:
            return session.execute(
                "select get_lock(concat('wa:', md5($_wa_t_0)), $_wa_t_1)", {"_wa_t_0": str(table), "_wa_t_1": seconds}
            ) == [(1,)]

        patience(attempt, f"the table {table}", lock_timeout, log)
        for setting in ("lock_wait_timeout", "innodb_lock_wait_timeout"):
            session.run(f"set session {setting} = {max(1, int(lock_timeout))}")
        assert isinstance(session, MySQLSession)
        session.keep_collation(table)
        for (name,) in session.execute(
            "select table_name from information_schema.tables where table_schema = $_wa_t_0 and table_name like $_wa_t_1",
            {"_wa_t_0": table.schema, "_wa_t_1": f"{self._prefix(table).replace('_', chr(92) + '_')}%"},
        ):  # of writers that were killed, since none but this one has the lock
            self.remove(session, TableName(name, table.schema))

    def _prefix(self, table: TableName) -> str:
        return f"{PREFIX}{hashlib.sha256(table.table.encode()).hexdigest()[:20]}_"

    def staging(self, table: TableName) -> TableName:
        return TableName(f"{self._prefix(table)}{uuid4().hex[:8]}", table.schema)

    def sql_type(self, kind: Kind) -> str:
        if kind.name == "numeric":
            return f"decimal({kind.precision},{kind.scale})" if kind.precision is not None else "double"
        return _TYPES[kind.name]

    def kind(self, sql_type: str) -> Kind:
        if sql_type == "tinyint(1)":
            return Kind("boolean")
        base = sql_type.partition("(")[0].partition(" ")[0]
        if base == "decimal" and (size := _SIZE.search(sql_type)):
            return Kind("numeric", int(size[1]), int(size[2] or 0))
        name = _KINDS.get(base, "text")
        return _UNSIGNED.get(name, Kind(name)) if sql_type.endswith("unsigned") else Kind(name)

    def describe(self, session: Session, table: TableName) -> dict[str, str] | None:
        rows = session.execute(
            "select column_name, column_type from information_schema.columns where table_schema = coalesce($_wa_t_0, database()) "
            "and table_name = $_wa_t_1 order by ordinal_position",
            {"_wa_t_0": table.schema, "_wa_t_1": table.table},
        )
        return {name: _plain(text) for name, text in rows} if rows else None

    def describe_query(self, session: Session, query: str, parameters: Mapping[str, Any]) -> dict[str, str]:
        name = f"{PREFIX}{uuid4().hex[:20]}"
        session.run(f"create temporary table {name} as select * from (\n{query}\n) as query limit 0", parameters)
        rows = session.execute(f"show columns from {name}")
        session.run(f"drop temporary table {name}")
        return {row[0]: _plain(row[1]) for row in rows}

    def confined(self, session: Session, query: str, parameters: Mapping[str, Any]) -> Confined:
        assert isinstance(session, MySQLSession)
        return types_while_reading_mysql(session, query, parameters), query, parameters

    def create(self, session: Session, table: TableName, kinds: Mapping[str, Kind], notes: Mapping[str, Any]) -> None:
        columns = ", ".join(self._column(name, self.sql_type(kind), notes.get(name)) for name, kind in kinds.items())
        session.run(f"create table {self.full(table)} ({columns}) {_made(session)}")

    def _column(self, name: str, sql_type: str, note: Any) -> str:
        null = " null default null" if sql_type.startswith("timestamp") else ""
        if note is None:
            return f"{self.quote(name)} {sql_type}{null}"
        text = json.dumps(note, ensure_ascii=False)
        if len(text) > LONGEST_COMMENT:
            raise UnsupportedTypeError(
                f"the column {name!r} has a type that is too long for MySQL to keep: {text[:60]}…", hint="Cast it to text."
            )
        quoted = text.replace("\\", "\\\\").replace("'", "''")
        return f"{self.quote(name)} {sql_type}{null} comment '{quoted}'"

    def create_as(self, session: Session, table: TableName, query: str, parameters: Mapping[str, Any]) -> int:
        return session.run(f"create table {self.full(table)} {_made(session)} as {query}", parameters)

    def index(self, session: Session, table: TableName, columns: Sequence[str]) -> None:
        types = self.describe(session, table) or {}
        parts = [f"{self.quote(name)}{'(191)' if types.get(name, '').endswith(('text', 'blob')) else ''}" for name in columns]
        with suppress(self.engine.dialect.loaded_dbapi.Error):  # of columns that are too long for one, which is slower only
            session.run(f"create index wa_keys on {self.full(table)} ({', '.join(parts[:4])})")

    def create_temporary(self, session: Session, kinds: Mapping[str, Kind]) -> TableName:
        table = TableName(f"{PREFIX}{uuid4().hex[:20]}", self.default_schema)
        columns = ", ".join(self._column(name, self.sql_type(kind), None) for name, kind in kinds.items())
        session.run(f"create temporary table {self.full(table)} ({columns}) {_made(session)}")
        return table

    def notes(self, session: Session, table: TableName) -> dict[str, Any]:
        notes = {}
        for name, text in session.execute(
            "select column_name, column_comment from information_schema.columns where table_schema = $_wa_t_0 "
            "and table_name = $_wa_t_1 and column_comment like '[%'",
            {"_wa_t_0": table.schema, "_wa_t_1": table.table},
        ):
            with suppress(ValueError):
                notes[name] = json.loads(text)
        return notes

    def note(self, session: Session, table: TableName, notes: Mapping[str, Any]) -> None:
        """Notes are made with the table; what SQL gives has none."""

    def reading(self, name: str, kind: Kind) -> str:
        return f"cast({self.quote(name)} as char)" if kind.name == "text" else self.quote(name)

    def as_text(self, quoted: str) -> str:
        return f"cast({quoted} as char)"

    def column(self, name: str, dtype: pl.DataType, notes: Mapping[str, Any]) -> str:
        return self._column(name, self.sql_type(kind_of(dtype)), notes.get(name))

    def moment(self, moment: datetime) -> str:
        return f"timestamp'{moment.astimezone(UTC).replace(tzinfo=None).isoformat(' ', 'microseconds')}'"

    def cast(self, expression: str, sql_type: str) -> str:
        return expression  # MySQL casts as it stores

    def swap(self, session: Session, staged: TableName, table: TableName) -> None:
        session.commit()
        if not self.is_view(session, table) and self.describe(session, table) is None:
            session.run(f"rename table {self.full(staged)} to {self.full(table)}")
            return
        old = self.staging(table)
        session.run(f"rename table {self.full(table)} to {self.full(old)}, {self.full(staged)} to {self.full(table)}")
        self.remove(session, old)

    def is_view(self, session: Session, table: TableName) -> bool:
        known = "select 1 from information_schema.views where table_schema = $_wa_t_0 and table_name = $_wa_t_1"
        return bool(session.execute(known, {"_wa_t_0": table.schema, "_wa_t_1": table.table}))

    def discard(self, session: Session, staged: TableName) -> None:
        """It is dropped once the transaction is over, which this would end."""

    def clean(self, session: Session, tables: Sequence[TableName]) -> None:
        for table in tables:
            for kind in ("table", "view"):
                session.run(f"drop {kind} if exists {self.full(table)}")

    def byte_size(self, table: TableName) -> int | None:
        session = self.session()
        try:
            session.execute(f"analyze table {self.full(table)}")
            [(size,)] = session.execute(
                "select data_length + index_length from information_schema.tables where table_schema = $_wa_t_0 and table_name = $_wa_t_1",
                {"_wa_t_0": table.schema, "_wa_t_1": table.table},
            )
            return None if size is None else int(size)
        finally:
            session.close()

    def is_bad_sql(self, error: Exception) -> bool:
        return bool(error.args) and error.args[0] in (1054, 1064, 1146, 1305, 1052, 1111, 1140, 1630)

    def is_locked(self, error: Exception) -> bool:
        return bool(error.args) and error.args[0] in (1205, 1213)


def _made(session: Session) -> str:
    """How tables are made."""
    assert isinstance(session, MySQLSession)
    return f"engine=innodb row_format=dynamic character set utf8mb4 collate {session.collation}"


def _plain(sql_type: Any) -> str:
    """The type as it is declared; numbers of digits to show are left out, but of the booleans."""
    text = sql_type.decode() if isinstance(sql_type, bytes) else str(sql_type)
    return text if text.startswith(("tinyint(1)", "decimal", "time", "datetime")) else _SIZE.sub("", text)


class MySQLSession(CursorSession):
    """A pooled connection of pymysql; rows go in statements of many, and come without being buffered."""

    dialect: MySQL

    def __init__(self, dialect: MySQL) -> None:
        super().__init__(dialect)
        self.run("set session transaction isolation level read committed")
        self.collation = dialect.exact_collation(self)
        self.run(
            "set time_zone = '+00:00', sql_mode = concat(@@sql_mode, ',STRICT_ALL_TABLES'), "
            f"collation_connection = {self.collation}"
        )

    def keep_collation(self, table: TableName) -> None:
        """Make tables with the collation that the text of a table has, if it is a binary one: two of those do not mix."""
        rows = self.execute(
            "select collation_name from information_schema.columns where table_schema = $_wa_t_0 and table_name = $_wa_t_1 "
            "and collation_name like 'utf8mb4%bin' limit 1",
            {"_wa_t_0": table.schema, "_wa_t_1": table.table},
        )
        self.collation = rows[0][0] if rows else self.collation

    def insert_rows(self, cursor: Any, statement: str, rows: Sequence[tuple[Any, ...]]) -> None:
        for start in range(0, len(rows), PIECE):
            cursor.executemany(statement, rows[start : start + PIECE])  # of which pymysql makes one statement

    def values(self, series: pl.Series, kind: Kind) -> list[Any]:
        match kind.name:
            case "interval":
                return series.to_physical().to_list()
            case "timestamptz":
                return series.dt.replace_time_zone(None).to_list()
            case "float32" | "float64" if not series.drop_nulls().is_finite().all():
                raise UnsupportedTypeError(
                    f"the column {series.name!r} has NaN or an infinite number, which MySQL does not keep",
                    hint="Replace them: fill_nan(None).",
                )
            case "float32":
                return series.cast(pl.String).to_list()
        return super().values(series, kind)

    def streaming_cursor(self) -> Any:
        from pymysql.cursors import SSCursor  # type: ignore[import-untyped]

        return SSCursor(self.connection.dbapi_connection)

    def series(self, name: str, kind: Kind, values: Sequence[Any]) -> pl.Series:
        match kind.name:
            case "boolean" | "interval":
                return pl.Series(name, values, dtype=pl.Int64).cast(kind.wire)
            case "time":
                return (pl.Series(name, values, dtype=pl.Duration("us")).cast(pl.Int64) * 1000).cast(pl.Time)
            case "timestamptz":
                return pl.Series(name, values, dtype=pl.Datetime("us")).dt.replace_time_zone("UTC")
            case "text" | "json":
                values = [value.decode() if isinstance(value, bytes) else value for value in values]
        return super().series(name, kind, values)

    def close(self) -> None:
        with suppress(Exception):
            self.rollback()
            self.execute("select release_all_locks()")
        super().close()
