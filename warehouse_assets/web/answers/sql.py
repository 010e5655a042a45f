"""What SQL that somebody typed answers: in a process of its own, which is ended where that takes too long or too much."""

from __future__ import annotations

import functools
import io
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Any

import msgspec

from warehouse_assets.errors import InvalidSQLError, WarehouseAssetsError
from warehouse_assets.web.answers.asset_rows import Cell, rows_of_batches
from warehouse_assets.web.answers.record import the_instance

if TYPE_CHECKING:
    from warehouse_assets.code_location.definitions import Definitions

__all__ = [
    "LONGEST",
    "MOST_BYTES",
    "MOST_ROWS",
    "Query",
    "QueryAnswer",
    "QueryFault",
    "QueryFile",
    "is_ready",
    "query_file",
    "query_rows",
]

LONGEST = 50_000  # characters of a query
MOST_ROWS = 10_000
MOST_BYTES = 64_000_000  # of an answer as a file
_MEMORY = 4 * 2**30
_FILE = 2**30
_SECONDS = 60  # after which a PostgreSQL ends what a process that is gone had asked it


class Query(msgspec.Struct, frozen=True, omit_defaults=True):
    """A query, and how many of its rows are wanted; as a file, in which `format`."""

    sql: str
    limit: int = 200
    format: str = "csv"


class QueryFault(msgspec.Struct, frozen=True, omit_defaults=True):
    """Why there is no answer: where in the query, counted from 1, the line with a mark below, and what to do."""

    message: str
    line: int | None = None
    column: int | None = None
    excerpt: str = ""
    hint: str | None = None


class QueryAnswer(msgspec.Struct, frozen=True, omit_defaults=True):
    """Columns as names with Arrow types, and rows; `more` is whether there are others, `left_out` counts columns that are not shown."""

    columns: tuple[tuple[str, str], ...] = ()
    rows: tuple[tuple[Cell, ...], ...] = ()
    more: bool = False
    left_out: int = 0
    seconds: float = 0.0
    fault: QueryFault | None = None


class QueryFile(msgspec.Struct, frozen=True, omit_defaults=True):
    """The answer as the content of a file."""

    data: bytes = b""
    fault: QueryFault | None = None


def is_ready(definitions: Definitions, request: None) -> bool:
    """True, once the code is loaded; from then on the process is confined."""
    _confine()
    return True


def query_rows(definitions: Definitions, request: Query) -> QueryAnswer:
    """The first rows of the answer to a query that only reads stored tables."""
    _confine()
    begun = time.monotonic()
    try:
        with _answered(definitions, request.sql) as reader:
            found = rows_of_batches(reader.schema, reader, _limit(request))
    except Exception as error:  # noqa: BLE001 - whatever a store says of it is the answer
        return QueryAnswer(fault=_fault(error, request.sql))
    return QueryAnswer(found.columns, found.rows, found.more, found.left_out, time.monotonic() - begun)


def query_file(definitions: Definitions, request: Query) -> QueryFile:
    """The first rows of the answer as CSV or Parquet."""
    _confine()
    try:
        with _answered(definitions, request.sql) as reader:
            table = _first(reader, _limit(request))
        return QueryFile(_written(table, request.format))
    except Exception as error:  # noqa: BLE001
        return QueryFile(fault=_fault(error, request.sql))


def _limit(request: Query) -> int:
    return max(1, min(request.limit, MOST_ROWS))


@contextmanager
def _answered(definitions: Definitions, text: str) -> Iterator[Any]:
    """The answer, from stores that are opened read-only where they can be, to a query that was looked at in the language of the one that runs it."""
    from warehouse_assets.io_manager.powers import NamesTables
    from warehouse_assets.sql.origin import SQLOrigin
    from warehouse_assets.sql.strangers import only_reading
    from warehouse_assets.sql.value import SQL

    keys = list(definitions.graph.nodes)
    with definitions.stored_tables(instance=the_instance(), reads_only=True) as tables:
        bare = only_reading(text, "duckdb", keys)
        engine = tables.engine_of(SQL(bare))
        dialect = engine.sql_naming().dialect if isinstance(engine, NamesTables) else "duckdb"
        if dialect != "duckdb":
            bare = only_reading(text, dialect, keys)
        with tables.query(SQL(bare).told(origin=SQLOrigin("query"))) as reader:
            yield reader


def _first(reader: Any, limit: int) -> Any:
    import pyarrow as pa

    batches, rows, size = [], 0, 0
    for batch in reader:
        batches.append(batch.slice(0, limit - rows))
        rows += batches[-1].num_rows
        size += batches[-1].get_total_buffer_size() if batch.num_rows <= limit else batches[-1].nbytes
        if size > MOST_BYTES:
            raise InvalidSQLError(f"the answer has more than {MOST_BYTES // 10**6} MB", hint="Ask for fewer rows or columns.")
        if rows >= limit:
            break
    return pa.Table.from_batches(batches, reader.schema)


def _written(table: Any, kind: str) -> bytes:
    target = io.BytesIO()
    if kind == "parquet":
        import pyarrow.parquet as pq

        pq.write_table(table, target)
    else:
        import csv

        text = io.StringIO(newline="")
        writer = csv.writer(text)
        writer.writerow(table.schema.names)
        for batch in table.to_batches(max_chunksize=10_000):
            writer.writerows(zip(*(column.to_pylist() for column in batch.columns), strict=True))
        target.write(text.getvalue().encode())
    return target.getvalue()


def _fault(error: Exception, text: str) -> QueryFault:
    """What went wrong, as far as it is the business of who asked."""
    if isinstance(error, InvalidSQLError):
        line, column = error.position or _place(error.where)
        message = error.message.removeprefix("the SQL: ")
        return QueryFault(message, line, column, _excerpt(text, line, column), _short(error.hint))
    if isinstance(error, WarehouseAssetsError):
        return QueryFault(getattr(error, "message", str(error)), hint=_short(error.hint))
    line, column = next((_place(note) for note in getattr(error, "__notes__", ())), (None, None))
    said = str(error).partition("\n\nLINE ")[0].strip()  # which shows what became of the query
    return QueryFault(f"{type(error).__name__}: {said}"[:4000], line, column, _excerpt(text, line, column))


def _short(hint: str | None) -> str | None:
    return hint if hint is None or len(hint) < 400 else hint[:400] + "…"


def _place(where: str | None) -> tuple[int | None, int | None]:
    """Line and column of what stands as `query:2:8`."""
    parts = (where or "").rsplit(":", 2)
    return (int(parts[1]), int(parts[2])) if len(parts) == 3 and parts[1].isdigit() and parts[2].isdigit() else (None, None)


def _excerpt(text: str, line: int | None, column: int | None) -> str:
    lines = text.splitlines()
    if line is None or column is None or not 0 < line <= len(lines):
        return ""
    start = max(0, column - 80)
    return f"{lines[line - 1][start : start + 160]}\n{' ' * (column - 1 - start)}^"


@functools.cache
def _confine() -> None:
    """Have this process take what others leave, no more memory than it may, and write no large file."""
    os.environ["PGOPTIONS"] = f"{os.environ.get('PGOPTIONS', '')} -c statement_timeout={_SECONDS * 1000}".strip()
    with suppress(ImportError, OSError, ValueError):
        import resource

        os.nice(5)
        for what, limit in ((resource.RLIMIT_DATA, _MEMORY), (resource.RLIMIT_FSIZE, _FILE), (resource.RLIMIT_CORE, 0)):
            _, most = resource.getrlimit(what)
            limit = limit if most == resource.RLIM_INFINITY else min(limit, most)
            resource.setrlimit(what, (limit, limit))
