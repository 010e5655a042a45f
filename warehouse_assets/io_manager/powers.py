"""What an I/O manager may be able to do beside storing and loading: small protocols, asked for with `isinstance`."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from contextlib import AbstractContextManager
from typing import TYPE_CHECKING, Any, Protocol, runtime_checkable

from warehouse_assets.keys import AssetKey

if TYPE_CHECKING:
    from warehouse_assets.io_manager.base import IOManager
    from warehouse_assets.io_manager.contexts import InputContext, OutputContext, TableSource
    from warehouse_assets.tables import SQLNaming, TableSchema, TableStats, TableVersion

__all__ = [
    "CallsFunctions",
    "ChecksAssets",
    "DropsTables",
    "KeepsOpen",
    "KeepsVersions",
    "NamesTables",
    "OpensReadOnly",
    "PlacesTables",
    "QueriesSQL",
    "Rehearsal",
    "RehearsesWrites",
    "RunsSQL",
    "ScansInDuckDB",
    "StagedTable",
    "StagesTables",
    "TellsColumns",
]


@runtime_checkable
class RunsSQL(Protocol):
    """Can make an asset's table from SQL, in its own engine.

    `store_id` names the engine and the place: two managers with the same one see each other's tables.
    """

    @property
    def store_id(self) -> str:
        """The engine and the place, without secrets."""

    def run_sql(self, context: OutputContext, sql: Any) -> TableStats:
        """Make the table of `context.asset_key` from `sql`, whose tables are among `context.sources`."""


@runtime_checkable
class QueriesSQL(Protocol):
    """Can answer SQL over stored tables, its own and those of other stores."""

    def query(self, sql: Any, sources: Mapping[AssetKey, TableSource]) -> AbstractContextManager[Any]:
        """The answer as a `pyarrow.RecordBatchReader`, open inside the `with` block; nothing is written."""


@runtime_checkable
class OpensReadOnly(Protocol):
    """Can open its store in a way in which nothing is written, whatever SQL says."""

    def opened_read_only(self) -> IOManager:
        """The same store, which refuses to write."""


@runtime_checkable
class ScansInDuckDB(Protocol):
    """Holds its tables in a form that DuckDB reads in place."""

    def duckdb_scan(self, connection: Any, context: InputContext) -> str:
        """A SQL expression for `FROM` that reads the table on this connection, which may be prepared for it."""


@runtime_checkable
class TellsColumns(Protocol):
    """Knows the columns of the tables that its SQL reads, without an answer to a query."""

    def column_names(self, source: TableSource) -> Sequence[str] | None:
        """The columns of a stored table; None where another store has to be asked."""


@runtime_checkable
class PlacesTables(Protocol):
    """Knows where the table of an asset is, without looking there."""

    def place_of(self, key: AssetKey, metadata: Mapping[str, Any]) -> str:
        """The place of the table of the asset `key` with this metadata: equal for two assets exactly if they share a table."""


@runtime_checkable
class NamesTables(Protocol):
    """Knows how SQL in its store is written, so that the tables which it reads are known before anything runs."""

    def sql_naming(self) -> SQLNaming:
        """The dialect, and the default schema; asked without looking into the store."""


@runtime_checkable
class CallsFunctions(Protocol):
    """Has an engine whose SQL can call Python functions, whose code then counts like that of the SQL."""

    def sql_functions(self) -> Mapping[str, Any]:
        """The functions, by their names in SQL, without case."""


@runtime_checkable
class KeepsOpen(Protocol):
    """Can keep what it opened from one step to the next."""

    def keep_open(self, keep: bool) -> None:
        """Whether the next use follows soon: between assets that are SQL, whose steps run no code that may open the store itself."""


@runtime_checkable
class DropsTables(Protocol):
    """Can remove a stored table."""

    def drop(self, context: OutputContext) -> bool:
        """Remove the table; whether there was one."""


@runtime_checkable
class KeepsVersions(Protocol):
    """Keeps earlier states of its tables: `InputContext.table_version` says which of them is to be read."""

    def table_versions(self, context: InputContext) -> Sequence[TableVersion]:
        """The states that are kept, the oldest first, the present one last; TableNotFoundError where there is no table."""

    def roll_back(self, context: OutputContext, version: str) -> TableStats:
        """Make an earlier state the present one, at once and as a new version; TableNotFoundError for one that is not kept."""


@runtime_checkable
class ChecksAssets(Protocol):
    """Knows, before anything runs, which assets it cannot keep."""

    def check_asset(self, key: AssetKey, metadata: Mapping[str, Any], partitions_def: Any) -> None:
        """Raise InvalidDefinitionError where the asset `key` with this metadata and these partitions cannot be kept here."""


class StagedTable(Protocol):
    """A written table that nobody else sees yet.

    It may have the powers `QueriesSQL` and `ScansInDuckDB` of an I/O manager, for the one asset that it is of.
    """

    def load_input(self, context: InputContext) -> Any:
        """What the table will hold once it is published, as `context.type_hint` asks for it."""


@runtime_checkable
class StagesTables(Protocol):
    """Can show a table before it is published, so that checks can keep it from being so."""

    def stage(self, context: OutputContext, obj: Any) -> AbstractContextManager[StagedTable]:
        """Write `obj` as `handle_output` does, and publish it, with its metadata recorded, as the block ends.

        Where the block raises, the stored table stays as it was, and nothing is left of the new one.
        """


class Rehearsal(Protocol):
    """Tables without rows, which nobody else sees: what a store would make of a write, as its own engine judges it."""

    @property
    def io_manager(self) -> IOManager:
        """What holds these tables: functions load them from it, and SQL reads them as `TableSource`s of it."""

    def recall(self, context: InputContext, without: Collection[str] = ()) -> TableSchema:
        """Give a table the columns of the stored one, but for some, and tell them; TableNotFoundError where there is none.

        No row is read. Of a partitioned asset `context` names a partition of which something is stored.
        """

    def promised(self, context: OutputContext) -> Any:
        """A frame without rows that has the columns which the asset promises; None where it promises none, or leaves types open."""

    def write(self, context: OutputContext, obj: Any) -> TableSchema:
        """The columns that the table would have after `obj`, SQL or a frame, was written to it; it is as if it were.

        `context.sources` hold tables without rows. Raises what the write would raise over columns: InvalidSQLError,
        SchemaChangedError, ColumnContractError.
        """


@runtime_checkable
class RehearsesWrites(Protocol):
    """Can tell the columns of tables before they are made, without writing or reading rows."""

    def rehearsal(self) -> AbstractContextManager[Rehearsal]:
        """Tables without rows, none at first, while the block lasts."""
