"""Writes to DuckDB rehearsed in a database in memory, whose tables have the columns of stored ones as DuckDB itself names them."""

from __future__ import annotations

from collections.abc import Collection, Generator, Mapping
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, TypeAlias

import duckdb

from io_managers.database import Database
from io_managers.duckdb.catalog import full_name, schema_of
from io_managers.rehearsal import TwinRehearsal
from io_managers.table import missing_table
from warehouse_assets.io_manager import InputContext, OutputContext
from warehouse_assets.tables import TableSchema, quote_identifier

if TYPE_CHECKING:
    from io_managers.duckdb.manager import DuckDBIOManager

__all__ = ["rehearsed"]


@contextmanager
def rehearsed(store: DuckDBIOManager, twin: DuckDBIOManager) -> Generator[TwinRehearsal]:
    """The rehearsal in `twin`, which is in memory and goes with the block."""
    catalogs: dict[Database, _Catalog] = {}

    def recall(context: InputContext, output: OutputContext, without: Collection[str]) -> TableSchema:
        stored = store.name_of(context.upstream_output)
        database = store._database_of(stored)
        if database not in catalogs:
            catalogs[database] = _catalog(store, database, context)
        catalog, name = catalogs[database], twin.name_of(output)
        place = str(stored.schema).casefold(), stored.table.casefold()
        if place not in catalog.columns:
            raise missing_table(context, str(stored), str(database))
        kinds = {column: kind for column, kind in catalog.columns[place].items() if column not in without}
        with twin._writing(output, name) as connection:
            table = full_name(connection, name)
            columns = ", ".join(f"{quote_identifier(column)} {kind}" for column, kind in kinds.items())
            with suppress(duckdb.CatalogException):  # where it is none
                connection.execute(f"drop view if exists {table}")
            connection.execute(f"create or replace table {table} ({columns})")
            if comment := catalog.comments.get(place):
                connection.execute("comment on table {} is '{}'".format(table, comment.replace("'", "''")))
            return schema_of(connection, table)

    try:
        yield TwinRehearsal(store, twin, recall)
    finally:
        twin._memory.close()


_Place: TypeAlias = "tuple[str, str]"  # schema and table, without case


@dataclass(frozen=True)
class _Catalog:
    """The types of the columns of all tables and views of a database, and the comments that keep types which DuckDB would forget."""

    columns: dict[_Place, dict[str, str]] = field(default_factory=dict)
    comments: Mapping[_Place, str] = field(default_factory=dict)


def _catalog(store: DuckDBIOManager, database: Database, context: InputContext) -> _Catalog:
    """All of it at once, since to open a file takes as long as to read the names of thousands of tables."""
    if database.is_missing:
        return _Catalog()
    with closing(database.lease(lock_timeout=store.lock_timeout, log=context.log, reads_only=True)) as lease:
        columns = lease.connection.execute(
            "select schema_name, table_name, column_name, data_type from duckdb_columns() "
            "where database_name = current_database() and not internal order by schema_name, table_name, column_index"
        ).fetchall()
        comments = lease.connection.execute(
            "select schema_name, table_name, comment from duckdb_tables() "
            "where database_name = current_database() and comment is not null"
        ).fetchall()
    catalog = _Catalog(comments={(schema.casefold(), table.casefold()): comment for schema, table, comment in comments})
    for schema, table, column, kind in columns:
        catalog.columns.setdefault((schema.casefold(), table.casefold()), {})[column] = kind
    return catalog
