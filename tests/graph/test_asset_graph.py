from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

from warehouse_assets import AssetIn, AssetKey, AssetsDefinition, AssetSpec, SourceAsset, asset
from warehouse_assets.errors import InvalidDefinitionError, InvalidDefinitionsError
from warehouse_assets.graph.asset_graph import AssetGraph

HERE = re.escape(Path(__file__).name)


def made(key: str, *arguments: str, **options: Any) -> AssetsDefinition:
    """An asset of this key whose function has these arguments."""
    scope: dict[str, Any] = {}
    exec(compile(f"def fn({', '.join(arguments)}): ...", __file__, "exec"), scope)
    return asset(key=key, **options)(scope["fn"])


def parents(graph: AssetGraph, key: str) -> list[str]:
    return [parent.to_user_string() for parent in graph[AssetKey.coerce(key)].parents]


@pytest.mark.semantics(5)
def test_an_asset_stands_after_all_it_depends_on() -> None:
    graph = AssetGraph.build(
        [made("d", "b", "c"), [made("b", "a"), (made("c", "a"),)], made("a", deps=["z"]), SourceAsset("e")]
    )
    place = {key.to_user_string(): index for index, key in enumerate(graph.order)}

    assert set(place) == {"a", "b", "c", "d", "e", "z"}
    assert place["z"] < place["a"] < min(place["b"], place["c"]) <= max(place["b"], place["c"]) < place["d"]
    assert [key.to_user_string() for key in graph.executable_keys if key.path == ("d",)] == ["d"]
    assert sorted(child.to_user_string() for child in graph[AssetKey("a")].children) == ["b", "c"]


@pytest.mark.semantics(5)
@pytest.mark.parametrize(
    ("others", "meant"),
    [
        (["orders", "raw/orders"], "orders"),
        (["raw/orders"], "raw/orders"),
        (["a/b/orders"], "a/b/orders"),
        (["raw/orders", "staging/orders"], "staging/orders"),
        (["raw/orders", "raw/orders_2"], "raw/orders"),
    ],
    ids=str,
)
@pytest.mark.parametrize("declare", [made, SourceAsset], ids=["asset", "source"])
def test_an_argument_means_the_key_or_the_one_asset_of_that_name(declare: Any, others: list[str], meant: str) -> None:
    graph = AssetGraph.build([made("staging/bills", "orders"), *map(declare, others)])

    assert parents(graph, "staging/bills") == [meant]


@pytest.mark.semantics(5)
def test_an_argument_that_has_the_name_of_its_own_asset_means_another_one() -> None:
    graph = AssetGraph.build([made("staging/orders", "orders"), made("raw/orders")])

    assert parents(graph, "staging/orders") == ["raw/orders"]


@pytest.mark.semantics(5)
def test_several_assets_of_that_name_are_an_error_that_lists_them() -> None:
    with pytest.raises(InvalidDefinitionError, match=rf"'orders' may mean several assets: a/orders, b/orders \(.*{HERE}"):
        AssetGraph.build([made("c/bills", "orders"), made("a/orders"), SourceAsset("b/orders")])


@pytest.mark.semantics(5)
def test_a_table_that_is_loaded_and_named_in_deps_is_one_dependency() -> None:
    graph = AssetGraph.build([made("bills", "orders", deps=["raw/orders"]), made("raw/orders")])

    assert parents(graph, "bills") == ["raw/orders"]


@pytest.mark.semantics(7)
def test_an_unknown_dependency_becomes_a_stub() -> None:
    graph = AssetGraph.build([made("bills", deps=["raw/orders"])])
    stub = graph[AssetKey(["raw", "orders"])]

    assert (stub.is_stub, stub.is_executable, graph.executable_keys) == (True, False, [AssetKey("bills")])


@pytest.mark.semantics(7)
@pytest.mark.parametrize(
    ("declared", "known", "hint"),
    [
        (made("bills", "ordrs"), "orders", "Did you mean 'orders'?"),
        (made("bills", "ordrs"), "raw/orders", "Did you mean 'raw/orders'?"),
        (made("bills", "x", ins={"x": AssetIn("raw/order")}), "raw/orders", "Did you mean 'raw/orders'?"),
        (made("bills", "x", ins={"x": AssetIn("rw/orders")}), "raw/orders", "Did you mean 'raw/orders'?"),
        (made("bills", "orders", ins={"orders": AssetIn(key_prefix="stage")}), "raw/orders", "Did you mean 'raw/orders'?"),
        (
            made("bills", "x", ins={"x": AssetKey("raw/orders")}),
            "raw/orders",
            "There is AssetKey(['raw', 'orders']), which has 2 segments; AssetKey(['raw/orders']) has 1.",
        ),
    ],
    ids=["typo", "typo_and_prefix", "typo_in_key", "typo_in_prefix", "wrong_prefix", "slash"],
)
def test_an_unknown_input_is_an_error_that_suggests_close_keys(declared: AssetsDefinition, known: str, hint: str) -> None:
    with pytest.raises(InvalidDefinitionError) as caught:
        AssetGraph.build([declared, SourceAsset(known)])

    assert (caught.value.hint, str(declared.place) in str(caught.value)) == (hint, True)


@pytest.mark.semantics(7)
def test_an_input_that_only_a_dependency_names_is_unknown() -> None:
    with pytest.raises(InvalidDefinitionError, match="'orders', which is not there"):
        AssetGraph.build([made("bills", "orders"), made("other", deps=["orders"])])


@pytest.mark.semantics(8)
@pytest.mark.parametrize("one", [made, SourceAsset, AssetSpec], ids=lambda declare: declare.__name__)
@pytest.mark.parametrize("other", [made, SourceAsset, AssetSpec], ids=lambda declare: declare.__name__)
def test_a_duplicate_key_names_both_places(one: Any, other: Any) -> None:
    with pytest.raises(InvalidDefinitionError, match=rf"'x/a' is defined twice: .*{HERE}:\d+ and .*{HERE}:\d+"):
        AssetGraph.build([one("x/a"), other("x/a")])


def test_the_same_definition_twice_is_one() -> None:
    one = made("a")

    assert len(AssetGraph.build([one, [one]])) == 1


@pytest.mark.semantics(8)
@pytest.mark.parametrize("how", ["arguments", "deps"])
def test_a_circle_is_an_error_that_prints_the_path(how: str) -> None:
    edges = {"a": "b", "b": "c", "c": "a", "d": "a"}
    assets = [made(key, other) if how == "arguments" else made(key, deps=[other]) for key, other in edges.items()]

    with pytest.raises(InvalidDefinitionError) as caught:
        AssetGraph.build(assets)

    path = re.search(r"in a circle: (.+?)\. They are at", str(caught.value))
    assert path is not None
    assert path[1] in {"a → c → b → a", "b → a → c → b", "c → b → a → c", "a → b → c → a", "b → c → a → b", "c → a → b → c"}
    assert str(assets[0].place) in str(caught.value)


@pytest.mark.semantics(8)
@pytest.mark.parametrize(
    "declared", [made("a", deps=["a"]), made("a", "a"), made("a", "x", ins={"x": "a"})], ids=["dep", "name", "in"]
)
def test_an_asset_that_depends_on_itself_needs_a_mapping_that_looks_back(declared: AssetsDefinition) -> None:
    with pytest.raises(InvalidDefinitionError, match=r"'a' depends on itself \(.*Only a partitioned asset can"):
        AssetGraph.build([declared])


@pytest.mark.semantics(30)
def test_all_faults_are_reported_at_once() -> None:
    assets = [made("a", "typo"), made("b", "b"), made("c"), made("c"), made("d", "e"), made("e", "d"), 3, made]

    with pytest.raises(InvalidDefinitionsError) as caught:
        AssetGraph.build(assets)

    faults = [str(fault) for fault in caught.value.exceptions]
    assert [sum(word in fault for fault in faults) for word in ("typo", "itself", "twice", "circle", "is not an asset")] == [
        1,
        1,
        1,
        1,
        2,
    ]


@pytest.mark.parametrize(
    ("depth", "up", "down"), [(None, "abz", "de"), (1, "b", "d"), (2, "ab", "de"), (0, "", "")], ids=lambda value: str(value)
)
def test_what_is_around_an_asset_is_found_to_a_depth(depth: int | None, up: str, down: str) -> None:
    graph = AssetGraph.build([made("a", deps=["z"]), made("b", "a"), made("c", "b"), made("d", "c"), made("e", "d")])
    around = [reach([AssetKey("c")], depth) for reach in (graph.upstream, graph.downstream)]

    assert ["".join(sorted(key.to_user_string() for key in keys)) for keys in around] == ["".join(sorted(up)), down]


def test_ten_thousand_assets_with_two_dependencies_each_build() -> None:
    assets = [asset(name=f"a{i}", deps=[f"a{j}" for j in (i // 2, i // 3) if j != i])(lambda: None) for i in range(10_000)]

    graph = AssetGraph.build(assets)
    place = {key: index for index, key in enumerate(graph.order)}

    assert all(place[parent] < place[node.key] for node in graph for parent in node.parents)
    assert len(graph.downstream([AssetKey("a1")])) == 9_998


def test_a_chain_ten_thousand_deep_builds() -> None:
    chain = [made("a0"), *(made(f"a{i}", f"a{i - 1}") for i in range(1, 10_000))]

    graph = AssetGraph.build(reversed(chain))

    assert list(graph.order) == [one.key for one in chain]
