"""The lineage graph: which part is shown, where it stands, and that nothing in it is more than text."""

from __future__ import annotations

import itertools
import random
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest
from starlette.testclient import TestClient

from warehouse_assets import AssetKey, AssetMaterialization, Instance
from warehouse_assets.errors import InvalidSelectionError
from warehouse_assets.web.site import Site
from warehouse_assets.web.views.graph import (
    HEIGHT,
    MOST_IN_SVG,
    WIDTH,
    GraphAsked,
    GraphView,
    canvas,
    curve,
    graph_view,
    parents_first,
)

MANY = """
from warehouse_assets import AssetKey, Definitions, asset

made = []
for number in range({count}):
    deps = [f"t{{other}}" for other in (number // 2, number // 3) if 0 < number and other < number]
    made.append(asset(name=f"t{{number}}", group_name=f"g{{number % {groups}}}", deps=list(dict.fromkeys(deps)))(lambda: None))
defs = Definitions(made)
"""
HOSTILE = """
from warehouse_assets import AssetKey, Definitions, asset

one = asset(key=AssetKey(["a b", '<script>alert(1)</script>']), group_name="odd", description='"><img src=x onerror=alert(1)>')(lambda: None)
two = asset(key="two", group_name="other", deps=[one])(lambda: None)
defs = Definitions([one, two])
"""


def names(view: GraphView) -> list[str]:
    return sorted(node.key.to_user_string() if node.key is not None else node.name for node in view.nodes)


def test_it_opens_on_groups_with_the_dependencies_between_them(site: Site) -> None:
    view = graph_view(site, GraphAsked())
    numbers = {node.name: number for number, node in enumerate(view.nodes)}

    assert (view.mode, names(view)) == ("groups", ["default", "marts", "staging"])
    assert {(edge.start, edge.end, edge.count) for edge in view.edges} == {
        (numbers["staging"], numbers["marts"], 1),
        (numbers["default"], numbers["marts"], 1),
    }


@pytest.mark.parametrize(
    ("asked", "found"),
    [
        (GraphAsked(group="marts"), ["bad", "marts/per_customer", "regions"]),
        (GraphAsked(asset="marts/per_customer"), ["marts/per_customer", "staging/orders"]),
        (GraphAsked(asset="staging/orders", depth=0), ["staging/orders"]),
        (GraphAsked(select="raw/events+"), ["bad", "raw/events"]),
        (GraphAsked(whole=True), ["bad", "marts/per_customer", "raw/events", "regions", "staging/orders"]),
    ],
    ids=["group", "neighbours", "depth 0", "selection", "whole"],
)
def test_a_part_is_shown(site: Site, asked: GraphAsked, found: Sequence[str]) -> None:
    assert names(graph_view(site, asked)) == found


def test_what_cannot_be_shown_is_said(site: Site, client: TestClient) -> None:
    with pytest.raises(InvalidSelectionError, match="there is no asset 'ordes'"):
        graph_view(site, GraphAsked(asset="ordes"))
    answer = client.get("/graph?select=nothing%2B")

    assert (answer.status_code, "nothing" in answer.text) == (200, True)
    assert client.get("/graph?asset=nothing").status_code == 404


@pytest.mark.parametrize(("count", "groups"), [(40, 3), (900, 60)], ids=["few", "many"])
def test_nothing_overlaps_and_edges_go_forward(sites: Callable[..., Site], folder: Path, count: int, groups: int) -> None:
    (folder / "many.py").write_text(MANY.format(count=count, groups=groups))
    site = sites("many")
    view = graph_view(site, GraphAsked(whole=True))
    if view.mode == "whole":
        drawn = canvas(site, view.keys)
        places, edges = list(zip(drawn.x, drawn.y, strict=True)), list(zip(drawn.edges[::2], drawn.edges[1::2], strict=True))
    else:
        places, edges = [(node.x, node.y) for node in view.nodes], [(edge.start, edge.end) for edge in view.edges]
    columns: dict[int, list[int]] = {}
    for x, y in places:
        columns.setdefault(x, []).append(y)

    assert len(set(places)) == view.count == count
    assert min(b - a for ys in columns.values() for a, b in itertools.pairwise(sorted(ys))) > HEIGHT
    assert all(places[start][0] + WIDTH < places[end][0] for start, end in edges)
    assert (view.mode == "whole") == (count > MOST_IN_SVG)
    assert graph_view(site, GraphAsked(whole=True)) == view
    assert len({(node.x, node.y) for node in graph_view(site, GraphAsked()).nodes}) == groups


def test_neighbours_of_many_ways_are_found_once(sites: Callable[..., Site], folder: Path) -> None:
    lines = ["from warehouse_assets import Definitions, asset", "made = []"]
    for number in range(40):  # two ways from each to the next pair: 2 ** 40 in all
        for side in "ab":
            deps = f'["a{number - 1}", "b{number - 1}"]' if number else "[]"
            lines.append(f'made.append(asset(name="{side}{number}", deps={deps})(lambda: None))')
    (folder / "ways.py").write_text("\n".join([*lines, "defs = Definitions(made)"]))

    assert len(graph_view(sites("ways"), GraphAsked(asset="a39", depth=50)).nodes) == 79


def test_a_selection_of_nothing_shows_nothing(site: Site, client: TestClient) -> None:
    view = graph_view(site, GraphAsked(select="staging/orders and marts/per_customer"))

    assert (view.nodes, view.fault) == ([], None)
    assert "Nothing to draw" in client.get("/graph?select=staging/orders+and+marts/per_customer").text


def test_of_several_locations_one_has_to_know_what_is_selected(sites: Callable[..., Site], folder: Path) -> None:
    (folder / "other.py").write_text(
        "from warehouse_assets import Definitions, asset\ndefs = Definitions([asset(name='far')(lambda: None)])"
    )
    (folder / "broken.py").write_text("raise ValueError('no such luck')")
    site = sites("shop", "other", "broken")
    far = graph_view(site, GraphAsked(select="far"))

    assert (names(far), far.fault) == (["far"], None)
    assert "far_away" in (graph_view(site, GraphAsked(select="far_away")).fault or "")


def test_circles_are_opened() -> None:
    rng = random.Random(1)
    for size in (1, 2, 5, 30):
        names = [f"n{number}" for number in range(size)]
        found = parents_first({name: rng.sample(names, rng.randrange(size)) for name in names})
        seen: set[str] = set()
        for name, above in found.items():
            assert seen >= set(above)
            seen.add(name)

        assert sorted(found) == sorted(names)


def test_a_long_chain_needs_no_recursion() -> None:
    chain: dict[int, list[int]] = {number: [number + 1] for number in range(20_000)}

    assert next(iter(parents_first({**chain, 20_000: []}))) == 20_000


def test_states_are_told_by_sign_word_and_class(client: TestClient, instance: Instance) -> None:
    instance.report_runless_asset_event(AssetMaterialization(AssetKey(["staging", "orders"]), metadata={"row_count": 1234}))
    page = client.get("/graph?asset=staging/orders").text
    mini = client.get("/graph/mini?asset=staging/orders").text

    assert 'aria-label="marts/per_customer, missing"' in page
    assert "1,234 rows" in page
    assert 'href="/assets/marts/per_customer"' in mini
    assert "<html" not in mini


def test_hostile_names_are_text(sites: Callable[..., Site], client_of: Callable[[Site], TestClient], folder: Path) -> None:
    (folder / "hostile.py").write_text(HOSTILE)
    client = client_of(sites("hostile"))
    for address in ("/graph", "/graph?whole=1", "/graph?asset=two", "/assets", "/", "/graph?select=%3Cscript%3E&group=%22%3E"):
        page = client.get(address).text

        assert "<script>alert" not in page
        assert "<img src=x" not in page
    assert client.get("/assets/a%20b/%3Cscript%3Ealert(1)%3C%2Fscript%3E").status_code == 200
    assert r"a b/<script>alert(1)<\/script>" in client.get("/api/graph?whole=1").json()["keys"]
    assert len(client.get("/api/graph", params={"asset": r"a b/<script>alert(1)<\/script>"}).json()["keys"]) == 2


def test_the_api_gives_positions_and_states(client: TestClient) -> None:
    told = client.get("/api/graph?whole=1").json()
    pairs = [(told["keys"][a], told["keys"][b]) for a, b in zip(told["edges"][::2], told["edges"][1::2], strict=True)]

    assert ("staging/orders", "marts/per_customer") in pairs
    assert told["words"][told["states"][told["keys"].index("raw/events")]] == "source"
    assert client.get("/api/graph/states").json()["bad"] == "missing"


def test_a_curve_goes_through_its_points() -> None:
    assert curve([(0, 0), (10, 20), (20, 20)]) == "M0 0C5 0 5 20 10 20C15 20 15 20 20 20"


def test_an_empty_graph_says_what_to_do(
    sites: Callable[..., Site], client_of: Callable[[Site], TestClient], folder: Path
) -> None:
    (folder / "empty.py").write_text("from warehouse_assets import Definitions\ndefs = Definitions()\n")

    assert "Nothing to draw" in client_of(sites("empty")).get("/graph").text
