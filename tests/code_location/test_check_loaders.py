from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from warehouse_assets import (
    AssetCheckSpec,
    AssetIn,
    AssetKey,
    Definitions,
    asset,
    asset_check,
    load_asset_checks_from_current_module,
    load_asset_checks_from_modules,
    load_asset_checks_from_package_module,
    load_asset_checks_from_package_name,
    load_assets_from_modules,
    multi_asset_check,
)
from warehouse_assets.checks import not_null
from warehouse_assets.code_location.loading import load_definitions
from warehouse_assets.errors import InvalidDefinitionsError

pytestmark = pytest.mark.semantics(30, 36)


@asset
def orders() -> int:
    return 1


@asset_check(asset="orders")
def here() -> bool:
    return True


def module(**members: Any) -> ModuleType:
    made = ModuleType("made")
    vars(made).update(members)
    return made


def keys(checks: Any) -> list[str]:
    return [spec.key.to_user_string() for check in checks for spec in check.specs]


def test_the_checks_of_modules_each_once() -> None:
    found = load_asset_checks_from_modules([module(a=here, b=[here], orders=orders), module(c=here)])

    assert keys(found) == ["orders:here"]
    assert found[0] is here


def test_a_prefix_stands_before_the_keys_of_the_assets() -> None:
    @multi_asset_check(
        specs=[AssetCheckSpec("a", asset="orders", additional_deps=["other"]), AssetCheckSpec("b", asset="report")],
        ins={"known": AssetIn("other"), "rows": AssetIn("orders")},
    )
    def several(rows: int, known: int) -> Any: ...

    [found] = load_asset_checks_from_modules([module(several=several)], asset_key_prefix="raw/shop")

    assert keys([found]) == ["raw/shop/orders:a", "raw/shop/report:b"]
    assert [found.key_for_argument(name) for name in ("rows", "known")] == [
        AssetKey(["raw", "shop", "orders"]),
        AssetKey("other"),
    ]
    assert [dep.asset_key for dep in found.specs[0].additional_deps] == [AssetKey("other")]


def test_ready_made_checks_follow_a_prefix() -> None:
    import polars as pl

    from io_managers import InMemoryIOManager

    @asset
    def table() -> pl.DataFrame:
        return pl.DataFrame({"id": [None, 1]})

    modules = [module(table=table, check=not_null("table", ["id"]))]
    definitions = Definitions(
        load_assets_from_modules(modules, key_prefix="raw"),
        asset_checks=load_asset_checks_from_modules(modules, asset_key_prefix="raw"),
        resources={"io_manager": InMemoryIOManager()},
    )

    [evaluation] = definitions.materialize().get_asset_check_evaluations()

    assert (evaluation.asset_key, evaluation.passed) == (AssetKey(["raw", "table"]), False)


def test_the_checks_of_an_asset_itself_follow_its_prefix() -> None:
    @asset(check_specs=[AssetCheckSpec("own", asset="made")])
    def made() -> Any: ...

    [found] = load_assets_from_modules([module(made=made)], key_prefix="raw")

    assert [spec.key.to_user_string() for spec in found.check_specs] == ["raw/made:own"]


def test_the_checks_of_this_module() -> None:
    assert keys(load_asset_checks_from_current_module()) == ["orders:here"]


@pytest.fixture
def package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, forget_modules_of: Callable[[Path], None]) -> Any:
    folder = tmp_path / "checked_package"
    folder.mkdir()
    (folder / "__init__.py").write_text("")
    (folder / "checks.py").write_text(
        "from warehouse_assets import asset, asset_check\n\n\n"
        "@asset\ndef orders(): ...\n\n\n@asset_check(asset=orders)\ndef there(): ...\n"
    )
    monkeypatch.setattr(sys, "path", [str(tmp_path), *sys.path])
    yield tmp_path
    forget_modules_of(tmp_path)


def test_the_checks_of_a_package(package: Path) -> None:
    import checked_package

    assert keys(load_asset_checks_from_package_name("checked_package")) == ["orders:there"]
    assert keys(load_asset_checks_from_package_module(checked_package)) == ["orders:there"]


def test_a_module_without_definitions_brings_its_checks(package: Path) -> None:
    graph = load_definitions("checked_package.checks", package).graph

    assert [key.to_user_string() for key in graph.checks] == ["orders:there"]


def test_all_faults_of_checks_in_a_module_are_said_at_once(package: Path) -> None:
    (package / "faulty.py").write_text(
        "from warehouse_assets import asset, asset_check\n"
        "from warehouse_assets.checks import not_null, row_count\n\n\n"
        "@asset\ndef orders(): ...\n\n\n"
        "@asset_check(asset=orders, name='not good')\ndef one(): ...\n\n\n"
        "@asset_check(asset=orders, required_resource_keys={'limit'})\ndef two(): ...\n\n\n"
        "three = not_null(orders, [])\nfour = row_count(orders, minimum=3, maximum=2)\n"
    )

    with pytest.raises(InvalidDefinitionsError) as info:
        load_definitions("faulty", package)

    text = str(info.value)
    assert "4 faults in 'faulty'" in text
    assert "check 'not good': the name 'not good' is not allowed" in text
    assert "the resource 'limit' is required by check 'orders:two', and is not given" in text
    assert "nothing is to be checked" in text
    assert "the minimum 3 is above the maximum 2" in text
    assert text.count("faulty.py:") == 4
