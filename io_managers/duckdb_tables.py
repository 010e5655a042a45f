"""Tables of a DuckDB connection: whether they are there, how large they are, and how a whole one or a slice of it is replaced."""

from __future__ import annotations

import os
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import duckdb

from io_managers.duckdb_types import remember, remembered
from io_managers.frames import Stream, is_lazy
from io_managers.slices import column_of, outside, sql_condition
from io_managers.table import SchemaPolicy, policy_refusal
from warehouse_assets.errors import TableError
from warehouse_assets.keys import AssetKey
from warehouse_assets.tables import TableName, TableSlice, quote_identifier

if TYPE_CHECKING:
    import polars as pl

__all__ = [
    "INCOMING",
    "Incoming",
    "column_types",
    "file_size",
    "full_name",
    "replace_slice",
    "replace_table",
    "sliced",
    "table_blocks",
]

INCOMING = "_incoming"  # the name under which a frame is handed to a connection

_BROKEN_STREAM = f"reading the stream registered as '{INCOMING}' failed: "


@dataclass(frozen=True, slots=True)
class Incoming:
    """What is to be written: a query, with the frame that it reads where it comes from one."""

    query: str
    parameters: Mapping[str, Any] | None = None
    dtypes: Mapping[str, pl.DataType] = field(default_factory=dict)
    frame: Any = None
    stream: Stream | None = None

    def execute(self, connection: duckdb.DuckDBPyConnection, statement: str) -> int:
        """Run a statement around the query; the rows that it wrote. What fails in the frame is raised as itself."""
        try:
            [(rows,)] = connection.execute(statement, self.parameters).fetchall()
        except duckdb.Error as error:
            if self.stream is not None and self.stream.error is not None:
                raise self.stream.error from None
            self._raise_own(error)
            raise
        return int(rows)

    def types(self, connection: duckdb.DuckDBPyConnection) -> dict[str, str]:
        """The columns that the query gives, and their types."""
        described = connection.execute(f"describe {self.query}", self.parameters).fetchall()
        return {name: str(kind) for name, kind, *_ in described}

    def _raise_own(self, error: duckdb.Error) -> None:
        """Raise what a LazyFrame raised while DuckDB read it.

        DuckDB passes on the text alone, so the frame is computed again, without storing it, up to where it fails.
        """
        import polars as pl

        from io_managers.frames import BATCH_ROWS

        _, _, text = str(error).partition(_BROKEN_STREAM)
        if not (text and is_lazy(self.frame)):
            return
        for _ in self.frame.collect_batches(chunk_size=BATCH_ROWS, lazy=True):
            pass
        raise pl.exceptions.ComputeError(text) from None


def replace_table(connection: duckdb.DuckDBPyConnection, name: TableName, incoming: Incoming) -> int:
    """Put a new table in the place of an old one, in a transaction of the caller's; its rows."""
    quoted = full_name(connection, name)
    try:
        rows = incoming.execute(connection, f"create or replace table {quoted} as {incoming.query}")
    except duckdb.CatalogException as error:
        if "is of type View" not in str(error):
            raise
        raise TableError(f"{name} is a view, not a table", hint=f"Drop it first: drop view {name.quoted}") from None
    remember(connection, quoted, incoming.dtypes)
    return rows


def replace_slice(
    connection: duckdb.DuckDBPyConnection, key: AssetKey, table: TableSlice, incoming: Incoming, policy: SchemaPolicy, keys: Any
) -> int:
    """Put new rows in the place of those of a slice, in a transaction of the caller's; how many they are.

    The table is made if there is none. Raises SchemaChangedError where the columns do not fit under the policy, and TableError
    for a row that is not in the slice.
    """
    name, filters = table.name, table.partitions or ()
    quoted = full_name(connection, name)
    stored = column_types(connection, name)
    if stored is None:
        rows = replace_table(connection, name, incoming)
        stored = column_types(connection, name) or {}
    else:
        _fit(connection, key, name, stored, incoming, policy)
        stored = column_types(connection, name) or {}
        connection.execute(f"delete from {quoted} where {sql_condition(filters, stored)}")
        rows = incoming.execute(connection, f"insert into {quoted} by name {incoming.query}")
    condition = sql_condition(filters, stored)
    [(inside,)] = connection.execute(f"select count(*) from {quoted} where {condition}").fetchall()
    if inside != rows:
        columns = list(dict.fromkeys(column_of(part, stored) for parts in filters for part in parts))
        names = ", ".join(map(quote_identifier, columns))
        misplaced = f"select {names} from {quoted} where ({condition}) is not true order by rowid desc limit 1"
        [row] = connection.execute(misplaced).fetchall()
        raise outside(f"asset {key.to_user_string()!r}", columns, row, keys)
    return rows


def _fit(
    connection: duckdb.DuckDBPyConnection,
    key: AssetKey,
    name: TableName,
    stored: Mapping[str, str],
    incoming: Incoming,
    policy: SchemaPolicy,
) -> None:
    """Give the table the columns of what is to be written, as far as the policy goes."""
    spelled = {column.casefold(): column for column in stored}
    given = {spelled.get(column.casefold(), column): kind for column, kind in incoming.types(connection).items()}
    given = {column: stored.get(column, "INTEGER") if kind == '"NULL"' else kind for column, kind in given.items()}
    if (refused := policy_refusal(key, policy, stored, given)) is not None:
        raise refused
    if given == stored:
        return
    quoted = full_name(connection, name)
    dtypes = remembered(connection, name, stored)
    for column, kind in given.items():
        quoted_column = quote_identifier(column)
        if column not in stored:
            connection.execute(f"alter table {quoted} add column {quoted_column} {kind}")
            if column in incoming.dtypes:
                dtypes[column] = incoming.dtypes[column]
        elif kind != stored[column]:
            [(_, both, *_)] = connection.execute(
                f"describe select null::{stored[column]} as c union all select null::{kind}"
            ).fetchall()
            connection.execute(f"alter table {quoted} alter column {quoted_column} set data type {both}")
    for column in stored if policy == "sync" else ():
        if column not in given:
            connection.execute(f"alter table {quoted} drop column {quote_identifier(column)}")
    remember(connection, quoted, {column: dtype for column, dtype in dtypes.items() if column in given or policy != "sync"})


def sliced(connection: duckdb.DuckDBPyConnection, table: TableSlice, stored: Mapping[str, str]) -> str:
    """What SQL reads the slice from: the table itself, or the rows of it that are meant."""
    quoted = full_name(connection, table.name)
    return quoted if table.partitions is None else f"(from {quoted} where {sql_condition(table.partitions, stored)})"


def full_name(connection: duckdb.DuckDBPyConnection, name: TableName) -> str:
    """The quoted name, with the catalog, since a schema may be called like the database file."""
    [(catalog,)] = connection.execute("select current_database()").fetchall()
    return f"{quote_identifier(catalog)}.{name.quoted}"


def column_types(connection: duckdb.DuckDBPyConnection, name: TableName) -> dict[str, str] | None:
    """The columns of a table and their types; None where there is no such table."""
    with suppress(duckdb.CatalogException):
        relation = connection.sql(f"from {full_name(connection, name)}")
        return dict(zip(relation.columns, map(str, relation.types), strict=True))
    return None


def table_blocks(connection: duckdb.DuckDBPyConnection, table: str) -> tuple[int, bool, int]:
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


def file_size(path: str) -> int:
    """The bytes of a file; none where there is no such file."""
    try:
        return os.stat(path).st_size
    except FileNotFoundError:
        return 0
