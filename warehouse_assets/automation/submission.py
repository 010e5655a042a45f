"""From what somebody asks for to the record of a run that waits, and from the record back to the run."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from warehouse_assets.errors import InvalidConfigError, InvalidSelectionError
from warehouse_assets.events import PARTITION_RANGE_END_TAG, PARTITION_RANGE_START_TAG, PARTITION_TAG, CodeLocation, RunRecord
from warehouse_assets.execution.executors import ThreadExecutor
from warehouse_assets.execution.partitions import ProjectRecord
from warehouse_assets.execution.prepare import prepare_run
from warehouse_assets.execution.run import RunResult, execute_run
from warehouse_assets.execution.run_config import CoercibleToRunConfig, RunConfig
from warehouse_assets.graph.selection import CoercibleToAssetSelection, select_checks, select_executable
from warehouse_assets.keys import AssetKey, user_strings
from warehouse_assets.telemetry.trace_context import trace_tags

if TYPE_CHECKING:
    from warehouse_assets.code_location.definitions import Definitions
    from warehouse_assets.partitions.definition import PartitionKeyRange

__all__ = ["execute_recorded", "run_for"]


def run_for(
    definitions: Definitions,
    location: CodeLocation,
    *,
    job_name: str | None = None,
    selection: CoercibleToAssetSelection | None = None,
    partition_key: str | None = None,
    partition_key_range: PartitionKeyRange | None = None,
    run_config: CoercibleToRunConfig = None,
    tags: Mapping[str, str] | None = None,
    run_key: str | None = None,
    instance: Any = None,
) -> RunRecord:
    """The record of a run of a job, or of selected assets, that a process of its own is to run; nothing is stored.

    It is checked as the run itself would be: raises InvalidSelectionError, InvalidConfigError, PartitionNotFoundError or another error for what
    cannot run. The `instance` is asked for dynamic partitions; it is that of the project unless given.
    """
    config = RunConfig.of(run_config)
    if config.resources:
        raise InvalidConfigError(
            f"the run configures resources: {', '.join(config.resources)}",
            hint="What waits is recorded, and that may hold secrets. Configure them in the job, or read them from the environment.",
        )
    asked: dict[str, Any] = {
        "instance": instance if instance is not None else ProjectRecord(),
        "partition_key": partition_key,
        "partition_key_range": partition_key_range,
        "run_config": config,
    }
    if job_name is not None:
        job = definitions.get_job_def(job_name)
        given, checks = job.run_tags, job.select_checks(selection) if selection is not None else None
        prepared = job.prepare(job.select(selection), checks=checks, **asked)
    else:
        graph = definitions.graph
        given, checks = {}, None if selection is None else select_checks(graph, selection)
        selected = select_executable(graph, selection)
        prepared = prepare_run(graph, selected, checks=checks, resources=definitions.resources, **asked)
    record = prepared.record({**trace_tags(), **given, **(tags or {})}, job_name)
    return replace(record, location=location, run_key=run_key)


def execute_recorded(definitions: Definitions, run: RunRecord, *, done: Collection[str] = (), **options: Any) -> RunResult:
    """Run what is recorded and waits, under its own id. Takes what `execute_run` takes beside what the record says.

    InvalidSelectionError where assets of it are no longer there, RunTakenError where the run does not wait any more.
    """
    graph = definitions.graph
    if gone := [key for key in run.asset_keys if key not in graph or not graph.nodes[key].is_executable]:
        raise InvalidSelectionError(f"run {run.run_id!r} is to make what is not there any more: {user_strings(gone)}")
    options |= {"recorded": run, "tags": run.tags, "run_config": run.config, "checks": run.check_keys, "done": done}
    options |= partitions_of(run)
    selected: Collection[AssetKey] = set(run.asset_keys)
    if run.job_name is not None:
        job = definitions.get_job_def(run.job_name)
        options.setdefault("executor", job.executor or ThreadExecutor())
        return job.execute(selected, **options)
    options.setdefault("executor", definitions.executor or ThreadExecutor())
    return execute_run(graph, selected, resources=definitions.resources, **options)


def partitions_of(run: RunRecord) -> dict[str, Any]:
    """The partitions that a run is for, as `execute_run` takes them."""
    if PARTITION_TAG in run.tags:
        return {"partition_key": run.tags[PARTITION_TAG]}
    if PARTITION_RANGE_START_TAG in run.tags:
        from warehouse_assets.partitions.definition import PartitionKeyRange

        return {
            "partition_key_range": PartitionKeyRange(run.tags[PARTITION_RANGE_START_TAG], run.tags[PARTITION_RANGE_END_TAG])
        }
    return {}
