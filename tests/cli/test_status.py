"""`wa status` and `wa materialize --stale`."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from warehouse_assets import AssetKey
from warehouse_assets.cli.status import cause_text
from warehouse_assets.graph.staleness import StaleCause


def lines(text: str) -> list[str]:
    return [" ".join(line.split()) for line in text.splitlines() if line.strip() and "───" not in line]


def versioned(project: Path, code: str, data: str) -> None:
    """Gives the first asset of the shop other versions."""
    file = project / "shop.py"
    text = file.read_text()
    if "code_version" not in text:
        text = text.replace('owners=["team:shop"]', 'owners=["team:shop"], code_version="?", data_version="content"')
    text = re.sub('code_version=".*?"', f'code_version="{code}"', text)
    file.write_text(text.replace('["ann", "bob", "ann"]', data))


@pytest.fixture
def shop(project: Path, wa: Callable[..., Any], forget_modules_of: Callable[[Path], None]) -> Callable[..., Any]:
    """Runs a command on the shop as its file is now."""

    def run(command: str, *args: str) -> Any:
        forget_modules_of(project)
        return wa(command, "-m", "shop", *args)

    return run


@pytest.mark.semantics(25)
def test_status_says_what_is_missing_stale_and_fresh_and_why(project: Path, shop: Callable[..., Any]) -> None:
    versioned(project, "1", '["ann", "bob", "ann"]')
    first = shop("status")
    shop("materialize", "-s", "staging/orders or marts/per_customer")
    versioned(project, "2", '["ann", "bob", "ann"]')
    second = shop("status")

    assert (first.code, lines(first.out)) == (
        0,
        [
            "asset status why",
            "staging/orders missing",
            "marts/per_customer missing",
            "marts/best missing",
            "3 assets: 3 missing",
        ],
    )
    assert (second.code, lines(second.out)) == (
        0,
        [
            "asset status why",
            "staging/orders stale its code changed (1 → 2)",
            "marts/per_customer stale staging/orders is stale: its code changed (1 → 2)",
            "marts/best missing",
            "3 assets: 1 missing, 2 stale",
        ],
    )


@pytest.mark.semantics(25)
def test_status_as_json_of_a_selection(project: Path, shop: Callable[..., Any]) -> None:
    versioned(project, "1", '["ann", "bob", "ann"]')
    shop("materialize")
    versioned(project, "2", '["ann", "bob", "ann"]')
    answer = shop("status", "--json", "-s", "marts/per_customer")

    root = {"kind": "code", "key": "staging/orders", "old": "1", "new": "2", "root": None}
    cause = {"kind": "upstream", "key": "staging/orders", "old": None, "new": None, "root": root}
    assert json.loads(answer.out) == [{"key": "marts/per_customer", "status": "stale", "causes": [cause]}]


def test_status_leaves_no_record_behind(project: Path, shop: Callable[..., Any]) -> None:
    shop("status")

    assert not (project / ".warehouse_assets").exists()


@pytest.mark.semantics(26)
def test_only_what_is_not_fresh_is_made(project: Path, shop: Callable[..., Any]) -> None:
    versioned(project, "1", '["ann", "bob", "ann"]')
    all_of_it, nothing = shop("materialize", "--stale"), shop("materialize", "--stale")
    versioned(project, "2", '["ann", "ann", "bob"]')
    reordered = shop("materialize", "--stale")
    versioned(project, "3", '["ann", "ann", "bob"]')
    elsewhere = shop("materialize", "--stale", "-s", "group:marts")

    assert "Success: 3 of 3 assets made," in all_of_it.out
    assert (nothing.code, nothing.out) == (0, "Nothing to do: all 3 assets are fresh\n")
    assert "Success: 3 of 3 assets made" in reordered.out
    assert (elsewhere.code, elsewhere.out) == (
        0,
        "Nothing to do: 2 of 2 selected assets are stale for what is upstream of them, and not selected\n",
    )


@pytest.mark.semantics(26)
def test_what_is_up_to_date_once_its_inputs_are_made_is_said(project: Path, shop: Callable[..., Any]) -> None:
    versioned(project, "1", '["ann", "bob", "ann"]')
    shop("materialize", "--stale")
    versioned(project, "2", '["ann", "bob", "ann"]')
    answer = shop("materialize", "--stale")

    assert "fresh    marts/per_customer  up to date\n" in answer.out
    assert "Success: 1 of 3 assets made, 2 up to date," in answer.out


@pytest.mark.parametrize(
    ("cause", "text"),
    [
        (StaleCause("code", AssetKey("a"), None, "2"), "its code changed"),
        (StaleCause("data", AssetKey("b"), "0123456789abcdef" * 2, "v2"), "b changed (01234567… → v2)"),
        (StaleCause("dependency added", AssetKey("b"), None, "1"), "b became a dependency"),
        (StaleCause("dependency removed", AssetKey("b"), "1", None), "b is no dependency any more"),
        (StaleCause("upstream", AssetKey("b")), "b is missing"),
        (
            StaleCause("upstream", AssetKey("b"), root=StaleCause("upstream", AssetKey("c"))),
            "b is stale: c is missing",
        ),
        (
            StaleCause("upstream", AssetKey("b"), root=StaleCause("data", AssetKey("c"), "1", "2")),
            "b is stale: c changed (1 → 2)",
        ),
    ],
    ids=lambda value: value.replace(" ", "_") if isinstance(value, str) else "",
)
def test_causes_in_words(cause: StaleCause, text: str) -> None:
    assert cause_text(cause, AssetKey("a")) == text
