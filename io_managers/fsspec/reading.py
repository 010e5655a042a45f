"""The files of one format, as tables: what is known of each, and several of them as one."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import nullcontext
from dataclasses import dataclass, field, replace
from typing import Any, BinaryIO

import polars as pl

from io_managers.column_fitting import Fitting
from io_managers.engine import closing_with
from io_managers.files import Files, Stamp
from io_managers.frames import FrameType, Stream, from_reader
from io_managers.fsspec.formats import FileFormat, TableFile
from io_managers.fsspec.frame_batches import Batches
from io_managers.fsspec.notes import FileNotes, Measured, Note
from warehouse_assets.errors import SchemaChangedError
from warehouse_assets.keys import AssetKey

__all__ = ["Staged", "StoredTable", "TableFiles"]

READERS = 16  # threads

_NOTHING: Mapping[str, Any] = {}


@dataclass(frozen=True, slots=True)
class Staged:
    """A file that was written and is not yet in its place: what is to be remembered of it, and where it is, if it is local."""

    note: Note
    path: str = ""


@dataclass(frozen=True, slots=True)
class Opened:
    """A file that is open, what it is, and what tells it from its successor, if that may come while it is read."""

    file: TableFile
    source: BinaryIO
    stamp: Stamp | None = None


class TableFiles:
    """The files of one I/O manager in one format. What was found out of a file is kept as long as it stays the same."""

    def __init__(self, files: Files, form: FileFormat) -> None:
        self.files = files
        self.form = form
        self.notes = FileNotes(files, form)
        self._known: dict[str, tuple[Stamp, TableFile]] = {}

    def write(self, batches: Batches, target: str | BinaryIO, key: AssetKey) -> Staged:
        """Write rows to an open file."""
        assert not isinstance(target, str)
        measured: Any = Measured(target)
        file = self.form.write(*batches, measured, key)
        return Staged(Note(measured.bytes, measured.checksum, file))

    def write_locally(self, batches: Batches, path: str, key: AssetKey) -> Staged:
        """Write rows to a local file."""
        with open(path, "wb") as target:
            return replace(self.write(batches, target, key), path=path)

    def known(self, found: Mapping[str, Stamp], staged: Mapping[str, Staged] = _NOTHING) -> dict[str, TableFile]:
        """What is known of these files, without those that were removed meanwhile."""
        new = [path for path, stamp in found.items() if path not in staged and self._known.get(path, (None,))[0] != stamp]
        if new:
            with ThreadPoolExecutor(min(READERS, len(new))) as threads:
                for path, file in zip(new, threads.map(self._described, new), strict=True):
                    if file is None:
                        self._known.pop(path, None)
                    else:
                        self._known[path] = (found[path], file)
        stored = {path: known[1] for path in found if path not in staged and (known := self._known.get(path))}
        return dict(sorted({**stored, **{path: staged[path].note.file for path in staged if path in found}}.items()))

    def counted(self, known: Mapping[str, TableFile], key: AssetKey) -> dict[str, TableFile]:
        """The same with their rows counted, where nobody did."""
        return {path: file if file.rows is not None else self._counted(path, file, key) for path, file in known.items()}

    def stored(
        self, paths: Sequence[str], schema: pl.Schema | None, staged: Mapping[str, Staged], key: AssetKey
    ) -> StoredTable:
        """Files as one table; without a `schema` there is one file, which has its own."""
        if schema is not None:
            return StoredTable(self, paths, schema, staged, key)
        opened = self.opened(paths[0], staged)
        return closing_with(StoredTable(self, paths, opened.file.schema, staged, key, opened), opened.source.close)

    def opened(self, path: str, staged: Mapping[str, Staged]) -> Opened:
        """A file, open to be read."""
        if path in staged:
            return Opened(staged[path].note.file, open(staged[path].path, "rb"))
        stamp = None if self.files.is_local else self.files.stamp(path)
        with self.files.unchanged(path, stamp):
            source = self.files.open(path, in_parts=self.form.says_types)
            return Opened(self.notes.describe(path, source), source, stamp)

    def _described(self, path: str) -> TableFile | None:
        try:
            opened = self.opened(path, _NOTHING)
        except FileNotFoundError:
            return None
        opened.source.close()
        return opened.file

    def _counted(self, path: str, file: TableFile, key: AssetKey) -> TableFile:
        with self.files.open(path) as source:
            columns = None if self.form.says_types else list(file.schema)[:1]
            counted = replace(file, rows=sum(frame.height for frame in self.form.read(source, file, columns, key)))
        self._known[path] = (self._known[path][0], counted)
        return counted


@dataclass(frozen=True, slots=True, weakref_slot=True)
class StoredTable:
    """Some files as one table with the columns `schema`, of which a file may lack some; or one that is `open`, which lacks none."""

    tables: TableFiles
    paths: Sequence[str]
    schema: pl.Schema
    staged: Mapping[str, Staged] = field(default_factory=dict)
    key: AssetKey = AssetKey("table")  # noqa: RUF009
    open: Opened | None = None

    def read(self, kind: FrameType, columns: list[str] | None) -> Any:
        """The table, of these columns, as a frame of this kind."""
        if kind is FrameType.POLARS or (kind is FrameType.LAZY and self.staged):  # what is staged moves away
            frame = self._whole(columns)
            return frame if kind is FrameType.POLARS else frame.lazy()
        if kind is FrameType.LAZY:
            return self._scan(columns, self._batches_later)
        reader = Stream.of(self._scan(columns, self.batches), self.key).reader()
        return from_reader(reader, kind)

    def batches(self, columns: Sequence[str] | None) -> Iterator[pl.DataFrame]:
        """The rows, some at a time."""
        schema = self.schema if columns is None else pl.Schema({name: self.schema[name] for name in columns})
        fitting = Fitting(schema)
        for path in self.paths:
            opened = self.open or self.tables.opened(path, self.staged)
            names = [name for name in schema if name in opened.file.schema]
            steady = nullcontext() if opened.stamp is None else self.tables.files.unchanged(path, opened.stamp)
            with opened.source as source, steady:
                for frame in self.tables.form.read(source, opened.file, names, self.key):
                    yield frame if fitting.fits(frame.schema) else fitting.fitted(frame.lazy()).collect()

    def _batches_later(self, columns: Sequence[str] | None) -> Iterator[pl.DataFrame]:
        """The rows of a file that may have been replaced since its columns were told."""
        if self.open is None:
            return self.batches(columns)
        opened = self.tables.opened(self.paths[0], {})
        if opened.file.schema != self.schema:
            raise SchemaChangedError(
                f"the table of asset {self.key.to_user_string()!r} got other columns after it was asked for",
                hint="Load it again.",
            )
        return closing_with(replace(self, open=opened), opened.source.close).batches(columns)

    def _whole(self, columns: list[str] | None) -> pl.DataFrame:
        schema = self.schema if columns is None else {name: self.schema[name] for name in columns}
        return pl.concat([pl.DataFrame(schema=schema), *self.batches(columns)])

    def _scan(
        self, columns: list[str] | None, batches: Callable[[Sequence[str] | None], Iterator[pl.DataFrame]]
    ) -> pl.LazyFrame:
        from polars.io.plugins import register_io_source

        def read(
            names: list[str] | None, predicate: pl.Expr | None, rows: int | None, size: int | None
        ) -> Iterator[pl.DataFrame]:
            for frame in batches(names):
                part = frame if predicate is None else frame.filter(predicate)
                yield part if rows is None else part.head(rows)
                if rows is not None and (rows := rows - part.height) <= 0:
                    return

        lazy = register_io_source(read, schema=self.schema)
        return lazy if columns is None else lazy.select(columns)
