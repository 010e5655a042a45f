"""The end of a transaction on a DuckDB database."""

from __future__ import annotations

import os
from contextlib import nullcontext, suppress

import duckdb

from io_managers.database import Database
from warehouse_assets.errors import TableError
from warehouse_assets.keys import AssetKey

__all__ = ["commit", "rolled_back"]


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
            database.commits += 1
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


def _file_size(path: str) -> int:
    try:
        return os.stat(path).st_size
    except FileNotFoundError:
        return 0
