"""The processes in which user code of schedules and sensors runs: what hangs there is killed, and what crashes harms nothing else."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
from collections import defaultdict
from contextlib import suppress
from dataclasses import asdict
from typing import IO, TYPE_CHECKING

from warehouse_assets.automation.evaluation import TickAnswer, TickRequest, failed
from warehouse_assets.events import CodeLocation, ErrorInfo, event_data_from_json

if TYPE_CHECKING:
    from warehouse_assets.instance import Instance

__all__ = ["Evaluators"]

_IDLE_AT_MOST = 2  # processes of one code location that are kept for the next evaluation


class Evaluators:
    """Evaluates in processes of their own, several at once; each evaluation has `seconds`, loading the code not counted."""

    def __init__(self, instance: Instance, *, seconds: float = 60.0, loading_seconds: float = 120.0) -> None:
        self._instance = instance
        self._seconds = seconds
        self._loading_seconds = loading_seconds
        self._idle: dict[CodeLocation, list[_Process]] = defaultdict(list)
        self._lock = threading.RLock()  # a signal may ask to forget at any time
        self._closed = False
        self._forgotten = 0  # how often; what was asked before then has old code

    def __call__(self, location: CodeLocation, request: TickRequest) -> TickAnswer:
        """The answer of a schedule or sensor; an error, where it hangs, or takes its process with it."""
        with self._lock:
            process, times = self._idle[location].pop() if self._idle[location] else None, self._forgotten
        try:
            if process is None:
                process = _Process(location, self._instance)
                if (fault := process.ask(json.dumps(asdict(location)), self._loading_seconds)) != "null":
                    error = event_data_from_json("LOG", json.loads(fault))
                    process.kill()
                    assert isinstance(error, ErrorInfo)
                    return failed(request, error)
            answer = TickAnswer.from_json(process.ask(request.to_json(), self._seconds))
        except _Lost as lost:
            if process is not None:
                process.kill()
            return failed(request, ErrorInfo("EvaluationError", f"{request.kind} {request.name!r} {lost}"))
        self._give_back(location, process, times)
        return answer

    def forget(self) -> None:
        """Load all code anew for the next evaluations."""
        with self._lock:
            idle = [process for processes in self._idle.values() for process in processes]
            self._idle.clear()
            self._forgotten += 1
        for process in idle:
            process.kill()

    def close(self) -> None:
        """End the processes that wait."""
        self._closed = True
        self.forget()

    def _give_back(self, location: CodeLocation, process: _Process, times: int) -> None:
        with self._lock:
            keep = not self._closed and times == self._forgotten and len(self._idle[location]) < _IDLE_AT_MOST
            if keep:
                self._idle[location].append(process)
        if not keep:
            process.kill()


class _Lost(Exception):
    """Why there is no answer."""


class _Process:
    """One process, asked by one thread at a time."""

    def __init__(self, location: CodeLocation, instance: Instance) -> None:
        command = [location.python or sys.executable, "-m", "warehouse_assets.automation.evaluator"]
        try:
            self._process = subprocess.Popen(
                command,
                cwd=location.working_directory,
                env={**os.environ, **instance.environment},
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                text=True,
                start_new_session=True,
            )
        except OSError as error:
            raise _Lost(f"could not be evaluated: {error}") from error

    def ask(self, line: str, seconds: float) -> str:
        """The answer to one line; whoever does not answer in time is killed."""
        overdue = threading.Event()

        def give_up() -> None:
            overdue.set()
            self._end()

        timer = threading.Timer(seconds, give_up)
        timer.start()
        try:
            requests, answers = self._pipes
            requests.write(line + "\n")
            requests.flush()
            answer = answers.readline()
        except OSError:
            answer = ""
        finally:
            timer.cancel()
        if overdue.is_set():
            raise _Lost(f"did not answer within {seconds:g} seconds")
        if not answer.endswith("\n"):
            raise _Lost(f"took its process with it ({self._how()})")
        return answer.rstrip("\n")

    @property
    def _pipes(self) -> tuple[IO[str], IO[str]]:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        return self._process.stdin, self._process.stdout

    def _how(self) -> str:
        code = self._process.wait()
        return f"signal {-code}" if code < 0 else f"exit code {code}"

    def _end(self) -> None:
        import signal

        with suppress(ProcessLookupError):
            os.killpg(self._process.pid, signal.SIGKILL)  # with what it started itself

    def kill(self) -> None:
        """End it, and hear of its end."""
        self._end()
        self._process.wait()
        for pipe in self._pipes:
            with suppress(OSError):
                pipe.close()
