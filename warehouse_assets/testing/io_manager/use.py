"""What an asset does with its manager, in a line each: the contracts are written with it, and tests of one's own can be."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

import polars as pl
import pyarrow as pa

from warehouse_assets.io_manager import InputContext, IOManager, OutputContext, TableSource
from warehouse_assets.keys import AssetKey
from warehouse_assets.partitions.definition import PartitionsDefinition
from warehouse_assets.table_options import TableOptions, WriteMode, WriteModeKind

__all__ = [
    "FORMS",
    "KEY",
    "ORDERS",
    "Broken",
    "Partitions",
    "batches",
    "input_context",
    "load",
    "options",
    "output_context",
    "recorded",
    "source",
    "store",
    "stream",
]

KEY = AssetKey(["shop", "orders"])
ORDERS = pl.DataFrame({"id": [1, 2, 3], "amount": [9.5, None, 7.0], "kind": ["a", "b", None]})

MADE_BY = "asset 'orders' (shop.py:1)"


@dataclass(frozen=True)
class Partitions:
    """How a table is partitioned, by which columns, and which partitions are meant.

    >>> from warehouse_assets.partitions.static import StaticPartitionsDefinition
    >>> by_region = Partitions(StaticPartitionsDefinition(["eu", "us"]), "region")
    >>> by_region("eu").keys
    ('eu',)
    """

    definition: PartitionsDefinition
    expr: str | Mapping[str, str]
    keys: tuple[str, ...] = ()

    def __call__(self, *keys: str) -> Partitions:
        """The same, and these partitions."""
        return replace(self, keys=keys)


def output_context(
    key: AssetKey = KEY,
    *,
    partitions: Partitions | None = None,
    sources: Mapping[AssetKey, TableSource] | None = None,
    **metadata: Any,
) -> OutputContext:
    """The context of a write; `metadata` is that of the asset."""
    if partitions is None:
        return OutputContext(key, sources=sources or {}, definition_metadata=metadata)
    return OutputContext(
        key,
        sources=sources or {},
        definition_metadata={"partition_expr": partitions.expr, **metadata},
        partitions_def=partitions.definition,
        partition_keys=partitions.keys,
    )


def recorded(context: OutputContext) -> dict[str, Any]:
    """What was recorded of a write, as plain values."""
    return {name: value.value for name, value in context.output_metadata.items()}


def store(
    manager: IOManager,
    value: Any,
    key: AssetKey = KEY,
    *,
    partitions: Partitions | None = None,
    sources: Mapping[AssetKey, TableSource] | None = None,
    **metadata: Any,
) -> dict[str, Any]:
    """Store a value as an asset with this `metadata` would; what was recorded, as plain values."""
    context = output_context(key, partitions=partitions, sources=sources, **metadata)
    for entry in manager.handle_output(context, value) or ():
        context.add_output_metadata(entry)
    return recorded(context)


def input_context(
    key: AssetKey = KEY,
    type_hint: Any = None,
    *,
    columns: list[str] | None = None,
    partitions: Partitions | None = None,
    **metadata: Any,
) -> InputContext:
    """The context of a read; `metadata` is that of the input, such as `where` and `limit`."""
    return InputContext(
        key,
        type_hint=type_hint,
        metadata=metadata if columns is None else {"columns": columns, **metadata},
        upstream_output=output_context(key, partitions=partitions),
        partitions_def=None if partitions is None else partitions.definition,
        partition_keys=() if partitions is None else partitions.keys,
        made_by=MADE_BY,
    )


def load(
    manager: Any,
    type_hint: Any = None,
    key: AssetKey = KEY,
    *,
    columns: list[str] | None = None,
    partitions: Partitions | None = None,
    **metadata: Any,
) -> Any:
    """Load a value, from a manager or a staged table, as an argument with this annotation, and this `metadata`, would."""
    return manager.load_input(input_context(key, type_hint, columns=columns, partitions=partitions, **metadata))


def source(manager: IOManager, key: AssetKey, partitions: Partitions | None = None) -> TableSource:
    """A stored table as SQL sees it."""
    return TableSource(manager, input_context(key, partitions=partitions))


def batches(frame: pl.DataFrame, rows: int = 1) -> Iterator[pa.RecordBatch]:
    """The rows of a frame, a few at a time."""
    for part in frame.iter_slices(rows):
        yield from part.to_arrow().to_batches()


def stream(frame: pl.DataFrame) -> pa.RecordBatchReader:
    """A frame as a stream that can be read once."""
    return pa.RecordBatchReader.from_batches(frame.to_arrow().schema, batches(frame))


def options(mode: WriteMode | WriteModeKind = "replace", **more: Any) -> dict[str, Any]:
    """The metadata of an asset that is declared with `TableOptions` of these."""
    return TableOptions(mode, **more).in_metadata(None)


FORMS: dict[str, Callable[[], Any]] = {
    "eager": lambda: ORDERS,
    "lazy": lambda: ORDERS.lazy(),
    "table": lambda: ORDERS.to_arrow(),
    "stream": lambda: stream(ORDERS),
}


class Broken(Exception):
    """What a stream raises half way."""
