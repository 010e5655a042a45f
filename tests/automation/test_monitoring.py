from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from warehouse_assets import AssetKey, Instance
from warehouse_assets.automation.monitoring import MonitoringSettings, RunMonitoring
from warehouse_assets.automation.processes import RunProcesses
from warehouse_assets.automation.queue import RunQueue
from warehouse_assets.automation.reruns import MAX_RETRIES_TAG, PARENT_RUN_TAG
from warehouse_assets.automation.submission import run_for
from warehouse_assets.code_location.definitions import Definitions
from warehouse_assets.errors import InstanceError, InvalidConfigError
from warehouse_assets.events import CodeLocation, Event, RunRecord
from warehouse_assets.execution.capture import log_file

SHOP = CodeLocation("shop", "shop.py", "/nowhere")


@pytest.fixture
def record() -> Instance:
    return Instance.ephemeral()


def messages(instance: Instance, run_id: str) -> list[tuple[str, str | None]]:
    return [(event.event_type, event.message) for event in instance.get_event_records(run_id=run_id)]


def test_a_run_that_fell_silent_has_failed_and_its_places_are_free(record: Instance) -> None:
    log = record.event_log
    log.add_run(RunRecord("silent", "STARTED", created=0.0, started=0.0, heartbeat=100.0))
    log.add_run(RunRecord("asked", "CANCELING", created=0.0, started=0.0, heartbeat=100.0))
    log.add_run(RunRecord("lives", "STARTED", created=0.0, started=0.0, heartbeat=200.0))
    log.add_run(RunRecord("never_told", "STARTED", created=0.0, started=0.0))
    log.claim_slot("warehouse", 1, "silent", "step", 100.0)

    RunMonitoring(record).round(230.0)

    assert {run.run_id: run.status for run in record.get_runs()} == {
        "silent": "FAILURE",
        "asked": "CANCELED",
        "lives": "STARTED",
        "never_told": "STARTED",
    }
    assert messages(record, "silent") == [("RUN_FAILURE", "the process of the run died: it was last heard of 130 s ago")]
    assert log.get_slots() == []


def test_a_run_that_did_not_begin_waits_again_but_not_without_end(record: Instance) -> None:
    record.event_log.add_runs([RunRecord("r1", "QUEUED", created=0.0, location=SHOP)])
    monitoring = RunMonitoring(record)
    statuses = []
    for attempt in range(3):
        record.store_events([Event("RUN_STARTING", "r1", attempt * 200.0)])
        for wait in (100.0, 130.0):
            monitoring.round(attempt * 200.0 + wait)
            statuses.append(record.get_run_record("r1").status)

    assert statuses == ["STARTING", "QUEUED", "STARTING", "QUEUED", "STARTING", "FAILURE"]
    assert messages(record, "r1")[-1] == ("RUN_FAILURE", "the run did not begin, and was started 3 times")


@pytest.mark.parametrize("begun", [True, False], ids=["seen_at_first", "seen_later"])
def test_a_failed_run_is_retried_once_by_two_daemons(record: Instance, begun: bool) -> None:
    daemons = [RunMonitoring(record), RunMonitoring(record)]
    if not begun:
        for daemon in daemons:
            daemon.round(0.0)
    record.event_log.add_runs([RunRecord("r1", "QUEUED", created=0.0, tags={MAX_RETRIES_TAG: "2"}, location=SHOP)])
    record.store_events([Event("RUN_START", "r1", 1.0), Event("RUN_FAILURE", "r1", 2.0)])

    for now in (3.0, 4.0):
        for daemon in daemons:
            daemon.round(now)

    (retry,) = record.get_runs(statuses="QUEUED")
    assert retry.tags[PARENT_RUN_TAG] == "r1"


def test_failures_of_long_ago_are_not_retried(record: Instance) -> None:
    record.event_log.add_runs([RunRecord("r1", "QUEUED", created=0.0, tags={MAX_RETRIES_TAG: "2"}, location=SHOP)])
    record.store_events([Event("RUN_START", "r1", 1.0), Event("RUN_FAILURE", "r1", 2.0)])

    RunMonitoring(record).round(2 * 24 * 3600.0)

    assert record.get_runs(statuses="QUEUED") == []


@pytest.fixture
def daemon(instance: Instance) -> Iterator[Any]:
    """Rounds of a daemon, until a condition holds."""
    processes = RunProcesses(instance)
    duties = [RunQueue(instance, processes), RunMonitoring(instance, processes)]

    def until(condition: Callable[[], bool]) -> None:
        deadline = time.monotonic() + 60
        while not condition():
            assert time.monotonic() < deadline
            for duty in duties:
                duty.round(time.time())
            time.sleep(0.05)

    yield until
    until(lambda: not len(processes))


def children_of(run_id: str) -> list[int]:
    """The processes of a run, as the system knows them."""
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                text = (entry / "cmdline").read_bytes().decode()
            except OSError:
                continue
            if "warehouse_assets.automation.worker" in text and run_id in text:
                found.append(int(entry.name))
    return found


def test_a_run_is_killed_and_what_it_left_undone_is_retried(
    instance: Instance, definitions: Definitions, location: CodeLocation, daemon: Any, tmp_path: Path
) -> None:
    (tmp_path / "hold").touch()
    tags = {MAX_RETRIES_TAG: "1"}
    run = run_for(definitions, location, selection="orders or slow", tags=tags, instance=instance)
    instance.event_log.add_runs([run])
    daemon(lambda: (tmp_path / "running").exists())
    (pid,) = children_of(run.run_id)

    os.kill(pid, signal.SIGKILL)
    (tmp_path / "hold").unlink()
    daemon(lambda: len(instance.get_runs(statuses="SUCCESS")) == 1)
    retry, dead = instance.get_runs()

    assert (dead.status, retry.tags[PARENT_RUN_TAG], [str(key.path[-1]) for key in retry.asset_keys]) == (
        "FAILURE",
        run.run_id,
        ["slow"],
    )
    assert messages(instance, run.run_id)[-1] == ("RUN_FAILURE", "the process of the run ended by signal 9")
    steps = [event.step_key for event in instance.get_event_records(run_id=retry.run_id, event_types="STEP_START")]
    assert steps == ["slow"]


def test_each_step_and_its_children_print_to_files(
    instance: Instance, definitions: Definitions, location: CodeLocation, daemon: Any
) -> None:
    run = run_for(definitions, location, selection="orders or customers", instance=instance)
    instance.event_log.add_runs([run])
    daemon(lambda: instance.get_run_record(run.run_id).status == "SUCCESS")

    def text(step_key: str | None, stream: Any) -> str:
        return log_file(instance.folder, run.run_id, step_key, stream).read_text()

    assert (text("customers", "out"), text("customers", "err")) == ("counted 1\n", "a warning\n")
    assert (text(None, "out"), text(None, "err")) == ("from a child\n", "")


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"working_directory": "/nowhere"}, "could not be started: FileNotFoundError"),
        ({"python": "/bin/false"}, "ended with exit code 1"),
    ],
    ids=["folder", "python"],
)
def test_a_process_that_cannot_run_fails_the_run(
    instance: Instance, location: CodeLocation, daemon: Any, changes: Any, message: str
) -> None:
    instance.event_log.add_runs([RunRecord("r1", "QUEUED", created=0.0, location=replace(location, **changes))])
    daemon(lambda: instance.get_run_record("r1").status == "FAILURE")

    assert message in str(messages(instance, "r1")[-1][1])


def test_a_retry_is_not_lost_where_the_record_is_out_of_reach(record: Instance, monkeypatch: pytest.MonkeyPatch) -> None:
    monitoring = RunMonitoring(record)
    monitoring.round(0.0)
    run = RunRecord("r1", "QUEUED", created=0.0, tags={MAX_RETRIES_TAG: "1"}, asset_keys=(AssetKey("a"),), location=SHOP)
    record.event_log.add_runs([run])
    record.store_events([Event("RUN_FAILURE", "r1", 1.0)])

    with monkeypatch.context() as patch:
        patch.setattr(record.event_log, "add_runs", out_of_reach)
        with pytest.raises(InstanceError):
            monitoring.round(2.0)
    monitoring.round(3.0)

    assert [run.tags.get(PARENT_RUN_TAG) for run in record.get_runs(statuses="QUEUED")] == ["r1"]


def out_of_reach(*_: object) -> None:
    raise InstanceError("gone")


def test_settings_are_those_of_a_table_and_what_cannot_be_meant_is_told() -> None:
    assert MonitoringSettings.of({"heartbeat_limit": 30, "start_attempts": 5}) == MonitoringSettings(30, start_attempts=5)
    with pytest.raises(InvalidConfigError, match=r"the daemon has the setting .heartbeat.*heartbeat_limit"):
        MonitoringSettings.of({"heartbeat": 30})
    for value in (0, True, "3", 1.5):
        with pytest.raises(InvalidConfigError, match="the daemon has start_attempts ="):
            MonitoringSettings.of({"start_attempts": value})
