"""What Delta makes of polars types, and how the types it has no equal for are remembered.

Delta has signed integers, decimals of up to 38 digits, days, moments in microseconds (in UTC, or without a zone), text, bytes, lists
and structs. A column of another type is stored as the one that other readers expect; its own type is kept in the metadata of its
field, so that it goes when someone else replaces the column.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

import polars as pl

from io_managers.polars_types import decode, encode, is_null_inside
from warehouse_assets.errors import SchemaChangedError, UnsupportedTypeError
from warehouse_assets.keys import AssetKey

if TYPE_CHECKING:
    import deltalake

__all__ = ["check_columns_kept", "delta_schema", "frame_types", "in_frames", "in_store", "stored_as", "stored_types"]

NOTE = "polars"  # the key in a field's metadata under which its type is kept


def stored_as(dtype: pl.DataType, *, nested: bool = False) -> pl.DataType:
    """The type that a column of `dtype` has in the store, and that it is read with when nothing is remembered of it.

    >>> stored_as(pl.UInt64()), stored_as(pl.Time()), stored_as(pl.Datetime("ms", "Europe/Berlin"))
    (Decimal(precision=20, scale=0), Int64, Datetime(time_unit='us', time_zone='UTC'))
    """
    match dtype:
        case pl.Categorical() | pl.Enum() | pl.Null() | pl.Int128() | pl.UInt128():
            return pl.String()
        case pl.UInt8():
            return pl.Int16()
        case pl.UInt16():
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
            return pl.Struct([pl.Field(field.name, stored_as(_instance(field.dtype), nested=True)) for field in fields])
    return dtype


def stored_types(types: Mapping[str, pl.DataType]) -> pl.Schema:
    """The types of the columns of a frame in the store."""
    return pl.Schema({name: stored_as(dtype) for name, dtype in types.items()})


def delta_schema(types: Mapping[str, pl.DataType]) -> deltalake.Schema:
    """The schema of a table for frames with these columns."""
    from deltalake import Field, Schema

    plain = Schema.from_arrow(pl.DataFrame(schema=stored_types(types)).to_arrow(compat_level=pl.CompatLevel.oldest()).schema)
    noted = {name: {NOTE: json.dumps(encode(dtype))} for name, dtype in types.items() if stored_as(dtype) != dtype}
    return Schema([Field(field.name, field.type, nullable=True, metadata=noted.get(field.name)) for field in plain.fields])


def frame_types(schema: deltalake.Schema) -> pl.Schema:
    """The types that the columns of a table have in frames: what is remembered of those that still are stored as they were."""
    found = {}
    for field, (name, stored) in zip(schema.fields, pl.Schema(schema).items(), strict=True):
        found[name] = _remembered(field.metadata.get(NOTE), stored)
    return pl.Schema(found)


def _remembered(note: Any, stored: pl.DataType) -> pl.DataType:
    try:
        dtype = decode(json.loads(note))
    except (ValueError, TypeError):  # none, or one of others
        return stored
    return dtype if stored_as(dtype) == stored else stored


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
            f"the column {name!r} of asset {key.to_user_string()!r} has moments between two microseconds, which Delta cannot keep",
            hint=f'Round them, with pl.col({name!r}).dt.cast_time_unit("us"), or store them as integers.',
        )
    return moments


def in_frames(types: Mapping[str, pl.DataType], columns: Iterable[str] | None = None) -> list[pl.Expr]:
    """Stored columns, all or some, with the types that they have in frames."""
    names = list(types) if columns is None else columns
    return [pl.col(name) if stored_as(types[name]) == types[name] else _restored(pl.col(name), types[name]) for name in names]


def _restored(column: pl.Expr, dtype: pl.DataType) -> pl.Expr:
    if isinstance(dtype, pl.List) and is_null_inside(dtype):  # for which a cast to lists of nulls does nothing
        return column.list.eval(_restored(pl.element(), _instance(dtype.inner)))
    return column.cast(dtype)


def check_columns_kept(types: Mapping[str, pl.DataType], key: AssetKey) -> None:
    """Raise UnsupportedTypeError or SchemaChangedError, naming the asset, for columns that a Delta table cannot have."""
    whose = f"asset {key.to_user_string()!r}"
    if not types:
        raise UnsupportedTypeError(f"{whose} returned a frame without columns, which Delta cannot keep")
    seen: dict[str, str] = {}
    for name, dtype in types.items():
        if dtype == pl.Object:
            raise UnsupportedTypeError(f"the column {name!r} of {whose} holds Python objects")
        if (other := seen.setdefault(name.casefold(), name)) is not name:
            raise SchemaChangedError(
                f"{whose} returned the columns {other!r} and {name!r}, which are one to Delta",
                hint="Rename one of them; case makes no difference.",
            )


def _instance(dtype: Any) -> pl.DataType:
    instance: pl.DataType = dtype() if isinstance(dtype, type) else dtype
    return instance
