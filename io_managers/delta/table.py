"""A Delta table at one of its versions."""

from __future__ import annotations

import re
from collections.abc import Hashable, Iterator, Mapping
from datetime import MAXYEAR, UTC, datetime, timedelta
from functools import cached_property
from typing import TYPE_CHECKING, Any, ClassVar

import polars as pl

from io_managers.delta.types import DELTA, frame_types
from io_managers.lakehouse.table import Bounds, Snapshot, StoredFile
from io_managers.lakehouse.types import StoredTypes
from warehouse_assets.errors import TableError
from warehouse_assets.tables import TableVersion

if TYPE_CHECKING:
    from deltalake import DeltaTable

__all__ = ["OLDEST", "RUN_ID", "DeltaSnapshot"]

_PLAIN = re.compile(r"[\w.-]+")  # a file in the folder of the table, whose name has no characters that are quoted in a log
_CUT = timedelta(milliseconds=1)  # some writers cut the statistics of moments to whole ones

RUN_ID = "run_id"  # the name under which the log says which run made a version
OLDEST = "warehouse-assets.oldest-version"  # the transaction whose number in the log is that of the oldest version that is kept


class DeltaSnapshot(Snapshot):
    """A table at one version of its log."""

    STORED: ClassVar[StoredTypes] = DELTA

    def __init__(self, uri: str, options: Mapping[str, str], table: DeltaTable) -> None:
        self._uri = uri
        self._options = options
        self.table = table
        self.number = int(table.version())

    @property
    def version(self) -> str:
        return str(self.number)

    @cached_property
    def oldest(self) -> int:
        """The number of the oldest version that is kept."""
        return self.table.transaction_version(OLDEST) or 0

    @property
    def state(self) -> Hashable:
        return self.table.metadata().id, self.number

    @property
    def uri(self) -> str:
        return self._uri

    @property
    def options(self) -> Mapping[str, str]:
        return self._options

    @cached_property
    def types(self) -> pl.Schema:
        return frame_types(self.table.schema())

    @cached_property
    def _actions(self) -> pl.DataFrame:
        """The data files as the log tells them: `path`, `size_bytes`, `num_records`, and statistics of columns."""
        return pl.DataFrame(self.table.get_add_actions())

    @cached_property
    def files(self) -> list[StoredFile]:
        return [
            StoredFile(f"{self.uri}/{file['path']}", file["num_records"], file) for file in self._actions.iter_rows(named=True)
        ]

    @property
    def maps_columns(self) -> bool:
        """Whether columns have other names in the files than the table has for them."""
        return self.table.metadata().configuration.get("delta.columnMapping.mode", "none") != "none"

    @cached_property
    def has_plain_files(self) -> bool:
        if self.maps_columns or self.table.metadata().partition_columns:
            return False
        features = self.table.protocol().reader_features or ()
        if "deletionVectors" in features and any(batch.num_rows for batch in self.table.deletion_vectors()):
            return False
        return all(map(_PLAIN.fullmatch, self._actions["path"]))

    def scan_as_others(self) -> pl.LazyFrame:
        if self.maps_columns:
            return _as_deltalake_reads(self.table)
        from deltalake.exceptions import DeltaProtocolError

        try:
            lazy = pl.scan_delta(self.table)
            lazy.collect_schema()
        except DeltaProtocolError as error:
            raise TableError(f"the Delta table at {self.uri} cannot be read: {error}") from None
        return lazy

    def takes(self, types: pl.Schema) -> bool:
        return dict(types) == dict(self.types)

    def bounds(self, file: StoredFile, column: str) -> Bounds | None:
        low, high, nulls = ((file.entry.get(name) or {}).get(column) for name in ("min", "max", "null_count"))
        if low is None or high is None:
            return None
        if isinstance(high, datetime):
            if high.year == MAXYEAR:
                return None
            high += _CUT
        return Bounds(low, high, nulls == 0)

    def row_count(self) -> int:
        rows = self._actions["num_records"]
        if rows.null_count() == 0 and self.has_plain_files:
            return int(rows.sum())
        return int(self.scan().select(pl.len()).collect().item())

    def byte_size(self) -> int:
        return int(self._actions["size_bytes"].sum())

    def versions(self) -> list[TableVersion]:
        kept = [entry for entry in self.table.history() if entry["version"] >= self.oldest]
        return [_version(entry) for entry in sorted(kept, key=lambda entry: int(entry["version"]))]


def _as_deltalake_reads(table: DeltaTable) -> pl.LazyFrame:
    """A table that polars cannot scan; the columns that are wanted are read."""
    from polars.io.plugins import register_io_source

    types = pl.Schema(table.schema())

    def rows(
        columns: list[str] | None, predicate: pl.Expr | None, limit: int | None, size: int | None
    ) -> Iterator[pl.DataFrame]:
        left = limit
        for batch in table.scan(columns=columns if predicate is None else None):
            frame = pl.DataFrame(batch)
            frame = frame if predicate is None else frame.filter(predicate)
            frame = (frame if columns is None else frame.select(columns)).head(frame.height if left is None else left)
            yield frame.cast({name: types[name] for name in frame.columns})
            left = None if left is None else left - frame.height

    return register_io_source(rows, schema=types)


def _version(entry: Mapping[str, Any]) -> TableVersion:
    moment = datetime.fromtimestamp(entry["timestamp"] / 1000, UTC)
    rows = entry.get("rows")
    return TableVersion(str(entry["version"]), moment, entry.get(RUN_ID), int(rows) if rows is not None else None)
