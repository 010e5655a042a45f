"""A process that waits for a run: `python -m warehouse_assets.automation.spare_worker MODULE`, with a socket as its standard input.

It loads the code, says that it is ready, and runs the run whose id it is told. Where the code has changed meanwhile, or what it loaded is old, it
becomes a new process in its place, so that a run never sees another state of the code than if its process had been started for it.
"""

from __future__ import annotations

import os
import select
import signal
import socket
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

from warehouse_assets.automation.reading import Reading
from warehouse_assets.automation.spares import READY, UNREADY

if TYPE_CHECKING:
    from warehouse_assets.code_location.definitions import Definitions
    from warehouse_assets.execution.capture import Stream
    from warehouse_assets.instance import Instance

__all__ = ["main"]

LOOK_SECONDS = 0.5
RESTLESS_SECONDS = 30.0  # what changes as it is loaded is not loaded again and again
OLD_SECONDS = 600.0  # what a module asks the clock or the environment for as it is imported, is not older
_WORKER = "warehouse_assets.automation.worker"


def main(arguments: Sequence[str] | None = None) -> int:
    """Wait for a run of the module that the only argument names, and run it."""
    (module,) = sys.argv[1:] if arguments is None else arguments
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    signal.signal(signal.SIGINT, signal.default_int_handler)
    channel = socket.socket(fileno=os.dup(0))
    nothing = os.open(os.devnull, os.O_RDONLY)
    os.dup2(nothing, 0)  # user code reads nothing here
    os.close(nothing)
    try:
        return _wait(channel, module)
    except (KeyboardInterrupt, OSError):  # ended, or nobody is there any more
        return 0


def _wait(channel: socket.socket, module: str) -> int:
    from warehouse_assets.instance import Instance

    channel.sendall(UNREADY)
    begun = time.monotonic()
    with Reading() as reading, Instance.get() as instance:
        definitions = _loaded(instance, module)
        reading.end()
        settled = not reading.is_outdated()
        if settled and definitions is not None:
            channel.sendall(READY)
        while not select.select([channel], [], [], LOOK_SECONDS)[0]:
            age = time.monotonic() - begun
            if age > OLD_SECONDS or (reading.is_outdated() and (settled or age > RESTLESS_SECONDS)):
                channel.sendall(UNREADY)
                os.dup2(channel.fileno(), 0)
                _become(sys.orig_argv)
        if not (run_id := channel.recv(1024).decode()):
            return 0
        channel.close()
        _print_to_files_of(instance, run_id)
        if definitions is None or reading.is_outdated():
            _become([*sys.orig_argv[:-2], _WORKER, run_id])
        from warehouse_assets.automation.worker import run_recorded

        return run_recorded(instance, run_id, definitions=definitions)


def _loaded(instance: Instance, module: str) -> Definitions | None:
    """What the module declares, and all that a run needs loaded; None where it cannot be loaded, which its runs will tell."""
    from warehouse_assets.automation import reruns, submission, worker  # noqa: F401 - loaded for the run to come
    from warehouse_assets.code_location.loading import load_definitions

    instance.get_runs(limit=1)
    try:
        return load_definitions(module, Path.cwd())
    except (Exception, SystemExit):  # noqa: BLE001 - whatever the module raises
        return None


def _become(command: Sequence[str]) -> NoReturn:
    """Go on as a new process under the same id."""
    sys.stdout.flush()
    sys.stderr.flush()
    if command is sys.orig_argv:
        for number in (1, 2):  # what was printed as the old code was loaded
            os.ftruncate(number, 0)
            os.lseek(number, 0, os.SEEK_SET)
    os.execv(sys.executable, [sys.executable, *command[1:]])


def _print_to_files_of(instance: Instance, run_id: str) -> None:
    """Have what this process printed, and prints from now on, in the files of the run."""
    from warehouse_assets.execution.capture import log_file

    streams: tuple[tuple[int, Stream], ...] = ((1, "out"), (2, "err"))
    sys.stdout.flush()
    sys.stderr.flush()
    for number, stream in streams:
        file = log_file(instance.folder, run_id, None, stream)
        file.parent.mkdir(parents=True, exist_ok=True)
        printed = os.pread(number, os.fstat(number).st_size, 0)
        with file.open("ab") as opened:
            opened.write(printed)
            opened.flush()
            os.dup2(opened.fileno(), number)


if __name__ == "__main__":
    sys.exit(main())
