from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from warehouse_assets import AssetIn, AssetKey, AssetOut, AssetsDefinition, AssetSpec, StaticPartitionsDefinition, multi_asset
from warehouse_assets.code_location.loaders import load_assets_from_modules
from warehouse_assets.errors import InvalidDefinitionError, InvalidDefinitionsError
from warehouse_assets.graph.asset_graph import AssetGraph


def keys(*texts: str) -> set[AssetKey]:
    return {AssetKey.coerce(text) for text in texts}


def by_text(mapping: Any) -> dict[str, Any]:
    return {key.to_user_string(): value for key, value in mapping.items()}


def split(orders: list[int]) -> Any:
    """Orders in two parts."""
    return orders, orders


@pytest.mark.semantics(15)
def test_a_key_is_the_name_of_the_out_unless_it_says_otherwise() -> None:
    outs = {"a": AssetOut(), "b": AssetOut("staging"), "c": AssetOut(key="raw/x"), "d": AssetOut(key=AssetKey("any / text"))}

    declared = multi_asset(outs=outs)(split)

    assert declared.keys == {*keys("a", "staging/b", "raw/x"), AssetKey("any / text")}


@pytest.mark.semantics(15)
def test_each_out_says_for_itself_what_an_asset_says() -> None:
    declared = multi_asset(
        outs={
            "a": AssetOut(group_name="g", code_version="7", io_manager_key="lake", metadata={"m": 1}, tags={"t": "x"}),
            "b": AssetOut(description="The rest.", owners=["a@b.org"], kinds={"sql"}, is_required=False),
        },
        code_version="1",
    )(split)

    a, b = declared.specs
    assert (a.group_name, a.code_version, a.io_manager_key, a.metadata, a.tags) == ("g", "7", "lake", {"m": 1}, {"t": "x"})
    assert (b.description, b.owners, b.kinds, b.skippable, b.code_version) == (
        "The rest.",
        ("a@b.org",),
        frozenset({"sql"}),
        True,
        "1",
    )
    assert (a.description, declared.node_name, declared.place.file) == ("Orders in two parts.", "split", __file__)


@pytest.mark.semantics(15)
def test_what_is_said_of_all_holds_for_each() -> None:
    parts = StaticPartitionsDefinition(["x", "y"])

    declared = multi_asset(outs={"a": AssetOut(), "b": AssetOut()}, group_name="g", name="both", partitions_def=parts)(split)

    assert by_text(declared.group_names_by_key) == {"a": "g", "b": "g"}
    assert ([spec.partitions_def for spec in declared.specs], declared.node_name) == ([parts, parts], "both")


@pytest.mark.semantics(15)
def test_each_depends_on_all_that_goes_in_unless_it_says_otherwise() -> None:
    declared = multi_asset(
        outs={"a": AssetOut("x"), "b": AssetOut(), "c": AssetOut()},
        ins={"customers": AssetIn("raw/customers")},
        deps=["calendar"],
        internal_asset_deps={"a": {AssetKey("orders")}, "b": ["x/a", "calendar"]},
        name="parts",
    )(lambda orders, customers: None)

    assert by_text(declared.asset_deps) == {
        "x/a": keys("orders"),
        "b": keys("x/a", "calendar"),
        "c": keys("orders", "raw/customers", "calendar"),
    }
    assert declared.dependency_keys == keys("x/a", "orders", "raw/customers", "calendar")


@pytest.mark.semantics(15)
@pytest.mark.parametrize("named", ["orders", "raw/orders"])
def test_an_internal_dependency_on_an_argument_follows_what_it_stands_for(named: str) -> None:
    declared = multi_asset(outs={"a": AssetOut(), "b": AssetOut()}, internal_asset_deps={"a": [named], "b": ["a"]})(split)

    graph = AssetGraph.build([declared, AssetSpec("raw/orders")])

    assert {key: graph[key].parents for key in declared.keys} == {
        AssetKey("a"): (AssetKey(["raw", "orders"]),),
        AssetKey("b"): (AssetKey("a"),),
    }


@pytest.mark.semantics(15)
def test_specs_say_what_the_assets_depend_on() -> None:
    specs = [AssetSpec("x/a", deps=["orders"], group_name="g"), AssetSpec("b", deps=["x/a"], code_version="2", skippable=True)]

    declared = multi_asset(specs=specs, code_version="1", name="parts")(lambda orders, calendar: None)

    assert by_text(declared.asset_deps) == {"x/a": keys("orders", "calendar"), "b": keys("x/a", "calendar")}
    assert by_text(declared.code_versions_by_key) == {"x/a": "1", "b": "2"}
    assert {name: output.is_required for name, output in declared.outputs.items()} == {"x__a": True, "b": False}


@pytest.mark.semantics(3, 15)
def test_specs_of_different_keys_never_share_an_output() -> None:
    declared = multi_asset(specs=[AssetSpec(["a", "b"]), AssetSpec(["a__b"])], name="parts")(lambda: None)

    assert (declared.keys, len(declared.outputs)) == ({AssetKey(["a", "b"]), AssetKey(["a__b"])}, 2)


@pytest.mark.semantics(15)
def test_an_out_can_be_made_of_a_spec() -> None:
    spec = AssetSpec("x/a", description="d", metadata={"m": 1}, tags={"t": "x"}, code_version="3", skippable=True)

    declared = multi_asset(outs={"a": AssetOut.from_spec(spec)})(split)

    assert declared.specs == [spec]


@pytest.mark.semantics(15)
def test_a_loader_changes_keys_and_groups_and_what_depends_on_them() -> None:
    import types

    module = types.ModuleType("assets_of_this_test")
    outs = {"a": AssetOut(), "b": AssetOut()}
    module.declared = multi_asset(outs=outs, internal_asset_deps={"b": ["a"]}, name="parts")(lambda: (1, 2))

    [changed] = load_assets_from_modules([module], group_name="g", key_prefix="p")

    assert isinstance(changed, AssetsDefinition)
    assert by_text(changed.asset_deps) == {"p/a": set(), "p/b": keys("p/a")}
    assert by_text(changed.group_names_by_key) == {"p/a": "g", "p/b": "g"}


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"outs": {"a": AssetOut()}, "specs": [AssetSpec("a")]}, "takes outs or specs, one of the two"),
        ({"outs": {}}, "makes no assets"),
        ({"specs": []}, "makes no assets"),
        ({"specs": ["a"]}, "the spec 'a' is not an AssetSpec"),
        ({"specs": [AssetSpec("a"), AssetSpec("a")]}, "two outs have the key 'a'"),
        ({"outs": {"a": "x"}}, "the out 'a' is 'x', not an AssetOut"),
        ({"outs": {"a b": AssetOut()}}, "the out 'a b' is not allowed"),
        ({"outs": {"a": AssetOut("x y")}}, "the key_prefix segment 'x y' is not allowed"),
        ({"outs": {"a": AssetOut(), "b": AssetOut(key="a")}}, "two outs have the key 'a'"),
        ({"outs": {"a": AssetOut(tags={"?": ""})}}, "asset 'a': the tag '\\?' is not allowed"),
        ({"outs": {"a": AssetOut(group_name="g")}, "group_name": "h"}, "group_name is given for all assets and for 'a' too"),
        ({"specs": [AssetSpec("a", group_name="g")], "group_name": "h"}, "group_name is given for all assets and for 'a' too"),
        ({"specs": [AssetSpec("a")], "deps": ["b"]}, "deps and internal_asset_deps go with outs"),
        ({"outs": {"a": AssetOut()}, "internal_asset_deps": {"b": []}}, "internal_asset_deps names 'b', which is no out"),
        ({"outs": {"a": AssetOut()}, "internal_asset_deps": {"a": ["q"]}}, "names 'q', which is no out, argument or dep"),
        ({"outs": {"a": AssetOut()}, "internal_asset_deps": {"a": ["a"]}}, "internal_asset_deps of 'a' names itself"),
        ({"outs": {"a": AssetOut()}, "ins": {"q": "x"}}, "ins names 'q', which is no argument of the function"),
        ({"outs": {"a": AssetOut()}, "name": "class"}, "the name 'class' is reserved"),
    ],
)
@pytest.mark.semantics(15)
def test_what_cannot_be_meant_is_refused(options: dict[str, Any], message: str) -> None:
    with pytest.raises(InvalidDefinitionError, match=message):
        multi_asset(**options)(split)


@pytest.mark.semantics(15)
def test_all_faults_are_told_at_once_with_their_place() -> None:
    with pytest.raises(InvalidDefinitionsError) as caught:
        multi_asset(outs={"a b": AssetOut(), "c": AssetOut(group_name="?")}, deps="x")(split)

    line = split.__code__.co_firstlineno
    assert {error.where for error in caught.value.exceptions} == {f"{Path(__file__)}:{line}"}
    assert len(caught.value.exceptions) == 3


def test_an_out_takes_key_or_prefix() -> None:
    with pytest.raises(InvalidDefinitionError, match="takes key or key_prefix, not both"):
        AssetOut("x", key="y")


def test_it_is_not_used_bare() -> None:
    with pytest.raises(InvalidDefinitionError, match="used without arguments"):
        multi_asset(outs=split)


@pytest.mark.semantics(8)
def test_outs_that_need_each_other_are_a_circle() -> None:
    outs = {"a": AssetOut(), "b": AssetOut()}
    declared = multi_asset(outs=outs, internal_asset_deps={"a": ["b"], "b": ["a"]}, name="parts")(lambda: (1, 2))

    with pytest.raises(InvalidDefinitionError, match=r"in a circle: (a → b → a|b → a → b)"):
        AssetGraph.build([declared])


@pytest.mark.semantics(34)
def test_calling_it_calls_the_function() -> None:
    assert multi_asset(outs={"a": AssetOut(), "b": AssetOut()})(split)([1]) == ([1], [1])
