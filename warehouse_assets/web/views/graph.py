"""The lineage graph: which nodes and edges are shown, and where they stand."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Callable, Collection, Hashable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal, TypeAlias, TypeVar

from warehouse_assets.code_location.workspace import JoinedAsset
from warehouse_assets.errors import InvalidSelectionError, WarehouseAssetsError
from warehouse_assets.graph.asset_graph import suggest_keys
from warehouse_assets.html.layout import layered
from warehouse_assets.keys import AssetKey
from warehouse_assets.web.answers.catalog import Selection, select
from warehouse_assets.web.views.catalog import state_of
from warehouse_assets.web.views.pulse import Pulse, failures_of, running_of

if TYPE_CHECKING:
    from warehouse_assets.web.site import Facts, Site

__all__ = [
    "STATES",
    "Canvas",
    "DrawnEdge",
    "DrawnNode",
    "GraphAsked",
    "GraphView",
    "canvas",
    "curve",
    "graph_view",
    "node_states",
    "parents_first",
]

K = TypeVar("K", bound=Hashable)
Mode: TypeAlias = Literal["groups", "assets", "whole"]

STATES = ("fresh", "stale", "missing", "failed", "materializing", "source", "unknown")
MOST_IN_SVG = 300
MOST_COLUMNS = 10  # of groups: those that all depend on each other would else stand in one long row
WIDTH, HEIGHT, COLUMN, ROW = 190, 36, 270, 52
_WORST = ("failed", "materializing", "stale", "missing", "unknown", "fresh", "source")


@dataclass(frozen=True, slots=True)
class GraphAsked:
    """Which part of the graph: a group, the neighbours of an asset, a selection, or the whole; the groups where nothing is said."""

    group: str = ""
    asset: str = ""
    depth: int = 1
    select: str = ""
    whole: bool = False


@dataclass(frozen=True, slots=True)
class DrawnNode:
    """An asset or a group where it stands, by its upper left corner; `key` is None for a group, which has `counts` by state."""

    name: str
    key: AssetKey | None
    x: int
    y: int
    state: str
    kinds: Sequence[str] = ()
    group: str = ""
    rows: int | None = None
    counts: Mapping[str, int] = field(default_factory=dict)
    is_chosen: bool = False


@dataclass(frozen=True, slots=True)
class DrawnEdge:
    """From one node to another, by their numbers, through points; `count` is how many dependencies it stands for."""

    start: int
    end: int
    points: Sequence[tuple[int, int]]
    count: int = 1


@dataclass(frozen=True, slots=True)
class GraphView:
    """A part of the graph, laid out: `count` groups or assets. `mode` is groups, assets, or whole where these are too many for anything but a canvas: then
    `keys` says which, and nothing is drawn yet.
    """

    mode: Mode
    count: int
    nodes: Sequence[DrawnNode]
    edges: Sequence[DrawnEdge]
    width: int
    height: int
    total: int
    groups: Mapping[str, int]
    fault: str | None = None
    keys: Collection[AssetKey] = ()


@dataclass(frozen=True, slots=True)
class Canvas:
    """Assets in columns, by number: their keys, where their upper left corners are, and which depend on which, as pairs of numbers one after the other."""

    keys: Sequence[AssetKey]
    x: Sequence[int]
    y: Sequence[int]
    edges: Sequence[int]
    width: int
    height: int


def graph_view(site: Site, asked: GraphAsked) -> GraphView:
    """The part of the graph that is asked for; InvalidSelectionError for an asset that is not there."""
    assets = site.facts.assets
    groups = dict(sorted(Counter(asset.facts.group for asset in assets.values()).items()))
    keys, fault = _chosen(site, assets, asked)
    if keys is None and (asked.whole or len(groups) <= 1):
        keys = list(assets)
    if keys is None:
        return _grouped(assets, node_states(site), groups, fault)
    if len(keys) > MOST_IN_SVG:
        return GraphView("whole", len(keys), (), (), 0, 0, len(assets), groups, fault, keys)
    made, states = site.kept(Pulse).look().made, node_states(site)
    parents = _parents(assets, keys)
    places, routes, size = _placed(parents)
    chosen = AssetKey.from_escaped_string(asked.asset) if asked.asset else None
    numbers = {key: number for number, key in enumerate(parents)}
    nodes = []
    for key in parents:
        facts, last = assets[key].facts, made.get(key)
        name = "/".join(key.path[-2:]) if len(key.path) > 1 else key.path[0]
        rows = last.rows if last is not None else None
        nodes.append(DrawnNode(name, key, *places[key], states[key], facts.kinds, facts.group, rows, is_chosen=key == chosen))
    edges = [DrawnEdge(numbers[one], numbers[key], routes(one, key)) for key, above in parents.items() for one in above]
    return GraphView("assets", len(nodes), nodes, edges, *size, len(assets), groups, fault)


def prepare(site: Site) -> None:
    """Lay out the whole graph where it is large, so that who opens it does not wait for that."""
    if len(site.facts.assets) > MOST_IN_SVG:
        canvas(site, site.facts.assets)


def canvas(site: Site, keys: Collection[AssetKey]) -> Canvas:
    """Where thousands of assets stand: for all there are this is worked out once."""
    return site.kept(_Canvases).of(site.facts, keys)


class _Canvases:
    """The canvas of the whole graph, for what is declared."""

    def __init__(self, site: Site) -> None:
        self._lock = threading.Lock()
        self._whole: tuple[int, Canvas] | None = None

    def of(self, facts: Facts, keys: Collection[AssetKey]) -> Canvas:
        """The canvas of these assets; several that ask for the whole at once wait for one."""
        if len(keys) != len(facts.assets):
            return _canvas(facts, keys)
        with self._lock:
            if self._whole is None or self._whole[0] != facts.version:
                self._whole = facts.version, _canvas(facts, keys)
            return self._whole[1]


def _canvas(facts: Facts, keys: Collection[AssetKey]) -> Canvas:
    parents = _parents(facts.assets, keys)
    places, _, size = _placed(parents, is_wide=True)
    numbers = {key: number for number, key in enumerate(parents)}
    edges = [number for key, above in parents.items() for one in above for number in (numbers[one], numbers[key])]
    return Canvas(list(parents), [places[key][0] for key in parents], [places[key][1] for key in parents], edges, *size)


def _parents(assets: Mapping[AssetKey, JoinedAsset], keys: Collection[AssetKey]) -> dict[AssetKey, list[AssetKey]]:
    """What each of these assets is made from, of these; each after that."""
    inside = set(keys)
    return parents_first({key: [one for one in assets[key].parents if one in inside] for key in keys})


def node_states(site: Site) -> Mapping[AssetKey, str]:
    """The word for how each asset stands."""
    pulse = site.kept(Pulse)
    known, states = pulse.look(), pulse.states()
    failed, running = failures_of(known), running_of(known)
    return {
        key: state_of(asset, states.get(key), key in failed, key in running, key in known.made)
        for key, asset in site.facts.assets.items()
    }


def parents_first(parents: Mapping[K, Sequence[K]]) -> dict[K, list[K]]:
    """The same with each after all it depends on; where locations or groups depend on each other in a circle, without what closes it.

    >>> parents_first({"b": ["a"], "a": ["b"]})
    {'a': [], 'b': ['a']}
    """
    ordered: dict[K, list[K]] = {}
    open_: set[K] = set()
    for first in parents:
        stack = [(first, iter(parents[first]))] if first not in ordered else []
        open_.update(key for key, _ in stack)
        while stack:
            key, above = stack[-1]
            for one in above:
                if one not in ordered and one not in open_ and one in parents:
                    stack.append((one, iter(parents[one])))
                    open_.add(one)
                    break
            else:
                stack.pop()
                open_.discard(key)
                ordered[key] = [one for one in dict.fromkeys(parents[key]) if one in ordered]
    return ordered


def _chosen(
    site: Site, assets: Mapping[AssetKey, JoinedAsset], asked: GraphAsked
) -> tuple[Collection[AssetKey] | None, str | None]:
    """The keys that are asked for; None for all, as groups or as a whole."""
    if asked.asset:
        key = AssetKey.from_escaped_string(asked.asset)
        if key not in assets:
            raise InvalidSelectionError(f"there is no asset {asked.asset!r}", hint=suggest_keys(key, assets))
        return _near(assets, key, asked.depth), None
    if asked.select:
        found: dict[AssetKey, None] = {}
        fault = unknown = None
        for name in site.facts.locations:
            try:
                found.update(
                    dict.fromkeys(AssetKey(path) for path in site.workspace[name].ask(select, Selection(asked.select)).keys)
                )
            except InvalidSelectionError as error:  # another location may know what this one does not
                unknown = str(error)
            except WarehouseAssetsError as error:
                fault = str(error)
        return [key for key in found if key in assets], fault or (None if found else unknown)
    if asked.group:
        return [key for key, asset in assets.items() if asset.facts.group == asked.group], None
    return None, None


def _near(assets: Mapping[AssetKey, JoinedAsset], key: AssetKey, depth: int) -> list[AssetKey]:
    """An asset with what it is made from and what is made from it, so many steps away."""
    found = {key: None}
    for up in (True, False):
        edge: Iterable[AssetKey] = [key]
        seen = {key}
        for _ in range(depth):
            near = (other for one in edge for other in (assets[one].parents if up else assets[one].children))
            edge = [other for other in dict.fromkeys(near) if other in assets and other not in seen]
            seen.update(edge)
            found.update(dict.fromkeys(edge))
    return list(found)


def _grouped(
    assets: Mapping[AssetKey, JoinedAsset], states: Mapping[AssetKey, str], groups: Mapping[str, int], fault: str | None
) -> GraphView:
    """The groups with the dependencies between them."""
    counts: dict[str, Counter[str]] = {name: Counter() for name in groups}
    between: Counter[tuple[str, str]] = Counter()
    for key, asset in assets.items():
        counts[asset.facts.group][states[key]] += 1
        for parent in asset.parents:
            if parent in assets and (other := assets[parent].facts.group) != asset.facts.group:
                between[other, asset.facts.group] += 1
    above: dict[str, list[str]] = {name: [] for name in groups}
    for one, other in between:
        above[other].append(one)
    parents = parents_first(above)
    places, routes, size = _placed(parents)
    if size[0] > MOST_COLUMNS * COLUMN:
        places, size = _in_a_grid(list(parents))

        def routes(start: str, end: str) -> list[tuple[int, int]]:
            return [_out(places[start]), _in(places[end])]

    numbers = {name: number for number, name in enumerate(parents)}
    nodes = [DrawnNode(name, None, *places[name], _worst(counts[name]), group=name, counts=counts[name]) for name in parents]
    edges = []
    for (one, other), count in between.items():
        forth = one in parents[other]
        points = routes(one, other) if forth else [_out(places[one]), _in(places[other])]
        edges.append(DrawnEdge(numbers[one], numbers[other], points, count))
    return GraphView("groups", len(nodes), nodes, edges, *size, len(assets), groups, fault)


def _worst(counts: Mapping[str, int]) -> str:
    return next((state for state in _WORST if counts.get(state)), "unknown")


def _in_a_grid(names: Sequence[K]) -> tuple[Mapping[K, tuple[int, int]], tuple[int, int]]:
    """Places in columns from left to right, a little wider than high."""
    high = max(1, round((len(names) * 3) ** 0.5))
    places = {name: (number // high * COLUMN, number % high * ROW) for number, name in enumerate(names)}
    return places, ((len(names) - 1) // high * COLUMN + WIDTH, (high - 1) * ROW + HEIGHT)


def _placed(
    parents: Mapping[K, Sequence[K]], *, is_wide: bool = False
) -> tuple[Mapping[K, tuple[int, int]], Callable[[K, K], list[tuple[int, int]]], tuple[int, int]]:
    """Where each node stands, the way from one to another, and how large all of it is."""
    numbers = {key: number for number, key in enumerate(parents)}
    layout = layered({numbers[key]: [numbers[one] for one in above] for key, above in parents.items()})
    rows = layout.rows()
    top = min(rows.values(), default=0)
    step = COLUMN
    if is_wide:  # thousands of nodes make long columns, which then stand further apart
        step = max(COLUMN, round(1.5 * ROW * (max(rows.values(), default=0) - top) / max(len(layout.columns), 1)))
    at = {point: (point[1] * step, round((row - top) * ROW)) for point, row in rows.items()}
    places = {key: at[number, layout.depth[number]] for key, number in numbers.items()}

    def routes(start: K, end: K) -> list[tuple[int, int]]:
        first, last = layout.depth[numbers[start]], layout.depth[numbers[end]]
        between = [at[point] for column in range(first + 1, last) if (point := (numbers[start], column)) in at]
        return [_out(places[start]), *((x + WIDTH // 2, y + HEIGHT // 2) for x, y in between), _in(places[end])]

    width = max((x for x, _ in places.values()), default=0) + WIDTH
    height = max((y for _, y in at.values()), default=0) + HEIGHT
    return places, routes, (width, height)


def _out(place: tuple[int, int]) -> tuple[int, int]:
    return place[0] + WIDTH, place[1] + HEIGHT // 2


def _in(place: tuple[int, int]) -> tuple[int, int]:
    return place[0], place[1] + HEIGHT // 2


def curve(points: Sequence[tuple[int, int]]) -> str:
    """The path of an edge in SVG: curves that leave and enter to the side.

    >>> curve([(0, 0), (10, 20)])
    'M0 0C5 0 5 20 10 20'
    """

    def parts() -> Iterator[str]:
        (x, y), *rest = points
        yield f"M{x} {y}"
        for to_x, to_y in rest:
            middle = (x + to_x) // 2
            yield f"C{middle} {y} {middle} {to_y} {to_x} {to_y}"
            x, y = to_x, to_y

    return "".join(parts())
