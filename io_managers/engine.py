"""DuckDB as an engine: SQL over tables wherever they live, and results that keep what they need open."""

from __future__ import annotations

import contextlib
import itertools
import re
import weakref
from collections.abc import Callable, Collection, Iterator, Mapping
from typing import TYPE_CHECKING, Any, TypeVar

import duckdb

from io_managers.database import in_memory
from io_managers.engine_types import Column
from io_managers.functions import named_functions, register
from io_managers.projection import Reading, narrowed
from warehouse_assets.io_manager import ScansInDuckDB, TableSource
from warehouse_assets.keys import AssetKey
from warehouse_assets.sql import SQL
from warehouse_assets.sql.faults import fault_said, place_said
from warehouse_assets.tables import quote_identifier

if TYPE_CHECKING:
    import polars as pl
    import pyarrow as pa

__all__ = [
    "answer",
    "answered",
    "bound",
    "closing_with",
    "collected",
    "limited",
    "owned_reader",
    "relation_of",
    "sql_errors",
    "temporary_name",
]

T = TypeVar("T")

_names = itertools.count(1)


def closing_with(owner: T, close: Callable[[], Any]) -> T:
    """`owner`, with `close` called when it is collected, or at the end of the process."""
    weakref.finalize(owner, close)
    return owner


def owned_reader(reader: pa.RecordBatchReader, close: Callable[[], Any]) -> pa.RecordBatchReader:
    """The same batches, with `close` called after the last one, or when the result is dropped."""
    import pyarrow as pa

    def batches() -> Iterator[pa.RecordBatch]:
        yield from reader
        close()

    return closing_with(pa.RecordBatchReader.from_batches(reader.schema, batches()), close)


def temporary_name() -> str:
    """A name for what is brought into a connection for one statement; no two are the same."""
    return f"_upstream_{next(_names)}"


def relation_of(table: Any) -> duckdb.DuckDBPyRelation:
    """An Arrow table as a DuckDB relation that keeps a database of its own."""
    connection = in_memory()
    return closing_with(connection.from_arrow(table), connection.close)


@contextlib.contextmanager
def bound(
    sql: SQL,
    sources: Mapping[AssetKey, TableSource],
    connection: duckdb.DuckDBPyConnection,
    *,
    asset_key: AssetKey | None = None,
    default_schema: str | None = None,
    in_place: Callable[[TableSource], tuple[str, Mapping[str, Any]] | None] = lambda source: None,
) -> Iterator[tuple[str, dict[str, Any]]]:
    """The text of `sql` as this connection can run it inside the block, and its parameters.

    `in_place` gives a SQL expression for a table that the connection already sees, and its parameters. Others are read where they are, if their store lets
    DuckDB do so, or brought in as an Arrow stream.
    """
    resolved = sql.resolve(sources, asset_key=asset_key, default_schema=default_schema, several=True)
    for called, function in named_functions(sql.functions).items() if sql.functions else ():
        if called in resolved.template.casefold():
            register(connection, function)
    with contextlib.ExitStack() as stack:
        names = {}
        parameters = dict(resolved.parameters)
        for key in resolved.tables:
            source = sources[key]
            name, more = in_place(source) or (None, {})
            parameters.update(more)
            if name is None and isinstance(source.io_manager, ScansInDuckDB):
                name = source.io_manager.duckdb_scan(connection, source.context)
            if name is not None:
                name = limited(name, source.context.where, source.context.limit, key)
            else:
                places = [reference.parts for reference, read in resolved.references if read == key]
                reading = Reading(resolved.template, sql.dialect or "duckdb", places, resolved.parameters)
                name = stack.enter_context(_brought_in(connection, source, reading))
            names[key] = name
        before, text = resolved.before(names)
        for statement in before:
            with sql_errors(sql, statement, asset_key):
                connection.execute(statement, named_in(statement, parameters))
        with sql_errors(sql, text, asset_key):
            yield text, named_in(text, parameters) if before else parameters


def answer(
    connection: duckdb.DuckDBPyConnection, text: str, parameters: Mapping[str, Any], managers: Collection[Any] | None = None
) -> pa.RecordBatchReader:
    """The answer to a statement.

    With `managers`, those of the tables that are not in the database, DuckDB itself opens no other file until it is closed, unless it is to read
    tables of one of them where they are.
    """
    if managers is not None and not any(isinstance(manager, ScansInDuckDB) for manager in managers):
        connection.execute("set enable_external_access = false")
    reader: pa.RecordBatchReader = connection.sql(text, params=parameters).to_arrow_reader()
    return reader


def named_in(statement: str, parameters: Mapping[str, Any]) -> dict[str, Any]:
    """Those of the parameters that a statement names."""
    return {name: value for name, value in parameters.items() if re.search(rf"\${re.escape(name)}\b", statement)}


def limited(rows: str, where: str | None, limit: int | None, key: AssetKey) -> str:
    """Rows of the table of asset `key`, as SQL names them, or those for which a condition holds, and no more than a number."""
    if where is None and limit is None:
        return rows
    from warehouse_assets.sql.conditions import condition_text

    holds = "" if where is None else f" where {condition_text(where, key)}"
    return f"(select * from {rows}{holds}{'' if limit is None else f' limit {limit}'})"


@contextlib.contextmanager
def answered(sql: SQL, sources: Mapping[AssetKey, TableSource]) -> Iterator[pa.RecordBatchReader]:
    """The answer to `sql` from an embedded database, open inside the block."""
    with (
        contextlib.closing(in_memory()) as connection,
        bound(sql, sources, connection) as (text, parameters),
        connection.sql(text, params=parameters).to_arrow_reader() as reader,
    ):
        yield reader


@contextlib.contextmanager
def _brought_in(connection: duckdb.DuckDBPyConnection, source: TableSource, reading: Reading) -> Iterator[str]:
    import pyarrow as pa

    context = narrowed(source, pa.RecordBatchReader, reading)
    once = len(reading.places) == 1
    name = temporary_name()
    with source.io_manager.load_input(context) as reader:
        connection.register(name, reader)
        try:
            if not once:  # a stream can be read once only
                connection.execute(f"create temp table {name}_copy as from {name}")
            yield quote_identifier(name if once else f"{name}_copy")
        finally:
            connection.unregister(name)
            if not once:
                connection.execute(f"drop table if exists {name}_copy")


@contextlib.contextmanager
def sql_errors(sql: SQL, text: str, asset_key: AssetKey | None) -> Iterator[None]:
    """Turn what DuckDB says of `text`, made of faulty SQL, into InvalidSQLError, naming the asset and the place."""
    try:
        yield
    except (duckdb.BinderException, duckdb.CatalogException, duckdb.ParserException, duckdb.SyntaxException) as error:
        raise fault_said(sql, str(error), text, asset_key) from None
    except duckdb.Error as error:
        if place := place_said(sql, str(error), text):
            error.add_note(f"in the SQL at {place}")
        raise


def collected(sql: SQL, sources: Mapping[AssetKey, TableSource], asset_key: AssetKey) -> pl.DataFrame:
    """The answer to `sql`, from an embedded database, for stores that keep whole values."""
    with (
        contextlib.closing(in_memory()) as connection,
        bound(sql, sources, connection, asset_key=asset_key) as (text, parameters),
    ):
        relation = connection.sql(text, params=parameters)
        columns = [
            Column.of(name, str(kind), None, polars=True) for name, kind in zip(relation.columns, relation.types, strict=True)
        ]
        frame: pl.DataFrame = relation.project(", ".join(column.sql for column in columns)).pl()
        return frame.with_columns(column.expression for column in columns if column.casts)
