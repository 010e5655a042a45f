from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from warehouse_assets import AssetKey
from warehouse_assets.code_location.loading import load_definitions
from warehouse_assets.errors import InvalidDefinitionError


@pytest.fixture(autouse=True)
def clean_imports(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, forget_modules_of: Callable[[Path], None]) -> Iterator[None]:
    monkeypatch.setattr(sys, "path", [*sys.path])
    yield
    forget_modules_of(tmp_path)


ASSETS = "from warehouse_assets import asset\n@asset\ndef one() -> None: ...\nmore = [asset(name='two')(lambda one: None)]\n"


@pytest.mark.parametrize("target", ["plain", "plain.py", "./plain.py"])
def test_top_level_assets_and_lists_of_them_are_enough(tmp_path: Path, target: str) -> None:
    (tmp_path / "plain.py").write_text(ASSETS)

    assert set(load_definitions(target, tmp_path).graph.executable_keys) == {AssetKey("one"), AssetKey("two")}


def test_a_definitions_object_wins_over_assets(tmp_path: Path) -> None:
    (tmp_path / "chosen.py").write_text(ASSETS + "from warehouse_assets import Definitions\nd = Definitions([one])\n")

    assert load_definitions("chosen", tmp_path).graph.executable_keys == [AssetKey("one")]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("x = 1\n", "declares no assets"),
        ("from warehouse_assets import Definitions\na, b = Definitions(), Definitions()\n", "several Definitions: a, b"),
    ],
)
def test_what_cannot_be_meant_is_said(tmp_path: Path, content: str, message: str) -> None:
    (tmp_path / "odd.py").write_text(content)

    with pytest.raises(InvalidDefinitionError, match=message):
        load_definitions("odd", tmp_path)


def test_an_import_that_fails_inside_a_module_is_not_taken_for_a_missing_module(tmp_path: Path) -> None:
    (tmp_path / "needs_more.py").write_text("import not_installed_anywhere\n")

    with pytest.raises(ModuleNotFoundError, match="not_installed_anywhere"):
        load_definitions("needs_more", tmp_path)


def test_a_package_without_assets_names_its_definitions_module(tmp_path: Path) -> None:
    (tmp_path / "shop_package").mkdir()
    (tmp_path / "shop_package/__init__.py").touch()
    (tmp_path / "shop_package/definitions.py").write_text(ASSETS)

    with pytest.raises(InvalidDefinitionError, match=r"Did you mean 'shop_package\.definitions'"):
        load_definitions("shop_package", tmp_path)
