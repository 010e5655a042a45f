"""Columns as text can say them, and back: what CSV and JSON have no type for becomes numbers and text, which nothing is lost in."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any, TypeAlias

import polars as pl

from warehouse_assets.errors import UnsupportedTypeError
from warehouse_assets.keys import AssetKey

__all__ = ["PlainColumn", "not_finite", "plain_column"]

Turn: TypeAlias = Callable[[pl.Expr], pl.Expr]

_FRACTION = {"ms": "%.3f", "us": "%.6f", "ns": "%.9f"}
_AS_THEY_ARE = (pl.Boolean, pl.String, pl.Float32, pl.Float64, pl.Int32, pl.Int64, pl.UInt32, pl.UInt64)
_SMALL = (pl.Int8, pl.Int16, pl.UInt8, pl.UInt16)  # which polars does not read from JSON


@dataclass(frozen=True, slots=True)
class PlainColumn:
    """The type a column is written with, how it turns into that, and how it comes back.

    `plain` is one of numbers, truth values and text, or lists and structs of them.
    """

    plain: pl.DataType
    lower: Turn
    restore: Turn

    @property
    def is_nested(self) -> bool:
        """Whether the plain column has lists or structs."""
        return self.plain.is_nested()

    def as_json(self, dtype: pl.DataType) -> PlainColumn:
        """The same with all values of a column of this type as JSON text."""
        inside = pl.Struct({"": self.plain})

        def lower(column: pl.Expr) -> pl.Expr:
            text = pl.struct(self.lower(column).alias("")).struct.json_encode()
            return pl.when(column.is_null()).then(None).otherwise(text.str.slice(4, text.str.len_chars() - 5))

        def restore(column: pl.Expr) -> pl.Expr:
            text = pl.concat_str(pl.lit('{"":'), column, pl.lit("}"))
            return self.restore(text.str.json_decode(inside).struct.field("")).cast(dtype)

        return PlainColumn(pl.String(), lower, restore)


def plain_column(name: str, dtype: pl.DataType, key: AssetKey) -> PlainColumn:
    """How text says a column of asset `key`; UnsupportedTypeError for a type that it cannot say.

    >>> plain_column("day", pl.Date(), AssetKey("orders")).plain
    String
    """
    if (found := _plain(dtype)) is None:
        raise UnsupportedTypeError(
            f"the column {name!r} of asset {key.to_user_string()!r} is {dtype}, which no text says",
            hint="Cast it, or keep the asset in another format.",
        )
    return found


def _plain(dtype: pl.DataType) -> PlainColumn | None:
    if dtype in _AS_THEY_ARE:
        return PlainColumn(dtype, _same, _same)
    if dtype in _SMALL:
        return _cast(pl.Int32(), dtype)
    if dtype == pl.Float16:
        return _cast(pl.Float32(), dtype)
    if dtype == pl.Null:
        return PlainColumn(
            pl.String(), lambda column: column.cast(pl.String), lambda column: column.cast(pl.Null, strict=False)
        )
    if dtype == pl.Binary:
        return PlainColumn(
            pl.String(), lambda column: column.bin.encode("base64"), lambda column: column.str.decode("base64", strict=True)
        )
    if isinstance(dtype, pl.Datetime):
        return _moment(dtype)
    if dtype == pl.Date:
        return PlainColumn(pl.String(), lambda column: column.cast(pl.String), lambda column: column.str.to_date("%Y-%m-%d"))
    if dtype == pl.Time:
        form = "%H:%M:%S%.9f"
        return PlainColumn(pl.String(), lambda column: column.dt.to_string(form), lambda column: column.str.to_time(form))
    if dtype == pl.Duration:
        return _cast(pl.Int64(), dtype)
    if isinstance(dtype, (pl.List, pl.Array)):
        return _list(dtype)
    if isinstance(dtype, pl.Struct):
        return _struct(dtype)
    is_text = dtype in (pl.Categorical, pl.Enum, pl.Int128, pl.UInt128) or dtype.is_decimal()
    return _cast(pl.String(), dtype) if is_text else None


def _same(column: pl.Expr) -> pl.Expr:
    return column


def _cast(plain: pl.DataType, dtype: pl.DataType) -> PlainColumn:
    return PlainColumn(plain, lambda column: column.cast(plain), lambda column: column.cast(dtype))


def _moment(dtype: pl.Datetime) -> PlainColumn:
    """Moments with a time zone are in UTC, which no clock change makes two of."""
    zone, form = dtype.time_zone, f"%Y-%m-%dT%H:%M:%S{_FRACTION[dtype.time_unit]}{'Z' if dtype.time_zone else ''}"

    def lower(column: pl.Expr) -> pl.Expr:
        return (column.dt.convert_time_zone("UTC").dt.replace_time_zone(None) if zone else column).dt.to_string(form)

    def restore(column: pl.Expr) -> pl.Expr:
        moment = column.str.strip_suffix("Z").str.to_datetime(form.removesuffix("Z"), time_unit=dtype.time_unit)
        return moment.dt.replace_time_zone("UTC").dt.convert_time_zone(zone) if zone else moment

    return PlainColumn(pl.String(), lower, restore)


def _list(dtype: pl.List | pl.Array) -> PlainColumn | None:
    inner = _plain(_typed(dtype.inner))
    if inner is None:
        return None
    as_list, fixed = pl.List(dtype.inner), isinstance(dtype, pl.Array)

    def lower(column: pl.Expr) -> pl.Expr:
        return (column.cast(as_list) if fixed else column).list.eval(inner.lower(pl.element()))

    def restore(column: pl.Expr) -> pl.Expr:
        return column.list.eval(inner.restore(pl.element())).cast(dtype)

    return PlainColumn(pl.List(inner.plain), lower, restore)


def _struct(dtype: pl.Struct) -> PlainColumn | None:
    fields: dict[str, PlainColumn] = {}
    for field in dtype.fields:
        if (inner := _plain(_typed(field.dtype))) is None:
            return None
        fields[field.name] = inner

    def turn(way: str, column: pl.Expr) -> pl.Expr:
        each = [getattr(plain, way)(column.struct.field(name)).alias(name) for name, plain in fields.items()]
        return pl.when(column.is_null()).then(None).otherwise(pl.struct(each) if each else column)

    plain = pl.Struct({name: each.plain for name, each in fields.items()})
    return PlainColumn(plain, partial(turn, "lower"), partial(turn, "restore"))


def _typed(dtype: Any) -> pl.DataType:
    typed: pl.DataType = dtype() if isinstance(dtype, type) else dtype
    return typed


def not_finite(column: pl.Expr, dtype: pl.DataType) -> pl.Expr | None:
    """Whether a column, or what is in its lists and structs, has a NaN or an infinity; None where its type cannot."""
    if dtype.is_float():
        return (~column.is_finite()).any()
    if isinstance(dtype, pl.List):
        return not_finite(column.list.explode(empty_as_null=False), _typed(dtype.inner))
    if isinstance(dtype, pl.Array):
        return not_finite(column.cast(pl.List(dtype.inner)).list.explode(empty_as_null=False), _typed(dtype.inner))
    if isinstance(dtype, pl.Struct):
        each = [not_finite(column.struct.field(field.name), _typed(field.dtype)) for field in dtype.fields]
        found = [one for one in each if one is not None]
        return pl.any_horizontal(found) if found else None
    return None
