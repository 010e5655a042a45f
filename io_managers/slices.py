"""Which rows of a table a partition is: from partition keys to filters of columns, and from those to SQL and polars."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from itertools import product
from typing import TYPE_CHECKING, Any

from warehouse_assets.errors import InvalidDefinitionError, TableError
from warehouse_assets.tables import ColumnRange, ColumnValues, PartitionFilter, quote_identifier

if TYPE_CHECKING:
    import polars as pl

    from warehouse_assets.partitions.definition import PartitionsDefinition

__all__ = [
    "check_partition_expr",
    "column_of",
    "keys_by_dimension",
    "outside",
    "partition_filters",
    "polars_condition",
    "sql_condition",
]

Box = tuple[tuple[str, ...], ...]  # the keys along each dimension, of which all combinations are meant


def partition_filters(partitions_def: Any, keys: Sequence[str], columns: Any) -> tuple[PartitionFilter, ...] | None:
    """The rows of these partitions, by the column that `partition_expr` names, or by one for each dimension; None for a whole table.

    >>> from warehouse_assets import DailyPartitionsDefinition, StaticPartitionsDefinition
    >>> partition_filters(StaticPartitionsDefinition(["eu", "us"]), ["eu"], "region")
    ((ColumnValues(column='region', values=('eu',)),),)
    >>> [(days,)] = partition_filters(DailyPartitionsDefinition("2024-01-01"), ["2024-01-01", "2024-01-02"], "day")
    >>> (days.end - days.start).days
    2
    """
    if partitions_def is None:
        return None
    from warehouse_assets.partitions.multi import MultiPartitionsDefinition

    if not isinstance(partitions_def, MultiPartitionsDefinition):
        return tuple((part,) for part in _along(partitions_def, columns, keys))
    dimensions = partitions_def.partitions_defs
    paths = [tuple(partitions_def.get_partition_key_from_str(key).keys_by_dimension.values()) for key in keys]
    return tuple(
        parts
        for box in _boxes(paths)
        for parts in product(
            *(_along(dim.partitions_def, columns[dim.name], along) for dim, along in zip(dimensions, box, strict=True))
        )
    )


def _along(partitions_def: PartitionsDefinition, column: str, keys: Sequence[str]) -> list[ColumnValues | ColumnRange]:
    if not keys:
        return []
    from warehouse_assets.partitions.time_window import TimeWindowPartitionsDefinition

    if not isinstance(partitions_def, TimeWindowPartitionsDefinition):
        return [ColumnValues(column, tuple(keys))]
    spans = partitions_def.spans(keys)
    at = partitions_def.clock.at
    if len(spans) == 1:
        return [ColumnRange(column, at(spans[0][0]), at(spans[0][1]), tuple(keys))]
    ticks = {key: partitions_def.tick(key) for key in keys}
    return [
        ColumnRange(column, at(start), at(end), tuple(key for key, tick in ticks.items() if start <= tick < end))
        for start, end in spans
    ]


def _boxes(paths: Sequence[tuple[str, ...]]) -> tuple[Box, ...]:
    """Combinations of keys, gathered to few boxes.

    >>> _boxes([("mon", "eu"), ("mon", "us"), ("tue", "eu"), ("tue", "us"), ("wed", "eu")])
    ((('mon', 'tue'), ('eu', 'us')), (('wed',), ('eu',)))
    """
    if not paths or not paths[0]:
        return ((),) if paths else ()
    rest: dict[str, list[tuple[str, ...]]] = {}
    for first, *others in paths:
        rest.setdefault(first, []).append(tuple(others))
    alike: dict[tuple[Box, ...], list[str]] = {}
    for first, below in rest.items():
        alike.setdefault(_boxes(below), []).append(first)
    return tuple((tuple(firsts), *box) for boxes, firsts in alike.items() for box in boxes)


def keys_by_dimension(partitions_def: Any, key: str) -> Mapping[str, str]:
    """The key of a partition along each dimension; of the only one, it is called "partition"."""
    from warehouse_assets.partitions.multi import MultiPartitionsDefinition

    if not isinstance(partitions_def, MultiPartitionsDefinition):
        return {"partition": key}
    return partitions_def.get_partition_key_from_str(key).keys_by_dimension


def check_partition_expr(owner: str, partitions_def: Any, columns: Any) -> None:
    """Raise InvalidDefinitionError where the columns of a partitioned table are not declared."""
    from warehouse_assets.partitions.multi import MultiPartitionsDefinition

    if isinstance(partitions_def, MultiPartitionsDefinition):
        names = partitions_def.partition_dimension_names
        if not isinstance(columns, Mapping) or set(columns) != set(names):
            example = ", ".join(f'"{name}": "…"' for name in names)
            raise InvalidDefinitionError(
                f"{owner} is partitioned by {' and '.join(names)}, and its partition_expr is {columns!r}",
                hint=f'Say which columns tell: metadata={{"partition_expr": {{{example}}}}}.',
            )
        columns = tuple(columns.values())
    else:
        columns = (columns,)
    if not all(isinstance(column, str) and column for column in columns):
        raise InvalidDefinitionError(
            f"{owner} is partitioned, and does not say by which column",
            hint='Name it: metadata={"partition_expr": "column"}.',
        )


def sql_condition(filters: Iterable[PartitionFilter], types: Mapping[str, str]) -> str:
    """The filters as a condition in DuckDB's SQL, for columns of these types, with names and values quoted.

    >>> print(sql_condition([(ColumnValues("odd name", ("it's",)),)], {"odd name": "VARCHAR"}))
    (("odd name" in ('it''s')))
    """
    parts = [" and ".join(_sql(part, types[column_of(part, types)]) for part in parts) for parts in filters]
    return f"({' or '.join(f'({part})' for part in parts)})" if parts else "false"


def column_of(part: ColumnValues | ColumnRange, known: Iterable[str]) -> str:
    """The column of a filter as the table spells it; TableError where it has none of this name."""
    names = list(known)
    if part.column in names:
        return part.column
    for name in names:
        if name.casefold() == part.column.casefold():
            return name
    raise TableError(
        f"the table has no column {part.column!r}, which its partition_expr names",
        hint=f"It has {', '.join(map(repr, names))}.",
    )


def _sql(part: ColumnValues | ColumnRange, kind: str) -> str:
    column = quote_identifier(part.column)
    if isinstance(part, ColumnRange) and (kind == "DATE" or kind.startswith("TIMESTAMP")):
        with_zone = kind == "TIMESTAMP WITH TIME ZONE"
        bounds = [moment.astimezone(UTC) if with_zone else _wall(moment, part.column) for moment in (part.start, part.end)]
        word = "timestamptz" if with_zone else "timestamp"
        if kind == "DATE" and all(bound.time() == datetime.min.time() for bound in bounds):
            word, bounds = "date", [bound.date() for bound in bounds]  # type: ignore[misc]
        start, end = (f"{word} '{bound.isoformat()}'" for bound in bounds)
        return f"{column} >= {start} and {column} < {end}"
    text = column if kind == "VARCHAR" else f"{column}::varchar"
    values = ", ".join("'" + value.replace("'", "''") + "'" for value in part.values)
    return f"{text} in ({values})"


def polars_condition(filters: Iterable[PartitionFilter], schema: Mapping[str, Any]) -> pl.Expr:
    """The filters as a polars expression, for columns of these types; never null."""
    import polars as pl

    anything = pl.lit(False)
    for parts in filters:
        everything = pl.lit(True)
        for part in parts:
            everything &= _expression(part, column_of(part, schema), schema)
        anything |= everything
    return anything.fill_null(False)


def _expression(part: ColumnValues | ColumnRange, name: str, schema: Mapping[str, Any]) -> pl.Expr:
    import polars as pl

    dtype, column = schema[name], pl.col(name)
    if isinstance(part, ColumnRange) and (dtype == pl.Date or isinstance(dtype, pl.Datetime)):
        if isinstance(dtype, pl.Datetime) and dtype.time_zone:
            start, end = (pl.lit(moment.astimezone(UTC)) for moment in (part.start, part.end))
            return (column.dt.convert_time_zone("UTC") >= start) & (column.dt.convert_time_zone("UTC") < end)
        walls = [_wall(moment, name) for moment in (part.start, part.end)]
        if dtype == pl.Date and all(wall.time() == datetime.min.time() for wall in walls):
            return (column >= pl.lit(walls[0].date())) & (column < pl.lit(walls[1].date()))
        column = column.cast(pl.Datetime("us")) if dtype == pl.Date else column
        return (column >= pl.lit(walls[0])) & (column < pl.lit(walls[1]))
    return column.cast(pl.String).is_in(list(part.values))


def _wall(moment: datetime, column: str) -> datetime:
    """What the clock shows at a moment; TableError where it shows that twice, and a column without zone cannot tell which."""
    if moment.replace(fold=0).utcoffset() != moment.replace(fold=1).utcoffset():
        raise TableError(
            f"the column {column!r} has no time zone, and {moment:%Y-%m-%d %H:%M} comes twice in {moment.tzinfo}",
            hint="Store a column with a time zone, or partition by UTC.",
        )
    return moment.replace(tzinfo=None)


def outside(owner: str, columns: Sequence[str], row: Sequence[Any], keys: Sequence[str]) -> TableError:
    """The error for a row that is in none of the partitions that are written."""
    found = ", ".join(f"{column} = {value!r}" for column, value in zip(columns, row, strict=True))
    wanted = ", ".join(keys[:3]) + (f", … ({len(keys)})" if len(keys) > 3 else "")
    return TableError(
        f"{owner} gave a row with {found}, which is not in the partition {wanted}",
        hint="Return the rows of the partitions that are asked for: see context.partition_keys and context.partition_time_window.",
    )
