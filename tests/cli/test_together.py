from __future__ import annotations

import json
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.cli.conftest import Answer
from warehouse_assets.cli import main

Wa = Callable[..., Answer]

FIRST = """
import os
from warehouse_assets import MaterializeResult, asset, schedule

@asset
def orders():
    return MaterializeResult(metadata={"by": os.environ.get("MY_INTERPRETER", "")})

@schedule("@daily", target="*")
def nightly(context): ...
"""

SECOND = """
from warehouse_assets import SourceAsset, asset

orders = SourceAsset("orders")

@asset(deps=[orders], group_name="marts")
def report(): ...
"""


@pytest.fixture
def wa(project: Path, capfd: pytest.CaptureFixture[str]) -> Wa:
    """Runs a command, and reads what it and its processes write."""

    def run(*args: str) -> Answer:
        with pytest.raises(SystemExit) as exit_:
            main(list(args))
        written = capfd.readouterr()
        return Answer(int(exit_.value.code or 0), written.out, written.err)

    return run


@pytest.fixture
def workspace(project: Path) -> Path:
    """A workspace of two locations, of which the first has an interpreter and the second a folder of its own, and one that is broken."""
    (project / "first.py").write_text(FIRST)
    (project / "elsewhere").mkdir()
    (project / "elsewhere" / "second.py").write_text(SECOND)
    (project / "broken.py").write_text("1 / 0")
    roots = ":".join(path for path in sys.path if path)
    python = project / "python"
    python.write_text(f'#!/bin/sh\nPYTHONPATH="{roots}" MY_INTERPRETER=own exec {sys.executable} "$@"\n')
    python.chmod(0o755)
    file = project / "workspace.toml"
    file.write_text(
        '[[location]]\nname = "one"\nfile = "first.py"\npython = "./python"\n'
        '[[location]]\nname = "two"\nfile = "second.py"\nworking_directory = "elsewhere"\n'
    )
    return file


def test_what_acts_is_done_where_it_is_declared_and_what_reads_tells_of_all(wa: Wa, workspace: Path, project: Path) -> None:
    made = wa("materialize", "-w", "workspace.toml", "-s", "orders")
    other = wa("materialize", "-w", "workspace.toml", "-s", "group:marts")
    states = json.loads(wa("status", "-w", "workspace.toml", "--json").out)
    shown = json.loads(wa("show", "orders", "--json").out)  # the workspace of the project
    switched = wa("schedule", "start", "nightly", "-w", "workspace.toml")
    schedules = json.loads(wa("schedule", "list", "--json").out)

    assert (made.code, other.code, switched.out) == (0, 0, "schedule nightly is on\n")
    assert [(row["location"], row["key"], row["status"]) for row in states] == [
        ("one", "orders", "fresh"),
        ("two", "report", "fresh"),
    ]
    assert shown["latest_materialization"]["metadata"]["by"] == "own"
    assert [(row["origin"], row["status"]) for row in schedules] == [("one:nightly", "RUNNING")]
    assert not (project / "elsewhere" / ".warehouse_assets").exists()


def test_a_broken_location_is_told_and_the_others_live(wa: Wa, workspace: Path) -> None:
    listed = wa("list", "-m", "first.py", "-m", "broken.py")
    one = wa("show", "orders", "-m", "first.py", "-m", "broken.py")

    assert (listed.code, one.code) == (2, 0)
    assert "first:\n" in listed.out
    assert "orders" in listed.out
    assert listed.err.startswith("Error: broken: the module 'broken.py' cannot be loaded: ZeroDivisionError: division by zero")
    assert "broken.py:1" in one.err


def test_what_is_nowhere_is_told_once(wa: Wa, workspace: Path) -> None:
    answers = [
        wa("materialize", "-w", "workspace.toml", "-s", "ordres"),
        wa("show", "ordres", "-w", "workspace.toml"),
        wa("schedule", "stop", "nigthly", "-w", "workspace.toml"),
        wa("query", "select 1", "-w", "workspace.toml"),
    ]

    assert [answer.code for answer in answers] == [2, 2, 2, 2]
    assert [answer.err.count("Error:") for answer in answers] == [1, 1, 1, 1]
    assert "nightly" in answers[2].err
    assert "several locations: one, two" in answers[3].err
