"""How two frames differ, told so that a person sees it in a terminal."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from decimal import Decimal
from typing import Any, TypeAlias

import polars as pl

__all__ = ["Comparison", "as_frame", "difference", "is_frame"]

MOST_ROWS, WIDEST_CELL, WIDEST_LINE = 10, 40, 120

_NUMBERS = {int, float, Decimal}

Row: TypeAlias = "tuple[Any, ...]"


@dataclass(frozen=True, slots=True)
class Comparison:
    """What counts as a difference. `by` are the columns that tell rows apart (None: the first column that does).

    With `partial`, columns that are not expected make none.
    """

    by: Sequence[str] | None = None
    check_order: bool = False
    check_types: bool = True
    rel_tol: float = 1e-9
    abs_tol: float = 1e-12
    partial: bool = False

    def without_types(self, really: bool = True) -> Comparison:
        """The same, but for types, which make no difference."""
        return replace(self, check_types=False) if really else self

    def same(self, one: Any, other: Any) -> bool:
        """Whether two values are equal: floats as far as the tolerances say, NaN to itself, lists and structs by what they hold."""
        if float in (type(one), type(other)) and {type(one), type(other)} <= _NUMBERS:
            one, other = float(one), float(other)
            near = math.isclose(one, other, rel_tol=self.rel_tol, abs_tol=self.abs_tol)
            return near or (math.isnan(one) and math.isnan(other))
        if isinstance(one, (list, tuple)) and isinstance(other, (list, tuple)):
            return len(one) == len(other) and all(map(self.same, one, other))
        if isinstance(one, dict) and isinstance(other, dict):
            return one.keys() == other.keys() and all(self.same(one[name], other[name]) for name in one)
        return bool(one == other)


def is_frame(obj: Any) -> bool:
    """Whether a value is a table: a frame of any library, a DuckDB relation, or a dict of equally long lists by column."""
    if isinstance(obj, Mapping):
        lengths = {len(values) if _is_column(values) else -1 for values in obj.values()}
        return len(lengths) == 1 and -1 not in lengths
    marks = ("__arrow_c_stream__", "to_arrow_reader", "__dataframe__")
    return isinstance(obj, pl.LazyFrame) or (not isinstance(obj, pl.Series) and any(hasattr(obj, mark) for mark in marks))


def _is_column(values: Any) -> bool:
    return hasattr(values, "__len__") and not isinstance(values, (str, bytes, Mapping)) and not is_frame(values)


def as_frame(obj: Any) -> pl.DataFrame:
    """Any table as a polars frame."""
    if isinstance(obj, pl.LazyFrame):
        obj = obj.collect()
    elif hasattr(obj, "to_arrow_reader"):
        obj = obj.to_arrow_reader().read_all()
    elif type(obj).__module__.partition(".")[0] == "pandas":
        obj = pl.from_pandas(obj)
    return pl.DataFrame(obj, strict=not isinstance(obj, Mapping))  # people write [1, 2.5]


def difference(made: pl.DataFrame, expected: pl.DataFrame, comparison: Comparison) -> list[str]:
    """What differs between two frames, in lines; none where they are the same."""
    shared = [name for name in expected.columns if name in made.columns]
    lines = [
        *_columns_only("made", made, shared),
        *_columns_only("expected", expected, shared),
    ]
    fitted = {name: _fitted(expected[name], made[name].dtype) for name in shared}
    types = [name for name in shared if expected[name].dtype != made[name].dtype]
    if not comparison.check_types:
        types = [name for name in types if fitted[name] is None]
    if types:
        lines.append("types that differ:")
        lines += _table(
            ["column", "made", "expected"], [[name, str(made[name].dtype), str(expected[name].dtype)] for name in types]
        )
    comparable = [name for name in shared if fitted[name] is not None]
    if made.height != expected.height:
        lines.append(f"{made.height} rows made, {expected.height} expected")
    if comparable:
        wanted = pl.DataFrame([column for column in fitted.values() if column is not None])
        lines += _row_lines(comparable, _plain(made.select(comparable)), _plain(wanted), comparison)
    return lines


def _columns_only(whose: str, frame: pl.DataFrame, shared: Sequence[str]) -> list[str]:
    own = [f"{name} ({dtype})" for name, dtype in frame.schema.items() if name not in shared]
    return [f"columns only {whose}: {', '.join(own)}"] if own else []


def _fitted(column: pl.Series, dtype: pl.DataType) -> pl.Series | None:
    """A column that can be compared with one of this type: cast to it where no value changes by that; else None.

    A number is never taken for text, nor text for anything but the day or the moment that it tells.
    """
    if column.dtype == dtype or (column.dtype.is_numeric() and dtype.is_numeric()):
        return column
    is_text = dtype == pl.String and not isinstance(column.dtype, (pl.Categorical, pl.Enum))
    if column.dtype != pl.Null and (is_text or column.dtype.is_numeric() != dtype.is_numeric()):
        return None
    try:
        if column.dtype == pl.String and dtype.is_temporal():
            return _told(column, dtype)
        cast = column.cast(dtype)
        if column.dtype == pl.Null or cast.cast(column.dtype).equals(column, null_equal=True):
            return cast
    except pl.exceptions.PolarsError:
        pass
    return None


def _told(column: pl.Series, dtype: pl.DataType) -> pl.Series | None:
    """The days, moments or times of day that text tells; None for durations."""
    match dtype:
        case pl.Date():
            return column.str.to_date()
        case pl.Datetime(time_unit=unit, time_zone=zone):
            return column.str.to_datetime(time_unit=unit, time_zone=zone)
        case pl.Time():
            return column.str.to_time()
    return None


def _plain(frame: pl.DataFrame) -> list[Row]:
    """The rows as Python values; nanoseconds, which Python does not have, as text, or as their number."""
    shown = {
        pl.Datetime: lambda column: column.cast(pl.String),
        pl.Duration: lambda column: column.cast(pl.Int64),
        pl.Time: lambda column: column.dt.to_string("%H:%M:%S%.9f"),
    }
    fine = {
        name: dtype for name, dtype in frame.schema.items() if getattr(dtype, "time_unit", None) == "ns" or dtype == pl.Time
    }
    return frame.with_columns(shown[type(dtype)](pl.col(name)) for name, dtype in fine.items()).rows()


def _row_lines(columns: Sequence[str], made: list[Row], expected: list[Row], comparison: Comparison) -> list[str]:
    if comparison.check_order:
        numbered = [{(index,): row for index, row in enumerate(rows, 1)} for rows in (made, expected)]
        return _aligned_lines(["row"], columns, numbered[0], numbered[1], comparison)
    if unknown := [name for name in comparison.by or () if name not in columns]:
        return [f"rows cannot be told apart by {', '.join(map(repr, unknown))}, which both do not have in one type"]
    by = list(comparison.by) if comparison.by is not None else _guessed_key(columns, made, expected)
    if not by:
        return _unaligned_lines(columns, made, expected, comparison)
    key = _getter([columns.index(name) for name in by])
    lines = []
    for whose, rows in (("made", made), ("expected", expected)):
        repeated = [values for values, count in Counter(map(key, rows)).items() if count > 1]
        if repeated:
            lines.append(f"several rows {whose} have the same {', '.join(by)}:")
            lines += _table(by, [list(map(_text, values)) for values in repeated])
    if lines:
        return lines
    return _aligned_lines(by, columns, {key(row): row for row in made}, {key(row): row for row in expected}, comparison)


def _guessed_key(columns: Sequence[str], made: list[Row], expected: list[Row]) -> list[str]:
    """The first column whose values tell the rows of both frames apart, some of which are in both."""
    for index, name in enumerate(columns):
        values = [[_frozen(row[index]) for row in rows] for rows in (made, expected)]
        if any(value is None or isinstance(value, (float, tuple)) for own in values for value in own):
            continue
        first, second = map(set, values)
        if len(first) == len(made) and len(second) == len(expected) and first & second:
            return [name]
    return []


def _aligned_lines(
    by: Sequence[str], columns: Sequence[str], made: Mapping[Row, Row], expected: Mapping[Row, Row], comparison: Comparison
) -> list[str]:
    """Rows that only one of the frames has, and the cells that differ in the others."""
    lines = [
        *_rows_only("made", columns, [made[key] for key in made if key not in expected]),
        *_rows_only("expected", columns, [expected[key] for key in expected if key not in made]),
    ]
    cells = [
        [*map(_text, key), column, _text(one), _text(other)]
        for key, row in expected.items()
        if key in made
        for column, one, other in zip(columns, made[key], row, strict=True)
        if not comparison.same(one, other)
    ]
    if cells:
        lines += ["cells that differ:", *_table([*by, "column", "made", "expected"], cells)]
    return lines


def _unaligned_lines(columns: Sequence[str], made: list[Row], expected: list[Row], comparison: Comparison) -> list[str]:
    """Rows that only one of the frames has, each as often as it is there; equal ones go first, then those within the tolerance."""
    left = Counter(map(_frozen, expected))
    only_made = []
    for row in made:
        frozen = _frozen(row)
        if left[frozen]:
            left[frozen] -= 1
        else:
            only_made.append(row)
    only_expected = [row for row in expected if _take(left, _frozen(row))]
    floats = [index for row in expected[:1] for index, _ in enumerate(row) if _has_float(index, made, expected)]
    if floats and only_made and only_expected:
        only_made, only_expected = _without_close(only_made, only_expected, floats, comparison)
    return [*_rows_only("made", columns, only_made), *_rows_only("expected", columns, only_expected)]


def _take(left: Counter[Any], row: Any) -> bool:
    left[row] -= 1
    return left[row] >= 0


def _has_float(index: int, *frames: list[Row]) -> bool:
    return any(isinstance(row[index], (float, list, dict)) for rows in frames for row in rows)


def _without_close(
    made: list[Row], expected: list[Row], floats: Sequence[int], comparison: Comparison
) -> tuple[list[Row], list[Row]]:
    """What is left of both when rows that are the same within the tolerance are taken away in pairs."""
    exact = _getter([index for index in range(len(made[0])) if index not in floats])
    candidates: dict[Row, list[Row]] = {}
    for row in sorted(expected, key=repr):
        candidates.setdefault(exact(row), []).append(row)
    only_made = []
    for row in sorted(made, key=repr):
        close = candidates.get(exact(row), [])
        found = next((index for index, other in enumerate(close) if comparison.same(row, other)), None)
        if found is None:
            only_made.append(row)
        else:
            del close[found]
    return only_made, [row for rows in candidates.values() for row in rows]


def _getter(indexes: Sequence[int]) -> Callable[[Row], Row]:
    return lambda row: tuple(_frozen(row[index]) for index in indexes)


def _frozen(value: Any) -> Any:
    """A value that can be looked up: lists as tuples, structs as their values, NaN as itself."""
    if isinstance(value, (list, tuple)):
        return tuple(map(_frozen, value))
    if isinstance(value, dict):
        return tuple((name, _frozen(item)) for name, item in value.items())
    return math.nan if isinstance(value, float) and math.isnan(value) else value


def _rows_only(whose: str, columns: Sequence[str], rows: Sequence[Row]) -> list[str]:
    return [f"rows only {whose}:", *_table(columns, [list(map(_text, row)) for row in rows])] if rows else []


def _text(value: Any) -> str:
    """A value as people read it; text in quotes where it would be mistaken for something else."""
    if value is None:
        return "null"
    text = str(value)
    is_odd = isinstance(value, str) and (not text.isprintable() or text != text.strip() or text in ("", "null"))
    text = repr(value) if is_odd else text
    return text if len(text) <= WIDEST_CELL else text[: WIDEST_CELL - 1] + "…"


def _table(columns: Sequence[str], rows: Sequence[Sequence[str]]) -> list[str]:
    """Rows under their columns, as many as fit."""
    shown = [[_text(name) for name in columns], *rows[:MOST_ROWS]]
    widths = [max(len(row[index]) for row in shown) for index in range(len(columns))]
    fitting = _fitting(widths)
    more = ["…"] if fitting < len(columns) else []
    lines = [
        "  " + "  ".join([*(cell.ljust(width) for cell, width in zip(row[:fitting], widths, strict=False)), *more])
        for row in shown
    ]
    if len(rows) > MOST_ROWS:
        lines.append(f"  … and {len(rows) - MOST_ROWS} more")
    return [line.rstrip() for line in lines]


def _fitting(widths: Iterable[int]) -> int:
    total, count = 2, 0
    for width in widths:
        total += width + 2
        if total > WIDEST_LINE and count:
            break
        count += 1
    return count
