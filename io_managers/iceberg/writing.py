"""What a write makes of an Iceberg table: new rows, as a data file, and a plan for those that the table has, whichever version it is at."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import closing
from datetime import datetime
from functools import cached_property
from typing import TYPE_CHECKING, Any

import polars as pl

from io_managers import engine
from io_managers.column_fitting import Fitting, fitting
from io_managers.database import in_memory
from io_managers.engine_types import Column, restored
from io_managers.frame_slices import refuse_outside, rows_of
from io_managers.frames import BATCH_ROWS
from io_managers.iceberg.files import DataFiles, WrittenFile, local_path
from io_managers.iceberg.slices import Division, divided
from io_managers.iceberg.table import Change, Snapshot
from io_managers.iceberg.types import Numbering
from io_managers.merging import check_key, wrong_key
from io_managers.table import SchemaPolicy
from warehouse_assets.io_manager import OutputContext
from warehouse_assets.sql import SQL
from warehouse_assets.tables import PartitionFilter, quote_identifier

if TYPE_CHECKING:
    from pyiceberg.schema import Schema

__all__ = ["Write", "new_rows"]

MOMENT = pl.Datetime("us", "UTC")  # of the times of a snapshot
FOUND = "\0found"  # a column that no table has
PATH = "\0path"


def new_rows(context: OutputContext, obj: Any, files: DataFiles) -> WrittenFile:
    """A frame, or the answer to SQL, as a data file."""
    if not isinstance(obj, SQL):
        return _sorted(context, files.write(obj), files)
    with (
        closing(in_memory()) as connection,
        engine.bound(obj, context.sources, connection, asset_key=context.asset_key) as (text, parameters),
    ):
        relation = connection.sql(text, params=parameters)
        columns = [_kept(name, str(kind)) for name, kind in zip(relation.columns, relation.types, strict=True)]
        query = f"select {', '.join(column.sql for column in columns)} from ({text}\n)"
        with connection.sql(query, params=parameters).to_arrow_reader(BATCH_ROWS) as reader:
            return _sorted(context, files.write(restored(reader, columns)), files)


def _kept(name: str, kind: str) -> Column:
    """How a column of a DuckDB result is kept: durations as such, and 128-bit integers as decimals, which all readers know."""
    quoted = quote_identifier(name)
    if kind in ("HUGEINT", "UHUGEINT"):
        return Column(name, f"{quoted}::decimal(38, 0) as {quoted}")
    return Column.of(name, kind, pl.Duration("us") if kind == "INTERVAL" else None, polars=False)


def _sorted(context: OutputContext, file: WrittenFile, files: DataFiles) -> WrittenFile:
    by = context.table_options.sort_by
    return files.write(files.scan(file).sort(by, nulls_last=True, maintain_order=True)) if by else file


class Write:
    """New rows of an asset on their way into its table, under its write mode.

    Raises OutsidePartitionError for a row that is not of the `partitions`, RowKeyError for a key that is NULL or there twice, and
    SchemaChangedError where a column is missing by which rows are told apart.
    """

    def __init__(
        self,
        context: OutputContext,
        rows: WrittenFile,
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
        old = None if base is None or self.replaces_all else self._without_times(base.types)
        found = fitting(old, self.rows.types, self._policy, self.key)
        return Fitting(pl.Schema({**found.schema, **self._times}), found.rewrites)

    def staying(self, base: Snapshot | None, fit: Fitting) -> pl.LazyFrame | None:
        """The rows of the table as it is that stay, as they will be; None where there are none."""
        return None if base is None or self.replaces_all else fit.fitted(self._kept(base.scan(), base))

    def coming(self, base: Snapshot | None, fit: Fitting) -> pl.LazyFrame:
        """The rows that are added, as they will be."""
        if self.mode.kind != "snapshot":
            return fit.fitted(self._new)
        new = self._new
        if base is not None:
            data = Fitting(self._without_times(fit.schema))
            present = data.fitted(base.scan().filter(pl.col(self.mode.valid_to).is_null()))
            new = data.fitted(new).join(present, on=list(data.schema), how="anti", nulls_equal=True)
        times = (pl.lit(self._now, MOMENT).alias(self.mode.valid_from), pl.lit(None, MOMENT).alias(self.mode.valid_to))
        return fit.fitted(new.with_columns(times))

    def change(self, base: Snapshot | None) -> Change:
        """What makes the table hold the new rows; its data files are written."""
        fit = self.fit(base)
        numbering = Numbering() if base is None else base.numbering
        schema = numbering.schema(fit.schema)
        self._files.numbering = numbering
        added = self._added(base, fit, schema)
        if base is None or self.replaces_all:
            return Change(added, fit.schema, schema, replaces=True)
        if fit.rewrites or not base.has_plain_files or not _grows(base.types, fit.schema):
            staying = self.staying(base, fit)
            assert staying is not None
            return Change([*added, self._files.write(staying)], fit.schema, schema, replaces=True)
        if fit.schema.keys() == base.types.keys():
            schema = base.schema
        division = self._divided(base)
        if division.mixed:
            mixed = base.scan_files([file.file_path for file in division.mixed])
            added = [*added, self._files.write(self._kept(mixed, base))]
        return Change(added, fit.schema, schema, [*division.inside, *division.mixed])

    def _added(self, base: Snapshot | None, fit: Fitting, schema: Schema) -> list[WrittenFile]:
        if self.mode.kind != "snapshot" and self.rows.fits(schema):
            return [self.rows]
        file = self._files.write(self.coming(base, fit))
        return [file] if file.rows or base is None else []

    def _divided(self, base: Snapshot) -> Division:
        """The files of the table with rows that do not stay as they are."""
        if self.mode.kind == "append":
            return Division()
        if not self.mode.key:
            return divided(base, self.partitions or (), self.key)
        paths = [file.file_path for file in base.files]
        touched = self._marked(base.scan_files(paths, PATH), base).filter(FOUND).group_by(PATH).agg(pl.len())
        counts = dict(touched.collect(engine="streaming").iter_rows())
        found = Division()
        for file in base.files:
            place = local_path(file.file_path) or file.file_path
            if place in counts:
                is_inside = self.mode.kind != "snapshot" and counts[place] == file.record_count
                (found.inside if is_inside else found.mixed).append(file)
        return found

    def _kept(self, old: pl.LazyFrame, base: Snapshot) -> pl.LazyFrame:
        """Those of some rows of the table that stay, and as what."""
        if self.mode.kind == "append":
            return old
        marked = self._marked(old, base)
        if self.mode.kind == "snapshot":
            ended = pl.when(FOUND).then(pl.lit(self._now, MOMENT)).otherwise(pl.col(self.mode.valid_to))
            return marked.with_columns(ended.alias(self.mode.valid_to)).drop(FOUND)
        return marked.filter(~pl.col(FOUND)).drop(FOUND)

    def _marked(self, old: pl.LazyFrame, base: Snapshot) -> pl.LazyFrame:
        """Rows of the table, and whether the write ends or replaces each."""
        meant = pl.lit(True) if self.partitions is None else rows_of(self.partitions, base.types, self.key)
        if not self.mode.key:
            return old.with_columns(meant.alias(FOUND))
        types, more = {name: base.types[name] for name in self.mode.key}, []
        if self.mode.kind == "snapshot":  # which compares all columns, those that are new among them
            types = dict(self._without_times(self.fit(base).schema))
            more = [name for name in types if name not in base.types]
            old = old.with_columns(pl.lit(None, types[name]).alias(name) for name in more).cast(types)  # type: ignore[arg-type]
            meant = pl.col(self.mode.valid_to).is_null()
        on = list(types)
        new = Fitting(pl.Schema(types)).fitted(self._new).unique().with_columns(pl.lit(True).alias(FOUND))
        found = pl.col(FOUND).fill_null(value=False)
        ends = meant & (~found if self.mode.kind == "snapshot" else found)
        joined = old.join(new, on=on, how="left", nulls_equal=self.mode.kind != "upsert", maintain_order="left")
        return joined.with_columns(ends.alias(FOUND)).drop(more)

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


def _grows(old: pl.Schema, new: pl.Schema) -> bool:
    """Whether the columns stay as they are, and any that come are behind them."""
    return list(new.items())[: len(old)] == list(old.items())
