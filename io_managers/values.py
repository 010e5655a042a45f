"""`ValueIOManager`: what stores of whole Python values share. A store says how values are kept, and given back."""

from __future__ import annotations

import copy
from abc import abstractmethod
from collections import ChainMap
from collections.abc import Callable, Generator, Iterable, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from typing import TYPE_CHECKING, Any, get_args, get_origin

from io_managers.frames import (
    asks_for_frame,
    converted,
    empty_frame,
    frame_type,
    from_reader,
    requested,
    row_count,
    settled,
    table_schema,
)
from warehouse_assets.errors import TableNotFoundError, UnsupportedTypeError
from warehouse_assets.io_manager.base import IOManager
from warehouse_assets.io_manager.contexts import InputContext, OutputContext, TableSource
from warehouse_assets.keys import AssetKey
from warehouse_assets.sql import SQL
from warehouse_assets.sql.partitions import with_partition
from warehouse_assets.table_options import TableOptions
from warehouse_assets.tables import Table, TableName, TableSlice, TableStats

if TYPE_CHECKING:
    import polars as pl

__all__ = ["MissingValueError", "StagedValues", "ValueIOManager"]

_NOTHING: Mapping[str | None, Any] = {}


class MissingValueError(LookupError):
    """What a store raises for a value that is not there; says what is missing, and where."""


class ValueIOManager(IOManager):
    """Keeps the value of each asset as it is, or one for each partition: a store says how.

    Values are given by partition, and under None where an asset has no partitions.
    """

    @abstractmethod
    def keep(self, context: OutputContext, values: Mapping[str | None, Any]) -> Mapping[str, Any]:
        """Store values; what was measured, as metadata."""

    @abstractmethod
    def kept(self, context: InputContext, partition: str | None) -> Any:
        """A stored value; MissingValueError where there is none."""

    @abstractmethod
    def kept_partitions(self, context: InputContext, staging: OutputContext | None) -> Iterable[Any]:
        """The values of all partitions that are stored, one after another, but for those that `staging` is about to replace."""

    def check_asset(self, key: AssetKey, metadata: Mapping[str, Any], partitions_def: Any) -> None:
        """`partition_expr` may be missing: then the rows of a partition are what was returned for it."""
        from io_managers.slices import PARTITION_EXPR, partition_columns
        from io_managers.views import check_view
        from io_managers.write_modes import check_mode, check_versions

        options = TableOptions.of(metadata)
        check_mode(key, options, partitions_def, ("replace",))
        check_view(key, options, partitions_def, keeps_views=False)
        check_versions(key, options, self)
        if partitions_def is not None and PARTITION_EXPR in metadata:
            partition_columns(key, metadata, partitions_def)

    def handle_output(self, context: OutputContext, obj: Any) -> None:
        with self.stage(context, obj):
            pass

    @contextmanager
    def stage(self, context: OutputContext, obj: Any) -> Generator[StagedValues]:
        """Hand out the value before it is stored, as the block ends."""
        value = _answer(obj, context) if isinstance(obj, SQL) else settled(obj, context.asset_key)
        values = _as_promised(context, _by_partition(context, value))
        yield StagedValues(self, context, values)
        self._store(context, values, schema=isinstance(obj, SQL))

    def run_sql(self, context: OutputContext, sql: Any) -> TableStats:
        """Keep the answer to `sql`, from an embedded DuckDB, as a polars DataFrame."""
        frame = _answer(sql, context)
        measured = self.keep(context, _as_promised(context, _by_partition(context, frame)))
        return TableStats(frame.height, measured.get("byte_size"), table_schema(frame.schema), uri=measured.get("uri"))

    def load_input(self, context: InputContext) -> Any:
        return self.load(context)

    def load(
        self, context: InputContext, staged: Mapping[str | None, Any] = _NOTHING, staging: OutputContext | None = None
    ) -> Any:
        """What a read asks for, where `staged` values, those of the write `staging`, are in the place of stored ones."""
        if (context.where is None and context.limit is None) or context.type_hint is Table:
            return self._loaded(context, staged, staging)
        return _picked(context, lambda whole: self._loaded(whole, staged, staging))

    def _loaded(
        self, context: InputContext, staged: Mapping[str | None, Any] = _NOTHING, staging: OutputContext | None = None
    ) -> Any:
        """What a read asks for, but for its `where` and `limit`.

        One partition is its value, several are a dict of values, or one table where the annotation asks for a frame.
        """
        hint, columns, key = context.type_hint, context.columns, context.asset_key
        if hint is Table:
            return Table(key)
        if context.partitions_def is None:
            return self._load_whole(context, staged, staging)
        found: dict[str, Any] = {}
        missing: MissingValueError | None = None
        for partition in context.partition_keys:
            try:
                found[partition] = staged[partition] if partition in staged else self.kept(context, partition)
            except MissingValueError as error:
                missing = missing or error
        if asks_for_frame(hint):
            return _joined(list(found.values()), context) if found else self._without_rows(context, staging, missing)
        if missing:
            raise _not_found(missing, context)
        each = _hint_of_each(hint)
        if len(found) == 1 and each is None:
            return converted(next(iter(found.values())), hint, columns, key)
        return {partition: converted(value, each, columns, key) for partition, value in found.items()}

    def _load_whole(self, context: InputContext, staged: Mapping[str | None, Any], staging: OutputContext | None) -> Any:
        try:
            value = staged[None] if None in staged else self.kept(context, None)
        except MissingValueError as error:
            values = [*self.kept_partitions(context, staging), *staged.values()]
            if values and all(frame_type(value) for value in values):
                return _joined(values, context)
            hint = "It is kept in partitions; say which, by declaring them." if values else None
            raise _not_found(error, context, hint) from None
        return converted(value, context.type_hint, context.columns, context.asset_key)

    def _without_rows(self, context: InputContext, staging: OutputContext | None, missing: MissingValueError | None) -> Any:
        """A frame with the columns of some partition, where those that are asked for were never written."""
        for value in self.kept_partitions(context, staging):
            return _joined([_rows(value, context.asset_key).clear()], context)
        if missing:
            raise _not_found(missing, context)
        return empty_frame(requested(context.type_hint, context.asset_key))

    def _store(self, context: OutputContext, values: Mapping[str | None, Any], *, schema: bool) -> None:
        rows = [row_count(value) for value in values.values()]
        measured: dict[str, Any] = {}
        if None not in rows:
            measured["row_count" if None in values else "partition_row_count"] = sum(rows)
        if schema:
            measured["column_schema"] = table_schema(next(iter(values.values())).schema)
        context.add_output_metadata({**measured, **self.keep(context, values)})


class StagedValues:
    """Values that are about to be stored."""

    def __init__(self, manager: ValueIOManager, context: OutputContext, values: Mapping[str | None, Any]) -> None:
        self._manager = manager
        self._context = context
        self._values = values

    def load_input(self, context: InputContext) -> Any:
        """What the store will give, as `context.type_hint` asks for it."""
        return self._manager.load(context, self._values, self._context)

    def query(self, sql: Any, sources: Mapping[AssetKey, TableSource]) -> AbstractContextManager[Any]:
        """The answer to `sql`, on an embedded DuckDB, for which the value is stored already."""
        from io_managers import engine

        key = self._context.asset_key
        mine = {key: TableSource(self, sources[key].context)} if key in sources else {}
        return engine.answered(sql, ChainMap(mine, sources))  # type: ignore[arg-type]


def _answer(sql: SQL, context: OutputContext) -> Any:
    from io_managers.engine import collected
    from io_managers.own_table import with_own_table

    sources = with_own_table(context).sources
    return collected(with_partition(sql, context), sources, context.asset_key)


def _by_partition(context: OutputContext, value: Any) -> Mapping[str | None, Any]:
    """The value of each partition that is written: rows of a frame as `partition_expr` tells them, or the values of a dict."""
    if context.partitions_def is None:
        return {None: value}
    from io_managers.slices import PARTITION_EXPR, partitions_named

    keys = list(dict.fromkeys(context.partition_keys))
    if frame_type(value) and PARTITION_EXPR in context.definition_metadata:
        return _split(context, value, keys)
    if len(keys) == 1 or value is None:
        return dict.fromkeys(keys, value)
    if isinstance(value, Mapping) and value.keys() == set(keys):
        return {key: settled(value[key], context.asset_key) for key in keys}
    raise UnsupportedTypeError(
        f"asset {context.asset_key.to_user_string()!r} returned a value of type {type(value).__qualname__} "
        f"for {partitions_named(keys)}",
        hint='Return a dict with a value for each, or a frame of an asset with metadata={"partition_expr": "column"}.',
    )


def _as_promised(context: OutputContext, values: Mapping[str | None, Any]) -> Mapping[str | None, Any]:
    """The values, where each is a frame with the columns that the asset promises, if it promises any."""
    if context.table_options.columns is None:
        return values
    from io_managers.column_contract import ColumnContract

    if contract := ColumnContract.of(context.asset_key, context.table_options):
        for value in values.values():
            frame = _rows(value, context.asset_key)
            contract.check_types(frame.schema)
            contract.check_nulls({name: frame[name].null_count() for name in contract.required})
    return values


def _picked(context: InputContext, load: Callable[[InputContext], Any]) -> Any:
    """The rows that a read asks for, of what is loaded whole; UnsupportedTypeError for a value that has no rows."""
    import pyarrow as pa

    from io_managers.selected_rows import check_columns, selected

    key, whole = context.asset_key, copy.copy(context)
    whole.type_hint = pa.RecordBatchReader
    whole.upstream_output = copy.copy(context.upstream_output)
    whole.metadata = _without_part(context.metadata)
    whole.upstream_output.definition_metadata = _without_part(context.upstream_output.definition_metadata)
    reader = load(whole)
    if not isinstance(reader, pa.RecordBatchReader):
        raise UnsupportedTypeError(
            f"the value of asset {key.to_user_string()!r} is of type {type(reader).__qualname__}, which has no rows to choose from",
            hint="Leave where and limit out, or return a frame.",
        )
    columns = context.columns
    check_columns(context, columns, reader.schema.names)
    part = TableSlice(TableName.of(key), columns, None, context.where, context.limit)
    return from_reader(selected(reader, part, key), requested(context.type_hint, key))


def _without_part(metadata: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in metadata.items() if name not in ("columns", "where", "limit")}


def _split(context: OutputContext, value: Any, keys: Sequence[str]) -> Mapping[str | None, Any]:
    from io_managers.frame_slices import refuse_outside, rows_of
    from io_managers.slices import partition_filters

    def filters(*keys: str) -> Any:
        return partition_filters(key, context.definition_metadata, context.partitions_def, keys)

    key = context.asset_key
    frame = _rows(value, key)
    refuse_outside(frame.lazy(), filters(*keys), key, keys)
    if len(keys) == 1:
        return {keys[0]: value}
    return {one: converted(frame.filter(rows_of(filters(one), frame.schema, key)), type(value), None, key) for one in keys}


def _rows(value: Any, key: AssetKey) -> pl.DataFrame:
    import polars as pl

    if frame_type(value) is None:
        raise UnsupportedTypeError(
            f"a partition of asset {key.to_user_string()!r} is a value of type {type(value).__qualname__}, which is no table",
            hint="Annotate with dict, or with nothing, to get the values by partition.",
        )
    frame: pl.DataFrame = converted(value, pl.DataFrame, None, key)
    return frame


def _joined(values: Sequence[Any], context: InputContext) -> Any:
    """Frames as one, with the columns of all, by name."""
    import polars as pl

    key, hint = context.asset_key, context.type_hint
    if len(values) == 1:
        return converted(values[0], hint, context.columns, key)
    return converted(pl.concat([_rows(value, key) for value in values], how="diagonal_relaxed"), hint, context.columns, key)


def _hint_of_each(hint: Any) -> Any:
    """What an annotation such as `dict[str, pl.LazyFrame]` asks for each partition; None for one that asks for no frames."""
    origin, args = get_origin(hint), get_args(hint)
    is_mapping = isinstance(origin, type) and issubclass(origin, Mapping) and len(args) == 2
    return args[1] if is_mapping and asks_for_frame(args[1]) else None


def _not_found(error: MissingValueError, context: InputContext, hint: str | None = None) -> TableNotFoundError:
    made_by = context.made_by or f"asset {context.asset_key.to_user_string()!r}"
    return TableNotFoundError(
        f"{error}; it should come from {made_by}", hint=hint or "Materialize it first, with the same I/O manager and place."
    )
