"""Reading tables of a SQL database: what is asked for as a query, and its rows as a frame."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, closing
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import polars as pl

from io_managers.engine import owned_reader
from io_managers.frames import FrameType, Stream, from_reader
from io_managers.sqlalchemy.conditions import condition
from io_managers.sqlalchemy.sql import condition_in
from io_managers.sqlalchemy.types import Kind, default_dtype, restored
from io_managers.table import check_columns
from warehouse_assets.io_manager import InputContext
from warehouse_assets.keys import AssetKey
from warehouse_assets.tables import PartitionFilter, TableName, TableSlice

if TYPE_CHECKING:
    import pyarrow as pa

    from io_managers.sqlalchemy.dialect import Dialect, Session
    from io_managers.sqlalchemy.writing import Columns

__all__ = ["Selection", "lazy_frame", "reader_of", "whole_frame"]


@dataclass(frozen=True)
class Selection:
    """Columns, by their kinds and their polars types, of rows: what follows FROM, with its parameters, and no more than `limit`."""

    dialect: Dialect
    key: AssetKey
    kinds: Mapping[str, Kind]
    dtypes: Mapping[str, pl.DataType]
    rows: str
    parameters: Mapping[str, Any]
    limit: int | None = None

    @classmethod
    def of(cls, dialect: Dialect, columns: Columns, context: InputContext, table: TableSlice, stored: TableName) -> Selection:
        """The part of the table `stored` that is asked for."""
        check_columns(context, table.columns, list(columns.types))
        names = table.columns if table.columns is not None else tuple(columns.types)
        rows, parameters = cls.rows_of(dialect, columns, context.asset_key, table.partitions, stored)
        if table.where is not None:
            rows = f"{rows}{' as query' if rows.startswith('(') else ''} where {condition_in(table.where, context.asset_key, dialect)}"
        elif rows.startswith("("):
            rows += " as query"
        return cls(
            dialect,
            context.asset_key,
            {name: columns.kinds[name] for name in names},
            {name: columns.dtypes[name] for name in names},
            rows,
            parameters,
            table.limit,
        )

    @classmethod
    def of_query(
        cls, dialect: Dialect, session: Session, types: Mapping[str, str], query: str, parameters: Mapping[str, Any]
    ) -> Selection:
        """All rows of a query whose columns have these types."""
        rows = f"(\n{query}\n) as query"
        kinds = dialect.stored_kinds(session, rows, types, parameters)
        dtypes = {name: default_dtype(kind) for name, kind in kinds.items()}
        return cls(dialect, AssetKey("query"), kinds, dtypes, rows, parameters)

    @staticmethod
    def rows_of(
        dialect: Dialect, columns: Columns, key: AssetKey, partitions: tuple[PartitionFilter, ...] | None, stored: TableName
    ) -> tuple[str, Mapping[str, Any]]:
        """What to select from, for some partitions of a table, and its parameters."""
        full = dialect.full(stored)
        if partitions is None:
            return full, {}
        holds = condition(dialect, partitions, columns.kinds, key)
        return f"(select * from {full} where {holds.sql})", holds.parameters

    @property
    def sql(self) -> str:
        """The query."""
        columns = ", ".join(
            f"{self.dialect.reading(name, kind)} as {self.dialect.quote(name)}" for name, kind in self.kinds.items()
        )
        return self.dialect.limited(f"select {columns or '1'} from {self.rows}", self.limit)

    def frames(self, session: Session) -> Iterator[pl.DataFrame]:
        """The rows, a batch at a time."""
        for frame in session.stream(self.sql, self.parameters, self.kinds):
            yield restored(frame, self.kinds, self.dtypes)

    def narrowed(self, columns: list[str] | None, limit: int | None) -> Selection:
        """The same with some of the columns, and fewer rows."""
        limits = [each for each in (self.limit, limit) if each is not None]
        names = list(self.kinds) if columns is None else columns
        return replace(
            self,
            kinds={name: self.kinds[name] for name in names},
            dtypes={name: self.dtypes[name] for name in names},
            limit=min(limits, default=None),
        )


def whole_frame(selection: Selection, frames: Iterator[pl.DataFrame], kind: FrameType) -> Any:
    """All rows as a frame that needs the database no longer."""
    whole = pl.concat([pl.DataFrame(schema=dict(selection.dtypes)), *frames])
    if kind is FrameType.POLARS:
        return whole
    return whole.lazy() if kind is FrameType.LAZY else from_reader(Stream.of(whole, selection.key).reader(), kind)


def lazy_frame(
    selection: Selection, opened: Callable[[], Session], errors: Callable[[], AbstractContextManager[None]]
) -> pl.LazyFrame:
    """A frame that reads when it is computed: the columns it needs, and no more rows."""
    from polars.io.plugins import register_io_source

    def source(
        with_columns: list[str] | None, predicate: pl.Expr | None, n_rows: int | None, batch_size: int | None
    ) -> Iterator[pl.DataFrame]:
        narrowed = selection.narrowed(with_columns, n_rows if predicate is None else None)
        left = n_rows
        with errors(), closing(opened()) as session:
            for frame in narrowed.frames(session):
                found = frame if predicate is None else frame.filter(predicate)
                found = found if left is None else found.head(left)
                left = None if left is None else left - found.height
                yield found
                if left == 0:
                    return

    return register_io_source(source, schema=pl.Schema(selection.dtypes), is_pure=False)


def reader_of(selection: Selection, frames: Iterator[pl.DataFrame], close: Callable[[], Any]) -> pa.RecordBatchReader:
    """The rows as a stream, with `close` called at its end, or when it is dropped."""
    import pyarrow as pa

    schema = Stream.of(pl.DataFrame(schema=dict(selection.dtypes)), selection.key).schema

    def batches() -> Iterator[pa.RecordBatch]:
        for frame in frames:
            yield from Stream.of(frame, selection.key)

    def end() -> None:
        getattr(frames, "close", lambda: None)()  # before the session, whose cursor they hold
        close()

    return owned_reader(pa.RecordBatchReader.from_batches(schema, batches()), end)
