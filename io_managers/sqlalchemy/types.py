"""What SQL databases make of polars types: the kinds of columns they have, and the way of values there and back.

A column of a type that a database has no equal for is stored as the kind that SQL users expect, and its own type is noted beside
the table. Values travel as those few polars types that every kind has one of.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal, TypeAlias

import polars as pl

from io_managers.sqlalchemy.json import json_decoded, json_encoded
from warehouse_assets.errors import UnsupportedTypeError

__all__ = ["Kind", "KindName", "default_dtype", "encoded", "kind_of", "restored"]

KindName: TypeAlias = Literal[
    "boolean", "int16", "int32", "int64", "numeric", "float32", "float64", "text", "binary",
    "date", "time", "timestamp", "timestamptz", "interval", "json",
]  # fmt: skip

_WIRE: dict[str, pl.DataType] = {
    "boolean": pl.Boolean(),
    "int16": pl.Int16(),
    "int32": pl.Int32(),
    "int64": pl.Int64(),
    "numeric": pl.String(),
    "float32": pl.Float32(),
    "float64": pl.Float64(),
    "text": pl.String(),
    "binary": pl.Binary(),
    "date": pl.Date(),
    "time": pl.Time(),
    "timestamp": pl.Datetime("us"),
    "timestamptz": pl.Datetime("us", "UTC"),
    "interval": pl.Duration("us"),
    "json": pl.String(),
}

_INTEGERS: dict[type[pl.DataType], KindName] = {
    pl.Int8: "int16",
    pl.UInt8: "int16",
    pl.Int16: "int16",
    pl.UInt16: "int32",
    pl.Int32: "int32",
    pl.UInt32: "int64",
    pl.Int64: "int64",
}


@dataclass(frozen=True, slots=True)
class Kind:
    """A kind of columns; `precision` and `scale` are those of a number with a fixed number of digits, None where any may come.

    `item` is the polars type of JSON that is known to hold one, an array of a database for example.
    """

    name: KindName
    precision: int | None = None
    scale: int = 0
    item: pl.DataType | None = None

    @property
    def wire(self) -> pl.DataType:
        """The polars type in which its values come from a database; numbers with fixed digits come as text."""
        return _WIRE[self.name]


def kind_of(dtype: pl.DataType) -> Kind:
    """The kind of column that holds the values of a polars type.

    >>> kind_of(pl.UInt64())
    Kind(name='numeric', precision=20, scale=0, item=None)
    """
    if name := _INTEGERS.get(type(dtype)):
        return Kind(name)
    match dtype:
        case pl.UInt64():
            return Kind("numeric", 20)
        case pl.Int128() | pl.UInt128():
            return Kind("numeric", 39)
        case pl.Decimal(precision=precision, scale=scale):
            return Kind("numeric", precision or 38, scale)
        case pl.Boolean():
            return Kind("boolean")
        case pl.Float16() | pl.Float32():
            return Kind("float32")
        case pl.Float64():
            return Kind("float64")
        case pl.Binary():
            return Kind("binary")
        case pl.Date():
            return Kind("date")
        case pl.Time():
            return Kind("time")
        case pl.Datetime(time_zone=zone):
            return Kind("timestamp" if zone is None else "timestamptz")
        case pl.Duration():
            return Kind("interval")
        case pl.List() | pl.Array() | pl.Struct():
            return Kind("json")
    return Kind("text")


def default_dtype(kind: Kind) -> pl.DataType:
    """The polars type of a stored column of which no other is noted."""
    if kind.name == "numeric":
        precision = 38 if kind.precision is None else kind.precision
        return pl.Decimal(precision, kind.scale) if precision <= 38 and kind.scale <= precision else pl.String()
    if kind.item is not None:
        return kind.item
    return kind.wire


def encoded(frame: pl.DataFrame, dtypes: Mapping[str, pl.DataType]) -> pl.DataFrame:
    """The frame with each column as its kind travels; decimals stay decimals, and 128-bit integers are text.

    Raises UnsupportedTypeError for a moment or a duration of nanoseconds that a database would round.
    """
    changes = [change for name, dtype in dtypes.items() if (change := _encoding(frame, name, dtype)) is not None]
    return frame.with_columns(changes) if changes else frame


def _encoding(frame: pl.DataFrame, name: str, dtype: pl.DataType) -> pl.Expr | pl.Series | None:
    column = pl.col(name)
    match dtype:
        case pl.Datetime(time_unit="ns") | pl.Duration(time_unit="ns") | pl.Time():
            if (frame[name].to_physical() % 1000 != 0).any():
                raise UnsupportedTypeError(
                    f"the column {name!r} has nanoseconds, which databases round", hint='Cast it to microseconds, "us".'
                )
            return None if dtype == pl.Time() else column.cast(kind_of(dtype).wire)
        case pl.List() | pl.Array() | pl.Struct():
            return json_encoded(frame[name], dtype)
        case pl.Decimal():
            return None
        case pl.UInt64():
            return column.cast(pl.Decimal(20, 0))
    wire = kind_of(dtype).wire
    return None if dtype == wire else column.cast(wire)


def restored(frame: pl.DataFrame, kinds: Mapping[str, Kind], dtypes: Mapping[str, pl.DataType]) -> pl.DataFrame:
    """What `encoded` made, or what else a database gave, with each column as its polars type in `dtypes`."""
    changes: list[pl.Expr | pl.Series] = []
    for name, dtype in dtypes.items():
        if kinds[name].name == "json" and not isinstance(dtype, pl.String):
            changes.append(json_decoded(frame[name], dtype))
        elif frame.schema[name] != dtype:
            changes.append(pl.col(name).cast(dtype))
    return frame.with_columns(changes) if changes else frame
