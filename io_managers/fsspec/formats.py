"""Formats of files that keep a table: Arrow IPC, CSV, and JSON by lines; each written and read a batch at a time."""

from __future__ import annotations

import csv
import io
import json
from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, BinaryIO, ClassVar

import polars as pl
import pyarrow as pa
import pyarrow.csv as pa_csv

from io_managers.arrow_files import readable_by_arrow
from io_managers.fsspec.text_columns import PlainColumn, not_finite, plain_column
from warehouse_assets.errors import UnsupportedTypeError
from warehouse_assets.keys import AssetKey

__all__ = ["FORMATS", "FileFormat", "TableFile"]

BATCH_ROWS = 100_000
CHUNK_BYTES = 1 << 23  # of text that is read and parsed at a time


@dataclass(frozen=True, slots=True)
class TableFile:
    """What is known of a file: its columns, its rows (None: not yet counted), and what its text leaves open.

    A row has up to `longest` bytes; the numbers of the columns `mixed` are text where JSON has no number for them.
    """

    schema: pl.Schema
    rows: int | None = None
    longest: int = 0
    mixed: tuple[str, ...] = ()


class FileFormat(ABC):
    """How a table becomes a file, and a file a table.

    A format that `says_types` keeps the columns in the file itself; what else there is to know has to be remembered for others.
    """

    suffix: ClassVar[str]
    says_types: ClassVar[bool] = False

    @abstractmethod
    def write(self, schema: pl.Schema, frames: Iterable[pl.DataFrame], target: BinaryIO, key: AssetKey) -> TableFile:
        """Write the rows of asset `key`; UnsupportedTypeError, before anything is published, for what cannot be said."""

    @abstractmethod
    def read(self, source: BinaryIO, file: TableFile, columns: Sequence[str] | None, key: AssetKey) -> Iterator[pl.DataFrame]:
        """The rows, of these columns, a batch at a time; none for a file without rows."""

    @abstractmethod
    def described(self, source: BinaryIO, known: pl.Schema) -> TableFile:
        """What the file says of itself; columns of `known` names have their types."""


class ArrowFormat(FileFormat):
    """Arrow's file format, which other tools call Feather: any type, compressed, read as fast as memory allows."""

    suffix = ".arrow"
    says_types = True

    def write(self, schema: pl.Schema, frames: Iterable[pl.DataFrame], target: BinaryIO, key: AssetKey) -> TableFile:
        from polars.io.plugins import register_io_source

        rows = 0

        def counted(*_: Any) -> Iterator[pl.DataFrame]:
            nonlocal rows
            for frame in frames:
                rows += frame.height
                yield frame

        # by way of polars, which knows all categories of a column as it writes the first of them
        register_io_source(counted, schema=schema).sink_ipc(target, compression="lz4", record_batch_size=BATCH_ROWS)
        return TableFile(schema, rows)

    def read(self, source: BinaryIO, file: TableFile, columns: Sequence[str] | None, key: AssetKey) -> Iterator[pl.DataFrame]:
        names = file.schema.names() if columns is None else list(columns)
        dtypes = pl.Schema({name: file.schema[name] for name in names})
        if any(_is_wide(dtype) for dtype in dtypes.values()):  # only polars reads them
            yield from pl.scan_ipc(source).select(names).collect_batches(chunk_size=BATCH_ROWS)
            return
        positions = {name: number for number, name in enumerate(file.schema)}
        options = pa.ipc.IpcReadOptions(included_fields=[positions[name] for name in names])
        with pa.ipc.open_file(source, options=options) as reader:  # type: ignore[arg-type]
            for number in range(reader.num_record_batches):
                yield pl.DataFrame(reader.get_batch(number)).select(names).cast(dtypes)

    def described(self, source: BinaryIO, known: pl.Schema) -> TableFile:
        schema = pl.Schema(pl.read_ipc_schema(source))
        source.seek(0)
        if any(map(_is_wide, schema.values())):
            return TableFile(schema, pl.scan_ipc(source).select(pl.len()).collect().item())
        with pa.ipc.open_file(source) as reader:  # type: ignore[arg-type]
            return TableFile(schema, reader.count_rows())  # type: ignore[attr-defined]


class TextFormat(FileFormat):
    """A format whose text has numbers, truth values and text only; other types are turned into those, and back."""

    @abstractmethod
    def columns(self, schema: pl.Schema, key: AssetKey) -> dict[str, PlainColumn]:
        """How the text says each column."""

    @abstractmethod
    def write_batch(self, frame: pl.DataFrame, target: BinaryIO) -> None:
        """Write rows of plain columns."""

    @abstractmethod
    def read_plain(self, source: BinaryIO, plain: pl.Schema, file: TableFile) -> Iterator[pl.DataFrame]:
        """The rows, with at least these columns, by these types."""

    def mixed(self, frame: pl.DataFrame, key: AssetKey) -> list[str]:
        """The columns of numbers, some of which are no number here; UnsupportedTypeError where they cannot be said."""
        return []

    def write(self, schema: pl.Schema, frames: Iterable[pl.DataFrame], target: BinaryIO, key: AssetKey) -> TableFile:
        if not schema:
            raise UnsupportedTypeError(
                f"asset {key.to_user_string()!r} returned a frame without columns, which no text says",
                hint="Return one with columns, or keep the asset in another format.",
            )
        plain = self.columns(schema, key)
        lowered = [column.lower(pl.col(name)).alias(name) for name, column in plain.items()]
        texts = [name for name, column in plain.items() if column.plain == pl.String]
        self.begin(pl.DataFrame(schema={name: column.plain for name, column in plain.items()}), target)
        rows = longest = 0
        mixed: dict[str, None] = {}
        for frame in frames:
            if not frame.height:
                continue
            spoken = self.mixed(frame, key)
            mixed |= dict.fromkeys(spoken)
            lines = frame.select(lowered).with_columns(pl.col(spoken).cast(pl.String))
            longest = max(longest, sum(lines.select(pl.col(texts).str.len_bytes().max()).fill_null(0).row(0)) if texts else 0)
            rows += lines.height
            self.write_batch(lines, target)
        return TableFile(schema, rows, longest, tuple(mixed))

    def begin(self, plain: pl.DataFrame, target: BinaryIO) -> None:
        """Write what comes before the rows."""

    def read(self, source: BinaryIO, file: TableFile, columns: Sequence[str] | None, key: AssetKey) -> Iterator[pl.DataFrame]:
        schema = file.schema if columns is None else pl.Schema({name: file.schema[name] for name in columns})
        plain = self.columns(schema, key)
        types = pl.Schema({name: pl.String() if name in file.mixed else column.plain for name, column in plain.items()})
        restored = [
            column.restore(pl.col(name).cast(column.plain) if name in file.mixed else pl.col(name)).alias(name)
            for name, column in plain.items()
        ]
        for frame in self.read_plain(source, types, file):
            yield frame.select(restored)


class CsvFormat(TextFormat):
    """Text with commas and a header. Text is in quotes, and a value that is missing is nothing between the commas."""

    suffix = ".csv"

    def columns(self, schema: pl.Schema, key: AssetKey) -> dict[str, PlainColumn]:
        plain = {name: plain_column(name, dtype, key) for name, dtype in schema.items()}
        return {name: column.as_json(schema[name]) if column.is_nested else column for name, column in plain.items()}

    def begin(self, plain: pl.DataFrame, target: BinaryIO) -> None:
        plain.write_csv(target, quote_style="non_numeric")

    def mixed(self, frame: pl.DataFrame, key: AssetKey) -> list[str]:
        refuse_not_finite(frame, key, [name for name, dtype in frame.schema.items() if dtype.is_nested()])
        return []

    def write_batch(self, frame: pl.DataFrame, target: BinaryIO) -> None:
        frame.write_csv(target, include_header=False, quote_style="non_numeric")

    def read_plain(self, source: BinaryIO, plain: pl.Schema, file: TableFile) -> Iterator[pl.DataFrame]:
        with self._opened(source, plain, list(plain), file.longest) as reader:
            for batch in reader:
                yield pl.DataFrame(batch).cast(plain)

    def described(self, source: BinaryIO, known: pl.Schema) -> TableFile:
        names = set(next(csv.reader(io.TextIOWrapper(io.BufferedReader(_Kept(source)), "utf-8", newline="")), ()))
        source.seek(0)
        if not names:
            return TableFile(pl.Schema())
        plain = {name: column for name, column in self.columns(known, AssetKey("known")).items() if name in names}
        with self._opened(source, {name: column.plain for name, column in plain.items()}, None, 0) as reader:
            found = pl.Schema(reader.schema)
        return TableFile(pl.Schema({name: known[name] if name in plain else dtype for name, dtype in found.items()}))

    @contextmanager
    def _opened(
        self, source: BinaryIO, plain: Any, columns: list[str] | None, longest: int
    ) -> Iterator[pa_csv.CSVStreamingReader]:
        read = pa_csv.ReadOptions(block_size=max(CHUNK_BYTES, 4 * longest))
        parse = pa_csv.ParseOptions(newlines_in_values=True, ignore_empty_lines=False)
        convert = pa_csv.ConvertOptions(
            column_types=pl.DataFrame(schema=plain).to_arrow(compat_level=pl.CompatLevel.oldest()).schema,
            include_columns=columns,
            null_values=[""],
            strings_can_be_null=True,
            quoted_strings_can_be_null=False,
        )
        with readable_by_arrow(source) as file, pa_csv.open_csv(file, read, parse, convert) as reader:
            yield reader


class JsonFormat(TextFormat):
    """A JSON object on each line; what is NaN or infinite, for which JSON has no number, is text."""

    suffix = ".ndjson"

    def columns(self, schema: pl.Schema, key: AssetKey) -> dict[str, PlainColumn]:
        return {name: plain_column(name, dtype, key) for name, dtype in schema.items()}

    def mixed(self, frame: pl.DataFrame, key: AssetKey) -> list[str]:
        refuse_not_finite(frame, key, [name for name, dtype in frame.schema.items() if dtype.is_nested()])
        return _not_finite_columns(frame, [name for name, dtype in frame.schema.items() if dtype.is_float()])

    def write_batch(self, frame: pl.DataFrame, target: BinaryIO) -> None:
        frame.write_ndjson(target)

    def read_plain(self, source: BinaryIO, plain: pl.Schema, file: TableFile) -> Iterator[pl.DataFrame]:
        for lines in _lines(source):
            yield pl.read_ndjson(lines, schema=plain)

    def described(self, source: BinaryIO, known: pl.Schema) -> TableFile:
        lines = next(_lines(source), b"")
        if not lines.strip():
            return TableFile(known)
        found = pl.read_ndjson(lines, infer_schema_length=None).schema
        first = json.loads(lines.partition(b"\n")[0])
        names = [name for name in dict.fromkeys([*known, *first, *found]) if name in found]  # which come in any order
        return TableFile(pl.Schema({name: known.get(name, found[name]) for name in names}))


def _lines(source: BinaryIO) -> Iterator[bytes]:
    """The file, some whole lines at a time."""
    begun = b""
    while chunk := source.read(CHUNK_BYTES):
        head, newline, tail = chunk.rpartition(b"\n")
        if newline:
            yield begun + head + newline
            begun = tail
        else:
            begun += tail
    if begun:
        yield begun


def _not_finite_columns(frame: pl.DataFrame, names: Sequence[str]) -> list[str]:
    tests = {name: not_finite(pl.col(name), frame.schema[name]) for name in names}
    found = frame.select(test.alias(name) for name, test in tests.items() if test is not None)
    return [name for name, is_so in zip(found.columns, found.row(0) if found.width else (), strict=True) if is_so]


def refuse_not_finite(frame: pl.DataFrame, key: AssetKey, names: Sequence[str]) -> None:
    """Raise UnsupportedTypeError where these columns have a NaN or an infinity, which JSON cannot say."""
    for name in _not_finite_columns(frame, names):
        raise UnsupportedTypeError(
            f"the column {name!r} of asset {key.to_user_string()!r} has a NaN or an infinity in its lists or structs, which JSON cannot say",
            hint="Make it null, or keep the asset in another format.",
        )


def _is_wide(dtype: Any) -> bool:
    """Whether a type has integers of 128 bits in it, which Arrow's own readers do not know."""
    if dtype in (pl.Int128, pl.UInt128):
        return True
    if isinstance(dtype, (pl.List, pl.Array)):
        return _is_wide(dtype.inner)
    return isinstance(dtype, pl.Struct) and any(_is_wide(field.dtype) for field in dtype.fields)


class _Kept(io.RawIOBase):
    """A file that stays open when what reads it is closed."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        data = self._file.read(len(buffer))
        buffer[: len(data)] = data
        return len(data)


FORMATS: dict[str, FileFormat] = {"arrow": ArrowFormat(), "csv": CsvFormat(), "ndjson": JsonFormat()}
