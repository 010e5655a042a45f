"""What a write makes of a table: new rows, as a data file, and a plan for those that the table has, whichever version it is at."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import closing
from datetime import datetime
from functools import cached_property
from typing import Any

import polars as pl

from io_managers import engine
from io_managers.column_fitting import Fitting, fitting
from io_managers.database import in_memory
from io_managers.engine_types import Column, restored
from io_managers.frame_slices import refuse_outside, rows_of
from io_managers.frames import BATCH_ROWS
from io_managers.lakehouse.files import DataFile, DataFiles, local_path
from io_managers.lakehouse.slices import Division, divided
from io_managers.lakehouse.table import Change, Snapshot
from io_managers.merging import check_key, not_a_snapshot, wrong_key
from io_managers.table import SchemaPolicy
from warehouse_assets.errors import SchemaChangedError, close_matches
from warehouse_assets.io_manager import OutputContext
from warehouse_assets.sql import SQL
from warehouse_assets.tables import PartitionFilter, quote_identifier

__all__ = ["Write", "new_rows"]

MOMENT = pl.Datetime("us", "UTC")  # of the times of a snapshot
FOUND = "\0found"  # a column that no table has
PATH = "\0path"


def new_rows(context: OutputContext, obj: Any, files: DataFiles, base: Snapshot | None) -> DataFile:
    """A frame, or the answer to SQL, as a data file for the table as `base` has it."""
    if not isinstance(obj, SQL):
        return _sorted(context, files.write(obj, base), files, base)
    with (
        closing(in_memory()) as connection,
        engine.bound(obj, context.sources, connection, asset_key=context.asset_key) as (text, parameters),
    ):
        relation = connection.sql(text, params=parameters)
        columns = [_kept(name, str(kind)) for name, kind in zip(relation.columns, relation.types, strict=True)]
        query = f"select {', '.join(column.sql for column in columns)} from ({text}\n)"
        with connection.sql(query, params=parameters).to_arrow_reader(BATCH_ROWS) as reader:
            return _sorted(context, files.write(restored(reader, columns), base), files, base)


def _kept(name: str, kind: str) -> Column:
    """How a column of a DuckDB result is kept: durations as such, and 128-bit integers as decimals, which all readers know."""
    quoted = quote_identifier(name)
    if kind in ("HUGEINT", "UHUGEINT"):
        return Column(name, f"{quoted}::decimal(38, 0) as {quoted}")
    return Column.of(name, kind, pl.Duration("us") if kind == "INTERVAL" else None, polars=False)


def _sorted(context: OutputContext, file: DataFile, files: DataFiles, base: Snapshot | None) -> DataFile:
    by = context.table_options.sort_by
    for column in by:
        if column not in file.types:
            raise SchemaChangedError(
                f"asset {context.asset_key.to_user_string()!r} is sorted by {column!r}, and its rows have no such column",
                hint=close_matches(column, list(file.types)) or f"They have {', '.join(map(repr, file.types))}.",
            )
    return files.write(files.scan(file).sort(by, nulls_last=True, maintain_order=True), base) if by else file


class Write:
    """New rows of an asset on their way into its table, under its write mode.

    Raises OutsidePartitionError for a row that is not of the `partitions`, RowKeyError for a key that is NULL or there twice, and
    SchemaChangedError where a column is missing by which rows are told apart.
    """

    def __init__(
        self,
        context: OutputContext,
        rows: DataFile,
        files: DataFiles,
        partitions: Sequence[PartitionFilter] | None,
        policy: SchemaPolicy,
        now: datetime,
    ) -> None:
        self.key = context.asset_key
        self.mode = context.table_options.mode
        self.rows = rows
        self.partitions = partitions
        self._files = files
        self._policy = policy
        self._now = now
        check_key(self.mode, rows.types.names(), self.key)
        if partitions is not None:
            refuse_outside(self._new, partitions, self.key, context.partition_keys)
        if self.mode.kind in ("upsert", "snapshot"):
            self._refuse_wrong_keys()

    @property
    def replaces_all(self) -> bool:
        """Whether nothing stays of the table as it was."""
        return self.partitions is None and self.mode.kind == "replace"

    @property
    def _new(self) -> pl.LazyFrame:
        return self._files.scan(self.rows)

    @cached_property
    def _times(self) -> Mapping[str, pl.DataType]:
        return {self.mode.valid_from: MOMENT, self.mode.valid_to: MOMENT} if self.mode.kind == "snapshot" else {}

    def fit(self, base: Snapshot | None) -> Fitting:
        """The columns that the table gets; SchemaChangedError where the policy allows no change."""
        for column in self._times:
            if base is not None and column not in base.types:
                raise not_a_snapshot(self.mode, column, self.key)
        old = None if base is None or self.replaces_all else self._without_times(base.types)
        found = fitting(old, self.rows.types, self._policy, self.key)
        return Fitting(pl.Schema({**found.schema, **self._times}), found.rewrites)

    def staying(self, base: Snapshot | None, fit: Fitting) -> pl.LazyFrame | None:
        """The rows of the table as it is that stay, as they will be; None where there are none."""
        return None if base is None or self.replaces_all else self._kept(fit.fitted(base.scan()), fit)

    def coming(self, base: Snapshot | None, fit: Fitting) -> pl.LazyFrame:
        """The rows that are added, as they will be."""
        if self.mode.kind != "snapshot":
            return fit.fitted(self._new)
        new = self._new
        if base is not None:
            data = self._without_times(fit.schema)
            present = fit.fitted(base.scan()).filter(pl.col(self.mode.valid_to).is_null())
            new = Fitting(data).fitted(new).join(present, on=list(data), how="anti", nulls_equal=True)
        times = (pl.lit(self._now, MOMENT).alias(self.mode.valid_from), pl.lit(None, MOMENT).alias(self.mode.valid_to))
        return fit.fitted(new.with_columns(times))

    def change(self, base: Snapshot | None) -> Change:
        """What makes the table hold the new rows; its data files are written."""
        fit = self.fit(base)
        added = self._added(base, fit)
        if base is None or self.replaces_all:
            return Change(added, fit.schema, replaces=True)
        if fit.rewrites or not base.has_plain_files or not base.takes(fit.schema):
            staying = self.staying(base, fit)
            assert staying is not None
            return Change([*added, self._files.write(staying, base)], fit.schema, replaces=True)
        division = self._divided(base, fit)
        if division.mixed:
            mixed = fit.fitted(base.scan_files(division.mixed))
            added = [*added, self._files.write(self._kept(mixed, fit), base)]
        return Change(added, fit.schema, [*division.inside, *division.mixed])

    def _added(self, base: Snapshot | None, fit: Fitting) -> list[DataFile]:
        if self.mode.kind != "snapshot" and self._files.fits(self.rows, fit.schema, base):
            return [self.rows]
        file = self._files.write(self.coming(base, fit), base)
        return [file] if file.rows or base is None else []

    def _divided(self, base: Snapshot, fit: Fitting) -> Division:
        """The files of the table with rows that do not stay as they are."""
        if self.mode.kind == "append":
            return Division()
        if not self.mode.key:
            return divided(base, self.partitions or (), self.key)
        rows = fit.fitted(base.scan_files(base.files, PATH), PATH)
        touched = self._marked(rows, fit).filter(FOUND).group_by(PATH).agg(pl.len())
        counts = dict(touched.collect(engine="streaming").iter_rows())
        found = Division()
        for file in base.files:
            count = counts.get(local_path(file.place) or file.place)
            if count is not None:
                is_inside = self.mode.kind != "snapshot" and count == file.rows
                (found.inside if is_inside else found.mixed).append(file)
        return found

    def _kept(self, old: pl.LazyFrame, fit: Fitting) -> pl.LazyFrame:
        """Those of some rows of the table that stay, and as what."""
        if self.mode.kind == "append":
            return old
        marked = self._marked(old, fit)
        if self.mode.kind == "snapshot":
            ended = pl.when(FOUND).then(pl.lit(self._now, MOMENT)).otherwise(pl.col(self.mode.valid_to))
            return marked.with_columns(ended.alias(self.mode.valid_to)).drop(FOUND)
        return marked.filter(~pl.col(FOUND)).drop(FOUND)

    def _marked(self, old: pl.LazyFrame, fit: Fitting) -> pl.LazyFrame:
        """Rows of the table, and whether the write ends or replaces each."""
        meant = pl.lit(True) if self.partitions is None else rows_of(self.partitions, fit.schema, self.key)
        if not self.mode.key:
            return old.with_columns(meant.alias(FOUND))
        if self.mode.kind == "snapshot":
            on = list(self._without_times(fit.schema))
            meant = pl.col(self.mode.valid_to).is_null()
        else:
            on = list(self.mode.key)
        data = Fitting(self._without_times(fit.schema))
        new = data.fitted(self._new).select(on).unique().with_columns(pl.lit(True).alias(FOUND))
        found = pl.col(FOUND).fill_null(value=False)
        ends = meant & (~found if self.mode.kind == "snapshot" else found)
        joined = old.join(new, on=on, how="left", nulls_equal=self.mode.kind != "upsert", maintain_order="left")
        return joined.with_columns(ends.alias(FOUND))

    def _refuse_wrong_keys(self) -> None:
        keys = list(self.mode.key)
        wrong = (
            self._new.select(keys)
            .group_by(keys)
            .len(FOUND)
            .filter((pl.col(FOUND) > 1) | pl.any_horizontal(pl.col(keys).is_null()))
        )
        for row in wrong.select(keys).head(1).collect(engine="streaming").rows():
            raise wrong_key(self.mode, row, self.key)

    def _without_times(self, types: Mapping[str, pl.DataType]) -> pl.Schema:
        return pl.Schema({name: dtype for name, dtype in types.items() if name not in self._times})
