"""Which checks a run evaluates, and where: before a table is published, after it, or by the asset's own function. Pure."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from warehouse_assets.definitions.assets import AssetOutput, AssetsDefinition
from warehouse_assets.definitions.check_specs import AssetCheckSpec
from warehouse_assets.definitions.checks import AssetChecksDefinition
from warehouse_assets.graph.asset_graph import AssetGraph
from warehouse_assets.graph.checks import CheckNode
from warehouse_assets.keys import AssetCheckKey, AssetKey

__all__ = ["NO_CHECKS", "CheckCall", "PlannedChecks", "StepChecks", "plan_checks"]


@dataclass(frozen=True, slots=True, eq=False)
class CheckCall:
    """One call of the function of one or more checks."""

    definition: AssetChecksDefinition
    nodes: tuple[CheckNode, ...]

    @property
    def key(self) -> str:
        """The name of the call: that of the only check, or of the function of several."""
        return self.nodes[0].key.to_escaped_string() if len(self.nodes) == 1 else self.definition.node_name

    @property
    def specs(self) -> Sequence[AssetCheckSpec]:
        """The checks that are evaluated."""
        return [node.spec for node in self.nodes]

    @property
    def asset_keys(self) -> tuple[AssetKey, ...]:
        """The assets that are checked, each once."""
        return tuple(dict.fromkeys(node.spec.asset_key for node in self.nodes))

    @property
    def bindings(self) -> Mapping[str, AssetKey]:
        """The asset that each argument of the function is filled with."""
        return self.nodes[0].bindings or {}

    @property
    def sources(self) -> set[AssetKey]:
        """The assets that have to be there before: those that are checked, and what the checks need."""
        return set(self.asset_keys).union(*(node.needs for node in self.nodes))

    @property
    def is_blocking(self) -> bool:
        """Whether one of the checks is."""
        return any(node.spec.blocking for node in self.nodes)


@dataclass(frozen=True, slots=True)
class StepChecks:
    """What a step checks: `own` are the checks that the asset's function evaluates, `guards` those that are evaluated before the
    table of an asset is published, and `call` is what a step evaluates that makes no asset.
    """

    own: Mapping[AssetCheckKey, AssetCheckSpec] = field(default_factory=dict)
    guards: Mapping[AssetKey, Sequence[CheckCall]] = field(default_factory=dict)
    call: CheckCall | None = None

    @property
    def calls(self) -> Sequence[CheckCall]:
        """All calls of functions of checks."""
        return [*(call for calls in self.guards.values() for call in calls), *([self.call] if self.call else [])]


NO_CHECKS = StepChecks()


@dataclass(frozen=True, slots=True)
class PlannedChecks:
    """The checks of a run: those of the step of each definition, and those that are steps of their own."""

    of: Mapping[AssetsDefinition, StepChecks]
    alone: Sequence[CheckCall]

    def of_unit(self, definition: AssetsDefinition, outputs: Sequence[AssetOutput]) -> StepChecks:
        """What is checked where these outputs of a definition are made."""
        every = self.of.get(definition, NO_CHECKS)
        if every is NO_CHECKS or len(outputs) == len(definition.outputs):
            return every
        made = {output.spec.key for output in outputs}
        own = {key: spec for key, spec in every.own.items() if key.asset_key in made}
        return StepChecks(own, {key: calls for key, calls in every.guards.items() if key in made})

    def connected(
        self,
        graph: AssetGraph,
        makers: Mapping[AssetKey, int],
        checks: Sequence[StepChecks],
        upstream: Mapping[int, Mapping[int, None]],
    ) -> dict[int, dict[int, None]]:
        """What each unit needs, by index: those that make assets, of which `checks` are what they check, then the calls that stand alone.

        `makers` says which unit makes an asset, `upstream` what the units need of each other.
        """

        def made_by(keys: Iterable[AssetKey]) -> dict[int, None]:
            return {makers[key]: None for key in sorted(keys) if key in makers}

        needs = {index: dict(others) for index, others in upstream.items()}
        for index, own in enumerate(checks):
            wanted: set[AssetKey] = set().union(*(call.sources for call in own.calls))
            wanted |= {dep.asset_key for spec in own.own.values() for dep in spec.additional_deps}
            needs[index].update({other: None for other in made_by(wanted) if other != index})
        for index, call in enumerate(self.alone, len(checks)):
            needs[index] = made_by(call.sources)
            blocked = {node.spec.asset_key for node in call.nodes if node.spec.blocking}
            for child in made_by({child for key in blocked for child in graph.nodes[key].children}):
                if child not in needs[index]:
                    needs[child][index] = None
        return needs


def plan_checks(graph: AssetGraph, made: Collection[AssetKey], wanted: Collection[AssetCheckKey]) -> PlannedChecks:
    """Where the `wanted` checks of a run are evaluated that makes the assets `made`.

    Those that are blocking are evaluated with their asset, before its table is published; unless the asset is not made, several
    assets are checked together, or what they look at is not there by then.
    """
    own: dict[AssetsDefinition, dict[AssetCheckKey, AssetCheckSpec]] = {}
    guards: dict[AssetsDefinition, dict[AssetKey, list[CheckCall]]] = {}
    alone: list[CheckCall] = []
    calls: dict[tuple[AssetChecksDefinition, AssetKey | None], list[CheckNode]] = {}
    chosen = {graph.checks[key].definition for key in wanted if key in graph.checks}
    for key, node in graph.checks.items():
        if key not in wanted and (node.definition not in chosen or node.definition is None or node.definition.can_subset):
            continue
        if node.owner is not None and key.asset_key in made:
            own.setdefault(node.owner, {})[key] = node.spec
        elif node.definition is not None:  # without can_subset all of its checks are evaluated, or none
            part = key.asset_key if node.definition.can_subset else None
            calls.setdefault((node.definition, part), []).append(node)
    for (definition, _), nodes in calls.items():
        call = CheckCall(definition, tuple(nodes))
        asset = call.asset_keys[0]
        maker = graph.nodes[asset].definition if asset in made else None
        if call.is_blocking and len(call.asset_keys) == 1 and maker is not None and not definition.reads_record:
            guards.setdefault(maker, {}).setdefault(asset, []).append(call)
        else:
            alone.append(call)
    definitions = {**own, **guards}
    return PlannedChecks({d: StepChecks(own.get(d, {}), guards.get(d, {})) for d in definitions}, alone)
