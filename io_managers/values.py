"""`ValueStore`: what stores of whole Python values share, among them that a partition of a value is a value of its own."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Generator, Mapping, Sequence
from contextlib import contextmanager, suppress
from typing import Any

from io_managers.frames import FrameType, converted, empty, frame_type, is_polars, requested, row_count, settled, table_schema
from io_managers.slices import column_of, outside, partition_filters, polars_condition
from warehouse_assets.errors import InvalidOutputError, TableNotFoundError, UnsupportedTypeError
from warehouse_assets.io_manager import InputContext, OutputContext
from warehouse_assets.keys import AssetKey
from warehouse_assets.metadata import IntMetadataValue, MetadataValue
from warehouse_assets.sql import SQL
from warehouse_assets.tables import PartitionFilter, Table, TableStats

__all__ = ["StagedValue", "ValueStore"]


class StagedValue:
    """A value that is not stored yet."""

    def __init__(self, value: Any) -> None:
        self._value = value

    def load_input(self, context: InputContext) -> Any:
        """The value, as an annotation asks for it."""
        if context.type_hint is Table:
            return Table(context.asset_key)
        return converted(self._value, context.type_hint, context.columns, context.asset_key)


class ValueStore:
    """Keeps values by asset and partition (None: the asset has none); a subclass says where.

    Several partitions that are written at once are a dict of their values by key, or one frame whose `partition_expr` tells which
    row is of which. Several that are loaded, as far as they were made, are one frame where they are frames, unless the annotation
    is a dict.
    """

    @abstractmethod
    def _put(self, context: OutputContext, partition: str | None, value: Any) -> Mapping[str, MetadataValue]:
        """Keep a value; what was measured of it beside its rows."""

    @abstractmethod
    def _get(self, context: InputContext, partition: str | None) -> Any:
        """A value; LookupError where there is none."""

    @abstractmethod
    def _stored(self, context: InputContext) -> Sequence[str]:
        """Names of the partitions that are kept, which `_get` takes."""

    @abstractmethod
    def _missing(self, context: InputContext, partition: str | None) -> TableNotFoundError:
        """The error for a value that is not there."""

    def handle_output(self, context: OutputContext, obj: Any) -> None:
        """Store a value, or the answer to SQL."""
        with self.stage(context, obj):
            pass

    @contextmanager
    def stage(self, context: OutputContext, obj: Any) -> Generator[StagedValue]:
        """The value as it will be stored when the block ends."""
        if isinstance(obj, SQL):
            from io_managers.engine import collected

            obj = collected(obj, context.sources, context.asset_key)
        value = settled(obj, context.asset_key)
        parts = _split(context, value)
        yield StagedValue(value)
        measured: dict[str, MetadataValue] = {}
        for partition, part in parts.items():
            measured = {**self._put(context, partition, part)}
        if (rows := row_count(value)) is not None:
            measured["row_count" if context.partitions_def is None else "partition_row_count"] = IntMetadataValue(rows)
        context.add_output_metadata(measured)

    def run_sql(self, context: OutputContext, sql: Any) -> TableStats:
        """Keep the answer to `sql`, from an embedded DuckDB, as a polars DataFrame."""
        from io_managers.engine import collected

        frame = collected(sql, context.sources, context.asset_key)
        stats = TableStats(frame.height, None, table_schema(frame.schema))
        self.handle_output(context, frame)
        return stats

    def load_input(self, context: InputContext) -> Any:
        """A value, or those of several partitions."""
        if context.type_hint is Table:
            return Table(context.asset_key)
        if context.partitions_def is None:
            try:
                return converted(self._get(context, None), context.type_hint, context.columns, context.asset_key)
            except LookupError:
                partitions = self._stored(context)
                if not partitions:
                    raise self._missing(context, None) from None
        else:
            partitions = context.partition_keys
        values = {}
        for partition in partitions:
            with suppress(LookupError):
                values[partition] = self._get(context, partition)
        if partitions and not values and (len(partitions) == 1 or not self._stored(context)):
            raise self._missing(context, partitions[0])
        if len(partitions) == 1 and context.partitions_def is not None:
            return converted(values[partitions[0]], context.type_hint, context.columns, context.asset_key)
        return _joined(context, values)


def _split(context: OutputContext, value: Any) -> Mapping[str | None, Any]:
    if context.partitions_def is None:
        return {None: value}
    keys, owner = context.partition_keys, f"asset {context.asset_key.to_user_string()!r}"
    columns = context.definition_metadata.get("partition_expr")
    if columns is not None and frame_type(value) is not None:
        frame = converted(value, _polars_frame(), None, context.asset_key)
        parts: dict[str | None, Any] = {}
        for key in keys:
            filters = partition_filters(context.partitions_def, [key], columns) or ()
            parts[key] = frame.filter(polars_condition(filters, frame.schema))
        if sum(part.height for part in parts.values()) != frame.height:
            _refuse_misplaced(context, owner, frame)
        if len(keys) > 1:
            return (
                parts
                if is_polars(value, "DataFrame")
                else {k: converted(p, type(value), None, context.asset_key) for k, p in parts.items()}
            )
    if len(keys) == 1 or value is None:
        return dict.fromkeys(keys, value)
    if isinstance(value, dict) and value.keys() == set(keys):
        return value
    raise InvalidOutputError(
        f"{owner} gave one value of type {type(value).__qualname__} for {len(keys)} partitions",
        hint="Return a dict with a value for each of context.partition_keys, or name a column of its frame as partition_expr.",
    )


def _refuse_misplaced(context: OutputContext, owner: str, frame: Any) -> None:
    columns = context.definition_metadata.get("partition_expr")
    filters: tuple[PartitionFilter, ...] = partition_filters(context.partitions_def, context.partition_keys, columns) or ()
    names = list(dict.fromkeys(column_of(part, frame.schema) for parts in filters for part in parts))
    misplaced = frame.filter(~polars_condition(filters, frame.schema)).select(names)
    raise outside(owner, names, misplaced.row(0), context.partition_keys)


def _joined(context: InputContext, values: Mapping[str, Any]) -> Any:
    """Several values as one: a frame where an annotation or their own types say so, else a dict."""
    try:
        kind: FrameType | None = requested(context.type_hint, context.asset_key)
    except UnsupportedTypeError:
        kind = None
    if not values:
        if kind is not None and context.type_hint is not None:
            return empty(kind)
        return {} if kind is None else None
    if kind is None or any(frame_type(value) is None for value in values.values()):
        return dict(values)
    return _concatenated(values, context)


def _concatenated(values: Mapping[str, Any], context: InputContext) -> Any:
    import polars as pl

    key: AssetKey = context.asset_key
    frames = [converted(value, pl.DataFrame, context.columns, key) for value in values.values()]
    return converted(pl.concat(frames, how="diagonal_relaxed"), context.type_hint, None, key)


def _polars_frame() -> type:
    import polars as pl

    return pl.DataFrame
