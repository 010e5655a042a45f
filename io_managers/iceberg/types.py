"""What Iceberg makes of polars types, which numbers its columns get, and how the types it has no equal for are remembered.

Iceberg has integers of 32 and 64 bits, decimals of up to 38 digits, days, moments in microseconds (in UTC, or without a zone), text,
bytes, lists and structs. A column of another type is stored as the one that other readers expect; its own type is kept in the
summary of each snapshot, so that every version of a table has those of its own.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from itertools import count
from typing import TYPE_CHECKING, Any

import polars as pl

from io_managers.polars_types import decode, encode, is_null_inside
from warehouse_assets.errors import SchemaChangedError, UnsupportedTypeError
from warehouse_assets.keys import AssetKey

if TYPE_CHECKING:
    import pyarrow as pa
    from pyiceberg.schema import Schema
    from pyiceberg.types import IcebergType, NestedField

__all__ = [
    "Numbering",
    "arrow_schema",
    "check_columns_kept",
    "frame_types",
    "in_frames",
    "in_store",
    "note",
    "stored_as",
    "stored_types",
]


def stored_as(dtype: pl.DataType, *, nested: bool = False) -> pl.DataType:
    """The type that a column of `dtype` has in the store, and that it is read with when nothing is remembered of it.

    >>> stored_as(pl.UInt64()), stored_as(pl.Int8()), stored_as(pl.Datetime("ms", "Europe/Berlin"))
    (Decimal(precision=20, scale=0), Int32, Datetime(time_unit='us', time_zone='UTC'))
    """
    match dtype:
        case pl.Categorical() | pl.Enum() | pl.Null() | pl.Int128() | pl.UInt128():
            return pl.String()
        case pl.Int8() | pl.Int16() | pl.UInt8() | pl.UInt16():
            return pl.Int32()
        case pl.UInt64():
            return pl.Decimal(20, 0)
        case pl.UInt32() | pl.Time() | pl.Duration():
            return pl.Int64()
        case pl.Datetime(time_unit="ns") if nested:
            return pl.Int64()
        case pl.Datetime(time_zone=zone):
            return pl.Datetime("us", "UTC" if zone else None)
        case pl.Float16():
            return pl.Float32()
        case pl.List() | pl.Array():
            return pl.List(stored_as(_instance(dtype.inner), nested=True))
        case pl.Struct(fields=fields):
            return pl.Struct([pl.Field(each.name, stored_as(_instance(each.dtype), nested=True)) for each in fields])
    return dtype


def stored_types(types: Mapping[str, pl.DataType]) -> pl.Schema:
    """The types of the columns of a frame in the store."""
    return pl.Schema({name: stored_as(dtype) for name, dtype in types.items()})


@dataclass(frozen=True)
class Numbering:
    """The numbers by which Iceberg knows columns: those of a table, and those that come after them."""

    known: Mapping[str, tuple[pl.DataType, NestedField]] = field(default_factory=dict)
    last: int = 0

    @classmethod
    def of(cls, schema: Schema, last: int) -> Numbering:
        """That of a table with this schema, whose last number is `last`."""
        types = plain_types(schema)
        return cls({each.name: (types[each.name], each) for each in schema.fields}, last)

    def schema(self, types: Mapping[str, pl.DataType]) -> Schema:
        """The schema for frames with these columns: one that was there with the same type keeps its number, others get new ones.

        >>> first = Numbering().schema({"id": pl.Int64(), "tags": pl.List(pl.String())})
        >>> [field.field_id for field in first.fields]
        [1, 2]
        >>> [field.field_id for field in Numbering.of(first, 3).schema({"id": pl.String(), "tags": pl.List(pl.String())}).fields]
        [4, 2]
        """
        from pyiceberg.schema import Schema
        from pyiceberg.types import NestedField

        stored = stored_types(types)
        numbers = count(self.last + 1)
        kept = {name: old for name, dtype in stored.items() if (old := self._same(name, dtype)) is not None}
        tops = {name: kept[name].field_id if name in kept else next(numbers) for name in stored}  # before those inside
        fields = []
        for name, dtype in stored.items():
            kind = kept[name].field_type if name in kept else _iceberg_type(dtype, numbers)
            fields.append(NestedField(tops[name], name, kind, required=False))
        return Schema(*fields)

    def _same(self, name: str, dtype: pl.DataType) -> NestedField | None:
        known = self.known.get(name)
        return known[1] if known is not None and known[0] == dtype else None


def _iceberg_type(dtype: pl.DataType, numbers: Iterator[int]) -> IcebergType:
    from pyiceberg import types as ice

    match dtype:
        case pl.Decimal():
            return ice.DecimalType(dtype.precision or 38, dtype.scale)
        case pl.Datetime(time_zone=zone):
            return ice.TimestamptzType() if zone else ice.TimestampType()
        case pl.List():
            number = next(numbers)
            return ice.ListType(number, _iceberg_type(_instance(dtype.inner), numbers), element_required=False)
        case pl.Struct(fields=fields):
            own = [next(numbers) for _ in fields]
            return ice.StructType(
                *(
                    ice.NestedField(number, each.name, _iceberg_type(_instance(each.dtype), numbers), required=False)
                    for number, each in zip(own, fields, strict=True)
                )
            )
    plain: dict[type[pl.DataType], type[IcebergType]] = {
        pl.Boolean: ice.BooleanType,
        pl.Int32: ice.IntegerType,
        pl.Int64: ice.LongType,
        pl.Float32: ice.FloatType,
        pl.Float64: ice.DoubleType,
        pl.Date: ice.DateType,
        pl.String: ice.StringType,
        pl.Binary: ice.BinaryType,
    }
    return plain[type(dtype)]()


def arrow_schema(schema: Schema) -> pa.Schema:
    """The columns of a data file, with their numbers."""
    from pyiceberg.io.pyarrow import schema_to_pyarrow

    return schema_to_pyarrow(schema)


def plain_types(schema: Schema) -> pl.Schema:
    """The types that the columns of a table are read with when nothing is remembered of them."""
    from pyiceberg.io.pyarrow import schema_to_pyarrow

    return pl.DataFrame(schema_to_pyarrow(schema, include_field_ids=False).empty_table()).schema


def note(types: Mapping[str, pl.DataType]) -> str | None:
    """What is to be remembered of the types of a frame, as text; None for nothing."""
    noted = {name: encode(dtype) for name, dtype in types.items() if stored_as(dtype) != dtype}
    return json.dumps(noted) if noted else None


def frame_types(schema: Schema, noted: str | None) -> pl.Schema:
    """The types that the columns of a table have in frames: what is remembered of those that still are stored as they were."""
    known = json.loads(noted) if noted else {}
    found = {}
    for name, stored in plain_types(schema).items():
        dtype = decode(known[name]) if name in known else stored
        found[name] = dtype if stored_as(dtype) == stored else stored
    return pl.Schema(found)


def in_store(types: Mapping[str, pl.DataType], key: AssetKey) -> list[pl.Expr]:
    """The columns of a frame of asset `key`, as they are stored."""
    return [_stored(pl.col(name), name, dtype, key) for name, dtype in types.items()]


def _stored(column: pl.Expr, name: str, dtype: pl.DataType, key: AssetKey) -> pl.Expr:
    stored = stored_as(dtype)
    if isinstance(dtype, pl.Datetime) and dtype.time_unit == "ns":
        column = column.map_batches(lambda moments: _whole_microseconds(moments, name, key), dtype, is_elementwise=True)
    return column if stored == dtype else column.cast(stored)


def _whole_microseconds(moments: pl.Series, name: str, key: AssetKey) -> pl.Series:
    if (moments.dt.timestamp("ns") % 1000 != 0).any():
        raise UnsupportedTypeError(
            f"the column {name!r} of asset {key.to_user_string()!r} has moments between two microseconds, which Iceberg cannot keep",
            hint=f'Round them, with pl.col({name!r}).dt.cast_time_unit("us"), or store them as integers.',
        )
    return moments


def in_frames(types: Mapping[str, pl.DataType]) -> list[pl.Expr]:
    """Stored columns with the types that they have in frames."""
    return [pl.col(name) if stored_as(dtype) == dtype else _restored(pl.col(name), dtype) for name, dtype in types.items()]


def _restored(column: pl.Expr, dtype: pl.DataType) -> pl.Expr:
    if isinstance(dtype, pl.List) and is_null_inside(dtype):  # for which a cast to lists of nulls does nothing
        return column.list.eval(_restored(pl.element(), _instance(dtype.inner)))
    return column.cast(dtype)


def check_columns_kept(types: Mapping[str, pl.DataType], key: AssetKey) -> None:
    """Raise UnsupportedTypeError or SchemaChangedError, naming the asset, for columns that an Iceberg table cannot have."""
    whose = f"asset {key.to_user_string()!r}"
    if not types:
        raise UnsupportedTypeError(f"{whose} returned a frame without columns, which Iceberg cannot keep")
    seen: dict[str, str] = {}
    for name, dtype in types.items():
        if dtype == pl.Object:
            raise UnsupportedTypeError(f"the column {name!r} of {whose} holds Python objects")
        if not name:
            raise UnsupportedTypeError(f"{whose} returned a column without a name, which Iceberg cannot keep")
        if (other := seen.setdefault(name.casefold(), name)) is not name:
            raise SchemaChangedError(
                f"{whose} returned the columns {other!r} and {name!r}, which are one to many readers of Iceberg",
                hint="Rename one of them; case makes no difference.",
            )


def _instance(dtype: Any) -> pl.DataType:
    instance: pl.DataType = dtype() if isinstance(dtype, type) else dtype
    return instance
