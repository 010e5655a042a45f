from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from warehouse_assets import asset, materialize
from warehouse_assets.events import Event
from warehouse_assets.execution.notebook import NotebookProgress, progress_here


class Display:
    """Remembers what it was told to show, as IPython's `display` does."""

    def __init__(self) -> None:
        self.first: list[str] = []
        self.updates: list[str] = []

    def __call__(self, shown: dict[str, str], **_: Any) -> Any:
        self.first.append(shown["text/plain"])
        return SimpleNamespace(update=lambda shown, **_: self.updates.append(shown["text/plain"]))


def events(*types: str) -> list[Event]:
    return [Event(kind.partition(" ")[0], "run", 0.0, kind.partition(" ")[2] or None) for kind in types]


def test_there_is_one_display_and_its_last_state_tells_how_it_ended() -> None:
    display = Display()
    watch = NotebookProgress(3, display)

    for event in events("RUN_START", "STEP_START a", "STEP_SUCCESS a", "STEP_FAILURE b", "STEP_SKIPPED c", "RUN_FAILURE"):
        watch(event)

    assert display.first == ["0 of 3 steps done"]
    assert display.updates[-1] == "failure: 1 of 3 steps done, 1 failed, 1 skipped"


def test_running_steps_are_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("warehouse_assets.execution.notebook.SECONDS_BETWEEN", 0.0)
    display = Display()
    watch = NotebookProgress(9, display)

    for event in events(*(f"STEP_START {name}" for name in "abcdefg")):
        watch(event)

    assert display.updates[-1] == "0 of 9 steps done, 7 running: a, b, c, d, e and 2 more"


def test_a_display_that_fails_does_not_stop_the_run() -> None:
    def display(*_: Any, **__: Any) -> None:
        raise OSError("the page is closed")

    watch = NotebookProgress(1, display)

    for event in events("RUN_START", "STEP_SUCCESS a", "RUN_SUCCESS"):
        watch(event)

    assert watch.statuses == {}


def test_outside_of_a_notebook_nothing_is_shown(capsys: pytest.CaptureFixture[str]) -> None:
    @asset
    def one() -> int:
        return 1

    materialize([one])

    assert list(progress_here(1)) == []
    assert capsys.readouterr() == ("", "")
