from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from warehouse_assets import AssetKey, AssetSelection, SourceAsset, asset
from warehouse_assets.errors import InvalidSelectionError
from warehouse_assets.graph.asset_graph import AssetGraph
from warehouse_assets.graph.selection import select_executable


def made(key: Any, *deps: str, **options: Any) -> Any:
    return asset(key=key, deps=deps, **options)(lambda: None)


ODD = [
    AssetKey("odd / name"),
    AssetKey(["a/b", 'q"u\\ote']),
    AssetKey("star*"),
    AssetKey(["or"]),
    AssetKey("2"),
    AssetKey("[x]?"),
]
ORDERS = made("staging/orders", "raw/orders", kinds={"polars"})
GRAPH = AssetGraph.build(
    [
        SourceAsset("raw/orders", group_name="raw"),
        ORDERS,
        made("staging/lines", "raw/lines", kinds={"polars"}, owners=["team:data platform"]),
        made(
            "marts/sales", "staging/orders", "staging/lines", group_name="marts", kinds={"sql"}, tags={"tier": "1", "pii": ""}
        ),
        made("marts/late", "marts/sales", group_name="marts", kinds={"sql"}, owners=["a@example.com"]),
        made("tmp/late", "marts/late", tags={"tier": "2"}),
        *map(made, ODD),
    ]
)
ALL = set(GRAPH.nodes)
NORMAL = {key.to_user_string() for key in ALL - set(ODD)}


def names(selection: Any) -> set[str]:
    return {key.to_user_string() for key in AssetSelection.of(selection).resolve(GRAPH)}


SELECTED: dict[str, set[str]] = {
    "marts/sales": {"marts/sales"},
    "key:marts/sales": {"marts/sales"},
    'key:"marts/*"': {"marts/sales", "marts/late"},
    "marts/*": {"marts/sales", "marts/late"},
    "*/late": {"marts/late", "tmp/late"},
    "+marts/sales": {"raw/orders", "raw/lines", "staging/orders", "staging/lines", "marts/sales"},
    "1+marts/sales": {"staging/orders", "staging/lines", "marts/sales"},
    "staging/orders+": {"staging/orders", "marts/sales", "marts/late", "tmp/late"},
    "staging/orders+2": {"staging/orders", "marts/sales", "marts/late"},
    "1+marts/late+1": {"marts/sales", "marts/late", "tmp/late"},
    "group:marts": {"marts/sales", "marts/late"},
    "group:m*": {"marts/sales", "marts/late"},
    "group:raw": {"raw/orders"},
    "group:marts and not key:marts/late": {"marts/sales"},
    "GROUP:marts AND NOT marts/late": {"marts/sales"},
    "kind:sql or kind:polars": {"marts/sales", "marts/late", "staging/orders", "staging/lines"},
    "tag:tier": {"marts/sales", "tmp/late"},
    "tag:tier=2": {"tmp/late"},
    "tag:pii": {"marts/sales"},
    'owner:"team:data platform"': {"staging/lines"},
    "owner:a@example.com": {"marts/late"},
    "prefix:marts": {"marts/sales", "marts/late"},
    "prefix:mart or prefix:tmp": {"tmp/late"},
    "roots(group:marts)": {"marts/sales"},
    "sinks(+marts/late)": {"marts/late"},
    "+(staging/orders or staging/lines)": {"staging/orders", "staging/lines", "raw/orders", "raw/lines"},
    "kind:sql and group:marts or tmp/late": {"marts/sales", "marts/late", "tmp/late"},
    "kind:sql and (group:raw or tag:pii)": {"marts/sales"},
    "not (* and not tmp/late)": {"tmp/late"},
    "not not tmp/late": {"tmp/late"},
    "2": {"2"},
    "key:2+": {"2"},
    r'key:"a\\/b/q\"u\\\\ote"': {'a/b/q"u\\ote'},
    r"star\*": {"star*"},
    r"st*r\*": {"star*"},
    '"odd \\\\/ name"': {"odd / name"},
    'key:"or"': {"or"},
    "key:or": {"or"},
}


@pytest.mark.parametrize(("text", "expected"), SELECTED.items(), ids=SELECTED)
def test_a_string_selects(text: str, expected: set[str]) -> None:
    assert names(text) == expected


@pytest.mark.parametrize("text", SELECTED)
def test_a_parsed_string_round_trips(text: str) -> None:
    selection = AssetSelection.from_string(text)

    assert AssetSelection.from_string(str(selection)) == selection


@pytest.mark.parametrize(
    ("selection", "expected"),
    [
        (AssetSelection.all(), {key.to_user_string() for key in ALL}),
        (AssetSelection.assets(ORDERS, "tmp/late"), {"staging/orders", "tmp/late"}),
        (AssetSelection.keys("tmp/late", ["marts", "late"], AssetKey("star*")), {"tmp/late", "marts/late", "star*"}),
        (AssetSelection.keys(), set()),
        (AssetSelection.groups("raw", "marts"), {"raw/orders", "marts/sales", "marts/late"}),
        (AssetSelection.key_prefixes("marts", ["tmp"]), {"marts/sales", "marts/late", "tmp/late"}),
        (AssetSelection.key_prefixes(["a/b"]), {'a/b/q"u\\ote'}),
        (AssetSelection.tag("tier", "1"), {"marts/sales"}),
        (AssetSelection.owner("team:data platform"), {"staging/lines"}),
        (AssetSelection.kind("sql"), {"marts/sales", "marts/late"}),
        (
            AssetSelection.keys("marts/sales").upstream(),
            {"marts/sales", "staging/orders", "staging/lines", "raw/orders", "raw/lines"},
        ),
        (AssetSelection.keys("marts/sales").upstream(1, include_self=False), {"staging/orders", "staging/lines"}),
        (AssetSelection.keys("marts/sales").downstream(1), {"marts/sales", "marts/late"}),
        (AssetSelection.keys("marts/sales").downstream(include_self=False), {"marts/late", "tmp/late"}),
        (AssetSelection.groups("marts").roots(), {"marts/sales"}),
        (AssetSelection.groups("marts").sinks(), {"marts/late"}),
        (AssetSelection.groups("marts") - "marts/late", {"marts/sales"}),
        (AssetSelection.groups("marts") & "*/late" | "tmp/late", {"marts/late", "tmp/late"}),
        (~AssetSelection.all() | ["tmp/late", ORDERS], {"tmp/late", "staging/orders"}),
        (~AssetSelection.keys("tmp/late", "marts/late") & "*/late", set()),
        (ORDERS, {"staging/orders"}),
        ([ORDERS, "group:raw", AssetKey("2")], {"staging/orders", "raw/orders", "2"}),
    ],
    ids=lambda value: "" if isinstance(value, set) else str(value),  # the order of a set differs between processes
)
def test_an_object_selects_and_its_string_form_means_the_same(selection: Any, expected: set[str]) -> None:
    assert (names(selection), names(str(AssetSelection.of(selection)))) == (expected, expected)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "column 1: it is empty"),
        ("  ", "column 1: it is empty"),
        ("a or", "column 5: something is missing here"),
        ("a b", "column 3: 'b' is not expected"),
        ("(a", 'column 3: ")" is missing'),
        ("a)", "column 2: ')' is not expected"),
        ("and a", "column 1: 'and' is not expected"),
        ("a & b", "column 3: '&' means nothing here"),
        ("gruop:a", "column 1: 'gruop' is no attribute. Did you mean 'group'?"),
        ("group:", "column 7: the value of 'group' is missing"),
        ("a//b", "column 1: 'a//b' is not an escaped asset key"),
        ("not", "column 4: something is missing here"),
        ('"a', "column 1: '\"' means nothing here"),
    ],
)
def test_a_mistake_is_shown_by_its_column(text: str, message: str) -> None:
    with pytest.raises(InvalidSelectionError) as caught:
        AssetSelection.from_string(text)

    assert str(caught.value).startswith(f"selection {text!r}, {message}")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("staging/ordrs", "there is no asset 'staging/ordrs'. Did you mean 'staging/orders' or "),
        ("sales", "there is no asset 'sales'. Did you mean 'marts/sales'?"),
        ("group:mart", "there is no asset of group 'mart'. Did you mean 'marts'?"),
        ("kind:spark", "there is no asset of kind 'spark'. Known are polars, sql."),
    ],
)
def test_what_is_not_there_is_an_error_with_close_names(text: str, message: str) -> None:
    with pytest.raises(InvalidSelectionError) as caught:
        names(text)

    assert str(caught.value).startswith(message)


@pytest.mark.semantics(14)
@pytest.mark.parametrize(
    ("selection", "message"),
    [
        ("raw/orders", "holds only sources, which something else fills"),
        ("nothing/*", "holds no asset"),
    ],
)
def test_a_selection_without_anything_to_run_is_an_error(selection: str, message: str) -> None:
    with pytest.raises(InvalidSelectionError, match=message):
        select_executable(GRAPH, selection)


@pytest.mark.semantics(14)
def test_sources_are_left_out_of_what_runs() -> None:
    assert select_executable(GRAPH, "+staging/orders") == {AssetKey(["staging", "orders"])}


def test_long_lists_and_deep_nesting_can_be_resolved() -> None:
    many = ["tmp/late"] * 5_000
    long = AssetSelection.keys("tmp/late")
    for _ in range(5_000):
        long = long | "marts/late"

    assert [names(many), names(long), names(" or ".join(many))] == [
        {"tmp/late"},
        {"tmp/late", "marts/late"},
        {"tmp/late"},
    ]


text = st.text(st.sampled_from("ab/\\\"*?[]() +:'\n2or") | st.characters(codec="utf-8"), min_size=1, max_size=6)
literal = st.one_of(
    st.lists(st.lists(text, min_size=1, max_size=3).map(AssetKey), max_size=3).map(lambda keys: AssetSelection.keys(*keys)),
    st.lists(text, min_size=1, max_size=3).map(lambda prefix: AssetSelection.key_prefixes(prefix)),
    text.map(AssetSelection.owner),
    st.tuples(text, st.none() | text).map(lambda pair: AssetSelection.tag(*pair)),
    st.just(AssetSelection.all()),
)
known = st.one_of(
    st.lists(st.sampled_from(sorted(ALL)), min_size=1, max_size=3).map(lambda keys: AssetSelection.keys(*keys)),
    st.sampled_from(["group:marts", "kind:sql", "tag:tier=1", "prefix:staging", "*/late", "*"]).map(AssetSelection.from_string),
)


def combined(parts: st.SearchStrategy[AssetSelection]) -> st.SearchStrategy[AssetSelection]:
    depth = st.none() | st.integers(0, 3)
    return st.one_of(
        st.tuples(parts, parts).map(lambda pair: pair[0] | pair[1]),
        st.tuples(parts, parts).map(lambda pair: pair[0] & pair[1]),
        st.tuples(parts, parts).map(lambda pair: pair[0] - pair[1]),
        parts.map(lambda part: ~part),
        parts.map(lambda part: part.roots()),
        parts.map(lambda part: part.sinks()),
        st.tuples(parts, depth, st.booleans()).map(lambda given: given[0].upstream(given[1], given[2])),
        st.tuples(parts, depth, st.booleans()).map(lambda given: given[0].downstream(given[1], given[2])),
    )


@given(st.recursive(literal, combined, max_leaves=8))
def test_the_string_form_is_the_same_after_a_round_trip(selection: AssetSelection) -> None:
    assert str(AssetSelection.from_string(str(selection))) == str(selection)


@given(st.recursive(known, combined, max_leaves=8))
def test_the_string_form_means_the_same(selection: AssetSelection) -> None:
    assert AssetSelection.from_string(str(selection)).resolve(GRAPH) == selection.resolve(GRAPH)
