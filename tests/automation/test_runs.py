from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from warehouse_assets import Instance, Runs
from warehouse_assets.automation.runs import Printed, StepSummary, steps_of
from warehouse_assets.errors import RunNotFoundError, RunTakenError
from warehouse_assets.events import CodeLocation, ErrorInfo, Event, EventType, RunRecord
from warehouse_assets.execution.capture import log_file

SHOP = CodeLocation("shop", "shop.py", "/nowhere")


def happened(at: float, event_type: EventType, step_key: str | None = None, message: str | None = None) -> Event:
    data = ErrorInfo("ValueError", "no") if event_type == "STEP_FAILURE" else None
    return Event(event_type, "r1", at, step_key, message, data)


def test_steps_are_told_from_events() -> None:
    events = [
        happened(1, "STEP_START", "a"),
        happened(2, "STEP_UP_FOR_RETRY", "a", "no; attempt 2"),
        happened(3, "STEP_START", "a"),
        happened(4, "STEP_SUCCESS", "a"),
        happened(5, "STEP_START", "b"),
        happened(6, "STEP_FAILURE", "b", "ValueError: no"),
        happened(7, "STEP_SKIPPED", "c", "skipped: b made no table"),
        happened(8, "STEP_START", "d"),
    ]
    done = [
        StepSummary("a", "success", 1, 4, 2),
        StepSummary("b", "failure", 5, 6, 1, "ValueError: no", ErrorInfo("ValueError", "no")),
        StepSummary("c", "skipped", None, 7, 0, "skipped: b made no table"),
    ]

    assert steps_of(events) == [*done, StepSummary("d", "running", 8, None, 1)]
    assert steps_of(events, over=True) == [*done, StepSummary("d", "stopped", 8, None, 1)]


@pytest.fixture
def home(tmp_path: Path) -> Instance:
    from warehouse_assets.instance.memory import MemoryEventLog

    return Instance(MemoryEventLog(), tmp_path)


def test_a_run_is_named_by_letters_that_only_it_begins_with(home: Instance) -> None:
    for name in ("abc1", "abd2"):
        home.create_run(RunRecord(name, "QUEUED", created=0.0))
    runs = Runs(home)

    assert [runs.find(text).run_id for text in ("abc", "abd2")] == ["abc1", "abd2"]
    for text, message in (("ab", "2 runs begin with 'ab'"), ("x", "no run 'x'"), ("", "no run ''")):
        with pytest.raises(RunNotFoundError, match=message):
            runs.find(text)


@pytest.mark.parametrize(
    ("status", "answer", "then"),
    [
        ("QUEUED", "canceled", "CANCELED"),
        ("STARTING", "canceling", "CANCELING"),
        ("STARTED", "canceling", "CANCELING"),
        ("CANCELING", "canceling", "CANCELING"),
        ("SUCCESS", "over", "SUCCESS"),
        ("CANCELED", "over", "CANCELED"),
    ],
)
def test_a_run_is_canceled_as_far_as_it_has_come(home: Instance, status: Any, answer: str, then: str) -> None:
    run = RunRecord("r1", status, created=0.0)
    home.create_run(run)

    assert (Runs(home).cancel(run), home.get_run_record("r1").status) == (answer, then)


def test_what_is_canceled_or_begun_is_not_started(home: Instance) -> None:
    run = RunRecord("r1", "CANCELED", created=0.0, location=SHOP)
    home.create_run(run)

    with pytest.raises(RunTakenError):
        Runs(home).start(run)


def printed(instance: Instance, step_key: str | None, text: bytes, stream: Any = "out") -> None:
    place = log_file(instance.folder, "r1", step_key, stream)
    place.parent.mkdir(parents=True, exist_ok=True)
    with place.open("ab") as file:
        file.write(text)


def test_a_run_is_followed_until_it_is_over(home: Instance) -> None:
    run = RunRecord("r1", "QUEUED", created=0.0)
    home.create_run(run)
    home.store_events([happened(1, "RUN_START"), happened(1, "STEP_START", "a/b")])
    printed(home, "a/b", b"one\ntw")
    printed(home, None, b"import", "err")
    chapters = iter(
        [
            lambda: printed(home, "a/b", b"o\n"),
            lambda: home.store_events([happened(2, "STEP_SUCCESS", "a/b"), happened(3, "RUN_SUCCESS")]),
        ]
    )

    items = list(Runs(home).follow(run, sleep=lambda _: next(chapters)()))

    assert [item.event_type if isinstance(item, Event) else item for item in items] == [
        "RUN_START",
        "STEP_START",
        Printed("a/b", "out", "one\n"),
        Printed("a/b", "out", "two\n"),
        "STEP_SUCCESS",
        "RUN_SUCCESS",
        Printed(None, "err", "import"),
    ]


def test_one_step_is_shown_alone(home: Instance) -> None:
    run = RunRecord("r1", "STARTED", created=0.0)
    home.create_run(run)
    home.store_events([happened(1, "STEP_START", "a"), happened(1, "STEP_START", "b")])
    for step_key in ("a", "b", None):
        printed(home, step_key, f"{step_key}\n".encode())

    items = list(Runs(home).follow(run, "b", wait=False))

    assert items == [*home.get_event_records(after=1), Printed("b", "out", "b\n")]
    assert Runs(home).printed(run, "a") == [Printed("a", "out", "a\n")]
    assert [item.step_key for item in Runs(home).printed(run)] == [None, "a", "b"]


def test_events_are_followed_from_where_one_is(home: Instance) -> None:
    run = RunRecord("r1", "STARTED", created=0.0)
    home.create_run(run)
    home.store_events([happened(1, "STEP_START", "a"), happened(2, "STEP_SUCCESS", "a")])

    assert [item.event_type for item in Runs(home).follow(run, wait=False, after=1) if isinstance(item, Event)] == [
        "STEP_SUCCESS"
    ]
