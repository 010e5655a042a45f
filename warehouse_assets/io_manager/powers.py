"""What an I/O manager may be able to do beside storing and loading: small protocols, asked for with `isinstance`."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import AbstractContextManager
from typing import TYPE_CHECKING, Any, Protocol, runtime_checkable

from warehouse_assets.keys import AssetKey

if TYPE_CHECKING:
    from warehouse_assets.io_manager.contexts import InputContext, OutputContext, TableSource
    from warehouse_assets.tables import TableStats

__all__ = ["DropsTables", "PlacesTables", "QueriesSQL", "RunsSQL", "ScansInDuckDB"]


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
class ScansInDuckDB(Protocol):
    """Holds its tables in a form that DuckDB reads in place."""

    def duckdb_scan(self, connection: Any, context: InputContext) -> str:
        """A SQL expression for `FROM` that reads the table on this connection, which may be prepared for it."""


@runtime_checkable
class PlacesTables(Protocol):
    """Knows where the table of an asset is, without looking there."""

    def place_of(self, key: AssetKey, metadata: Mapping[str, Any]) -> str:
        """The place of the table of the asset `key` with this metadata: equal for two assets exactly if they share a table."""


@runtime_checkable
class DropsTables(Protocol):
    """Can remove a stored table."""

    def drop(self, context: OutputContext) -> bool:
        """Remove the table; whether there was one."""
