"""Where tables and columns come from, and where they go: links followed through the asset graph."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, Literal, TypeAlias

from warehouse_assets.column_lineage import TableColumnDep, TableColumnLineage
from warehouse_assets.errors import InvalidSelectionError, close_matches
from warehouse_assets.graph.asset_graph import AssetGraph
from warehouse_assets.keys import AssetKey

__all__ = ["Direction", "LineageLink", "LineageNode", "LineageTrace", "trace_assets", "trace_columns"]

Direction: TypeAlias = Literal["upstream", "downstream"]


@dataclass(frozen=True, slots=True)
class LineageNode:
    """A column of the table of an asset; the whole table where `column` is None."""

    asset_key: AssetKey
    column: str | None = None

    def __str__(self) -> str:
        name = self.asset_key.to_user_string()
        return name if self.column is None else f"{name}.{self.column}"


@dataclass(frozen=True, slots=True)
class LineageLink:
    """`target` is made from `source`.

    `kind` is "table" between tables. Between columns it is "direct" for a copy, "derived" where it is computed row by row,
    "aggregated" where it is computed over rows; "rows" where the source decides which rows there are, and "unknown" where nothing
    tells whether the target is made from it.
    """

    source: LineageNode
    target: LineageNode
    kind: str = "table"


@dataclass(frozen=True)
class LineageTrace:
    """What was found on the way from `start`: the links, the nearest first, and the nodes where the way is lost, with the reason."""

    start: tuple[LineageNode, ...]
    direction: Direction
    links: tuple[LineageLink, ...]
    opaque: Mapping[LineageNode, str] = field(default_factory=dict)

    def next(self, node: LineageNode) -> Sequence[LineageLink]:
        """The links that lead on from a node."""
        return self._by_node.get(node, ())

    @property
    def nodes(self) -> tuple[LineageNode, ...]:
        """All that was met, the start first."""
        met = (node for link in self.links for node in self.ends(link))
        return tuple(dict.fromkeys((*self.start, *met)))

    def ends(self, link: LineageLink) -> tuple[LineageNode, LineageNode]:
        """The near and the far end of a link, as seen from the start."""
        return (link.target, link.source) if self.direction == "upstream" else (link.source, link.target)

    @cached_property
    def _by_node(self) -> Mapping[LineageNode, Sequence[LineageLink]]:
        found: dict[LineageNode, list[LineageLink]] = {}
        for link in self.links:
            found.setdefault(self.ends(link)[0], []).append(link)
        return found


def trace_assets(
    graph: AssetGraph | Mapping[AssetKey, Any], key: AssetKey, direction: Direction, depth: int | None = None
) -> LineageTrace:
    """The tables that one is made from, or that are made from it, at most `depth` steps away."""

    def links_of(node: LineageNode) -> Iterator[LineageLink]:
        asset = graph[node.asset_key]
        for near in asset.parents if direction == "upstream" else sorted(asset.children):
            other = LineageNode(near)
            yield LineageLink(other, node) if direction == "upstream" else LineageLink(node, other)

    return _followed((LineageNode(key),), direction, depth, links_of, {})


def trace_columns(
    graph: AssetGraph,
    lineages: Mapping[AssetKey, TableColumnLineage],
    columns: Mapping[AssetKey, Sequence[str] | None],
    start: Sequence[LineageNode],
    direction: Direction,
    depth: int | None = None,
    *,
    rows: bool = False,
) -> LineageTrace:
    """The columns that some are made from, or that are made from them, at most `depth` tables away.

    `lineages` and `columns` are those of the tables of which they are known. With `rows`, columns that decide which rows a table
    has are among them. InvalidSelectionError for a column that its table does not have.
    """
    start = [LineageNode(node.asset_key, _spelled(node, lineages, columns)) for node in start]
    opaque: dict[LineageNode, str] = {}
    up, down = _Upstream(graph, lineages, opaque, rows), _Downstream(graph, lineages, opaque, rows)
    return _followed(start, direction, depth, up.links if direction == "upstream" else down.links, opaque)


def _spelled(
    node: LineageNode,
    lineages: Mapping[AssetKey, TableColumnLineage],
    columns: Mapping[AssetKey, Sequence[str] | None],
) -> str | None:
    """The column as its table spells it."""
    lineage = lineages.get(node.asset_key)
    known = columns.get(node.asset_key) or (
        tuple(lineage.deps_by_column) if lineage is not None and not lineage.opaque else None
    )
    if node.column is None or known is None or node.column in known:
        return node.column
    alike = [name for name in known if name.casefold() == node.column.casefold()]
    if len(alike) == 1:
        return alike[0]
    hint = close_matches(node.column, list(known)) or f"It has {', '.join(known)}."
    raise InvalidSelectionError(f"the table of {node.asset_key.to_user_string()!r} has no column {node.column!r}", hint=hint)


@dataclass(frozen=True)
class _Upstream:
    graph: AssetGraph
    lineages: Mapping[AssetKey, TableColumnLineage]
    opaque: dict[LineageNode, str]
    rows: bool

    def links(self, node: LineageNode) -> Iterator[LineageLink]:
        asset, lineage = self.graph[node.asset_key], self.lineages.get(node.asset_key)
        if lineage is None:
            if asset.parents:
                self.opaque[node] = "Python makes it: what its columns are made from is not recorded"
            return
        name = node.column or ""
        why = lineage.opaque_by_column.get(name) or (lineage.opaque if name not in lineage.deps_by_column else None)
        if why is not None:
            self.opaque[node] = why
        kind = lineage.kind_by_column.get(name, "derived")
        deps = lineage.deps_by_column.get(name, ())
        yield from (LineageLink(_node(dep), node, kind) for dep in deps)
        if self.rows:
            yield from (LineageLink(_node(dep), node, "rows") for dep in lineage.row_deps if dep not in deps)


@dataclass(frozen=True)
class _Downstream:
    graph: AssetGraph
    lineages: Mapping[AssetKey, TableColumnLineage]
    opaque: dict[LineageNode, str]
    rows: bool

    def links(self, node: LineageNode) -> Iterator[LineageLink]:
        if node.column is None:
            return
        for child in sorted(self.graph[node.asset_key].children):
            whole, lineage = LineageNode(child), self.lineages.get(child)
            if lineage is None or (lineage.opaque is not None and not lineage.deps_by_column):
                self.opaque[whole] = (
                    lineage.opaque if lineage is not None and lineage.opaque else "Python makes it from this table"
                )
                yield LineageLink(node, whole, "unknown")
                continue
            for column, deps in lineage.deps_by_column.items():
                if any(_is(dep, node) for dep in deps):
                    yield LineageLink(node, LineageNode(child, column), lineage.kind_by_column.get(column, "derived"))
            if self.rows and any(_is(dep, node) for dep in lineage.row_deps):
                yield LineageLink(node, whole, "rows")


def _node(dep: TableColumnDep) -> LineageNode:
    return LineageNode(dep.asset_key, dep.column_name)


def _is(dep: TableColumnDep, node: LineageNode) -> bool:
    """Whether a column is meant, by its name as the record or a query spells it."""
    if dep.asset_key != node.asset_key or node.column is None:
        return False
    return dep.column_name == node.column or dep.column_name.casefold() == node.column.casefold()


def _followed(
    start: Iterable[LineageNode],
    direction: Direction,
    depth: int | None,
    links_of: Callable[[LineageNode], Iterable[LineageLink]],
    opaque: Mapping[LineageNode, str],
) -> LineageTrace:
    """All links that can be reached, each node once."""
    first = tuple(start)
    found: dict[LineageLink, None] = {}
    queue = deque((node, 0) for node in first)
    seen = set(first)
    while queue:
        node, distance = queue.popleft()
        if depth is not None and distance >= depth:
            continue
        for link in links_of(node):
            found[link] = None
            far = link.source if direction == "upstream" else link.target
            if far not in seen:
                seen.add(far)
                queue.append((far, distance + 1))
    return LineageTrace(first, direction, tuple(found), dict(opaque))
