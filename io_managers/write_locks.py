"""One writer at a time, of those who look at the rows that a file has before they replace it."""

from __future__ import annotations

import logging
import os
import threading
from collections import defaultdict
from collections.abc import Callable, Collection, Generator
from contextlib import contextmanager
from typing import TypeAlias

from io_managers.files import Files
from io_managers.leases import knows_leases, lease
from warehouse_assets.errors import TableError
from warehouse_assets.io_manager.contexts import logger

__all__ = ["Confirm", "among_merges", "one_at_a_time", "unless_replaced"]

Confirm: TypeAlias = Callable[[], None]
"""To be called right before what was written is published; raises TableError where another writer has come first."""

_locks: defaultdict[str, threading.Lock] = defaultdict(threading.Lock)


@contextmanager
def one_at_a_time(files: Files, path: str, log: logging.Logger = logger, *, wait: bool = True) -> Generator[Confirm | None]:
    """Let no one else merge rows into the table at `path`: no thread, and no other process.

    A local table has a hidden file beside it, which is locked for that and stays; one in an object store a folder with objects that
    say whose turn it is. Of other file systems only the threads of this process wait for each other. Where it would have to
    `wait` and is not to, it gives None.
    """
    lock = _locks[files.uri(path)]
    if not lock.acquire(blocking=wait):
        yield None
        return
    try:
        if files.is_local:
            with _locked(path, log, wait) as is_mine:
                yield _nothing if is_mine else None
        elif knows_leases(files):
            with lease(files, path, log, wait=wait) as taken:
                yield taken
        else:
            yield _nothing
    finally:
        lock.release()


@contextmanager
def among_merges(files: Files, path: str, log: logging.Logger = logger) -> Generator[None]:
    """Let nobody be in the middle of merging rows into a local table at `path`, where somebody ever did."""
    folder, _, name = path.rpartition("/")
    if files.is_local and os.path.exists(f"{folder}/.{name}.lock"):
        with _locked(path, log, True):
            yield
    else:
        yield


def unless_replaced(files: Files, paths: Collection[str], confirm: Confirm) -> Confirm:
    """Also raise TableError where one of these files elsewhere has become another: who replaces whole files there takes no turns."""
    if files.is_local:
        return confirm
    before = {path: files.stamp(path) for path in paths}

    def check() -> None:
        confirm()
        for path, stamp in before.items():
            if files.stamp(path) != stamp:
                raise TableError(
                    f"{files.uri(path)} was replaced while rows were put into it; nothing was written", hint="Run it again."
                )

    return check


def _nothing() -> None:
    """Nobody else comes between."""


@contextmanager
def _locked(path: str, log: logging.Logger, wait: bool) -> Generator[bool]:
    folder, _, name = path.rpartition("/")
    os.makedirs(folder, exist_ok=True)
    with open(f"{folder}/.{name}.lock", "ab") as file:
        try:
            import fcntl
        except ImportError:  # Windows
            yield True
            return
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if not wait:
                yield False
                return
            log.info("%s is being written by another process; waiting for it", path)
            fcntl.flock(file, fcntl.LOCK_EX)
        yield True
