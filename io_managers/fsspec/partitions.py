"""Partitions that are written as files of a format: each with its own rows, all with the columns of one table."""

from __future__ import annotations

from collections.abc import Generator, Iterator, Mapping
from contextlib import ExitStack, contextmanager, nullcontext
from typing import Any

import polars as pl

from io_managers.asset_files import AssetFiles
from io_managers.column_fitting import Fitting, fitting, joint_schema
from io_managers.frame_slices import refuse_outside, rows_of
from io_managers.frames import BATCH_ROWS
from io_managers.fsspec.formats import FORMATS
from io_managers.fsspec.frame_batches import Batches, batches_of
from io_managers.fsspec.reading import Staged, TableFiles
from io_managers.slices import PARTITION_EXPR, partition_filters
from io_managers.table import SchemaPolicy
from io_managers.write_locks import one_at_a_time
from warehouse_assets.io_manager import OutputContext

__all__ = ["staged_partitions"]


@contextmanager
def staged_partitions(
    context: OutputContext, obj: Any, own: AssetFiles, tables: TableFiles, policy: SchemaPolicy
) -> Generator[dict[str, Staged]]:
    """Local files that take the place of others as the block ends, by the paths of those: the partitions that are written.

    Under the policy `sync` they may be all others too, whose columns change with them; no two writers do that to a table at once.
    """
    if own.is_whole():
        raise own.without_partitions()
    with ExitStack() as stack:
        schema, frames = stack.enter_context(batches_of(context, obj))
        parts = _parts(context, (schema, frames), own, stack)
        alone = one_at_a_time(own.files, own.whole, context.log) if policy == "sync" else nullcontext()
        confirm = stack.enter_context(alone)
        stored = tables.known(own.partitions())
        joint = joint_schema(file.schema for file in stored.values()) if stored else None
        fit = fitting(joint, schema, policy, own.key)
        if fit.rewrites:
            parts = {**{path: tables.stored([path], None, {}, own.key).batches(None) for path in stored}, **parts}
        places = stack.enter_context(own.files.staging_many(parts, beside=own.whole, confirm=confirm))
        staged = {
            path: tables.write_locally((fit.schema, _fitted(part, fit)), places[path], own.key) for path, part in parts.items()
        }
        yield staged
        for path, written in staged.items():
            tables.notes.remember(path, written.note, beside=own.whole)


def _fitted(frames: Iterator[pl.DataFrame], fit: Fitting) -> Iterator[pl.DataFrame]:
    for frame in frames:
        yield frame if fit.fits(frame.schema) else fit.fitted(frame.lazy()).collect()


def _parts(context: OutputContext, batches: Batches, own: AssetFiles, stack: ExitStack) -> Mapping[str, Iterator[pl.DataFrame]]:
    """The rows of each partition, by the path of its file; a single one may leave it open which column tells them."""
    key, paths, metadata = own.key, own.meant(context), context.definition_metadata
    if len(paths) == 1 and PARTITION_EXPR not in metadata:
        return dict.fromkeys(paths.values(), iter(batches[1]))

    def filters(*keys: str) -> Any:
        return partition_filters(key, metadata, context.partitions_def, keys)

    schema, frames = batches
    meant = filters(*paths)

    def judged() -> Iterator[pl.DataFrame]:
        for frame in frames:
            refuse_outside(frame.lazy(), meant, key, list(paths))
            yield frame

    rows_of(meant, schema, key)  # or a frame without rows would not be judged
    if len(paths) == 1:
        return dict.fromkeys(paths.values(), judged())
    written = stack.enter_context(own.files.scratch(own.whole))  # what is read once goes to several files
    with open(written, "wb") as target:
        FORMATS["arrow"].write(schema, judged(), target, key)
    frame = pl.scan_ipc(written, glob=False)
    each = {path: frame.filter(rows_of(filters(one), schema, key)) for one, path in paths.items()}
    return {path: rows.collect_batches(chunk_size=BATCH_ROWS, lazy=True) for path, rows in each.items()}
