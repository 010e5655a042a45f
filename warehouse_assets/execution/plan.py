"""The plan of a run: which definitions run, in which order. Pure: it reads the graph and touches nothing."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from graphlib import CycleError, TopologicalSorter
from typing import TypeAlias, cast

from warehouse_assets.definitions.assets import AssetOutput, AssetsDefinition
from warehouse_assets.errors import InvalidDefinitionError, InvalidSelectionError
from warehouse_assets.execution.check_plan import NO_CHECKS, PlannedChecks, StepChecks, plan_checks
from warehouse_assets.graph.asset_graph import AssetGraph
from warehouse_assets.graph.checks import CheckNode
from warehouse_assets.keys import AssetCheckKey, AssetKey, user_strings

__all__ = ["Plan", "Step"]

Unit: TypeAlias = (
    "tuple[AssetsDefinition, tuple[AssetOutput, ...]]"  # a definition, and those of its outputs that it makes at once
)


@dataclass(frozen=True, slots=True, eq=False)
class Step:
    """One call of one definition: `index` is its place in the plan, `upstream` and `downstream` are indexes of other steps.

    A definition has several steps where another asset stands between two of its own, and it can run in parts.
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

        Raises InvalidSelectionError for a key that cannot be made, or a partial selection of a definition that runs as a whole, and
        InvalidDefinitionError for definitions that need each other and run as a whole.
        """
        units = _in_order(graph, _outputs_by_definition(graph, selected))
        planned = (
            plan_checks(graph, selected, graph.checks_of(selected) if checks is None else checks) if graph.checks else None
        )
        if planned is not None and (planned.of or planned.alone):
            return cls(_checking_steps(graph, units, planned))
        index_of = _makers(units)
        upstream = [_upstream(graph, outputs, index_of, index) for index, (_, outputs) in enumerate(units)]
        return cls(_connected(graph, units, [NO_CHECKS] * len(units), upstream))

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


def _makers(units: Sequence[Unit]) -> dict[AssetKey, int]:
    """The index of the unit that makes each asset."""
    return {output.spec.key: index for index, (_, outputs) in enumerate(units) for output in outputs}


def _connected(
    graph: AssetGraph, units: Sequence[Unit], checks: Sequence[StepChecks], upstream: Sequence[Mapping[int, None]]
) -> list[Step]:
    """The steps of these units, which are in order, with what each checks and needs."""
    keys, index_of = _step_keys(units, checks), _makers(units)
    steps = [
        Step(index, keys[index], definition, outputs, tuple(upstream[index]), checks=checks[index])
        for index, (definition, outputs) in enumerate(units)
    ]
    alone = [step for step in steps if step.checks.call is not None]
    for step in steps:
        for index in step.upstream:
            steps[index].downstream.append(step.index)
        for key in step.asset_keys if len(step.outputs) > 1 else ():
            step.consumers[key] = {index_of[child] for child in graph.nodes[key].children if child in index_of}
            step.consumers[key] |= {other.index for other in alone if other.checks.call and key in other.checks.call.sources}
    return steps


def _checking_steps(graph: AssetGraph, units: Sequence[Unit], planned: PlannedChecks) -> list[Step]:
    """The steps of these units and of checks, each check as soon as it can be evaluated."""
    index_of = _makers(units)
    upstream = {index: _upstream(graph, outputs, index_of, index) for index, (_, outputs) in enumerate(units)}
    checks = [planned.of_unit(definition, outputs) for definition, outputs in units]
    needs = planned.connected(graph, index_of, checks, upstream)
    # a step is asked for what definitions of assets and of checks have in common
    every = [*units, *((cast(AssetsDefinition, call.definition), ()) for call in planned.alone)]
    checks += [StepChecks(call=call) for call in planned.alone]
    try:
        order = list(TopologicalSorter(needs).static_order())
    except CycleError as error:
        names = _step_keys(every, checks)
        circle = " → ".join(names[index] for index in error.args[1])
        raise InvalidDefinitionError(f"assets and checks need each other: {circle}") from None
    place = {index: new for new, index in enumerate(order)}
    return _connected(
        graph,
        [every[index] for index in order],
        [checks[index] for index in order],
        [{place[other]: None for other in needs[index]} for index in order],
    )


def _upstream(graph: AssetGraph, outputs: Sequence[AssetOutput], index_of: Mapping[AssetKey, int], own: int) -> dict[int, None]:
    """The indexes of the other units that these outputs need."""
    parents = (parent for output in outputs for parent in graph.nodes[output.spec.key].parents if parent in index_of)
    return {index_of[parent]: None for parent in parents if index_of[parent] != own}


def _in_order(graph: AssetGraph, chosen: Mapping[AssetsDefinition, tuple[AssetOutput, ...]]) -> Sequence[Unit]:
    units: list[Unit] = list(chosen.items())
    if all(len(definition.outputs) == 1 for definition in chosen):
        return units  # the order of the assets is the order of the definitions
    while True:
        index_of = {output.spec.key: index for index, (_, outputs) in enumerate(units) for output in outputs}
        upstream = {index: _upstream(graph, outputs, index_of, index) for index, (_, outputs) in enumerate(units)}
        try:
            ordered = [units[index] for index in TopologicalSorter(upstream).static_order()]
        except CycleError as error:
            units = _split(graph, units, error.args[1])
            continue
        if len(units) > len(chosen):
            _check_arguments(graph, ordered)
        return ordered


def _split(graph: AssetGraph, units: Sequence[Unit], circle: Sequence[int]) -> list[Unit]:
    """The units with one of those in a circle in two: first the outputs that need none of the others, then the rest."""
    for index in circle:
        definition, outputs = units[index]
        others = {output.spec.key for other in circle if other != index for output in units[other][1]}
        early = tuple(output for output in outputs if not others & graph.upstream([output.spec.key]))
        if definition.can_subset and 0 < len(early) < len(outputs):
            late = tuple(output for output in outputs if output not in early)
            return [*units[:index], (definition, early), (definition, late), *units[index + 1 :]]
    names = " → ".join(units[index][0].node_name for index in circle)
    raise InvalidDefinitionError(
        f"definitions of several assets need each other: {names}",
        hint="Declare one with can_subset=True, so that it can run in parts, or take it apart.",
    )


def _check_arguments(graph: AssetGraph, units: Sequence[Unit]) -> None:
    """A part of a definition may come before an argument that only its other outputs are made from: it must have a default."""
    made: set[AssetKey] = {output.spec.key for _, outputs in units for output in outputs}
    for definition, outputs in units:
        made.difference_update(output.spec.key for output in outputs)
        required = {parameter.name for parameter in definition.function.inputs if not parameter.has_default}
        for argument, key in graph.bindings[definition].items() if definition.graph is None else ():
            if key in made and argument in required:
                raise InvalidDefinitionError(
                    f"{definition.node_name!r} runs in parts, the first of them before its argument {argument!r} is made",
                    where=str(definition.place),
                    hint="Give the argument a default value, which it has where no selected output is made from it.",
                )


def _step_keys(units: Sequence[Unit], checks: Sequence[StepChecks]) -> Sequence[str]:
    """The escaped key for a definition of one asset, the function's name for others; a number where that is taken."""
    keys: dict[str, None] = {}
    for (definition, outputs), checked in zip(units, checks, strict=True):
        if checked.call is not None:
            wanted = checked.call.key
        else:
            wanted = outputs[0].spec.key.to_escaped_string() if len(definition.outputs) == 1 else definition.node_name
        name, number = wanted, 2
        while name in keys:
            name, number = f"{wanted} {number}", number + 1
        keys[name] = None
    return list(keys)
