"""The command line, `warehouse-assets` or `wa` for short. Each command is loaded when it is called."""

from __future__ import annotations

from typing import NoReturn

__all__ = ["main", "script"]


def main(args: list[str] | None = None) -> NoReturn:
    """Run the command line, and end with SystemExit."""
    from warehouse_assets.cli.app import app

    app.run(args)


def script() -> NoReturn:
    """Run the command line as a process of its own: the console scripts call this.

    It waits for threads, calls what was registered for the end and writes what is buffered, and then leaves without taking the interpreter to
    pieces, which takes a tenth of a second once an engine is loaded, and frees what the system frees at once.
    """
    try:
        main()
    except SystemExit as end:
        import atexit
        import os
        import sys
        import threading

        if end.code is not None and not isinstance(end.code, int):
            raise
        threading._shutdown()  # type: ignore[attr-defined]  # as Python does before anything else
        atexit._run_exitfuncs()
        try:
            sys.stdout.flush()
            sys.stderr.flush()
        except (OSError, ValueError):  # a full disk, say, of which Python tells itself
            raise end from None
        os._exit(end.code or 0)
