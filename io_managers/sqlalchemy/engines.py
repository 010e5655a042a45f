"""Connections to SQL databases: one pool for each URL and process, and what they say without passwords."""

from __future__ import annotations

import atexit
import contextlib
import os
import threading
import time
from collections.abc import Callable, Generator, Iterator
from typing import TYPE_CHECKING, Any
from urllib.parse import quote, urlencode

import sqlalchemy
from sqlalchemy.engine import URL, Engine, make_url
from sqlalchemy.exc import ArgumentError, DBAPIError, NoSuchModuleError

from warehouse_assets.errors import ExtraRequiredError, InvalidConfigError, StoreLockedError

if TYPE_CHECKING:
    import logging

__all__ = ["Locks", "engine_of", "libpq_uri", "parsed", "patience", "plain_text"]

_DRIVERS = {"postgresql": "psycopg", "postgres": "psycopg", "mysql": "pymysql", "mariadb": "pymysql"}
_EXTRAS = {"postgresql": "postgres", "mysql": "mysql", "mariadb": "mysql"}

SAID_AFTER = 0.5  # seconds of waiting for another writer that are not worth a word

_engines: dict[tuple[int, str], Engine] = {}
_making = threading.Lock()


def parsed(url: str) -> URL:
    """The URL with the driver that is used where it names none; InvalidConfigError, without the URL, for what is none."""
    try:
        found = make_url(url)
    except ArgumentError:
        raise InvalidConfigError("the url is none that SQLAlchemy can read", hint=_FORM) from None
    backend = found.get_backend_name()
    if "+" not in found.drivername and (driver := _DRIVERS.get(backend)):
        found = found.set(drivername=f"{'postgresql' if backend == 'postgres' else backend}+{driver}")
    if backend in ("mysql", "mariadb") and not found.drivername.endswith("+pymysql"):  # whose ways plain SQL does not know
        raise InvalidConfigError(f"the driver of {found.drivername} is not known here", hint=f"Write {backend}+pymysql://….")
    return found


_FORM = "Write dialect://user:password@host/database, for example postgresql://me:secret@localhost/warehouse."


def engine_of(url: URL) -> Engine:
    """The one pool of this process for a database."""
    text = url.render_as_string(hide_password=False)
    with _making:
        for pid, other in list(_engines):
            if pid != os.getpid():  # inherited by a fork: its connections belong to the parent
                _engines.pop((pid, other)).dispose(close=False)
        key = os.getpid(), text
        if key not in _engines:
            _engines[key] = _made(url)
        return _engines[key]


def _made(url: URL) -> Engine:
    backend = url.get_backend_name()
    options: dict[str, Any] = {"pool_pre_ping": True, "max_overflow": -1}
    try:
        if backend == "postgresql" and url.get_driver_name() == "psycopg":
            import psycopg

            options["connect_args"] = {
                "cursor_factory": psycopg.ClientCursor
            }  # binds where the server does not, in any statement
        elif backend == "sqlite":
            options["connect_args"] = {"isolation_level": None, "check_same_thread": False}
        elif backend in ("mysql", "mariadb"):
            url = url.update_query_dict({"charset": "utf8mb4"}) if "charset" not in url.query else url
        return sqlalchemy.create_engine(url, **options)
    except (ImportError, NoSuchModuleError) as error:
        hint = f'pip install "warehouse-assets[{_EXTRAS[backend]}]"' if backend in _EXTRAS else "Install its driver with pip."
        raise ExtraRequiredError(
            f"{url.drivername} databases need a driver that is not installed: {error}", hint=hint
        ) from None


@atexit.register
def _close() -> None:
    for (pid, _), engine in _engines.items():
        engine.dispose(close=pid == os.getpid())
    _engines.clear()


def plain_text(error: BaseException, url: URL) -> str:
    """What an error of a database says, without the password of its URL and without the lines that repeat the statement."""
    own = error.orig if isinstance(error, DBAPIError) and error.orig is not None else error
    text = str(own.args[1]) if len(own.args) == 2 and isinstance(own.args[0], int) else str(own)
    secret = str(url.password or "")
    for form in sorted({secret, quote(secret), quote(secret, safe=""), quote(secret, safe=" +")} - {""}, key=len, reverse=True):
        text = text.replace(form, "***")
    return text.strip()


def libpq_uri(url: URL) -> str:
    """The URL as PostgreSQL's own library reads it."""
    user = quote(url.username or "", safe="")
    password = "" if url.password is None else f":{quote(str(url.password), safe='')}"
    place = "" if url.host is None else f"[{url.host}]" if ":" in url.host else url.host
    port = "" if url.port is None else f":{url.port}"
    at = "@" if user or password else ""
    query = f"?{urlencode(url.query, doseq=True, quote_via=quote)}" if url.query else ""
    return f"postgresql://{user}{password}{at}{place}{port}/{quote(url.database or '', safe='')}{query}"


class Locks:
    """What the threads of a process hold while they write a table, so that they wait for each other here and not in the database."""

    def __init__(self) -> None:
        self._locks: dict[str, threading.RLock] = {}

    @contextlib.contextmanager
    def held(self, name: str, place: str, lock_timeout: float, log: logging.Logger) -> Generator[None]:
        """Hold the lock of a name; StoreLockedError where another thread does so for too long."""
        lock = self._locks.setdefault(name, threading.RLock())
        patience(lambda seconds: lock.acquire(timeout=seconds), place, lock_timeout, log)
        try:
            yield
        finally:
            lock.release()


def patience(attempt: Callable[[float], bool], place: str, lock_timeout: float, log: logging.Logger) -> None:
    """Try until `attempt`, which may take some seconds each time, succeeds.

    It is said once that something is waited for; StoreLockedError after `lock_timeout` seconds.
    """
    started = time.monotonic()
    said = False
    for seconds in _slices(lock_timeout):
        if attempt(seconds):
            return
        if not said and time.monotonic() - started > SAID_AFTER:
            said = True
            log.warning("%s is being written by another; waiting for it up to %g s", place, lock_timeout)
    raise StoreLockedError(
        f"{place} is being written by another; waited {lock_timeout:g} s",
        hint="Let it end, or give the I/O manager a longer lock_timeout.",
    )


def _slices(lock_timeout: float) -> Iterator[float]:
    deadline = time.monotonic() + lock_timeout
    yield 0.0
    while (left := deadline - time.monotonic()) > 0:
        yield min(left, SAID_AFTER)
