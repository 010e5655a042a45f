"""An Iceberg table at one of its snapshots."""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from datetime import UTC, datetime
from functools import cached_property
from typing import TYPE_CHECKING, Any, ClassVar

import polars as pl

from io_managers.iceberg.files import polars_options
from io_managers.iceberg.types import ICEBERG, Numbering, frame_types
from io_managers.lakehouse.table import Bounds, Snapshot, StoredFile
from io_managers.lakehouse.types import StoredTypes
from warehouse_assets.tables import TableVersion

if TYPE_CHECKING:
    from pyiceberg.schema import Schema
    from pyiceberg.table import Table
    from pyiceberg.table import snapshots as ice

__all__ = ["OURS", "PLAIN", "RUN_ID", "TYPES", "IcebergSnapshot"]

OURS = "warehouse-assets."  # before the names of what a snapshot is told
RUN_ID, TYPES, PLAIN = f"{OURS}run-id", f"{OURS}types", f"{OURS}plain"
LONGEST_BOUND = 16  # characters


class IcebergSnapshot(Snapshot):
    """A table at one snapshot, the present one unless another is named."""

    STORED: ClassVar[StoredTypes] = ICEBERG

    def __init__(self, table: Table, version: str | None = None) -> None:
        self.table = table
        self._is_present = version is None
        self._snapshot = table.current_snapshot() if version is None else table.snapshot_by_id(int(version))

    @property
    def version(self) -> str | None:
        return None if self._snapshot is None else str(self._snapshot.snapshot_id)

    @property
    def state(self) -> Hashable:
        return self.table.metadata.table_uuid, self.table.metadata_location

    @property
    def uri(self) -> str:
        return self.table.location()

    @cached_property
    def schema(self) -> Schema:
        """The columns of the table, as Iceberg knows them."""
        number = None if self._is_present or self._snapshot is None else self._snapshot.schema_id
        return self.table.schema() if number is None else self.table.schemas()[number]

    @cached_property
    def types(self) -> pl.Schema:
        return frame_types(self.schema, self._said(TYPES))

    @property
    def numbering(self) -> Numbering:
        """The numbers of the columns, for files that are to be a part of the table."""
        return Numbering.of(self.schema, self.table.metadata.last_column_id)

    @property
    def options(self) -> Mapping[str, str]:
        return polars_options(self.table.io.properties)

    @cached_property
    def _tasks(self) -> list[Any]:
        if self._snapshot is None:
            return []
        return list(self.table.scan(snapshot_id=self._snapshot.snapshot_id).plan_files())

    @cached_property
    def files(self) -> list[StoredFile]:
        return [StoredFile(task.file.file_path, task.file.record_count, task.file) for task in self._tasks]

    @cached_property
    def has_plain_files(self) -> bool:
        if any(task.delete_files or task.file.file_format != "PARQUET" for task in self._tasks):
            return False
        if self._snapshot is None or (self._summary.get(PLAIN) == "true" and self._is_own_schema):
            return True
        names = {(each.field_id, each.name) for schema in self.table.schemas().values() for each in schema.fields}
        return len({number for number, _ in names}) == len(names) == len({name for _, name in names})

    @property
    def _is_own_schema(self) -> bool:
        """Whether nobody gave the table other columns since the snapshot was made."""
        return self._snapshot is not None and self._snapshot.schema_id == self.schema.schema_id

    def scan_as_others(self) -> pl.LazyFrame:
        number = None if self._is_present or self._snapshot is None else self._snapshot.snapshot_id
        return pl.scan_iceberg(self.table, snapshot_id=number, reader_override="pyiceberg")

    def takes(self, types: pl.Schema) -> bool:
        return list(types.items())[: len(self.types)] == list(self.types.items())  # any that come are behind them

    def bounds(self, file: StoredFile, column: str) -> Bounds | None:
        from pyiceberg.conversions import from_bytes
        from pyiceberg.types import PrimitiveType, StringType

        known = self.schema.find_field(column)
        number, kind = known.field_id, known.field_type
        low, high = ((each or {}).get(number) for each in (file.entry.lower_bounds, file.entry.upper_bounds))
        if low is None or high is None or not isinstance(kind, PrimitiveType):
            return None
        values: list[Any] = [from_bytes(kind, each) for each in (low, high)]
        if isinstance(kind, StringType) and len(values[1]) >= LONGEST_BOUND:  # it may be cut, to something that is larger
            return None
        if isinstance(dtype := self.types[column], (pl.Date, pl.Datetime)):
            values = _moments(values, dtype)
        return Bounds(values[0], values[1], (file.entry.null_value_counts or {}).get(number) == 0)

    @property
    def _summary(self) -> Mapping[str, str]:
        return summary(self._snapshot)

    def _said(self, name: str) -> str:
        """What the snapshot, or the newest one before it that was made here, was told."""
        found = self._snapshot
        while found is not None:
            if (said := summary(found).get(name)) is not None:
                return said
            found = None if found.parent_snapshot_id is None else self.table.snapshot_by_id(found.parent_snapshot_id)
        return ""

    def row_count(self) -> int:
        total = self._summary.get("total-records")
        if self._snapshot is None:
            return 0
        if total is None or self._summary.get("total-delete-files", "0") != "0":
            return int(self.scan().select(pl.len()).collect().item())
        return int(total)

    def byte_size(self) -> int:
        total = self._summary.get("total-files-size")
        return int(total) if total is not None else sum(file.entry.file_size_in_bytes for file in self.files)

    def versions(self) -> list[TableVersion]:
        found: dict[int, TableVersion] = {}
        for entry in self.table.history():
            snapshot = self.table.snapshot_by_id(entry.snapshot_id)
            if snapshot is None:
                continue
            said = summary(snapshot)
            moment = datetime.fromtimestamp(entry.timestamp_ms / 1000, UTC)
            rows = said.get("total-records")
            found.pop(entry.snapshot_id, None)
            found[entry.snapshot_id] = TableVersion(
                str(entry.snapshot_id), moment, said.get(RUN_ID), int(rows) if rows is not None else None
            )
        return list(found.values())


def summary(snapshot: ice.Snapshot | None) -> Mapping[str, str]:
    """What a snapshot says of itself."""
    return {} if snapshot is None or snapshot.summary is None else snapshot.summary.additional_properties


def _moments(values: list[Any], dtype: pl.DataType) -> list[Any]:
    """Bounds of a column of days or moments, which may be numbers of them."""
    raw = pl.Date() if dtype == pl.Date else pl.Datetime("us", "UTC" if getattr(dtype, "time_zone", None) else None)
    return pl.Series(values).cast(raw).to_list()
