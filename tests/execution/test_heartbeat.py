from __future__ import annotations

import threading
from pathlib import Path

from warehouse_assets import Instance, Runs
from warehouse_assets.events import RunRecord
from warehouse_assets.execution.heartbeat import Heartbeat
from warehouse_assets.instance.memory import MemoryEventLog


def test_a_run_that_is_canceled_on_its_machine_hears_of_it_before_its_next_look(tmp_path: Path) -> None:
    instance = Instance(MemoryEventLog(), tmp_path)
    run = RunRecord("r1", "STARTED", created=0.0)
    instance.create_run(run)
    told: list[str | None] = []
    heard = threading.Event()

    def stop(status: str | None) -> None:
        told.append(status)
        heard.set()

    with Heartbeat(instance, "r1", seconds=3600, on_stop=stop):
        Runs(instance).cancel(run)
        heard.wait(60)

    assert told == ["CANCELING"]
