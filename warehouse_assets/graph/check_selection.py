"""Selections of checks: they select no assets, and combine with those that do."""

from __future__ import annotations

from dataclasses import dataclass

from warehouse_assets.errors import InvalidSelectionError
from warehouse_assets.graph.asset_graph import AssetGraph
from warehouse_assets.graph.checks import suggest_checks
from warehouse_assets.graph.selection import AssetSelection, quoted
from warehouse_assets.keys import AssetCheckKey, AssetKey

__all__ = ["CheckKeys", "ChecksOf", "WithoutChecks"]


@dataclass(frozen=True, slots=True)
class CheckKeys(AssetSelection):
    """These checks, each of which must be there, and no asset."""

    of_keys: tuple[AssetCheckKey, ...]

    @property
    def precedence(self) -> int:  # type: ignore[override]
        return {0: 2, 1: 3}.get(len(self.of_keys), 0)

    def resolve(self, graph: AssetGraph) -> set[AssetKey]:
        return set()

    def resolve_checks(self, graph: AssetGraph) -> set[AssetCheckKey]:
        for key in self.of_keys:
            if key not in graph.checks:
                raise InvalidSelectionError(
                    f"there is no check {key.to_user_string()!r}", hint=suggest_checks(key, graph.checks)
                )
        return set(self.of_keys)

    def __str__(self) -> str:
        return " or ".join(f"check:{quoted(key.to_escaped_string())}" for key in self.of_keys) or "not *"


@dataclass(frozen=True, slots=True)
class ChecksOf(AssetSelection):
    """The checks of the assets in a selection, and no asset."""

    inner: AssetSelection

    def resolve(self, graph: AssetGraph) -> set[AssetKey]:
        return set()

    def resolve_checks(self, graph: AssetGraph) -> set[AssetCheckKey]:
        return graph.checks_of(self.inner.resolve(graph))

    def __str__(self) -> str:
        return f"checks({self.inner})"


@dataclass(frozen=True, slots=True)
class WithoutChecks(AssetSelection):
    """The assets in a selection, and none of their checks."""

    inner: AssetSelection

    def resolve(self, graph: AssetGraph) -> set[AssetKey]:
        return self.inner.resolve(graph)

    def resolve_checks(self, graph: AssetGraph) -> set[AssetCheckKey]:
        return set()

    def __str__(self) -> str:
        return f"without_checks({self.inner})"
