"""Types of polars columns: as JSON, to be remembered where a store has no equal for them."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from io_managers.deferred import Deferred

if TYPE_CHECKING:
    import polars as pl
else:
    pl = Deferred("polars")

__all__ = ["decode", "encode", "instance_of", "is_null_inside"]


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
            return {"List": encode(instance_of(dtype.inner))}
        case pl.Array():
            return {"Array": [encode(instance_of(dtype.inner)), dtype.size]}
        case pl.Struct():
            return {"Struct": [[field.name, encode(instance_of(field.dtype))] for field in dtype.fields]}
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


def is_null_inside(dtype: pl.DataType) -> bool:
    """Whether a column of `dtype`, or a part of it, has the type Null."""
    match dtype:
        case pl.Null():
            return True
        case pl.List() | pl.Array():
            return is_null_inside(instance_of(dtype.inner))
        case pl.Struct(fields=fields):
            return any(is_null_inside(instance_of(field.dtype)) for field in fields)
    return False


def instance_of(dtype: Any) -> pl.DataType:
    """The type, of which polars also takes the class."""
    instance: pl.DataType = dtype() if isinstance(dtype, type) else dtype
    return instance
