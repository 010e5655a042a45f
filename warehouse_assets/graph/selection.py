"""Selections: which assets of a graph are meant. Objects that combine with `|`, `&` and `-`, and have a string form.

The string form is parsed by `selection_syntax.py`; `str` of a selection writes it, so that the two round-trip.
"""

from __future__ import annotations

import fnmatch
import re
from abc import ABC, abstractmethod
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

from warehouse_assets.errors import InvalidSelectionError, close_matches
from warehouse_assets.graph.asset_graph import AssetGraph, AssetNode, suggest_keys
from warehouse_assets.keys import AssetCheckKey, AssetKey, CoercibleToAssetKey, CoercibleToKeyPrefix, key_prefix_segments

__all__ = ["AssetSelection", "CoercibleToAssetSelection", "exactly", "select_checks", "select_executable"]

WILDCARDS = "*?["


class AssetSelection(ABC):
    """Which assets are meant; `resolve` asks a graph.

    >>> str(AssetSelection.groups("marts") - AssetSelection.keys("tmp/scratch"))
    'group:marts and not key:tmp/scratch'
    """

    __slots__ = ()

    precedence = 3  # of the string form: 0 or, 1 and, 2 not, 3 all others

    @abstractmethod
    def resolve(self, graph: AssetGraph) -> set[AssetKey]:
        """The keys that are meant in this graph; InvalidSelectionError for a name that is not there."""

    def resolve_checks(self, graph: AssetGraph) -> set[AssetCheckKey]:
        """The checks that are meant in this graph: those of the assets, unless the selection is of checks itself."""
        return graph.checks_of(self.resolve(graph)) if graph.checks else set()

    @abstractmethod
    def __str__(self) -> str:
        """The string form."""

    @staticmethod
    def all() -> AssetSelection:
        """Every asset."""
        return Everything()

    @staticmethod
    def assets(*assets: Any) -> AssetSelection:
        """These assets, given as definitions, specs or keys."""
        from warehouse_assets.definitions.specs import dep_keys

        return Keys(tuple(key for asset in assets for key in dep_keys(asset)))

    @staticmethod
    def keys(*keys: CoercibleToAssetKey) -> AssetSelection:
        """The assets of these keys."""
        return Keys(tuple(AssetKey.coerce(key) for key in keys))

    @staticmethod
    def groups(*names: str) -> AssetSelection:
        """The assets of these groups."""
        return _any_of([Attribute("group", name) for name in names])

    @staticmethod
    def key_prefixes(*prefixes: CoercibleToKeyPrefix) -> AssetSelection:
        """The assets whose keys begin with one of these prefixes."""
        return _any_of([Prefix(key_prefix_segments(prefix)) for prefix in prefixes])

    @staticmethod
    def tag(name: str, value: str | None = None) -> AssetSelection:
        """The assets that have this tag."""
        return Attribute("tag", name if value is None else f"{name}={value}")

    @staticmethod
    def owner(owner: str) -> AssetSelection:
        """The assets of this owner."""
        return Attribute("owner", owner)

    @staticmethod
    def kind(kind: str) -> AssetSelection:
        """The assets of this kind."""
        return Attribute("kind", kind)

    @staticmethod
    def checks(*checks: Any) -> AssetSelection:
        """These checks and no asset, given as definitions, keys, or text such as "staging/orders:unique"."""
        from warehouse_assets.graph.check_selection import CheckKeys

        keys: list[AssetCheckKey] = []
        for check in checks:
            given = getattr(check, "check_keys", None)
            if given is not None:
                keys += sorted(given)
            else:
                keys.append(check if isinstance(check, AssetCheckKey) else AssetCheckKey.from_escaped_string(check))
        return CheckKeys(tuple(keys))

    @staticmethod
    def checks_for_assets(*assets: Any) -> AssetSelection:
        """The checks of these assets, given as definitions, specs or keys, and not the assets."""
        from warehouse_assets.graph.check_selection import ChecksOf

        return ChecksOf(AssetSelection.assets(*assets))

    @staticmethod
    def all_asset_checks() -> AssetSelection:
        """Every check, and no asset."""
        from warehouse_assets.graph.check_selection import ChecksOf

        return ChecksOf(Everything())

    def without_checks(self) -> AssetSelection:
        """These assets, and none of their checks."""
        from warehouse_assets.graph.check_selection import WithoutChecks

        return WithoutChecks(self)

    @staticmethod
    def from_string(text: str) -> AssetSelection:
        """The selection that the string form means."""
        from warehouse_assets.graph.selection_syntax import parse_selection

        return parse_selection(text)

    @staticmethod
    def of(value: CoercibleToAssetSelection) -> AssetSelection:
        """The selection meant by a selection, its string form, or a list of assets and keys."""
        if isinstance(value, AssetSelection):
            return value
        if isinstance(value, str):
            return AssetSelection.from_string(value)
        if isinstance(value, (list, tuple, set, frozenset)):
            return _any_of(
                [
                    AssetSelection.of(item) if isinstance(item, (str, AssetSelection)) else AssetSelection.assets(item)
                    for item in value
                ]
            )
        return AssetSelection.assets(value)

    def upstream(self, depth: int | None = None, include_self: bool = True) -> AssetSelection:
        """These assets and what they depend on, at most `depth` steps away."""
        whole = self if depth == 0 else Around(self, up=-1 if depth is None else depth)
        return whole if include_self else whole - self

    def downstream(self, depth: int | None = None, include_self: bool = True) -> AssetSelection:
        """These assets and what depends on them, at most `depth` steps away."""
        whole = self if depth == 0 else Around(self, down=-1 if depth is None else depth)
        return whole if include_self else whole - self

    def roots(self) -> AssetSelection:
        """Those that depend on none of the others."""
        return Ends("roots", self)

    def sinks(self) -> AssetSelection:
        """Those that none of the others depends on."""
        return Ends("sinks", self)

    def __or__(self, other: CoercibleToAssetSelection) -> AssetSelection:
        return Either((*_parts(Either, self), AssetSelection.of(other)))

    def __and__(self, other: CoercibleToAssetSelection) -> AssetSelection:
        return Both((*_parts(Both, self), AssetSelection.of(other)))

    def __sub__(self, other: CoercibleToAssetSelection) -> AssetSelection:
        return self & Not(AssetSelection.of(other))

    def __invert__(self) -> AssetSelection:
        return Not(self)

    def _inner(self, precedence: int) -> str:
        return str(self) if self.precedence >= precedence else f"({self})"


CoercibleToAssetSelection: TypeAlias = Any  # AssetSelection | str | Sequence of assets, keys, strings and selections


@dataclass(frozen=True, slots=True)
class Everything(AssetSelection):
    """Every asset."""

    def resolve(self, graph: AssetGraph) -> set[AssetKey]:
        return set(graph.nodes)

    def __str__(self) -> str:
        return "*"


@dataclass(frozen=True, slots=True)
class Keys(AssetSelection):
    """The assets of these keys, each of which must be there."""

    of_keys: tuple[AssetKey, ...]

    @property
    def precedence(self) -> int:  # type: ignore[override]
        return {0: 2, 1: 3}.get(len(self.of_keys), 0)

    def resolve(self, graph: AssetGraph) -> set[AssetKey]:
        for key in self.of_keys:
            if key not in graph:
                raise InvalidSelectionError(f"there is no asset {key.to_user_string()!r}", hint=suggest_keys(key, graph.nodes))
        return set(self.of_keys)

    def __str__(self) -> str:
        return " or ".join(f"key:{quoted(_literal(key.path))}" for key in self.of_keys) or "not *"


@dataclass(frozen=True, slots=True)
class Pattern(AssetSelection):
    """The assets whose keys, joined with "/", match a pattern in which `*` stands for any text, and no sign after a backslash."""

    pattern: str

    def resolve(self, graph: AssetGraph) -> set[AssetKey]:
        pattern = re.sub(r"\\(.)", lambda match: f"[{match[1]}]" if match[1] in WILDCARDS else match[1], self.pattern)
        return {key for key in graph.nodes if fnmatch.fnmatchcase(key.to_user_string(), pattern)}

    def __str__(self) -> str:
        return f"key:{quoted(self.pattern)}"


@dataclass(frozen=True, slots=True)
class Prefix(AssetSelection):
    """The assets whose keys begin with these segments."""

    prefix: tuple[str, ...]

    def resolve(self, graph: AssetGraph) -> set[AssetKey]:
        return {key for key in graph.nodes if key.path[: len(self.prefix)] == self.prefix}

    def __str__(self) -> str:
        return f"prefix:{quoted(_literal(self.prefix))}"


@dataclass(frozen=True, slots=True)
class Attribute(AssetSelection):
    """The assets of a group, owner, kind or tag."""

    name: str
    value: str

    def resolve(self, graph: AssetGraph) -> set[AssetKey]:
        values = {key: set(_attribute_values(self.name, node)) for key, node in graph.nodes.items()}
        known: set[str] = set().union(*values.values())
        if any(character in self.value for character in WILDCARDS):
            wanted = {value for value in known if fnmatch.fnmatchcase(value, self.value)}
        elif self.value in known:
            wanted = {self.value}
        else:
            hint = close_matches(self.value, known) or (f"Known are {', '.join(sorted(known)[:8])}." if known else None)
            raise InvalidSelectionError(f"there is no asset of {self.name} {self.value!r}", hint=hint)
        return {key for key, own in values.items() if own & wanted}

    def __str__(self) -> str:
        return f"{self.name}:{quoted(self.value)}"


def _attribute_values(name: str, node: AssetNode) -> Iterable[str]:
    spec = node.spec
    if name == "group":
        return () if node.is_stub else (node.group_name,)
    if name == "owner":
        return spec.owners
    if name == "kind":
        return spec.kinds
    return [text for tag, value in spec.tags.items() for text in (tag, f"{tag}={value}")]


@dataclass(frozen=True, slots=True)
class Around(AssetSelection):
    """Assets with what is upstream and downstream of them: 0 steps, a number of steps, or -1 for all."""

    inner: AssetSelection
    up: int = 0
    down: int = 0

    def resolve(self, graph: AssetGraph) -> set[AssetKey]:
        keys = self.inner.resolve(graph)
        around = set(keys)
        if self.up:
            around |= graph.upstream(keys, None if self.up < 0 else self.up)
        if self.down:
            around |= graph.downstream(keys, None if self.down < 0 else self.down)
        return around

    def __str__(self) -> str:
        up = "" if not self.up else "+" if self.up < 0 else f"{self.up}+"
        down = "" if not self.down else "+" if self.down < 0 else f"+{self.down}"
        inner = f"({self.inner})" if isinstance(self.inner, Around) else self.inner._inner(3)
        return f"{up}{inner}{down}"


@dataclass(frozen=True, slots=True)
class Ends(AssetSelection):
    """The assets at one end of a selection: its roots or its sinks."""

    name: str
    inner: AssetSelection

    def resolve(self, graph: AssetGraph) -> set[AssetKey]:
        keys = self.inner.resolve(graph)
        nodes = [graph.nodes[key] for key in keys]
        if self.name == "roots":
            return {node.key for node in nodes if not keys.intersection(node.parents)}
        return {node.key for node in nodes if not keys.intersection(node.children)}

    def __str__(self) -> str:
        return f"{self.name}({self.inner})"


@dataclass(frozen=True, slots=True)
class Not(AssetSelection):
    """All assets but these."""

    inner: AssetSelection
    precedence = 2

    def resolve(self, graph: AssetGraph) -> set[AssetKey]:
        return set(graph.nodes) - self.inner.resolve(graph)

    def resolve_checks(self, graph: AssetGraph) -> set[AssetCheckKey]:
        return set(graph.checks) - self.inner.resolve_checks(graph)

    def __str__(self) -> str:
        return f"not {self.inner._inner(2)}"


@dataclass(frozen=True, slots=True)
class Both(AssetSelection):
    """The assets that are in all of these selections."""

    parts: tuple[AssetSelection, ...]
    precedence = 1

    def resolve(self, graph: AssetGraph) -> set[AssetKey]:
        return set.intersection(*(part.resolve(graph) for part in self.parts))

    def resolve_checks(self, graph: AssetGraph) -> set[AssetCheckKey]:
        return set.intersection(*(part.resolve_checks(graph) for part in self.parts))

    def __str__(self) -> str:
        return " and ".join(part._inner(2) for part in self.parts)


@dataclass(frozen=True, slots=True)
class Either(AssetSelection):
    """The assets that are in any of these selections."""

    parts: tuple[AssetSelection, ...]
    precedence = 0

    def resolve(self, graph: AssetGraph) -> set[AssetKey]:
        return set().union(*(part.resolve(graph) for part in self.parts))

    def resolve_checks(self, graph: AssetGraph) -> set[AssetCheckKey]:
        return set().union(*(part.resolve_checks(graph) for part in self.parts))

    def __str__(self) -> str:
        return " or ".join(part._inner(1) for part in self.parts)


def _parts(kind: type[Both] | type[Either], selection: AssetSelection) -> tuple[AssetSelection, ...]:
    """The parts of a selection of this kind, so that long chains stay flat; any other selection is one part."""
    return selection.parts if isinstance(selection, kind) else (selection,)


def _any_of(selections: Sequence[AssetSelection]) -> AssetSelection:
    if not selections:
        return Keys(())
    return selections[0] if len(selections) == 1 else Either(tuple(selections))


def _literal(segments: Sequence[str]) -> str:
    """Segments in their escaped form, with wildcards escaped too."""
    text = AssetKey(segments).to_escaped_string() if segments else ""
    return re.sub(rf"[{re.escape(WILDCARDS)}]", r"\\\g<0>", text)


def quoted(text: str) -> str:
    """A value as the string form holds it: as it is, or between quotes."""
    from warehouse_assets.graph.selection_syntax import BARE_WORD

    if BARE_WORD.fullmatch(text) and text not in ("and", "or", "not"):
        return text
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'


def select_executable(graph: AssetGraph, selection: CoercibleToAssetSelection | None) -> set[AssetKey]:
    """The assets of a selection that a run can make; sources and stubs among them are left out.

    Raises InvalidSelectionError when nothing is left of a selection, and it has no checks that can be evaluated alone.
    """
    if selection is None:
        return set(graph.executable_keys)
    selected = AssetSelection.of(selection).resolve(graph)
    executable = {key for key in selected if graph.nodes[key].is_executable}
    if not executable:
        checks = AssetSelection.of(selection).resolve_checks(graph)
        if any(graph.checks[key].definition is not None for key in checks):
            return set()
        what = "only sources, which something else fills" if selected else "no asset"
        if checks and not selected:
            what = "only checks that the functions of their assets evaluate"
        raise InvalidSelectionError(f"the selection {str(selection)!r} holds {what}")
    return executable


def select_checks(graph: AssetGraph, selection: CoercibleToAssetSelection | None) -> set[AssetCheckKey]:
    """The checks that a run evaluates which makes a selection: those of its assets, unless the selection says otherwise."""
    if not graph.checks:
        return set()
    return set(graph.checks) if selection is None else AssetSelection.of(selection).resolve_checks(graph)


def exactly(assets: Iterable[AssetKey], checks: Iterable[AssetCheckKey]) -> AssetSelection:
    """The selection of these assets and of these checks."""
    return AssetSelection.keys(*assets).without_checks() | AssetSelection.checks(*checks)
