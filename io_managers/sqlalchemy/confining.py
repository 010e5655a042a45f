"""What keeps a query that a stranger wrote to reading: the database itself, in a transaction or on a connection that cannot write.

What was read of the query before, by a parser that is not the database's own, is not relied upon here.
"""

from __future__ import annotations

import re
import sqlite3
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from io_managers.sqlalchemy.dialect import parameter_name
from warehouse_assets.errors import InvalidSQLError
from warehouse_assets.sql.strangers import reaches

if TYPE_CHECKING:
    from io_managers.sqlalchemy.dialect import CursorSession, Session
    from io_managers.sqlalchemy.postgresql_sessions import CopySession

__all__ = ["confine_sqlite", "confined_in_postgres", "types_while_reading_mysql"]

SECONDS = 60  # that a query may take; who asked it may be gone before

_ADVICE = "Functions that people made, or that do more than compute, are not called here; `wa query` calls them."

# Volatile, and yet they only tell something.
_HARMLESS = ["random", "random_normal", "gen_random_uuid", "uuidv4", "uuidv7", "clock_timestamp", "timeofday"]
_FIRST_OWN = 16384  # the first number of what is not PostgreSQL's own
_CALLED = re.compile(r":(?:funcid|aggfnoid|winfnoid|opfuncid|elemfuncid) (\d+)")
_OPERATORS = re.compile(r":(?:opno|eqop|sortop|ltop) (\d+)|:opnos \(o ([\d ]+)\)")
_READ = re.compile(r":relid (\d+)")

_FUNCTIONS = """
select p.oid::regprocedure::text, p.proname::text, p.oid >= $_wa_own_0, p.provolatile = 'v' and p.proname <> all($_wa_harmless_0),
  exists (select from pg_catalog.pg_depend d where d.classid = 'pg_catalog.pg_proc'::regclass and d.objid = p.oid and d.deptype = 'e')
from pg_catalog.pg_proc p
where p.oid = any($_wa_called_0::oid[])
  or p.oid in (select o.oprcode from pg_catalog.pg_operator o where o.oid = any($_wa_operators_0::oid[]))
order by 1
"""
_SYSTEM_TABLES = """
select c.oid::regclass::text from pg_catalog.pg_class c
join pg_catalog.pg_namespace n on n.oid = c.relnamespace and n.nspname in ('pg_catalog', 'information_schema', 'pg_toast')
where c.oid = any($_wa_read_0::oid[])
"""
_RULES = (
    "select ev_class, ev_action::text from pg_catalog.pg_rewrite where ev_type = '1' and ev_class = any($_wa_read_0::oid[])"
)

_MYSQL_TYPES = {
    0: "decimal", 246: "decimal", 1: "tinyint", 2: "smallint", 9: "mediumint", 3: "int", 8: "bigint", 4: "float", 5: "double",
    7: "timestamp", 10: "date", 11: "time", 12: "datetime", 13: "year",
}  # fmt: skip
_STRINGS = {249, 250, 251, 252, 253, 254}
_BINARY = 63  # the character set of what is no text
_UNSIGNED = 32

_SQLITE_ALLOWS = {
    sqlite3.SQLITE_SELECT, sqlite3.SQLITE_READ, sqlite3.SQLITE_FUNCTION, sqlite3.SQLITE_RECURSIVE, sqlite3.SQLITE_TRANSACTION,
}  # fmt: skip


def confined_in_postgres(session: CopySession, query: str, parameters: Mapping[str, Any]) -> str:
    """What stands for the query: a view of this session, whose functions were looked at as the database itself resolved them.

    The text is sent once, where it can only define a view, of which nothing is run; then the transaction is made one that only reads.
    """
    import psycopg

    session.spoil()
    session.run(f"set local statement_timeout = {SECONDS * 1000}")
    view = parameter_name("asked")
    text, values = session.in_style(f"create temporary view {view} as\n{query}", parameters)
    driver: Any = session.connection.dbapi_connection
    if values is not None:
        text = psycopg.ClientCursor(driver).mogrify(text, values)
    with psycopg.Cursor(driver) as cursor:
        cursor.execute(text, binary=True)  # by the protocol that takes one statement
    [(number,)] = session.execute(f"select 'pg_temp.{view}'::regclass::oid::int8")
    session.run("set transaction read only")
    _check(session, int(number))
    return f"select * from pg_temp.{view}"


def _check(session: Session, view: int) -> None:
    """Refuse what the query calls, and what is called by the views that it reads."""
    seen: set[int] = set()
    found = {view}
    while found:
        rules = dict(session.execute(_RULES, {"_wa_read_0": sorted(found)}))
        seen |= found
        found = set()
        for number, rule in rules.items():
            is_own = number == view
            read = {int(one) for one in _READ.findall(rule)} - {0, number}
            if is_own:
                for (name,) in session.execute(_SYSTEM_TABLES, {"_wa_read_0": sorted(read)}):
                    raise InvalidSQLError(f"it is refused: {name!r} is no asset here")
            _check_functions(session, rule, is_own=is_own)
            found |= read
        found -= seen


def _check_functions(session: Session, rule: str, *, is_own: bool) -> None:
    called = {int(one) for one in _CALLED.findall(rule)}
    operators = {int(one) for pair in _OPERATORS.findall(rule) for one in " ".join(pair).split()}
    known = {
        "_wa_own_0": _FIRST_OWN,
        "_wa_harmless_0": _HARMLESS,
        "_wa_called_0": sorted(called),
        "_wa_operators_0": sorted(operators),
    }
    for shown, name, is_made, is_volatile, is_extension in session.execute(_FUNCTIONS, known):
        where = "" if is_own else ", which a view calls,"
        if is_volatile:
            raise InvalidSQLError(f"it is refused: the function {shown}{where} may do more than compute", hint=_ADVICE)
        if is_own and (reaches(name) or (is_made and not is_extension)):
            raise InvalidSQLError(
                f"it is refused: the function {shown} is not one of the database that only computes", hint=_ADVICE
            )


def types_while_reading_mysql(session: CursorSession, query: str, parameters: Mapping[str, Any]) -> dict[str, str]:
    """The types of the columns of a query, of which nothing is run before the transaction is one that only reads.

    In it there is no making of a temporary table, which would tell them as `describe` does.
    """
    _begin_reading_mysql(session)
    cursor = session.cursor(f"select * from (\n{query}\n) as query limit 0", parameters)
    try:
        return {field.name: _mysql_type(field) for field in cursor._result.fields}
    finally:
        cursor.close()


def _mysql_type(field: Any) -> str:
    """The type of a column of an answer, by its number in the protocol."""
    unsigned = " unsigned" if field.flags & _UNSIGNED else ""
    name = _MYSQL_TYPES.get(field.type_code, "text")
    if name == "decimal":
        return f"decimal({field.length - (field.scale > 0) - (not unsigned)},{field.scale})"
    if name == "tinyint" and field.length == 1:
        return "tinyint(1)"
    if name == "text" and field.charsetnr == _BINARY and field.type_code in _STRINGS:
        return "longblob"
    return f"{name}{unsigned if name.endswith('int') else ''}"


def _begin_reading_mysql(session: Session) -> None:
    """Begin a transaction of MySQL or MariaDB that only reads, in which the text means what the parser took it for."""
    session.spoil()
    [(modes, version)] = session.execute("select @@sql_mode, version()")
    odd = {"ANSI_QUOTES", "NO_BACKSLASH_ESCAPES", "ANSI", "ORACLE", "MSSQL", "DB2", "MAXDB", "POSTGRESQL"}
    kept = ",".join([*(mode for mode in str(modes).split(",") if mode and mode not in odd), "IGNORE_SPACE"])
    session.run(f"set session sql_mode = '{kept}'")
    is_mariadb = "mariadb" in str(version).casefold()
    session.run(f"set session {f'max_statement_time = {SECONDS}' if is_mariadb else f'max_execution_time = {SECONDS * 1000}'}")
    session.run("start transaction read only")


def confine_sqlite(session: Session) -> None:
    """Have the connection refuse all but reading: also what the parser of SQLite alone would find in the text."""
    session.spoil()
    session.run("pragma query_only = on")
    session.connection.dbapi_connection.set_authorizer(_authorized)  # type: ignore[attr-defined]


def _authorized(action: int, first: str | None, second: str | None, database: str | None, within: str | None) -> int:
    is_odd = (action == sqlite3.SQLITE_FUNCTION and reaches(second or "")) or (
        action == sqlite3.SQLITE_READ and (first or "").casefold().startswith(("sqlite_", "pragma_", "dbstat"))
    )
    return sqlite3.SQLITE_OK if action in _SQLITE_ALLOWS and not is_odd else sqlite3.SQLITE_DENY
