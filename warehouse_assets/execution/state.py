"""How a run goes on: told what happened, it says what to do next. Pure: no clock, no threads, no storage.

Every step is started once for each attempt, and is looked at once for each step upstream of it, so a run takes time linear in the
number of steps and dependencies.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass
from typing import Literal, TypeAlias

from warehouse_assets.execution.plan import Plan, Step
from warehouse_assets.keys import AssetKey

__all__ = ["Instruction", "RunState", "Skip", "Start", "StepStatus"]

StepStatus: TypeAlias = Literal["waiting", "running", "retrying", "success", "no_output", "fresh", "failure", "skipped"]


@dataclass(frozen=True, slots=True)
class Start:
    """Run this step, after `delay` seconds; `attempt` counts from 1."""

    step: Step
    attempt: int = 1
    delay: float = 0.0


@dataclass(frozen=True, slots=True)
class Skip:
    """Do not run this step; `because` is the step upstream that made no table, or not the one that is `missing`."""

    step: Step
    because: Step
    missing: AssetKey | None = None


Instruction: TypeAlias = "Start | Skip"


class RunState:
    """The state of each step of one run."""

    __slots__ = ("_attempts", "_missing", "open", "plan", "status")

    def __init__(self, plan: Plan) -> None:
        self.plan = plan
        self.status: list[StepStatus] = ["waiting"] * len(plan.steps)
        self.open = len(plan.steps)
        self._missing = [len(step.upstream) for step in plan.steps]
        self._attempts: dict[int, int] = {}

    def start(self) -> Iterator[Instruction]:
        """The instructions with which the run begins."""
        for step in self.plan.steps:
            if not step.upstream:
                self.status[step.index] = "running"
                yield Start(step)

    def succeeded(self, step: Step, missing: Collection[AssetKey] = (), *, status: StepStatus = "success") -> list[Instruction]:
        """A step ended well. What depends on a `missing` output, one that it did not make, is skipped."""
        if missing and len(missing) == len(step.outputs):
            self._close(step, "no_output")
            return list(self._skip(step.downstream, step))
        self._close(step, status)
        ready: list[Instruction] = []
        for key in missing:
            ready += self._skip(step.consumers[key], step, key)
        for index in step.downstream:
            self._missing[index] -= 1
            if not self._missing[index] and self.status[index] == "waiting":
                self.status[index] = "running"
                ready.append(Start(self.plan.steps[index]))
        return ready

    def up_to_date(self, step: Step) -> list[Instruction]:
        """A step did not have to run: its tables are as they would be made."""
        return self.succeeded(step, status="fresh")

    def failed(self, step: Step) -> list[Instruction]:
        """A step failed for good: what depends on it is skipped, and nothing else."""
        self._close(step, "failure")
        return list(self._skip(step.downstream, step))

    def retry(self, step: Step, delay: float) -> list[Instruction]:
        """A step failed and runs again."""
        self.status[step.index] = "retrying"
        self._attempts[step.index] = self.attempt(step) + 1
        return [Start(step, self._attempts[step.index], delay)]

    def attempt(self, step: Step) -> int:
        """How often the step was started, at least 1."""
        return self._attempts.get(step.index, 1)

    def steps_with(self, *statuses: StepStatus) -> list[Step]:
        """The steps in one of these states, in the plan's order."""
        return [step for step, status in zip(self.plan.steps, self.status, strict=True) if status in statuses]

    def _close(self, step: Step, status: StepStatus) -> None:
        self.status[step.index] = status
        self.open -= 1

    def _skip(self, indexes: Iterable[int], because: Step, missing: AssetKey | None = None) -> Iterator[Instruction]:
        """Skip these steps, and all that is downstream of them."""
        pending = list(indexes)
        for index in pending:
            if self.status[index] == "waiting":
                step = self.plan.steps[index]
                self._close(step, "skipped")
                pending += step.downstream
                yield Skip(step, because, missing)
