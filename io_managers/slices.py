"""Partitions of a table: which rows they are, and that as a condition in SQL.

`partition_expr` in the metadata of an asset names the column that tells the partition of a row, for partitions along several
dimensions one column for each. It is a name and no expression, so that it can be quoted, and written as well as read.
"""

from __future__ import annotations

import itertools
from bisect import bisect_right
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from typing import Any

from warehouse_assets.errors import (
    InvalidDefinitionError,
    OutsidePartitionError,
    SchemaChangedError,
    UnsupportedTypeError,
    close_matches,
)
from warehouse_assets.keys import AssetKey
from warehouse_assets.partitions.definition import PartitionsDefinition
from warehouse_assets.partitions.multi import MultiPartitionsDefinition
from warehouse_assets.partitions.time_window import TimeWindowPartitionsDefinition
from warehouse_assets.tables import ColumnRange, ColumnValues, PartitionFilter, quote_identifier

__all__ = [
    "Condition",
    "condition",
    "filter_columns",
    "integers",
    "outside_partition",
    "partition_columns",
    "partition_filters",
    "partitions_named",
    "wall_times",
    "whole_days",
]

PARTITION_EXPR = "partition_expr"

_INTEGERS = {f"{sign}{size}" for sign in ("", "U") for size in ("TINYINT", "SMALLINT", "INTEGER", "BIGINT", "HUGEINT")}

_numbers = itertools.count(1)


def partition_columns(key: AssetKey, metadata: Mapping[str, Any], partitions_def: PartitionsDefinition) -> tuple[str, ...]:
    """The column of each dimension, in the order in which the keys name them, of the asset `key` with this metadata.

    Raises InvalidDefinitionError, saying what to write, where `partition_expr` does not name them.

    >>> from warehouse_assets.partitions.static import StaticPartitionsDefinition
    >>> partition_columns(AssetKey("orders"), {"partition_expr": "region"}, StaticPartitionsDefinition(["eu", "us"]))
    ('region',)
    """
    expr = metadata.get(PARTITION_EXPR)
    whose = f"asset {key.to_user_string()!r}"
    if not isinstance(partitions_def, MultiPartitionsDefinition):
        if isinstance(expr, str) and expr:
            return (expr,)
        raise InvalidDefinitionError(
            f"{whose} has partitions, and {_says(expr)}", hint=f'Write metadata={{"{PARTITION_EXPR}": "column"}}.'
        )
    names = partitions_def.partition_dimension_names
    columns = expr if isinstance(expr, Mapping) else {}
    wrong = [name for name in names if not isinstance(columns.get(name), str) or not columns[name]]
    unknown = [name for name in columns if name not in names]
    if not wrong and not unknown:
        return tuple(columns[name] for name in names)
    form = ", ".join(f'"{name}": "column"' for name in names)
    what = f"names no column for {', '.join(map(repr, wrong))}" if wrong else f"names {unknown[0]!r}, which is no dimension"
    raise InvalidDefinitionError(
        f"{whose} has {partitions_def}, and {_says(expr) if not columns else f'its {PARTITION_EXPR} {what}'}",
        hint=f'Write metadata={{"{PARTITION_EXPR}": {{{form}}}}}.',
    )


def _says(expr: Any) -> str:
    return f"nothing says which column tells them: its {PARTITION_EXPR} is {'missing' if expr is None else repr(expr)}"


def partition_filters(
    key: AssetKey, metadata: Mapping[str, Any], partitions_def: PartitionsDefinition, partition_keys: Sequence[str]
) -> tuple[PartitionFilter, ...]:
    """The rows of some partitions, as few filters as there may be; none for no partition.

    >>> from warehouse_assets.partitions.static import StaticPartitionsDefinition
    >>> regions = StaticPartitionsDefinition(["eu", "us", "asia"])
    >>> partition_filters(AssetKey("orders"), {"partition_expr": "region"}, regions, ["us", "eu"])
    ((ColumnValues(column='region', values=('us', 'eu')),),)
    """
    columns = partition_columns(key, metadata, partitions_def)
    keys = tuple(dict.fromkeys(partition_keys))
    if not isinstance(partitions_def, MultiPartitionsDefinition):
        return tuple((part,) for part in _along(columns[0], partitions_def, keys))
    dimensions = [dimension.partitions_def for dimension in partitions_def.partitions_defs]
    combinations = [tuple(partitions_def.get_partition_key_from_str(text).split("|")) for text in keys]
    return tuple(
        filters
        for group in _products(combinations, len(dimensions))
        for filters in itertools.product(*map(_along, columns, dimensions, group))
    )


def _along(column: str, partitions_def: PartitionsDefinition, keys: Sequence[str]) -> list[ColumnRange | ColumnValues]:
    """The filters of which one has to hold along one dimension."""
    if not isinstance(partitions_def, TimeWindowPartitionsDefinition):
        return [ColumnValues(column, tuple(keys))] if keys else []
    spans, at = partitions_def.spans(keys), partitions_def.clock.at
    if len(spans) == 1:
        return [ColumnRange(column, at(start), at(end), tuple(keys)) for start, end in spans]
    starts = [start for start, _ in spans]
    grouped: list[list[str]] = [[] for _ in spans]
    for key in keys:
        grouped[bisect_right(starts, partitions_def.tick(key)) - 1].append(key)
    return [ColumnRange(column, at(start), at(end), tuple(group)) for (start, end), group in zip(spans, grouped, strict=True)]


def _products(combinations: Sequence[tuple[str, ...]], dimensions: int) -> list[list[tuple[str, ...]]]:
    """The combinations as full products: one where they are one, else one for each combination of all dimensions but the first.

    >>> _products([("mon", "eu"), ("mon", "us"), ("tue", "eu"), ("tue", "us")], 2)
    [[('mon', 'tue'), ('eu', 'us')]]
    >>> _products([("mon", "eu"), ("mon", "us"), ("tue", "eu")], 2)
    [[('mon', 'tue'), ('eu',)], [('mon',), ('us',)]]
    """
    if not combinations:
        return []
    along = [tuple(dict.fromkeys(parts)) for parts in zip(*combinations, strict=True)]
    count = 1
    for parts in along:
        count *= len(parts)
    if count == len(combinations):
        return [along]
    groups: dict[tuple[str, ...], list[str]] = {}
    for first, *others in combinations:
        groups.setdefault(tuple(others), []).append(first)
    return [[tuple(firsts), *((other,) for other in others)] for others, firsts in groups.items()]


def filter_columns(partitions: Iterable[PartitionFilter]) -> tuple[str, ...]:
    """The columns that the filters look at, each once."""
    return tuple(dict.fromkeys(part.column for parts in partitions for part in parts))


def wall_times(span: ColumnRange, key: AssetKey) -> tuple[datetime, datetime]:
    """What the clock shows at the start and at the end of a range, for a column that keeps no time zone.

    Raises UnsupportedTypeError where the clock is put back over one of them, so that a time it shows may be before or after it.
    """
    for moment in (span.start, span.end):
        if _is_shown_twice(moment) and (moment.fold or _is_shown_twice(moment - timedelta(microseconds=1))):
            raise UnsupportedTypeError(
                f"the partitions of asset {key.to_user_string()!r} divide the hour that the clock of {moment.tzinfo} shows twice, "
                f"at {moment.isoformat()}, and its column {span.column!r} keeps no time zone, so that it does not tell them apart",
                hint=f"Store {span.column!r} with a time zone.",
            )
    return span.start.replace(tzinfo=None, fold=0), span.end.replace(tzinfo=None, fold=0)


def _is_shown_twice(moment: datetime) -> bool:
    first, second = moment.replace(fold=0).utcoffset(), moment.replace(fold=1).utcoffset()
    return first is not None and second is not None and first > second


def whole_days(start: datetime, end: datetime) -> tuple[date, date]:
    """The dates whose midnight is at or after `start` and before `end`: from the first on, and before the second.

    >>> whole_days(datetime(2024, 1, 1), datetime(2024, 1, 2, 6))
    (datetime.date(2024, 1, 1), datetime.date(2024, 1, 3))
    """
    first, second = (moment.date() + timedelta(days=moment.time() > moment.min.time()) for moment in (start, end))
    return first, second


def integers(keys: Iterable[str]) -> list[int]:
    """The numbers that the keys are the text of; others are left out, since no integer column holds them.

    >>> integers(["7", "07", "seven", "-1"])
    [7, -1]
    """
    found = []
    for key in keys:
        try:
            number = int(key)
        except ValueError:
            continue
        if str(number) == key:
            found.append(number)
    return found


def partitions_named(partition_keys: Sequence[str]) -> str:
    """Some partitions, as a message names them.

    >>> partitions_named(["mon"]), partitions_named(["mon", "tue", "wed", "thu"])
    ("the partition 'mon'", "the 4 partitions 'mon', 'tue', …")
    """
    if len(partition_keys) == 1:
        return f"the partition {partition_keys[0]!r}"
    some = ", ".join(map(repr, partition_keys[:2])) + (", …" if len(partition_keys) > 2 else "")
    return f"the {len(partition_keys)} partitions {some}" if partition_keys else "no partition"


def outside_partition(key: AssetKey, row: Mapping[str, str | None], partition_keys: Sequence[str]) -> OutsidePartitionError:
    """The error for a row that is not of the partitions that are written; `row` has its partition columns, as text."""
    held = " and ".join(f"{column!r} is {'NULL' if value is None else repr(value)}" for column, value in row.items())
    return OutsidePartitionError(
        f"asset {key.to_user_string()!r} gave a row whose {held}, which is outside of {partitions_named(partition_keys)}",
        hint="Nothing was written. Return the rows of the partition only.",
    )


@dataclass(frozen=True, slots=True)
class Condition:
    """A condition in DuckDB's SQL, and its parameters, to be bound by name; no two conditions share one."""

    sql: str
    parameters: dict[str, Any] = field(default_factory=dict)


def condition(partitions: Iterable[PartitionFilter], kinds: Mapping[str, str], key: AssetKey) -> Condition:
    """What holds for the rows of the partitions, and is false or NULL for all others.

    `kinds` are the DuckDB types of the columns of the table of asset `key`. Raises SchemaChangedError where a column is missing.
    """
    parameters: dict[str, Any] = {}
    types = {name.casefold(): kind for name, kind in kinds.items()}

    def bind(value: Any) -> str:
        name = f"_slice_{next(_numbers)}"
        parameters[name] = value
        return f"${name}"

    def one(part: ColumnRange | ColumnValues) -> str:
        quoted, kind = quote_identifier(part.column), types.get(part.column.casefold())
        if kind is None:
            raise missing_partition_column(key, part.column, list(kinds))
        if isinstance(part, ColumnRange) and (kind == "DATE" or kind.startswith("TIMESTAMP")):
            start, end = _bounds(part, kind, key)
            return f"{quoted} >= {bind(start)} and {quoted} < {bind(end)}"
        keys = part.keys if isinstance(part, ColumnRange) else part.values
        if kind in _INTEGERS:
            return f"{quoted} in {bind(numbers)}" if (numbers := integers(keys)) else "false"
        if kind == "DATE":
            return f"{quoted} in {bind(dates)}" if (dates := _dates(keys)) else "false"
        return f"{quoted if kind == 'VARCHAR' else f'{quoted}::varchar'} in {bind(list(keys))}"

    each = [" and ".join(map(one, parts)) for parts in partitions]
    return Condition(" or ".join(f"({text})" for text in each) or "false", parameters)


def _bounds(span: ColumnRange, kind: str, key: AssetKey) -> tuple[date, date]:
    if kind.endswith("TIME ZONE"):
        return span.start.astimezone(UTC), span.end.astimezone(UTC)
    start, end = wall_times(span, key)
    return whole_days(start, end) if kind == "DATE" else (start, end)


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


def missing_partition_column(key: AssetKey, column: str, known: Sequence[str]) -> SchemaChangedError:
    """The error for a table or a frame of asset `key` that has not the column which tells the partition of a row."""
    return SchemaChangedError(
        f"the table of asset {key.to_user_string()!r} has no column {column!r}, which its {PARTITION_EXPR} names",
        hint=close_matches(column, known) or f"It has {', '.join(map(repr, known))}.",
    )
