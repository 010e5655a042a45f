"""Data files of a Delta table, and what a log entry says of each."""

from __future__ import annotations

import json
import math
import os
import time
from collections.abc import Mapping
from contextlib import AbstractContextManager
from datetime import UTC, date, datetime
from functools import cached_property
from typing import TYPE_CHECKING, Any
from uuid import uuid4

import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq

from io_managers.delta.types import DELTA
from io_managers.lakehouse.files import COMPRESSION, DataFile, DataFiles, local_path
from warehouse_assets.keys import AssetKey

if TYPE_CHECKING:
    from deltalake.transaction import AddAction

__all__ = ["DeltaFiles", "Folder", "add_action"]

LONGEST_STATISTIC = 256  # characters


class Folder:
    """The folder of a table, a path or a URL, whose files are named as the log names them."""

    def __init__(self, uri: str, options: Mapping[str, str]) -> None:
        self.uri = uri
        self._options = options

    @cached_property
    def _fs(self) -> Any:
        from deltalake.fs import DeltaStorageHandler
        from pyarrow.fs import PyFileSystem

        return PyFileSystem(DeltaStorageHandler(self.uri, dict(self._options)))

    def opened(self, name: str) -> AbstractContextManager[pa.NativeFile]:
        """A file, to be read; FileNotFoundError where there is none."""
        local = local_path(self.uri)
        found: AbstractContextManager[pa.NativeFile] = (
            pa.OSFile(f"{local}/{name}", "rb") if local else self._fs.open_input_file(name)
        )
        return found

    def remove(self, name: str) -> None:
        """Remove a file; FileNotFoundError where there is none."""
        local = local_path(self.uri)
        os.remove(f"{local}/{name}") if local else self._fs.delete_file(name)

    def remove_all(self) -> None:
        """Remove all that is in the folder of a store that is not local."""
        self._fs.delete_dir("")


class DeltaFiles(DataFiles):
    """The data files that are written into the folder of a table."""

    def __init__(self, folder: Folder, options: Mapping[str, str], key: AssetKey) -> None:
        super().__init__(folder.uri, DELTA, options, key)
        self._folder = folder

    def new_place(self) -> str:
        return f"{self.uri}/part-{uuid4()}.parquet"

    def sink(self, rows: pl.LazyFrame, types: pl.Schema, place: str, base: Any) -> DataFile:
        options = None if local_path(place) else dict(self.options)
        rows.sink_parquet(place, compression=COMPRESSION, storage_options=options)
        return DataFile(place, *self.measured(place), types)

    def fits(self, file: DataFile, types: pl.Schema, base: Any) -> bool:
        return dict(DELTA.stored(file.types)) == dict(DELTA.stored(types))

    def opened(self, place: str) -> AbstractContextManager[pa.NativeFile]:
        return self._folder.opened(place.removeprefix(f"{self.uri}/"))

    def remove(self, place: str) -> None:
        self._folder.remove(place.removeprefix(f"{self.uri}/"))


def add_action(file: DataFile, uri: str) -> AddAction:
    """What the log of the table at `uri` says of a file, with the smallest and the largest values of its columns, by which readers skip it."""
    from deltalake.transaction import AddAction

    path = file.place.removeprefix(f"{uri}/")
    return AddAction(path, file.size, {}, int(time.time() * 1000), True, json.dumps(_statistics(file.footer)))


def _statistics(footer: pq.FileMetaData) -> dict[str, Any]:
    """What Delta keeps of a file: its rows, and of each column that is no list or struct the range of its values, and the NULLs."""
    said: dict[str, Any] = {"numRecords": footer.num_rows, "minValues": {}, "maxValues": {}, "nullCount": {}}
    groups = [footer.row_group(number) for number in range(footer.num_row_groups)]
    for index in range(footer.num_columns):
        column = footer.schema.column(index)
        if column.max_repetition_level or column.path != column.name:
            continue
        found: list[Any] = [group.column(index).statistics for group in groups]
        if not found or any(each is None or not each.has_null_count for each in found):
            continue
        said["nullCount"][column.name] = sum(each.null_count for each in found)
        valued = [each for each in found if each.num_values]
        if valued and all(each.has_min_max for each in valued):
            low, high = _said(min(each.min for each in valued)), _said(max(each.max for each in valued))
            if low is not None and high is not None:
                said["minValues"][column.name], said["maxValues"][column.name] = low, high
    return said


def _said(value: Any) -> Any:
    """A value as the statistics in a log say it; None where they cannot."""
    match value:
        case bool():
            return None
        case int():
            return value
        case float():
            return value if math.isfinite(value) else None
        case str():
            return value if len(value) <= LONGEST_STATISTIC else None
        case datetime():
            if value.year < 1000:
                return None
            text = (value.astimezone(UTC) if value.tzinfo else value).replace(tzinfo=None).isoformat(timespec="microseconds")
            return f"{text}Z" if value.tzinfo else text
        case date():
            return value.isoformat()
    return None
