from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest

from warehouse_assets import Instance
from warehouse_assets.automation.processes import RunProcesses
from warehouse_assets.automation.queue import RunQueue
from warehouse_assets.automation.reading import Reading
from warehouse_assets.automation.runs import Runs
from warehouse_assets.automation.spares import Spares
from warehouse_assets.automation.submission import run_for
from warehouse_assets.code_location.definitions import Definitions
from warehouse_assets.events import CodeLocation, RunRecord


@pytest.fixture
def until() -> Callable[[Callable[[], Any]], None]:
    """Wait until something is so."""

    def wait(condition: Callable[[], Any]) -> None:
        deadline = time.monotonic() + 60
        while not condition():
            assert time.monotonic() < deadline
            time.sleep(0.02)

    return wait


@pytest.fixture
def spares(instance: Instance, location: CodeLocation) -> Iterator[Spares]:
    with_one = Spares(instance, [location], now=0.0)
    yield with_one
    with_one.close()


@pytest.fixture
def processes(instance: Instance, spares: Spares) -> Iterator[RunProcesses]:
    started = RunProcesses(instance, spares)
    yield started
    started.close()


@pytest.fixture
def ready(spares: Spares, location: CodeLocation, until: Any) -> Callable[[], int]:
    """Have a spare that is ready, and tell its process id."""

    def wait() -> int:
        spares.look(time.time() + 60)
        until(lambda: spares._spares[location].is_ready())
        return spares._spares[location].process.pid

    return wait


@pytest.fixture
def submit(definitions: Definitions, instance: Instance, location: CodeLocation) -> Callable[[str], RunRecord]:
    def add(selection: str) -> RunRecord:
        (added,) = instance.event_log.add_runs([run_for(definitions, location, selection=selection, instance=instance)])
        return added

    return add


def test_a_run_begins_in_the_spare_which_is_used_once(
    instance: Instance, processes: RunProcesses, spares: Spares, ready: Any, submit: Any, until: Any
) -> None:
    pid, run = ready(), submit("orders or customers")
    queue = RunQueue(instance, processes)

    queue.round(time.time())
    used = processes._processes[run.run_id].pid
    until(lambda: instance.get_run_record(run.run_id).ended)
    printed = [(one.step_key, one.text) for one in Runs(instance).printed(run)]
    another = ready()

    assert (used, instance.get_run_record(run.run_id).status) == (pid, "SUCCESS")
    assert printed == [
        (None, "from a child\n"),
        ("customers", "counted 1\n"),
        ("customers", "a warning\n"),
    ]
    assert another != pid


def test_where_none_is_ready_a_process_is_started(instance: Instance, processes: RunProcesses, submit: Any, until: Any) -> None:
    run = submit("orders")

    RunQueue(instance, processes).round(time.time())
    until(lambda: instance.get_run_record(run.run_id).ended)

    assert instance.get_run_record(run.run_id).status == "SUCCESS"


def test_one_that_was_killed_before_it_had_a_run_is_replaced(
    instance: Instance, processes: RunProcesses, ready: Any, submit: Any, until: Any
) -> None:
    killed = psutil.Process(ready())
    killed.kill()
    until(lambda: killed.status() == psutil.STATUS_ZOMBIE)  # else it may be told to run, and has that run with it
    run = submit("orders")

    RunQueue(instance, processes).round(time.time())
    until(lambda: instance.get_run_record(run.run_id).ended)

    assert instance.get_run_record(run.run_id).status == "SUCCESS"
    ready()


def test_a_run_that_was_killed_in_its_spare_has_failed(
    instance: Instance, processes: RunProcesses, ready: Any, submit: Any, tmp_path: Path, until: Any
) -> None:
    (tmp_path / "hold").touch()
    pid, run = ready(), submit("slow")
    RunQueue(instance, processes).round(time.time())
    until((tmp_path / "running").exists)

    os.kill(pid, signal.SIGKILL)
    until(lambda: processes.look(time.time()) or not len(processes))

    assert instance.get_run_record(run.run_id).status == "FAILURE"
    assert Runs(instance).error(run) == "the process of the run ended by signal 9"


def test_a_run_has_the_code_as_it_is_when_it_begins(
    instance: Instance, processes: RunProcesses, location: CodeLocation, ready: Any, submit: Any, tmp_path: Path, until: Any
) -> None:
    pid, run = ready(), submit("orders")
    module = tmp_path / location.module
    module.write_text(module.read_text().replace("return [1] * config.rows", "print('new code')"))

    RunQueue(instance, processes).round(time.time())
    used = processes._processes[run.run_id].pid
    until(lambda: instance.get_run_record(run.run_id).ended)
    printed = [one.text for one in Runs(instance).printed(run)]

    assert (used, printed) == (pid, ["new code\n"])


def test_code_that_cannot_be_loaded_gives_no_spare_until_it_can(
    instance: Instance, processes: RunProcesses, location: CodeLocation, spares: Spares, submit: Any, tmp_path: Path, until: Any
) -> None:
    module, run = tmp_path / location.module, submit("orders")
    text = module.read_text()
    module.write_text("raise ValueError('half written')")
    spares.look(time.time() + 60)
    RunQueue(instance, processes).round(time.time())
    until(lambda: instance.get_run_record(run.run_id).ended)
    module.write_text(text)
    until(lambda: spares._spares[location].is_ready())

    assert Runs(instance).error(run) == "ValueError: half written"


def test_a_spare_ends_with_who_started_it(instance: Instance, location: CodeLocation, tmp_path: Path, until: Any) -> None:
    program = f"""
import sys, time
from warehouse_assets import Instance
from warehouse_assets.automation.spares import Spares
from warehouse_assets.events import CodeLocation
spares = Spares(Instance.local({str(instance.folder)!r}), [{location!r}], now=0.0)
spares.look(60.0)
(spare,) = spares._spares.values()
while not spare.is_ready():
    time.sleep(0.01)
print(spare.process.pid, flush=True)
time.sleep(60)
"""
    with subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE, text=True) as starter:
        assert starter.stdout is not None
        pid = int(starter.stdout.readline())
        starter.kill()

    until(lambda: not _lives(pid))


def test_a_location_that_takes_its_process_along_gets_no_more(instance: Instance, tmp_path: Path, until: Any) -> None:
    (tmp_path / "deadly.py").write_text("import os\nos._exit(7)")
    spares = Spares(instance, [CodeLocation("deadly", "deadly.py", str(tmp_path))], now=0.0)
    spares.look(60.0)
    (spare,) = spares._spares.values()
    spare.process.wait()
    spares.look(120.0)
    spares.look(180.0)

    assert spares._spares == {}


def test_what_is_read_is_watched(tmp_path: Path) -> None:
    (tmp_path / "models").mkdir()
    for name in ("models/a.sql", "settings.toml"):
        (tmp_path / name).write_text("text")
        os.utime(tmp_path / name, (1.0, 1.0))
    with Reading() as reading:
        for place in (tmp_path / "models").iterdir():
            place.read_text()
        (tmp_path / "settings.toml").read_text()
        (tmp_path / "result.json").write_text("{}")
    seen = [reading.is_outdated()]

    (tmp_path / "models" / "out.parquet").touch()
    seen.append(reading.is_outdated())
    (tmp_path / "models" / "b.sql").touch()
    seen.append(reading.is_outdated())
    (tmp_path / "models" / "b.sql").unlink()
    seen.append(reading.is_outdated())
    (tmp_path / "settings.toml").write_text("else")
    seen.append(reading.is_outdated())

    assert seen == [False, False, True, False, True]


def _lives(pid: int) -> bool:
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except OSError:
        return False
    return state != "Z"
