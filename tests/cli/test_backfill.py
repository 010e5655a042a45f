from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

PARTS = """
import os
from warehouse_assets import AssetExecutionContext, StaticPartitionsDefinition, asset

@asset(partitions_def=StaticPartitionsDefinition(["a", "b", "c"]))
def letters(context: AssetExecutionContext) -> str:
    if os.environ.get("BAD_LETTER") == context.partition_key:
        raise ValueError("a bad letter")
    return context.partition_key

@asset(deps=[letters])
def words() -> str:
    return "words"
"""


@pytest.fixture
def parts(project: Path) -> str:
    (project / "parts.py").write_text(PARTS)
    return "parts.py"


def start(wa: Any, parts: str, *options: str) -> Any:
    return wa("backfill", "start", "-m", parts, *options)


def test_a_backfill_that_waits_is_made_here(wa: Any, parts: str) -> None:
    done = start(wa, parts, "--all", "--wait")

    lines = done.out.splitlines()
    assert (done.code, lines[0].split(": ")[1].partition(" after")[0]) == (0, "completed")
    assert [line.split() for line in lines[-2:]] == [
        ["letters", "3", "0", "0", "3", "0", "0"],
        ["words", "1", "0", "0", "1", "0", "0"],
    ]


def test_one_that_fails_says_what_and_is_resumed(wa: Any, parts: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BAD_LETTER", "b")
    failed = start(wa, parts, "--partition", "a", "--partition", "b", "--wait", "--json")
    facts = json.loads(failed.out)
    monkeypatch.delenv("BAD_LETTER")

    resumed = wa("backfill", "resume", facts["backfill_id"], "--wait", "-m", parts, "--json")

    assert (failed.code, facts["status"]) == (1, "FAILED")
    assert [(run["partition"], run["error"]) for run in facts["failed_runs"]] == [("b", "ValueError: a bad letter")]
    assert facts["assets"]["letters"] == {"requested": 2, "waiting": 0, "in_progress": 0, "done": 1, "failed": 1, "canceled": 0}
    assert (resumed.code, json.loads(resumed.out)["partitions"]["done"]) == (0, 3)


def test_it_is_asked_for_listed_shown_and_canceled(wa: Any, parts: str) -> None:
    nothing = wa("backfill", "list")
    asked = start(wa, parts, "-s", "letters", "--partition-range", "a...b", "--max-runs", "1", "-t", "team=sales")
    (listed,) = json.loads(wa("backfill", "list", "--json").out)
    shown = json.loads(wa("backfill", "show", listed["backfill_id"][:4], "--json").out)
    canceled = wa("backfill", "cancel", listed["backfill_id"])
    again = wa("backfill", "cancel", listed["backfill_id"])

    name = listed["backfill_id"]
    assert nothing.out == "There is none. `wa backfill start` asks for one.\n"
    assert asked.out.splitlines()[0] == f"Backfill {name} is asked for: 2 partitions of 1 asset."
    assert (listed["status"], listed["max_runs"], listed["tags"]) == ("REQUESTED", 1, {"team": "sales"})
    assert shown == {**listed, "failed_runs": []}
    assert canceled.out == f"Backfill {name} is canceled.\n"
    assert (again.code, again.err) == (2, f"Error: the backfill {name} is over: canceled\n")
    assert wa("backfill", "list").out.splitlines()[-1].split()[:2] == [name, "canceled"]


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ([], "Say which partitions"),
        (["--all", "--partition", "a"], "--all and partitions are both given"),
        (["--missing", "--failed"], "--missing and --failed are both given"),
        (["--all", "-t", "team"], "--tag is 'team'. Write NAME=VALUE."),
        (["--partition", "x"], "there is no partition 'x' in static partitions 'a', 'b', 'c'"),
        (["--partition-range", "b"], "Write START...END"),
        (["--all", "-s", "nope"], "nope"),
        (["--all", "-c", '{"ops": {"lettres": {"config": {"rows": 1}}}}'], "it configures 'lettres'"),
        (["--failed"], "there is no partition that failed to make"),
    ],
    ids=[
        "nothing",
        "all and some",
        "missing and failed",
        "tag",
        "unknown partition",
        "range",
        "selection",
        "config",
        "none failed",
    ],
)
def test_what_cannot_be_meant_is_said(options: list[str], said: str, wa: Any, parts: str) -> None:
    done = start(wa, parts, *options)

    assert (done.code, done.out) == (2, "")
    assert said in done.err


def test_an_unknown_backfill_and_a_forgotten_module_are_said(wa: Any, parts: str) -> None:
    unknown = wa("backfill", "show", "nope")
    forgotten = wa("backfill", "resume", "nope", "--wait")

    assert (unknown.code, forgotten.code) == (1, 2)
    assert "no backfill with the id 'nope'" in unknown.err
    assert "--wait needs --module" in forgotten.err
