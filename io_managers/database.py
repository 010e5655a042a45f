"""A DuckDB database as one process holds it: shared by its threads, let go when none uses it, waited for when others hold it."""

from __future__ import annotations

import contextlib
import os
import re
import threading
import time
from collections.abc import Generator, Iterator
from typing import TYPE_CHECKING

import duckdb

from warehouse_assets.errors import StoreLockedError

if TYPE_CHECKING:
    import logging

__all__ = ["Database", "Lease", "in_memory"]

FIRST_RETRY, LONGEST_RETRY = 0.02, 0.5  # seconds

_HOLDER = re.compile(r"held in (?P<program>.+?) \(PID (?P<pid>\d+)\)")

_files: dict[str, Database] = {}


def in_memory() -> duckdb.DuckDBPyConnection:
    """A connection to a database of its own, without a file."""
    return _prepared(duckdb.connect(":memory:"))


def _prepared(connection: duckdb.DuckDBPyConnection) -> duckdb.DuckDBPyConnection:
    connection.execute("set TimeZone = 'UTC'")  # else the same table would have another type on another machine
    return connection


class Lease:
    """The use of a database by one thread, on a connection of its own, until `close`."""

    def __init__(self, database: Database, connection: duckdb.DuckDBPyConnection) -> None:
        self.connection = connection
        self._database: Database | None = database

    def close(self) -> None:
        """End the use; the last one to do so lets the file go."""
        database, self._database = self._database, None
        if database is not None:
            self.connection.close()
            database.release()


class Database:
    """A database that threads share. One object serves a process for each file; `path` None is a database in memory.

    `writers` counts the transactions that write now.
    """

    def __init__(self, path: str | None = None) -> None:
        self.path = path
        self.writers = 0
        self.lock = threading.RLock()
        self.commit_lock = threading.Lock()
        self._tables: dict[str, threading.RLock] = {}
        self._root: duckdb.DuckDBPyConnection | None = None
        self._read_only = False
        self._users = 0
        self._waiting = 0

    @classmethod
    def of(cls, path: str) -> Database:
        """The one object for a file, whichever way the path is written."""
        real = os.path.realpath(path)
        return _files.get(real) or _files.setdefault(real, cls(real))

    @contextlib.contextmanager
    def writing(self) -> Generator[None]:
        """Count a transaction that writes."""
        with self.lock:
            self.writers += 1
        try:
            yield
        finally:
            with self.lock:
                self.writers -= 1

    def table_lock(self, name: str) -> threading.RLock:
        """What a writer of a table holds, so that no two replace it at once; DuckDB takes no notice of case."""
        return self._tables.setdefault(name.casefold(), threading.RLock())

    def lease(self, *, lock_timeout: float, log: logging.Logger, reads_only: bool = False) -> Lease:
        """The use of the database, its file opened if need be.

        While another program holds the file it waits, up to `lock_timeout` seconds, and says so once; then StoreLockedError.
        `reads_only` can use a file that may not be written, or that others only read.
        """
        deadline = time.monotonic() + lock_timeout
        with contextlib.ExitStack() as waiting:
            said = False
            for delay in _delays():
                try:
                    return self._try_lease(reads_only)
                except (duckdb.IOException, duckdb.ConnectionException) as error:
                    who, pid = _holder(error)
                if time.monotonic() + delay >= deadline:
                    raise StoreLockedError(
                        f"{self.path} is held by {who}; waited {lock_timeout:g} s",
                        hint="Close it there, or give the I/O manager a longer lock_timeout.",
                        pid=pid,
                    )
                if not said:
                    said = True
                    waiting.enter_context(self._said_once(log, who, lock_timeout))
                time.sleep(delay)
        raise AssertionError("unreachable")

    def release(self) -> None:
        """Count one user less, and let the file go after the last."""
        with self.lock:
            self._users -= 1
            if self._users == 0 and self._root is not None and self.path is not None:
                self._root.close()
                self._root = None

    def close(self) -> None:
        """Let go of a database in memory, and of what it holds."""
        with self.lock:
            if self._root is not None:
                self._root.close()
                self._root = None

    def _try_lease(self, reads_only: bool) -> Lease:
        with self.lock:
            if self._root is None:
                self._root, self._read_only = self._open(reads_only)
            elif self._read_only and not reads_only:
                raise duckdb.ConnectionException(_READ_HERE)
            lease = Lease(self, _prepared(self._root.cursor()))
            self._users += 1
            return lease

    def _open(self, reads_only: bool) -> tuple[duckdb.DuckDBPyConnection, bool]:
        if self.path is None:
            return duckdb.connect(":memory:"), False
        try:
            return duckdb.connect(self.path), False
        except duckdb.IOException:
            if not reads_only:
                raise
        return duckdb.connect(self.path, read_only=True), True

    @contextlib.contextmanager
    def _said_once(self, log: logging.Logger, who: str, lock_timeout: float) -> Generator[None]:
        """Say that the file is waited for, unless another thread did and still waits."""
        with self.lock:
            self._waiting += 1
            first = self._waiting == 1
        if first:
            log.warning("%s is held by %s; waiting for it up to %g s", self.path, who, lock_timeout)
        try:
            yield
        finally:
            with self.lock:
                self._waiting -= 1


_READ_HERE = "this process reads the file, which others hold too"


def _holder(error: duckdb.Error) -> tuple[str, int | None]:
    """Who holds the file that could not be opened, as words and a process id; raises the error where it has another reason."""
    text = str(error)
    if found := _HOLDER.search(text):
        return f"{os.path.basename(found['program'])} (process {found['pid']})", int(found["pid"])
    if _READ_HERE in text or "different configuration" in text:
        return "a reader in this process", os.getpid()
    if "Could not set lock" in text:
        return "another program", None
    raise error


def _delays() -> Iterator[float]:
    delay = FIRST_RETRY
    while True:
        yield delay
        delay = min(delay * 1.5, LONGEST_RETRY)
