"""The processes of runs, as the daemon that started them sees them."""

from __future__ import annotations

import logging
import os
import subprocess
import sys
import threading
from pathlib import Path
from typing import TYPE_CHECKING

from warehouse_assets.errors import InstanceError
from warehouse_assets.events import Event, EventType, RunRecord, RunStatus, error_line
from warehouse_assets.execution.capture import log_file
from warehouse_assets.telemetry.lost_runs import tell_of_lost_run

if TYPE_CHECKING:
    from warehouse_assets.automation.spares import Spares
    from warehouse_assets.instance import Instance

__all__ = ["RunProcesses", "end_run", "start_process"]

logger = logging.getLogger(__name__)

_LIVING: tuple[RunStatus, ...] = ("STARTING", "STARTED")
_WORKER = "warehouse_assets.automation.worker"
_TAIL_BYTES = 2_000
_TAIL_LINES = 3


class RunProcesses:
    """Starts the processes of runs, and hears of those that end without having recorded it.

    They outlive the daemon: each is a session of its own. Where there are `spares`, runs begin in those that are ready.
    """

    def __init__(self, instance: Instance, spares: Spares | None = None) -> None:
        self._instance = instance
        self._spares = spares
        self._processes: dict[str, subprocess.Popen[bytes]] = {}

    def start(self, run: RunRecord, now: float) -> None:
        """Start the process of a run; where that is not possible, the run has failed."""
        try:
            spare = self._spares.take(run, now) if self._spares is not None else None
            self._processes[run.run_id] = spare or start_process(self._instance, run)
        except (OSError, ValueError, InstanceError) as error:
            end_run(self._instance, run.run_id, f"the process of the run could not be started: {error_line(error)}", now)

    def look(self, now: float) -> None:
        """End the runs whose processes ended and did not say so, and have spares ready."""
        for run_id, process in list(self._processes.items()):
            if (code := process.poll()) is not None:
                how = f"by signal {-code}" if code < 0 else f"with exit code {code}"
                tail = last_lines(log_file(self._instance.folder, run_id, None, "err"))
                end_run(self._instance, run_id, f"the process of the run ended {how}{tail}", now)
                del self._processes[run_id]  # not before that is recorded
        if self._spares is not None:
            self._spares.look(now)

    def close(self) -> None:
        """Let the processes that go on be, which record themselves how they end; spares end."""
        if self._spares is not None:
            self._spares.close()
        for process in self._processes.values():
            threading.Thread(target=process.wait, daemon=True).start()  # or it is a zombie for as long as this process lives
        self._processes.clear()

    def __len__(self) -> int:
        return len(self._processes)


def start_process(instance: Instance, run: RunRecord) -> subprocess.Popen[bytes]:
    """Start the process of a run that waits: in the folder of its code location, with its output in files of the instance."""
    location = run.location
    if location is None:
        raise ValueError(f"run {run.run_id!r} names no code location")
    files = [log_file(instance.folder, run.run_id, None, stream) for stream in ("out", "err")]
    files[0].parent.mkdir(parents=True, exist_ok=True)
    # -P: what the person's folder has must not stand in for modules of Python before their code is loaded
    command = [location.python or sys.executable, "-P", "-m", _WORKER, run.run_id]
    with files[0].open("ab") as out, files[1].open("ab") as err:
        return subprocess.Popen(
            command,
            cwd=location.working_directory,
            env={**os.environ, **instance.environment},
            stdin=subprocess.DEVNULL,
            stdout=out,
            stderr=err,
            start_new_session=True,
        )


def end_run(instance: Instance, run_id: str, message: str, now: float, *, statuses: tuple[RunStatus, ...] = _LIVING) -> bool:
    """Record that a run is over which could not say so itself: failed, or canceled where it was asked to stop.

    Its places in pools are free. False where it has said how it ended.
    """
    endings: tuple[tuple[tuple[RunStatus, ...], EventType], ...] = (
        (statuses, "RUN_FAILURE"),
        (("CANCELING",), "RUN_CANCELED"),
    )
    log = instance.event_log
    for of, event_type in endings:
        event = Event(event_type, run_id, now, message=message)
        if log.store_events_if(run_id, of, [event]):
            log.free_slots(run_id)
            _tell(instance, event)
            return True
    return False


def _tell(instance: Instance, event: Event) -> None:
    """Tell others, too, for whom the run would go on for ever."""
    try:
        if (run := instance.get_run_by_id(event.run_id)) is not None:
            tell_of_lost_run(run, event)
    except Exception as error:  # noqa: BLE001 - the record has it
        logger.warning("the end of the run %s could not be told: %s", event.run_id, error_line(error))


def last_lines(file: Path) -> str:
    """What a process said last, to be put behind a message."""
    try:
        with file.open("rb") as opened:
            opened.seek(max(0, file.stat().st_size - _TAIL_BYTES))
            lines = opened.read().decode(errors="replace").strip().splitlines()
    except OSError:
        return ""
    return ": " + " / ".join(line.strip() for line in lines[-_TAIL_LINES:]) if lines else ""
