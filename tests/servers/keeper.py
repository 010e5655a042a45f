"""Keeps a server for the test processes that use it: started by the first that asks, stopped when none of them lives any more.

Every user holds a shared lock on a file, which the kernel drops when its process ends in whatever way. The keeper is a process of its own
that waits for the exclusive one: when it gets it, nobody is left, and it stops the server and removes its folder.

    python -m tests.servers.keeper postgres FOLDER
"""

from __future__ import annotations

import importlib
import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from fcntl import LOCK_EX, LOCK_SH, flock
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]


@contextmanager
def use(name: str, meeting_place: Path, seconds: float = 90) -> Iterator[dict[str, Any]]:
    """What `running` of the module `name` tells of its server, which runs at least until the block is left.

    Processes that name the same folder share the server. The one that started it waits until it is stopped.
    """
    address = meeting_place / f"{name}.json"
    keeper = None
    with (meeting_place / f"{name}.users").open("w") as users:
        with (meeting_place / f"{name}.start").open("w") as start:
            flock(start, LOCK_EX)
            flock(users, LOCK_SH)
            if not address.exists():
                keeper = _start(name, meeting_place, seconds)
        try:
            yield json.loads(address.read_text())
        finally:
            users.close()
            if keeper is not None:
                keeper.wait()


def _start(name: str, meeting_place: Path, seconds: float) -> subprocess.Popen[bytes]:
    """The process that keeps the server, once the server answers."""
    log = meeting_place / f"{name}.log"
    with log.open("wb") as output:
        keeper = subprocess.Popen(
            [sys.executable, "-m", "tests.servers.keeper", name, str(meeting_place)],
            cwd=ROOT,
            env={variable: value for variable, value in os.environ.items() if not variable.startswith("COV")},
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            start_new_session=True,  # Ctrl-C is for the tests, which still use the server while they clean up
        )
    deadline = time.monotonic() + seconds
    while not (meeting_place / f"{name}.json").exists():
        if keeper.poll() is not None or time.monotonic() > deadline:
            keeper.terminate()
            keeper.wait()
            raise RuntimeError(f"{name} did not start:\n{log.read_text(errors='replace')[-4000:]}")
        time.sleep(0.02)
    return keeper


def main(name: str, meeting_place: Path) -> None:
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    running = importlib.import_module(f"tests.servers.{name}").running
    address = meeting_place / f"{name}.json"
    with tempfile.TemporaryDirectory(prefix=f"wa-{name}-", ignore_cleanup_errors=True) as folder, running(Path(folder)) as told:
        complete = Path(folder) / "address.json"
        complete.write_text(json.dumps(told))
        complete.rename(address)
        with (meeting_place / f"{name}.users").open() as users:
            flock(users, LOCK_EX)
            address.unlink(missing_ok=True)  # before the lock is free again: who comes now starts another


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]))
