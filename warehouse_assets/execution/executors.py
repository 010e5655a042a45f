"""Executors: they carry out what the run state says. The only place where threads are made."""

from __future__ import annotations

import heapq
import itertools
import os
import queue
import random
import threading
import time
from abc import ABC, abstractmethod
from collections.abc import Iterable
from typing import TYPE_CHECKING

from warehouse_assets.errors import Failure, InvalidDefinitionError, RetryRequested
from warehouse_assets.execution.state import Instruction, RunState, Skip, Start
from warehouse_assets.execution.step import StepOutcome, execute_step

if TYPE_CHECKING:
    from concurrent.futures import ThreadPoolExecutor

    from warehouse_assets.execution.plan import Step
    from warehouse_assets.execution.session import RunSession

__all__ = ["Executor", "InProcessExecutor", "ThreadExecutor"]


class Executor(ABC):
    """Runs the steps of one session as its state says, until none is open."""

    @abstractmethod
    def execute(self, session: RunSession, state: RunState) -> None:
        """Run all steps; a KeyboardInterrupt leaves the state as it is then."""


class InProcessExecutor(Executor):
    """Runs one step after the other, in the thread that calls it."""

    def execute(self, session: RunSession, state: RunState) -> None:
        todo = _Agenda(session, state.start())
        while (start := todo.pop()) is not None:
            if start.delay:
                time.sleep(max(0.0, start.delay))
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
        from concurrent.futures import ThreadPoolExecutor

        pool = ThreadPoolExecutor(self.max_workers, thread_name_prefix="step")
        work = _ThreadedRun(session, state, pool, self.max_workers)
        try:
            work.run()
        except KeyboardInterrupt:
            work.wind_down()
            raise
        finally:
            pool.shutdown(wait=False, cancel_futures=True)


class _ThreadedRun:
    """The leading thread's view of a run in threads: it alone records, and asks the state what is next."""

    def __init__(self, session: RunSession, state: RunState, pool: ThreadPoolExecutor, width: int) -> None:
        self.session = session
        self.state = state
        self.pool = pool
        self.width = width
        self.todo = _Agenda(session, ())
        self.running: dict[int, Step] = {}
        self.done: queue.SimpleQueue[tuple[Step, StepOutcome] | Start] = queue.SimpleQueue()
        self.delayed = 0

    def run(self) -> None:
        self._take(self.state.start())
        while self.state.open:
            self._start_ready()
            self._conclude_next()
        self.session.flush()

    def wind_down(self) -> None:
        """Wait for the steps that run, and record how they ended."""
        if self.running:
            names = ", ".join(sorted(step.key for step in self.running.values()))
            self.session.log.warning("stopping: waiting for %s; press Ctrl-C again to leave them", names)
        while self.running:
            self._conclude_next()

    def _take(self, instructions: Iterable[Instruction]) -> None:
        for instruction in instructions:
            if isinstance(instruction, Start) and instruction.delay > 0:
                self.delayed += 1
                timer = threading.Timer(instruction.delay, self.done.put, [Start(instruction.step, instruction.attempt)])
                timer.daemon = True
                timer.start()
            else:
                self.todo.push([instruction])

    def _start_ready(self) -> None:
        starts = []
        while len(self.running) < self.width and (start := self.todo.pop()) is not None:
            self.running[start.step.index] = start.step
            self.session.record(self.session.event("STEP_START", start.step))
            starts.append(start)
        self.session.flush()
        for start in starts:
            self.pool.submit(self._work, start)

    def _work(self, start: Start) -> None:
        try:
            outcome = execute_step(self.session, start.step, start.attempt)
        except BaseException as error:  # noqa: BLE001 - the leading thread must hear of it, whatever it is
            outcome = StepOutcome(error=error)
        self.done.put((start.step, outcome))

    def _conclude_next(self) -> None:
        item = self.done.get()
        while True:
            if isinstance(item, Start):
                self.delayed -= 1
                self.todo.push([item])
            else:
                step, outcome = item
                del self.running[step.index]
                self._take(_conclude(self.session, self.state, step, outcome))
            if self.done.empty():
                return
            item = self.done.get()


class _Agenda:
    """Steps that can start, those that stand first in the plan first; skips are recorded as they come."""

    def __init__(self, session: RunSession, instructions: Iterable[Instruction]) -> None:
        self._session = session
        self._heap: list[tuple[int, int, Start]] = []
        self._count = itertools.count()
        self.push(instructions)

    def push(self, instructions: Iterable[Instruction]) -> None:
        for instruction in instructions:
            if isinstance(instruction, Skip):
                message = f"skipped: {instruction.because.key} made no table"
                self._session.record(self._session.event("STEP_SKIPPED", instruction.step, message=message))
            else:
                heapq.heappush(self._heap, (instruction.step.index, next(self._count), instruction))

    def pop(self) -> Start | None:
        return heapq.heappop(self._heap)[2] if self._heap else None


def _conclude(session: RunSession, state: RunState, step: Step, outcome: StepOutcome) -> Iterable[Instruction]:
    """Record how an attempt ended, and ask what is next."""
    session.record(*outcome.events)
    error = outcome.error
    if error is None:
        message = None if outcome.made_output else "no output"
        session.record(session.event("STEP_SUCCESS", step, message=message))
        return state.succeeded(step, made_output=outcome.made_output)
    delay = _retry_delay(step, state.attempt(step), error)
    if delay is None:
        session.record_failure(step, error)
        return state.failed(step)
    message = f"{type(error).__name__}: {error}; attempt {state.attempt(step) + 1} in {delay:g} s"
    session.record(session.event("STEP_UP_FOR_RETRY", step, message=message))
    return state.retry(step, delay)


def _retry_delay(step: Step, attempt: int, error: BaseException) -> float | None:
    """The seconds to wait before the next attempt; None where the step has failed for good."""
    if isinstance(error, RetryRequested):
        return float(error.seconds_to_wait or 0) if attempt <= error.max_retries else None
    policy = step.definition.retry_policy
    if policy is None or attempt > policy.max_retries or (isinstance(error, Failure) and not error.allow_retries):
        return None
    return policy.seconds_before(attempt, random.random())
