"""The promises of an event log to processes that want the same thing at once, as a part of its contract."""

from __future__ import annotations

import multiprocessing
from collections.abc import Callable
from typing import Any

from warehouse_assets.events import Event
from warehouse_assets.instance import EventLog
from warehouse_assets.testing.automation_events import state, tick, waiting

__all__ = ["RivalProcessesContract"]


class RivalProcessesContract:
    """What an event log outside of the process promises to rivals; the fixtures `log` and `open_log` are those of the contract."""

    def test_of_processes_that_want_the_same_one_has_it(self, log: EventLog, open_log: Callable[[], EventLog]) -> None:
        log.add_run(waiting("r1"))
        spawn = multiprocessing.get_context("spawn")
        barrier, queue = spawn.Barrier(3), spawn.SimpleQueue()
        rivals = [spawn.Process(target=_want_the_same, args=(open_log, barrier, queue, n)) for n in range(3)]
        for rival in rivals:
            rival.start()
        told = [queue.get() for _ in rivals]
        for rival in rivals:
            rival.join()

        assert [sum(column) for column in zip(*told, strict=True)] == [1, 1, 2, 20, 20]
        assert sorted(run.run_key or "" for run in log.get_runs()) == sorted(
            ["", *(f"{kind} {n}" for kind in ("key", "tick") for n in range(20))]
        )
        assert [len(one.run_ids) for one in log.get_ticks()] == [1] * 20
        assert log.get_instigator("main:hourly") == state(20)
        assert len(log.get_slots("db")) == 2


def _want_the_same(open_log: Callable[[], EventLog], barrier: Any, queue: Any, number: int) -> None:
    log = open_log()
    barrier.wait()
    won = [
        log.store_events_if("r1", ["QUEUED"], [Event("RUN_STARTING", "r1", 1.0)]),
        log.take_lease("daemon", f"d{number}", 0.0, 10.0),
        log.claim_slot("db", 2, f"r{number}", "a", 0.0),
        sum(len(log.add_runs([waiting(f"{n} of {number}", f"key {n}")])) for n in range(20)),
        sum(bool(log.commit_tick(tick(), state(n), [waiting(f"{n} by {number}", f"tick {n}")])) for n in range(20)),
    ]
    queue.put(won)
    log.close()
