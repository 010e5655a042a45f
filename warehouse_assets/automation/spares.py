"""`Spares`: processes that have loaded the code of a location and wait for a run, so that it begins at once."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from warehouse_assets.events import CodeLocation, RunRecord
    from warehouse_assets.instance import Instance

__all__ = ["READY", "UNREADY", "Spares"]

READY, UNREADY = b"+", b"-"  # what a spare says of itself
_WORKER = "warehouse_assets.automation.spare_worker"
_KEPT = 4
_SETTLED_SECONDS = 0.5


class Spares:
    """One spare process for each of the few locations that were used last; each runs one run, and another comes after it.

    They are a convenience: where none is ready, `take` gives none. What they cost is memory. They look themselves whether the code has changed,
    and load it anew then, and end when this process does.
    """

    def __init__(self, instance: Instance, locations: Iterable[CodeLocation], *, now: float) -> None:
        self._instance = instance
        self._wanted = [location for location in locations if location.python is None or os.path.exists(location.python)]
        self._spares: dict[CodeLocation, _Spare] = {}
        self._told: list[_Spare] = []  # whose channels stay open: one that is closed with a word unread loses what was sent
        self._broken: set[CodeLocation] = set()
        self._used = now
        self._lock = threading.RLock()  # a signal may ask to forget at any time

    def take(self, run: RunRecord, now: float) -> subprocess.Popen[bytes] | None:
        """The process that was told to run a run; none where none was ready."""
        with self._lock:
            self._used, location = now, run.location
            if location is None or location not in self._wanted:
                return None
            self._wanted.remove(location)
            self._wanted.insert(0, location)
            spare = self._spares.get(location)
            if spare is None or not spare.is_ready():
                return None
            del self._spares[location]
            self._told.append(spare)
        return spare.process if spare.run(run.run_id) else None

    def look(self, now: float) -> None:
        """Start those that are missing, once the runs that were started before are under way; end those of other locations."""
        with self._lock:
            for spare in [spare for spare in self._told if spare.process.poll() is not None]:
                spare.channel.close()
                self._told.remove(spare)
            kept = self._wanted[:_KEPT]
            for location, spare in list(self._spares.items()):
                if (code := spare.process.poll()) is not None or location not in kept:
                    spare.end()
                    del self._spares[location]
                    if code is not None and not spare.is_ready():
                        self._broken.add(location)  # it would end each time: its runs will say why
            if now - self._used < _SETTLED_SECONDS:
                return
            for location in kept:
                if location not in self._spares and location not in self._broken:
                    try:
                        self._spares[location] = _Spare.started(self._instance, location)
                    except OSError:
                        self._broken.add(location)

    def forget(self) -> None:
        """End all; others come, also where they could not before."""
        with self._lock:
            for spare in self._spares.values():
                spare.end()
            self._spares.clear()
            self._broken.clear()

    def close(self) -> None:
        """End all, for good."""
        self._wanted.clear()
        self.forget()
        for spare in self._told:
            spare.channel.close()
        self._told.clear()


@dataclass(slots=True)
class _Spare:
    process: subprocess.Popen[bytes]
    channel: socket.socket
    said: bytes = UNREADY

    @classmethod
    def started(cls, instance: Instance, location: CodeLocation) -> _Spare:
        """A new process; what it prints before it has a run waits in files without a name."""
        ours, theirs = socket.socketpair()
        with theirs, tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as err:
            try:
                process = subprocess.Popen(
                    [location.python or sys.executable, "-P", "-m", _WORKER, location.module],
                    cwd=location.working_directory,
                    env={**os.environ, **instance.environment},
                    stdin=theirs.fileno(),
                    stdout=out,
                    stderr=err,
                    start_new_session=True,
                )
            except OSError:
                ours.close()
                raise
        ours.setblocking(False)
        return cls(process, ours)

    def is_ready(self) -> bool:
        """Whether it last said so."""
        with suppress(OSError):
            self.said = self.channel.recv(4096)[-1:] or self.said
        return self.said == READY

    def run(self, run_id: str) -> bool:
        """Tell it what to run; false where it has ended."""
        try:
            self.channel.sendall(run_id.encode())
        except OSError:
            self.end()
            return False
        return True

    def end(self) -> None:
        """End it."""
        self.channel.close()
        self.process.kill()
        self.process.wait()
