"""Frames and keys that stores tend to get wrong."""

from __future__ import annotations

import datetime as dt
from decimal import Decimal
from typing import Any

import polars as pl

from warehouse_assets.keys import AssetKey

__all__ = ["HOSTILE_FRAMES", "HOSTILE_KEYS", "IN_ARROW"]


def _column(values: list[Any], dtype: Any) -> pl.DataFrame:
    return pl.DataFrame({"value": pl.Series(values, dtype=dtype)})


_MOMENTS = [dt.datetime.fromisoformat("1900-01-01"), None, dt.datetime.fromisoformat("2013-03-31T02:30:00.123")]
_SPANS = [dt.timedelta(days=-40, milliseconds=1), None, dt.timedelta(0)]
_BERLIN = "Europe/Berlin"

_WIDE = {
    "int128": _column([-(2**127) + 1, None, 2**100], pl.Int128),
    "uint128": _column([0, None, 2**128 - 1], pl.UInt128),
    "list of int128": _column([[2**100], None, [None]], pl.List(pl.Int128)),
}

_PLAIN = {
    "binary": _column([b"\0a", None, b""], pl.Binary),
    "booleans": _column([True, None, False], pl.Boolean),
    "category": _column(["a", None, "ü"], pl.Categorical),
    "dates": _column([dt.date(1, 1, 1), None, dt.date(9999, 12, 31)], pl.Date),
    "decimal": _column([Decimal("1.23"), None, Decimal(-99999999999999999999)], pl.Decimal(38, 5)),
    "duration ms": _column(_SPANS, pl.Duration("ms")),
    "duration ns": _column(_SPANS, pl.Duration("ns")),
    "duration us": _column(_SPANS, pl.Duration("us")),
    "enum": _column(["a", None, "b"], pl.Enum(["b", "a", "c"])),
    "float16": _column([1.5, None, -2.0], pl.Float16),
    "float32": _column([1.5, None, float("inf")], pl.Float32),
    "float64": _column([float("nan"), None, -0.0], pl.Float64),
    "int8": _column([-128, None, 127], pl.Int8),
    "list of categories": _column([["a", None], None, []], pl.List(pl.Categorical)),
    "list of durations": _column([_SPANS, None, []], pl.List(pl.Duration("ms"))),
    "list of lists": _column([[[1], None], None, []], pl.List(pl.List(pl.Int16))),
    "list of moments": _column([_MOMENTS, None, []], pl.List(pl.Datetime("ms"))),
    "array": _column([[1, None], None, [3, 4]], pl.Array(pl.Int32, 2)),
    "moment ms": _column(_MOMENTS, pl.Datetime("ms")),
    "moment ns": _column(_MOMENTS, pl.Datetime("ns")),
    "moment us": _column(_MOMENTS, pl.Datetime("us")),
    "null": _column([None, None, None], pl.Null),
    "list of nulls": _column([[None], None, []], pl.List(pl.Null)),
    "struct": _column([{"a": 1, "b b": "x"}, None, {"a": None, "b b": None}], pl.Struct({"a": pl.Int8, "b b": pl.Categorical})),
    "text": _column(["", None, 'it\'s "quoted"; -- \\ \n ü 😀'], pl.String),
    "time": _column([dt.time(0), None, dt.time(23, 59, 59, 999_999)], pl.Time),
    "uint64": _column([0, None, 2**64 - 1], pl.UInt64),
    "zone ms": _column(_MOMENTS, pl.Datetime("ms")).with_columns(pl.col("value").dt.replace_time_zone("UTC")),
    "zone ns": _column(_MOMENTS, pl.Datetime("ns")).with_columns(
        pl.col("value").dt.replace_time_zone("UTC").dt.convert_time_zone(_BERLIN)
    ),
    "zone us": _column(_MOMENTS, pl.Datetime("us")).with_columns(
        pl.col("value").dt.replace_time_zone("UTC").dt.convert_time_zone(_BERLIN)
    ),
    "odd names": pl.DataFrame(
        {"a b": [1], 'say "hi"': [2], "it's": [3], "select": [4], "a.b": [5], "ü😀": [6], "$x {y} %z": [7]}
    ),
    "one name in another": pl.DataFrame({"a": [1], "a.b": [2], "a.b.c": [3]}),
    "many columns": pl.DataFrame({f"column {number}": [number] for number in range(300)}),
}

IN_ARROW = {**_PLAIN, **{f"no rows of {name}": frame.clear() for name, frame in _PLAIN.items()}}
"""Frames by name, whose types Arrow has too: they come back the same through `pa.Table` as through polars."""

HOSTILE_FRAMES = {**IN_ARROW, **_WIDE}
"""Frames by name, each of which has to come back with the types and the values it had."""

HOSTILE_KEYS = [
    AssetKey(path)
    for path in (
        ["select"],
        ["it's"],
        ['say "hi"'],
        ["two words"],
        ["a.b"],
        [".hidden"],
        ["..", ".."],
        ["a/b"],
        ["a", "b"],
        ["a\\b"],
        ["a\\", "b"],
        ["a%2Fb"],
        ["a*b", "[c]?"],
        ["x=1", "y=2"],
        ["ünï", "表", "😀"],
        ["a/b", "c"],
        ["a", "b/c"],
        ["a", "b", "c"],
        ["a.parquet", "b"],
        ["a.pickle"],
        ["$x {y}"],
        ["-- drop"],
        ["new\nline"],
        ["a", "y" * 240],
        ["main", "main"],
    )
]
"""Keys that all have to have a place of their own, and come back from it."""
