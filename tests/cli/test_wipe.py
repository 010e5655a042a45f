"""`wa wipe`."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

Wa = Callable[..., Any]


@pytest.fixture
def made(wa: Wa) -> Wa:
    assert wa("materialize", "-m", "shop", "--tag", "team=shop").code == 0
    return wa


def states(wa: Wa) -> dict[str, str]:
    return {row["key"]: row["status"] for row in json.loads(wa("status", "-m", "shop", "--json").out)}


def test_the_record_is_forgotten_and_the_table_stays(made: Wa) -> None:
    answer = made("wipe", "marts/best", "-m", "shop")

    assert (answer.code, answer.out) == (0, "marts/best is forgotten; its table stays\n")
    assert states(made) == {"staging/orders": "fresh", "marts/per_customer": "fresh", "marts/best": "missing"}
    assert made("query", "select * from marts.best", "-m", "shop", "--csv").out.split() == ["customer", "ann"]


def test_tables_are_dropped_when_that_is_meant(made: Wa, project: Path) -> None:
    asked = made("wipe", "marts/best", "-m", "shop", "--tables")
    dropped = made("wipe", "marts/best", "per_customer", "-m", "shop", "--tables", "--yes", "--json")
    again = made("wipe", "marts/best", "-m", "shop", "--tables", "-y")

    assert (asked.code, "--yes" in asked.err) == (2, True)
    both = ["marts/best", "marts/per_customer"]
    assert json.loads(dropped.out) == {"forgotten": both, "dropped": both}
    assert again.out == "marts/best is forgotten; there was no table\n"
    assert list((project / "lake").rglob("*.parquet")) == []


def test_a_source_keeps_its_table(made: Wa) -> None:
    answer = made("wipe", "marts/best", "raw/events", "-m", "shop", "--tables", "--yes")

    assert answer.code == 1
    assert answer.err.startswith("Error: 'raw/events' is a source: something else fills its table (shop.py:")
    assert states(made)["marts/best"] == "fresh"


def test_what_is_not_declared_any_more_can_be_forgotten(made: Wa, project: Path) -> None:
    made("materialize", "-m", "failing", "-s", "good")

    gone = made("wipe", "good", "-m", "shop")
    unknown = made("wipe", "goof", "-m", "shop")
    kept = made("wipe", "good", "-m", "shop", "--tables", "-y")

    assert (gone.code, gone.out) == (0, "good is forgotten; its table stays\n")
    assert (unknown.code, kept.code) == (2, 2)


def test_tags_of_a_run_are_recorded(made: Wa) -> None:
    (run,) = json.loads(made("runs", "list", "--tag", "team=shop", "--json").out)

    assert run["tags"]["team"] == "shop"
    assert made("materialize", "-m", "shop", "--tag", "team").code == 2
