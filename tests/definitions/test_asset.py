from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

from warehouse_assets import (
    AllPartitionMapping,
    AssetDep,
    AssetIn,
    AssetKey,
    AssetSpec,
    IOManager,
    LastPartitionMapping,
    SourceAsset,
    StaticPartitionsDefinition,
    asset,
    materialize,
)
from warehouse_assets.errors import InvalidDefinitionError, InvalidDefinitionsError

DAYS = StaticPartitionsDefinition(["mon", "tue"])


def keys(*texts: str) -> set[AssetKey]:
    return {AssetKey.coerce(text) for text in texts}


def orders() -> int:
    """The orders.

    All of them.
    """
    return 1


@pytest.mark.semantics(1)
@pytest.mark.parametrize("declare", [asset, lambda fn: asset()(fn), lambda fn: asset(fn)], ids=["bare", "empty", "called"])
def test_every_way_to_declare_an_asset(declare: Any) -> None:
    declared = declare(orders)

    assert (declared.key, declared.descriptions_by_key) == (
        AssetKey("orders"),
        {AssetKey("orders"): "The orders.\n\nAll of them."},
    )


@pytest.mark.semantics(1)
@pytest.mark.parametrize("description", ["An explicit one.", ""])
def test_an_explicit_description_wins(description: str) -> None:
    assert asset(description=description)(orders).descriptions_by_key == {AssetKey("orders"): description}


def test_what_is_no_function_is_refused() -> None:
    with pytest.raises(InvalidDefinitionError, match="keyword arguments"):
        asset("orders")


@pytest.mark.semantics(2, 3)
@pytest.mark.parametrize(
    ("options", "path"),
    [
        ({}, ("orders",)),
        ({"name": "bills"}, ("bills",)),
        ({"key_prefix": "staging"}, ("staging", "orders")),
        ({"key_prefix": "lake/staging"}, ("lake", "staging", "orders")),
        ({"key_prefix": ["lake", "staging"], "name": "bills"}, ("lake", "staging", "bills")),
        ({"key_prefix": ("lake",)}, ("lake", "orders")),
        ({"key_prefix": AssetKey("lake")}, ("lake", "orders")),
        ({"key": "raw/bills"}, ("raw", "bills")),
        ({"key": ["raw", "bills"]}, ("raw", "bills")),
        ({"key": AssetKey("any text / at all")}, ("any text / at all",)),
    ],
    ids=str,
)
def test_the_key_is_the_functions_name_unless_something_else_is_said(options: Any, path: tuple[str, ...]) -> None:
    assert asset(**options)(orders).key.path == path


@pytest.mark.semantics(2)
@pytest.mark.parametrize("options", [{"name": "a"}, {"key_prefix": "a"}, {"key_prefix": ["a"]}], ids=str)
def test_key_together_with_name_or_prefix_is_an_error(options: Any) -> None:
    with pytest.raises(InvalidDefinitionError, match="key is given together with name or key_prefix"):
        asset(key="b", **options)(orders)


@pytest.mark.semantics(4)
def test_the_own_prefix_is_not_applied_to_inputs() -> None:
    @asset(key_prefix="staging")
    def bills(orders: int) -> None: ...

    assert bills.dependency_keys == keys("orders")


@pytest.mark.semantics(5)
def test_inputs_are_bound_by_key_or_prefix() -> None:
    @asset(
        ins={
            "a": AssetIn("raw/a"),
            "b": AssetIn(key=["raw", "b"]),
            "c": AssetIn(key_prefix="raw/more"),
            "d": AssetIn(key_prefix=["raw"]),
            "e": AssetKey("e/e"),  # one segment
        }
    )
    def all_of_them(a: int, b: int, c: int, d: int, e: int, f: int) -> None: ...

    assert all_of_them.dependency_keys == keys("raw/a", "raw/b", "raw/more/c", "raw/d", "f") | {AssetKey("e/e")}


@pytest.mark.semantics(5)
def test_an_input_with_key_and_prefix_is_an_error() -> None:
    with pytest.raises(InvalidDefinitionError, match=re.escape(Path(__file__).name)):
        AssetIn(key="a", key_prefix="b")


@pytest.mark.semantics(3, 5)
def test_a_dependency_is_given_in_every_form() -> None:
    upstream = asset(key="a/definition")(orders)
    deps = [
        upstream,
        SourceAsset("a/source"),
        AssetSpec("a/spec"),
        AssetDep("a/dep"),
        AssetDep(upstream),
        AssetKey(["a", "key"]),
        "a/string",
        ["a", "list"],
    ]

    declared = asset(deps=deps)(orders)

    assert declared.dependency_keys == keys("a/definition", "a/source", "a/spec", "a/dep", "a/key", "a/string", "a/list")


@pytest.mark.semantics(5)
def test_the_same_dependency_twice_is_one() -> None:
    declared = asset(deps=["a/b", AssetKey(["a", "b"]), AssetDep("a/b")])(orders)

    assert [dep.asset_key for dep in declared.specs[0].deps] == [AssetKey(["a", "b"])]


@pytest.mark.semantics(5)
def test_conflicting_dependencies_are_an_error() -> None:
    with pytest.raises(InvalidDefinitionError, match="'a' is given twice"):
        asset(
            deps=[
                AssetDep("a", partition_mapping=AllPartitionMapping()),
                AssetDep("a", partition_mapping=LastPartitionMapping()),
            ]
        )(orders)


@pytest.mark.semantics(5)
@pytest.mark.parametrize(("deps", "hint"), [("orders", r"deps=\['orders'\]"), ([3], "3 is not a dependency"), ([""], "''")])
def test_what_is_no_dependency_is_an_error(deps: Any, hint: str) -> None:
    with pytest.raises(InvalidDefinitionError, match=hint):
        asset(deps=deps)(orders)


@pytest.mark.semantics(6)
def test_ins_that_name_no_argument_are_an_error() -> None:
    with pytest.raises(InvalidDefinitionError, match="'ordrs', which is no argument of the function"):

        @asset(ins={"ordrs": AssetIn("raw/orders")})
        def bills(orders: int) -> None: ...


@pytest.mark.semantics(6)
def test_any_keyword_can_be_an_input(new_manager: Any) -> None:
    store = new_manager(**{"raw/a": 1, "raw/b": 2})

    @asset(ins={"a": AssetIn("raw/a"), "b": AssetIn("raw/b")}, io_manager_def=store)
    def total(a: int, **others: int) -> int:
        return a + others["b"]

    sources = [SourceAsset("raw/a", io_manager_def=store), SourceAsset("raw/b", io_manager_def=store)]

    assert materialize([total, *sources]).asset_value("total") == 3


@pytest.mark.semantics(6)
def test_an_argument_with_a_default_is_an_input_where_there_is_one(new_manager: Any) -> None:
    @asset
    def total(a: int = 1, *, b: int = 2) -> int:
        return 10 * a + b

    results = [
        materialize([total, *sources], resources={"io_manager": new_manager(a=5)}).asset_value("total")
        for sources in ([], [SourceAsset("a")])
    ]

    assert results == [12, 52]


@pytest.mark.semantics(6)
def test_arguments_may_be_positional_only(store: IOManager) -> None:
    @asset
    def a() -> int:
        return 1

    @asset
    def b(context, a, /) -> int:
        return a + 1

    assert materialize([a, b], resources={"io_manager": store}).asset_value("b") == 2


NAMES = {
    "orders": True,
    "Bestellungen_für_März": True,
    "注文": True,
    "2026-orders.v2": True,
    "": False,
    "a b": False,
    "a/b": False,
    "a\n": False,
    'a"b': False,
    "class": False,
    "context": False,
    "config": False,
}


@pytest.mark.semantics(10)
@pytest.mark.parametrize("name", [name for name, fine in NAMES.items() if fine])
def test_a_name_is_letters_digits_and_a_few_signs(name: str) -> None:
    declared = asset(name=name, group_name=name, kinds=[name], key_prefix=name)(orders)

    assert declared.key == AssetKey([name, name])


@pytest.mark.semantics(10)
@pytest.mark.parametrize("name", [name for name, fine in NAMES.items() if not fine], ids=repr)
@pytest.mark.parametrize("option", ["name", "group_name"])
def test_other_names_are_refused(option: str, name: str) -> None:
    with pytest.raises(InvalidDefinitionError, match=f"{re.escape(repr(name))} is (not allowed|reserved)"):
        asset(**{option: name})(orders)


@pytest.mark.semantics(10)
@pytest.mark.parametrize(
    "options",
    [
        {"tags": {"a b": "c"}},
        {"tags": {"a": "c d"}},
        {"tags": {"a": 3}},
        {"tags": {"a" * 64: ""}},
        {"owners": ["someone"]},
        {"owners": ["a@b"]},
        {"owners": ["team:"]},
        {"kinds": ["a b"]},
        {"key": "a b"},
        {"key_prefix": "a b"},
    ],
    ids=str,
)
def test_other_attributes_are_checked_on_declaration(options: Any) -> None:
    with pytest.raises(InvalidDefinitionError, match=rf"^asset .*not allowed .*{re.escape(Path(__file__).name)}:\d+\)"):
        asset(**options)(orders)


@pytest.mark.semantics(10)
@pytest.mark.parametrize(
    "options",
    [
        {"tags": {"team/domain": "sales", "pii": ""}},
        {"owners": ["a.b@example.com", "team:data platform"]},
        {"kinds": ["polars", "sql"]},
    ],
    ids=str,
)
def test_attributes_that_are_fine(options: Any) -> None:
    ((name, value),) = options.items()

    kept = getattr(asset(**options)(orders).get_asset_spec(), name)

    assert kept == (frozenset(value) if name == "kinds" else type(kept)(value))


def test_all_faults_of_a_declaration_are_reported_at_once() -> None:
    with pytest.raises(InvalidDefinitionsError) as caught:
        asset(
            name="a b", owners=["x"], tags={"a b": ""}, group_name="c d", deps=[3], io_manager_key="x", io_manager_def=object()
        )(orders)

    assert len(caught.value.exceptions) == 6


@pytest.mark.semantics(10)
def test_a_definition_shows_itself() -> None:
    declared = asset(
        key="a/orders", deps=["b"], metadata={"x": 1}, group_name="g", code_version="1", partitions_def=DAYS, tags={"t": "v"}
    )(orders)
    key = AssetKey(["a", "orders"])

    assert declared.key == key
    assert declared.keys == {key}
    assert declared.dependency_keys == {AssetKey("b")}
    assert declared.group_names_by_key == {key: "g"}
    assert declared.metadata_by_key == {key: {"x": 1}}
    assert declared.descriptions_by_key == {key: "The orders.\n\nAll of them."}
    assert declared.code_versions_by_key == {key: "1"}
    assert declared.tags_by_key == {key: {"t": "v"}}
    assert [spec.key for spec in declared.specs] == [key]
    assert declared.partitions_def == DAYS
    assert repr(declared) == "AssetsDefinition(a/orders)"


def test_a_copy_with_other_keys_depends_on_other_keys() -> None:
    @asset(deps=["b"], ins={"lines": AssetIn(metadata={"columns": ["x"]})})
    def bills(orders: int, lines: int) -> None: ...

    new_keys = {AssetKey.coerce(old): AssetKey.coerce(f"x/{old}") for old in ("bills", "orders", "lines", "b")}

    copy = bills.with_attributes(new_keys=new_keys, group_name="g")

    assert (copy.key, copy.dependency_keys) == (AssetKey(["x", "bills"]), keys("x/orders", "x/lines", "x/b"))
    assert (copy.group_names_by_key, copy.ins["lines"].metadata) == ({copy.key: "g"}, {"columns": ["x"]})
    assert (bills.key, bills.dependency_keys) == (AssetKey("bills"), keys("orders", "lines", "b"))


def test_calling_an_asset_calls_its_function() -> None:
    assert asset(orders)() == 1


def test_an_asynchronous_function_is_refused() -> None:
    async def later() -> int:
        return 1

    with pytest.raises(InvalidDefinitionError, match="asset 'later': the function is asynchronous"):
        asset(later)
