"""The types of columns that DuckDB would forget: they are kept in the comment of the table, so that they go when someone replaces it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import TYPE_CHECKING

import duckdb

from io_managers.deferred import Deferred
from io_managers.engine_types import stored_as
from io_managers.polars_types import decode, encode
from warehouse_assets.tables import TableName

if TYPE_CHECKING:
    import polars as pl
else:
    pl = Deferred("polars")

__all__ = ["noted", "remember", "remembered"]

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


def remembered(connection: duckdb.DuckDBPyConnection, table: TableName, stored: Mapping[str, str]) -> dict[str, pl.DataType]:
    """The types that `remember` wrote, of the columns that still have the type they were `stored` with."""
    rows = connection.execute(
        "select comment from duckdb_tables() where database_name = current_database() "
        "and lower(schema_name) = lower($schema) and lower(table_name) = lower($table)",
        {"schema": table.schema, "table": table.table},
    ).fetchall()
    try:
        notes = json.loads(rows[0][0])[_NOTE]
        return {name: decode(dtype) for name, (dtype, kind) in notes.items() if stored.get(name) == kind}
    except (IndexError, ValueError, KeyError, TypeError, AttributeError):  # no comment, or one for people
        return {}
