"""`TableIOManager`: what all stores of tables share. A store is a small subclass."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Generator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from typing import Any, Literal, TypeAlias, get_args

from io_managers.frames import FrameType, requested
from io_managers.slices import check_partition_expr, partition_filters
from warehouse_assets.errors import (
    InvalidDefinitionError,
    InvalidOutputError,
    SchemaChangedError,
    TableNotFoundError,
    UnsupportedTypeError,
    close_matches,
)
from warehouse_assets.io_manager import ConfigurableIOManager, InputContext, OutputContext
from warehouse_assets.keys import AssetKey
from warehouse_assets.metadata import stats_metadata
from warehouse_assets.tables import PartitionFilter, Table, TableName, TableSlice, TableStats

__all__ = ["SchemaPolicy", "StagedWrite", "TableIOManager", "check_columns", "missing_table", "policy_refusal", "refuse_none"]

SchemaPolicy: TypeAlias = Literal["fail", "append", "sync"]


class StagedWrite(ABC):
    """A slice of a table that is written and not published yet; `stats` are known once it is."""

    stats: TableStats

    @abstractmethod
    def load_input(self, context: InputContext) -> Any:
        """What is staged, as `context.type_hint` asks for it."""


class TableIOManager(ConfigurableIOManager):
    """Stores each asset as a table; a subclass says how one is staged and read.

    A partition of an asset is the rows that its `partition_expr` tells by a column, and writing one replaces these rows only.
    Where their columns are not those of the table, `schema_policy` decides: "fail" refuses them, "append" adds new columns and
    fills those that are missing with nulls, "sync" also drops those that are gone and widens types. The metadata
    `schema_policy` of an asset goes before.
    """

    schema_policy: SchemaPolicy = "fail"

    @property
    @abstractmethod
    def store_id(self) -> str:
        """The engine and the place, without secrets."""

    @property
    def default_schema(self) -> str | None:
        """The schema of assets whose key has one segment."""
        return None

    @abstractmethod
    def staging(
        self, context: OutputContext, table: TableSlice, obj: Any, *, inspected: bool = False
    ) -> AbstractContextManager[StagedWrite]:
        """Replace the slice of a table by the frame or SQL `obj`, published at once as the block ends.

        Readers see the old or the new one, and a failure leaves the old. `inspected` is whether anyone looks at it before.
        """

    @abstractmethod
    def read(self, context: InputContext, table: TableSlice, kind: FrameType) -> Any:
        """The rows and columns of the table that `table` names, as a frame of type `kind`."""

    def table_name(self, key: AssetKey) -> TableName:
        """The table of an asset in this store."""
        return TableName.of(key, self.default_schema)

    def handle_output(self, context: OutputContext, obj: Any) -> None:
        with self._staged(context, obj, inspected=False):
            pass

    @contextmanager
    def stage(self, context: OutputContext, obj: Any) -> Generator[StagedWrite]:
        """Write the table where nobody sees it but through what the block gets; published as the block ends."""
        with self._staged(context, obj, inspected=True) as staged:
            yield staged

    @contextmanager
    def _staged(self, context: OutputContext, obj: Any, *, inspected: bool) -> Generator[StagedWrite]:
        refuse_none(obj, context.asset_key)
        with self.staging(context, self._slice_to_write(context), obj, inspected=inspected) as staged:
            yield staged
        context.add_output_metadata(stats_metadata(staged.stats))

    def run_sql(self, context: OutputContext, sql: Any) -> TableStats:
        """Make the table of `context.asset_key` from `sql`, whose tables are among `context.sources`."""
        with self.staging(context, self._slice_to_write(context), sql) as staged:
            pass
        return staged.stats

    def load_input(self, context: InputContext) -> Any:
        kind = requested(context.type_hint, context.asset_key)
        if kind is FrameType.HANDLE:
            return Table(context.asset_key)
        return self.read(context, self.slice_to_read(context), kind)

    def check_asset(self, key: AssetKey, metadata: Mapping[str, Any], partitions_def: Any) -> None:
        """Raise InvalidDefinitionError for a partitioned asset that does not say by which column, or an unknown schema policy."""
        owner = f"asset {key.to_user_string()!r}"
        if partitions_def is not None:
            check_partition_expr(owner, partitions_def, metadata.get("partition_expr"))
        self._policy(owner, metadata)

    def slice_to_read(self, context: InputContext) -> TableSlice:
        """The rows and columns that a read is about."""
        metadata = context.upstream_output.definition_metadata
        return TableSlice(self.table_name(context.asset_key), context.columns, self._filters(context, metadata))

    def policy_for(self, context: OutputContext) -> SchemaPolicy:
        """What becomes of the table where the columns of a partition are others."""
        return self._policy(f"asset {context.asset_key.to_user_string()!r}", context.definition_metadata)

    def _slice_to_write(self, context: OutputContext) -> TableSlice:
        filters = self._filters(context, context.definition_metadata)
        if filters == ():
            raise InvalidOutputError(f"asset {context.asset_key.to_user_string()!r} is to be written without any partition")
        return TableSlice(self.table_name(context.asset_key), None, filters)

    def _filters(
        self, context: InputContext | OutputContext, metadata: Mapping[str, Any]
    ) -> tuple[PartitionFilter, ...] | None:
        if context.partitions_def is None:
            return None
        columns = metadata.get("partition_expr")
        check_partition_expr(f"asset {context.asset_key.to_user_string()!r}", context.partitions_def, columns)
        return partition_filters(context.partitions_def, context.partition_keys, columns)

    def _policy(self, owner: str, metadata: Mapping[str, Any]) -> SchemaPolicy:
        policy = metadata.get("schema_policy", self.schema_policy)
        if policy not in get_args(SchemaPolicy):
            known = ", ".join(map(repr, get_args(SchemaPolicy)))
            raise InvalidDefinitionError(f"{owner} has the schema_policy {policy!r}", hint=f"There are {known}.")
        return policy  # type: ignore[no-any-return]


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


def check_columns(context: InputContext, columns: Sequence[str] | None, known: Sequence[str]) -> None:
    """Raise SchemaChangedError for the first of `columns` that is not among those of the stored table."""
    for column in columns or ():
        if column not in known:
            raise SchemaChangedError(
                f"the table of asset {context.asset_key.to_user_string()!r} has no column {column!r}",
                hint=close_matches(column, known) or f"It has {', '.join(map(repr, known))}.",
            )


def policy_refusal(
    key: AssetKey, policy: SchemaPolicy, stored: Mapping[str, Any], given: Mapping[str, Any]
) -> SchemaChangedError | None:
    """The error for a partition whose columns, name → type, a policy does not let into the table; None where it does."""
    new = [name for name in given if name not in stored]
    gone = [name for name in stored if name not in given]
    other = [f"{name} ({stored[name]} → {given[name]})" for name in given if name in stored and given[name] != stored[name]]
    faults = {
        "new columns": new if policy == "fail" else (),
        "columns that are gone": gone if policy == "fail" else (),
        "columns of another type": other if policy != "sync" else (),
    }
    said = "; ".join(f"{what}: {', '.join(names)}" for what, names in faults.items() if names)
    if not said:
        return None
    return SchemaChangedError(
        f"the partition of asset {key.to_user_string()!r} does not fit its table. It has {said}",
        hint='Make the table anew, or let it change with metadata={"schema_policy": "append"} or "sync".',
    )
