"""Writes to DuckDB rehearsed in a database in memory, whose tables have the columns of stored ones as DuckDB itself names them."""

from __future__ import annotations

from collections.abc import Collection, Generator
from contextlib import closing, contextmanager
from typing import TYPE_CHECKING

from io_managers.duckdb.catalog import exists, full_name, kinds_of, schema_of
from io_managers.rehearsal import TwinRehearsal
from io_managers.table import missing_table
from warehouse_assets.io_manager import InputContext, OutputContext
from warehouse_assets.tables import TableName, TableSchema, quote_identifier

if TYPE_CHECKING:
    import duckdb

    from io_managers.duckdb.manager import DuckDBIOManager

__all__ = ["rehearsed"]


@contextmanager
def rehearsed(store: DuckDBIOManager, twin: DuckDBIOManager) -> Generator[TwinRehearsal]:
    """The rehearsal in `twin`, which is in memory and goes with the block."""

    def recall(context: InputContext, output: OutputContext, without: Collection[str]) -> TableSchema:
        kinds, comment = _stored(store, context)
        name = twin.name_of(output)
        with twin._writing(output, name) as connection:
            table = full_name(connection, name)
            columns = ", ".join(f"{quote_identifier(column)} {kind}" for column, kind in kinds.items() if column not in without)
            connection.execute(f"create or replace table {table} ({columns})")
            if comment is not None:
                connection.execute("comment on table {} is '{}'".format(table, comment.replace("'", "''")))
            return schema_of(connection, table)

    try:
        yield TwinRehearsal(store, twin, recall)
    finally:
        twin._memory.close()


def _stored(store: DuckDBIOManager, context: InputContext) -> tuple[dict[str, str], str | None]:
    """The types of the columns of a stored table or view, and its comment, which keeps those that DuckDB would forget."""
    name = store.name_of(context.upstream_output)
    database = store._database_of(name)
    if database.is_missing:
        raise missing_table(context, str(name), str(database))
    with closing(database.lease(lock_timeout=store.lock_timeout, log=context.log, reads_only=True)) as lease:
        if not exists(lease.connection, name):
            raise missing_table(context, str(name), str(database))
        return kinds_of(lease.connection, full_name(lease.connection, name)), _comment(lease.connection, name)


def _comment(connection: duckdb.DuckDBPyConnection, name: TableName) -> str | None:
    found = connection.execute(
        "select comment from duckdb_tables() where database_name = current_database() "
        "and lower(schema_name) = lower($schema) and lower(table_name) = lower($table)",
        {"schema": name.schema, "table": name.table},
    ).fetchall()
    return found[0][0] if found else None
