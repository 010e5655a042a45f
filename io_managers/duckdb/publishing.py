"""The end of a transaction on a DuckDB database, and how many bytes it left."""

from __future__ import annotations

import os
import time
from contextlib import nullcontext, suppress

import duckdb

from io_managers.database import Database
from io_managers.duckdb.catalog import blocks_of
from warehouse_assets.errors import TableError
from warehouse_assets.keys import AssetKey

__all__ = ["bytes_at_rest", "commit", "rolled_back"]

CHECKPOINT_WAIT = 1.0  # seconds that a small write waits for others to end before it is measured in the write-ahead log


def commit(connection: duckdb.DuckDBPyConnection, database: Database, key: AssetKey) -> int:
    """Publish what was written of the asset `key`; how many bytes that added to the write-ahead log.

    TableError where a query ended the transaction, so that there is nothing to publish.
    """
    log = f"{database.path}.wal"
    try:
        with database.commit_lock if database.path is not None else nullcontext():
            before = _file_size(log)
            connection.execute("select 1")  # raises where a failed query ended the transaction; a commit would do nothing
            connection.commit()
            return max(0, _file_size(log) - before)
    except duckdb.TransactionException as error:
        if "aborted" not in str(error):
            raise
        raise TableError(
            f"the new table of asset {key.to_user_string()!r} was not published, since a query on it failed"
        ) from None


def rolled_back(connection: duckdb.DuckDBPyConnection) -> None:
    """Undo what was written, unless the failure did so."""
    with suppress(duckdb.Error):
        connection.rollback()


def bytes_at_rest(connection: duckdb.DuckDBPyConnection, database: Database, table: str, logged: int) -> int | None:
    """The bytes of the blocks that hold the table; None in memory.

    A small table is in the write-ahead log until a checkpoint, which waits for the transactions of others to end: if they
    take too long, the `logged` bytes count instead.
    """
    if database.path is None:
        return None
    blocks, pending, block_size = blocks_of(connection, table)
    started = time.monotonic()
    while pending:
        with suppress(duckdb.TransactionException):
            connection.execute("checkpoint")
        blocks, pending, block_size = blocks_of(connection, table)
        if pending and time.monotonic() - started > CHECKPOINT_WAIT / (1 if database.writers else 10):
            return blocks * block_size + logged
        time.sleep(0.005 if pending else 0)
    return blocks * block_size


def _file_size(path: str) -> int:
    try:
        return os.stat(path).st_size
    except FileNotFoundError:
        return 0
