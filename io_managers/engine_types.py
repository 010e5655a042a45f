"""What DuckDB makes of polars types, and how what it hands over is cast back.

DuckDB has no categories, and no time zones but the session's; its durations are months, days and microseconds. A column of such
a type is stored as the type that SQL users expect (text, TIMESTAMPTZ, INTERVAL).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING

from io_managers.deferred import Deferred
from io_managers.polars_types import instance_of
from warehouse_assets.tables import quote_identifier

if TYPE_CHECKING:
    import polars as pl
    import pyarrow as pa
else:
    pl = Deferred("polars")
    pa = Deferred("pyarrow")

__all__ = [
    "Column",
    "must_cast",
    "on_its_way",
    "polars_schema",
    "restored",
    "stored_as",
]


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
            return pl.List(stored_as(instance_of(inner), nested=True))
        case pl.Array():
            return pl.Array(stored_as(instance_of(dtype.inner), nested=True), dtype.size)
        case pl.Struct(fields=fields):
            return pl.Struct([pl.Field(field.name, stored_as(instance_of(field.dtype), nested=True)) for field in fields])
    return dtype


def must_cast(dtype: pl.DataType, *, nested: bool = False) -> bool:
    """Whether DuckDB cannot read a column of `dtype` as it is, so that it is cast to `stored_as` on its way."""
    match dtype:
        case pl.Duration(time_unit=unit):
            return nested or unit == "ns"
        case pl.Float16() | pl.Int128() | pl.UInt128():
            return True
        case pl.List() | pl.Array():
            return must_cast(instance_of(dtype.inner), nested=True)
        case pl.Struct(fields=fields):
            return any(must_cast(instance_of(field.dtype), nested=True) for field in fields)
    return False


def on_its_way(dtype: pl.DataType) -> pl.DataType:
    """The type in which a column is handed to DuckDB: 128-bit integers go as text, and are cast there."""
    if isinstance(dtype, (pl.Int128, pl.UInt128)):
        return pl.String()
    return stored_as(dtype) if must_cast(dtype) else dtype


def polars_schema(schema: pa.Schema) -> dict[str, pl.DataType]:
    """The polars types of the columns of an Arrow schema, without those that polars has no type for."""
    known = [field for field in schema if not any(word in str(field.type) for word in ("interval", "union"))]
    return dict(pl.Schema(pa.schema(known))) if known else {}


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
