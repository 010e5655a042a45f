"""`wa instance`."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from warehouse_assets import Instance
from warehouse_assets.events import Event, RunRecord

Run = Callable[..., Any]


@pytest.fixture
def record(project: Path) -> Path:
    """A record with a run that ended long ago, and an event of it."""
    with Instance.get(project) as instance:
        instance.create_run(RunRecord("r1", "SUCCESS", 0.0, 0.0, 1.0))
        instance.store_events([Event("LOG", "r1", 0.0)])
    return project / ".warehouse_assets" / "record.db"


def test_info_tells_where_the_record_is_and_what_it_holds(record: Path, wa: Run) -> None:
    told = wa("instance", "info")
    found = json.loads(wa("instance", "info", "--json").out)

    assert told.code == 0
    assert [line.split()[0] for line in told.out.splitlines()] == [
        "record", "kind", "size", "runs", "events", "assets", "ticks", "backfills",
    ]  # fmt: skip
    assert "runs       1 (1 success)" in told.out
    assert (found["place"], found["kind"], found["events"], found["runs"]) == (str(record), "sqlite", 1, 1)
    assert found["run_counts"] == {"SUCCESS": 1}
    assert found["byte_size"] >= record.stat().st_size


def test_info_of_no_record_makes_none(project: Path, wa: Run) -> None:
    told = wa("instance", "info")

    assert "record     the memory of this process" in told.out
    assert not (project / ".warehouse_assets").exists()


def test_prune_tells_first_and_then_forgets(record: Path, wa: Run) -> None:
    told = [wa("instance", "prune", "--older-than", age, *more).out for age, more in _TRIALS]

    assert told == [
        "Forgot nothing.\n",
        "Would forget 1 event, 1 run.\n",
        "Forgot 1 event, 1 run.\n",
        json.dumps({"events": 0, "runs": 0, "ticks": 0, "backfills": 0, "dry_run": False}, indent=2) + "\n",
    ]


_TRIALS: list[tuple[str, list[str]]] = [("90000d", []), ("90d", ["--dry-run"]), ("90d", []), ("4w", ["--json"])]


@pytest.mark.parametrize("age", ["", "90", "-1d", "d", "1.5d", "90 days", "9" * 30 + "d", "\u0669d"])
def test_an_age_that_is_none_is_a_mistake(record: Path, wa: Run, age: str) -> None:
    answer = wa("instance", "prune", "--older-than", age)

    assert answer.code == 2
    assert "older-than" in answer.err
