"""Partitions of a Delta table: which of its data files hold rows of them, as the statistics in the log tell, or the files themselves."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import polars as pl

from io_managers.delta_table import Snapshot
from io_managers.frame_slices import rows_of
from io_managers.slices import filter_columns
from warehouse_assets.keys import AssetKey
from warehouse_assets.tables import PartitionFilter

__all__ = ["Division", "divided", "scan_slice"]


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
        values = _single_values(file, columns)
        one = snapshot.scan_files([file["path"]]).select(columns) if values is None else _row(values, snapshot.types)
        some, every = one.select(holds.any().alias("some"), holds.all().alias("every")).collect().row(0)
        if some:
            (found.inside if every else found.mixed).append(file)
    return found


def scan_slice(snapshot: Snapshot, partitions: Sequence[PartitionFilter], key: AssetKey) -> pl.LazyFrame:
    """The rows of the partitions, without the files of which the log says that they hold none."""
    holds = rows_of(partitions, snapshot.types, key)
    if not snapshot.has_plain_files:
        return snapshot.scan().filter(holds)
    columns = filter_columns(partitions)
    paths, told, rows = [], [], []
    for file in snapshot.files.iter_rows(named=True):
        values = _single_values(file, columns)
        if values is None:
            paths.append(file["path"])
        else:
            told.append(file["path"])
            rows.append(values)
    if rows:
        schema = pl.Schema({name: snapshot.types[name] for name in columns})
        meant = pl.DataFrame(rows, orient="row").cast(schema).select(holds).to_series()
        paths += [path for path, is_meant in zip(told, meant, strict=True) if is_meant]
    return snapshot.scan_files(paths).filter(holds)


def _single_values(file: Mapping[str, Any], columns: Sequence[str]) -> dict[str, Any] | None:
    """The value that each column has in all rows of a file, where it has one that the log tells."""
    low, high, nulls = (file.get(name) or {} for name in ("min", "max", "null_count"))
    found = {}
    for column in columns:
        value = low.get(column)
        if value is None or value != high.get(column) or nulls.get(column) != 0:
            return None
        found[column] = value
    return found


def _row(values: Mapping[str, Any], types: pl.Schema) -> pl.LazyFrame:
    return pl.LazyFrame([values]).cast(pl.Schema({name: types[name] for name in values}))
