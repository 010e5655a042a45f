"""`RunSession`: what the steps of one run share, and the order in which it is recorded."""

from __future__ import annotations

import logging
import time
from collections import deque
from collections.abc import Callable, Collection, Mapping, Sequence
from functools import cached_property, partial
from typing import TYPE_CHECKING, Any

from warehouse_assets.definitions.assets import AssetsDefinition
from warehouse_assets.errors import TableNotFoundError
from warehouse_assets.events import ErrorInfo, Event, EventType, RunRecord, RunStatus, error_line
from warehouse_assets.execution.capture import RunLog
from warehouse_assets.execution.partitions import ChosenPartitions, RunPartitions
from warehouse_assets.execution.plan import Plan, Step
from warehouse_assets.execution.resources import ResourcePool, Resources
from warehouse_assets.execution.tables import NO_RESOURCES, StoredTables
from warehouse_assets.execution.versions import RunVersions
from warehouse_assets.graph.asset_graph import AssetGraph
from warehouse_assets.graph.partitions import readable_tables
from warehouse_assets.graph.requirements import input_manager_key
from warehouse_assets.io_manager.contexts import OutputContext
from warehouse_assets.keys import AssetKey

if TYPE_CHECKING:
    from warehouse_assets.execution.column_lineage import ColumnLineages
    from warehouse_assets.execution.pools import PoolPlaces
    from warehouse_assets.telemetry.spans import RunSpans

__all__ = ["Listener", "RunSession"]

Listener = Callable[[Event], None]


class RunSession:
    """One run: its graph, plan, resources and record.

    Events are collected and stored in one transaction each time before user code goes on, so that what a step did is recorded
    before another step can see it. Only the thread that leads the run records; steps hand their events to it.
    """

    def __init__(
        self,
        *,
        graph: AssetGraph,
        plan: Plan,
        run: RunRecord,
        instance: Any,
        pool: ResourcePool,
        configs: Mapping[str, Any],
        listeners: Sequence[Listener] = (),
        only_stale: bool = False,
        partitions: ChosenPartitions | None = None,
    ) -> None:
        self.graph = graph
        self.plan = plan
        self.run = run
        self.instance = instance
        self.pool = pool
        self.configs = configs
        self._told: deque[Event] = deque()
        self.log: logging.Logger = RunLog(run.run_id, self._told.append)
        self.failures: list[tuple[Step, BaseException]] = []
        self.spans: RunSpans | None = None
        self._listeners = [*listeners]
        self._pending: list[Event] = []
        self.partitions = RunPartitions(graph, partitions, instance)
        self.tables = StoredTables(graph, pool, run_id=run.run_id, instance=instance, log=self.log)
        self.versions = RunVersions(graph, run.asset_keys, instance, self.partitions, run_id=run.run_id, only_stale=only_stale)

    # the record

    def listen(self, listener: Listener) -> None:
        """Have a listener told of all that happens from now on."""
        self._listeners.append(listener)

    def event(self, event_type: EventType, step: Step | None = None, *, message: str | None = None, data: Any = None) -> Event:
        """An event of this run, now."""
        return Event(event_type, self.run.run_id, time.time(), step.key if step is not None else None, message, data)

    def record(self, *events: Event) -> None:
        """Take events up, to be stored with the next `flush`."""
        self._pending += events
        for listener in self._listeners:
            for event in events:
                listener(event)

    def tell(self, event: Event) -> None:
        """Take up what a step says while it runs, in whichever thread it is, to be stored with the next `flush` or `flush_told`."""
        self._told.append(event)

    def flush_told(self) -> None:
        """Store what was told so far, in any thread."""
        if told := self._take_told():
            self.instance.store_events(told)

    def _take_told(self) -> list[Event]:
        return [self._told.popleft() for _ in range(len(self._told))]

    def flush(self) -> None:
        """Store what was taken up, in one transaction."""
        if self._told:
            self._pending[:0] = self._take_told()
        if self._pending:
            pending, self._pending = self._pending, []
            self.instance.store_events(pending)

    def flush_if(self, statuses: Collection[RunStatus]) -> bool:
        """Store what was taken up, but only while the run has one of these statuses; whether it was stored."""
        pending, self._pending = self._pending, []
        stored: bool = self.instance.event_log.store_events_if(self.run.run_id, statuses, pending)
        return stored

    def end(self, event_type: EventType, *, message: str | None = None) -> None:
        """Record how the run ended, unless somebody else has said so: that its process is taken for dead, for example."""
        self.flush()
        self.record(self.event(event_type, message=message))
        if not self.flush_if(("STARTED", "CANCELING")):
            self.log.warning("run %s was ended from outside, and what it came to is not recorded", self.run.run_id)

    def record_failure(self, step: Step, error: BaseException) -> None:
        """Take up that a step failed for good."""
        self.failures.append((step, error))
        self.record(self.event("STEP_FAILURE", step, message=error_line(error), data=ErrorInfo.of(error)))

    def report_progress(self, step: Step, done: float, total: float | None) -> None:
        """Tell those who watch how far a step is; this is not stored."""
        text = f"{done:g} of {total:g}" if total is not None else f"{done:g}"
        event = self.event("LOG", step, message=f"progress: {text}")
        for listener in self._listeners:
            listener(event)

    # the tables

    def resources_for(self, definition: AssetsDefinition) -> Resources:
        """The resources that a definition asked for."""
        names = (*definition.required_resource_keys, *definition.function.resource_parameters)
        return self.pool.view(names) if names else NO_RESOURCES

    def output_context(self, step: Step, key: AssetKey) -> OutputContext:
        """What the manager is told of the write of an asset."""
        told = self.tables.output_context(
            key,
            step_key=step.key,
            sources=self.tables.sources(
                readable_tables(self.graph.bindings, self.graph.nodes[key]),
                step_key=step.key,
                partition_keys=partial(self.partitions.for_table, step.asset_keys, key),
            ),
            partition_keys=self.partitions.made(step.definition),
        )
        told.version = self.versions.code_version(key)
        return told

    @cached_property
    def places(self) -> PoolPlaces:
        """The places that steps of the run have in pools."""
        from warehouse_assets.execution.pools import PoolPlaces

        return PoolPlaces(self)

    @cached_property
    def column_lineage(self) -> ColumnLineages:
        """What the columns of the tables are made from, as far as the queries that make them say."""
        from warehouse_assets.execution.column_lineage import ColumnLineages

        return ColumnLineages(self.tables)

    def load_input(self, step: Step, argument: str, key: AssetKey, type_hint: Any = None) -> Any:
        """The value of one argument of a step, as its annotation asks for, or `type_hint` where that is given."""
        definition = step.definition
        declared = definition.ins.get(argument)
        context = self.tables.input_context(
            key,
            step_key=step.key,
            argument=argument,
            type_hint=type_hint if type_hint is not None else definition.function.annotation(argument),
            metadata=declared.metadata if declared is not None else None,
            partition_keys=self.partitions.for_argument(definition, step.asset_keys, argument, key),
        )
        manager = self.tables.manager(input_manager_key(self.graph.nodes[key], definition, argument))
        try:
            return manager.load_input(context)
        except TableNotFoundError:
            if context.has_asset_partitions and not context.partition_keys:
                return None  # no partition is needed, so it does not matter that there is no table yet
            raise
