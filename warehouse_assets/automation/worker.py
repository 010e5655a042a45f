"""The process of one run: `python -m warehouse_assets.automation.worker RUN_ID`, in the environment that names the record.

It takes a run that waits, loads the code that the record names, and runs it. Exit codes: 0 it succeeded, 1 it failed, 3 another process has
it, 130 it was canceled.
"""

from __future__ import annotations

import os
import signal
import sys
import threading
import time
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from warehouse_assets.errors import RunTakenError
from warehouse_assets.events import ErrorInfo, Event, EventType, RunRecord, RunStatus, error_line
from warehouse_assets.execution.capture import captured_output
from warehouse_assets.execution.heartbeat import HEARTBEAT_SECONDS, Heartbeat, interrupt
from warehouse_assets.instance import Instance

if TYPE_CHECKING:
    from warehouse_assets.code_location.definitions import Definitions

__all__ = ["main", "run_recorded"]

TAKEN, CANCELED = 3, 130
GRACE_SECONDS = 10.0
_WAITS: tuple[RunStatus, ...] = ("QUEUED", "STARTING")


def main(arguments: Sequence[str] | None = None) -> int:
    """Run what the only argument names."""
    (run_id,) = sys.argv[1:] if arguments is None else arguments
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    signal.signal(signal.SIGINT, signal.default_int_handler)
    with Instance.get() as instance:
        return run_recorded(instance, run_id)


def run_recorded(
    instance: Instance,
    run_id: str,
    *,
    definitions: Definitions | None = None,
    heartbeat_seconds: float = HEARTBEAT_SECONDS,
    grace_seconds: float = GRACE_SECONDS,
) -> int:
    """Run a run that waits, in this process, and give its exit code. The code is loaded, unless its `definitions` are given.

    While it runs, its record is told every `heartbeat_seconds` that it lives. Asked to stop, it starts nothing more and waits
    `grace_seconds` for the steps that run; those that go on then are left where they are.
    """
    run = instance.get_run_record(run_id)
    if run.status not in _WAITS:
        return TAKEN
    stopping = _Stopping(instance, run_id, grace_seconds)
    try:
        with Heartbeat(instance, run_id, seconds=heartbeat_seconds, on_stop=stopping) as heartbeat:
            return 0 if _execute(instance, run, heartbeat, definitions) else 1
    except RunTakenError:
        return TAKEN if not _end(instance, run_id, "RUN_CANCELED", ("CANCELING",), "canceled before it began") else CANCELED
    except KeyboardInterrupt:
        _end(instance, run_id, "RUN_CANCELED", (*_WAITS, "CANCELING"), "canceled before it began")
        return CANCELED
    except BaseException as error:  # noqa: BLE001 - what a module raises, SystemExit too, is how the run failed
        _end(instance, run_id, "RUN_FAILURE", (*_WAITS, "CANCELING"), error_line(error), ErrorInfo.of(error))
        return 1
    finally:
        stopping.over.set()


def _execute(instance: Instance, run: RunRecord, heartbeat: Heartbeat, definitions: Definitions | None) -> bool:
    from warehouse_assets.automation.reruns import done_steps
    from warehouse_assets.automation.submission import execute_recorded
    from warehouse_assets.code_location.loading import load_definitions

    if run.location is None:
        raise RunTakenError(f"run {run.run_id!r} names no code, so it runs where it was begun")
    with captured_output(instance.folder, run.run_id):
        if definitions is None:
            definitions = load_definitions(run.location.module, Path(run.location.working_directory))
        done = done_steps(instance, run)
        result = execute_recorded(definitions, run, done=done, instance=instance, heartbeat=heartbeat, raise_on_error=False)
    return result.success


def _end(
    instance: Instance,
    run_id: str,
    event_type: EventType,
    statuses: Sequence[RunStatus],
    message: str,
    error: ErrorInfo | None = None,
) -> bool:
    """Record how a run ended that could not record it itself; false where it has another status."""
    event = Event(event_type, run_id, time.time(), message=message, data=error)
    return instance.event_log.store_events_if(run_id, statuses, [event])


class _Stopping:
    """Stops a run, more firmly each time it does not: twice by an interrupt, then by leaving the process."""

    def __init__(self, instance: Instance, run_id: str, grace_seconds: float) -> None:
        self.over = threading.Event()
        self._instance = instance
        self._run_id = run_id
        self._grace = grace_seconds

    def __call__(self, status: RunStatus | None) -> None:
        interrupt()
        threading.Thread(target=self._insist, name="stopping", daemon=True).start()

    def _insist(self) -> None:
        if self.over.wait(self._grace):
            return
        interrupt()
        if self.over.wait(self._grace):
            return
        _end(self._instance, self._run_id, "RUN_CANCELED", ("CANCELING",), "canceled; what ran did not stop, and was left")
        os._exit(CANCELED)


if __name__ == "__main__":
    sys.exit(main())
