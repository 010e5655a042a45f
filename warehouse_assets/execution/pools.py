"""Places in pools: of the steps that name one pool, no more than its limit run at once, in all runs of one record.

A pool without a limit holds any number. Places of runs that are over, or whose process died, are given back by whoever waits.
"""

from __future__ import annotations

import sys
import time
from typing import TYPE_CHECKING

from warehouse_assets.execution.heartbeat import is_gone

if TYPE_CHECKING:
    from warehouse_assets.automation_records import PoolSlot
    from warehouse_assets.execution.plan import Plan, Step
    from warehouse_assets.execution.session import RunSession

__all__ = ["LOOK_AGAIN_SECONDS", "PoolPlaces", "uses_pools"]

LOOK_AGAIN_SECONDS = 0.5
_FREE_DEAD_SECONDS = 10.0


def uses_pools(plan: Plan) -> bool:
    """Whether a step, or an op of a graph, names a pool."""
    return any(
        step.definition.pool is not None
        or (step.definition.graph is not None and any(node.op.pool for node in step.definition.graph.nodes.values()))
        for step in plan.steps
    )


class PoolPlaces:
    """The places of the steps of one run."""

    def __init__(self, session: RunSession) -> None:
        self._session = session
        self._log = session.instance.event_log
        self._look_again: dict[str, float] = {}
        self._freed: dict[str, float] = {}
        self._told: set[str] = set()

    def seconds_until_look(self, pool: str) -> float:
        """How long a pool that was full is not to be asked again."""
        return max(0.0, self._look_again.get(pool, 0.0) - time.monotonic())

    def take(self, pool: str, step: Step, holder: str | None = None) -> bool:
        """Take a place for a step, or for the op `holder` of it; false where there is none, which the step says once."""
        name = holder or step.key
        limit = self._log.get_pool_limits().get(pool, sys.maxsize)
        run_id = self._session.run.run_id
        if self._log.claim_slot(pool, limit, run_id, name, time.time()):
            return True
        if self._free_dead(pool) and self._log.claim_slot(pool, limit, run_id, name, time.time()):
            return True
        self._look_again[pool] = time.monotonic() + LOOK_AGAIN_SECONDS
        if name not in self._told:
            self._told.add(name)
            held = ", ".join(f"{slot.step_key} of run {slot.run_id}" for slot in self._log.get_slots(pool)[:3])
            text = f"waiting for a place in the pool {pool!r}, which holds {limit}" + (f": {held}" if held else "")
            say = self._session.record if holder is None else self._session.tell  # ops wait in threads of their own
            say(self._session.event("LOG", step, message=text))
        return False

    def wait(self, pool: str, step: Step, holder: str) -> None:
        """Take a place for an op, when there is one."""
        while not self.take(pool, step, holder):
            time.sleep(LOOK_AGAIN_SECONDS)

    def give_back(self, pool: str, name: str) -> None:
        """Give the place of a step or op back."""
        self._log.free_slots(self._session.run.run_id, name)
        self._look_again.pop(pool, None)

    def close(self) -> None:
        """Give all places of the run back."""
        self._log.free_slots(self._session.run.run_id)

    def _free_dead(self, pool: str) -> bool:
        """Give back what runs hold that are over or gone; looked for only now and then."""
        now = time.monotonic()
        if now < self._freed.get(pool, 0.0):
            return False
        self._freed[pool] = now + _FREE_DEAD_SECONDS
        dead = [slot for slot in self._log.get_slots(pool) if self._is_dead(slot)]
        for slot in dead:
            self._log.free_slots(slot.run_id)
        return bool(dead)

    def _is_dead(self, slot: PoolSlot) -> bool:
        if slot.run_id == self._session.run.run_id:
            return False
        run = self._log.get_run(slot.run_id)
        return run is None or is_gone(run, time.time())
