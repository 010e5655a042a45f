"""Partitions of an Iceberg table: which of its data files hold rows of them, as its manifests tell, or the files themselves."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, date
from typing import TYPE_CHECKING, Any

import polars as pl

from io_managers.frame_slices import rows_of
from io_managers.iceberg.table import Snapshot
from io_managers.slices import filter_columns, wall_times, whole_days
from warehouse_assets.keys import AssetKey
from warehouse_assets.tables import ColumnRange, ColumnValues, PartitionFilter

if TYPE_CHECKING:
    from pyiceberg.manifest import DataFile

__all__ = ["Division", "divided", "scan_slice"]


@dataclass(frozen=True, slots=True)
class Division:
    """The files of a table, some rows of which are meant: those `inside` hold no others, and the `mixed` ones do."""

    inside: list[DataFile] = field(default_factory=list)
    mixed: list[DataFile] = field(default_factory=list)


def divided(snapshot: Snapshot, partitions: Sequence[PartitionFilter], key: AssetKey) -> Division:
    """Which files hold rows of the partitions."""
    found = Division()
    columns = filter_columns(partitions)
    holds = rows_of(partitions, snapshot.types, key)
    for file in snapshot.files:
        told = _told(file, snapshot, partitions, key)
        some, every = (told, told)
        if told is None:
            rows = snapshot.scan_files([file.file_path]).select(columns)
            some, every = rows.select(holds.any().alias("some"), holds.all().alias("every")).collect().row(0)
        if some:
            (found.inside if every else found.mixed).append(file)
    return found


def scan_slice(snapshot: Snapshot, partitions: Sequence[PartitionFilter], key: AssetKey) -> pl.LazyFrame:
    """The rows of the partitions, without the files of which the manifests say that they hold none."""
    holds = rows_of(partitions, snapshot.types, key)
    if not snapshot.has_plain_files:
        return snapshot.scan().filter(holds)
    told = {file.file_path: _told(file, snapshot, partitions, key) for file in snapshot.files}
    meant = snapshot.scan_files(path for path, is_meant in told.items() if is_meant is not False)
    return meant if all(is_meant is not None for is_meant in told.values()) else meant.filter(holds)


def _told(file: DataFile, snapshot: Snapshot, partitions: Sequence[PartitionFilter], key: AssetKey) -> bool | None:
    """Whether all rows of a file are of the partitions, or none; None where it may be some."""
    answers = []
    for parts in partitions:
        each = [_part_told(file, snapshot, part, key) for part in parts]
        answers.append(False if False in each else None if None in each else True)
    return True if True in answers else None if None in answers else False


def _part_told(file: DataFile, snapshot: Snapshot, part: ColumnRange | ColumnValues, key: AssetKey) -> bool | None:
    bounds = _bounds(file, snapshot, part.column)
    if bounds is None:
        return None
    low, high = bounds
    dtype = snapshot.types[part.column]
    if isinstance(part, ColumnRange) and isinstance(dtype, (pl.Date, pl.Datetime)):
        start, end = _span(part, dtype, key)
        if low >= start and high < end:
            return True
        return False if high < start or low >= end else None
    if low != high or dtype.is_float():
        return None
    row = pl.DataFrame({part.column: pl.Series([low], strict=False)}).cast({part.column: dtype})
    return bool(row.select(rows_of([(part,)], row.schema, key)).item())


def _bounds(file: DataFile, snapshot: Snapshot, column: str) -> tuple[Any, Any] | None:
    """The smallest and the largest value of a column in a file without NULLs in it, where the manifest tells them whole."""
    from pyiceberg.conversions import from_bytes
    from pyiceberg.types import PrimitiveType, StringType

    known = snapshot.schema.find_field(column)
    number, kind = known.field_id, known.field_type
    low, high = ((each or {}).get(number) for each in (file.lower_bounds, file.upper_bounds))
    if low is None or high is None or (file.null_value_counts or {}).get(number) != 0 or not isinstance(kind, PrimitiveType):
        return None
    values = [from_bytes(kind, each) for each in (low, high)]
    if isinstance(kind, StringType) and len(values[1]) >= 16:  # it may be cut, to something that is larger
        return None
    dtype = snapshot.types[column]
    if isinstance(dtype, (pl.Date, pl.Datetime)):
        values = (
            pl.Series(values, dtype=pl.Int32 if dtype == pl.Date else pl.Int64).to_list() if _are_numbers(values) else values
        )
        raw = pl.Date() if dtype == pl.Date else pl.Datetime("us", "UTC" if getattr(dtype, "time_zone", None) else None)
        values = pl.Series(values).cast(raw).to_list()
    return values[0], values[1]


def _are_numbers(values: Sequence[Any]) -> bool:
    return all(isinstance(value, int) for value in values)


def _span(part: ColumnRange, dtype: pl.DataType, key: AssetKey) -> tuple[date, date]:
    if isinstance(dtype, pl.Datetime) and dtype.time_zone:
        return part.start.astimezone(UTC), part.end.astimezone(UTC)
    start, end = wall_times(part, key)
    return whole_days(start, end) if isinstance(dtype, pl.Date) else (start, end)
