"""SQL over tables of a database: what lives there is used in place, what lives elsewhere is brought in for the transaction."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import pyarrow as pa
from sqlalchemy.exc import DBAPIError

from io_managers.projection import Reading, narrowed
from io_managers.sqlalchemy.bindings import OwnNames
from io_managers.sqlalchemy.dialect import Dialect, Session
from io_managers.sqlalchemy.engines import plain_text
from io_managers.sqlalchemy.incoming import Incoming
from io_managers.sqlalchemy.types import kind_of
from warehouse_assets.errors import InvalidSQLError, WarehouseAssetsError
from warehouse_assets.io_manager import InputContext, TableSource
from warehouse_assets.keys import AssetKey
from warehouse_assets.sql import SQL, ResolvedSQL
from warehouse_assets.sql.faults import fault_said, place_said
from warehouse_assets.tables import TableName

__all__ = ["bound_sql", "condition_in", "invalid_sql"]


@contextmanager
def bound_sql(
    sql: SQL,
    sources: Mapping[AssetKey, TableSource],
    dialect: Dialect,
    session: Session,
    *,
    asset_key: AssetKey | None = None,
    default_schema: str | None = None,
    several: bool = True,
    in_place: Callable[[TableSource], tuple[str, Mapping[str, Any]] | None],
) -> Iterator[tuple[str, dict[str, Any]]]:
    """The text of `sql` as the session can run it inside of the block, and its parameters.

    `in_place` gives a SQL expression for a table that the session sees, and its parameters; others become temporary tables.
    """
    own = OwnNames(dialect)
    with own.told_as_given():
        resolved = own.put_in(sql).resolve(
            sources, asset_key=asset_key, default_schema=default_schema, dialect=dialect.sqlglot, several=several
        )
    parameters = dict(resolved.parameters)
    names: dict[AssetKey, str] = {}
    brought: list[TableName] = []
    try:
        for key in resolved.tables:
            name, more = in_place(sources[key]) or (None, {})
            parameters.update(more)
            if name is None:
                places = [reference.parts for reference, read in resolved.references if read == key]
                reading = Reading(resolved.template, dialect.sqlglot, places, resolved.parameters)
                brought.append(_bring_in(sources[key], dialect, session, reading))
                own.stands_for(brought[-1].table, ".".join(key.path))
                name = dialect.full(brought[-1])
            names[key] = _limited(name, sources[key].context, dialect)
        *before, text = (_text(resolved, names, dialect, span).strip().removesuffix(";") for span in _spans(resolved))
        for statement in before:
            session.spoil()
            with own.told_as_given(), _errors(sql, statement, dialect, asset_key):
                session.run(statement, _named_in(statement, parameters))
        with own.told_as_given(), _errors(sql, text, dialect, asset_key):
            yield text, _named_in(text, parameters) if before else parameters
    finally:
        for table in brought:
            dialect.drop_temporary(session, table)


def _spans(resolved: ResolvedSQL) -> Sequence[tuple[int, int]]:
    """Those of the statements, of which the last is the query."""
    return resolved.statements if len(resolved.statements) > 1 else ((0, len(resolved.template)),)


def _named_in(statement: str, parameters: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in parameters.items() if f"${name}" in statement}


def _text(resolved: ResolvedSQL, names: Mapping[AssetKey, str], dialect: Dialect, span: tuple[int, int]) -> str:
    pieces: list[str] = []
    position, end = span
    for reference, key in sorted(resolved.references, key=lambda pair: pair[0].start):
        if span[0] <= reference.start < end:
            alias = "" if reference.alias else f" as {dialect.quote(reference.parts[-1])}"
            pieces += (resolved.template[position : reference.start], names[key], alias)
            position = reference.end
    return "".join((*pieces, resolved.template[position:end]))


def _bring_in(source: TableSource, dialect: Dialect, session: Session, reading: Reading) -> TableName:
    context = narrowed(source, pa.RecordBatchReader, reading)
    with source.io_manager.load_input(context) as reader:
        incoming = Incoming(reader, source.asset_key)
        kinds = {name: kind_of(dtype) for name, dtype in incoming.dtypes.items()}
        table = dialect.create_temporary(session, kinds)
        session.insert(table, kinds, incoming.frames())
    return table


def _limited(name: str, context: InputContext, dialect: Dialect) -> str:
    """A table, as SQL names it, or those of its rows that its source says are to be read."""
    if context.where is None and context.limit is None:
        return name
    where = "" if context.where is None else f" where {condition_in(context.where, context.asset_key, dialect)}"
    return f"(select * from {name}{where}{'' if context.limit is None else f' limit {context.limit}'})"


def condition_in(where: str, key: AssetKey, dialect: Dialect) -> str:
    """A condition that people wrote, as it can stand in a query."""
    from warehouse_assets.sql.conditions import condition_text

    return condition_text(where, key, dialect.sqlglot)


@contextmanager
def _errors(sql: SQL, text: str, dialect: Dialect, key: AssetKey | None) -> Iterator[None]:
    """Turn what a database says of `text`, made of faulty SQL, into InvalidSQLError, naming the asset and the place."""
    try:
        yield
    except WarehouseAssetsError:
        raise
    except Exception as error:
        own = error.orig if isinstance(error, DBAPIError) and isinstance(error.orig, Exception) else error
        said = plain_text(error, dialect.engine.url)
        if dialect.is_own_error(own) and dialect.is_bad_sql(own):
            raise fault_said(sql, said, text, key) from None
        if dialect.is_own_error(own) and (place := place_said(sql, said, text)):
            error.add_note(f"in the SQL at {place}")
        raise


def invalid_sql(message: str, key: AssetKey | None) -> InvalidSQLError:
    """The error for SQL that a database refuses."""
    return InvalidSQLError(f"the SQL{f' of asset {key.to_user_string()!r}' if key else ''}: {message}")
