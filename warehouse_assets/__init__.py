"""Declare each table once, in Python or SQL: dependencies, runs, storage and the record of them follow.

The public names below are loaded when they are first used, so that importing this package costs next to nothing.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from warehouse_assets.automation.backfill_runs import backfill as backfill
    from warehouse_assets.automation.condition_trial import evaluate_automation_conditions as evaluate_automation_conditions
    from warehouse_assets.automation.runs import Runs as Runs
    from warehouse_assets.automation_records import Backfill as Backfill
    from warehouse_assets.code_location.definitions import Definitions as Definitions
    from warehouse_assets.code_location.loaders import (
        load_asset_checks_from_current_module as load_asset_checks_from_current_module,
    )
    from warehouse_assets.code_location.loaders import load_asset_checks_from_modules as load_asset_checks_from_modules
    from warehouse_assets.code_location.loaders import (
        load_asset_checks_from_package_module as load_asset_checks_from_package_module,
    )
    from warehouse_assets.code_location.loaders import (
        load_asset_checks_from_package_name as load_asset_checks_from_package_name,
    )
    from warehouse_assets.code_location.loaders import load_assets_from_current_module as load_assets_from_current_module
    from warehouse_assets.code_location.loaders import load_assets_from_modules as load_assets_from_modules
    from warehouse_assets.code_location.loaders import load_assets_from_package_module as load_assets_from_package_module
    from warehouse_assets.code_location.loaders import load_assets_from_package_name as load_assets_from_package_name
    from warehouse_assets.code_location.sql_files import load_assets_from_sql_files as load_assets_from_sql_files
    from warehouse_assets.code_location.workspace import Workspace as Workspace
    from warehouse_assets.column_lineage import TableColumnDep as TableColumnDep
    from warehouse_assets.column_lineage import TableColumnLineage as TableColumnLineage
    from warehouse_assets.config import Config as Config
    from warehouse_assets.config import ConfigurableResource as ConfigurableResource
    from warehouse_assets.config import PermissiveConfig as PermissiveConfig
    from warehouse_assets.definitions.asset import asset as asset
    from warehouse_assets.definitions.assets import AssetsDefinition as AssetsDefinition
    from warehouse_assets.definitions.automation_condition import AutomationCondition as AutomationCondition
    from warehouse_assets.definitions.automation_contexts import RunStatusSensorContext as RunStatusSensorContext
    from warehouse_assets.definitions.automation_contexts import ScheduleEvaluationContext as ScheduleEvaluationContext
    from warehouse_assets.definitions.automation_contexts import SensorEvaluationContext as SensorEvaluationContext
    from warehouse_assets.definitions.automation_sensor import (
        AutomationConditionSensorDefinition as AutomationConditionSensorDefinition,
    )
    from warehouse_assets.definitions.check_specs import AssetCheckResult as AssetCheckResult
    from warehouse_assets.definitions.check_specs import AssetCheckSpec as AssetCheckSpec
    from warehouse_assets.definitions.checks import AssetChecksDefinition as AssetChecksDefinition
    from warehouse_assets.definitions.checks import asset_check as asset_check
    from warehouse_assets.definitions.checks import multi_asset_check as multi_asset_check
    from warehouse_assets.definitions.event_sensors import asset_sensor as asset_sensor
    from warehouse_assets.definitions.event_sensors import run_failure_sensor as run_failure_sensor
    from warehouse_assets.definitions.event_sensors import run_status_sensor as run_status_sensor
    from warehouse_assets.definitions.freshness_policy import FreshnessPolicy as FreshnessPolicy
    from warehouse_assets.definitions.graph_assets import graph_asset as graph_asset
    from warehouse_assets.definitions.graph_assets import graph_multi_asset as graph_multi_asset
    from warehouse_assets.definitions.graphs import GraphDefinition as GraphDefinition
    from warehouse_assets.definitions.graphs import GraphIn as GraphIn
    from warehouse_assets.definitions.graphs import GraphOut as GraphOut
    from warehouse_assets.definitions.graphs import graph as graph
    from warehouse_assets.definitions.job import UnresolvedAssetJobDefinition as UnresolvedAssetJobDefinition
    from warehouse_assets.definitions.job import define_asset_job as define_asset_job
    from warehouse_assets.definitions.multi_asset import AssetOut as AssetOut
    from warehouse_assets.definitions.multi_asset import multi_asset as multi_asset
    from warehouse_assets.definitions.ops import In as In
    from warehouse_assets.definitions.ops import Nothing as Nothing
    from warehouse_assets.definitions.ops import OpDefinition as OpDefinition
    from warehouse_assets.definitions.ops import Out as Out
    from warehouse_assets.definitions.ops import op as op
    from warehouse_assets.definitions.outputs import DataVersion as DataVersion
    from warehouse_assets.definitions.outputs import MaterializeResult as MaterializeResult
    from warehouse_assets.definitions.outputs import ObserveResult as ObserveResult
    from warehouse_assets.definitions.outputs import Output as Output
    from warehouse_assets.definitions.policies import BackfillPolicy as BackfillPolicy
    from warehouse_assets.definitions.policies import Backoff as Backoff
    from warehouse_assets.definitions.policies import Jitter as Jitter
    from warehouse_assets.definitions.policies import RetryPolicy as RetryPolicy
    from warehouse_assets.definitions.run_requests import AddDynamicPartitionsRequest as AddDynamicPartitionsRequest
    from warehouse_assets.definitions.run_requests import DeleteDynamicPartitionsRequest as DeleteDynamicPartitionsRequest
    from warehouse_assets.definitions.run_requests import RunRequest as RunRequest
    from warehouse_assets.definitions.run_requests import SkipReason as SkipReason
    from warehouse_assets.definitions.schedule import DefaultScheduleStatus as DefaultScheduleStatus
    from warehouse_assets.definitions.schedule import ScheduleDefinition as ScheduleDefinition
    from warehouse_assets.definitions.schedule import schedule as schedule
    from warehouse_assets.definitions.sensor import DefaultSensorStatus as DefaultSensorStatus
    from warehouse_assets.definitions.sensor import SensorDefinition as SensorDefinition
    from warehouse_assets.definitions.sensor import SensorResult as SensorResult
    from warehouse_assets.definitions.sensor import sensor as sensor
    from warehouse_assets.definitions.source import SourceAsset as SourceAsset
    from warehouse_assets.definitions.source import observable_source_asset as observable_source_asset
    from warehouse_assets.definitions.specs import AssetDep as AssetDep
    from warehouse_assets.definitions.specs import AssetIn as AssetIn
    from warehouse_assets.definitions.specs import AssetSpec as AssetSpec
    from warehouse_assets.definitions.sql_asset import sql_asset as sql_asset
    from warehouse_assets.errors import AssetCheckFailedError as AssetCheckFailedError
    from warehouse_assets.errors import Failure as Failure
    from warehouse_assets.errors import RetryRequested as RetryRequested
    from warehouse_assets.errors import WarehouseAssetsError as WarehouseAssetsError
    from warehouse_assets.events import AssetCheckEvaluation as AssetCheckEvaluation
    from warehouse_assets.events import AssetCheckSeverity as AssetCheckSeverity
    from warehouse_assets.events import AssetMaterialization as AssetMaterialization
    from warehouse_assets.events import AssetObservation as AssetObservation
    from warehouse_assets.execution.automation_contexts import build_schedule_context as build_schedule_context
    from warehouse_assets.execution.automation_contexts import build_sensor_context as build_sensor_context
    from warehouse_assets.execution.built_contexts import build_asset_context as build_asset_context
    from warehouse_assets.execution.built_contexts import build_op_context as build_op_context
    from warehouse_assets.execution.built_io_contexts import build_init_resource_context as build_init_resource_context
    from warehouse_assets.execution.built_io_contexts import build_input_context as build_input_context
    from warehouse_assets.execution.built_io_contexts import build_output_context as build_output_context
    from warehouse_assets.execution.check_context import AssetCheckExecutionContext as AssetCheckExecutionContext
    from warehouse_assets.execution.context import AssetExecutionContext as AssetExecutionContext
    from warehouse_assets.execution.context import OpExecutionContext as OpExecutionContext
    from warehouse_assets.execution.executors import InProcessExecutor as InProcessExecutor
    from warehouse_assets.execution.executors import ThreadExecutor as ThreadExecutor
    from warehouse_assets.execution.job import JobDefinition as JobDefinition
    from warehouse_assets.execution.materialize import materialize as materialize
    from warehouse_assets.execution.materialize import materialize_to_memory as materialize_to_memory
    from warehouse_assets.execution.observe import observe as observe
    from warehouse_assets.execution.run import RunResult as RunResult
    from warehouse_assets.execution.run_config import RunConfig as RunConfig
    from warehouse_assets.execution.with_resources import with_resources as with_resources
    from warehouse_assets.graph.selection import AssetSelection as AssetSelection
    from warehouse_assets.graph.tracing import LineageLink as LineageLink
    from warehouse_assets.graph.tracing import LineageNode as LineageNode
    from warehouse_assets.graph.tracing import LineageTrace as LineageTrace
    from warehouse_assets.instance import Instance as Instance
    from warehouse_assets.io_manager.base import IOManager as IOManager
    from warehouse_assets.io_manager.base import IOManagerDefinition as IOManagerDefinition
    from warehouse_assets.io_manager.base import io_manager as io_manager
    from warehouse_assets.io_manager.configurable import ConfigurableIOManager as ConfigurableIOManager
    from warehouse_assets.io_manager.contexts import InputContext as InputContext
    from warehouse_assets.io_manager.contexts import OutputContext as OutputContext
    from warehouse_assets.io_manager.registry import io_manager_from_uri as io_manager_from_uri
    from warehouse_assets.keys import AssetCheckKey as AssetCheckKey
    from warehouse_assets.keys import AssetKey as AssetKey
    from warehouse_assets.metadata import MetadataValue as MetadataValue
    from warehouse_assets.partitions.clock import TimeWindow as TimeWindow
    from warehouse_assets.partitions.cron import ScheduleType as ScheduleType
    from warehouse_assets.partitions.definition import PartitionKeyRange as PartitionKeyRange
    from warehouse_assets.partitions.definition import PartitionsDefinition as PartitionsDefinition
    from warehouse_assets.partitions.dynamic import DynamicPartitionsDefinition as DynamicPartitionsDefinition
    from warehouse_assets.partitions.mapping import AllPartitionMapping as AllPartitionMapping
    from warehouse_assets.partitions.mapping import IdentityPartitionMapping as IdentityPartitionMapping
    from warehouse_assets.partitions.mapping import LastPartitionMapping as LastPartitionMapping
    from warehouse_assets.partitions.mapping import PartitionMapping as PartitionMapping
    from warehouse_assets.partitions.mapping import PartitionsPair as PartitionsPair
    from warehouse_assets.partitions.mapping import SpecificPartitionsPartitionMapping as SpecificPartitionsPartitionMapping
    from warehouse_assets.partitions.mapping import StaticPartitionMapping as StaticPartitionMapping
    from warehouse_assets.partitions.mapping import UpstreamPartitions as UpstreamPartitions
    from warehouse_assets.partitions.multi import MultiPartitionKey as MultiPartitionKey
    from warehouse_assets.partitions.multi import MultiPartitionsDefinition as MultiPartitionsDefinition
    from warehouse_assets.partitions.multi_mapping import DimensionPartitionMapping as DimensionPartitionMapping
    from warehouse_assets.partitions.multi_mapping import MultiPartitionMapping as MultiPartitionMapping
    from warehouse_assets.partitions.multi_mapping import (
        MultiToSingleDimensionPartitionMapping as MultiToSingleDimensionPartitionMapping,
    )
    from warehouse_assets.partitions.periodic import DailyPartitionsDefinition as DailyPartitionsDefinition
    from warehouse_assets.partitions.periodic import HourlyPartitionsDefinition as HourlyPartitionsDefinition
    from warehouse_assets.partitions.periodic import MonthlyPartitionsDefinition as MonthlyPartitionsDefinition
    from warehouse_assets.partitions.periodic import WeeklyPartitionsDefinition as WeeklyPartitionsDefinition
    from warehouse_assets.partitions.static import StaticPartitionsDefinition as StaticPartitionsDefinition
    from warehouse_assets.partitions.time_window import TimeWindowPartitionsDefinition as TimeWindowPartitionsDefinition
    from warehouse_assets.partitions.time_window_mapping import TimeWindowPartitionMapping as TimeWindowPartitionMapping
    from warehouse_assets.planning.plan import Plan as Plan
    from warehouse_assets.resources import EnvVar as EnvVar
    from warehouse_assets.resources import InitResourceContext as InitResourceContext
    from warehouse_assets.resources import ResourceDefinition as ResourceDefinition
    from warehouse_assets.resources import resource as resource
    from warehouse_assets.sql.composition import Identifier as Identifier
    from warehouse_assets.sql.value import SQL as SQL
    from warehouse_assets.table_options import TableOptions as TableOptions
    from warehouse_assets.table_options import WriteMode as WriteMode
    from warehouse_assets.table_options import delete_insert as delete_insert
    from warehouse_assets.table_options import snapshot as snapshot
    from warehouse_assets.table_options import upsert as upsert
    from warehouse_assets.tables import Table as Table
    from warehouse_assets.tables import TableColumn as TableColumn
    from warehouse_assets.tables import TableSchema as TableSchema

_HOMES = {
    "AddDynamicPartitionsRequest": "definitions.run_requests",
    "AllPartitionMapping": "partitions.mapping",
    "AssetCheckEvaluation": "events",
    "AssetCheckExecutionContext": "execution.check_context",
    "AssetCheckFailedError": "errors",
    "AssetCheckKey": "keys",
    "AssetCheckResult": "definitions.check_specs",
    "AssetCheckSeverity": "events",
    "AssetCheckSpec": "definitions.check_specs",
    "AssetChecksDefinition": "definitions.checks",
    "AssetDep": "definitions.specs",
    "AssetExecutionContext": "execution.context",
    "AssetIn": "definitions.specs",
    "AssetKey": "keys",
    "AssetMaterialization": "events",
    "AssetObservation": "events",
    "AssetOut": "definitions.multi_asset",
    "AssetSelection": "graph.selection",
    "AssetSpec": "definitions.specs",
    "AssetsDefinition": "definitions.assets",
    "AutomationCondition": "definitions.automation_condition",
    "AutomationConditionSensorDefinition": "definitions.automation_sensor",
    "Backfill": "automation_records",
    "BackfillPolicy": "definitions.policies",
    "Backoff": "definitions.policies",
    "Config": "config",
    "ConfigurableIOManager": "io_manager.configurable",
    "ConfigurableResource": "config",
    "DailyPartitionsDefinition": "partitions.periodic",
    "DataVersion": "definitions.outputs",
    "DefaultScheduleStatus": "definitions.schedule",
    "DefaultSensorStatus": "definitions.sensor",
    "Definitions": "code_location.definitions",
    "DeleteDynamicPartitionsRequest": "definitions.run_requests",
    "DimensionPartitionMapping": "partitions.multi_mapping",
    "DynamicPartitionsDefinition": "partitions.dynamic",
    "EnvVar": "resources",
    "Failure": "errors",
    "FreshnessPolicy": "definitions.freshness_policy",
    "GraphDefinition": "definitions.graphs",
    "GraphIn": "definitions.graphs",
    "GraphOut": "definitions.graphs",
    "HourlyPartitionsDefinition": "partitions.periodic",
    "IOManager": "io_manager.base",
    "IOManagerDefinition": "io_manager.base",
    "Identifier": "sql.composition",
    "IdentityPartitionMapping": "partitions.mapping",
    "In": "definitions.ops",
    "InProcessExecutor": "execution.executors",
    "InitResourceContext": "resources",
    "InputContext": "io_manager.contexts",
    "Instance": "instance",
    "Jitter": "definitions.policies",
    "JobDefinition": "execution.job",
    "LastPartitionMapping": "partitions.mapping",
    "LineageLink": "graph.tracing",
    "LineageNode": "graph.tracing",
    "LineageTrace": "graph.tracing",
    "MaterializeResult": "definitions.outputs",
    "MetadataValue": "metadata",
    "MonthlyPartitionsDefinition": "partitions.periodic",
    "MultiPartitionKey": "partitions.multi",
    "MultiPartitionMapping": "partitions.multi_mapping",
    "MultiPartitionsDefinition": "partitions.multi",
    "MultiToSingleDimensionPartitionMapping": "partitions.multi_mapping",
    "Nothing": "definitions.ops",
    "ObserveResult": "definitions.outputs",
    "OpDefinition": "definitions.ops",
    "OpExecutionContext": "execution.context",
    "Out": "definitions.ops",
    "Output": "definitions.outputs",
    "OutputContext": "io_manager.contexts",
    "PartitionKeyRange": "partitions.definition",
    "PartitionMapping": "partitions.mapping",
    "PartitionsDefinition": "partitions.definition",
    "PartitionsPair": "partitions.mapping",
    "PermissiveConfig": "config",
    "Plan": "planning.plan",
    "ResourceDefinition": "resources",
    "RetryPolicy": "definitions.policies",
    "RetryRequested": "errors",
    "RunConfig": "execution.run_config",
    "RunRequest": "definitions.run_requests",
    "RunResult": "execution.run",
    "RunStatusSensorContext": "definitions.automation_contexts",
    "Runs": "automation.runs",
    "SQL": "sql.value",
    "ScheduleDefinition": "definitions.schedule",
    "ScheduleEvaluationContext": "definitions.automation_contexts",
    "ScheduleType": "partitions.cron",
    "SensorDefinition": "definitions.sensor",
    "SensorEvaluationContext": "definitions.automation_contexts",
    "SensorResult": "definitions.sensor",
    "SkipReason": "definitions.run_requests",
    "SourceAsset": "definitions.source",
    "SpecificPartitionsPartitionMapping": "partitions.mapping",
    "StaticPartitionMapping": "partitions.mapping",
    "StaticPartitionsDefinition": "partitions.static",
    "Table": "tables",
    "TableColumn": "tables",
    "TableColumnDep": "column_lineage",
    "TableColumnLineage": "column_lineage",
    "TableOptions": "table_options",
    "TableSchema": "tables",
    "ThreadExecutor": "execution.executors",
    "TimeWindow": "partitions.clock",
    "TimeWindowPartitionMapping": "partitions.time_window_mapping",
    "TimeWindowPartitionsDefinition": "partitions.time_window",
    "UnresolvedAssetJobDefinition": "definitions.job",
    "UpstreamPartitions": "partitions.mapping",
    "WarehouseAssetsError": "errors",
    "WeeklyPartitionsDefinition": "partitions.periodic",
    "Workspace": "code_location.workspace",
    "WriteMode": "table_options",
    "asset": "definitions.asset",
    "asset_check": "definitions.checks",
    "asset_sensor": "definitions.event_sensors",
    "backfill": "automation.backfill_runs",
    "build_asset_context": "execution.built_contexts",
    "build_init_resource_context": "execution.built_io_contexts",
    "build_input_context": "execution.built_io_contexts",
    "build_op_context": "execution.built_contexts",
    "build_output_context": "execution.built_io_contexts",
    "build_schedule_context": "execution.automation_contexts",
    "build_sensor_context": "execution.automation_contexts",
    "define_asset_job": "definitions.job",
    "delete_insert": "table_options",
    "evaluate_automation_conditions": "automation.condition_trial",
    "graph": "definitions.graphs",
    "graph_asset": "definitions.graph_assets",
    "graph_multi_asset": "definitions.graph_assets",
    "io_manager": "io_manager.base",
    "io_manager_from_uri": "io_manager.registry",
    "load_asset_checks_from_current_module": "code_location.loaders",
    "load_asset_checks_from_modules": "code_location.loaders",
    "load_asset_checks_from_package_module": "code_location.loaders",
    "load_asset_checks_from_package_name": "code_location.loaders",
    "load_assets_from_current_module": "code_location.loaders",
    "load_assets_from_modules": "code_location.loaders",
    "load_assets_from_package_module": "code_location.loaders",
    "load_assets_from_package_name": "code_location.loaders",
    "load_assets_from_sql_files": "code_location.sql_files",
    "materialize": "execution.materialize",
    "materialize_to_memory": "execution.materialize",
    "multi_asset": "definitions.multi_asset",
    "multi_asset_check": "definitions.checks",
    "observable_source_asset": "definitions.source",
    "observe": "execution.observe",
    "op": "definitions.ops",
    "resource": "resources",
    "run_failure_sensor": "definitions.event_sensors",
    "run_status_sensor": "definitions.event_sensors",
    "schedule": "definitions.schedule",
    "sensor": "definitions.sensor",
    "snapshot": "table_options",
    "sql_asset": "definitions.sql_asset",
    "upsert": "table_options",
    "with_resources": "execution.with_resources",
}

__all__ = [  # noqa: PLE0604
    *_HOMES,
]


def __getattr__(name: str) -> Any:
    home = _HOMES.get(name)
    if home is None:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    module = import_module(f"{__name__}.{home}")
    return globals().setdefault(name, getattr(module, name))  # importing has bound `io_manager`, which is a package too


def __dir__() -> list[str]:
    return sorted({*globals(), *_HOMES})
