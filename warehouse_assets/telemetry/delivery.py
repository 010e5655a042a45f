"""`Delivery`: hands things on from a thread of its own, so that whoever is told can be slow, or gone, and no run takes notice."""

from __future__ import annotations

import atexit
import queue
import threading
import time
from collections.abc import Callable, Iterable
from typing import Any

from warehouse_assets.events import error_line
from warehouse_assets.io_manager.contexts import logger

__all__ = ["Delivery"]

LIMIT = 10_000  # messages that wait
PATIENCE = 5.0  # seconds for which the end of the process waits

Messages = Callable[[], Iterable[Any]]


class Delivery:
    """Sends messages in their order, as `connect` says how, which is asked first in the thread that sends.

    What cannot be sent, or would wait behind `limit` others, is lost; the first loss is a warning in the log. As the process ends it
    waits for what is left, at most `patience` seconds.
    """

    def __init__(
        self, what: str, connect: Callable[[], Callable[[Any], None]], *, limit: int = LIMIT, patience: float = PATIENCE
    ) -> None:
        self._what = what
        self._connect = connect
        self._patience = patience
        self._waiting: queue.Queue[Messages] = queue.Queue(limit)
        self._thread: threading.Thread | None = None
        self._lock = threading.Lock()
        self._has_warned = False

    def put(self, make: Messages) -> None:
        """Send what `make` gives, which is called in the thread that sends."""
        try:
            self._waiting.put_nowait(make)
        except queue.Full:
            self.complain(TimeoutError(f"{self._waiting.maxsize} of them wait already"))
            return
        if self._thread is None or not self._thread.is_alive():
            self._begin()

    def wait(self, seconds: float) -> bool:
        """Wait until nothing is left to send; whether that is so."""
        deadline = time.monotonic() + seconds
        while self._waiting.unfinished_tasks:
            if time.monotonic() >= deadline or self._thread is None or not self._thread.is_alive():
                return False
            time.sleep(0.005)
        return True

    def complain(self, error: BaseException) -> None:
        """Say that something is lost, the first time."""
        if not self._has_warned:
            self._has_warned = True
            logger.warning("%s are lost: %s. Runs go on; this is said once.", self._what, error_line(error))

    def _begin(self) -> None:
        with self._lock:
            if self._thread is not None and self._thread.is_alive():
                return
            if self._thread is None:
                atexit.register(self._finish)
            self._thread = threading.Thread(target=self._work, name=f"delivery of {self._what}", daemon=True)
            self._thread.start()

    def _work(self) -> None:
        send: Callable[[Any], None] | None = None
        while True:
            make = self._waiting.get()
            try:
                send = send or self._connect()
                for message in make():
                    send(message)
            except Exception as error:  # noqa: BLE001 - whoever cannot be told is no reason for a run to fail
                self.complain(error)
            finally:
                self._waiting.task_done()

    def _finish(self) -> None:
        if not self.wait(self._patience):
            self.complain(TimeoutError(f"{self._waiting.unfinished_tasks} were not sent within {self._patience:g} s"))
