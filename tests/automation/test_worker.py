from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from warehouse_assets import Instance
from warehouse_assets.automation.runs import Runs
from warehouse_assets.automation.submission import run_for
from warehouse_assets.code_location.definitions import Definitions
from warehouse_assets.events import CodeLocation, Event, RunRecord

MODULE = "warehouse_assets.automation.worker"
PROGRAM = """
import sys
from warehouse_assets import Instance
from warehouse_assets.automation.worker import run_recorded

with Instance.get() as instance:
    sys.exit(run_recorded(instance, sys.argv[1], heartbeat_seconds=0.05, grace_seconds=0.2))
"""


@pytest.fixture
def queued(definitions: Definitions, instance: Instance, location: CodeLocation) -> Callable[..., RunRecord]:
    def queue(selection: str, **changes: Any) -> RunRecord:
        run = run_for(definitions, location, selection=selection, instance=instance)
        (added,) = instance.event_log.add_runs([replace(run, **changes)])
        return added

    return queue


@pytest.fixture
def work(instance: Instance, tmp_path: Path) -> Iterator[Callable[..., subprocess.Popen[str]]]:
    """Starts the process of a run."""
    started = []

    def start(run_id: str, *, quick: bool = False) -> subprocess.Popen[str]:
        command = [sys.executable, "-c", PROGRAM, run_id] if quick else [sys.executable, "-m", MODULE, run_id]
        env = {**os.environ, **instance.environment}
        process = subprocess.Popen(command, cwd=tmp_path, env=env, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        started.append(process)
        return process

    yield start
    for process in started:
        process.kill()
        process.communicate()


def test_a_process_runs_what_waits_once(instance: Instance, queued: Any, work: Any) -> None:
    run = queued("orders")

    both = [work(run.run_id), work(run.run_id)]
    outputs = [process.communicate(timeout=60) for process in both]

    assert sorted(process.returncode for process in both) == [0, 3], outputs
    types = [event.event_type for event in instance.get_event_records(run_id=run.run_id)]
    assert (types.count("RUN_START"), types.count("STEP_START"), types[-1]) == (1, 1, "RUN_SUCCESS")
    assert instance.get_run_record(run.run_id).heartbeat is not None


def test_a_run_that_is_canceled_does_not_wait_for_steps_without_end(
    instance: Instance, queued: Any, tmp_path: Path, wait_for: Any, work: Any
) -> None:
    (tmp_path / "hold").touch()
    run = queued("slow")
    process = work(run.run_id, quick=True)
    wait_for(tmp_path / "running")

    assert instance.event_log.store_events_if(run.run_id, ("STARTED",), [Event("RUN_CANCELING", run.run_id, 0.0)])
    process.communicate(timeout=60)

    assert (process.returncode, instance.get_run_record(run.run_id).status) == (130, "CANCELED")


def test_a_process_that_is_told_to_end_records_what_is_done(
    instance: Instance, queued: Any, tmp_path: Path, wait_for: Any, work: Any
) -> None:
    (tmp_path / "hold").touch()
    run = queued("slow")
    process = work(run.run_id)
    wait_for(tmp_path / "running")

    process.send_signal(signal.SIGTERM)
    (tmp_path / "hold").unlink()
    process.communicate(timeout=60)
    ends = [event.event_type for event in instance.get_event_records(run_id=run.run_id)][-3:]

    assert (process.returncode, ends) == (130, ["ASSET_MATERIALIZATION", "STEP_SUCCESS", "RUN_CANCELED"])


def test_code_that_cannot_be_loaded_fails_the_run(instance: Instance, queued: Any, location: CodeLocation, work: Any) -> None:
    run = queued("orders", location=replace(location, module="gone.py"))
    process = work(run.run_id)
    process.communicate(timeout=60)

    last = instance.get_event_records(run_id=run.run_id)[-1]

    assert (process.returncode, last.event_type) == (1, "RUN_FAILURE")
    assert last.message == "InvalidDefinitionError: there is no file 'gone.py'"


def test_a_library_that_restarts_what_a_signal_interrupts_keeps_no_run_from_its_end(
    instance: Instance, queued: Any, tmp_path: Path, wait_for: Any, work: Any, location: CodeLocation
) -> None:
    """As polars does, whose handler of interrupts has the system go on with what was interrupted."""
    module = tmp_path / location.module
    module.write_text(module.read_text() + "import signal\nsignal.siginterrupt(signal.SIGINT, False)\n")
    (tmp_path / "hold").touch()
    run = queued("slow")
    process = work(run.run_id)
    wait_for(tmp_path / "running")

    process.send_signal(signal.SIGINT)
    next(one for one in Runs(instance).follow(run) if isinstance(one, Event) and (one.message or "").startswith("stopping"))
    (tmp_path / "hold").unlink()
    process.communicate(timeout=60)
    ends = [event.event_type for event in instance.get_event_records(run_id=run.run_id)][-3:]

    assert (process.returncode, ends) == (130, ["ASSET_MATERIALIZATION", "STEP_SUCCESS", "RUN_CANCELED"])
