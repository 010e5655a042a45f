"""The types of columns that DuckDB would forget: they are kept in the comment of the table, so that they go when someone replaces it."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from typing import TYPE_CHECKING

import duckdb

from io_managers.database import Database
from io_managers.deferred import Deferred
from io_managers.engine_types import stored_as
from io_managers.polars_types import decode, encode
from warehouse_assets.tables import TableName

if TYPE_CHECKING:
    import polars as pl
else:
    pl = Deferred("polars")

__all__ = ["noted", "remember", "remembered"]

_NONE: Mapping[str, str] = {}
_seen: dict[
    str, tuple[object, Mapping[tuple[str, str], str]]
] = {}  # the comments of a file, and its state before they were read
_NOTE = "polars"  # the key under which the comment of a table keeps the types of its columns


def noted(dtypes: Mapping[str, pl.DataType]) -> dict[str, pl.DataType]:
    """Those of the types that DuckDB would forget."""
    return {name: dtype for name, dtype in dtypes.items() if stored_as(dtype) != dtype or isinstance(dtype, pl.Duration)}


def remember(connection: duckdb.DuckDBPyConnection, table: str, dtypes: Mapping[str, pl.DataType]) -> None:
    """Write the types that DuckDB would forget into the comment of a table; `table` is its quoted name."""
    if lost := noted(dtypes):
        stored = {name: str(kind) for name, kind, *_ in connection.execute(f"describe {table}").fetchall()}
        notes = {name: [encode(dtype), stored[name]] for name, dtype in lost.items()}
        text = json.dumps({_NOTE: notes}, ensure_ascii=False).replace("'", "''")
        connection.execute(f"comment on table {table} is '{text}'")


def remembered(
    connection: duckdb.DuckDBPyConnection, table: TableName, stored: Mapping[str, str], unchanged: Database | None = None
) -> dict[str, pl.DataType]:
    """The types that `remember` wrote, of the columns that still have the type they were `stored` with.

    `unchanged` is the database where nothing was written on this connection: its comments are read once for as long as its files
    stay as they are, since DuckDB looks through tables of its own, too, the first time that a file was opened.
    """
    try:
        notes = json.loads(_comment(connection, table, unchanged) or "")[_NOTE]
        return {name: decode(dtype) for name, (dtype, kind) in notes.items() if stored.get(name) == kind}
    except (ValueError, KeyError, TypeError, AttributeError):  # no comment, or one for people
        return {}


def _comment(connection: duckdb.DuckDBPyConnection, table: TableName, unchanged: Database | None) -> str | None:
    name = str(table.schema).casefold(), table.table.casefold()
    if unchanged is None or unchanged.path is None:
        return _comments(connection, " and lower(table_name) = lower($table)", {"table": table.table}).get(name)
    state = _state(unchanged.path), unchanged.commits
    if (seen := _seen.get(unchanged.path)) is None or seen[0] != state:
        seen = _seen[unchanged.path] = state, _comments(connection)
    return seen[1].get(name)


def _comments(
    connection: duckdb.DuckDBPyConnection, which: str = "", parameters: Mapping[str, str] = _NONE
) -> dict[tuple[str, str], str]:
    rows = connection.execute(
        "select schema_name, table_name, comment from duckdb_tables() "
        f"where database_name = current_database() and comment is not null{which}",
        dict(parameters),
    ).fetchall()
    return {(schema.casefold(), name.casefold()): comment for schema, name, comment in rows}


def _state(path: str) -> tuple[object, ...]:
    """What changes with a database: its file, and its write-ahead log."""
    found: list[object] = []
    for file in (path, f"{path}.wal"):
        try:
            status = os.stat(file)
        except OSError:
            found.append(None)
        else:
            found += [status.st_ino, status.st_size, status.st_mtime_ns]
    return tuple(found)
