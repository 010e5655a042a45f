"""`JobDefinition`: a job whose assets are known, and that can run."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from warehouse_assets.definitions.job import UnresolvedAssetJobDefinition
from warehouse_assets.definitions.naming import Faults
from warehouse_assets.errors import (
    InvalidConfigError,
    InvalidDefinitionError,
    InvalidSelectionError,
    close_matches,
)
from warehouse_assets.execution.executors import Executor, InProcessExecutor
from warehouse_assets.execution.plan import Plan
from warehouse_assets.execution.prepare import PreparedRun, prepare_run
from warehouse_assets.execution.run import RunResult, execute_run
from warehouse_assets.execution.run_config import CoercibleToRunConfig, RunConfig, configurable_names
from warehouse_assets.graph.asset_graph import AssetGraph
from warehouse_assets.graph.selection import CoercibleToAssetSelection, select_checks, select_executable
from warehouse_assets.keys import AssetCheckKey, AssetKey, user_strings

if TYPE_CHECKING:
    from warehouse_assets.instance import Instance
    from warehouse_assets.partitions.definition import PartitionKeyRange

__all__ = ["JobDefinition", "resolve_job"]


@dataclass(frozen=True, eq=False)
class JobDefinition:
    """Assets that are made together, under a name: `asset_keys` of `graph`, with these checks and resources."""

    name: str
    graph: AssetGraph = field(repr=False)
    asset_keys: frozenset[AssetKey]
    check_keys: frozenset[AssetCheckKey] = frozenset()
    resources: Mapping[str, Any] = field(default_factory=dict, repr=False)
    config: RunConfig = field(default_factory=RunConfig)
    description: str | None = None
    tags: Mapping[str, str] = field(default_factory=dict)
    run_tags: Mapping[str, str] = field(default_factory=dict)
    metadata: Mapping[str, Any] = field(default_factory=dict)
    partitions_def: Any = None
    executor: Executor | None = None

    def execute_in_process(
        self,
        run_config: CoercibleToRunConfig = None,
        *,
        instance: Instance | None = None,
        resources: Mapping[str, Any] | None = None,
        partition_key: str | None = None,
        partition_key_range: PartitionKeyRange | None = None,
        tags: Mapping[str, str] | None = None,
        raise_on_error: bool = True,
        asset_selection: CoercibleToAssetSelection | None = None,
    ) -> RunResult:
        """Make the assets of the job, or the `asset_selection` of them, one after the other, as `materialize` does.

        What `run_config` says of an asset or resource replaces what the job's own configuration says of it; `resources` and
        `tags` are added to those of the job, and replace those of the same name.
        """
        return self.execute(
            self.select(asset_selection),
            checks=self.select_checks(asset_selection),
            run_config=run_config,
            instance=instance,
            resources=resources,
            partition_key=partition_key,
            partition_key_range=partition_key_range,
            tags=tags,
            raise_on_error=raise_on_error,
            executor=InProcessExecutor(),
        )

    def select(self, asset_selection: CoercibleToAssetSelection | None) -> Collection[AssetKey]:
        """The assets of the job that a selection means, or all; InvalidSelectionError for one that is not in the job."""
        if asset_selection is None:
            return self.asset_keys
        selected = select_executable(self.graph, asset_selection)
        if outside := selected - self.asset_keys:
            raise InvalidSelectionError(f"the job {self.name!r} does not make {user_strings(outside)}")
        return selected

    def select_checks(self, asset_selection: CoercibleToAssetSelection | None) -> set[AssetCheckKey]:
        """The checks of the job that a selection means, or all."""
        chosen = set(self.check_keys)
        return chosen if asset_selection is None else chosen & select_checks(self.graph, asset_selection)

    def execute(
        self,
        selected: Collection[AssetKey],
        *,
        checks: Collection[AssetCheckKey] | None = None,
        run_config: CoercibleToRunConfig = None,
        resources: Mapping[str, Any] | None = None,
        tags: Mapping[str, str] | None = None,
        executor: Executor | None = None,
        **options: Any,
    ) -> RunResult:
        """Make some assets of the job as `execute_run` does, with the configuration, resources, tags and executor of the job."""
        return execute_run(
            self.graph,
            selected,
            **self._asked(selected, checks, run_config, resources),
            tags={**self.run_tags, **(tags or {})},
            executor=executor or self.executor,
            job_name=self.name,
            **options,
        )

    def prepare(
        self,
        selected: Collection[AssetKey],
        *,
        checks: Collection[AssetCheckKey] | None = None,
        run_config: CoercibleToRunConfig = None,
        **options: Any,
    ) -> PreparedRun:
        """Check all that a run of some assets of the job needs, as `prepare_run` does, with what `execute` adds."""
        return prepare_run(self.graph, selected, **self._asked(selected, checks, run_config, None), **options)

    def _asked(
        self,
        selected: Collection[AssetKey],
        checks: Collection[AssetCheckKey] | None,
        run_config: CoercibleToRunConfig,
        resources: Mapping[str, Any] | None,
    ) -> dict[str, Any]:
        """What a run of some assets of the job is given, which is what the job says and what is given in its place."""
        return {
            "checks": self.check_keys & self.graph.checks_of(selected) if checks is None else checks,
            "resources": {**self.resources, **(resources or {})},
            "run_config": self._merged(RunConfig.of(run_config), selected, checks),
        }

    def _merged(self, given: RunConfig, selected: Collection[AssetKey], checks: Collection[AssetCheckKey] | None) -> RunConfig:
        """The job's configuration of what runs, and what is given, which wins for each asset and resource."""
        own = self.config.ops
        if own and (len(selected) < len(self.asset_keys) or checks is not None):
            running = configurable_names(Plan.build(self.graph, selected, checks))
            own = {name: value for name, value in own.items() if name in running}
        return RunConfig({**own, **given.ops}, {**self.config.resources, **given.resources})


def resolve_job(
    declared: UnresolvedAssetJobDefinition,
    graph: AssetGraph,
    faults: Faults,
    *,
    resources: Mapping[str, Any],
    executor: Executor | None = None,
    plan: bool = True,
) -> JobDefinition | None:
    """The job with its assets looked up in the graph; None where something is wrong with it, which is noted in `faults`.

    `plan` is whether the graph is sound, so that it can be asked in which order the job runs.
    """
    own = Faults(f"job {declared.name!r}: ", declared.place)
    try:
        selected = select_executable(graph, declared.selection)
        checks = select_checks(graph, declared.selection)
        config = RunConfig.of(declared.config)
        partitions_def = _shared_partitions(declared, graph, selected, own)
        if plan:
            _check_config(config, Plan.build(graph, selected, checks), own)
    except (InvalidSelectionError, InvalidConfigError, InvalidDefinitionError) as error:
        own.add(error.message, hint=error.hint)
    faults.errors += own.errors
    if own.errors:
        return None
    return JobDefinition(
        declared.name,
        graph,
        frozenset(selected),
        frozenset(checks),
        resources,
        config,
        declared.description,
        declared.tags,
        declared.run_tags if declared.run_tags is not None else declared.tags,
        declared.metadata,
        partitions_def,
        declared.executor or executor,
    )


def _check_config(config: RunConfig, plan: Plan, faults: Faults) -> None:
    known = configurable_names(plan) if config.ops else {}
    for name in config.ops:
        if name not in known:
            faults.add(f"it configures {name!r}, which is no asset of the job", hint=close_matches(name, list(known)))


def _shared_partitions(
    declared: UnresolvedAssetJobDefinition, graph: AssetGraph, selected: Collection[AssetKey], faults: Faults
) -> Any:
    """How the job is partitioned: as those of its assets are that are partitioned, which have to be so alike."""
    by_key = {key: graph.nodes[key].spec.partitions_def for key in sorted(selected)}
    own = {key: partitions_def for key, partitions_def in by_key.items() if partitions_def is not None}
    wanted = declared.partitions_def or next(iter(own.values()), None)
    if other := [key for key, partitions_def in own.items() if partitions_def != wanted]:
        if declared.partitions_def is not None:
            hint = "Leave its partitions_def out, or give that of the assets."
            faults.add(f"it is partitioned otherwise than {user_strings(other)}", hint=hint)
        else:
            first, *_ = own
            what = f"its assets are not partitioned alike: {first.to_user_string()!r} has {wanted}, {other[0].to_user_string()!r} has {own[other[0]]}"
            faults.add(what, hint="Make a job of each.")
    if wanted is not None and not own:
        hint = "Give the assets a partitions_def, or leave that of the job out."
        faults.add("it is partitioned, and none of its assets is", hint=hint)
    return wanted
