"""Executors: they carry out what the run state says. The only place where threads are made."""

from __future__ import annotations

import heapq
import os
import queue
import random
import threading
import time
from abc import ABC, abstractmethod
from collections import deque
from collections.abc import Iterable
from contextlib import suppress
from typing import TYPE_CHECKING

from warehouse_assets.definitions.policies import retry_delay
from warehouse_assets.errors import InvalidDefinitionError, RetryRequested
from warehouse_assets.events import error_line
from warehouse_assets.execution.state import Instruction, RunState, Skip, Start
from warehouse_assets.execution.step import StepOutcome, execute_step
from warehouse_assets.keys import user_strings

if TYPE_CHECKING:
    from warehouse_assets.execution.plan import Step
    from warehouse_assets.execution.session import RunSession

__all__ = ["Executor", "InProcessExecutor", "ThreadExecutor"]

_LONGEST_WAIT = 0.5  # seconds


class Executor(ABC):
    """Runs the steps of one session as its state says, until none is open."""

    @abstractmethod
    def execute(self, session: RunSession, state: RunState) -> None:
        """Run all steps; a KeyboardInterrupt leaves the state as it is then."""


class InProcessExecutor(Executor):
    """Runs one step after the other, in the thread that calls it."""

    def execute(self, session: RunSession, state: RunState) -> None:
        todo = _Agenda(session, state.start())
        while state.open:
            start = todo.pop()
            if start is None:
                time.sleep(todo.seconds_to_wait or 0.0)
                continue
            session.record(session.event("STEP_START", start.step))
            session.flush()
            outcome = execute_step(session, start.step, start.attempt)
            todo.push(_conclude(session, state, start.step, outcome))
        session.flush()


class ThreadExecutor(Executor):
    """Runs up to `max_workers` steps at once in threads; as many as there are cores unless given.

    Ctrl-C starts nothing more and waits for what runs; a second one does not wait.
    """

    def __init__(self, max_workers: int | None = None) -> None:
        if max_workers is not None and max_workers < 1:
            raise InvalidDefinitionError(f"max_workers is {max_workers}, below 1")
        self.max_workers = max_workers or max(2, os.cpu_count() or 1)

    def execute(self, session: RunSession, state: RunState) -> None:
        work = _ThreadedRun(session, state, self.max_workers)
        try:
            work.run()
        except KeyboardInterrupt:
            work.wind_down()
            raise
        finally:
            work.dismiss()


class _ThreadedRun:
    """The leading thread's view of a run in threads: it alone records, and asks the state what is next.

    The workers are daemon threads, so that a process that is told twice to stop does not wait for them.
    """

    def __init__(self, session: RunSession, state: RunState, width: int) -> None:
        self.session = session
        self.state = state
        self.width = width
        self.todo = _Agenda(session, state.start())
        self.running: dict[int, Step] = {}
        self.workers: list[threading.Thread] = []
        self.handed: queue.SimpleQueue[Start | None] = queue.SimpleQueue()
        self.ended: deque[tuple[Step, StepOutcome]] = deque()
        self.news: queue.SimpleQueue[None] = queue.SimpleQueue()  # of which an interrupt may lose one, and never an outcome

    def run(self) -> None:
        while self.state.open:
            self._start_ready()
            self._conclude_next(self.todo.seconds_to_wait)
        self.session.flush()

    def wind_down(self) -> None:
        """Wait for the steps that run, and record how they ended."""
        if self.running:
            names = ", ".join(sorted(step.key for step in self.running.values()))
            self.session.log.warning("stopping: waiting for %s; press Ctrl-C again to leave them", names)
        while self.running:
            self._conclude_next()

    def dismiss(self) -> None:
        """Let the workers go once they have nothing to do."""
        for _ in self.workers:
            self.handed.put(None)

    def _start_ready(self) -> None:
        starts = []
        while len(self.running) < self.width and (start := self.todo.pop()) is not None:
            self.running[start.step.index] = start.step
            self.session.record(self.session.event("STEP_START", start.step))
            starts.append(start)
        self.session.flush()
        for start in starts:
            self.handed.put(start)
        while len(self.workers) < len(self.running):
            self.workers.append(threading.Thread(target=self._work, name=f"step_{len(self.workers)}", daemon=True))
            self.workers[-1].start()

    def _work(self) -> None:
        while (start := self.handed.get()) is not None:
            try:
                outcome = execute_step(self.session, start.step, start.attempt)
            except BaseException as error:  # noqa: BLE001 - the leading thread must hear of it, whatever it is
                outcome = StepOutcome(error=error)
            self.ended.append((start.step, outcome))
            self.news.put(None)

    def _conclude_next(self, seconds: float | None = None) -> None:
        """Wait, at most `seconds`, for a step to end, and conclude all that have.

        It returns after a while in any case: where a library has the system go on with what a signal interrupts, as polars does, an
        interrupt is only heard of between two waits.
        """
        if not self.ended:
            with suppress(queue.Empty):
                self.news.get(timeout=_LONGEST_WAIT if seconds is None else min(seconds, _LONGEST_WAIT))
                while not self.news.empty():
                    self.news.get()
        while self.ended:
            step, outcome = self.ended[0]
            if self.running.pop(step.index, None) is not None:
                self.todo.push(_conclude(self.session, self.state, step, outcome))
            self.ended.popleft()


class _Agenda:
    """Steps that can start, those that stand first in the plan first, once their delay is over and their pool has a place.

    Skips are recorded as they come.
    """

    def __init__(self, session: RunSession, instructions: Iterable[Instruction]) -> None:
        self._session = session
        self._ready: list[tuple[int, Start]] = []  # a step is in one of the two at most once
        self._delayed: list[tuple[float, int, Start]] = []
        self._waiting: dict[str, list[tuple[int, Start]]] = {}  # by the pool that was full
        self.push(instructions)

    def push(self, instructions: Iterable[Instruction]) -> None:
        for instruction in instructions:
            if isinstance(instruction, Skip):
                missing = instruction.missing.to_user_string() if instruction.missing is not None else "table"
                fault = f"made no {missing}" if instruction.because.outputs else "did not pass"
                message = f"skipped: {instruction.because.key} {fault}"
                self._session.record(self._session.event("STEP_SKIPPED", instruction.step, message=message))
            elif instruction.delay > 0:
                heapq.heappush(self._delayed, (time.monotonic() + instruction.delay, instruction.step.index, instruction))
            else:
                heapq.heappush(self._ready, (instruction.step.index, instruction))

    def pop(self) -> Start | None:
        while self._delayed and self._delayed[0][0] <= time.monotonic():
            start = heapq.heappop(self._delayed)[2]
            heapq.heappush(self._ready, (start.step.index, start))
        if self._waiting and (waited := self._pop_waiting()) is not None:
            return waited
        while self._ready:
            start = heapq.heappop(self._ready)[1]
            pool = start.step.definition.pool
            if pool is None or self._session.places.take(pool, start.step):
                return start
            heapq.heappush(self._waiting.setdefault(pool, []), (start.step.index, start))
        return None

    def _pop_waiting(self) -> Start | None:
        for pool, waiting in self._waiting.items():
            if not self._session.places.seconds_until_look(pool) and self._session.places.take(pool, waiting[0][1].step):
                start = heapq.heappop(waiting)[1]
                if not waiting:
                    del self._waiting[pool]
                return start
        return None

    @property
    def seconds_to_wait(self) -> float | None:
        """The time until the next delay is over, or a full pool is to be asked again; None where nothing waits."""
        times = [self._session.places.seconds_until_look(pool) for pool in self._waiting]
        if self._delayed:
            times.append(max(0.0, self._delayed[0][0] - time.monotonic()))
        return min(times, default=None)


def _conclude(session: RunSession, state: RunState, step: Step, outcome: StepOutcome) -> Iterable[Instruction]:
    """Record how an attempt ended, and ask what is next."""
    if step.definition.pool is not None:
        session.places.give_back(step.definition.pool, step.key)
    session.record(*outcome.events)
    error = outcome.error
    if outcome.fresh:
        session.record(session.event("STEP_UP_TO_DATE", step, message="up to date"))
        return state.up_to_date(step)
    if error is None:
        session.record(session.event("STEP_SUCCESS", step, message=_no_output(step, outcome)))
        return state.succeeded(step, outcome.missing)
    delay = _retry_delay(step, state.attempt(step), error)
    if delay is None:
        session.record_failure(step, error)
        return state.failed(step)
    message = f"{error_line(error)}; attempt {state.attempt(step) + 1} in {delay:g} s"
    session.record(session.event("STEP_UP_FOR_RETRY", step, message=message))
    return state.retry(step, delay)


def _no_output(step: Step, outcome: StepOutcome) -> str | None:
    if not outcome.missing:
        return None
    return "no output" if len(outcome.missing) == len(step.outputs) else f"no output for {user_strings(outcome.missing)}"


def _retry_delay(step: Step, attempt: int, error: BaseException) -> float | None:
    """The seconds to wait before the next attempt; None where the step has failed for good."""
    if step.definition.graph is not None and isinstance(error, RetryRequested):
        return None  # by an op, which was run again as often as it asked for
    return retry_delay(step.definition.retry_policy, attempt, error, random.random())
