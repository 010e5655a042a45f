"""Views in a DuckDB database, which take the place of tables and make way for them within a transaction."""

from __future__ import annotations

import duckdb

from io_managers.database import Database
from io_managers.duckdb.catalog import full_name
from io_managers.views import MARK, foreign_view
from warehouse_assets.tables import TableName

__all__ = ["drop_view", "is_a_view", "put_view"]

_HERE = "database_name = current_database() and lower(schema_name) = lower($schema)"


def put_view(connection: duckdb.DuckDBPyConnection, database: Database, name: TableName, query: str) -> None:
    """Make a view, in place of the table of its name, or of the view that was made here; TableError for another's."""
    quoted = full_name(connection, name)
    drop_view(connection, database, name)
    _known(connection, database).add(_folded(name.schema, name.table))
    connection.execute(f"drop table if exists {quoted}")
    connection.execute(f"create view {quoted} as {query}")
    connection.execute(f"comment on view {quoted} is '{MARK}'")


def drop_view(connection: duckdb.DuckDBPyConnection, database: Database, name: TableName) -> None:
    """Remove the view of this name, if there is one; TableError for one that was not made here."""
    if _folded(name.schema, name.table) not in _known(connection, database):
        return
    quoted = full_name(connection, name)
    for (comment,) in _views(connection, name):
        if comment != MARK:
            raise foreign_view(name, quoted.partition(".")[0].strip('"'), quoted)
        connection.execute(f"drop view {quoted}")


def _known(connection: duckdb.DuckDBPyConnection, database: Database) -> set[tuple[str, str]]:
    """The views that may be in a database, which are listed once: DuckDB looks through its own, too, and takes milliseconds."""
    with database.lock:
        if (views := database.views) is None:
            found = connection.execute(
                "select schema_name, view_name from duckdb_views() where not internal and database_name = current_database()"
            ).fetchall()
            views = database.views = {_folded(*name) for name in found}
        return views


def _folded(schema: str | None, name: str) -> tuple[str, str]:
    return str(schema).casefold(), name.casefold()


def is_a_view(connection: duckdb.DuckDBPyConnection, name: TableName) -> bool:
    """Whether there is a view of this name."""
    return bool(_views(connection, name))


def _views(connection: duckdb.DuckDBPyConnection, name: TableName) -> list[tuple[str | None]]:
    return connection.execute(
        f"select comment from duckdb_views() where not internal and {_HERE} and lower(view_name) = lower($table)",
        {"schema": name.schema, "table": name.table},
    ).fetchall()
