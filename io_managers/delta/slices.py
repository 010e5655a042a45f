"""Partitions of a Delta table: which of its data files hold rows of them, as the statistics in the log tell, or the files themselves."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, timedelta
from typing import Any

import polars as pl

from io_managers.delta.table import Snapshot
from io_managers.frame_slices import rows_of
from io_managers.slices import filter_columns, integers, wall_times, whole_days
from warehouse_assets.keys import AssetKey
from warehouse_assets.tables import ColumnRange, ColumnValues, PartitionFilter

__all__ = ["Division", "divided", "scan_slice"]

_CUT = timedelta(milliseconds=1)  # some writers cut the statistics of moments to whole ones


@dataclass(frozen=True, slots=True)
class Division:
    """The files of a table, some rows of which are meant: those `inside` hold no others, and the `mixed` ones do."""

    inside: list[Mapping[str, Any]] = field(default_factory=list)
    mixed: list[Mapping[str, Any]] = field(default_factory=list)


def divided(snapshot: Snapshot, partitions: Sequence[PartitionFilter], key: AssetKey) -> Division:
    """Which files hold rows of the partitions."""
    found = Division()
    columns = filter_columns(partitions)
    holds = rows_of(partitions, snapshot.types, key)
    for file in snapshot.files.iter_rows(named=True):
        if not _may_hold(file, partitions, snapshot.types, key):
            continue
        values = _single_values(file, columns, snapshot.types)
        one = snapshot.scan_files([file["path"]]).select(columns) if values is None else values
        some, every = one.select(holds.any().alias("some"), holds.all().alias("every")).collect().row(0)
        if some:
            (found.inside if every else found.mixed).append(file)
    return found


def scan_slice(snapshot: Snapshot, partitions: Sequence[PartitionFilter], key: AssetKey) -> pl.LazyFrame:
    """The rows of the partitions, without the files of which the log says that they hold none."""
    holds = rows_of(partitions, snapshot.types, key)
    if not snapshot.has_plain_files:
        return snapshot.scan().filter(holds)
    files = snapshot.files.iter_rows(named=True)
    return snapshot.scan_files([file["path"] for file in files if _may_hold(file, partitions, snapshot.types, key)]).filter(
        holds
    )


def _single_values(file: Mapping[str, Any], columns: Sequence[str], types: pl.Schema) -> pl.LazyFrame | None:
    """The value that each column has in all rows of a file, as one row, where it has one that the log tells."""
    low, high, nulls = (file.get(name) or {} for name in ("min", "max", "null_count"))
    found = {}
    for column in columns:
        value = low.get(column)
        if value is None or value != high.get(column) or nulls.get(column) != 0 or isinstance(types[column], pl.Datetime):
            return None
        found[column] = value
    return pl.LazyFrame([found]).cast(pl.Schema({name: types[name] for name in found}))


def _may_hold(file: Mapping[str, Any], partitions: Sequence[PartitionFilter], types: pl.Schema, key: AssetKey) -> bool:
    """Whether the log leaves it open that a file has rows of the partitions."""
    low, high = file.get("min") or {}, file.get("max") or {}
    return any(
        all(_overlaps(part, low.get(part.column), high.get(part.column), types[part.column], key) for part in parts)
        for parts in partitions
    )


def _overlaps(part: ColumnRange | ColumnValues, low: Any, high: Any, dtype: pl.DataType, key: AssetKey) -> bool:
    if low is None or high is None:
        return True
    if isinstance(part, ColumnRange) and isinstance(dtype, pl.Datetime):
        if dtype.time_zone:
            start, end = part.start.astimezone(UTC), part.end.astimezone(UTC)
        else:
            start, end = wall_times(part, key)
        return bool(low < end and high + _CUT >= start)
    if isinstance(part, ColumnRange) and isinstance(dtype, pl.Date):
        first, second = whole_days(*wall_times(part, key))
        return bool(low < second and high >= first)
    values = part.keys if isinstance(part, ColumnRange) else part.values
    if isinstance(dtype, pl.String):
        return any(low <= value <= high for value in values)
    if dtype.is_signed_integer():
        return any(low <= number <= high for number in integers(values))
    return True
