"""Partitions of a table as conditions in SQL."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, date
from typing import Any

from io_managers.slices import integers, missing_partition_column, wall_times, whole_days
from io_managers.sqlalchemy.dialect import Dialect, parameter_name
from io_managers.sqlalchemy.types import Kind
from warehouse_assets.keys import AssetKey
from warehouse_assets.tables import ColumnRange, ColumnValues, PartitionFilter

__all__ = ["Condition", "condition", "own_name"]

_NEVER = "1 = 0"
_MOMENTS = ("date", "timestamp", "timestamptz")


@dataclass(frozen=True, slots=True)
class Condition:
    """A condition, and its parameters by name."""

    sql: str
    parameters: dict[str, Any] = field(default_factory=dict)


def own_name(columns: Iterable[str], name: str, *, folds_case: bool) -> str | None:
    """The column that the database takes for `name`, in its own spelling."""
    fold = str.casefold if folds_case else str
    return next((own for own in columns if fold(own) == fold(name)), None)


def condition(dialect: Dialect, partitions: Iterable[PartitionFilter], kinds: Mapping[str, Kind], key: AssetKey) -> Condition:
    """What holds for the rows of the partitions, and is false or NULL for all others, in a table with these columns."""
    parameters: dict[str, Any] = {}

    def bind(value: Any, kind: Kind) -> str:
        name = parameter_name("slice")
        parameters[name] = dialect.bound(value, kind)
        return f"${name}"

    def one(part: ColumnRange | ColumnValues) -> str:
        own = own_name(kinds, part.column, folds_case=dialect.folds_case)
        if own is None:
            raise missing_partition_column(key, part.column, list(kinds))
        quoted, kind = dialect.quote(own), kinds[own]
        if isinstance(part, ColumnRange) and kind.name in _MOMENTS:
            start, end = _bounds(part, kind, key)
            return f"{quoted} >= {bind(start, kind)} and {quoted} < {bind(end, kind)}"
        keys = part.keys if isinstance(part, ColumnRange) else part.values
        values: list[Any] = list(keys)
        if kind.name in ("int16", "int32", "int64"):
            values = integers(keys)
        elif kind.name == "date":
            values = _dates(keys)
        elif kind.name != "text":
            quoted = dialect.as_text(quoted)
        return f"{quoted} in ({', '.join(bind(value, kind) for value in values)})" if values else _NEVER

    each = [" and ".join(map(one, parts)) for parts in partitions]
    return Condition(" or ".join(f"({text})" for text in each) or _NEVER, parameters)


def _bounds(span: ColumnRange, kind: Kind, key: AssetKey) -> tuple[date, date]:
    if kind.name == "timestamptz":
        return span.start.astimezone(UTC), span.end.astimezone(UTC)
    start, end = wall_times(span, key)
    return whole_days(start, end) if kind.name == "date" else (start, end)


def _dates(keys: Iterable[str]) -> list[date]:
    found = []
    for key in keys:
        try:
            day = date.fromisoformat(key)
        except ValueError:
            continue
        if day.isoformat() == key:
            found.append(day)
    return found
