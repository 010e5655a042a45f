"""`wa init`, and what a project says of itself."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

Wa = Callable[..., Any]


@pytest.fixture
def begun(wa: Wa, project: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    assert wa("init", "new-shop").code == 0
    monkeypatch.chdir(project / "new-shop")
    return project / "new-shop"


def test_a_new_project_runs_right_away(wa: Wa, begun: Path) -> None:
    made = wa("materialize")
    fresh = wa("materialize", "--stale")
    answer = wa("query", "select * from marts.revenue", "--json")

    assert (made.code, made.err) == (0, "")
    assert fresh.out == "Nothing to do: all 3 assets are fresh\n"
    assert [json.loads(line) for line in answer.out.splitlines()] == [
        {"product": "apple", "revenue": 2.5},
        {"product": "pear", "revenue": 4.0},
    ]


def test_its_own_tests_pass(wa: Wa, begun: Path) -> None:
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider"]
    tests = subprocess.run(command, cwd=begun, capture_output=True, text=True, check=False)

    assert (tests.returncode, wa("test").code) == (0, 0), tests.stdout


def test_one_of_its_partitions_can_be_made_alone(wa: Wa, begun: Path) -> None:
    wa("materialize", "--partition", "north")

    rows = {row["key"]: row["row_count"] for row in json.loads(wa("list", "--json").out)}
    assert rows == {"raw/sales": 2, "staging/orders": 2, "marts/revenue": 2}


def test_nothing_is_overwritten(wa: Wa, project: Path) -> None:
    (project / "taken" / "models" / "marts").mkdir(parents=True)
    (project / "taken" / "models" / "marts" / "revenue.sql").write_text("select 1")

    answer = wa("init", "taken")

    assert answer.code == 2
    assert answer.err.startswith("Error: There is models/marts/revenue.sql in ")
    assert [path.name for path in (project / "taken").iterdir()] == ["models"]


@pytest.mark.parametrize(
    ("name", "line"), [("polars", "hide the module 'polars'"), ("9a", "is no name"), ("class", "is no name")]
)
def test_a_name_that_python_cannot_import_is_refused(wa: Wa, project: Path, name: str, line: str) -> None:
    answer = wa("init", name)

    assert (answer.code, line in answer.err, (project / name).exists()) == (2, True, False)


def test_a_command_in_a_folder_below_runs_in_that_of_the_project(
    wa: Wa, project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (project / "pyproject.toml").write_text('[tool.warehouse_assets]\nmodule = "failing"\n')
    (project / "notes" / "old").mkdir(parents=True)
    monkeypatch.chdir(project / "notes" / "old")

    wa("materialize", "-s", "good")

    assert (project / ".warehouse_assets").is_dir()
    assert [path.name for path in (project / "notes" / "old").iterdir()] == []


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("[tool.warehouse_assets]\n\nmodule = 3\n", "Error: module is 3, not the name of a module (pyproject.toml:3)."),
        ('[tool.warehouse_assets]\nmodule = "x\n', "Error: the TOML cannot be read: "),
        ("[tool.other]\n", "Error: No module is given. Give it with -m, or write module = "),
    ],
    ids=["number", "broken", "none"],
)
def test_a_project_that_names_no_module_is_told_what_to_do(wa: Wa, project: Path, text: str, line: str) -> None:
    (project / "pyproject.toml").write_text(text)

    answer = wa("list")

    assert (answer.code, answer.err.startswith(line)) == (2, True), answer.err
