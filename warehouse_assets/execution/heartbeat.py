"""`Heartbeat`: keeps that a run lives, and hears whether it is to stop."""

from __future__ import annotations

import contextlib
import signal
import threading
import time
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Self

from warehouse_assets.errors import InstanceError
from warehouse_assets.execution.capture import log_file
from warehouse_assets.io_manager.contexts import logger

if TYPE_CHECKING:
    from warehouse_assets.events import RunRecord, RunStatus
    from warehouse_assets.instance import Instance

__all__ = ["HEARTBEAT_LIMIT", "HEARTBEAT_SECONDS", "Heartbeat", "have_it_look", "interrupt", "is_gone"]

HEARTBEAT_SECONDS = 5.0
HEARTBEAT_LIMIT = 120.0
_LIVING = ("QUEUED", "STARTING", "STARTED")


class Heartbeat:
    """While the block lasts, a thread keeps every few `seconds` that the run lives, and looks whether it is to stop.

    Where it is, because somebody cancels it or has it for dead, `on_stop` is called with its status, once: a KeyboardInterrupt in the main
    thread unless given. `also` is called every second, for what is to be told while steps run. Who cancels it on the same machine need not
    wait for the next look: see `have_it_look`.
    """

    def __init__(
        self,
        instance: Instance,
        run_id: str,
        *,
        seconds: float = HEARTBEAT_SECONDS,
        on_stop: Callable[[RunStatus | None], None] | None = None,
    ) -> None:
        self.also: Callable[[], None] | None = None
        self._instance = instance
        self._run_id = run_id
        self._seconds = seconds
        self._on_stop = on_stop or (lambda _: interrupt())
        self._over = threading.Event()
        self._deaf = False
        self._lock = threading.Lock()
        self._thread = threading.Thread(target=self._work, name="heartbeat", daemon=True)

    def __enter__(self) -> Self:
        self._instance.event_log.heartbeat([self._run_id], time.time())
        self._thread.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._over.set()
        self._thread.join()

    def deafen(self) -> None:
        """Go on, and call `on_stop` no more: the run comes to its end."""
        with self._lock:
            self._deaf = True

    def _work(self) -> None:
        next_beat = time.monotonic() + self._seconds
        asked = _asked(self._instance, self._run_id)
        while not self._over.wait(min(1.0, self._seconds)):
            try:
                if self.also is not None:
                    self.also()
                if time.monotonic() < next_beat and not asked.exists():
                    continue
                with contextlib.suppress(OSError):
                    asked.unlink()  # before it looks, so that who asks meanwhile is heard later
                next_beat = time.monotonic() + self._seconds
                self._instance.event_log.heartbeat([self._run_id], time.time())
                run = self._instance.get_run_by_id(self._run_id)
            except InstanceError as error:
                logger.warning("run %s cannot tell that it lives: %s", self._run_id, error)
                continue
            status = run.status if run is not None else None
            if status not in _LIVING:
                self._stop(status)

    def _stop(self, status: RunStatus | None) -> None:
        with self._lock:
            if not self._deaf:
                self._deaf = True
                self._on_stop(status)


def have_it_look(instance: Instance, run_id: str) -> None:
    """Have the process of a run look within a second whether it is to stop, if it is on this machine: it sees a file."""
    asked = _asked(instance, run_id)
    with contextlib.suppress(OSError):  # it hears of it a little later
        asked.parent.mkdir(parents=True, exist_ok=True)
        asked.touch()


def _asked(instance: Instance, run_id: str) -> Path:
    return log_file(instance.folder, run_id, None, "out").with_name(".look")


def is_gone(run: RunRecord, now: float, limit: float = HEARTBEAT_LIMIT) -> bool:
    """Whether a run is over, or its process has not told that it lives for `limit` seconds.

    >>> from warehouse_assets.events import RunRecord
    >>> is_gone(RunRecord("r1", "STARTED", created=0.0, heartbeat=100.0), now=150.0)
    False
    """
    if run.status not in (*_LIVING, "CANCELING"):
        return True
    return max(run.heartbeat or 0.0, run.started or 0.0, run.created) < now - limit


def interrupt() -> None:
    """Raise a KeyboardInterrupt in the main thread, also where it waits."""
    main = threading.main_thread().ident
    if main is not None:
        signal.pthread_kill(main, signal.SIGINT)
