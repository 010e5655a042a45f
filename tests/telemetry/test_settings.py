from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from warehouse_assets.errors import InvalidConfigError
from warehouse_assets.telemetry import configure_telemetry
from warehouse_assets.telemetry.settings import OFF, Wanted, telemetry_wanted


@pytest.fixture(autouse=True)
def unset(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[None]:
    monkeypatch.delenv("WAREHOUSE_ASSETS_OPENLINEAGE", raising=False)
    monkeypatch.delenv("WAREHOUSE_ASSETS_OPENTELEMETRY", raising=False)
    monkeypatch.chdir(tmp_path)
    yield
    configure_telemetry()


def test_nobody_is_told_unless_asked_for() -> None:
    assert telemetry_wanted(lasting=True) is OFF


@pytest.mark.parametrize(("text", "expected"), [("1", True), ("True", True), ("0", False), ("off", False), ("", False)])
def test_the_environment_says_yes_or_no(text: str, expected: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WAREHOUSE_ASSETS_OPENTELEMETRY", text)

    assert telemetry_wanted(lasting=False) == Wanted(opentelemetry=expected)


def test_a_slip_in_the_environment_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WAREHOUSE_ASSETS_OPENLINEAGE", "ture")

    with pytest.raises(InvalidConfigError, match="WAREHOUSE_ASSETS_OPENLINEAGE is 'ture'"):
        telemetry_wanted(lasting=True)


def test_the_project_says_it_of_records_that_last(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "pyproject.toml").write_text("[tool.warehouse_assets]\nopenlineage = true\n")
    (tmp_path / "deep").mkdir()
    monkeypatch.chdir(tmp_path / "deep")

    assert (telemetry_wanted(lasting=True), telemetry_wanted(lasting=False)) == (Wanted(openlineage=True), OFF)


def test_the_environment_wins_over_the_project_and_python_over_both(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "pyproject.toml").write_text("[tool.warehouse_assets]\nopenlineage = true\nopentelemetry = true\n")
    monkeypatch.setenv("WAREHOUSE_ASSETS_OPENLINEAGE", "0")
    configure_telemetry(opentelemetry=False)

    assert telemetry_wanted(lasting=True) is OFF


def test_a_project_that_is_no_toml_says_nothing_and_a_word_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "pyproject.toml"
    file.write_text("[tool")
    first = telemetry_wanted(lasting=True)
    file.write_text('[tool.warehouse_assets]\nopenlineage = "yes"\n')

    assert first is OFF
    with pytest.raises(InvalidConfigError, match=r"'openlineage' in \[tool.warehouse_assets\] is 'yes'"):
        telemetry_wanted(lasting=True)
