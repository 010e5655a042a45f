"""Partitions that are written as Parquet files: each with its own rows, all with the columns of one table."""

from __future__ import annotations

import os
from collections.abc import Generator, Mapping
from contextlib import ExitStack, contextmanager, nullcontext
from datetime import datetime
from typing import TYPE_CHECKING, Any

from io_managers.asset_files import AssetFiles
from io_managers.column_fitting import fitting, joint_schema
from io_managers.deferred import Deferred
from io_managers.frame_slices import refuse_outside, rows_of
from io_managers.parquet.files import Footers, ParquetFiles
from io_managers.parquet.merging import judge_keys, merged_rows
from io_managers.parquet.writing import sink_sorted, write_parquet
from io_managers.slices import PARTITION_EXPR, partition_filters
from io_managers.table import SchemaPolicy
from io_managers.write_locks import among_merges, one_at_a_time, unless_replaced
from io_managers.write_modes import keeps_rows
from warehouse_assets.io_manager import OutputContext

if TYPE_CHECKING:
    import polars as pl
else:
    pl = Deferred("polars")

__all__ = ["staged_partitions"]


@contextmanager
def staged_partitions(
    context: OutputContext, obj: Any, own: AssetFiles, footers: Footers, policy: SchemaPolicy, compression: Any, now: datetime
) -> Generator[dict[str, str]]:
    """Local files that take the place of others as the block ends, by the paths of those: the partitions that are written.

    Where the write mode keeps rows, they hold those that were stored too. Under the policy `sync` they may be all others too, whose columns change with them; no two writers do that to a table at once.
    """
    if own.is_whole():
        raise own.without_partitions()
    options, key = context.table_options, own.key
    keeps = keeps_rows(options.mode)
    with ExitStack() as publishing, ExitStack() as stack:
        written = stack.enter_context(own.files.scratch(own.whole))
        write_parquet(context, obj, written, compression)
        frame = pl.scan_parquet(written, glob=False, hive_partitioning=False)
        parts = _parts(context, frame, own)
        if keeps:
            judge_keys(options.mode, frame, key)
        alone = one_at_a_time(own.files, own.whole, context.log) if keeps or policy == "sync" else nullcontext()
        confirm = stack.enter_context(alone)
        stored = footers.of(own.partitions(), {})
        schema = joint_schema(footer.schema for footer in stored.values()) if stored else None
        fit = fitting(schema, frame.collect_schema(), policy, own.key)
        changed = set(parts)
        if confirm is not None and keeps:
            confirm = unless_replaced(own.files, changed, confirm)
        if fit.rewrites:
            parts = {**{path: ParquetFiles(own.files, [path]).scan() for path in stored}, **parts}
        staged = stack.enter_context(own.files.staging_many(parts, beside=own.whole, confirm=confirm))
        for path, part in parts.items():
            is_merged = keeps and path in changed and path in stored
            if part is frame and fit.fits(frame.collect_schema()) and not (is_merged or options.sort_by):
                os.replace(written, staged[path])
                continue
            rows = fit.fitted(part)
            if is_merged:
                rows = merged_rows(fit.fitted(ParquetFiles(own.files, [path]).scan()), rows, options.mode, now)
            sink_sorted(rows, staged[path], options.sort_by if path in changed else (), key, compression)
        yield staged
        if confirm is None:
            publishing.enter_context(among_merges(own.files, own.whole, context.log))


def _parts(context: OutputContext, frame: pl.LazyFrame, own: AssetFiles) -> Mapping[str, pl.LazyFrame]:
    """The rows of each partition, by the path of its file; a single one may leave it open which column tells them."""
    key, paths, metadata = own.key, own.meant(context), context.definition_metadata
    if len(paths) == 1 and PARTITION_EXPR not in metadata:
        return dict.fromkeys(paths.values(), frame)

    def filters(*keys: str) -> Any:
        return partition_filters(key, metadata, context.partitions_def, keys)

    refuse_outside(frame, filters(*paths), key, list(paths))
    if len(paths) == 1:
        return dict.fromkeys(paths.values(), frame)
    schema = frame.collect_schema()
    return {path: frame.filter(rows_of(filters(one), schema, key)) for one, path in paths.items()}
