"""The ops of a graph, run one after the other inside of one step; their values go from one to the next in memory."""

from __future__ import annotations

import inspect
import random
import time
from collections import Counter
from collections.abc import Collection, Iterator, Mapping
from typing import TYPE_CHECKING, Any

from warehouse_assets.definitions.check_specs import AssetCheckResult
from warehouse_assets.definitions.composition import GraphInput, Node, OpOutput, Source
from warehouse_assets.definitions.outputs import NO_VALUE, MaterializeResult, Output
from warehouse_assets.definitions.policies import retry_delay
from warehouse_assets.errors import InvalidOutputError
from warehouse_assets.events import AssetMaterialization, AssetObservation, error_line
from warehouse_assets.execution.context import OpExecutionContext
from warehouse_assets.execution.outputs import output_name, pieces
from warehouse_assets.execution.step import call_function

if TYPE_CHECKING:
    from warehouse_assets.definitions.graphs import GraphDefinition
    from warehouse_assets.definitions.ops import OpDefinition
    from warehouse_assets.execution.context import AssetExecutionContext
    from warehouse_assets.execution.plan import Step
    from warehouse_assets.execution.session import RunSession

__all__ = ["run_ops"]


def run_ops(session: RunSession, step: Step, graph: GraphDefinition, context: AssetExecutionContext) -> Iterator[Any]:
    """Run the ops that the selected outputs of a step need, and yield each output as soon as it is there.

    A value is let go when the last op that needs it has run, and it is stored. An op runs again as its own policy says.
    """
    return _GraphRun(session, step, graph, context).run()


class _GraphRun:
    """One attempt at the step of a graph: the values that are held, and how many still need each."""

    def __init__(self, session: RunSession, step: Step, graph: GraphDefinition, context: AssetExecutionContext) -> None:
        self.session = session
        self.step = step
        self.graph = graph
        self.context = context
        self.nodes = graph.nodes_for([output.name for output in step.outputs])
        self.values: dict[OpOutput, Output[Any]] = {}
        self.uses = Counter(source for node in self.nodes for source in node.sources if isinstance(source, OpOutput))
        self.uses.update(graph.outputs[output.name] for output in step.outputs)
        self.unstored = list(step.outputs)

    def run(self) -> Iterator[Any]:
        for node, wanted in self.nodes.items():
            if self._can_run(node):
                yield from self._attempts(node, wanted)
            for source in node.sources:
                self._release(source)
            yield from self._ready()
        while self.unstored:  # what an output depends on was left out, or is made of the same value
            yield from self._taken(self.unstored.pop(0).name)

    def _can_run(self, node: Node) -> bool:
        """Whether the op has its inputs; one with an input that an op before it left out does not run."""
        return all(
            any(map(self._has, source)) or not source if isinstance(source, tuple) else self._has(source)
            for source in node.inputs.values()
        )

    def _has(self, source: OpOutput | GraphInput) -> bool:
        return isinstance(source, GraphInput) or source in self.values

    def _release(self, source: OpOutput | GraphInput) -> None:
        if isinstance(source, OpOutput):
            self.uses[source] -= 1
            if not self.uses[source]:
                self.values.pop(source, None)

    def _ready(self) -> Iterator[Output[Any]]:
        """The outputs of the graph that are there, those that others depend on first."""
        for output in list(self.unstored):
            waits = any(other.spec.key in output.internal_deps for other in self.unstored)
            if not waits and self.graph.outputs[output.name] in self.values:
                self.unstored.remove(output)
                yield from self._taken(output.name)

    def _taken(self, name: str) -> Iterator[Output[Any]]:
        source = self.graph.outputs[name]
        if source in self.values:
            made = self.values[source]
            yield Output(made.value, name, made.metadata, made.data_version, made.tags)
            del made
        self._release(source)

    def _attempts(self, node: Node, wanted: Collection[str]) -> list[Any]:
        """Run an op, again if its policy says so; gives the events that it yielded."""
        attempt = 1
        while True:
            try:
                return self._attempt(node, wanted, attempt)
            except Exception as error:
                delay = retry_delay(node.op.retry_policy, attempt, error, random.random())
                if delay is None:
                    error.add_note(f"in {self._name(node)} ({node.op.place})")
                    raise
                attempt += 1
                self.session.log.warning("%s: %s; attempt %d in %g s", self._name(node), error_line(error), attempt, delay)
            time.sleep(delay)

    def _attempt(self, node: Node, wanted: Collection[str], attempt: int) -> list[Any]:
        op = node.op
        context = OpExecutionContext(
            self.context,
            op=op,
            selected=frozenset(wanted),
            resources=self.session.pool.view(op.resource_keys),
            op_config=(self.session.configs.get(self.step.key) or {}).get(node.name),
            retry_number=attempt - 1,
        )
        made, events = self._sorted_out(node, self._call(node, context))
        for name in op.outs:
            if name not in made and op.outs[name].is_nothing:
                made[name] = Output(None, name)
            if name not in made and name in wanted and op.outs[name].is_required:
                raise InvalidOutputError(
                    f"{self._name(node)} gave no value for its output {name!r}",
                    hint="Yield an Output for it, or declare it as Out(is_required=False).",
                )
        for name in wanted & made.keys():
            self.values[OpOutput(node.name, name)] = _with_metadata(made[name], context.metadata_of(name))
        return events

    def _call(self, node: Node, context: OpExecutionContext) -> Any:
        if (pool := node.op.pool) is None:
            return call_function(node.op.function, self.session, context, self._arguments(node))
        places, holder = self.session.places, f"{self.step.key}.{node.name}"
        places.wait(pool, self.step, holder)
        try:
            result = call_function(node.op.function, self.session, context, self._arguments(node))
            return (item for item in list(result)) if inspect.isgenerator(result) else result
        finally:
            places.give_back(pool, holder)

    def _arguments(self, node: Node) -> dict[str, Any]:
        declared = node.op.ins
        values = {name: given.default_value for name, given in declared.items() if given.default_value is not NO_VALUE}
        for name, source in node.inputs.items():
            if name not in declared or not declared[name].is_nothing:
                values[name] = self._value(node.op, name, source)
        return values

    def _value(self, op: OpDefinition, name: str, source: Source) -> Any:
        if isinstance(source, tuple):
            return [self._value(op, "", one) for one in source if self._has(one)]
        if isinstance(source, OpOutput):
            return self.values[source].value
        key = self.session.graph.bindings[self.step.definition][source.name]
        return self.session.load_input(self.step, source.name, key, op.annotation(name))

    def _sorted_out(self, node: Node, result: Any) -> tuple[dict[str, Output[Any]], list[Any]]:
        """What an op gave: its outputs by name, and events."""
        who, outs = self._name(node), node.op.outs
        made: dict[str, Output[Any]] = {}
        events = []
        for place, item in pieces(result, outs, outs, who):
            if isinstance(item, (AssetMaterialization, AssetObservation, AssetCheckResult)):
                events.append(item)
                continue
            if isinstance(item, MaterializeResult) or (place is None and not isinstance(item, Output)):
                what = type(item).__qualname__
                raise InvalidOutputError(f"{who} gives a value of type {what} as it is", hint="Give Output(value, name).")
            name = output_name(item, place, outs, who) if isinstance(item, Output) else str(place)
            if name in made:
                raise InvalidOutputError(f"{who} gave its output {name!r} twice")
            made[name] = item if isinstance(item, Output) else Output(item, name)
        return made, events

    def _name(self, node: Node) -> str:
        return f"op {node.name!r} of {self.graph.name!r}"


def _with_metadata(made: Output[Any], metadata: Mapping[str, Any]) -> Output[Any]:
    if not metadata:
        return made
    return Output(made.value, made.output_name, {**made.metadata, **metadata}, made.data_version, made.tags)
