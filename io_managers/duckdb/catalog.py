"""Where a table is in a DuckDB database, what it has, and how many bytes it takes."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import duckdb

from io_managers.database import catalog_of
from warehouse_assets.tables import TableColumn, TableName, TableSchema, quote_identifier

if TYPE_CHECKING:
    from io_managers.database import Database

__all__ = ["bytes_at_rest", "exists", "full_name", "is_listed", "kinds_of", "make_schema", "schema_of"]

CHECKPOINT_WAIT = 0.02  # seconds that a small write waits for others to end before it is measured in the write-ahead log


def full_name(connection: duckdb.DuckDBPyConnection, name: TableName) -> str:
    """The quoted name with the catalog, since a schema may be called like the database file."""
    return f"{quote_identifier(catalog_of(connection))}.{name.quoted}"


def make_schema(connection: duckdb.DuckDBPyConnection, schema: str) -> None:
    """Make a schema, unless there is one; with the catalog, as in `full_name`."""
    catalog = quote_identifier(catalog_of(connection))
    connection.execute(f"create schema if not exists {catalog}.{quote_identifier(schema)}")


def exists(connection: duckdb.DuckDBPyConnection, name: TableName) -> bool:
    """Whether there is a table or a view; where there is none, this ends an open transaction."""
    try:
        connection.sql(f"from {full_name(connection, name)}")
    except duckdb.CatalogException:
        return is_listed(connection, name)  # as a view that reads what is gone
    except duckdb.BinderException:  # a view that reads what has other columns
        return True
    return True


def is_listed(connection: duckdb.DuckDBPyConnection, name: TableName) -> bool:
    """Whether there is a table or a view; slower in a database of many, and does no harm to an open transaction."""
    [(found,)] = connection.execute(
        "select count(*) from information_schema.tables where table_catalog = current_database() "
        "and lower(table_schema) = lower($schema) and lower(table_name) = lower($table)",
        {"schema": name.schema, "table": name.table},
    ).fetchall()
    return bool(found)


def kinds_of(connection: duckdb.DuckDBPyConnection, table: str) -> dict[str, str]:
    """The types of the columns of the table of this quoted name."""
    return {name: kind for name, kind, *_ in connection.execute(f"describe {table}").fetchall()}


def schema_of(connection: duckdb.DuckDBPyConnection, table: str) -> TableSchema:
    """The columns of the table of this quoted name, as they are recorded."""
    return TableSchema(tuple(TableColumn(name, kind) for name, kind in kinds_of(connection, table).items()))


def bytes_at_rest(connection: duckdb.DuckDBPyConnection, database: Database, table: str, logged: int) -> int | None:
    """The bytes of the blocks that hold the table; None in memory.

    A small table is in the write-ahead log until a checkpoint, which waits for the transactions of others to end: if they
    take too long, the `logged` bytes count instead.
    """
    if database.path is None:
        return None
    deadline = time.monotonic() + CHECKPOINT_WAIT
    checkpointed = _checkpointed(connection)
    blocks, pending = _blocks_of(connection, table)
    while pending and not checkpointed and time.monotonic() < deadline:
        time.sleep(0.005)
        checkpointed = _checkpointed(connection)
    if pending and checkpointed:
        blocks, pending = _blocks_of(connection, table)
    return len(blocks) * _block_size(connection, database) + (logged if pending else 0)


def _checkpointed(connection: duckdb.DuckDBPyConnection) -> bool:
    """Whether the write-ahead log could be emptied into blocks."""
    try:
        connection.execute("checkpoint")
    except duckdb.TransactionException:
        return False
    return True


def _blocks_of(connection: duckdb.DuckDBPyConnection, table: str) -> tuple[set[int], bool]:
    """The blocks that hold the table, and whether some of it is not in a block yet; counted here, as a query takes longer to plan."""
    found = connection.execute("select persistent, block_id, additional_block_ids from pragma_storage_info($1)", [table])
    blocks: set[int] = set()
    pending = False
    while rows := found.fetchmany(10_000):
        for persistent, block, more in rows:
            if not persistent:
                pending = True
                continue
            blocks.add(block)
            if more:
                blocks.update(more)
    return {block for block in blocks if block >= 0}, pending


def _block_size(connection: duckdb.DuckDBPyConnection, database: Database) -> int:
    """The bytes of a block, which are the same for as long as the file is open."""
    if database.block_size is None:
        [(database.block_size,)] = connection.execute(
            "select block_size from pragma_database_size() where database_name = current_database()"
        ).fetchall()
    return database.block_size
