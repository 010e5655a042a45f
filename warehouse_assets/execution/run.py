"""One run, from its plan to its record, and the result of it."""

from __future__ import annotations

import logging
import threading
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Literal

from warehouse_assets.definitions.specs import DEFAULT_IO_MANAGER_KEY
from warehouse_assets.errors import RunTakenError
from warehouse_assets.events import AssetCheckEvaluation, AssetMaterialization, CodeLocation, Event, RunRecord, error_line
from warehouse_assets.execution.capture import LogEvents
from warehouse_assets.execution.executors import Executor, InProcessExecutor
from warehouse_assets.execution.heartbeat import Heartbeat
from warehouse_assets.execution.notebook import progress_here, result_table
from warehouse_assets.execution.plan import Step
from warehouse_assets.execution.pools import uses_pools
from warehouse_assets.execution.prepare import prepare_run
from warehouse_assets.execution.resources import DefaultIOManager, ResourcePool
from warehouse_assets.execution.run_config import CoercibleToRunConfig
from warehouse_assets.execution.session import Listener, RunSession
from warehouse_assets.execution.state import RunState
from warehouse_assets.execution.telemetry import watch
from warehouse_assets.graph.asset_graph import AssetGraph
from warehouse_assets.keys import AssetCheckKey, AssetKey, CoercibleToAssetKey

if TYPE_CHECKING:
    from warehouse_assets.instance import Instance
    from warehouse_assets.partitions.definition import PartitionKeyRange

__all__ = ["RunResult", "execute_run"]


class RunResult:
    """How a run went: what it recorded, and what it made.

    Steps are named by their asset (`staging/orders`) or by their function (`staging__orders`).
    """

    def __init__(self, session: RunSession, events: Sequence[Event], state: RunState) -> None:
        self._session = session
        self._state = state
        self.events = events

    @property
    def success(self) -> bool:
        """Whether every step ended well."""
        return not self._session.failures and not self._state.open

    @property
    def run_id(self) -> str:
        """The id of the run."""
        return self._session.run.run_id

    @property
    def failures(self) -> Mapping[str, BaseException]:
        """The error of each step that failed, by its name."""
        return {step.key: error for step, error in self._session.failures}

    def steps(self, *statuses: Any) -> list[str]:
        """The names of the steps that ended as "success", "fresh", "failure", "skipped" or "no_output"; of all when none is given."""
        steps = self._state.steps_with(*statuses) if statuses else self._session.plan.steps
        return [step.key for step in steps]

    def output_for_node(self, node_name: str, output_name: str | None = None) -> Any:
        """The value of an asset, named by its step, as the I/O manager loads it."""
        outputs = [output for step in self._steps(node_name) for output in step.outputs]
        for output in outputs:
            if output.name == (output_name or "result") or (output_name is None and len(outputs) == 1):
                return self.asset_value(output.spec.key)
        raise LookupError(f"{node_name!r} has no output {output_name or 'result'!r}")

    def asset_value(self, key: CoercibleToAssetKey, *, as_type: Any = None, partition_key: str | None = None) -> Any:
        """The value of an asset, as the I/O manager loads it; None for one that stores nothing.

        Of a partitioned asset it is one partition, or those that the run made, or, where it made none of it, the whole.
        """
        asset_key = AssetKey.coerce(key)
        node = self._session.graph.nodes.get(asset_key)
        if node is not None and node.definition is not None and node.definition.function.returns_nothing:
            return None
        made = None
        if partition_key is None and node is not None and node.spec.partitions_def is not None and node.definition is not None:
            made = self._session.partitions.made(node.definition) if asset_key in self._session.plan.asset_keys else None
        return self._session.tables.load(asset_key, as_type, partition_key=partition_key, partition_keys=made)

    def get_asset_materialization_events(self) -> list[Event]:
        """The events of all materializations, in order."""
        return [event for event in self.events if event.event_type == "ASSET_MATERIALIZATION"]

    def asset_materializations_for_node(self, node_name: str) -> list[AssetMaterialization]:
        """What a step recorded of the assets it made."""
        keys = {step.key for step in self._steps(node_name)}
        return [
            event.asset_materialization
            for event in self.events
            if event.step_key in keys and event.asset_materialization is not None
        ]

    def get_asset_check_evaluations(self) -> list[AssetCheckEvaluation]:
        """How the checks of the run went, in order."""
        return [found for event in self.events if (found := event.asset_check_evaluation) is not None]

    def get_failed_asset_check_evaluations(self) -> list[AssetCheckEvaluation]:
        """The evaluations of those that did not pass, warnings included."""
        return [evaluation for evaluation in self.get_asset_check_evaluations() if not evaluation.passed]

    def _steps(self, name: str) -> list[Step]:
        """The step of this name, or all those of the definition of this name, which may have run in parts."""
        steps = self._session.plan.steps
        for step in steps:
            if name == step.definition.node_name:
                return [other for other in steps if other.definition is step.definition]
            if name in (step.key, *(key.to_user_string() for key in step.asset_keys)):
                return [step]
        raise LookupError(f"the run has no step {name!r}; it has {', '.join(self.steps())}")

    def _repr_html_(self) -> str:
        from warehouse_assets.html import drawn

        return drawn(self, lambda: result_table(repr(self)[1:-1], self._session.plan.steps, self._state.status, self.events))

    def __repr__(self) -> str:
        made = len(self._state.steps_with("success", "no_output"))
        how = "success" if self.success else "failure"
        return f"<RunResult {self.run_id}: {how}, {made} of {len(self._session.plan.steps)} steps>"


def execute_run(
    graph: AssetGraph,
    selected: Collection[AssetKey],
    *,
    checks: Collection[AssetCheckKey] | None = None,
    resources: Mapping[str, Any],
    run_config: CoercibleToRunConfig = None,
    instance: Instance | None = None,
    tags: Mapping[str, str],
    partition_key: str | None = None,
    partition_key_range: PartitionKeyRange | None = None,
    raise_on_error: bool = True,
    executor: Executor | None = None,
    listeners: Sequence[Listener] = (),
    job_name: str | None = None,
    only_stale: bool = False,
    location: CodeLocation | None = None,
    recorded: RunRecord | None = None,
    done: Collection[str] = (),
    heartbeat: Heartbeat | Literal["own"] | None = None,
) -> RunResult:
    """Plan a run, check all it needs, run it and record it. Nothing is recorded of a run that cannot start.

    The `checks` of the selected assets are evaluated, unless others are given. A run that is `recorded` already, and waits, goes on under its
    own id and tags; RunTakenError where it waits no more. A new one is recorded with the `location` that it can be run again from. The steps whose keys are `done` are left out. The `heartbeat` may interrupt it while steps run.
    """
    from warehouse_assets.instance import Instance

    record = instance if instance is not None else Instance.ephemeral()
    prepared = prepare_run(
        graph,
        selected,
        checks=checks,
        resources=resources,
        run_config=run_config,
        instance=record,
        partition_key=partition_key,
        partition_key_range=partition_key_range,
        only_stale=only_stale,
        done=done,
    )
    plan, given, needed = prepared.plan, prepared.resources, prepared.needed
    given.setdefault(DEFAULT_IO_MANAGER_KEY, DefaultIOManager(lambda: record))
    run = recorded or prepared.record(tags, job_name)
    if location is not None:
        run = replace(run, location=location, status="STARTING")  # it does not wait for a daemon
    pool = ResourcePool(given, run_id=run.run_id, instance=record)
    seen: list[Event] = []
    session = RunSession(
        graph=graph,
        plan=plan,
        run=run,
        instance=record,
        pool=pool,
        configs=prepared.configs,
        listeners=(seen.append, *listeners, *progress_here(len(plan.steps))),
        partitions=prepared.partitions,
        only_stale=only_stale,
    )
    watch(session, given)
    state = RunState(plan)
    _lead(session, state, executor or InProcessExecutor(), needed, recorded=recorded is not None, heartbeat=heartbeat)
    result = RunResult(session, seen, state)
    if raise_on_error and session.failures:
        _raise_first(session.failures)
    return result


def _lead(
    session: RunSession,
    state: RunState,
    executor: Executor,
    needed: Mapping[str, str],
    *,
    recorded: bool,
    heartbeat: Heartbeat | Literal["own"] | None,
) -> None:
    """Start the resources, run the steps, and record how the run began and ended, whatever happens in between."""
    _begin(session, recorded=recorded)
    try:
        try:
            with _beating(session, heartbeat):
                session.pool.start(name for name in needed if name in session.pool.names)
                executor.execute(session, state)
        finally:
            session.pool.close()
    except KeyboardInterrupt:
        done = len(state.steps_with("success", "no_output"))
        session.end("RUN_CANCELED", message=f"canceled after {done} of {len(session.plan.steps)} steps")
        raise
    except BaseException as error:
        session.end("RUN_FAILURE", message=error_line(error))
        raise
    _record_end(session, state)


def _begin(session: RunSession, *, recorded: bool) -> None:
    session.record(session.event("RUN_START"))
    if not recorded:
        session.instance.create_run(session.run)
    elif not session.flush_if(("QUEUED", "STARTING")):
        raise RunTakenError(
            f"run {session.run.run_id!r} does not wait to be started", hint="Another process has it, or it was canceled."
        )


@contextmanager
def _beating(session: RunSession, given: Heartbeat | Literal["own"] | None) -> Iterator[None]:
    """While steps run, have a heartbeat tell what they say, and interrupt them where they are to stop.

    A run whose steps take places in pools has one of its own, so that others know for how long it keeps them.
    """
    pooled = uses_pools(session.plan)
    with ExitStack() as stack:
        heartbeat = given
        if given == "own" or (given is None and pooled and not session.instance.is_ephemeral):
            is_main = threading.current_thread() is threading.main_thread()
            heartbeat = Heartbeat(session.instance, session.run.run_id, on_stop=None if is_main else lambda _: None)
            stack.enter_context(heartbeat)
        if pooled:
            stack.callback(session.places.close)
        if isinstance(given, Heartbeat):  # the process is that of the run
            others = LogEvents(session.run.run_id, session.tell)
            logging.getLogger().addHandler(others)
            stack.callback(logging.getLogger().removeHandler, others)
        if isinstance(heartbeat, Heartbeat):
            heartbeat.also = session.flush_told
            stack.callback(heartbeat.deafen)
        yield


def _record_end(session: RunSession, state: RunState) -> None:
    if session.failures:
        failed, skipped = len(session.failures), len(state.steps_with("skipped"))
        session.end("RUN_FAILURE", message=f"{failed} of {len(session.plan.steps)} steps failed, {skipped} were skipped")
    else:
        session.end("RUN_SUCCESS")


def _raise_first(failures: Sequence[tuple[Step, BaseException]]) -> None:
    error = failures[0][1]
    for step, other in failures[1:]:
        error.add_note(f"{step.key} failed too: {error_line(other)}")
    raise error
