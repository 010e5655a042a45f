"""Parquet files elsewhere: only the columns and row groups that are wanted, and never half of a file and half of its successor."""

from __future__ import annotations

import os
from bisect import bisect_right
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from itertools import accumulate
from typing import TYPE_CHECKING, Any

from io_managers.cloud import ReplacedError, reaching, unreachable
from io_managers.deferred import Deferred
from io_managers.files import Files, Stamp
from io_managers.frames import BATCH_ROWS

if TYPE_CHECKING:
    import polars as pl
    import pyarrow as pa
    import pyarrow.parquet as pq
else:
    pl = Deferred("polars")
    pa = Deferred("pyarrow")
    pq = Deferred("pyarrow.parquet")

__all__ = ["RemoteParquet"]


@dataclass(slots=True)
class RemoteParquet:
    """Some files as one table: read by polars itself where it knows the store, else by way of fsspec and pyarrow.

    `schema` are the columns, of which a file may lack some; None: those of the one file.
    """

    files: Files
    paths: list[str]
    schema: pl.Schema | None = None
    _stamps: Mapping[str, Stamp] = field(default_factory=dict)
    _frame: pl.LazyFrame | None = None
    _is_own: bool = False

    def footer(self) -> tuple[int, pl.Schema]:
        """The rows and the columns of the one file, from its end."""
        self._look()
        assert self.schema is not None
        with self._failing():
            if self._frame is not None:
                return self._frame.select(pl.len()).collect().item(), self.schema
            return self._rows_of(self.paths[0]), self.schema

    def scan(self, *, at_once: bool = False) -> pl.LazyFrame:
        """The table as a LazyFrame, which reads what it needs each time that it is collected; the first time perhaps `at_once`."""
        from polars.io.plugins import register_io_source

        if not self._stamps:
            self._look()

        def read(
            columns: list[str] | None, predicate: pl.Expr | None, rows: int | None, size: int | None
        ) -> Iterator[pl.DataFrame]:
            if not at_once and self._current() != self._stamps:
                self._look()
            with self._failing():
                yield from (
                    self._natively(columns, predicate, rows)
                    if self._frame is not None
                    else self._through_fsspec(columns, predicate, rows)
                )
            self._refuse_replaced()

        return register_io_source(read, schema=self.schema or pl.Schema())

    @property
    def _uri(self) -> str:
        return self.files.uri(self.paths[0])

    def _look(self) -> None:
        """Find out of which state the files are, and which columns the one file has."""
        self._stamps = self._current()
        store = self.files.native
        if store is not None:
            given: Any = {} if self.schema is None or self._is_own else {"schema": self.schema, "missing_columns": "insert"}
            self._frame = pl.scan_parquet(
                store.uris(self.paths), glob=False, hive_partitioning=False, **store.arguments, **given
            )
        if self.schema is None or self._is_own:
            with self._failing():
                found = self._frame.collect_schema() if self._frame is not None else self._schema_of(self.paths[0])
            if self.schema not in (None, found):
                raise ReplacedError(f"{self._uri} was replaced by a file with other columns", hint="Load it again.")
            self.schema, self._is_own = found, True

    def _current(self) -> Mapping[str, Stamp]:
        if len(self.paths) > 1:
            found = self.files.found(os.path.commonpath(self.paths), "")
            return {path: found.get(path, (0, "")) for path in self.paths}
        return {path: self.files.stamp(path) or (0, "") for path in self.paths}

    def _refuse_replaced(self) -> None:
        if self._current() != self._stamps:
            raise ReplacedError.of(self._uri)

    @contextmanager
    def _failing(self) -> Iterator[None]:
        """Tell a file that was replaced, and a store that fails, from faults of what was asked."""
        try:
            with reaching(self._uri):
                yield
        except FileNotFoundError:
            raise FileNotFoundError(self._uri) from None
        except Exception as error:
            self._refuse_replaced()
            if "object-store" in str(error):
                raise unreachable(self._uri, error) from None
            raise

    def _natively(self, columns: Sequence[str] | None, predicate: pl.Expr | None, rows: int | None) -> Iterator[pl.DataFrame]:
        assert self._frame is not None
        frame = self._frame if columns is None else self._frame.select(columns)
        frame = frame if predicate is None else frame.filter(predicate)
        yield from (frame if rows is None else frame.head(rows)).collect_batches(chunk_size=BATCH_ROWS, lazy=True)

    def _through_fsspec(
        self, columns: Sequence[str] | None, predicate: pl.Expr | None, rows: int | None
    ) -> Iterator[pl.DataFrame]:
        assert self.schema is not None
        names = list(self.schema) if columns is None else list(columns)
        for path in self.paths:
            for batch in self._batches_of(path, names, predicate):
                frame = self._filled(batch, names)
                frame = frame if predicate is None else frame.filter(predicate)
                yield frame if rows is None else frame.head(rows)
                if rows is not None and (rows := rows - frame.height) <= 0:
                    return

    def _filled(self, batch: pl.DataFrame, names: Sequence[str]) -> pl.DataFrame:
        """The columns of the table, of a batch of a file that may lack some."""
        assert self.schema is not None
        return batch.select(
            (pl.col(name) if name in batch.columns else pl.lit(None)).cast(self.schema[name]).alias(name) for name in names
        )

    def _batches_of(self, path: str, names: Sequence[str], predicate: pl.Expr | None) -> Iterator[pl.DataFrame]:
        with closing(self.files.open(path, in_parts=True)) as source:
            try:
                file = pq.ParquetFile(source, pre_buffer=True)
            except pa.ArrowNotImplementedError:  # 128-bit integers, which only polars reads, and of a whole file
                source.seek(0)
                yield pl.read_parquet(source)
                return
            known = [name for name in names if name in file.schema_arrow.names]
            for batch in file.iter_batches(BATCH_ROWS, self._groups(file, names, predicate), known):
                yield pl.DataFrame(batch.select(known))

    def _groups(self, file: pq.ParquetFile, names: Sequence[str], predicate: pl.Expr | None) -> list[int]:
        """The row groups in which a row may fulfil the condition: those in which one does, by the columns that it looks at."""
        judged = [] if predicate is None else list(dict.fromkeys(predicate.meta.root_names()))
        known = [name for name in judged if name in file.schema_arrow.names]
        if predicate is None or not known or file.num_row_groups < 2 or len(judged) == len(names):
            return [*range(file.num_row_groups)]
        ends = [*accumulate(file.metadata.row_group(group).num_rows for group in range(file.num_row_groups))]
        found: set[int] = set()
        start = 0
        for batch in file.iter_batches(BATCH_ROWS, columns=known):
            holds = self._filled(pl.DataFrame(batch.select(known)), judged).select(predicate).to_series()
            found.update(bisect_right(ends, start + row) for row in holds.arg_true())
            start += batch.num_rows
        return sorted(found)

    def _schema_of(self, path: str) -> pl.Schema:
        with closing(self.files.open(path, in_parts=True)) as source:
            try:
                return pl.Schema(pq.read_schema(source))
            except pa.ArrowNotImplementedError:
                source.seek(0)
                return pl.Schema(pl.read_parquet_schema(source))

    def _rows_of(self, path: str) -> int:
        with closing(self.files.open(path, in_parts=True)) as source:
            try:
                return pq.read_metadata(source).num_rows
            except pa.ArrowNotImplementedError:
                source.seek(0)
                return pl.scan_parquet(source).select(pl.len()).collect().item()  # type: ignore[no-any-return]
