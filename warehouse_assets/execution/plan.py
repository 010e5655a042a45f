"""The plan of a run: which definitions run, in which order. Pure: it reads the graph and touches nothing."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from graphlib import CycleError, TopologicalSorter
from typing import cast

from warehouse_assets.definitions.assets import AssetOutput, AssetsDefinition
from warehouse_assets.errors import InvalidDefinitionError, InvalidSelectionError
from warehouse_assets.execution.check_plan import NO_CHECKS, CheckCall, Needs, PlannedChecks, Runnable, StepChecks, plan_checks
from warehouse_assets.graph.asset_graph import AssetGraph
from warehouse_assets.graph.checks import CheckNode
from warehouse_assets.keys import AssetCheckKey, AssetKey, user_strings

__all__ = ["Plan", "Step"]


@dataclass(frozen=True, slots=True, eq=False)
class Step:
    """One call of one definition: `index` is its place in the plan, `upstream` and `downstream` are indexes of other steps.

    `outputs` are those that are selected, in the order of their dependencies. `consumers` says of a definition of several assets
    which steps need which of them. A step without outputs evaluates checks, and its definition is that of the checks.
    """

    index: int
    key: str
    definition: AssetsDefinition
    outputs: tuple[AssetOutput, ...]
    upstream: tuple[int, ...] = ()
    downstream: list[int] = field(default_factory=list)
    consumers: dict[AssetKey, set[int]] = field(default_factory=dict)
    checks: StepChecks = NO_CHECKS

    @property
    def asset_keys(self) -> tuple[AssetKey, ...]:
        """The assets that the step makes."""
        return tuple(output.spec.key for output in self.outputs)


@dataclass(frozen=True, slots=True)
class Plan:
    """Steps in an order in which each stands after all those it needs."""

    steps: Sequence[Step]

    @classmethod
    def build(cls, graph: AssetGraph, selected: Collection[AssetKey], checks: Collection[AssetCheckKey] | None = None) -> Plan:
        """The plan that makes the `selected` assets, and evaluates `checks`: those of these assets unless others are given.

        Raises InvalidSelectionError for a key that cannot be made, or a partial selection of a definition that runs as a whole.
        """
        outputs = _outputs_by_definition(graph, selected)
        order, upstream = _sorted_definitions(graph, outputs)
        planned = None
        if graph.checks:
            planned = plan_checks(graph, selected, graph.checks_of(selected) if checks is None else checks)
            order, upstream = _sorted_with_checks(graph, planned, order, upstream)
        keys = _step_keys(order, outputs)
        index_of = {definition: index for index, definition in enumerate(order)}
        steps = []
        for index, definition in enumerate(order):
            needed = tuple(index_of[other] for other in upstream[definition])
            if isinstance(definition, CheckCall):
                stand_in = cast(AssetsDefinition, definition.definition)  # it is asked for what both have in common
                steps.append(Step(index, keys[definition], stand_in, (), needed, checks=StepChecks(call=definition)))
            else:
                own = planned.of.get(definition, NO_CHECKS) if planned is not None else NO_CHECKS
                steps.append(Step(index, keys[definition], definition, outputs[definition], needed, checks=own))
        for step in steps:
            for index in step.upstream:
                steps[index].downstream.append(step.index)
            for key in step.asset_keys if len(step.outputs) > 1 else ():
                children = (graph.nodes[child] for child in graph.nodes[key].children if child in selected)
                step.consumers[key] = {index_of[child.definition] for child in children if child.definition is not None}
                if planned is not None:
                    step.consumers[key] |= {index_of[call] for call in planned.alone if key in call.sources}
        return cls(steps)

    @property
    def checks(self) -> Sequence[CheckNode]:
        """The checks that functions of their own evaluate."""
        return [
            node for step in self.steps if step.checks is not NO_CHECKS for call in step.checks.calls for node in call.nodes
        ]

    @property
    def asset_keys(self) -> tuple[AssetKey, ...]:
        """The assets that the plan makes, in its order."""
        return tuple(key for step in self.steps for key in step.asset_keys)


def _outputs_by_definition(
    graph: AssetGraph, selected: Collection[AssetKey]
) -> dict[AssetsDefinition, tuple[AssetOutput, ...]]:
    chosen: dict[AssetsDefinition, list[AssetOutput]] = {}
    for key in graph.order:
        if key not in selected:
            continue
        node = graph.nodes[key]
        if node.definition is None or node.output is None:
            raise InvalidSelectionError(
                f"asset {key.to_user_string()!r} is filled by something else and cannot be materialized"
            )
        chosen.setdefault(node.definition, []).append(node.output)
    for definition, outputs in chosen.items():
        if len(outputs) < len(definition.outputs) and not definition.can_subset:
            missing = definition.keys - {output.spec.key for output in outputs}
            raise InvalidSelectionError(
                f"{definition.node_name!r} makes all its assets or none, and the selection lacks {user_strings(missing)}",
                where=str(definition.place),
                hint="Select them too, or declare it with can_subset=True.",
            )
    return {definition: tuple(outputs) for definition, outputs in chosen.items()}


def _sorted_definitions(
    graph: AssetGraph, outputs: dict[AssetsDefinition, tuple[AssetOutput, ...]]
) -> tuple[Sequence[Runnable], Needs]:
    upstream: Needs = {}
    nodes = graph.nodes
    for definition, chosen in outputs.items():
        needed: dict[Runnable, None] = {}
        for output in chosen:
            for parent in nodes[output.spec.key].parents:
                other = nodes[parent].definition
                if other is not None and other is not definition and other in outputs:
                    needed[other] = None
        upstream[definition] = needed
    if all(len(definition.outputs) == 1 for definition in outputs):
        return list(outputs), upstream  # the order of the assets is the order of the definitions
    return _topological(upstream), upstream


def _sorted_with_checks(
    graph: AssetGraph, planned: PlannedChecks, order: Sequence[Runnable], upstream: Needs
) -> tuple[Sequence[Runnable], Needs]:
    """The order of the definitions with that of the checks, each as soon as it can be evaluated."""
    if not (planned.of or planned.alone):
        return order, upstream
    connected = planned.connected(graph, upstream)
    return _topological(connected), connected


def _topological(upstream: Needs) -> Sequence[Runnable]:
    try:
        return list(TopologicalSorter(upstream).static_order())
    except CycleError as error:
        names = " → ".join(one.key if isinstance(one, CheckCall) else one.node_name for one in error.args[1])
        raise InvalidDefinitionError(f"definitions of several assets need each other: {names}") from None


def _step_keys(order: Sequence[Runnable], outputs: dict[AssetsDefinition, tuple[AssetOutput, ...]]) -> dict[Runnable, str]:
    """The escaped key for a definition of one asset, the function's name for others; a number where that is taken."""
    keys: dict[Runnable, str] = {}
    taken: set[str] = set()
    for definition in order:
        if isinstance(definition, CheckCall):
            wanted = definition.key
        else:
            single = len(definition.outputs) == 1
            wanted = outputs[definition][0].spec.key.to_escaped_string() if single else definition.node_name
        name, number = wanted, 2
        while name in taken:
            name, number = f"{wanted} {number}", number + 1
        taken.add(name)
        keys[definition] = name
    return keys
