"""The two ways of rows to PostgreSQL and back: COPY through psycopg, and ADBC, which is faster and takes longer to load."""

from __future__ import annotations

import functools
from collections.abc import Iterable, Iterator, Mapping
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

import polars as pl
import pyarrow as pa

from io_managers.arrow_files import readable_by_arrow
from io_managers.sqlalchemy.dialect import PARAMETER, CursorSession, Session
from io_managers.sqlalchemy.engines import libpq_uri
from io_managers.sqlalchemy.types import Kind
from warehouse_assets.tables import TableName

if TYPE_CHECKING:
    from io_managers.sqlalchemy.dialect import Dialect

__all__ = ["ADBCSession", "CopySession", "has_adbc"]

PIECE_ROWS = 50_000  # of CSV at once
BLOCK = 4_000_000  # bytes of CSV that are parsed at once


@functools.cache
def has_adbc() -> bool:
    """Whether ADBC is installed."""
    return find_spec("adbc_driver_postgresql") is not None


class CopySession(CursorSession):
    """A pooled connection of psycopg; rows go and come as CSV."""

    def __init__(self, dialect: Dialect) -> None:
        super().__init__(dialect)
        self.execute("set local time zone 'UTC'")

    def _cursor(self) -> Any:
        return self.connection.cursor()

    def insert(self, table: TableName, kinds: Mapping[str, Kind], frames: Iterable[pl.DataFrame]) -> None:
        names = ", ".join(map(self.dialect.quote, kinds))
        casts = [cast for name, kind in kinds.items() if (cast := _to_csv(name, kind)) is not None]
        with (
            self._cursor() as cursor,
            cursor.copy(f"copy {self.dialect.full(table)} ({names}) from stdin (format csv)") as copy,
        ):
            for frame in frames:
                for part in frame.select(list(kinds)).iter_slices(PIECE_ROWS):
                    copy.write(
                        part.with_columns(casts).write_csv(include_header=False, quote_style="non_numeric", null_value="")
                    )

    def stream(self, sql: str, parameters: Mapping[str, Any], kinds: Mapping[str, Kind]) -> Iterator[pl.DataFrame]:
        from pyarrow import csv

        read = csv.ReadOptions(block_size=BLOCK, column_names=[f"c{number}" for number in range(len(kinds))])
        parse = csv.ParseOptions(newlines_in_values=True, ignore_empty_lines=False)
        types = {f"c{number}": _csv_type(kind) for number, kind in enumerate(kinds.values())}
        convert = csv.ConvertOptions(
            column_types=types,
            null_values=[""],
            strings_can_be_null=True,
            quoted_strings_can_be_null=False,
            true_values=["t"],
            false_values=["f"],
        )
        text, values = self.in_style(f"copy ({sql}) to stdout (format csv, force_quote *)", parameters)
        with self._cursor() as cursor, cursor.copy(text, values) as copy:
            chunks = _Chunks(copy)
            if not chunks.has_any:
                return
            with readable_by_arrow(chunks) as file, csv.open_csv(file, read, parse, convert) as reader:
                for batch in reader:
                    yield _arrived(pl.DataFrame(batch.rename_columns(list(kinds))), kinds)


def _to_csv(name: str, kind: Kind) -> pl.Expr | None:
    column = pl.col(name)
    match kind.name:
        case "binary":
            return (pl.lit("\\x") + column.bin.encode("hex")).alias(name)
        case "interval":
            return pl.format("{} microseconds", column.cast(pl.Int64)).alias(name)
    return None


def _csv_type(kind: Kind) -> pa.DataType:
    match kind.name:
        case "binary" | "numeric" | "text" | "json":
            return pa.large_string()
        case "interval":
            return pa.int64()
        case "timestamptz":
            return pa.timestamp("us")
        case "time":
            return pa.time64("us")
    arrow: pa.DataType = pl.DataFrame(schema={"x": kind.wire}).to_arrow().schema.field(0).type
    return arrow


class _Chunks:
    """The data of a COPY as a file that can be read."""

    def __init__(self, copy: Any) -> None:
        self._chunks = iter(copy)
        self._rest = bytes(next(self._chunks, b""))
        self.has_any = bool(self._rest)

    def read(self, size: int = -1) -> bytes:
        pieces = [self._rest]
        have = len(self._rest)
        while size < 0 or have < size:
            if not (chunk := next(self._chunks, b"")):
                break
            pieces.append(bytes(chunk))
            have += len(chunk)
        data = b"".join(pieces)
        size = len(data) if size < 0 else size
        self._rest = data[size:]
        return data[:size]


def _arrived(frame: pl.DataFrame, kinds: Mapping[str, Kind]) -> pl.DataFrame:
    """What came, with the types in which its kinds travel."""
    changes = []
    for name, kind in kinds.items():
        if kind.name == "binary" and frame.schema[name] == pl.String:
            changes.append(pl.col(name).str.slice(2).str.decode("hex"))
        elif kind.name == "timestamptz":
            changes.append(pl.col(name).dt.replace_time_zone("UTC"))
        elif frame.schema[name] != kind.wire:
            changes.append(pl.col(name).cast(kind.wire))
    return frame.with_columns(changes) if changes else frame


class ADBCSession(Session):
    """A connection of its own for many rows, which go and come as Arrow."""

    def __init__(self, dialect: Dialect) -> None:
        from adbc_driver_postgresql import dbapi  # type: ignore[import-untyped]

        self.dialect = dialect
        self.connection = dbapi.connect(libpq_uri(dialect.engine.url))
        self.run("set local time zone 'UTC'")

    def execute(self, sql: str, parameters: Mapping[str, Any] | None = None) -> list[tuple[Any, ...]]:
        with self.connection.cursor() as cursor:
            cursor.execute(_literal(sql, parameters or {}))
            return [tuple(row) for row in cursor.fetchall()] if cursor.description else []

    def run(self, sql: str, parameters: Mapping[str, Any] | None = None) -> int:
        with self.connection.cursor() as cursor:
            cursor.execute(_literal(sql, parameters or {}))  # and not executescript, which commits first
            return int(cursor.rowcount)

    def insert(self, table: TableName, kinds: Mapping[str, Kind], frames: Iterable[pl.DataFrame]) -> None:
        schema = None
        batches = iter(_batches(frames, list(kinds)))
        if (first := next(batches, None)) is None:
            return
        schema = first.schema

        def all_batches() -> Iterator[pa.RecordBatch]:
            yield first
            yield from batches

        with self.connection.cursor() as cursor:
            reader = pa.RecordBatchReader.from_batches(schema, all_batches())
            cursor.adbc_ingest(table.table, reader, mode="append", db_schema_name=table.schema)

    def stream(self, sql: str, parameters: Mapping[str, Any], kinds: Mapping[str, Kind]) -> Iterator[pl.DataFrame]:
        with self.connection.cursor() as cursor:
            cursor.execute(_literal(sql, parameters))
            with cursor.fetch_record_batch() as reader:
                for batch in reader:
                    yield _arrived(pl.DataFrame(batch.rename_columns(list(kinds))), kinds)

    def commit(self) -> None:
        self.connection.commit()

    def rollback(self) -> None:
        self.connection.rollback()

    def close(self) -> None:
        self.connection.close()


def _batches(frames: Iterable[pl.DataFrame], names: list[str]) -> Iterator[pa.RecordBatch]:
    for frame in frames:
        yield from frame.select(names).to_arrow(compat_level=pl.CompatLevel.oldest()).to_batches()


def _literal(sql: str, parameters: Mapping[str, Any]) -> str:
    """The statement with its values in it, quoted by psycopg."""
    if not parameters:
        return sql
    from psycopg.sql import Literal

    return PARAMETER.sub(lambda match: Literal(parameters[match[1]]).as_string() if match[1] in parameters else match[0], sql)
