"""What DuckDB makes of polars types, and how the types it has no equal for are remembered.

DuckDB has no categories, and no time zones but the session's; its durations are months, days and microseconds. A column of such
a type is stored as the type that SQL users expect (text, TIMESTAMPTZ, INTERVAL), and its own type is kept in the table's comment, so
that it goes when someone else replaces the table.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

import duckdb
import polars as pl
import pyarrow as pa

from warehouse_assets.tables import TableName, quote_identifier

__all__ = [
    "Column",
    "decode",
    "encode",
    "is_null_inside",
    "must_cast",
    "noted",
    "on_its_way",
    "polars_schema",
    "remember",
    "remembered",
    "restored",
    "stored_as",
]

_NOTE = "polars"  # the key under which the comment of a table keeps the types of its columns


def stored_as(dtype: pl.DataType, *, nested: bool = False) -> pl.DataType:
    """The type that a column of `dtype` has when it is read back and nothing is remembered of it."""
    match dtype:
        case pl.Categorical() | pl.Enum():
            return pl.String()
        case pl.Datetime(time_unit=unit, time_zone=str()):
            return pl.Datetime("ns" if unit == "ns" else "us", "UTC")
        case pl.Duration(time_unit=unit):
            return pl.Int64() if nested or unit == "ns" else pl.Duration("us")
        case pl.Float16():
            return pl.Float32()
        case pl.Int128() | pl.UInt128():
            return pl.String() if nested else dtype
        case pl.List(inner=inner):
            return pl.List(stored_as(_instance(inner), nested=True))
        case pl.Array():
            return pl.Array(stored_as(_instance(dtype.inner), nested=True), dtype.size)
        case pl.Struct(fields=fields):
            return pl.Struct([pl.Field(field.name, stored_as(_instance(field.dtype), nested=True)) for field in fields])
    return dtype


def is_null_inside(dtype: pl.DataType) -> bool:
    """Whether a column of `dtype`, or a part of it, has the type Null, which DuckDB misreads in the stream that polars makes."""
    match dtype:
        case pl.Null():
            return True
        case pl.List() | pl.Array():
            return is_null_inside(_instance(dtype.inner))
        case pl.Struct(fields=fields):
            return any(is_null_inside(_instance(field.dtype)) for field in fields)
    return False


def must_cast(dtype: pl.DataType, *, nested: bool = False) -> bool:
    """Whether DuckDB cannot read a column of `dtype` as it is, so that it is cast to `stored_as` on its way."""
    match dtype:
        case pl.Duration(time_unit=unit):
            return nested or unit == "ns"
        case pl.Float16() | pl.Int128() | pl.UInt128():
            return True
        case pl.List() | pl.Array():
            return must_cast(_instance(dtype.inner), nested=True)
        case pl.Struct(fields=fields):
            return any(must_cast(_instance(field.dtype), nested=True) for field in fields)
    return False


def encode(dtype: pl.DataType) -> Any:
    """The type as JSON can hold it.

    >>> encode(pl.List(pl.Datetime("ms", "Europe/Berlin")))
    {'List': {'Datetime': ['ms', 'Europe/Berlin']}}
    """
    match dtype:
        case pl.Enum():
            return {"Enum": dtype.categories.to_list()}
        case pl.Datetime():
            return {"Datetime": [dtype.time_unit, dtype.time_zone]}
        case pl.Duration():
            return {"Duration": dtype.time_unit}
        case pl.Decimal():
            return {"Decimal": [dtype.precision, dtype.scale]}
        case pl.List():
            return {"List": encode(_instance(dtype.inner))}
        case pl.Array():
            return {"Array": [encode(_instance(dtype.inner)), dtype.size]}
        case pl.Struct():
            return {"Struct": [[field.name, encode(_instance(field.dtype))] for field in dtype.fields]}
    return type(dtype).__name__


def decode(data: Any) -> pl.DataType:
    """The type that `encode` wrote; ValueError for what it did not write."""
    match data:
        case str() if isinstance(cls := getattr(pl, data, None), type) and issubclass(cls, pl.DataType):
            return cls()
        case {"Enum": list(categories)}:
            return pl.Enum(categories)
        case {"Datetime": [unit, zone]}:
            return pl.Datetime(unit, zone)
        case {"Duration": unit}:
            return pl.Duration(unit)
        case {"Decimal": [precision, scale]}:
            return pl.Decimal(precision, scale)
        case {"List": inner}:
            return pl.List(decode(inner))
        case {"Array": [inner, int(size)]}:
            return pl.Array(decode(inner), size)
        case {"Struct": list(fields)}:
            return pl.Struct([pl.Field(name, decode(inner)) for name, inner in fields])
    raise ValueError(f"{json.dumps(data)} is no column type")


def _instance(dtype: Any) -> pl.DataType:
    instance: pl.DataType = dtype() if isinstance(dtype, type) else dtype
    return instance


def on_its_way(dtype: pl.DataType) -> pl.DataType:
    """The type in which a column is handed to DuckDB: 128-bit integers go as text, and are cast there."""
    if isinstance(dtype, (pl.Int128, pl.UInt128)):
        return pl.String()
    return stored_as(dtype) if must_cast(dtype) else dtype


def polars_schema(schema: pa.Schema) -> dict[str, pl.DataType]:
    """The polars types of the columns of an Arrow schema, without those that polars has no type for."""
    known = [field for field in schema if not any(word in str(field.type) for word in ("interval", "union"))]
    return dict(pl.Schema(pa.schema(known))) if known else {}


def noted(dtypes: Mapping[str, pl.DataType]) -> dict[str, pl.DataType]:
    """Those of the types that DuckDB would forget."""
    return {name: dtype for name, dtype in dtypes.items() if stored_as(dtype) != dtype or isinstance(dtype, pl.Duration)}


def remember(connection: duckdb.DuckDBPyConnection, table: str, dtypes: Mapping[str, pl.DataType]) -> None:
    """Write the types that DuckDB would forget into the comment of a table; `table` is its quoted name."""
    if lost := noted(dtypes):
        stored = {name: str(kind) for name, kind, *_ in connection.execute(f"describe {table}").fetchall()}
        notes = {name: [encode(dtype), stored[name]] for name, dtype in lost.items()}
        text = json.dumps({_NOTE: notes}, ensure_ascii=False).replace("'", "''")
        connection.execute(f"comment on table {table} is '{text}'")


def remembered(connection: duckdb.DuckDBPyConnection, table: TableName, stored: Mapping[str, str]) -> dict[str, pl.DataType]:
    """The types that `remember` wrote, of the columns that still have the type they were `stored` with."""
    rows = connection.execute(
        "select comment from duckdb_tables() where database_name = current_database() "
        "and lower(schema_name) = lower($schema) and lower(table_name) = lower($table)",
        {"schema": table.schema, "table": table.table},
    ).fetchall()
    try:
        notes = json.loads(rows[0][0])[_NOTE]
        return {name: decode(dtype) for name, (dtype, kind) in notes.items() if stored.get(name) == kind}
    except (IndexError, ValueError, KeyError, TypeError, AttributeError):  # no comment, or one for people
        return {}


@dataclass(frozen=True, slots=True)
class Column:
    """A stored column: its name, the SQL that reads it, and the polars types it is cast to after that, one by one."""

    name: str
    sql: str
    casts: tuple[pl.DataType, ...] = ()

    @classmethod
    def of(cls, name: str, stored: str, dtype: pl.DataType | None, *, polars: bool) -> Column:
        """How to read a column of the DuckDB type `stored` as `dtype`, or as what is closest to its stored type."""
        quoted = quote_identifier(name)
        if stored == "INTERVAL" and (polars or dtype is not None):
            microseconds = pl.Duration("us")
            return cls(name, f"epoch_us({quoted}) as {quoted}", (microseconds, dtype) if dtype else (microseconds,))
        if polars and stored == "HUGEINT":
            return cls(name, quoted, (pl.Int128(),))
        if stored == "UHUGEINT":  # in Arrow it would overflow a decimal
            return cls(name, f"{quoted}::varchar as {quoted}", (pl.UInt128(),) if polars else ())
        return cls(name, quoted, (dtype,) if dtype is not None else ())

    @property
    def expression(self) -> pl.Expr:
        """The casts, on a column of this name."""
        expression = pl.col(self.name)
        for dtype in self.casts:
            expression = expression.cast(dtype)
        return expression


def restored(reader: pa.RecordBatchReader, columns: Sequence[Column]) -> pa.RecordBatchReader:
    """The stream with its columns cast; itself where no column needs it. What Arrow has no type for stays as it is stored."""
    schema = reader.schema
    casting: list[tuple[int, Column]] = []
    for index, column in enumerate(columns):
        if column.casts:
            with suppress(pa.ArrowInvalid):  # lists of 128-bit integers
                schema = schema.set(index, pl.DataFrame(schema={column.name: column.casts[-1]}).to_arrow().schema.field(0))
                casting.append((index, column))
    if not casting:
        return reader

    def batches() -> Iterator[pa.RecordBatch]:
        for batch in reader:
            arrays = list(batch.columns)
            for index, column in casting:
                arrays[index] = (
                    pl.Series(column.name, arrays[index]).to_frame().select(column.expression).to_series().to_arrow()
                )
            yield pa.RecordBatch.from_arrays(arrays, schema=schema)

    return pa.RecordBatchReader.from_batches(schema, batches())
