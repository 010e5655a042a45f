"""Partitions of a table: which of its data files hold rows of them, as what the store knows of each tells, or the files themselves."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, date
from decimal import Decimal

import polars as pl

from io_managers.frame_slices import rows_of
from io_managers.lakehouse.table import Bounds, Snapshot, StoredFile
from io_managers.slices import filter_columns, integers, wall_times, whole_days
from warehouse_assets.keys import AssetKey
from warehouse_assets.tables import ColumnRange, ColumnValues, PartitionFilter

__all__ = ["Division", "divided", "scan_slice"]


@dataclass(frozen=True, slots=True)
class Division:
    """The files of a table, some rows of which are meant: those `inside` hold no others, and the `mixed` ones do."""

    inside: list[StoredFile] = field(default_factory=list)
    mixed: list[StoredFile] = field(default_factory=list)


def divided(snapshot: Snapshot, partitions: Sequence[PartitionFilter], key: AssetKey) -> Division:
    """Which files hold rows of the partitions."""
    found = Division()
    columns = filter_columns(partitions)
    holds = rows_of(partitions, snapshot.types, key)
    for file in snapshot.files:
        some = every = _told(file, snapshot, partitions, key)
        if some is None:
            rows = snapshot.scan_files([file]).select(columns)
            some, every = rows.select(holds.any().alias("some"), holds.all().alias("every")).collect().row(0)
        if some:
            (found.inside if every else found.mixed).append(file)
    return found


def scan_slice(snapshot: Snapshot, partitions: Sequence[PartitionFilter], key: AssetKey) -> pl.LazyFrame:
    """The rows of the partitions, without the files of which the store says that they hold none."""
    holds = rows_of(partitions, snapshot.types, key)
    if not snapshot.has_plain_files:
        return snapshot.scan().filter(holds)
    told = [_told(file, snapshot, partitions, key) for file in snapshot.files]
    meant = snapshot.scan_files(file for file, is_meant in zip(snapshot.files, told, strict=True) if is_meant is not False)
    return meant.filter(holds) if None in told else meant


def _told(file: StoredFile, snapshot: Snapshot, partitions: Sequence[PartitionFilter], key: AssetKey) -> bool | None:
    """Whether all rows of a file are of the partitions, or none; None where it may be some."""
    answers = []
    for parts in partitions:
        each = [_part_told(snapshot.bounds(file, part.column), part, snapshot.types[part.column], key) for part in parts]
        answers.append(False if False in each else None if None in each else True)
    return True if True in answers else None if None in answers else False


def _part_told(bounds: Bounds | None, part: ColumnRange | ColumnValues, dtype: pl.DataType, key: AssetKey) -> bool | None:
    if bounds is None or dtype.is_float():  # bounds say nothing of NaN
        return None
    low, high = bounds.low, bounds.high
    if isinstance(part, ColumnRange) and isinstance(dtype, (pl.Date, pl.Datetime)):
        start, end = _span(part, dtype, key)
        if high < start or low >= end:
            return False
        return True if bounds.is_whole and low >= start and high < end else None
    if low == high:
        row = pl.DataFrame({part.column: pl.Series([low], strict=False)}).cast({part.column: dtype})
        is_meant = bool(row.select(rows_of([(part,)], row.schema, key)).item())
        return is_meant if bounds.is_whole or not is_meant else None
    values: Sequence[object] = part.keys if isinstance(part, ColumnRange) else part.values
    if dtype.is_integer() and isinstance(low, (int, Decimal)):
        values = integers(str(value) for value in values)
    elif dtype != pl.String:
        return None
    return None if any(low <= value <= high for value in values) else False


def _span(part: ColumnRange, dtype: pl.DataType, key: AssetKey) -> tuple[date, date]:
    """From when to when, as a column of this type tells it."""
    if isinstance(dtype, pl.Datetime) and dtype.time_zone:
        return part.start.astimezone(UTC), part.end.astimezone(UTC)
    start, end = wall_times(part, key)
    return whole_days(start, end) if isinstance(dtype, pl.Date) else (start, end)
