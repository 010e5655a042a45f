"""Making a plan: asks what is recorded and stored, tries each table that a run would make without rows, and writes nothing."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from functools import cached_property
from typing import TYPE_CHECKING, Any

from warehouse_assets.errors import (
    ColumnContractError,
    InvalidDefinitionError,
    InvalidSQLError,
    SchemaChangedError,
    UnsupportedTypeError,
    WarehouseAssetsError,
)
from warehouse_assets.events import Event, error_line
from warehouse_assets.execution.column_lineage import columns_of, lineage_of
from warehouse_assets.execution.plan import Plan as RunPlan
from warehouse_assets.execution.status import asset_statuses, asset_statuses_for
from warehouse_assets.graph.staleness import AssetStatus, keys_to_run
from warehouse_assets.io_manager.powers import NamesTables
from warehouse_assets.keys import AssetKey
from warehouse_assets.metadata import SQL_TEXT
from warehouse_assets.planning.asking import answer_of, why_not_asked
from warehouse_assets.planning.changes import SQLChange
from warehouse_assets.planning.faults import faults_of, reached
from warehouse_assets.planning.plan import Fault, Plan, PlannedAsset
from warehouse_assets.planning.rehearsing import RehearsedTables, UnknownColumnsError
from warehouse_assets.sql.value import SQL

if TYPE_CHECKING:
    from warehouse_assets.column_lineage import TableColumnLineage
    from warehouse_assets.execution.tables import StoredTables
    from warehouse_assets.graph.asset_graph import AssetGraph, AssetNode
    from warehouse_assets.tables import TableSchema

__all__ = ["make_plan"]

# What a write raises over columns and queries; other errors say that a store could not be asked.
_REFUSALS = (ColumnContractError, InvalidDefinitionError, InvalidSQLError, SchemaChangedError, UnsupportedTypeError)


def make_plan(
    stored: StoredTables,
    selected: Collection[AssetKey],
    instance: Any,
    *,
    partition_key: str | None = None,
    everything: bool = False,
) -> Plan:
    """What a run of the selected assets would do: of those that are missing or stale, or of all where `everything` is to be made."""
    graph = stored.graph
    if partition_key is None:
        statuses = asset_statuses(graph, selected, instance)
    else:
        statuses = asset_statuses_for(partition_key, graph, selected, instance)
    runs = set(statuses) if everything else keys_to_run(graph, statuses, filter(lambda key: _is_due(statuses[key]), statuses))
    order = RunPlan.build(graph, runs, checks=()).asset_keys
    made = instance.get_latest_materialization_events(graph.executable_keys if runs else ())
    with RehearsedTables(stored, partition_key) as tables:
        planner = _Planner(stored, tables, statuses, made)
        found = {key: planner.planned(graph.nodes[key], runs=True) for key in order}
        for node in graph:
            if node.definition is not None and node.key not in found and planner.changed.intersection(node.parents):
                found[node.key] = planner.planned(node, runs=False)
    waiting = sum(status.state != "fresh" for key, status in statuses.items() if key not in runs)
    return Plan(tuple(asset for asset in found.values() if asset.runs or asset.faults), len(statuses), waiting)


def _is_due(status: AssetStatus) -> bool:
    """Whether an asset has a reason of its own to be made."""
    if status.state == "missing" or (status.partitions is not None and status.partitions.missing):
        return True
    return any(cause.kind != "upstream" for cause in status.causes)


class _Planner:
    """Plans one asset after another, in an order in which each comes after all it is made from."""

    def __init__(
        self,
        stored: StoredTables,
        tables: RehearsedTables,
        statuses: Mapping[AssetKey, AssetStatus],
        made: Mapping[AssetKey, Event],
    ) -> None:
        self.changed: set[AssetKey] = set()
        self._stored = stored
        self._graph: AssetGraph = stored.graph
        self._tables = tables
        self._statuses = statuses
        self._made = made
        self._removed: dict[AssetKey, Sequence[str]] = {}

    def planned(self, node: AssetNode, *, runs: bool) -> PlannedAsset:
        """What becomes of one asset."""
        status = self._statuses.get(node.key)
        asset = PlannedAsset(node.key, node.place, runs)
        if status is not None:
            asset = replace(asset, state=status.state, causes=status.causes)
        try:
            asset = replace(asset, stored=self._tables.stored(node.key))
        except UnknownColumnsError as error:
            asset = replace(asset, unknown=str(error))
        try:
            value = self._value(node)
            asset = replace(asset, sql=self._sql_change(node, value), unknown=None)
            asset = replace(asset, predicted=self._rehearsed(node, value))
        except UnknownColumnsError as error:
            asset = replace(asset, unknown=str(error))
        except _REFUSALS as error:
            asset = replace(asset, faults=tuple(self._faults(node, error)))
            self._tables.lose(node.key, f"{node.key.to_user_string()} breaks")
        except KeyboardInterrupt:
            raise
        except BaseException as error:  # noqa: BLE001 - whatever the function of a person raises without rows, or a store
            what = error.message if isinstance(error, WarehouseAssetsError) else error_line(error)
            asset = replace(asset, unknown=what)
        self._note(asset)
        return asset

    def _note(self, asset: PlannedAsset) -> None:
        if asset.changes or (asset.stored is None and asset.predicted is not None):
            self.changed.add(asset.key)
            self._removed[asset.key] = [change.name for change in asset.changes if change.kind == "removed"]

    def _value(self, node: AssetNode) -> Any:
        """The SQL or the LazyFrame that makes a table; UnknownColumnsError where it is not known before the run."""
        definition = node.definition
        assert definition is not None
        if node.sql is not None:
            return node.sql
        if why := why_not_asked(definition):
            self._load_arguments(node)
            if (promised := self._tables.promised(node.key)) is None:
                raise UnknownColumnsError(why)
            return promised
        bindings = self._graph.bindings[definition]
        return answer_of(definition, {name: self._tables.argument(node, name, key) for name, key in bindings.items()})

    def _rehearsed(self, node: AssetNode, value: Any) -> TableSchema:
        """The columns that the table will have; UnknownColumnsError where rows tell them, or statements that would have to run."""
        if isinstance(value, SQL):
            from warehouse_assets.sql.prediction import told_by_rows

            if why := told_by_rows(value.render()[0], self._dialect(node)):
                raise UnknownColumnsError(why)
        return self._tables.write(node.key, value)

    def _load_arguments(self, node: AssetNode) -> None:
        """See that what a function asks of its tables is there, where it says so in `AssetIn`."""
        assert node.definition is not None
        for name, key in self._graph.bindings[node.definition].items():
            declared = node.definition.ins.get(name)
            if declared is not None and declared.metadata and self.changed.intersection([key]):
                self._tables.argument(node, name, key)

    def _dialect(self, node: AssetNode) -> str:
        if node.sql is not None and node.sql.dialect is not None:
            return node.sql.dialect
        manager = self._stored.manager_of(node.key)
        return manager.sql_naming().dialect if isinstance(manager, NamesTables) else "duckdb"

    def _sql_change(self, node: AssetNode, value: Any) -> SQLChange | None:
        event = self._made.get(node.key)
        recorded = event.asset_materialization if event is not None else None
        text = recorded.metadata.get(SQL_TEXT) if recorded is not None else None
        if text is None or not isinstance(value, SQL):
            return None
        return SQLChange.between(str(text.value), value.render()[0], self._dialect(node))

    def _faults(self, node: AssetNode, error: WarehouseAssetsError) -> Sequence[Fault]:
        removed = {key: names for key in node.parents if (names := self._removed.get(key))}
        found = faults_of(error, node, removed, lambda: self._rehearsed(node, self._value(node)), self._tables)
        return [replace(fault, reaches=reached(self._graph, *self._lineages, fault, node.key)) for fault in found]

    @cached_property
    def _lineages(self) -> tuple[Mapping[AssetKey, TableColumnLineage], Mapping[AssetKey, Sequence[str] | None]]:
        """Where the columns of tables come from, and which these are, as they were recorded last."""
        lineages = {key: lineage for key, event in self._made.items() if (lineage := lineage_of(event)) is not None}
        return lineages, {key: columns_of(event) for key, event in self._made.items()}
