"""`SqliteEventLog`: the record in one SQLite file, written to by many threads and processes at once."""

from __future__ import annotations

import os
import sqlite3
import threading
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from itertools import count
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects import sqlite

from warehouse_assets.errors import InstanceError
from warehouse_assets.instance.batch import Batch
from warehouse_assets.instance.schema import VERSION, create, events, latest, stored_version
from warehouse_assets.instance.sql import SQLEventLog

__all__ = ["SqliteEventLog"]

# These two run for every step: compiled once and given to the driver as they are, they take half the time.
_INSERT_EVENT = str(
    events.insert().compile(dialect=sqlite.dialect(), column_keys=["run_id", "event_type", "timestamp", "asset_key", "body"])
)
_CHEAP_PAGES = 262_144  # a gigabyte, which is written anew within seconds; others that write wait for it
_insert_latest = sqlite.insert(latest)
_UPSERT_LATEST = str(
    _insert_latest.on_conflict_do_update(
        index_elements=latest.primary_key.columns, set_={"event_id": _insert_latest.excluded.event_id}
    ).compile(dialect=sqlite.dialect())
)


class SqliteEventLog(SQLEventLog):
    """Keeps the record in the SQLite file `path`, made when there is none, and migrated when it is of an older version.

    A file that is migrated is copied aside first, as `<name>.v<version>-backup-<n>`. A call waits `timeout` seconds for other
    processes that write. What was stored outlives a killed process; a power failure may take the last transactions, and never
    leaves half of one. InstanceError for a file that is damaged, of a newer version, or something else.
    """

    _kind = "sqlite"
    _faults = (sa.exc.SQLAlchemyError, sqlite3.Error, OSError, UnicodeEncodeError)

    def __init__(self, path: str | os.PathLike[str], *, timeout: float = 60.0) -> None:
        self.path = Path(path).absolute()
        self._timeout = timeout
        self._lock = threading.Lock()
        engine = sa.create_engine(
            sa.URL.create("sqlite", database=str(self.path)),
            isolation_level="AUTOCOMMIT",  # transactions are begun by hand: the driver's own take the write lock too late
            connect_args={"timeout": timeout, "check_same_thread": False},
            max_overflow=-1,
        )
        sa.event.listen(engine, "connect", _set_up_connection)
        super().__init__(engine)
        try:
            with self._errors("open"):
                self.path.parent.mkdir(parents=True, exist_ok=True)
                self._writer = self._resources.enter_context(engine.connect())
                self._driver: Any = self._writer.connection.driver_connection
                self._prepare()
        except BaseException:
            self.close()
            raise

    def __repr__(self) -> str:
        return f"SqliteEventLog({str(self.path)!r})"

    @property
    def _place(self) -> str:
        return str(self.path)

    def _byte_size(self, connection: sa.Connection) -> int:
        files = (self.path, self.path.with_name(f"{self.path.name}-wal"))
        return sum(file.stat().st_size for file in files if file.exists())

    def _give_back(self) -> None:
        with self._lock:
            self._check_open()
            ((pages,), (free,)) = (
                self._driver.execute(f"PRAGMA {name}").fetchone() for name in ("page_count", "freelist_count")
            )
            if 4 * free >= pages and pages - free <= _CHEAP_PAGES:
                self._driver.execute("VACUUM")
            self._driver.execute("PRAGMA wal_checkpoint(TRUNCATE)")

    def _insert_events(self, connection: sa.Connection, batch: Batch) -> None:
        self._driver.executemany(_INSERT_EVENT, batch.rows)
        if batch.latest:
            (last,) = self._driver.execute("SELECT last_insert_rowid()").fetchone()
            first = last - len(batch.rows) + 1
            self._driver.executemany(_UPSERT_LATEST, [(*mark, first + at) for mark, at in batch.latest.items()])

    def close(self) -> None:
        with self._lock:  # not in the middle of another thread's transaction
            super().close()

    @contextmanager
    def _transaction(self) -> Iterator[sa.Connection]:
        with self._lock:
            self._check_open()
            try:
                self._driver.execute("BEGIN IMMEDIATE")
                yield self._writer
                self._driver.execute("COMMIT")
            except BaseException:
                if self._driver.in_transaction:
                    self._driver.execute("ROLLBACK")
                raise

    def _among(self, column: sa.ColumnElement[str], parameter: str) -> sa.ColumnElement[bool]:
        given = sa.func.json_each(sa.bindparam(parameter, type_=sa.JSON)).table_valued("value")
        return column.in_(sa.select(given.c.value))

    def _prepare(self) -> None:
        if self._stored_version() == VERSION:
            return
        self._begin_wal()
        with self._transaction() as connection:
            version = self._stored_version()  # again: another process may have been first
            if version == 0:
                create(connection)
            elif version < VERSION:
                self._copy_aside(version)
                from warehouse_assets.instance.migrations import migrate

                migrate(connection, version)

    def _stored_version(self) -> int:
        version = stored_version(self._writer)
        if version is None:
            raise InstanceError(
                f"{self.path} is a SQLite database, but not a record of runs", hint="Give another file or folder."
            )
        if version > VERSION:
            raise InstanceError(
                f"the record {self.path} is of version {version}, and this release reads up to version {VERSION}",
                hint="Upgrade warehouse-assets, or use another folder.",
            )
        return version

    def _begin_wal(self) -> None:
        deadline = time.monotonic() + self._timeout
        while True:
            try:
                self._driver.execute("PRAGMA journal_mode=WAL")
                return
            except sqlite3.OperationalError:  # for this one statement SQLite does not wait for other processes
                if time.monotonic() > deadline:
                    raise
                time.sleep(0.01)

    def _copy_aside(self, version: int) -> None:
        names = (self.path.with_name(f"{self.path.name}.v{version}-backup-{n}") for n in count(1))
        backup = next(name for name in names if not name.exists())
        unfinished = backup.with_name(f"{backup.name}.part")
        with closing(sqlite3.connect(self.path)) as source, closing(sqlite3.connect(unfinished)) as target:
            source.backup(target)
        unfinished.replace(backup)

    def _hint(self, fault: str) -> str | None:
        if "locked" in fault:
            return f"Another program has been writing to it for {self._timeout:g} seconds."
        if "not a database" in fault or "malformed" in fault:
            return "Move the file aside to begin a new record; copies made before migrations are beside it."
        return None


def _set_up_connection(connection: Any, _: object) -> None:
    connection.execute("PRAGMA synchronous=NORMAL")  # with a WAL the file stays whole, and a commit does not wait for the disk
