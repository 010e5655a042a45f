"""Which checks a run evaluates, and where: before a table is published, after it, or by the asset's own function. Pure."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from warehouse_assets.definitions.check_specs import AssetCheckSpec
from warehouse_assets.definitions.checks import AssetChecksDefinition
from warehouse_assets.graph.asset_graph import AssetGraph
from warehouse_assets.graph.checks import CheckNode
from warehouse_assets.keys import AssetCheckKey, AssetKey, user_strings

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
    def sources(self) -> Collection[AssetKey]:
        """The assets that have to be there before checks that are a step of their own."""
        return self.call.sources if self.call is not None else ()

    @property
    def calls(self) -> Sequence[CheckCall]:
        """All calls of functions of checks."""
        return [*(call for calls in self.guards.values() for call in calls), *([self.call] if self.call else [])]


NO_CHECKS = StepChecks()


@dataclass(frozen=True, slots=True)
class PlannedChecks:
    """The checks of a run: those of each asset that is made, and those that are steps of their own."""

    own: Mapping[AssetKey, Mapping[AssetCheckKey, AssetCheckSpec]]
    guards: Mapping[AssetKey, Sequence[CheckCall]]
    alone: Sequence[CheckCall]

    def __bool__(self) -> bool:
        return bool(self.own or self.guards or self.alone)

    def of(self, keys: Sequence[AssetKey]) -> StepChecks:
        """What a step checks that makes these assets."""
        own = {key: spec for asset in keys for key, spec in self.own.get(asset, {}).items()}
        guards = {asset: self.guards[asset] for asset in keys if asset in self.guards}
        return StepChecks(own, guards) if own or guards else NO_CHECKS

    def connected(
        self, graph: AssetGraph, made: Sequence[Sequence[AssetKey]], upstream: Sequence[Collection[int]]
    ) -> dict[int, dict[int, None]]:
        """What each step needs, by number: first those that make the assets `made` and need `upstream`, then those of checks."""
        number = {key: index for index, keys in enumerate(made) for key in keys}

        def makers(keys: Iterable[AssetKey]) -> dict[int, None]:
            return {number[key]: None for key in sorted(keys) if key in number}

        needs = {index: dict.fromkeys(others) for index, others in enumerate(upstream)}
        for asset in {**self.own, **self.guards}:
            needs[number[asset]] |= makers(self._before(asset))
            needs[number[asset]].pop(number[asset], None)
        for index, call in enumerate(self.alone, start=len(made)):
            needs[index] = makers(call.sources)
            blocked = {node.spec.asset_key for node in call.nodes if node.spec.blocking}
            for other in makers({child for key in blocked for child in graph.nodes[key].children}):
                if other not in needs[index]:
                    needs[other][index] = None
        return needs

    def _before(self, asset: AssetKey) -> set[AssetKey]:
        """The assets that have to be there before this one is checked."""
        own = {dep.asset_key for spec in self.own.get(asset, {}).values() for dep in spec.additional_deps}
        return own.union(*(call.sources for call in self.guards.get(asset, ())))

    def names(self, made: Sequence[Sequence[AssetKey]], numbers: Iterable[int]) -> Iterator[str]:
        """The steps of these numbers, as a message calls them."""
        for number in numbers:
            yield user_strings(made[number]) if number < len(made) else self.alone[number - len(made)].key


def plan_checks(graph: AssetGraph, made: Collection[AssetKey], wanted: Collection[AssetCheckKey]) -> PlannedChecks:
    """Where the `wanted` checks of a run are evaluated that makes the assets `made`.

    Those that are blocking are evaluated with their asset, before its table is published; unless the asset is not made, several
    assets are checked together, or what they look at is not there by then.
    """
    own: dict[AssetKey, dict[AssetCheckKey, AssetCheckSpec]] = {}
    guards: dict[AssetKey, list[CheckCall]] = {}
    alone: list[CheckCall] = []
    calls: dict[tuple[AssetChecksDefinition, AssetKey | None], list[CheckNode]] = {}
    chosen = {graph.checks[key].definition for key in wanted if key in graph.checks}
    for key, node in graph.checks.items():
        if key not in wanted and (node.definition not in chosen or node.definition is None or node.definition.can_subset):
            continue
        if node.owner is not None and key.asset_key in made:
            own.setdefault(key.asset_key, {})[key] = node.spec
        elif node.definition is not None:  # without can_subset all of its checks are evaluated, or none
            part = key.asset_key if node.definition.can_subset else None
            calls.setdefault((node.definition, part), []).append(node)
    for (definition, _), nodes in calls.items():
        call = CheckCall(definition, tuple(nodes))
        asset = call.asset_keys[0]
        if call.is_blocking and len(call.asset_keys) == 1 and asset in made and not definition.reads_record:
            guards.setdefault(asset, []).append(call)
        else:
            alone.append(call)
    return PlannedChecks(own, guards, alone)
