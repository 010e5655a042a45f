"""A DuckDB database as one process holds it: shared by its threads, let go when none uses it, waited for when others hold it."""

from __future__ import annotations

import contextlib
import functools
import os
import re
import threading
import time
from collections.abc import Generator, Iterator, Mapping
from typing import TYPE_CHECKING, Any
from weakref import WeakKeyDictionary

import duckdb

from io_managers.functions import SQLFunction, register
from io_managers.turns import Turns
from warehouse_assets.errors import StoreLockedError

if TYPE_CHECKING:
    import logging

__all__ = ["Database", "Lease", "catalog_of", "in_memory", "judging"]

FIRST_RETRY, LONGEST_RETRY = 0.02, 0.2  # seconds
TURN = 0.5  # seconds that a process may go on with a file that others wait for
LONGEST_YIELD = 2.0  # seconds that new leases wait for the old ones to end
LINGER = 0.2  # seconds that a file is kept open for its next use, where one is to be expected

_HOLDER = re.compile(r"held in (?P<program>.+?) \(PID (?P<pid>\d+)\)")

_DEFAULTS: Mapping[str, Any] = {}
_files: dict[str, Database] = {}
_opening = threading.Lock()
_catalogs: WeakKeyDictionary[duckdb.DuckDBPyConnection, str] = WeakKeyDictionary()


def in_memory() -> duckdb.DuckDBPyConnection:
    """A connection to a database of its own, without a file."""
    return _prepared(duckdb.connect(":memory:"))


def judging() -> duckdb.DuckDBPyConnection:
    """A connection to a database without a file that all share, which takes a tenth of the time to open.

    It is for expressions over what is registered with the connection: nothing may be made or set that others would see.
    """
    with _opening:
        return _prepared(_shared().cursor())


@functools.cache
def _shared() -> duckdb.DuckDBPyConnection:
    return duckdb.connect(":memory:")


def _prepared(connection: duckdb.DuckDBPyConnection) -> duckdb.DuckDBPyConnection:
    # Else the same table would have another type on another machine, and a long query a line of its own in somebody's output.
    connection.execute("set TimeZone = 'UTC'; set enable_progress_bar = false")
    return connection


def catalog_of(connection: duckdb.DuckDBPyConnection) -> str:
    """What DuckDB calls the database of a connection, which is asked for once."""
    if (name := _catalogs.get(connection)) is None:
        [(name,)] = connection.execute("select current_database()").fetchall()
        _catalogs[connection] = name
    return name


class Lease:
    """The use of a database by one thread, on a connection of its own, until `close`."""

    def __init__(self, database: Database, connection: duckdb.DuckDBPyConnection, own: list[int]) -> None:
        self.connection = connection
        self.own = own
        self._database: Database | None = database

    def close(self) -> None:
        """End the use; the last one to do so lets the file go."""
        database, self._database = self._database, None
        if database is not None:
            self.connection.close()
            database.release(self.own)


class Database:
    """A database that threads share. One object serves a process for each file; `path` None is a database in memory."""

    def __init__(self, path: str | None = None) -> None:
        self.path = path
        self._functions: dict[str, SQLFunction] = {}
        self.lock = threading.RLock()
        self._closed = threading.Condition(self.lock)
        self._turns = Turns(path) if path is not None else None
        self._turn_began: float | None = None
        self._yields_until = self._asks_at = self._paused_until = 0.0
        self._own = threading.local()
        self.commit_lock = threading.Lock()
        self.commits = 0
        self._tables: dict[str, threading.RLock] = {}
        self._root: duckdb.DuckDBPyConnection | None = None
        self._read_only = False
        self._config: Mapping[str, Any] = _DEFAULTS
        self._users = 0
        self._waiting = 0
        self._keeps_open = False
        self._closing: threading.Timer | None = None
        self._released = 0.0
        # known once they were asked for, until the file is closed
        self.block_size: int | None = None
        self.views: set[tuple[str, str]] | None = None  # with those that were made since, schema and name without case

    @classmethod
    def of(cls, path: str) -> Database:
        """The one object for a file, whichever way the path is written."""
        real = os.path.realpath(path)
        return _files.get(real) or _files.setdefault(real, cls(real))

    def __str__(self) -> str:
        return self.path or ":memory:"

    @property
    def is_missing(self) -> bool:
        """Whether its file is not made yet."""
        return self.path is not None and not os.path.exists(self.path)

    def learn(self, functions: Mapping[str, SQLFunction]) -> None:
        """Let all its connections call these functions until it is closed; to be asked while there is a lease."""
        with self.lock:
            for name, function in functions.items():
                if self._functions.get(name) != function and self._root is not None:
                    register(self._root, function)  # and no cursor, with which it would be gone
                    self._functions[name] = function

    def table_lock(self, name: str) -> threading.RLock:
        """What a writer of a table holds, so that no two replace it at once; DuckDB takes no notice of case."""
        return self._tables.setdefault(name.casefold(), threading.RLock())

    def lease(
        self, *, lock_timeout: float, log: logging.Logger, reads_only: bool = False, config: Mapping[str, Any] = _DEFAULTS
    ) -> Lease:
        """The use of the database, its file opened if need be: with the DuckDB settings of the first who does.

        While another program holds the file it waits, up to `lock_timeout` seconds, and says so once; then StoreLockedError.
        `reads_only` can use a file that may not be written, or that others only read.
        """
        self._let_others_in()
        deadline = time.monotonic() + lock_timeout
        with contextlib.ExitStack() as waiting:
            said = False
            for delay in _delays():
                try:
                    return self._try_lease(reads_only, config)
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
                    if self._turns is not None:
                        waiting.enter_context(self._turns.waiting())
                time.sleep(delay)
        raise AssertionError("unreachable")

    def release(self, own: list[int]) -> None:
        """Count one user less, and let the file go after the last."""
        with self.lock:
            self._users -= 1
            own[0] -= 1
            if self._users or self._root is None or self.path is None:
                return
            if not self._keeps_open or (self._turns is not None and self._turns.someone_waits()):
                self._let_go()
                return
            self._released = time.monotonic()
            if self._closing is None:
                self._close_in(LINGER)

    def keep_open(self, keep: bool) -> None:
        """Whether the file, once opened, is kept for a moment after its last use, since another follows: opening it is slow."""
        with self.lock:
            self._keeps_open = keep
            if not keep:
                self._let_go_if_idle()

    def _let_go_if_idle(self) -> None:
        with self.lock:
            if not self._users and self._root is not None and self.path is not None:
                self._let_go()

    def _close_in(self, seconds: float) -> None:
        self._closing = threading.Timer(seconds, self._let_go_if_lingered)
        self._closing.daemon = True
        self._closing.start()

    def _let_go_if_lingered(self) -> None:
        """Close the file once it was kept for long enough: one timer goes on through uses that follow each other quickly."""
        with self.lock:
            if threading.current_thread() is not self._closing:
                return
            self._closing = None
            if (left := self._released + LINGER - time.monotonic()) <= 0:
                self._let_go_if_idle()
            elif not self._users:
                self._close_in(left)

    def _let_go(self) -> None:
        """Close the file, which nobody uses."""
        assert self._root is not None
        if self._closing is not None:
            self._closing.cancel()
            self._closing = None
        self._root.close()
        self._root = self.block_size = self.views = None
        self._closed.notify_all()

    def close(self) -> None:
        """Let go of a database in memory, and of what it holds."""
        with self.lock:
            if self._root is not None:
                self._root.close()
                self._root = self.block_size = self.views = None

    def _try_lease(self, reads_only: bool, config: Mapping[str, Any]) -> Lease:
        with self.lock:
            if self._config != config or (self._read_only and not reads_only) or self.is_missing:
                self._let_go_if_idle()  # which was kept open
            if self._root is None:
                self._root, self._read_only = self._open(reads_only, dict(config))
                self._config = config
                self._functions.clear()
                self._turn_began = self._turn_began or time.monotonic()
            elif self._read_only and not reads_only:
                raise duckdb.ConnectionException(_READ_HERE)
            connection = _prepared(self._root.cursor())
            _catalogs[connection] = catalog_of(self._root)
            lease = Lease(self, connection, self._own_leases)
            self._users += 1
            lease.own[0] += 1
            return lease

    def _let_others_in(self) -> None:
        """Where other processes wait for a file that this one had for its turn: have it closed, and wait until they had it.

        It is closed once no lease is left. Who holds one does not wait here, as others may wait for that one to end; a lease that
        outlives the wait, of a stream that is read later for example, keeps the file.
        """
        if self._turns is None or self._own_leases[0]:
            return
        self._pause()
        with self._closed:
            now = time.monotonic()
            if now >= self._yields_until:
                over = self._turn_began is not None and now - self._turn_began > TURN
                if self._waiting or not over or now < self._asks_at or not self._turns.someone_waits():
                    return
                self._yields_until = now + LONGEST_YIELD
                self._let_go_if_idle()
            if not self._closed.wait_for(lambda: self._root is None, timeout=self._yields_until - now):
                self._asks_at = time.monotonic() + 5 * LONGEST_YIELD
                return
            if self._yields_until:
                self._turn_began, self._yields_until = None, 0.0
                self._paused_until = time.monotonic() + 2 * LONGEST_RETRY
        self._pause()

    def _pause(self) -> None:
        """Leave the file to those who wait for it, for as long as it takes them to see that it is free."""
        while time.monotonic() < self._paused_until and self._turns is not None and self._turns.someone_waits():
            time.sleep(FIRST_RETRY)

    @property
    def _own_leases(self) -> list[int]:
        """How many leases this thread has taken that are not closed: one number, which whoever closes one counts down."""
        count: list[int] = self._own.__dict__.setdefault("leases", [0])
        return count

    def _open(self, reads_only: bool, config: dict[str, Any]) -> tuple[duckdb.DuckDBPyConnection, bool]:
        if self.path is None:
            return duckdb.connect(":memory:", config=config), False
        try:
            return duckdb.connect(self.path, config=config), False
        except duckdb.IOException:
            if not reads_only:
                raise
        return duckdb.connect(self.path, read_only=True, config=config), True

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
