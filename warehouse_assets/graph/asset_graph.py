"""`AssetGraph`: how assets hang together. Built once from all declarations; every fault in them is reported at once."""

from __future__ import annotations

import sys
from collections import deque
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from graphlib import CycleError, TopologicalSorter
from typing import TYPE_CHECKING, Any, TypeAlias

from warehouse_assets.definitions.assets import AssetOutput, AssetsDefinition
from warehouse_assets.definitions.naming import Faults, caller_place
from warehouse_assets.definitions.source import SourceAsset
from warehouse_assets.definitions.specs import DEFAULT_GROUP, DEFAULT_IO_MANAGER_KEY, AssetSpec
from warehouse_assets.errors import InvalidDefinitionError, InvalidDefinitionsError, close_matches
from warehouse_assets.graph.partitions import check_partition_mappings, check_self_dependency
from warehouse_assets.keys import AssetCheckKey, AssetKey

if TYPE_CHECKING:
    from typing_extensions import TypeIs

    from warehouse_assets.definitions.checks import AssetChecksDefinition
    from warehouse_assets.graph.checks import CheckNode
    from warehouse_assets.graph.sql_tables import UnknownTables
    from warehouse_assets.html import Drawing
    from warehouse_assets.sql.value import SQL

__all__ = ["AnyAsset", "AssetGraph", "AssetNode"]

_NOTHING: Mapping[str, Any] = {}

AnyAsset: TypeAlias = "AssetsDefinition | AssetChecksDefinition | SourceAsset | AssetSpec | Sequence[Any]"


@dataclass(frozen=True, slots=True, eq=False)
class AssetNode:
    """One asset in the graph: its spec, the definition that makes it (None: something else does), and its neighbours.

    A `stub` is known only as a dependency of others. `tables` are the assets that the names of tables in its SQL mean.
    """

    key: AssetKey
    spec: AssetSpec
    definition: AssetsDefinition | None = None
    output: AssetOutput | None = None
    source: SourceAsset | None = None
    parents: tuple[AssetKey, ...] = ()
    children: list[AssetKey] = field(default_factory=list)
    is_stub: bool = False
    tables: Mapping[tuple[str, ...], AssetKey] = field(default_factory=dict)

    @property
    def is_executable(self) -> bool:
        """Whether running a definition of this graph makes the asset."""
        return self.definition is not None

    @property
    def group_name(self) -> str:
        """The group it belongs to."""
        return self.spec.group_name or DEFAULT_GROUP

    @property
    def io_manager_key(self) -> str:
        """The name of the I/O manager that holds its table."""
        if self.definition is not None:
            return self.definition.io_manager_key_for(self.key)
        if self.source is not None:
            return self.source.io_manager_key
        return self.spec.io_manager_key or DEFAULT_IO_MANAGER_KEY

    @property
    def io_manager_def(self) -> Any:
        """The I/O manager that was given with the asset itself, if one was."""
        owner = self.definition or self.source
        return owner.io_manager_def if owner is not None else None

    @property
    def sql(self) -> SQL | None:
        """The query that makes its table, where that is known before anything runs."""
        sql = self.definition.sql if self.definition is not None else None
        return sql.meaning(self.tables) if sql is not None and self.tables else sql

    @property
    def place(self) -> str:
        """Where it was declared."""
        place = self.definition.place if self.definition is not None else self.spec.place
        return str(place)


class AssetGraph:
    """Assets and their dependencies, in an order in which each stands after all it depends on.

    `bindings` gives, for each definition, the asset that each argument is filled with; `checks` are the checks of the assets;
    among `resources` are their I/O managers.
    """

    def __init__(
        self,
        nodes: Mapping[AssetKey, AssetNode],
        bindings: Mapping[AssetsDefinition, Mapping[str, AssetKey]],
        order: Sequence[AssetKey],
        checks: Mapping[AssetCheckKey, CheckNode] | None = None,
        resources: Mapping[str, Any] = _NOTHING,
    ) -> None:
        self.nodes = nodes
        self.bindings = bindings
        self.order = order
        self.checks = checks or {}
        self.resources = resources

    @classmethod
    def build(
        cls,
        assets: AnyAsset | Iterable[AnyAsset],
        *,
        resources: Mapping[str, Any] = _NOTHING,
        unknown_tables: UnknownTables = "error",
    ) -> AssetGraph:
        """The graph of these definitions, checks, sources and specs: one of them, or a collection, in which collections may nest.

        The I/O managers among the `resources` say how SQL calls their tables. What SQL reads and is no asset is an error, or, with
        `unknown_tables` "source", a table that is there already.
        Raises InvalidDefinitionError, or a group of all faults: duplicate keys, unknown inputs and tables, cycles.
        """
        faults = Faults()
        graph = cls.attempt(assets, faults, resources=resources, unknown_tables=unknown_tables)
        faults.raise_any("the asset graph")
        return graph

    @classmethod
    def attempt(
        cls,
        assets: AnyAsset | Iterable[AnyAsset],
        faults: Faults,
        *,
        resources: Mapping[str, Any] = _NOTHING,
        unknown_tables: UnknownTables = "error",
    ) -> AssetGraph:
        """The graph as far as it can be told, with all that is wrong with it noted in `faults`, so that more can be asked of it."""
        builder = _Builder(faults, resources, unknown_tables)
        builder.collect([assets])
        return builder.build()

    def __contains__(self, key: AssetKey) -> bool:
        return key in self.nodes

    def __getitem__(self, key: AssetKey) -> AssetNode:
        return self.nodes[key]

    def __iter__(self) -> Iterator[AssetNode]:
        return (self.nodes[key] for key in self.order)

    def __len__(self) -> int:
        return len(self.nodes)

    @property
    def executable_keys(self) -> list[AssetKey]:
        """The assets that a run can make, in order."""
        return [key for key in self.order if self.nodes[key].definition is not None]

    @property
    def check_definitions(self) -> list[AssetChecksDefinition]:
        """The definitions of the checks that have a function of their own."""
        return list({id(d): d for node in self.checks.values() if (d := node.definition) is not None}.values())

    def checks_of(self, keys: Collection[AssetKey]) -> set[AssetCheckKey]:
        """The checks of these assets."""
        return {key for key in self.checks if key.asset_key in keys}

    def upstream(self, keys: Iterable[AssetKey], depth: int | None = None) -> set[AssetKey]:
        """All that these assets depend on, themselves excluded unless they depend on each other; at most `depth` steps away."""
        return self._reach(keys, lambda node: node.parents, depth)

    def downstream(self, keys: Iterable[AssetKey], depth: int | None = None) -> set[AssetKey]:
        """All that depends on these assets; at most `depth` steps away."""
        return self._reach(keys, lambda node: node.children, depth)

    def _reach(
        self, keys: Iterable[AssetKey], neighbours: Callable[[AssetNode], Sequence[AssetKey]], depth: int | None
    ) -> set[AssetKey]:
        reached: set[AssetKey] = set()
        queue = deque((key, 0) for key in keys)
        while queue:
            key, distance = queue.popleft()
            if depth is not None and distance >= depth:
                continue
            for near in neighbours(self.nodes[key]):
                if near not in reached:
                    reached.add(near)
                    queue.append((near, distance + 1))
        return reached

    def lineage(self, selection: Any = None) -> Drawing:
        """All assets and sources, or a selection of them, as a drawing of what each is made from, for notebooks."""
        from warehouse_assets.graph.lineage import lineage_of

        return lineage_of(self, selection)

    def _repr_html_(self) -> str:
        from warehouse_assets.html import drawn

        return drawn(self, lambda: self.lineage().html)

    def unknown_key_error(self, key: AssetKey) -> str:
        """A sentence of close keys, for a key that is not in the graph."""
        return suggest_keys(key, self.nodes)


def suggest_keys(key: AssetKey, known: Iterable[AssetKey]) -> str:
    """What a person may have meant by a key that is not there: the one of the same path spelled otherwise, or close names."""
    by_name = {other.to_user_string(): other for other in known}
    wrong = key.to_user_string()
    if wrong in by_name:  # the same text, but other segments
        other = by_name[wrong]
        return f"There is {other!r}, which has {len(other.path)} segments; {key!r} has {len(key.path)}."
    return close_matches(wrong, list(by_name)) or (
        f"Known are {', '.join(sorted(by_name)[:8])}{', …' if len(by_name) > 8 else ''}." if by_name else "There are no assets."
    )


def is_checks(item: Any) -> TypeIs[AssetChecksDefinition]:
    """Whether `item` is the definition of checks; where their module was never imported, nothing is."""
    module = sys.modules.get("warehouse_assets.definitions.checks")
    return module is not None and isinstance(item, module.AssetChecksDefinition)


class _Builder:
    """Builds a graph in three passes: collect by key, bind arguments and what SQL reads, connect and sort."""

    def __init__(self, faults: Faults, resources: Mapping[str, Any], unknown_tables: UnknownTables) -> None:
        self.faults = faults
        self.resources = resources
        self.unknown_tables: UnknownTables = unknown_tables
        self.definitions: dict[AssetsDefinition, None] = {}
        self.checking: dict[AssetsDefinition | AssetChecksDefinition, None] = {}
        self.nodes: dict[AssetKey, AssetNode] = {}
        self.read: Mapping[AssetKey, Mapping[tuple[str, ...], AssetKey]] = {}
        self.has_sql = False
        self._by_last_segment: dict[str, list[AssetKey]] | None = None

    def collect(self, assets: Iterable[Any]) -> None:
        for item in assets:
            if isinstance(item, AssetsDefinition):
                if item not in self.definitions:
                    self.definitions[item] = None
                    self.has_sql = self.has_sql or item.sql is not None
                    if item.check_specs:
                        self.checking[item] = None
                    for output in item.outputs.values():
                        self._add(AssetNode(output.spec.key, output.spec, item, output))
            elif isinstance(item, SourceAsset):
                self._add(AssetNode(item.key, item.spec, source=item))
            elif isinstance(item, AssetSpec):
                self._add(AssetNode(item.key, item))
            elif is_checks(item):
                self.checking[item] = None
            elif isinstance(item, Iterable) and not isinstance(item, str):
                self.collect(item)
            else:
                hint = "Decorate the function with @asset." if callable(item) else "Give assets, SourceAssets or AssetSpecs."
                self.faults.add(f"{item!r} is not an asset", hint=hint, where=caller_place())

    def _add(self, node: AssetNode) -> None:
        other = self.nodes.get(node.key)
        if other is None:
            self.nodes[node.key] = node
        elif other.spec is not node.spec:
            self.faults.add(
                f"asset {node.key.to_user_string()!r} is defined twice: {other.place} and {node.place}",
                hint="Give one of them another name or prefix.",
            )

    def build(self) -> AssetGraph:
        bindings = {definition: self._bind(definition) for definition in self.definitions}
        stubs = self._read_sql() if self.has_sql else {}
        for node in self.nodes.values():
            parents = self._parents(node, bindings)
            object.__setattr__(node, "parents", parents)  # nobody else has seen the node yet
            for parent in parents:
                if parent not in self.nodes and parent not in stubs:
                    stubs[parent] = AssetNode(parent, AssetSpec(parent, place=node.spec.place), is_stub=True)
        connected = self.nodes | stubs
        check_partition_mappings(connected, bindings, self.faults)
        order = self._sort(connected)
        checks: Mapping[AssetCheckKey, CheckNode] = {}
        if self.checking:
            from warehouse_assets.graph.checks import check_nodes

            checks = check_nodes(self.checking, connected, self._bind, self.faults)
        for key in order:
            for parent in connected[key].parents:
                connected[parent].children.append(key)
        return AssetGraph(connected, bindings, order, checks, self.resources)

    def _read_sql(self) -> dict[AssetKey, AssetNode]:
        """Find what SQL reads; the sources that it reads and nobody declared."""
        from warehouse_assets.graph.sql_tables import SQLTables

        tables = SQLTables(self.nodes, self.resources, self.unknown_tables, self.faults)
        self.read = tables.read()
        return {source.key: source for source in tables.sources.values()}

    def _bind(self, definition: AssetsDefinition | AssetChecksDefinition) -> dict[str, AssetKey]:
        bound: dict[str, AssetKey] = {}
        function = definition.function
        try:
            optional = {parameter.name for parameter in function.inputs if parameter.has_default}
            arguments = definition.arguments
        except InvalidDefinitionsError as error:
            self.faults.errors += error.exceptions  # type: ignore[arg-type]
            return bound
        except InvalidDefinitionError as error:
            self.faults.errors.append(error)
            return bound
        for argument in arguments:
            key = definition.key_for_argument(argument)
            if key is None:
                key = self._look_up(definition, argument, required=argument not in optional)
            elif key not in self.nodes and argument not in optional:
                self._unknown_input(definition, argument, key)
            if key is not None and key in self.nodes:
                bound[argument] = key
        return bound

    def _ending_with(self, segment: str) -> Sequence[AssetKey]:
        """The keys whose last segment this is; they are sorted by it when this is first asked."""
        if self._by_last_segment is None:
            self._by_last_segment = {}
            for key in self.nodes:
                self._by_last_segment.setdefault(key.path[-1], []).append(key)
        return self._by_last_segment.get(segment, ())

    def _look_up(
        self, definition: AssetsDefinition | AssetChecksDefinition, argument: str, *, required: bool
    ) -> AssetKey | None:
        """The asset meant by an argument's name: the key itself, or the one asset or source whose last segment it is."""
        key = AssetKey(argument)
        if key in self.nodes:
            return key
        own = definition.keys
        candidates = [other for other in self._ending_with(argument) if other not in own]
        if len(candidates) > 1:
            prefixes = {other.path[:-1] for other in own}
            candidates = [other for other in candidates if other.path[:-1] in prefixes] or candidates
        if len(candidates) == 1:
            return candidates[0]
        if candidates:
            names = ", ".join(sorted(other.to_user_string() for other in candidates))
            self.faults.add(
                f"{_asset_name(definition)}: the argument {argument!r} may mean several assets: {names}",
                hint=f"Say which with ins={{{argument!r}: AssetIn(key=…)}}.",
                where=definition.place,
            )
        elif required:
            self._unknown_input(definition, argument, key)
        return None

    def _unknown_input(self, definition: AssetsDefinition | AssetChecksDefinition, argument: str, key: AssetKey) -> None:
        what = f"the argument {argument!r} stands for the asset {key.to_user_string()!r}, which is not there"
        self.faults.add(
            f"{_asset_name(definition)}: {what}",
            hint=suggest_keys(key, self.nodes.keys() - definition.keys),
            where=definition.place,
        )

    def _parents(self, node: AssetNode, bindings: Mapping[AssetsDefinition, Mapping[str, AssetKey]]) -> tuple[AssetKey, ...]:
        parents = [dep.asset_key for dep in node.spec.deps]
        if node.definition is not None and node.output is not None:
            bound, used = bindings[node.definition], node.output.inputs
            parents += bound.values() if used is None else [bound[argument] for argument in bound if argument in used]
            parents += node.output.internal_deps
            if (tables := self.read.get(node.key)) is not None:
                object.__setattr__(node, "tables", tables)
                parents += tables.values()
        if node.key in parents:
            check_self_dependency(self.nodes, bindings, node, self.faults)
            parents = [parent for parent in parents if parent != node.key]
        return tuple(dict.fromkeys(parents))

    def _sort(self, nodes: Mapping[AssetKey, AssetNode]) -> list[AssetKey]:
        keys = list(nodes)
        number = {key: index for index, key in enumerate(keys)}  # which hash faster than keys
        sorter: TopologicalSorter[int] = TopologicalSorter()
        for index, node in enumerate(nodes.values()):
            sorter.add(index, *(number[parent] for parent in node.parents))
        try:
            return [keys[index] for index in sorter.static_order()]
        except CycleError as error:
            circle = [keys[index] for index in error.args[1]]
            path = " → ".join(key.to_user_string() for key in circle)
            places = dict.fromkeys(nodes[key].place for key in circle)
            self.faults.add(f"assets depend on each other in a circle: {path}", hint=f"They are at {', '.join(places)}.")
            return keys


def _asset_name(definition: AssetsDefinition | AssetChecksDefinition) -> str:
    if is_checks(definition):
        return f"check {definition.node_name!r}"
    return "asset " + ", ".join(sorted(repr(key.to_user_string()) for key in definition.keys))
