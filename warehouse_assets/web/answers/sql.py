"""A query over stored tables, for a page: one that only reads, and an answer of not too many rows."""

from __future__ import annotations

import functools
import io
import re
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

import msgspec

from warehouse_assets.errors import InvalidSQLError, close_matches
from warehouse_assets.web.answers.record import the_instance

if TYPE_CHECKING:
    from sqlglot import exp

    from warehouse_assets.code_location.definitions import Definitions

__all__ = ["QueryAnswer", "QueryAsked", "QueryColumn", "query"]

LONGEST = 2_000  # characters of a cell
_REFUSED = re.compile(
    r"(read|pg|duckdb|pragma|parquet|sniff|json_execute|json_serialize|which|write|from_substrait|get_substrait|icu)_.*",
    re.IGNORECASE,
)
_REFUSED_NAMES = {
    "getenv",
    "getvariable",
    "current_setting",
    "query",
    "query_table",
    "nextval",
    "currval",
    "set_config",
    "glob",
    "sql_auto_complete",
}


class QueryAsked(msgspec.Struct, frozen=True):
    """A query, how many rows of its answer are wanted, and as what: rows, csv or parquet."""

    text: str
    limit: int = 200
    form: str = "rows"


class QueryColumn(msgspec.Struct, frozen=True):
    """A column of an answer."""

    name: str
    type: str
    is_number: bool


class QueryAnswer(msgspec.Struct, frozen=True):
    """The answer: cells as text, None where they are NULL; or a file. `more` is whether there were more rows."""

    columns: tuple[QueryColumn, ...]
    rows: tuple[tuple[str | None, ...], ...] = ()
    more: bool = False
    file: bytes = b""


def query(definitions: Definitions, request: QueryAsked) -> QueryAnswer:
    """The answer to a query over the tables of a code location; InvalidSQLError for anything that does more than read them."""
    import pyarrow as pa

    from warehouse_assets.sql.origin import SQLOrigin
    from warehouse_assets.sql.value import SQL

    _check(definitions, request.text)
    instance = the_instance()
    with (
        definitions.stored_tables(instance=instance) as tables,
        tables.query(SQL(request.text).told(origin=SQLOrigin("query"))) as reader,
    ):
        batches, count = [], 0
        for batch in reader:
            batches.append(batch.slice(0, request.limit + 1 - count))
            count += batches[-1].num_rows
            if count > request.limit:
                break
        table = pa.Table.from_batches(batches, reader.schema)
    shown = table.slice(0, request.limit)
    numbers = [
        pa.types.is_integer(field.type) or pa.types.is_floating(field.type) or pa.types.is_decimal(field.type)
        for field in table.schema
    ]
    columns = tuple(
        QueryColumn(field.name, str(field.type), number) for field, number in zip(table.schema, numbers, strict=True)
    )
    if request.form != "rows":
        return QueryAnswer(columns, more=count > request.limit, file=_file(shown, request.form))
    cells = [[_cell(value) for value in column.to_pylist()] for column in shown.columns]
    return QueryAnswer(columns, tuple(zip(*cells, strict=True)) if cells else (), count > request.limit)


def _check(definitions: Definitions, text: str) -> None:
    """Refuse all but one statement that reads tables of the project and calls functions that compute."""
    import sqlglot
    from sqlglot import exp
    from sqlglot.errors import SqlglotError

    try:
        statements = [one for one in sqlglot.parse(text, dialect="duckdb") if one is not None]
    except SqlglotError as error:
        fault: dict[str, Any] = next(iter(getattr(error, "errors", ())), {})
        where = f" (line {fault.get('line')}, column {fault.get('col')})" if fault.get("line") else ""
        raise InvalidSQLError(f"this cannot be read as SQL: {fault.get('description') or error}{where}") from None
    if len(statements) != 1:
        raise InvalidSQLError(f"there are {len(statements)} statements, and one is answered at a time")
    (statement,) = statements
    if not isinstance(statement, (exp.Query, exp.Values, exp.Pivot)) or statement.find(exp.Into, exp.DML, exp.DDL) not in (
        None,
        statement,
    ):
        raise InvalidSQLError(
            "only queries are answered here: select …, from …, or with … select …", hint="Nothing is changed on this page."
        )
    _check_tables(definitions, statement)
    for name in _functions(statement):
        if _REFUSED.fullmatch(name) or name.lower() in _REFUSED_NAMES or name.lower() not in _known_functions():
            raise InvalidSQLError(
                f"the function {name} is not called here",
                hint="Functions that compute are; those that read files or settings are not.",
            )


def _check_tables(definitions: Definitions, statement: exp.Expr) -> None:
    from sqlglot import exp

    from warehouse_assets.sql.names import resolve_table

    keys = list(definitions.graph.nodes)
    own = {cte.alias_or_name.lower() for cte in statement.find_all(exp.CTE)}
    for table in statement.find_all(exp.Table):
        if not isinstance(table.this, exp.Identifier):
            if isinstance(table.this, (exp.Unnest, exp.GenerateSeries)):
                continue
            raise InvalidSQLError(
                f"{table.this.sql('duckdb')[:80]} is no table of the project", hint="Files are not read here."
            )
        parts = tuple(part.name for part in table.parts)
        if len(parts) == 1 and parts[0].lower() in own:
            continue
        if resolve_table(parts, keys) is None:
            hint = close_matches(".".join(parts), [".".join(key.path) for key in keys]) or None
            raise InvalidSQLError(f"there is no table {'.'.join(parts)!r}", hint=hint)


def _functions(statement: exp.Expr) -> Iterator[str]:
    """The functions that are called by a name of which the parser knows nothing more."""
    from sqlglot import exp

    for node in statement.find_all(exp.Anonymous, exp.AnonymousAggFunc):
        yield str(node.this)


@functools.cache
def _known_functions() -> frozenset[str]:
    import duckdb

    rows: Sequence[tuple[str]] = (
        duckdb.connect()
        .execute(
            "select distinct lower(function_name) from duckdb_functions() where function_type in ('scalar', 'aggregate', 'macro')"
        )
        .fetchall()
    )
    return frozenset(name for (name,) in rows)


def _cell(value: Any) -> str | None:
    if value is None:
        return None
    if isinstance(value, bytes):
        return f"{value[:40].hex()}{'…' if len(value) > 40 else ''}"
    text = f"{value}"
    return text if len(text) <= LONGEST else f"{text[:LONGEST]}…"


def _file(table: Any, form: str) -> bytes:
    target = io.BytesIO()
    if form == "parquet":
        from pyarrow import parquet

        parquet.write_table(table, target)
    else:
        import polars as pl

        pl.DataFrame(table).cast({pl.Binary: pl.String}, strict=False).write_csv(target)
    return target.getvalue()
