from __future__ import annotations

import sys
from pathlib import Path
from types import ModuleType

import pytest

from warehouse_assets import (
    AssetIn,
    AssetKey,
    Definitions,
    SourceAsset,
    asset,
    load_assets_from_current_module,
    load_assets_from_modules,
    load_assets_from_package_name,
    materialize,
)
from warehouse_assets.errors import InvalidDefinitionError


@asset
def here() -> None: ...


def module(**members: object) -> ModuleType:
    made = ModuleType("made")
    vars(made).update(members)
    return made


@asset
def orders() -> int:
    return 1


@asset(ins={"lines": AssetIn(key="raw_lines")}, deps=["orders"])
def sales(orders, lines):
    return orders


@pytest.mark.semantics(30)
def test_assets_of_modules_are_found_once_in_lists_and_alone() -> None:
    source = SourceAsset("raw_lines")

    loaded = load_assets_from_modules([module(a=orders, rest=[orders, sales, source, 3]), module(again=orders)])

    assert [sorted(key.to_user_string() for key in getattr(item, "keys", [item.key])) for item in loaded] == [
        ["orders"],
        ["sales"],
        ["raw_lines"],
    ]


@pytest.mark.semantics(30)
def test_prefixes_carry_the_dependencies_along() -> None:
    loaded = load_assets_from_modules(
        [module(orders=orders, sales=sales, source=SourceAsset("raw_lines"))], key_prefix="shop", source_key_prefix="raw/erp"
    )

    graph = Definitions(loaded).graph
    assert graph[AssetKey(["shop", "sales"])].parents == (AssetKey(["shop", "orders"]), AssetKey(["raw", "erp", "raw_lines"]))


@pytest.mark.semantics(30)
def test_a_group_is_given_to_assets_that_have_none() -> None:
    (loaded,) = load_assets_from_modules([module(orders=orders)], group_name="marts")

    assert loaded.group_names_by_key == {AssetKey("orders"): "marts"}
    assert orders.group_names_by_key == {AssetKey("orders"): "default"}


@pytest.mark.semantics(30)
def test_a_group_given_twice_with_different_names_is_an_error() -> None:
    @asset(group_name="raw")
    def events() -> None: ...

    with pytest.raises(InvalidDefinitionError, match="group name already exists on assets events"):
        load_assets_from_modules([module(events=events)], group_name="marts")

    assert len(load_assets_from_modules([module(events=events)], group_name="raw")) == 1


@pytest.mark.semantics(30)
def test_a_package_is_searched_with_all_its_modules(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    package = tmp_path / "lake_house"
    (package / "deep").mkdir(parents=True)
    (package / "__init__.py").write_text("from warehouse_assets import asset\n@asset\ndef top(): ...\n")
    (package / "deep/__init__.py").write_text("")
    (package / "deep/down.py").write_text("from warehouse_assets import asset\n@asset\ndef bottom(top): ...\n")
    monkeypatch.syspath_prepend(tmp_path)

    loaded = load_assets_from_package_name("lake_house", key_prefix="p")

    assert Definitions(loaded).graph.executable_keys == [AssetKey(["p", "top"]), AssetKey(["p", "bottom"])]
    for name in [name for name in sys.modules if name.startswith("lake_house")]:
        del sys.modules[name]


@pytest.mark.semantics(30)
def test_the_current_module_is_the_one_that_asks() -> None:
    loaded = load_assets_from_current_module()

    assert AssetKey("here") in {key for item in loaded for key in getattr(item, "keys", ())}


def test_loaded_assets_run() -> None:
    loaded = load_assets_from_modules([module(orders=orders)], key_prefix="shop")

    assert materialize(loaded).asset_value("shop/orders") == 1
