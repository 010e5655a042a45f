"""`LocationProcess`: a code location in a process of its own, which answers several questions at a time."""

from __future__ import annotations

import itertools
import os
import subprocess
import sys
import threading
from collections.abc import Mapping, Sequence
from concurrent.futures import Future
from contextlib import suppress
from typing import TypeVar

import msgspec

from warehouse_assets import errors
from warehouse_assets.code_location.questions import Question, answered, asked, name_of
from warehouse_assets.code_location.server import read_message, write_message
from warehouse_assets.code_location.snapshot import PROTOCOL, Answer, LocationFacts, Request, partition_keys, snapshot
from warehouse_assets.errors import LocationError
from warehouse_assets.events import CodeLocation
from warehouse_assets.keys import AssetKey

__all__ = ["LocationProcess"]

Asked = TypeVar("Asked")
Answered = TypeVar("Answered")

_SERVER = "warehouse_assets.code_location.server"


class LocationProcess:
    """One code location: its process starts when it is first asked, and again when it has died.

    Loading and each question have `seconds`; one that takes longer ends the process. `error` is why the location cannot be used, or why its
    process last ended. `environment` is added to that of this process.
    """

    def __init__(self, location: CodeLocation, *, seconds: float = 120.0, environment: Mapping[str, str] | None = None) -> None:
        self.location = location
        self.error: LocationError | None = None
        self._seconds = seconds
        self._environment = dict(environment or {})
        self._running: _Conversation | None = None
        self._facts: LocationFacts | None = None
        self._broken = False
        self._lock = threading.RLock()

    def snapshot(self) -> LocationFacts:
        """What it declares; LocationError where it cannot be loaded, which is not tried again before `reload`."""
        if (facts := self._facts) is None:
            facts = self._facts = self.ask(snapshot, None)
        return facts

    def partition_keys(self, key: AssetKey) -> Sequence[str]:
        """The partitions of an asset; none where it is not partitioned."""
        return self.ask(partition_keys, key.path)

    def ask(self, question: Question[Asked, Answered], request: Asked, *, seconds: float | None = None) -> Answered:
        """What a function of this package answers there, which is called with the definitions and `request`.

        Its annotations say what msgpack makes of both. LocationError where it does not answer in time, or ends the process. An error of the
        project that it raises is raised here, and LocationError for any other.
        """
        running = self._started()
        answer = self._heard(running, running.ask(name_of(question), asked(request)), seconds or self._seconds)
        if answer.error is None:
            return answered(question, answer.payload)
        kind = getattr(errors, answer.kind or "", LocationError)
        if kind in (LocationError, errors.InvalidDefinitionsError):
            raise LocationError(f"{self.location.name}: {answer.error}", traceback=answer.traceback)
        raise kind(answer.message, hint=answer.hint)

    def another(self) -> LocationProcess:
        """A further process of the same code, to be closed by who asks for it: what harms it leaves this one alone."""
        return LocationProcess(self.location, seconds=self._seconds, environment=self._environment)

    def reload(self) -> None:
        """Load the code anew when it is next asked for something."""
        self.close()
        with self._lock:
            self._facts, self.error, self._broken = None, None, False

    def close(self) -> None:
        """End the process."""
        if (running := self._running) is not None:
            running.end()
        with self._lock:
            self._running = None

    def _started(self) -> _Conversation:
        """The process, once it has loaded the code."""
        with self._lock:
            if self._broken and self.error is not None:
                raise self.error
            if self._running is None or self._running.has_ended:
                self._running = self._start()
            return self._running

    def _start(self) -> _Conversation:
        command = [self.location.python or sys.executable, "-m", _SERVER, self.location.module]
        environment = {**os.environ, **self._environment}
        if self.location.python is not None:  # it finds packages of its own; this one those that are found here
            environment.pop("PYTHONPATH", None)
        try:
            running = _Conversation(command, self.location.working_directory, environment)
        except OSError as error:
            self._broken, self.error = True, LocationError(f"{command[0]} cannot be started: {error.strerror}")
            raise self.error from None
        self._running = running  # so that `close` can end it meanwhile
        try:
            answer = self._heard(running, running.ready, self._seconds)
        except LocationError:
            self._broken = True
            raise
        if answer.error is not None:
            self._broken, self.error = True, LocationError(f"{self.location.name}: {answer.error}", traceback=answer.traceback)
            running.end()
            raise self.error
        self.error = None
        return running

    def _heard(self, running: _Conversation, answer: Future[Answer], seconds: float) -> Answer:
        """An answer that comes in time from a process that speaks the same protocol."""
        whose, hint = f"the process of location {self.location.name!r}", None
        try:
            heard = answer.result(seconds)
            if heard.protocol == PROTOCOL:
                return heard
            running.end()
            whose, how = f"location {self.location.name!r}", "speaks another version of the protocol"
            hint = "Install the version of warehouse-assets there that is installed here."
        except TimeoutError:
            running.end()
            how = f"did not answer in {seconds:g} s"
        except EOFError:
            how = f"ended {_how(running.end())}"
        self.error = LocationError(f"{whose} {how}", hint=hint)
        raise self.error


class _Conversation:
    """A running process, and what it was asked and has not answered yet; EOFError for what it never will."""

    def __init__(self, command: Sequence[str], folder: str, environment: Mapping[str, str]) -> None:
        self._process = subprocess.Popen(
            command, cwd=folder, stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=environment, start_new_session=True
        )
        self._waiting: dict[int, Future[Answer]] = {}
        self._lock = threading.Lock()
        self._numbers = itertools.count()
        self.has_ended = False
        self.ready = self._expected(next(self._numbers))
        threading.Thread(target=self._listen, daemon=True, name="code location").start()

    def ask(self, question: str, payload: bytes) -> Future[Answer]:
        """Ask, and go on."""
        number = next(self._numbers)
        answer = self._expected(number)
        with self._lock, suppress(OSError, ValueError):  # one that has ended is seen by who listens
            assert self._process.stdin is not None
            write_message(self._process.stdin, msgspec.msgpack.encode(Request(number, question, payload)))
        return answer

    def end(self) -> int:
        """Kill it; how it ended."""
        self._process.kill()
        return self._process.wait()

    def _expected(self, number: int) -> Future[Answer]:
        answer: Future[Answer] = Future()
        with self._lock:
            if self.has_ended:
                answer.set_exception(EOFError())
            else:
                self._waiting[number] = answer
        return answer

    def _listen(self) -> None:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        decode = msgspec.msgpack.Decoder(Answer).decode
        while (message := read_message(self._process.stdout)) is not None:
            try:
                answer = decode(message)
            except msgspec.DecodeError:
                answer = Answer(min(self._waiting, default=-1), protocol=-1)
            if (expected := self._waiting.pop(answer.number, None)) is not None:
                expected.set_result(answer)
        self._process.wait()
        with self._lock:
            self.has_ended = True
            lost, self._waiting = self._waiting, {}
        for expected in lost.values():
            expected.set_exception(EOFError())
        for stream in (self._process.stdin, self._process.stdout):
            with suppress(OSError):
                stream.close()


def _how(code: int) -> str:
    return f"by signal {-code}" if code < 0 else f"with exit code {code}"
