"""Partitions of a polars frame: the rows of each, and those that are of none."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import UTC, date, datetime
from typing import TYPE_CHECKING

from io_managers.deferred import Deferred
from io_managers.slices import (
    filter_columns,
    integers,
    missing_partition_column,
    outside_partition,
    wall_times,
    whole_days,
)
from warehouse_assets.keys import AssetKey
from warehouse_assets.tables import ColumnRange, ColumnValues, PartitionFilter

if TYPE_CHECKING:
    import polars as pl
else:
    pl = Deferred("polars")

__all__ = ["refuse_outside", "rows_of"]


def rows_of(partitions: Iterable[PartitionFilter], schema: pl.Schema, key: AssetKey) -> pl.Expr:
    """Whether a row is of the partitions; never null.

    Raises SchemaChangedError where a column is missing from the frame of asset `key`.
    """
    each = [pl.all_horizontal([_holds(part, schema, key) for part in parts]) for parts in partitions]
    return pl.any_horizontal(each).fill_null(value=False) if each else pl.lit(False)


def refuse_outside(frame: pl.LazyFrame, partitions: Sequence[PartitionFilter], key: AssetKey, keys: Sequence[str]) -> None:
    """Raise OutsidePartitionError, showing one of them, where rows of the frame are not of the partitions `keys`."""
    columns = filter_columns(partitions)
    schema = frame.collect_schema()
    found = frame.filter(~rows_of(partitions, schema, key)).select(pl.col(columns).cast(pl.String)).head(1).collect()
    if found.height:
        raise outside_partition(key, found.row(0, named=True), keys)


def _holds(part: ColumnRange | ColumnValues, schema: pl.Schema, key: AssetKey) -> pl.Expr:
    if part.column not in schema:
        raise missing_partition_column(key, part.column, schema.names())
    column, dtype = pl.col(part.column), schema[part.column]
    if isinstance(part, ColumnRange) and isinstance(dtype, (pl.Date, pl.Datetime)):
        return _between(column, dtype, part, key)
    keys = part.keys if isinstance(part, ColumnRange) else part.values
    if dtype.is_integer():
        return column.cast(pl.Int128).is_in(pl.Series(integers(keys), dtype=pl.Int128).implode())
    return column.cast(pl.String).is_in(pl.Series(keys, dtype=pl.String).implode())


def _between(column: pl.Expr, dtype: pl.DataType, part: ColumnRange, key: AssetKey) -> pl.Expr:
    start: date
    end: date
    if isinstance(dtype, pl.Datetime) and dtype.time_zone:
        start, end = part.start.astimezone(UTC), part.end.astimezone(UTC)
        column = column.dt.convert_time_zone("UTC")
    else:
        start, end = wall_times(part, key)
        if isinstance(dtype, pl.Date):
            start, end = whole_days(start, end)
    return (column >= _literal(start)) & (column < _literal(end))


def _literal(moment: date) -> pl.Expr:
    return pl.lit(moment) if isinstance(moment, datetime) else pl.lit(moment, pl.Date)
