"""The checks of a graph: which asset each is of, what its function is filled with, and what it needs."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from graphlib import CycleError, TopologicalSorter
from typing import TYPE_CHECKING

from warehouse_assets.definitions.assets import AssetsDefinition
from warehouse_assets.definitions.check_specs import AssetCheckSpec
from warehouse_assets.definitions.checks import AssetChecksDefinition
from warehouse_assets.definitions.naming import Faults, Place
from warehouse_assets.errors import close_matches
from warehouse_assets.keys import AssetCheckKey, AssetKey

if TYPE_CHECKING:
    from warehouse_assets.graph.asset_graph import AssetNode

__all__ = ["CheckNode", "check_nodes", "suggest_checks"]


@dataclass(frozen=True, slots=True, eq=False)
class CheckNode:
    """One check in the graph: its spec, what evaluates it, the asset that each argument is filled with, and what it needs.

    It is evaluated by a function of its own, or, where `owner` is given, by the one that makes the asset.
    """

    spec: AssetCheckSpec
    definition: AssetChecksDefinition | None = None
    owner: AssetsDefinition | None = None
    bindings: Mapping[str, AssetKey] | None = None

    @property
    def key(self) -> AssetCheckKey:
        """The key of the check."""
        return self.spec.key

    @property
    def place(self) -> Place:
        """Where it was declared."""
        owner = self.definition or self.owner
        assert owner is not None
        return owner.place

    @property
    def needs(self) -> set[AssetKey]:
        """The assets, beside the one that is checked, that have to be there before.

        For checks that are evaluated together those are also the assets of the others.
        """
        needed = {dep.asset_key for dep in self.spec.additional_deps} | set((self.bindings or {}).values())
        if self.definition is not None and not self.definition.can_subset:
            needed |= self.definition.asset_keys
        return needed - {self.spec.asset_key}


def check_nodes(
    definitions: Iterable[AssetsDefinition | AssetChecksDefinition],
    assets: Mapping[AssetKey, AssetNode],
    bind: Callable[[AssetChecksDefinition], Mapping[str, AssetKey]],
    faults: Faults,
) -> dict[AssetCheckKey, CheckNode]:
    """The checks that these definitions evaluate; `bind` finds the assets that the arguments of one stand for.

    Faults are noted: checks of assets that are not there, checks declared twice, needs that cannot be met.
    """
    from warehouse_assets.graph.asset_graph import suggest_keys

    found: dict[AssetCheckKey, CheckNode] = {}
    for definition in definitions:
        if isinstance(definition, AssetsDefinition):
            nodes = [CheckNode(spec, owner=definition) for spec in definition.check_specs]
        else:
            bindings = bind(definition) if definition.asset_keys <= assets.keys() else {}
            nodes = [CheckNode(spec, definition, bindings=bindings) for spec in definition.specs]
        for node in nodes:
            name = node.key.to_user_string()
            needed = {node.spec.asset_key, *(dep.asset_key for dep in node.spec.additional_deps)}
            for key in sorted(key for key in needed if key not in assets):
                what = "is of" if key == node.spec.asset_key else "needs"
                fault = f"check {name!r} {what} the asset {key.to_user_string()!r}, which is not there"
                faults.add(fault, hint=suggest_keys(key, assets), where=node.spec.place)
            other = found.setdefault(node.key, node)
            if other is not node:
                places = f"{other.spec.place} and {node.spec.place}"
                faults.add(f"check {name!r} is defined twice: {places}", hint="Give one of them another name.")
    if not faults.errors:
        _check_order(found.values(), assets, faults)
    return found


def _check_order(checks: Iterable[CheckNode], assets: Mapping[AssetKey, AssetNode], faults: Faults) -> None:
    """Note what a check needs before its asset is published that cannot be there by then."""
    before: dict[AssetKey, set[AssetKey]] = {}
    blocked: dict[AssetKey, CheckNode] = {}
    for check in checks:
        if (check.spec.blocking or check.owner is not None) and check.needs:
            before.setdefault(check.spec.asset_key, set()).update(check.needs)
            blocked[check.spec.asset_key] = check
    if not before:
        return
    try:
        TopologicalSorter({key: {*node.parents, *before.get(key, ())} for key, node in assets.items()}).prepare()
    except CycleError as error:
        circle: list[AssetKey] = error.args[1]
        check = next(blocked[key] for key in circle if key in blocked)
        path = " → ".join(key.to_user_string() for key in circle)
        faults.add(
            f"check {check.key.to_user_string()!r} runs before its asset is published, and needs what is made after it: {path}",
            hint="Leave blocking=True out, or what it needs.",
            where=check.spec.place,
        )


def suggest_checks(key: AssetCheckKey, known: Iterable[AssetCheckKey]) -> str:
    """What a person may have meant by a check that is not there: close names, or the checks that are."""
    names = sorted(other.to_user_string() for other in known)
    return close_matches(key.to_user_string(), names) or (
        f"Known are {', '.join(names[:8])}{', …' if len(names) > 8 else ''}." if names else "There are no checks."
    )
