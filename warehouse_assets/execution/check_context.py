"""`AssetCheckExecutionContext`: what the function of a check knows of its run, and of the table that it checks."""

from __future__ import annotations

from collections import ChainMap
from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from typing import TYPE_CHECKING, Any, cast

from warehouse_assets.definitions.assets import AssetsDefinition
from warehouse_assets.errors import InvalidInvocationError
from warehouse_assets.execution.context import AssetExecutionContext
from warehouse_assets.keys import AssetCheckKey, AssetKey, CoercibleToAssetKey
from warehouse_assets.sql.value import SQL
from warehouse_assets.tables import Table, TableColumn, TableSchema, TableStats

if TYPE_CHECKING:
    from warehouse_assets.definitions.check_specs import AssetCheckSpec
    from warehouse_assets.execution.check_plan import CheckCall
    from warehouse_assets.execution.session import RunSession
    from warehouse_assets.io_manager.contexts import TableSource

__all__ = ["AssetCheckExecutionContext"]

_NOTHING: Mapping[Any, Any] = {}


class AssetCheckExecutionContext(AssetExecutionContext):
    """What the function of a check knows of its run, given to a first parameter named `context`.

    `staged` is the table that is checked where it is not published yet, and None where it is. `checked_partitions` are those of
    its partitions that are checked; none where it is checked as a whole. `is_recorded` is whether the instance has the record of
    the write that is checked.
    """

    __slots__ = ("_tables", "check_specs", "checked_partitions", "is_recorded", "staged")

    def __init__(
        self,
        call: CheckCall,
        session: RunSession,
        *,
        step_key: str,
        op_config: Any = None,
        retry_number: int = 0,
        staged: TableSource | None = None,
        slices: Mapping[AssetKey, TableSource] = _NOTHING,
        checked_partitions: Sequence[str] = (),
        is_recorded: bool = True,
    ) -> None:
        stand_in = cast(AssetsDefinition, call.definition)
        super().__init__(
            assets_def=stand_in,
            selected=call.asset_keys,
            session=session,
            step_key=step_key,
            resources=session.resources_for(stand_in),
            op_config=op_config,
            retry_number=retry_number,
            log=session.log,
            partitions=session.partitions.chosen if checked_partitions else None,
        )
        self.check_specs: Sequence[AssetCheckSpec] = call.specs
        self.staged = staged
        own = {staged.asset_key: staged} if staged is not None else {}
        self._tables: Mapping[AssetKey, TableSource] = ChainMap(own, slices)  # type: ignore[arg-type]
        self.checked_partitions = checked_partitions
        self.is_recorded = is_recorded

    @property
    def selected_asset_check_keys(self) -> frozenset[AssetCheckKey]:
        """The checks that are to be evaluated."""
        return frozenset(spec.key for spec in self.check_specs)

    @property
    def check_spec(self) -> AssetCheckSpec:
        """The one check that is evaluated; InvalidInvocationError where there are several."""
        if len(self.check_specs) != 1:
            raise InvalidInvocationError(f"{self.assets_def.node_name!r} evaluates {len(self.check_specs)} checks, not one")
        return self.check_specs[0]

    def query(self, sql: SQL) -> list[dict[str, Any]]:
        """The rows that answer a query, as dicts; it may read any asset, and the checked one as it will be once it is published.

        It runs in the store of the checked table where that answers SQL, and on an embedded DuckDB otherwise.
        """
        with self._answer(sql) as reader:
            rows: list[dict[str, Any]] = reader.read_all().to_pylist()
            return rows

    def table_schema(self) -> TableSchema:
        """The columns of the checked table: as they are recorded, as its stage knows them, or else their names alone."""
        if self.is_recorded:
            event = self.instance.get_latest_materialization_event(self.asset_key)
            value = event.asset_materialization.metadata.get("column_schema") if event is not None else None
            if value is not None and isinstance(value.value, TableSchema):
                return value.value
        stats = getattr(self.staged.io_manager, "stats", None) if self.staged is not None else None
        if isinstance(stats, TableStats):
            return stats.schema
        with self._answer(SQL("select * from {t} limit 0", t=Table(self.asset_key))) as reader:
            return TableSchema(tuple(TableColumn(name, "") for name in reader.schema.names))

    def _answer(self, sql: SQL) -> AbstractContextManager[Any]:
        return self._require_session().tables.query(sql, self._tables)

    def add_output_metadata(
        self, metadata: Mapping[str, Any], output_name: str | None = None, asset_key: CoercibleToAssetKey | None = None
    ) -> None:
        """A check makes no output: InvalidInvocationError."""
        raise InvalidInvocationError("a check makes no output", hint="Write AssetCheckResult(passed=…, metadata=…).")
