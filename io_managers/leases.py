"""Turns of the writers of a table in an object store: numbered objects beside it, each of which only one of them can create.

Creating an object that is not there is the one thing that all object stores do for one writer only. So the turn of a writer is
an object with the next number. Who finds the last turn over, since its writer says so or gave no sign for a while, creates the next
one; and before it publishes, a writer takes the number after its own, which is there already where another took it for dead.
"""

from __future__ import annotations

import json
import logging
import os
import re
import socket
import threading
import time
from collections.abc import Callable, Generator
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any, Literal, TypeAlias
from uuid import uuid4

from io_managers.cloud import reaching
from io_managers.files import Files
from warehouse_assets.errors import TableError

__all__ = ["FOLDER", "Lease", "knows_leases", "lease"]

FOLDER = ".turns"
LEASE = 60.0  # seconds without a sign of its writer after which a turn is over, by the clock of the store
BEAT = 10.0  # seconds from one sign to the next
LONGEST_WAIT = 2.0  # seconds between two looks at the turn of another

_CREATES = {"s3", "gs", "abfs"}  # protocols whose file systems ask the store to create an object or to refuse it
_REFUSED = re.compile(r"(?i)precondition|already ?exists|conditional|conditionNotMet|\b(409|412)\b")
_UNKNOWN = re.compile(r"(?i)not ?implemented|\b501\b")

_keep_conditions: dict[str, bool] = {}

State: TypeAlias = Literal["writes", "publishes", "is done"]


def knows_leases(files: Files) -> bool:
    """Whether the writers of these files can take turns by objects, as far as the protocol tells."""
    if files.is_local:
        return False
    protocol = files.fs.protocol
    return not _CREATES.isdisjoint({protocol} if isinstance(protocol, str) else protocol)


@dataclass(frozen=True, slots=True)
class Turn:
    """Whose turn it is, and how far it is: what is in the object of a number."""

    number: int
    writer: str
    who: str
    state: State = "writes"

    def content(self) -> bytes:
        """The object."""
        return json.dumps(asdict(self)).encode()


class _UnconditionalError(Exception):
    """The store does not know the condition that an object is not there yet."""


@dataclass(slots=True)
class _Turns:
    """The turns at one table."""

    files: Files
    table: str
    clock: tuple[datetime, float] | None = None
    """A time of the store, and that of this process at the same moment."""

    def numbers(self) -> list[int]:
        names = (path.rpartition("/")[2] for path in self.files.found(self.table + FOLDER, ""))
        return sorted(int(name) for name in names if name.isdigit())

    def path(self, number: int) -> str:
        return f"{self.table}{FOLDER}/{number:012}"

    def read(self, number: int) -> Turn | None:
        with suppress(FileNotFoundError):
            return Turn(**json.loads(self.files.content(self.path(number))))
        return None

    def put(self, turn: Turn, **options: Any) -> None:
        path = self.path(turn.number)
        with reaching(self.files.uri(path)):
            self.files.fs.pipe_file(path, turn.content(), **options)

    def create(self, turn: Turn) -> bool:
        """Whether the turn is there now, since there was none of its number."""
        path = self.path(turn.number)
        with reaching(self.files.uri(path)):
            try:
                self.files.fs.pipe_file(path, turn.content(), mode="create")
            except Exception as error:
                if _UNKNOWN.search(str(error)):
                    raise _UnconditionalError from error
                if not isinstance(error, FileExistsError) and not _REFUSED.search(str(error)):
                    raise
                return self.read(turn.number) == turn  # the answer to a first attempt may have been lost
        return True

    def is_last(self, turn: Turn) -> list[int] | None:
        """The numbers before it, where it is the last turn; None where a later one is there, or ended and removed those before it.

        Some stores let two create one object where they ask at the same moment (Swift looks before it writes): the later one has it.
        """
        numbers = self.numbers()
        return numbers[:-1] if numbers[-1:] == [turn.number] and self.read(turn.number) == turn else None

    def withdraw(self, turn: Turn) -> None:
        """Remove a turn that is not the last, unless it is of someone else."""
        if self.read(turn.number) == turn:
            self.files.remove(self.path(turn.number))

    def silence(self, turn: Turn) -> float:
        """Seconds since the writer of a turn gave a sign, by the clock of the store."""
        with suppress(FileNotFoundError):
            said = self._modified(self.path(turn.number))
            if self.clock is None:
                probe = f"{self.table}{FOLDER}/clock-{uuid4().hex}"
                self.files.fs.pipe_file(probe, b"?")
                self.clock = self._modified(probe), time.monotonic()
                self.files.remove(probe)
            now, then = self.clock
            return (now - said + timedelta(seconds=time.monotonic() - then)).total_seconds()
        return 0.0

    def _modified(self, path: str) -> datetime:
        with reaching(self.files.uri(path)):
            self.files.fs.invalidate_cache()
            moment: datetime = self.files.fs.modified(path)
        return moment


@dataclass
class Lease:
    """The turn of this process, of which it gives signs until it ends; calling it is asking for leave to publish."""

    turns: _Turns
    turn: Turn
    older: list[int]
    _signed: float = field(default_factory=time.monotonic)
    _lock: threading.Lock = field(default_factory=threading.Lock)
    _over: threading.Event = field(default_factory=threading.Event)

    def __call__(self) -> None:
        """Raise TableError where another has taken the turn; none can any more as long as this process gives signs."""
        with self._lock:
            is_new = self.turn.state == "writes"
            if not is_new and time.monotonic() - self._signed < LEASE:
                return
            then = replace(self.turn, number=self.turn.number + is_new, state="publishes")
            if (is_new and not self.turns.create(then)) or self.turns.is_last(then) is None:
                raise self._lost(then)
            if is_new:
                self.older.append(self.turn.number)
            else:
                self.turns.put(then)
            self.turn, self._signed = then, time.monotonic()

    @contextmanager
    def signed(self) -> Generator[None]:
        """Give signs while the block lasts, and end the turn with it."""
        thread = threading.Thread(target=self._sign, name="lease", daemon=True)
        thread.start()
        try:
            yield
        finally:
            self._over.set()
            with self._lock, suppress(Exception):  # others see without it that it is over, a minute later
                self.turns.put(replace(self.turn, state="is done"))
                for number in self.older:
                    self.turns.files.remove(self.turns.path(number))
            thread.join()

    def _sign(self) -> None:
        while not self._over.wait(BEAT):
            with self._lock, suppress(Exception):  # whoever publishes finds out whether it was in time
                if not self._over.is_set():
                    self.turns.put(self.turn)
                    self._signed = time.monotonic()

    def _lost(self, turn: Turn) -> TableError:
        self.turns.withdraw(turn)
        taker = next(filter(None, map(self.turns.read, self.turns.numbers()[-1:])), None)
        return TableError(
            f"{self.turns.files.uri(self.turns.table)} was left to {taker.who if taker else 'another writer'}, since the writer here "
            f"had given no sign for {LEASE:g} s; nothing of it was written",
            hint="Run it again.",
        )


@contextmanager
def lease(files: Files, table: str, log: logging.Logger, *, wait: bool = True) -> Generator[Callable[[], None] | None]:
    """The turn to write the table while the block lasts, and after that of all who came before; None where it would have to `wait`."""
    turns = _Turns(files, table)
    try:
        taken = _taken(turns, log, wait)
    except _UnconditionalError:
        _told(turns, False, log)
        yield lambda: None
        return
    if taken is None:
        yield None
        return
    with taken.signed():
        if files.uri(files.root) not in _keep_conditions:
            _told(turns, not turns.create(replace(taken.turn, writer=uuid4().hex)), log)
        yield taken


def _taken(turns: _Turns, log: logging.Logger, wait: bool) -> Lease | None:
    writer, who = uuid4().hex, f"process {os.getpid()} on {socket.gethostname()}"
    uri, told, delay = turns.files.uri(turns.table), "", 0.1
    while True:
        numbers = turns.numbers()
        last = turns.read(numbers[-1]) if numbers else None
        if last is None and numbers:  # it was removed meanwhile, as a newer one ended
            continue
        is_dead = last is not None and last.state != "is done" and turns.silence(last) > LEASE
        if last is None or last.state == "is done" or is_dead:
            turn = Turn((last.number if last else 0) + 1, writer, who)
            if turns.create(turn):
                if (older := turns.is_last(turn)) is not None:
                    if last is not None and is_dead:
                        log.warning("%s gave no sign for %g s while it wrote %s: its turn is over", last.who, LEASE, uri)
                    return Lease(turns, turn, older)
                turns.withdraw(turn)
        elif not wait:
            return None
        else:
            if last.writer != told:
                told = last.writer
                log.warning("%s is being written by %s; waiting for it", uri, last.who)
            time.sleep(delay)
            delay = min(delay * 1.5, LONGEST_WAIT)


def _told(turns: _Turns, keeps_conditions: bool, log: logging.Logger) -> None:
    """Say, once in a process, where a store creates an object that is there, or takes no condition at all."""
    place = turns.files.uri(turns.files.root)
    if not _keep_conditions.setdefault(place, keeps_conditions):
        log.warning("%s takes no notice of If-None-Match: two processes that write one table there may lose rows", place)
