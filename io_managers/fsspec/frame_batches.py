"""Any frame, or the answer to SQL, as polars frames of some rows each, of which no more than a few are in memory."""

from __future__ import annotations

from collections.abc import Generator, Iterable, Iterator, Sequence
from contextlib import closing, contextmanager
from typing import Any, TypeAlias

import polars as pl

from io_managers import engine
from io_managers.database import in_memory
from io_managers.engine_types import Column
from io_managers.frames import BATCH_ROWS, Stream, is_lazy, is_polars
from warehouse_assets.errors import SchemaChangedError, close_matches
from warehouse_assets.io_manager import OutputContext
from warehouse_assets.keys import AssetKey
from warehouse_assets.sql import SQL

__all__ = ["Batches", "batches_of"]

Batches: TypeAlias = tuple[pl.Schema, Iterable[pl.DataFrame]]
"""The columns, and the rows a batch at a time, to be read once."""


@contextmanager
def batches_of(context: OutputContext, obj: Any) -> Generator[Batches]:
    """The rows of what an asset returned, sorted as it says, inside the block; UnsupportedTypeError for a value that is no table."""
    by = context.table_options.sort_by
    with _batches(context, obj) as (schema, frames):
        yield schema, _sorted(schema, frames, by, context.asset_key) if by else frames


def _sorted(schema: pl.Schema, frames: Iterable[pl.DataFrame], by: Sequence[str], key: AssetKey) -> Iterable[pl.DataFrame]:
    from polars.io.plugins import register_io_source

    for column in by:
        if column not in schema:
            raise SchemaChangedError(
                f"asset {key.to_user_string()!r} is sorted by {column!r}, and its rows have no such column",
                hint=close_matches(column, schema.names()),
            )
    rows = register_io_source(lambda *_: iter(frames), schema=schema)
    return rows.sort(by, maintain_order=True, nulls_last=True).collect_batches(chunk_size=BATCH_ROWS, lazy=True)


@contextmanager
def _batches(context: OutputContext, obj: Any) -> Iterator[Batches]:
    if isinstance(obj, SQL):
        with _answer(context, obj) as found:
            yield found
    elif is_lazy(obj):
        yield obj.collect_schema(), obj.collect_batches(chunk_size=BATCH_ROWS, lazy=True)
    elif is_polars(obj, "DataFrame"):
        yield obj.schema, [obj]
    else:
        stream = Stream.of(obj, context.asset_key)
        schema = pl.Schema(stream.schema)
        yield schema, (pl.DataFrame(batch).cast(schema) for batch in stream)


@contextmanager
def _answer(context: OutputContext, sql: SQL) -> Iterator[Batches]:
    with (
        closing(in_memory()) as connection,
        engine.bound(sql, context.sources, connection, asset_key=context.asset_key) as (text, parameters),
    ):
        relation = connection.sql(text, params=parameters)
        kinds = zip(relation.columns, map(str, relation.types), strict=True)
        columns = [Column.of(name, kind, None, polars=True) for name, kind in kinds]
        with relation.project(", ".join(column.sql for column in columns)).to_arrow_reader(BATCH_ROWS) as reader:
            casts = [column.expression for column in columns if column.casts]
            schema = pl.DataFrame(schema=pl.Schema(reader.schema)).with_columns(casts).schema
            yield schema, (pl.DataFrame(batch).with_columns(casts).cast(schema) for batch in reader)
