"""What a run needs, found and checked before it is recorded: its plan, partitions, resources and configuration."""

from __future__ import annotations

import os
import time
from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from warehouse_assets.errors import ResourceError
from warehouse_assets.events import RunRecord
from warehouse_assets.execution.partitions import ChosenPartitions, choose_partitions
from warehouse_assets.execution.plan import Plan
from warehouse_assets.execution.run_config import CoercibleToRunConfig, RunConfig, configurable_names, validate_run_config
from warehouse_assets.execution.versions import keys_to_refresh
from warehouse_assets.graph.asset_graph import AssetGraph
from warehouse_assets.graph.requirements import merge_resources, missing_resources, required_by_checks, required_resources
from warehouse_assets.graph.tables import check_stores, check_table_names
from warehouse_assets.keys import AssetCheckKey, AssetKey

if TYPE_CHECKING:
    from warehouse_assets.partitions.definition import PartitionKeyRange

__all__ = ["PreparedRun", "prepare_run"]


@dataclass(frozen=True, slots=True, eq=False)
class PreparedRun:
    """A run that can start: `configs` are the configuration objects by step, `needed` says why each resource is needed."""

    plan: Plan
    partitions: ChosenPartitions | None
    run_config: RunConfig
    configs: Mapping[str, Any]
    resources: dict[str, Any]
    needed: Mapping[str, str]
    check_keys: tuple[AssetCheckKey, ...] | None

    def record(self, tags: Mapping[str, str], job_name: str | None = None) -> RunRecord:
        """A new record of the run, which waits to be started."""
        return RunRecord(
            run_id=os.urandom(8).hex(),
            status="QUEUED",
            created=time.time(),
            job_name=job_name,
            tags={**tags, **self.partitions.tags} if self.partitions is not None else dict(tags),
            asset_keys=self.plan.asset_keys,
            config=self.run_config.to_dict(),
            check_keys=self.check_keys,
        )


def prepare_run(
    graph: AssetGraph,
    selected: Collection[AssetKey],
    *,
    checks: Collection[AssetCheckKey] | None = None,
    resources: Mapping[str, Any],
    run_config: CoercibleToRunConfig = None,
    instance: Any,
    partition_key: str | None = None,
    partition_key_range: PartitionKeyRange | None = None,
    only_stale: bool = False,
    done: Collection[str] = (),
) -> PreparedRun:
    """Plan a run and check all it needs; `done` are the keys of steps that are left out, as an earlier run made them.

    Of the `instance` no more is asked than the dynamic partitions, unless `only_stale` is.
    """
    plan = Plan.build(graph, selected, checks)
    if done:
        selected, checks = _left(plan, done)
        plan = Plan.build(graph, selected, checks)
        if not any(step.definition.partitions_def for step in plan.steps):
            partition_key = partition_key_range = None  # all that is partitioned is done
    partitions = choose_partitions(graph, plan, partition_key, partition_key_range, instance)
    if only_stale:
        every, selected = selected, keys_to_refresh(graph, selected, instance, partitions)
        checks = None if checks is None else [key for key in checks if key.asset_key in selected or key.asset_key not in every]
        plan = Plan.build(graph, selected, checks)
    config = RunConfig.of(run_config)
    if done:
        config = _of_plan(config, plan)
    definitions = [step.definition for step in plan.steps if step.outputs]
    given = merge_resources(graph, resources, _nodes_touched(graph, plan), plan.checks)
    needed = {**required_by_checks(graph, plan.checks), **required_resources(graph, definitions)}
    if faults := missing_resources(needed, given):
        raise ResourceError("; ".join(faults))
    configs, given = validate_run_config(plan, config, given)
    check_table_names(graph, given)
    check_stores(graph, given)
    return PreparedRun(plan, partitions, config, configs, given, needed, _chosen_checks(graph, plan, checks))


def _left(plan: Plan, done: Collection[str]) -> tuple[set[AssetKey], list[AssetCheckKey]]:
    """The assets and checks of the steps of a plan that are not done."""
    steps = [step for step in plan.steps if step.key not in done]
    checks = [key for step in steps for key in step.checks.own]
    checks += [node.key for step in steps for call in step.checks.calls for node in call.nodes]
    return {key for step in steps for key in step.asset_keys}, checks


def _of_plan(config: RunConfig, plan: Plan) -> RunConfig:
    """The configuration without that of assets which the plan does not make."""
    known = configurable_names(plan)
    return replace(config, ops={name: value for name, value in config.ops.items() if name in known})


def _chosen_checks(graph: AssetGraph, plan: Plan, checks: Collection[AssetCheckKey] | None) -> tuple[AssetCheckKey, ...] | None:
    """The checks that a run evaluates, where they are others than those of its assets."""
    if checks is None or set(checks) == set(graph.checks_of(plan.asset_keys)):
        return None
    return tuple(sorted(checks, key=AssetCheckKey.to_escaped_string))


def _nodes_touched(graph: AssetGraph, plan: Plan) -> list[Any]:
    keys: dict[AssetKey, None] = {}
    for step in plan.steps:
        for key in step.asset_keys:
            keys[key] = None
            keys.update(dict.fromkeys(graph.nodes[key].parents))
    for check in plan.checks:
        keys.update(dict.fromkeys((check.spec.asset_key, *sorted(check.needs))))
    return [graph.nodes[key] for key in keys]
