"""Where a table is in a DuckDB database, what it has, and how many blocks it takes."""

from __future__ import annotations

import duckdb

from warehouse_assets.tables import TableColumn, TableName, TableSchema, quote_identifier

__all__ = ["blocks_of", "exists", "full_name", "is_listed", "kinds_of", "schema_of"]


def full_name(connection: duckdb.DuckDBPyConnection, name: TableName) -> str:
    """The quoted name with the catalog, since a schema may be called like the database file."""
    [(catalog,)] = connection.execute("select current_database()").fetchall()
    return f"{quote_identifier(catalog)}.{name.quoted}"


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


def blocks_of(connection: duckdb.DuckDBPyConnection, table: str) -> tuple[int, bool, int]:
    """How many blocks hold the table, whether some of it is not in a block yet, and the bytes of a block."""
    [row] = connection.execute(
        """
        with segments as (from pragma_storage_info($table))
        select
            (select count(distinct block) from (
                select block_id as block from segments where persistent and block_id >= 0
                union all select unnest(additional_block_ids) from segments where persistent)),
            (select coalesce(bool_or(not persistent), false) from segments),
            (select block_size from pragma_database_size() where database_name = current_database())
        """,
        {"table": table},
    ).fetchall()
    return row
