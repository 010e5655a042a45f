"""Tables of other stores, of which only the columns and the rows are read that a query may need."""

from __future__ import annotations

import copy
import datetime as dt
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import TYPE_CHECKING, Any, Protocol, runtime_checkable

from warehouse_assets.io_manager import InputContext, TableSource
from warehouse_assets.io_manager.powers import NamesTables
from warehouse_assets.tables import TableSlice, quote_identifier

if TYPE_CHECKING:
    import polars as pl

    from warehouse_assets.sql.comparisons import Comparison, Constant

__all__ = ["Reading", "narrowed"]


@runtime_checkable
class _ReadsColumns(Protocol):
    """A store that tells the columns of a table without reading it, and reads those that are asked for."""

    reads_rows: bool

    def slice_of(self, context: InputContext) -> TableSlice:
        """The part of the table that is to be read."""


@dataclass(frozen=True)
class Reading:
    """The text of a query, in a dialect, which names a table at each of these places; `parameters` are its bound values."""

    text: str
    dialect: str
    places: Sequence[Sequence[str]]
    parameters: Mapping[str, Any]


def narrowed(source: TableSource, kind: Any, reading: Reading) -> InputContext:
    """The context to read a table as a `kind`, with no more columns and rows than the query may need."""
    import polars as pl

    from warehouse_assets.sql.projection import names_in

    context: InputContext = copy.copy(source.context)
    if isinstance(source.io_manager, _ReadsColumns) and source.io_manager.reads_rows:
        names = names_in(reading.text, reading.dialect)
        conditions = _comparisons(source, reading)
        if names is not None or conditions:
            context.type_hint = pl.LazyFrame
            schema = source.io_manager.load_input(context).collect_schema()
            more: dict[str, Any] = {}
            if names is not None:
                more["columns"] = [name for name in schema if name.casefold() in names] or [*schema][
                    :1
                ]  # whose rows are counted
            if where := _where(conditions, schema, source, reading.dialect):
                more["where"] = where if context.where is None else f"(\n{context.where}\n) and {where}"
            context.metadata = {**context.metadata, **more}
    context.type_hint = kind
    return context


def _comparisons(source: TableSource, reading: Reading) -> Sequence[Comparison]:
    """What holds for the rows that the query needs, where a condition can be asked for."""
    if len(reading.places) != 1 or source.context.limit is not None or not isinstance(source.io_manager, NamesTables):
        return ()
    from warehouse_assets.sql.comparisons import comparisons_with

    return comparisons_with(reading.text, reading.places[0], reading.dialect, reading.parameters)


def _where(comparisons: Sequence[Comparison], schema: pl.Schema, source: TableSource, target: str) -> str:
    """A condition that no row fails which the engine of the query would take, in the SQL of the store; "" for none.

    Engines differ in how they compare: only what is the same in the store and in that engine is asked for.
    """
    assert isinstance(source.io_manager, NamesTables)
    dialect = source.io_manager.sql_naming().dialect
    if dialect not in _DIALECTS:
        return ""
    parts = []
    for each in comparisons:
        own = [name for name in schema if name.casefold() == each.column.casefold()]
        if len(own) != 1:
            continue
        quoted = f"`{own[0].replace('`', '``')}`" if dialect == "mysql" else quote_identifier(own[0])
        if each.values == (None,):
            parts.append(f"{quoted} is not null")
            continue
        values = [_text(value, schema[own[0]], each.operator, dialect, target) for value in each.values]
        if None in values:
            continue
        if schema[own[0]].is_(_string()) and dialect != "mysql":
            quoted = f"cast({quoted} as text)"  # of an enumeration, for example, which refuses other text
        compared = f"in ({', '.join(map(str, values))})" if each.operator == "=" else f"{each.operator} {values[0]}"
        parts.append(f"{quoted} {compared}")
    return " and ".join(parts)


_DIALECTS = ("duckdb", "postgres", "mysql", "sqlite")


def _string() -> Any:
    import polars as pl

    return pl.String()


def _text(value: Constant, dtype: pl.DataType, operator: str, dialect: str, target: str) -> str | None:
    """A constant as SQL has it, where columns of this type are compared with it alike everywhere; None where they are not."""
    import polars as pl

    in_text = "sqlite" in (dialect, target)  # decimals, and times in several forms
    match value:
        case int() if dtype.is_integer() or dtype.is_float() or (dtype.is_decimal() and not in_text):
            return str(value)
        case Decimal() if dtype.is_decimal() and not in_text and value.is_finite():
            return f"{value:f}"
        case str() if dtype == pl.String and operator == "=" and target != "mysql" and value.isprintable():
            return None if "\\" in value or value.endswith(" ") else "'" + value.replace("'", "''") + "'"
        case str() | dt.date() if (moment := _moment(value, dtype)) is not None:
            return None if in_text and isinstance(moment, dt.datetime) else f"'{moment}'"
    return None


def _moment(value: str | dt.date, dtype: pl.DataType) -> dt.date | None:
    """A constant as a column of days, or of times without a zone, has it."""
    import polars as pl

    if isinstance(value, str):
        try:
            moment = dt.datetime.fromisoformat(value)
        except ValueError:
            return None
        if moment.tzinfo is not None or value not in (str(moment), str(moment.date())):
            return None
        value = moment.date() if value == str(moment.date()) else moment
    if dtype == pl.Date:
        return None if isinstance(value, dt.datetime) else value
    if isinstance(dtype, pl.Datetime) and dtype.time_zone is None:
        return value if isinstance(value, dt.datetime) else dt.datetime.combine(value, dt.time())
    return None
