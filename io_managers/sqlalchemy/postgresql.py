"""PostgreSQL: all of a write is one transaction, whose rows come by ADBC, or by COPY where they are few or ADBC is not there."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Mapping
from datetime import datetime
from typing import TYPE_CHECKING, Any, ClassVar
from uuid import uuid4

import polars as pl

from io_managers.sqlalchemy.confining import confined_in_postgres
from io_managers.sqlalchemy.dialect import Confined, Dialect, Session
from io_managers.sqlalchemy.engines import patience
from io_managers.sqlalchemy.postgresql_sessions import ADBCSession, CopySession, has_adbc
from io_managers.sqlalchemy.postgresql_swap import put_in_place
from io_managers.sqlalchemy.types import Kind, KindName, default_dtype, kind_of
from io_managers.views import MARK
from warehouse_assets.tables import TableName

if TYPE_CHECKING:
    import logging

    from io_managers.sqlalchemy.incoming import Incoming

__all__ = ["PostgreSQL"]

_NOTE = "polars"  # the key under which the comment of a table keeps the types of its columns
FEW_ROWS = 50_000  # up to which COPY has them there before ADBC is loaded
FEW_BYTES = 8_000_000

_TYPES: dict[KindName, str] = {
    "boolean": "boolean",
    "int16": "smallint",
    "int32": "integer",
    "int64": "bigint",
    "numeric": "numeric",
    "float32": "real",
    "float64": "double precision",
    "text": "text",
    "binary": "bytea",
    "date": "date",
    "time": "time without time zone",
    "timestamp": "timestamp without time zone",
    "timestamptz": "timestamp with time zone",
    "interval": "interval",
    "json": "jsonb",
}
_KINDS = {text: name for name, text in _TYPES.items()} | {"json": "json"}
_IN_ARRAYS = {"boolean", "int16", "int32", "int64", "float32", "float64", "text", "date", "timestamp"}
_BY_COPY = ("json",)  # kinds that ADBC does not write
_WIDE = (pl.Int128, pl.UInt128)
_SIZE = re.compile(r"\((\d+)(?:,(-?\d+))?\)")


class PostgreSQL(Dialect):
    """What is staged is seen by its own transaction only, so that a killed process leaves nothing."""

    name: ClassVar[str] = "postgresql"
    has_arrays: ClassVar[bool] = True

    @property
    def sqlglot(self) -> str:
        return "postgres"

    @property
    def default_schema(self) -> str:
        return "public"

    def rows_of(self, incoming: Incoming, few: int) -> int | None:
        if not has_adbc() or any(kind_of(dtype).name in _BY_COPY or dtype in _WIDE for dtype in incoming.dtypes.values()):
            return 0
        return incoming.few(few)

    def session(self, *, rows: int | None = 0) -> Session:
        if (rows is not None and rows <= FEW_ROWS) or not has_adbc():
            return CopySession(self)
        return ADBCSession(self)

    def reading_session(self, table: TableName, *, reads_rows: bool = True) -> Session:
        """A session to read a table: by COPY if it is small, or by ADBC, whose connection takes a while to make."""
        session: Session = CopySession(self)
        try:
            if reads_rows and has_adbc():
                [(size,)] = session.execute("select pg_relation_size(to_regclass($_wa_t_0))", {"_wa_t_0": self.full(table)})
                if size is not None and size > FEW_BYTES:
                    session.close()
                    session = ADBCSession(self)
            self.pin(session, table)
        except BaseException:
            session.close()
            raise
        return session

    def pin(self, session: Session, table: TableName) -> None:
        # A statement that waits for a writer would read the new table with a view of the data from before it had rows.
        if session.execute("select to_regclass($_wa_t_0) is not null", {"_wa_t_0": self.full(table)}) == [(True,)]:
            session.run(f"select from {self.full(table)} limit 0")

    def check_name(self, name: str) -> None:
        super().check_name(name)
        self.refuse_long(name, len(name.encode()), 63, "bytes")

    def among_none(self, *, negated: bool) -> str:
        return f"{'<> all' if negated else '= any'} ('{{}}')"  # whose type is that of the value

    def make_schema(self, table: TableName) -> None:
        session = CopySession(self)
        try:
            known = "select 1 from pg_namespace where nspname = $_wa_t_0"
            if not session.execute(known, {"_wa_t_0": table.schema}):
                session.execute("select pg_advisory_xact_lock(7305804402)")  # else two that make it at once would fail
                session.run(f"create schema if not exists {self.quote(table.schema or 'public')}")
                session.commit()
        finally:
            session.close()

    def lock(self, session: Session, table: TableName, lock_timeout: float, log: logging.Logger) -> None:
        statement = "select pg_try_advisory_xact_lock(hashtextextended($_wa_t_0, 7305804402))"

        def attempt(seconds: float) -> bool:
            deadline = time.monotonic() + seconds
            while True:
                if session.execute(statement, {"_wa_t_0": self.full(table)}) == [(True,)]:
                    return True
                if time.monotonic() >= deadline:
                    return False
                time.sleep(0.02)

        patience(attempt, f"the table {table}", lock_timeout, log)
        session.run(f"set local lock_timeout = {max(1, int(lock_timeout * 1000))}")

    def staging(self, table: TableName) -> TableName:
        return TableName(f"_wa_{uuid4().hex[:20]}", table.schema)

    def sql_type(self, kind: Kind) -> str:
        sized = kind.name == "numeric" and kind.precision is not None
        return f"numeric({kind.precision},{kind.scale})" if sized else _TYPES[kind.name]

    def kind(self, sql_type: str) -> Kind:
        if sql_type.endswith("[]"):
            item = self.kind(sql_type[:-2])
            return Kind("json", item=pl.List(default_dtype(item)) if item.name in _IN_ARRAYS else pl.String())
        size = _SIZE.search(sql_type)
        base = sql_type if size is None else sql_type.replace(size[0], "")
        if base == "numeric":
            scale = int(size[2] or 0) if size else 0
            return Kind("numeric", int(size[1]), scale) if size and scale >= 0 else Kind("numeric")
        return Kind(_KINDS.get(base, "text"))

    def stored_kinds(
        self, session: Session, rows: str, types: Mapping[str, str], parameters: Mapping[str, Any] | None = None
    ) -> dict[str, Kind]:
        kinds = {name: self.kind(text) for name, text in types.items()}
        for name, kind in kinds.items():
            if kind.name == "numeric" and kind.precision is None:
                kinds[name] = self._scaled(session, rows, parameters or {}, name)
        return kinds

    def _scaled(self, session: Session, rows: str, parameters: Mapping[str, Any], name: str) -> Kind:
        """The kind of a column of numbers that may have any digits, by those they have."""
        column = self.quote(name)
        is_odd = f"{column} = 'NaN' or abs({column}) = 'Infinity'"
        [(scale, largest, odd)] = session.execute(
            f"select coalesce(max(scale({column})), 0)::int, coalesce(max(length(trunc(abs({column}))::text)), 1)::int, "
            f"coalesce(bool_or({is_odd}), false) from {rows}",
            parameters,
        )
        return Kind("float64") if odd or scale + largest > 38 else Kind("numeric", 38, scale)

    def describe(self, session: Session, table: TableName) -> dict[str, str] | None:
        rows = session.execute(
            "select a.attname::text, format_type(a.atttypid, a.atttypmod) from pg_attribute a "
            "where a.attrelid = to_regclass($_wa_t_0) and a.attnum > 0 and not a.attisdropped order by a.attnum",
            {"_wa_t_0": self.full(table)},
        )
        return dict(rows) if rows else None

    def describe_query(self, session: Session, query: str, parameters: Mapping[str, Any]) -> dict[str, str]:
        assert isinstance(session, CopySession)
        cursor = session.cursor(f"select * from (\n{query}\n) as query limit 0", parameters)
        found = {column.name: (column.type_code, column.precision, column.scale) for column in cursor.description}
        cursor.close()
        codes = sorted({code for code, _, _ in found.values()})
        named = dict(
            session.execute(f"select oid, format_type(oid, null) from pg_type where oid in ({', '.join(map(str, codes))})")
        )
        return {
            name: f"numeric({precision},{scale})" if named[code] == "numeric" and precision else named[code]
            for name, (code, precision, scale) in found.items()
        }

    def confined(self, session: Session, query: str, parameters: Mapping[str, Any]) -> Confined:
        assert isinstance(session, CopySession)
        view = confined_in_postgres(session, query, parameters)
        return self.describe_query(session, view, {}), view, {}

    def create(self, session: Session, table: TableName, kinds: Mapping[str, Kind], notes: Mapping[str, Any]) -> None:
        columns = ", ".join(f"{self.quote(name)} {self.sql_type(kind)}" for name, kind in kinds.items())
        session.run(f"create table {self.full(table)} ({columns})")
        if notes:
            self.note(session, table, notes)

    def create_as(self, session: Session, table: TableName, query: str, parameters: Mapping[str, Any]) -> int:
        return session.run(f"create table {self.full(table)} as {query}", parameters)

    def is_view(self, session: Session, table: TableName) -> bool:
        relation = "select relkind = 'v' from pg_class where oid = to_regclass($_wa_t_0)"
        return session.execute(relation, {"_wa_t_0": self.full(table)}) == [(True,)]

    def create_view(self, session: Session, view: TableName, query: str) -> None:
        super().create_view(session, view, query)
        session.run(f"comment on view {self.full(view)} is '{MARK}'")

    def notes(self, session: Session, table: TableName) -> dict[str, Any]:
        rows = session.execute("select obj_description(to_regclass($_wa_t_0), 'pg_class')", {"_wa_t_0": self.full(table)})
        try:
            return dict(json.loads(rows[0][0])[_NOTE])
        except (IndexError, ValueError, KeyError, TypeError, AttributeError):  # no comment, or one for people
            return {}

    def note(self, session: Session, table: TableName, notes: Mapping[str, Any]) -> None:
        if notes or self.notes(session, table):
            text = json.dumps({_NOTE: dict(notes)}, ensure_ascii=False) if notes else None
            session.run(f"comment on table {self.full(table)} is $_wa_t_0", {"_wa_t_0": text})

    def reading(self, name: str, kind: Kind) -> str:
        column = self.quote(name)
        match kind.name:
            case "numeric" | "text":
                return f"{column}::text"
            case "json":
                return f"to_jsonb({column})::text"
            case "interval":
                return f"(extract(epoch from {column}) * 1000000)::bigint"
            case "timestamptz":
                return f"{column} at time zone 'UTC'"
            case "float64":
                return f"{column}::double precision"
        return column

    def moment(self, moment: datetime) -> str:
        return f"timestamptz {super().moment(moment)}"

    def describe_columns(self, session: Session, table: TableName, descriptions: Mapping[str, str]) -> None:
        for name in self.describe(session, table) or () if descriptions else ():
            if text := descriptions.get(name):
                session.run(f"comment on column {self.full(table)}.{self.quote(name)} is $_wa_t_0", {"_wa_t_0": text})

    def swap(self, session: Session, staged: TableName, table: TableName) -> None:
        put_in_place(self, session, staged, table)

    def byte_size(self, table: TableName) -> int | None:
        session = CopySession(self)
        try:
            [(size,)] = session.execute("select pg_total_relation_size(to_regclass($_wa_t_0))", {"_wa_t_0": self.full(table)})
            return int(size)
        finally:
            session.close()

    def is_own_error(self, error: Exception) -> bool:
        return super().is_own_error(error) or type(error).__module__.startswith("adbc_driver_manager")

    def is_bad_sql(self, error: Exception) -> bool:
        return str(getattr(error, "sqlstate", None) or "").startswith("42")

    def is_locked(self, error: Exception) -> bool:
        return getattr(error, "sqlstate", None) in ("55P03", "40P01")
