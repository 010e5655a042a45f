from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

pytestmark = pytest.mark.semantics(36)

Wa = Callable[..., Any]

CHECKED = """
import polars as pl

from io_managers import ParquetIOManager
from warehouse_assets import AssetCheckResult, AssetCheckSeverity, Definitions, asset, asset_check
from warehouse_assets.checks import not_null, row_count


@asset(group_name="staging")
def orders() -> pl.DataFrame:
    return pl.DataFrame({"id": [1, None]})


@asset(group_name="marts")
def report(orders: pl.DataFrame) -> pl.DataFrame:
    return orders


@asset_check(asset=report)
def even(report: pl.DataFrame) -> AssetCheckResult:
    return AssetCheckResult(passed=False, severity=AssetCheckSeverity.WARN, description="odd, somehow")


defs = Definitions(
    [orders, report],
    asset_checks=[not_null(orders, ["id"]), row_count(orders, minimum=1, blocking=True), even],
    resources={"io_manager": ParquetIOManager(base_path="lake")},
)
"""


@pytest.fixture
def checked(project: Path) -> Path:
    (project / "checked.py").write_text(CHECKED)
    return project


def lines(text: str) -> list[str]:
    return [" ".join(line.split()) for line in text.splitlines() if line.strip()]


def test_a_run_shows_its_checks_under_their_assets(wa: Wa, checked: Path) -> None:
    answer = wa("materialize", "-m", "checked")

    shown = lines(answer.out)
    assert answer.code == 0
    assert "failed orders:not_null_id 1 of 2 rows have no 'id'" in shown
    assert "warned report:even odd, somehow" in shown
    below = shown[shown.index(next(line for line in shown if line.startswith("asset rows"))) :]
    assert [line.split()[0] for line in below[2:7]] == ["orders", "row_count", "not_null_id", "report", "even"]
    assert "Success: 2 of 2 assets made" in answer.out


def test_a_selection_without_checks(wa: Wa, checked: Path) -> None:
    answer = wa("materialize", "-m", "checked", "-s", "without_checks(*)")

    assert "not_null_id" not in answer.out
    assert "Success: 2 of 2 assets made" in answer.out


def test_checks_alone(wa: Wa, checked: Path) -> None:
    wa("materialize", "-m", "checked")

    answer = wa("check", "-m", "checked")

    assert answer.code == 1
    assert lines(answer.out)[2:5] == [
        "orders not_null_id failed 1 of 2 rows have no 'id'",
        "orders row_count (blocking) passed",
        "report even warned odd, somehow",
    ]
    assert "3 checks: 1 passed, 1 warned, 1 failed (run " in answer.out


@pytest.mark.parametrize(
    ("selection", "code", "names"),
    [
        ("group:marts", 0, ["even"]),
        ('check:"orders:row_count" or report', 0, ["row_count", "even"]),
        ("orders", 1, ["not_null_id", "row_count"]),
    ],
    ids=["group", "check", "asset"],
)
def test_a_selection_of_checks_as_json(wa: Wa, checked: Path, selection: str, code: int, names: list[str]) -> None:
    wa("materialize", "-m", "checked")

    answer = wa("check", selection, "-m", "checked", "--json")

    found = json.loads(answer.out)
    assert (answer.code, [entry["check"] for entry in found]) == (code, names)
    assert found[0].keys() == {"asset", "check", "partition", "result", "severity", "blocking", "description", "metadata"}


def test_checks_of_tables_that_are_not_there_fail(wa: Wa, checked: Path) -> None:
    answer = wa("check", "report", "-m", "checked")

    assert answer.code == 1
    assert "report even failed the check raised TableNotFoundError: " in lines(answer.out)[2]


def test_the_traceback_of_a_check_is_shown_when_asked_for(wa: Wa, checked: Path) -> None:
    assert "Traceback" in wa("check", "report", "-m", "checked", "--verbose").err


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["check", "-m", "failing"], "the module 'failing' has no checks that are evaluated alone"),
        (["check", "good", "-m", "failing"], "the selection 'good' holds no checks that are evaluated alone"),
        (["check", 'check:"report:evn"', "-m", "checked"], "there is no check 'report:evn'. Did you mean 'report:even'?"),
    ],
    ids=["module", "selection", "name"],
)
def test_nothing_to_check_is_a_mistake(wa: Wa, checked: Path, arguments: list[str], message: str) -> None:
    answer = wa(*arguments)

    assert (answer.code, message in answer.err) == (2, True)
