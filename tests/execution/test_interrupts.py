from __future__ import annotations

import signal
from pathlib import Path
from typing import Any

import pytest

from warehouse_assets import Instance

PROGRAM = """
import sys, time
from pathlib import Path
from warehouse_assets import {executor}, Instance, asset, materialize

@asset
def quick() -> None: ...

@asset(deps=[quick])
def slow() -> None:
    Path("running").touch()
    deadline = time.monotonic() + 60
    while not Path("released").exists() and time.monotonic() < deadline:
        time.sleep(0.01)

@asset(deps=[slow])
def after() -> None:
    raise AssertionError

with Instance.local("home") as instance:
    try:
        materialize([quick, slow, after], instance=instance, executor={executor}())
    except KeyboardInterrupt:
        Path("canceled").touch()
        sys.exit(130)
"""


def record(folder: Path) -> tuple[Any, list[tuple[str, str | None, str | None]]]:
    with Instance.local(folder / "home") as instance:
        (run,) = instance.get_runs()
        events = instance.get_event_records(run_id=run.run_id)
        ends = [
            (event.event_type, event.step_key, event.message)
            for event in events
            if event.event_type in ("STEP_SUCCESS", "STEP_FAILURE", "STEP_SKIPPED", "RUN_CANCELED", "RUN_FAILURE")
        ]
        return run, ends


@pytest.mark.semantics(29)
def test_ctrl_c_ends_a_run_at_once_and_records_what_is_done(tmp_path: Path, run_python: Any, wait_for: Any) -> None:
    process = run_python(PROGRAM.format(executor="InProcessExecutor"))
    wait_for(tmp_path / "running")

    process.send_signal(signal.SIGINT)
    _, errors = process.communicate(timeout=30)
    run, ends = record(tmp_path)

    assert (process.returncode, errors) == (130, "")
    assert (run.status, run.ended is not None) == ("CANCELED", True)
    assert ends == [("STEP_SUCCESS", "quick", None), ("RUN_CANCELED", None, "canceled after 1 of 3 steps")]


@pytest.mark.semantics(29)
def test_ctrl_c_lets_threads_finish_their_steps_and_starts_nothing_more(tmp_path: Path, run_python: Any, wait_for: Any) -> None:
    process = run_python(PROGRAM.format(executor="ThreadExecutor"))
    wait_for(tmp_path / "running")

    process.send_signal(signal.SIGINT)
    line = process.stderr.readline()
    (tmp_path / "released").touch()
    _, errors = process.communicate(timeout=30)
    run, ends = record(tmp_path)

    assert (process.returncode, line, errors) == (130, "stopping: waiting for slow; press Ctrl-C again to leave them\n", "")
    assert run.status == "CANCELED"
    assert ends == [
        ("STEP_SUCCESS", "quick", None),
        ("STEP_SUCCESS", "slow", None),
        ("RUN_CANCELED", None, "canceled after 2 of 3 steps"),
    ]


@pytest.mark.semantics(29)
def test_a_second_ctrl_c_does_not_wait_for_threads(tmp_path: Path, run_python: Any, wait_for: Any) -> None:
    process = run_python(PROGRAM.format(executor="ThreadExecutor"))
    wait_for(tmp_path / "running")

    process.send_signal(signal.SIGINT)
    process.stderr.readline()
    process.send_signal(signal.SIGINT)
    process.communicate(timeout=30)
    run, ends = record(tmp_path)

    assert (process.returncode, run.status) == (130, "CANCELED")
    assert ends == [("STEP_SUCCESS", "quick", None), ("RUN_CANCELED", None, "canceled after 1 of 3 steps")]
