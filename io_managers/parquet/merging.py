"""What becomes of the rows of a Parquet file when new ones come: the write modes as polars plans, which keep all types."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING

from io_managers.column_fitting import fitting
from io_managers.deferred import Deferred
from io_managers.merging import check_key, not_a_snapshot, wrong_key
from io_managers.table import SchemaPolicy
from warehouse_assets.keys import AssetKey
from warehouse_assets.table_options import WriteMode

if TYPE_CHECKING:
    import polars as pl
else:
    pl = Deferred("polars")

__all__ = ["judge_keys", "merged_file", "merged_rows"]


def judge_keys(mode: WriteMode, new: pl.LazyFrame, key: AssetKey) -> None:
    """Raise RowKeyError where a key that tells rows apart is NULL or there twice, SchemaChangedError where there is none."""
    check_key(mode, new.collect_schema().names(), key)
    if mode.kind in ("upsert", "snapshot"):
        is_wrong = (pl.len() > 1) | pl.any_horizontal(pl.col(name).is_null().any() for name in mode.key)
        found = new.group_by(mode.key).agg(is_wrong.alias("\0wrong")).filter("\0wrong").head(1).collect(engine="streaming")
        if found.height:
            raise wrong_key(mode, found.select(mode.key).row(0), key)


def merged_file(
    stored: pl.LazyFrame | None, new: pl.LazyFrame, mode: WriteMode, policy: SchemaPolicy, key: AssetKey, now: datetime
) -> pl.LazyFrame:
    """What the one file of a table of asset `key` is to hold; SchemaChangedError where the policy allows no change of columns."""
    if stored is None:
        return merged_rows(None, new, mode, now)
    schema, times = stored.collect_schema(), []
    if mode.kind == "snapshot":
        times = [mode.valid_from, mode.valid_to]
        if missing := [name for name in times if name not in schema]:
            raise not_a_snapshot(mode, missing[0], key)
    kept = pl.Schema({name: dtype for name, dtype in schema.items() if name not in times})
    fit = fitting(kept, new.collect_schema(), policy, key)
    old = fit.fitted(stored.drop(times))
    if times:  # beside the others, since both come from one file
        casts = [
            (pl.col(name) if name in schema else pl.lit(None)).cast(dtype).alias(name) for name, dtype in fit.schema.items()
        ]
        old = stored.select(*casts, *times)
    return merged_rows(old, fit.fitted(new), mode, now)


def merged_rows(old: pl.LazyFrame | None, new: pl.LazyFrame, mode: WriteMode, now: datetime) -> pl.LazyFrame:
    """The rows of a table once the new ones are in it; both have the same columns, beside the times that a snapshot has."""
    if mode.kind == "snapshot":
        opened = {mode.valid_from: pl.lit(now, _time()), mode.valid_to: pl.lit(None, _time())}
        return new.with_columns(**opened) if old is None else _snapshot(old, new, mode, now, opened)
    if old is None:
        return new
    if mode.kind != "append":
        keys = new.select(mode.key).unique()
        old = old.join(keys, on=mode.key, how="anti", nulls_equal=mode.kind == "delete_insert", maintain_order="left")
    return pl.concat([old, new])


def _snapshot(old: pl.LazyFrame, new: pl.LazyFrame, mode: WriteMode, now: datetime, opened: dict[str, pl.Expr]) -> pl.LazyFrame:
    """Changed and missing rows of the present end; changed and new ones begin."""
    columns, ended = old.collect_schema().names(), pl.col(mode.valid_to).is_not_null()
    others = [name for name in new.collect_schema().names() if name not in mode.key]

    def beside(frame: pl.LazyFrame, other: pl.LazyFrame) -> tuple[pl.LazyFrame, pl.Expr]:
        """A frame with the columns of another beside its own, and whether both say the same."""
        renamed = other.select(*mode.key, *(pl.col(name).alias(f"\0{name}") for name in others), pl.lit(True).alias("\0"))
        same = [pl.col(name).eq_missing(pl.col(f"\0{name}")) for name in others]
        joined = frame.join(renamed, on=mode.key, how="left", maintain_order="left")
        return joined, pl.all_horizontal(pl.col("\0").is_not_null(), *same)

    present, stays = beside(old.filter(~ended), new)
    closed = present.with_columns(
        pl.when(stays).then(pl.col(mode.valid_to)).otherwise(pl.lit(now, _time())).alias(mode.valid_to)
    )
    coming, is_there = beside(new, old.filter(~ended))
    begun = coming.filter(~is_there).with_columns(**opened)
    return pl.concat([old.filter(ended).select(columns), closed.select(columns), begun.select(columns)])


def _time() -> pl.DataType:
    return pl.Datetime("us", "UTC")
