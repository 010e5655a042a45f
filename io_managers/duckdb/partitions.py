"""Writing partitions of a DuckDB table: inside of a transaction, in one pass over the rows."""

from __future__ import annotations

import itertools
import json
from collections.abc import Generator, Sequence
from contextlib import contextmanager

import duckdb

from io_managers.duckdb.catalog import is_listed, kinds_of
from io_managers.duckdb.columns import Columns, fitting
from io_managers.duckdb.incoming import Incoming
from io_managers.duckdb.notes import noted, remember, remembered
from io_managers.slices import Condition, condition, missing_partition_column, outside_partition, partition_columns
from io_managers.table import SchemaPolicy
from warehouse_assets.io_manager import OutputContext
from warehouse_assets.tables import TableSlice, quote_identifier

__all__ = ["cast_to", "count_of", "judging", "own_name", "write_partitions"]

_numbers = itertools.count(1)


def write_partitions(
    connection: duckdb.DuckDBPyConnection,
    context: OutputContext,
    table: TableSlice,
    quoted: str,
    incoming: Incoming,
    policy: SchemaPolicy,
) -> int:
    """Replace the partitions of the table `quoted`, which is made if it is not there, by new rows; how many these are.

    A row of another partition is an OutsidePartitionError.
    """
    partitions, key = table.partitions or (), context.asset_key
    described = connection.execute(f"describe {incoming.query}", incoming.parameters).fetchall()
    new = Columns({name: kind for name, kind, *_ in described}, None if incoming.dtypes is None else noted(incoming.dtypes))
    told = partition_columns(key, context.definition_metadata, context.partitions_def)
    columns = [own_name(new, column, context) for column in dict.fromkeys(told)]
    if not is_listed(connection, table.name):
        with judging(incoming.query, context, columns, condition(partitions, new.kinds, key)) as (query, bound):
            rows = count_of(connection, f"create table {quoted} as {query}", {**incoming.parameters, **bound})
        remember(connection, quoted, incoming.dtypes or {})
        return rows
    kinds = kinds_of(connection, quoted)
    old = Columns(kinds, remembered(connection, table.name, kinds))
    fit = fitting(connection, old, new, policy, key)
    for statement in fit.statements(quoted):
        connection.execute(statement)
    holds = condition(partitions, fit.kinds, key)
    connection.execute(f"delete from {quoted} where {holds.sql}", holds.parameters)
    with judging(cast_to(incoming.query, fit.casts), context, columns, holds) as (query, bound):
        rows = count_of(connection, f"insert into {quoted} by name {query}", {**incoming.parameters, **bound})
    if old.notes or fit.notes:
        connection.execute(f"comment on table {quoted} is null")
        remember(connection, quoted, fit.notes)
    return rows


def own_name(columns: Columns, column: str, context: OutputContext) -> str:
    """How the rows spell a column that tells their partition; SchemaChangedError where they have none."""
    if (own := columns.named(column)) is None:
        raise missing_partition_column(context.asset_key, column, list(columns.kinds))
    return own


def count_of(connection: duckdb.DuckDBPyConnection, statement: str, parameters: dict[str, object]) -> int:
    """Run a statement; how many rows it wrote."""
    [(rows,)] = connection.execute(statement, parameters).fetchall()
    return int(rows)


def cast_to(query: str, casts: dict[str, str]) -> str:
    """A query with some of its columns cast to other types."""
    if not casts:
        return query
    replaced = (f"{quote_identifier(name)}::{kind} as {quote_identifier(name)}" for name, kind in casts.items())
    return f"select * replace ({', '.join(replaced)}) from ({query}\n)"


@contextmanager
def judging(
    query: str, context: OutputContext, columns: Sequence[str], holds: Condition
) -> Generator[tuple[str, dict[str, object]]]:
    """The query with each row judged on its way, and more parameters for it; OutsidePartitionError for one that is not meant.

    The judgement is in a column and not in a filter, which DuckDB might apply before those of the query.
    """
    mark = f"row outside {next(_numbers)}:"
    quoted = [quote_identifier(column) for column in columns]
    row = f"to_json([{', '.join(f'{column}::varchar' for column in quoted)}])::varchar"
    judged = f"case when {holds.sql} then {quoted[0]} else error('{mark}' || {row}) end as {quoted[0]}"
    try:
        yield f"select * replace ({judged}) from ({query}\n)", holds.parameters
    except duckdb.InvalidInputException as error:
        _, found, text = str(error).partition(mark)
        if not found:
            raise
        values, _ = json.JSONDecoder().raw_decode(text)
        raise outside_partition(context.asset_key, dict(zip(columns, values, strict=True)), context.partition_keys) from None
