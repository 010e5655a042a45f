"""What the modules of the servers share: free ports, waiting until a server answers, and stopping it with its children."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import psutil


def free_port() -> int:
    """A port of the loopback interface that nobody listened on a moment ago."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def unprivileged(*places: Path) -> dict[str, Any]:
    """What makes Popen start a process as nobody, who gets the places, where we are root: database servers refuse to run as root."""
    if os.geteuid() != 0:
        return {}
    for place in places:
        shutil.chown(place, "nobody", "nogroup")
    return {"user": "nobody", "group": "nogroup", "extra_groups": []}


def program(name: str, package: str) -> str:
    """Where a program of the system is, that is in a package of Debian."""
    found = shutil.which(name, path=f"{os.environ.get('PATH', os.defpath)}:/usr/sbin:/usr/local/sbin")
    if found is None:
        raise FileNotFoundError(f"The tests need {name}: sudo apt-get install --no-install-recommends {package}")
    return found


def listens(server: subprocess.Popen[bytes], port: int) -> None:
    """Raises OSError as long as the server, or a child of it, does not listen on the port: a stranger who took it is not meant."""
    family = [(parent := psutil.Process(server.pid)), *parent.children(recursive=True)]
    sockets = [connection for member in family for connection in member.net_connections("tcp4")]
    if not any(found.status == psutil.CONN_LISTEN and found.laddr.port == port for found in sockets):
        raise ConnectionRefusedError(f"{server.args} does not listen on port {port}")


@contextmanager
def process(
    command: Sequence[str | Path], log: Path, stop: signal.Signals = signal.SIGTERM, **options: Any
) -> Iterator[subprocess.Popen[bytes]]:
    """A process in a group of its own, whose output goes to `log`; at the end the group gets `stop`, and SIGKILL if it stays."""
    with log.open("ab") as output:
        started = subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=output, stderr=subprocess.STDOUT, start_new_session=True, **options
        )
    try:
        yield started
    finally:
        for number in (stop, signal.SIGKILL):
            try:
                os.killpg(started.pid, number)
                started.wait(timeout=10)
            except (ProcessLookupError, subprocess.TimeoutExpired):
                continue


def wait_until(ready: Callable[[], object], process: subprocess.Popen[bytes], seconds: float = 25) -> None:
    """Returns when `ready` raises nothing; raises ChildProcessError when the process ends before, TimeoutError when it takes longer."""
    deadline = time.monotonic() + seconds
    while True:
        if process.poll() is not None:
            raise ChildProcessError(f"{process.args} ended with {process.returncode}")
        try:
            ready()
        except Exception as error:
            if time.monotonic() > deadline:
                raise TimeoutError(f"{process.args} does not answer after {seconds} s") from error
            time.sleep(0.02)
        else:
            return


@contextmanager
def on_free_port(start: Callable[[ExitStack, int], None], log: Path, attempts: int = 3) -> Iterator[int]:
    """The port on which `start(stack, port)` brought a server up; the stack holds what has to be stopped.

    Another process may take the port in between, then the server ends at once, or waits for ever: it is started again on another port.
    """
    for attempt in range(1, attempts + 1):
        port = free_port()
        with ExitStack() as stack:
            try:
                start(stack, port)
            except (ChildProcessError, TimeoutError) as error:
                if attempt < attempts:
                    continue
                error.add_note(log.read_text(errors="replace")[-4000:])
                raise
            yield port
            return
