"""Lists, arrays and structs as JSON, with all that JSON has no type for, and back."""

from __future__ import annotations

import base64
import datetime as dt
import json
import math
from collections.abc import Callable
from decimal import Decimal
from typing import Any

import polars as pl

__all__ = ["json_decoded", "json_encoded"]


Converter = Callable[[Any], Any]


def json_encoded(series: pl.Series, dtype: pl.DataType) -> pl.Series:
    """A nested column as JSON text."""
    convert = _encoder(dtype)
    plain = series.cast(_plain(dtype)).to_list()
    texts = [None if value is None else json.dumps(convert(value), ensure_ascii=False, allow_nan=False) for value in plain]
    return pl.Series(series.name, texts, dtype=pl.String)


def json_decoded(series: pl.Series, dtype: pl.DataType) -> pl.Series:
    """JSON text as a nested column."""
    convert = _decoder(dtype)
    values = [None if text is None else convert(json.loads(text)) for text in series.to_list()]
    return pl.Series(series.name, values, dtype=_plain(dtype)).cast(dtype)


def _of(dtype: Any) -> pl.DataType:
    instance: pl.DataType = dtype() if isinstance(dtype, type) else dtype
    return instance


def _plain(dtype: pl.DataType) -> pl.DataType:
    """The type with moments and spans as the numbers that polars keeps, so that no precision is lost in Python's."""
    match dtype:
        case pl.List(inner=inner):
            return pl.List(_plain(_of(inner)))
        case pl.Array():
            return pl.Array(_plain(_of(dtype.inner)), dtype.size)
        case pl.Struct(fields=fields):
            return pl.Struct([pl.Field(field.name, _plain(_of(field.dtype))) for field in fields])
        case pl.Duration():
            return pl.Int64()
        case pl.Datetime(time_unit=unit) if unit == "ns":
            return pl.Int64()
        case pl.Datetime(time_unit=unit):
            return pl.Datetime(unit)
        case pl.Categorical() | pl.Enum():
            return pl.String()
        case pl.Float16():
            return pl.Float32()
    return dtype


def _encoder(dtype: pl.DataType) -> Converter:
    """What makes a value of a type fit for JSON."""
    match dtype:
        case pl.List(inner=inner):
            return _each(_encoder(_of(inner)))
        case pl.Array():
            return _each(_encoder(_of(dtype.inner)))
        case pl.Struct(fields=fields):
            parts = {field.name: _encoder(_of(field.dtype)) for field in fields}
            return lambda value: None if value is None else {name: convert(value[name]) for name, convert in parts.items()}
        case pl.Float16() | pl.Float32() | pl.Float64():
            return lambda value: value if value is None or math.isfinite(value) else str(value)
        case pl.Binary():
            return lambda value: None if value is None else base64.b64encode(value).decode()
        case pl.Date() | pl.Datetime() | pl.Time():
            return lambda value: value if value is None or isinstance(value, int) else value.isoformat()
        case pl.Decimal():
            return lambda value: None if value is None else str(value)
    return lambda value: value


def _decoder(dtype: pl.DataType) -> Converter:
    """What makes a value of a type from what `_encoder` made of it."""
    match dtype:
        case pl.List(inner=inner):
            return _each(_decoder(_of(inner)))
        case pl.Array():
            return _each(_decoder(_of(dtype.inner)))
        case pl.Struct(fields=fields):
            parts = {field.name: _decoder(_of(field.dtype)) for field in fields}
            return lambda value: None if value is None else {name: convert(value.get(name)) for name, convert in parts.items()}
        case pl.Float16() | pl.Float32() | pl.Float64():
            return lambda value: None if value is None else float(value)
        case pl.Binary():
            return lambda value: None if value is None else base64.b64decode(value)
        case pl.Date():
            return lambda value: None if value is None else dt.date.fromisoformat(value)
        case pl.Datetime(time_unit=unit) if unit != "ns":
            return lambda value: None if value is None else dt.datetime.fromisoformat(value)
        case pl.Time():
            return lambda value: None if value is None else dt.time.fromisoformat(value)
        case pl.Decimal():
            return lambda value: None if value is None else Decimal(value)
        case pl.String():
            return lambda value: value if value is None or isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    return lambda value: value


def _each(convert: Converter) -> Converter:
    return lambda values: None if values is None else [convert(value) for value in values]
