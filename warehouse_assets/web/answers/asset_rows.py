"""A few rows of a stored table, read only from stores that can stop after them, or where the table is small."""

from __future__ import annotations

import datetime as dt
import itertools
import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import msgspec

from warehouse_assets.keys import AssetKey
from warehouse_assets.web.answers.record import the_instance

if TYPE_CHECKING:
    from warehouse_assets.code_location.definitions import Definitions
    from warehouse_assets.execution.tables import StoredTables
    from warehouse_assets.instance import Instance

__all__ = ["MOST_ROWS", "Cell", "RowsRequest", "SampleRows", "cell_of", "sample_rows"]

MOST_ROWS = 100
_MOST_COLUMNS = 200
_LONGEST_TEXT = 300
_SMALL = 16_000_000  # bytes of a stored value that is read whole, from a store that knows no limit


class RowsRequest(msgspec.Struct, frozen=True, omit_defaults=True):
    """The first rows of which asset; of one `partition`, or, where it has partitions and none is given, of the latest that was made."""

    key: tuple[str, ...]
    limit: int = MOST_ROWS
    partition: str | None = None


class Cell(msgspec.Struct, frozen=True, array_like=True):
    """One value as a page shows it. `kind` tells null, text, number, bool, time, binary and nested apart; `exact` is what was rounded."""

    kind: str
    text: str = ""
    cut: bool = False
    exact: str = ""


class SampleRows(msgspec.Struct, frozen=True, omit_defaults=True):
    """The rows, or in `refused` why none are read. `more` is whether there are others; `left_out` counts columns that are not shown."""

    columns: tuple[tuple[str, str], ...] = ()
    rows: tuple[tuple[Cell, ...], ...] = ()
    more: bool = False
    left_out: int = 0
    partition: str | None = None
    refused: str | None = None
    value: str | None = None


def sample_rows(definitions: Definitions, request: RowsRequest) -> SampleRows:
    """The first rows of a table, in no order but that of its store."""
    key = AssetKey(request.key)
    node = definitions.graph[key]
    if node.output is not None and not node.output.stored:
        return SampleRows(refused="Its function stores the table itself, so there is no I/O manager to read it.")
    limit = max(1, min(request.limit, MOST_ROWS))
    instance = the_instance()
    with definitions.stored_tables(instance=instance) as tables:
        partition = request.partition
        if partition is None and node.spec.partitions_def is not None:
            event = instance.get_latest_materialization_event(key)
            partition = event.partition if event is not None else None
            if partition is None:
                return SampleRows(refused="No partition of it is recorded. Materialize one, or give one.")
        if (refused := _refusal(tables, key, instance)) is not None:
            return SampleRows(refused=refused, partition=partition)
        value = _load(tables, key, limit + 1, partition)
        return _shown(value, limit, partition)


def _limits_rows(tables: StoredTables, key: AssetKey) -> bool:
    """Whether the store of a table gives rows as a stream that can be left."""
    return isinstance(getattr(tables.manager_of(key), "reads_rows", None), bool)


def _refusal(tables: StoredTables, key: AssetKey, instance: Instance) -> str | None:
    if _limits_rows(tables, key):
        return None
    event = instance.get_latest_materialization_event(key)
    made = event.asset_materialization if event is not None else None
    size = made.metadata.get("byte_size") if made is not None else None
    manager = type(tables.manager_of(key)).__name__
    if size is not None and isinstance(size.value, int) and size.value <= _SMALL:
        return None
    how_large = "how large it is was not recorded" if size is None else f"it has {size.value / 1e6:,.0f} MB"
    return (
        f"{manager} can only load the value as a whole, and {how_large}. Rows are shown of such stores up to "
        f"{_SMALL / 1e6:.0f} MB; use a table store (DuckDB, Parquet, …), or read it in a notebook with load_asset_value."
    )


def _load(tables: StoredTables, key: AssetKey, limit: int, partition: str | None) -> Any:
    if not _limits_rows(tables, key):
        return tables.load(key, partition_key=partition)
    import pyarrow as pa

    return tables.load(key, pa.RecordBatchReader, metadata={"limit": limit}, partition_key=partition)


def _shown(value: Any, limit: int, partition: str | None) -> SampleRows:
    """Rows of what a store gave: anything that speaks Arrow, a list of records, or a value that is no table."""
    if hasattr(value, "read_next_batch"):
        with value:
            return rows_of_batches(value.schema, value, limit, partition)
    if hasattr(value, "collect_schema") and hasattr(value, "head"):  # a LazyFrame
        value = value.head(limit + 1).collect()
    if hasattr(value, "__arrow_c_stream__"):
        import pyarrow as pa

        return _shown(pa.RecordBatchReader.from_stream(value), limit, partition)
    if isinstance(value, (list, tuple)) and value and all(isinstance(row, Mapping) for row in value[: limit + 1]):
        names = list(dict.fromkeys(str(name) for row in value[:limit] for name in row))
        rows = [[row.get(name) for name in names] for row in value[: limit + 1]]
        return _table([(name, "") for name in names], rows, limit, partition)
    return SampleRows(partition=partition, value=_cut(repr(value), 4_000)[0])


def rows_of_batches(schema: Any, batches: Iterable[Any], limit: int, partition: str | None = None) -> SampleRows:
    """The first rows of what is read as Arrow, of which no more is read."""
    columns = [(field.name, str(field.type)) for field in schema]
    return _table(columns, itertools.islice(_rows(batches), limit + 1), limit, partition)


def _rows(batches: Iterable[Any]) -> Iterator[Sequence[Any]]:
    for batch in batches:
        for start in range(0, batch.num_rows, MOST_ROWS + 1):  # a batch may have a million rows, of which few are asked for
            part = batch.slice(start, MOST_ROWS + 1)
            columns = [_values(column) for column in part.columns]
            yield from zip(*columns, strict=True) if columns else ([()] * part.num_rows)


def _values(column: Any) -> list[Any]:
    """The values of a column; those that Python has no type for as their text, as times in nanoseconds are."""
    try:
        return list(column.to_pylist())
    except (ValueError, OverflowError):
        return [str(value) for value in column]


def _table(columns: Sequence[tuple[str, str]], rows: Iterable[Sequence[Any]], limit: int, partition: str | None) -> SampleRows:
    found = list(rows)
    return SampleRows(
        columns=tuple(columns[:_MOST_COLUMNS]),
        rows=tuple(tuple(cell_of(value) for value in row[:_MOST_COLUMNS]) for row in found[:limit]),
        more=len(found) > limit,
        left_out=max(0, len(columns) - _MOST_COLUMNS),
        partition=partition,
    )


def cell_of(value: Any) -> Cell:
    """A value as a page shows it.

    >>> cell_of(None), cell_of(""), cell_of(b"abc").text
    (Cell(kind='null', text='', cut=False, exact=''), Cell(kind='text', text='', cut=False, exact=''), '3 bytes: 616263')
    """
    if value is None:
        return Cell("null")
    if isinstance(value, bool):
        return Cell("bool", "true" if value else "false")
    if isinstance(value, int):
        return Cell("number", str(value))
    if isinstance(value, float):
        exact, short = repr(value), f"{value:.10g}" if math.isfinite(value) else repr(value)
        return Cell("number", short, exact=exact) if len(short) < len(exact) - 2 else Cell("number", exact)
    if isinstance(value, (bytes, bytearray, memoryview)):
        data = bytes(value)
        size = f"{len(data)} byte{'' if len(data) == 1 else 's'}"
        return Cell("binary", f"{size}: {data[:16].hex()}{'…' if len(data) > 16 else ''}" if data else size, len(data) > 16)
    if isinstance(value, (dt.datetime, dt.date, dt.time)):
        return Cell("time", value.isoformat(" ") if isinstance(value, dt.datetime) else value.isoformat())
    if isinstance(value, (list, tuple, dict)):
        return Cell("nested", *_cut(_nested(value)))
    return Cell("number" if type(value).__name__ == "Decimal" else "text", *_cut(str(value)))


def _nested(value: Any) -> str:
    import json

    try:
        return json.dumps(value, ensure_ascii=False, default=str)
    except (TypeError, ValueError):
        return repr(value)


def _cut(text: str, longest: int = _LONGEST_TEXT) -> tuple[str, bool]:
    return (text, False) if len(text) <= longest else (text[:longest] + "…", True)
