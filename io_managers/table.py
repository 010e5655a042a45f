"""`TableIOManager`: what all stores of tables share. A store is a small subclass."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Generator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any, ClassVar, Self, get_args

from io_managers.column_contract import ColumnContract, described
from io_managers.frames import FrameType, empty_frame, from_reader, requested
from io_managers.lazy_lineage import lineage_metadata, remember_scan
from io_managers.own_table import with_own_table
from io_managers.rehearsal import in_a_folder
from io_managers.selected_rows import check_columns, selected
from io_managers.slices import PARTITION_EXPR, partition_columns, partition_filters
from io_managers.staged_contract import check_staged
from io_managers.views import check_view, refuse_frame
from io_managers.write_modes import check_mode, check_versions, keeps_rows
from warehouse_assets.errors import (
    InvalidDefinitionError,
    TableNotFoundError,
    UnsupportedTypeError,
)
from warehouse_assets.io_manager import ConfigurableIOManager, InputContext, OutputContext, Rehearsal
from warehouse_assets.keys import AssetKey
from warehouse_assets.metadata import stats_metadata
from warehouse_assets.sql import SQL
from warehouse_assets.sql.partitions import with_partition
from warehouse_assets.table_options import SCHEMA_POLICY, SchemaPolicy, TableOptions, WriteModeKind
from warehouse_assets.tables import (
    PartitionFilter,
    SQLNaming,
    Table,
    TableName,
    TableSlice,
    TableStats,
    placed_key,
    quote_identifier,
)

__all__ = [
    "SchemaPolicy",
    "StagedWrite",
    "TableIOManager",
    "check_columns",
    "check_mode",
    "keeps_rows",
    "missing_table",
    "refuse_none",
]


_NOTHING: Mapping[str, Any] = {}


class TableIOManager(ConfigurableIOManager):
    """Stores each asset as a table; a subclass says how one is written, read, and made from SQL.

    `default_schema` is that of keys with a single segment. `schema_policy` says what happens where a partition has other columns
    than the table: it `fail`s; new columns are `append`ed, and missing ones filled with NULL; or the columns are `sync`ed, so
    that they are those of the new partition, with types that hold the old values too. The metadata `schema_policy` of an asset
    wins. A write of the whole table replaces its columns.
    """

    schema_policy: SchemaPolicy = "fail"

    write_modes: ClassVar[frozenset[WriteModeKind]] = frozenset({"replace"})
    """The write modes that this store keeps; `delete_insert` without columns is the replacement of a partition, which all do."""

    needs_partition_expr: ClassVar[bool] = True
    """Whether a table with partitions has to say which column tells them."""

    keeps_views: ClassVar[bool] = False
    """Whether this store keeps views too."""

    reads_rows: ClassVar[bool] = False
    """Whether `read` takes notice of the `where` and `limit` of a slice; where not, what it gives is filtered."""

    @property
    @abstractmethod
    def store_id(self) -> str:
        """The engine and the place, without secrets."""

    @property
    def default_schema(self) -> str | None:
        """The schema of assets whose key has one segment."""
        return None

    def sql_naming(self) -> SQLNaming:
        return SQLNaming(default_schema=self.default_schema)

    @abstractmethod
    def staging(self, context: OutputContext, table: TableSlice, obj: Any) -> AbstractContextManager[StagedWrite]:
        """Replace the table, or some of its partitions, by a frame or SQL `obj`, as the block ends and at once.

        Readers see the old or the new one. Where the write or the block raises, the old one stays, and nothing of the new.
        `stats` are measured once it is published.
        """

    @abstractmethod
    def read(self, context: InputContext, table: TableSlice, kind: FrameType) -> Any:
        """The columns and partitions of the table that `table` names, as a frame of type `kind`."""

    def table_name(self, key: AssetKey, metadata: Mapping[str, Any] = _NOTHING) -> TableName:
        """The table of an asset in this store; the `schema` in its metadata comes before that of its key."""
        return TableName.of(placed_key(key, metadata), self.default_schema)

    def name_of(self, output: OutputContext) -> TableName:
        """The table that a write is of."""
        return self.table_name(output.asset_key, output.definition_metadata)

    def check_asset(self, key: AssetKey, metadata: Mapping[str, Any], partitions_def: Any) -> None:
        policy_of(key, metadata, self.schema_policy)
        options = TableOptions.of(metadata)
        check_mode(key, options, partitions_def, self.write_modes)
        check_versions(key, options, self)
        check_view(key, options, partitions_def, keeps_views=self.keeps_views)
        ColumnContract.of(key, options)
        if partitions_def is not None and (self.needs_partition_expr or PARTITION_EXPR in metadata):
            partition_columns(key, metadata, partitions_def)

    def now(self) -> datetime:
        """The time of a write, in UTC, which a snapshot records."""
        return datetime.now(UTC)

    def policy(self, context: OutputContext) -> SchemaPolicy:
        """What is to happen where a partition has other columns than the table."""
        return policy_of(context.asset_key, context.definition_metadata, self.schema_policy)

    def filters(self, context: InputContext | OutputContext, output: OutputContext) -> tuple[PartitionFilter, ...] | None:
        """The partitions that `context` is about, of an asset whose metadata `output` has; None for the whole table."""
        return partitions_of(context, output)

    def bound_to_partitions(self, context: OutputContext, obj: Any) -> Any:
        """What is to be written; SQL with the values that it names of the partitions that are, and the functions it may call."""
        if not isinstance(obj, SQL):
            return obj
        return with_partition(obj, context, self.sql_naming().dialect).calling(self.called_functions)

    @property
    def called_functions(self) -> Sequence[Any]:
        """The Python functions that its engine has to be told of for each query."""
        return ()

    @contextmanager
    def stage(self, context: OutputContext, obj: Any) -> Generator[StagedWrite]:
        refuse_none(obj, context.asset_key)
        with self._kept_to_contract(context, obj) as staged:
            yield staged
        context.add_output_metadata({**stats_metadata(staged.stats), **lineage_metadata(obj)})

    @contextmanager
    def _kept_to_contract(self, context: OutputContext, obj: Any) -> Generator[StagedWrite]:
        """What is staged, once it has the columns that the asset promises."""
        refuse_frame(context, obj)
        obj = self.bound_to_partitions(context, obj)
        context = with_own_table(context) if isinstance(obj, SQL) else context
        table = TableSlice(self.name_of(context), None, self.filters(context, context))
        contract = ColumnContract.of(context.asset_key, context.table_options)
        told = contract is not None and contract.check_frame(obj)
        with self.staging(context, table, obj) as staged:
            if contract is not None:
                check_staged(contract, staged, context, table.name, told=told)
            yield staged
        staged.stats = described(staged.stats, context.table_options, contract)

    def handle_output(self, context: OutputContext, obj: Any) -> None:
        with self.stage(context, obj):
            pass

    def run_sql(self, context: OutputContext, sql: Any) -> TableStats:
        """Make the table of `context.asset_key` from `sql`, whose tables are among `context.sources`."""
        with self._kept_to_contract(context, sql) as staged:
            pass
        return staged.stats

    def load_input(self, context: InputContext) -> Any:
        return self.load_with(context, self.read)

    def load_with(self, context: InputContext, read: Callable[[InputContext, TableSlice, FrameType], Any]) -> Any:
        """What is asked for, by `read`; a frame without columns for no partition of a table that is not there."""
        kind = requested(context.type_hint, context.asset_key)
        if kind is FrameType.HANDLE:
            return Table(context.asset_key)
        table = self.slice_of(context)
        try:
            if self.reads_rows or (table.where is None and table.limit is None):
                frame = read(context, table, kind)
                return remember_scan(frame, context.asset_key) if kind is FrameType.LAZY else frame
            reader = read(context, replace(table, columns=None, where=None, limit=None), FrameType.READER)
            check_columns(context, table.columns, reader.schema.names)
            return from_reader(selected(reader, table, context.asset_key), kind)
        except TableNotFoundError:
            if table.partitions == ():
                return empty_frame(kind)
            raise

    def apart(self, folder: str) -> Self:
        """A manager like this one that keeps its tables in an empty local folder, or nowhere at all, to try writes without rows."""
        return self.with_config({"base_path": folder, "storage_options": {}})

    def rehearsal(self) -> AbstractContextManager[Rehearsal]:
        """Tables without rows, none at first, while the block lasts."""
        return in_a_folder(self, self.apart)

    def slice_of(self, context: InputContext) -> TableSlice:
        """The part of the table that is to be read."""
        partitions = self.filters(context, context.upstream_output)
        return TableSlice(self.name_of(context.upstream_output), context.columns, partitions, context.where, context.limit)


class StagedWrite(ABC):
    """A table, or some of its partitions, as written and not yet published; its `stats` are there once it is.

    What is loaded from it is whole: it neither keeps the write from being published nor needs it later.
    """

    stats: TableStats

    def __init__(self, manager: TableIOManager) -> None:
        self.manager = manager

    def quote(self, name: str) -> str:
        """The name of a column, quoted for the SQL of its store."""
        return quote_identifier(name)

    @abstractmethod
    def read(self, context: InputContext, table: TableSlice, kind: FrameType) -> Any:
        """What `TableIOManager.read` will give once it is published."""

    def load_input(self, context: InputContext) -> Any:
        """What the table will hold, as `context.type_hint` asks for it."""
        return self.manager.load_with(context, self.read)


def partitions_of(context: InputContext | OutputContext, output: OutputContext) -> tuple[PartitionFilter, ...] | None:
    """The partitions that `context` is about, of an asset whose metadata `output` has; None for the whole table."""
    if context.partitions_def is None:
        return None
    return partition_filters(context.asset_key, output.definition_metadata, context.partitions_def, context.partition_keys)


def policy_of(key: AssetKey, metadata: Mapping[str, Any], default: SchemaPolicy) -> SchemaPolicy:
    """The policy that an asset declares; InvalidDefinitionError for an unknown one.

    >>> policy_of(AssetKey("orders"), {"schema_policy": "append"}, "fail")
    'append'
    """
    policy = metadata.get(SCHEMA_POLICY, default)
    known: tuple[SchemaPolicy, ...] = get_args(SchemaPolicy)
    for name in known:
        if policy == name:
            return name
    raise InvalidDefinitionError(
        f"asset {key.to_user_string()!r} has the {SCHEMA_POLICY} {policy!r}", hint=f"It is one of {', '.join(known)}."
    )


def refuse_none(obj: Any, key: AssetKey) -> None:
    """Raise UnsupportedTypeError where an asset that should make a table returned None."""
    if obj is None:
        raise UnsupportedTypeError(
            f"asset {key.to_user_string()!r} returned None, which is no table",
            hint="Return a frame, or annotate the function with -> None if it stores the table itself.",
        )


def missing_table(context: InputContext, table: str, store: str) -> TableNotFoundError:
    """The error for a table that is not in the store, naming the asset that should have made it."""
    key = context.asset_key.to_user_string()
    return TableNotFoundError(
        f"the table {table} does not exist in {store}; it should come from {context.made_by or f'asset {key!r}'}",
        hint="Materialize it first, or check that it is written to the same place.",
    )
