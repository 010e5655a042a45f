"""`Daemon`: what evaluates schedules, sensors and conditions, and starts and looks after runs, round after round."""

from __future__ import annotations

import logging
import os
import socket
import threading
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import ExitStack, suppress
from typing import TYPE_CHECKING, Any, Protocol, Self

from warehouse_assets.events import error_line

if TYPE_CHECKING:
    from warehouse_assets.events import CodeLocation
    from warehouse_assets.instance import Instance

__all__ = ["Daemon", "Duty", "duties_of"]

logger = logging.getLogger(__name__)

LEASE = "daemon"
LEASE_SECONDS = 30.0


class Duty(Protocol):
    """One thing that a daemon does in each round."""

    def round(self, now: float) -> None:
        """Do what is due at `now`, in seconds since the epoch."""


class Daemon:
    """Has each duty do its round, `interval` seconds apart; a duty that fails is told, and keeps none of the others from theirs.

    Of several daemons of one instance, one works, and the others stand by until it has not been heard of for `lease_seconds`. This saves work; that
    nothing happens twice does not rest on it. `quick` is done as well at once when `wake` is called, also while a round goes on.
    """

    def __init__(
        self,
        instance: Instance,
        duties: Mapping[str, Duty],
        *,
        quick: Duty | None = None,
        interval: float = 1.0,
        lease_seconds: float = LEASE_SECONDS,
        clock: Callable[[], float] = time.time,
        say: Callable[[str], None] = logger.info,
    ) -> None:
        self._instance = instance
        self._duties = dict(duties)
        self._quick = quick
        self._interval = interval
        self._lease_seconds = lease_seconds
        self._clock = clock
        self._say = say
        self._owner = f"{socket.gethostname()}:{os.getpid()}:{id(self)}"
        self._ended = threading.Event()
        self._woken = threading.Event()
        self._works: bool | None = None
        self._faults: dict[str, str] = {}
        self._resources = ExitStack()

    def round(self) -> bool:
        """One round of all duties; false where another daemon works."""
        now = self._clock()
        try:
            works = self._instance.event_log.take_lease(LEASE, self._owner, now, self._lease_seconds)
        except Exception as error:  # noqa: BLE001 - the record may be out of reach for a while
            self._tell("the record", error)
            return False
        self._faults.pop("the record", None)
        if works != self._works:
            self._say("at work" if works else "another daemon works; this one stands by")
        self._works = works
        for name, duty in self._duties.items() if works else ():
            try:
                duty.round(now)
            except Exception as error:  # noqa: BLE001
                self._tell(name, error)
            else:
                self._faults.pop(name, None)
        return works

    def run(self) -> None:
        """Work until `end` is called, from a signal or another thread."""
        if self._quick is not None:
            threading.Thread(target=self._be_quick, args=[self._quick], name="quick duty", daemon=True).start()
        while not self._ended.is_set():
            begun = time.monotonic()
            self.round()
            self._ended.wait(max(0.0, self._interval - (time.monotonic() - begun)))

    def wake(self) -> None:
        """There is something for the quick duty; from any thread."""
        self._woken.set()

    def end(self) -> None:
        """Have `run` return after the round that goes on."""
        self._ended.set()
        self._woken.set()

    def _be_quick(self, duty: Duty) -> None:
        while self._woken.wait() and not self._ended.is_set():
            self._woken.clear()
            if self._works:
                with suppress(Exception):  # the next round tells of it
                    duty.round(self._clock())

    def on_close(self, *calls: Callable[[], Any]) -> Self:
        """What to call when it is closed."""
        for call in calls:
            self._resources.callback(call)
        return self

    def close(self) -> None:
        """Leave the work to another daemon; runs that go on are left to themselves."""
        self._resources.close()
        if self._works:
            try:
                self._instance.event_log.release_lease(LEASE, self._owner)
            except Exception as error:  # noqa: BLE001 - it runs out by itself
                self._tell("the record", error)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _tell(self, name: str, error: Exception) -> None:
        """Say what goes wrong when it begins to, and not in every round."""
        text = error_line(error)
        if self._faults.get(name) != text:
            self._say(f"{name}: {text}")
            logger.debug("%s", name, exc_info=error)
        self._faults[name] = text


def duties_of(
    instance: Instance,
    locations: Iterable[CodeLocation],
    settings: Mapping[str, Any] | None = None,
    *,
    spares: bool = False,
    say: Callable[[str], None] = logger.info,
) -> tuple[dict[str, Duty], Sequence[Callable[[], Any]]]:
    """All duties of a daemon by name, and what to call when it ends; `settings` are those of `[tool.warehouse_assets]`.

    With `spares`, a process of each code location waits with its code loaded, so that runs begin at once.
    """
    from warehouse_assets.automation.locations import Locations
    from warehouse_assets.automation.monitoring import MonitoringSettings, RunMonitoring
    from warehouse_assets.automation.processes import RunProcesses
    from warehouse_assets.automation.queue import QueueSettings, RunQueue
    from warehouse_assets.automation.spares import Spares

    here = tuple(locations)
    waiting = Spares(instance, here, now=time.time()) if spares else None
    processes = RunProcesses(instance, waiting)
    rounds = Locations(instance, here, say=say)
    if waiting is not None:
        rounds.on_reload(waiting.forget)
    duties: dict[str, Duty] = {
        "code locations": rounds,
        "the queue": RunQueue(instance, processes, QueueSettings.of((settings or {}).get("queue", {}))),
        "monitoring": RunMonitoring(instance, processes, MonitoringSettings.of((settings or {}).get("daemon", {}))),
    }
    return duties, (rounds.close, processes.close)
