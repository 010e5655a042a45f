"""Writing to a DuckDB table that keeps rows it has: inside of a transaction, in one pass over the new rows."""

from __future__ import annotations

from collections.abc import Generator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from datetime import datetime
from typing import Any

import duckdb

from io_managers import engine
from io_managers.duckdb.catalog import is_listed, kinds_of
from io_managers.duckdb.columns import Columns, fitting
from io_managers.duckdb.incoming import Incoming
from io_managers.duckdb.notes import noted, remember, remembered
from io_managers.duckdb.partitions import cast_to, judging, own_name
from io_managers.merging import Merge, Statement, check_key, not_a_snapshot, wrong_key
from io_managers.slices import Condition, condition, partition_columns
from io_managers.table import SchemaPolicy
from warehouse_assets.errors import SchemaChangedError, close_matches
from warehouse_assets.io_manager import OutputContext
from warehouse_assets.keys import AssetKey
from warehouse_assets.table_options import WriteMode
from warehouse_assets.tables import TableSlice, quote_identifier

__all__ = ["describe_columns", "merge_rows", "sorted_rows"]


def sorted_rows(connection: duckdb.DuckDBPyConnection, incoming: Incoming, columns: Sequence[str], key: AssetKey) -> Incoming:
    """The rows in the order of these columns; SchemaChangedError, naming the asset, for one that they have not."""
    if not columns:
        return incoming
    known = _columns(connection, incoming)
    for column in columns:
        if known.named(column) is None:
            raise SchemaChangedError(
                f"asset {key.to_user_string()!r} is sorted by {column!r}, and its rows have no such column",
                hint=close_matches(column, list(known.kinds)) or f"They have {', '.join(map(repr, known.kinds))}.",
            )
    return replace(incoming, query=f"select * from ({incoming.query}\n) order by {', '.join(map(quote_identifier, columns))}")


def merge_rows(
    connection: duckdb.DuckDBPyConnection,
    context: OutputContext,
    table: TableSlice,
    quoted: str,
    incoming: Incoming,
    policy: SchemaPolicy,
    now: datetime,
) -> int | None:
    """Bring the rows into the table `quoted`, as the write mode of the asset says; how many rows the partitions have then, if any."""
    mode, new = context.table_options.mode, _columns(connection, incoming)
    check_key(mode, list(new.kinds), context.asset_key)
    if is_listed(connection, table.name):
        holds = _into_table(connection, context, table, quoted, incoming, policy, now)
    else:
        with _of_partitions(context, table, new, new.kinds, incoming.query) as (query, holds):
            parameters = incoming.parameters | (holds.parameters if holds else {})
            if mode.kind == "snapshot":
                first = Merge(mode, quoted, "incoming", list(new.kinds)).first(now)
                query, parameters = f"with incoming as ({query}\n) {first.text}", parameters | dict(first.parameters)
            connection.execute(f"create table {quoted} as {query}", parameters)
        _check_keys(connection, Merge(mode, quoted, quoted, []), context.asset_key)
        remember(connection, quoted, incoming.dtypes or {})
    if holds is None:
        return None
    [(rows,)] = connection.execute(f"select count(*) from {quoted} where {holds.sql}", holds.parameters).fetchall()
    return int(rows)


def _into_table(
    connection: duckdb.DuckDBPyConnection,
    context: OutputContext,
    table: TableSlice,
    quoted: str,
    incoming: Incoming,
    policy: SchemaPolicy,
    now: datetime,
) -> Condition | None:
    """Bring rows into a table that is there; which of its rows are of the partitions that are written."""
    mode, key, new = context.table_options.mode, context.asset_key, _columns(connection, incoming)
    kinds = kinds_of(connection, quoted)
    times = _times(mode, kinds, key)
    kept = {name: kind for name, kind in kinds.items() if name.casefold() not in times}
    old = Columns(kept, remembered(connection, table.name, kept))
    fit = fitting(connection, old, new, policy, key)
    for statement in fit.statements(quoted):
        connection.execute(statement)
    with _of_partitions(context, table, new, fit.kinds, cast_to(incoming.query, fit.casts)) as (query, holds):
        parameters = incoming.parameters | (holds.parameters if holds else {})
        if mode.kind == "append":
            connection.execute(f"insert into {quoted} by name {query}", parameters)
        else:
            aside = engine.temporary_name()
            own = ", ".join(map(quote_identifier, fit.kinds))
            empty = f"select {own} from {quoted} limit 0"  # which fills columns that are missing
            connection.execute(f"create temp table {aside} as ({empty}) union all by name {query}", parameters)
            within = Statement(holds.sql, holds.parameters) if holds else None
            merge = Merge(mode, quoted, f"temp.{aside}", list(fit.kinds), within=within)
            _check_keys(connection, merge, key)
            for each in merge.statements(now):
                connection.execute(each.text, dict(each.parameters))
            connection.execute(f"drop table {aside}")
    if old.notes or fit.notes:
        connection.execute(f"comment on table {quoted} is null")
        remember(connection, quoted, fit.notes)
    return holds


def describe_columns(connection: duckdb.DuckDBPyConnection, quoted: str, descriptions: Mapping[str, str]) -> None:
    """Let the columns of a table have what was said of them as their comments."""
    for name in kinds_of(connection, quoted) if descriptions else ():
        if text := descriptions.get(name):
            said = text.replace("'", "''")
            connection.execute(f"comment on column {quoted}.{quote_identifier(name)} is '{said}'")


def _columns(connection: duckdb.DuckDBPyConnection, incoming: Incoming) -> Columns:
    described = connection.execute(f"describe {incoming.query}", incoming.parameters).fetchall()
    notes = None if incoming.dtypes is None else noted(incoming.dtypes)
    return Columns({name: kind for name, kind, *_ in described}, notes)


@contextmanager
def _of_partitions(
    context: OutputContext, table: TableSlice, new: Columns, kinds: Mapping[str, str], query: str
) -> Generator[tuple[str, Condition | None]]:
    """The query with its rows judged, and the condition that they fulfil, where partitions are written."""
    if table.partitions is None:
        yield query, None
        return
    told = partition_columns(context.asset_key, context.definition_metadata, context.partitions_def)
    columns = [own_name(new, column, context) for column in dict.fromkeys(told)]
    holds = condition(table.partitions, kinds, context.asset_key)
    with judging(query, context, columns, holds) as (judged, _):
        yield judged, holds


def _times(mode: WriteMode, kinds: Mapping[str, str], key: AssetKey) -> set[str]:
    """The columns in which a snapshot keeps times, which its table has to have; in lower case."""
    if mode.kind != "snapshot":
        return set()
    times = {mode.valid_from.casefold(), mode.valid_to.casefold()}
    if missing := times - {name.casefold() for name in kinds}:
        raise not_a_snapshot(mode, min(missing), key)
    return times


def _check_keys(connection: duckdb.DuckDBPyConnection, merge: Merge, key: AssetKey) -> None:
    """Raise RowKeyError for a key that is NULL or there twice."""
    query = merge.wrong_keys()
    found: tuple[Any, ...] | None = connection.execute(query).fetchone() if query is not None else None
    if found is not None:
        raise wrong_key(merge.mode, found, key)
