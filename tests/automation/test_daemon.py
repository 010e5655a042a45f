from __future__ import annotations

import os
import signal
import sqlite3
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from warehouse_assets import Instance
from warehouse_assets.automation.daemon import LEASE_SECONDS, Daemon

pytestmark = pytest.mark.semantics(32)


class Counting:
    """A duty that counts its rounds, and may raise."""

    def __init__(self, error: Exception | None = None) -> None:
        self.rounds: list[float] = []
        self.error = error

    def round(self, now: float) -> None:
        self.rounds.append(now)
        if self.error is not None:
            raise self.error


def test_a_duty_that_fails_keeps_none_from_theirs_and_is_told_once(instance: Instance) -> None:
    said: list[str] = []
    bad, good = Counting(ValueError("no\nway")), Counting()
    with Daemon(instance, {"bad": bad, "good": good}, clock=lambda: 5.0, say=said.append) as daemon:
        daemon.round()
        daemon.round()
        bad.error = None
        daemon.round()
        bad.error = ValueError("no\nway")
        daemon.round()

    assert (len(bad.rounds), good.rounds) == (4, [5.0] * 4)
    assert said == ["at work", "bad: ValueError: no", "bad: ValueError: no"]


def test_of_two_one_works_and_the_other_takes_over(instance: Instance) -> None:
    now, duties = [100.0], [Counting(), Counting()]
    said: list[str] = []
    first, second = (Daemon(instance, {"count": duty}, clock=lambda: now[0], say=said.append) for duty in duties)

    worked = [first.round(), second.round(), second.round()]
    now[0] += LEASE_SECONDS + 1  # the first is not heard of any more
    worked += [second.round(), first.round()]
    second.close()
    worked += [first.round()]
    first.close()

    assert worked == [True, False, False, True, False, True]
    assert [len(duty.rounds) for duty in duties] == [2, 1]
    assert said == ["at work", "another daemon works; this one stands by"] * 2 + ["at work"]


def test_a_record_out_of_reach_is_told_and_tried_again(instance: Instance, monkeypatch: pytest.MonkeyPatch) -> None:
    said: list[str] = []
    duty = Counting()
    with Daemon(instance, {"count": duty}, say=said.append) as daemon:
        with monkeypatch.context() as patch:
            patch.setattr(instance.event_log, "take_lease", lambda *_: (_ for _ in ()).throw(sqlite3.OperationalError("gone")))
            worked = [daemon.round(), daemon.round()]
        worked.append(daemon.round())

    assert worked == [False, False, True]
    assert said == ["the record: OperationalError: gone", "at work"]


PROJECT = """
from warehouse_assets import DefaultScheduleStatus, DefaultSensorStatus, Definitions, RunRequest, ScheduleDefinition, asset, sensor

@asset
def orders() -> list[int]:
    return [1, 2]

@asset
def counted(orders: list[int]) -> int:
    return len(orders)

@sensor(target="*", minimum_interval_seconds=0, default_status=DefaultSensorStatus.RUNNING)
def often(context):
    number = int(context.cursor or 0) + 1
    context.update_cursor(str(number))
    if number <= 3:
        return RunRequest(run_key=str(number))
"""


def until(met: Callable[[], bool], seconds: float = 60) -> None:
    deadline = time.monotonic() + seconds
    while not met():
        assert time.monotonic() < deadline
        time.sleep(0.05)


def test_a_daemon_that_is_killed_is_followed_by_one_that_loses_and_doubles_nothing(tmp_path: Path) -> None:
    (tmp_path / "shop_of_daemon.py").write_text(PROJECT)
    environment = {**os.environ, "WAREHOUSE_ASSETS_HOME": str(tmp_path / "home"), "COLUMNS": "200"}
    environment.pop("WAREHOUSE_ASSETS_URL", None)

    def daemon() -> subprocess.Popen[str]:
        command = [sys.executable, "-c", "from warehouse_assets.cli import main; main()", "daemon", "-m", "shop_of_daemon.py"]
        return subprocess.Popen(
            command, cwd=tmp_path, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        )

    instance = Instance.local(tmp_path / "home")
    first, second = daemon(), daemon()
    until(lambda: len(instance.get_runs()) > 0)
    first.kill()
    first.communicate()
    second.kill()
    second.communicate()
    instance.event_log.take_lease("daemon", "this test", time.time() + 1000, 0)  # which has run out by then
    instance.event_log.release_lease("daemon", "this test")
    third = daemon()
    until(lambda: [run.status for run in instance.get_runs()] == ["SUCCESS"] * 3, 120)
    third.send_signal(signal.SIGTERM)
    said, errors = third.communicate(timeout=60)

    runs = instance.get_runs()
    events = [event.event_type for event in instance.get_event_records(event_types=("RUN_START", "RUN_SUCCESS"))]
    instance.close()
    assert third.returncode == 0, errors
    assert sorted(run.run_key or "" for run in runs) == [f"shop_of_daemon:often:{n}" for n in (1, 2, 3)]
    assert sorted(events) == ["RUN_START"] * 3 + ["RUN_SUCCESS"] * 3
    assert "at work" in said


def test_the_quick_duty_is_done_at_once_when_it_is_woken(instance: Instance) -> None:
    done, begun, go_on = threading.Event(), threading.Event(), threading.Event()

    class Slow:
        def round(self, now: float) -> None:
            begun.set()
            go_on.wait(60)

    class Quick:
        def round(self, now: float) -> None:
            done.set()

    with Daemon(instance, {"slow": Slow()}, quick=Quick(), interval=60.0) as daemon:
        thread = threading.Thread(target=daemon.run)
        thread.start()
        begun.wait(60)
        daemon.wake()

        assert done.wait(60)
        daemon.end()
        go_on.set()
        thread.join()
