"""The promises of an event log about runs that wait and about what automation remembers, as a part of its contract."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import Any

import pytest

from warehouse_assets.automation_records import Backfill, InstigatorState, PoolSlot, Tick
from warehouse_assets.errors import InstanceError
from warehouse_assets.events import CodeLocation, ErrorInfo, Event, RunRecord
from warehouse_assets.instance import EventLog, RunFilter
from warehouse_assets.keys import AssetKey
from warehouse_assets.metadata import MetadataValue

__all__ = ["AutomationContract"]

HOSTILE = "it's \"a\"/\\ 'name'; -- 表\0 🦆"


def waiting(name: str, run_key: str | None = None, **more: Any) -> RunRecord:
    """A run that waits to be started."""
    return RunRecord(name, "QUEUED", 1.0, run_key=run_key, **more)


def tick(origin: str = "main:hourly", scheduled: float = 3600.0, **more: Any) -> Tick:
    """A tick that went well."""
    return Tick(origin, "schedule", scheduled, "SUCCESS", scheduled + 1, scheduled + 2, **more)


def state(version: int = 0, origin: str = "main:hourly", cursor: str | None = None) -> InstigatorState:
    """The state of a schedule that is on."""
    return InstigatorState(origin, "schedule", "RUNNING", cursor, 3600.0, version)


def at_once(times: int, call: Callable[[int], Any]) -> list[Any]:
    """What the call answers to many threads at once."""
    with ThreadPoolExecutor(times) as pool:
        return list(pool.map(call, range(times)))


def names(runs: list[RunRecord]) -> list[str]:
    """The ids of runs."""
    return [run.run_id for run in runs]


class AutomationContract:
    """What every event log promises of waiting runs and of automation; the fixture `log` is that of the contract."""

    # Runs

    def test_a_run_comes_back_whole(self, log: EventLog) -> None:
        place = CodeLocation(HOSTILE, "assets.py", "/srv/été", python=None)
        keys = (AssetKey(["a/b", "c"]),)
        run = waiting("r1", HOSTILE, tags={HOSTILE: HOSTILE}, asset_keys=keys, config={"ops": {"x": 1}}, location=place)

        log.add_run(run)

        assert log.get_run("r1") == run

    def test_runs_whose_keys_are_taken_are_left_out(self, log: EventLog) -> None:
        log.add_run(waiting("r1", "mon"))

        added = log.add_runs([waiting("r2", "mon"), waiting("r3", "tue"), waiting("r4", "tue"), waiting("r5"), waiting("r6")])

        assert names(added) == ["r3", "r5", "r6"]
        assert names(log.get_runs()) == ["r6", "r5", "r3", "r1"]
        assert [len(log.add_runs([waiting(HOSTILE + n, HOSTILE)])) for n in "ab"] == [1, 0]
        assert [(event.event_type, event.run_id) for event in log.get_events()] == [
            ("RUN_ENQUEUED", name) for name in ("r3", "r5", "r6", HOSTILE + "a")
        ]

    def test_runs_keep_the_status_that_they_are_added_with(self, log: EventLog) -> None:
        log.add_runs([waiting("r1"), RunRecord("r2", "STARTING", 1.0)])

        assert [(run.run_id, run.status) for run in log.get_runs()] == [("r2", "STARTING"), ("r1", "QUEUED")]

    def test_no_runs_are_no_change(self, log: EventLog) -> None:
        assert log.add_runs([]) == []
        assert log.get_events() == []

    def test_a_key_that_is_taken_is_an_error_for_a_single_run(self, log: EventLog) -> None:
        log.add_run(waiting("r1", "mon"))

        with pytest.raises(InstanceError, match="the key 'mon' is recorded already"):
            log.add_run(waiting("r2", "mon"))

        assert names(log.get_runs()) == ["r1"]

    def test_of_runs_of_which_one_is_known_none_is_added(self, log: EventLog) -> None:
        log.add_run(waiting("r1"))

        with pytest.raises(InstanceError, match="'r1' is recorded already"):
            log.add_runs([waiting("r2"), waiting("r1", "mon")])

        assert names(log.get_runs()) == ["r1"]
        assert names(log.add_runs([waiting("r3", "mon")])) == ["r3"]

    def test_of_threads_that_add_one_key_one_has_its_way(self, log: EventLog) -> None:
        added = at_once(8, lambda n: log.add_runs([waiting(f"r{n}", "mon"), waiting(f"s{n}", "tue")]))

        assert len([run for runs in added for run in runs]) == 2
        assert {run.run_key for run in log.get_runs()} == {"mon", "tue"}

    def test_runs_are_found_by_tag_job_and_key(self, log: EventLog) -> None:
        log.add_run(waiting("r1", "mon", tags={"team": "sales", "day": "1"}, job_name="daily"))
        log.add_run(waiting("r2", "tue", tags={"team": "sales", "day": "2"}))
        log.add_run(waiting("r3", tags={"team": HOSTILE, HOSTILE: ""}, job_name="daily"))

        found = [
            RunFilter(tags={"team": "sales"}),
            RunFilter(tags={"team": "sales", "day": "2"}),
            RunFilter(tags={"team": HOSTILE, HOSTILE: ""}),
            RunFilter(tags={"day": "sales"}),
            RunFilter(job_name="daily"),
            RunFilter(run_keys=["tue", "mon", HOSTILE]),
            RunFilter(run_keys=[]),
            RunFilter(["QUEUED"], "daily", {"day": "1"}, ["mon"]),
        ]

        assert [names(log.get_runs(where)) for where in found] == [
            ["r2", "r1"], ["r2"], ["r3"], [], ["r3", "r1"], ["r2", "r1"], [], ["r1"],
        ]  # fmt: skip

    def test_runs_are_counted_by_status(self, log: EventLog) -> None:
        log.add_runs([waiting("r1"), waiting("r2"), waiting("r3")])
        log.store_events([Event("RUN_STARTING", "r1", 2.0), Event("RUN_START", "r2", 2.0), Event("RUN_CANCELING", "r3", 2.0)])
        log.add_run(waiting("r4"))

        assert log.get_run_counts() == {"CANCELING": 1, "QUEUED": 1, "STARTED": 1, "STARTING": 1}

    def test_events_are_stored_only_while_the_run_has_the_status(self, log: EventLog) -> None:
        log.add_run(waiting("r1"))
        starting, start = Event("RUN_STARTING", "r1", 2.0), Event("RUN_START", "r1", 3.0)

        stored = [
            log.store_events_if("r1", ["STARTED"], [start]),
            log.store_events_if("r1", ["QUEUED", "STARTED"], [starting]),
            log.store_events_if("r1", ["QUEUED"], [starting]),
            log.store_events_if("r1", ["STARTING"], []),
            log.store_events_if("elsewhere", ["QUEUED"], [start]),
        ]

        assert stored == [False, True, False, True, False]
        assert [event.event_type for event in log.get_events()] == ["RUN_STARTING"]
        assert log.get_run("r1") == replace(waiting("r1"), status="STARTING")

    def test_of_threads_that_take_a_run_one_has_it(self, log: EventLog) -> None:
        log.add_run(waiting("r1"))

        taken = at_once(8, lambda n: log.store_events_if("r1", ["QUEUED"], [Event("RUN_STARTING", "r1", float(n))]))

        assert sorted(taken) == [False] * 7 + [True]
        assert len(log.get_events()) == 1

    def test_a_heartbeat_is_kept(self, log: EventLog) -> None:
        log.add_runs([waiting("r1"), waiting("r2"), waiting(HOSTILE)])

        log.heartbeat(["r1", HOSTILE, "elsewhere"], 7.5)
        log.heartbeat([], 9.0)

        assert [run.heartbeat for run in log.get_runs()] == [7.5, None, 7.5]

    # Instigators and ticks

    def test_a_state_is_stored_where_it_was_made_from_the_one_kept(self, log: EventLog) -> None:
        first = [log.set_instigator(state(version)) for version in (1, 0, 0)]
        second = [log.set_instigator(state(version, cursor=HOSTILE)) for version in (0, 2, 1, 1)]
        other = log.set_instigator(replace(state(), origin=HOSTILE, kind="sensor", status="STOPPED", last_scheduled=None))

        assert (first, second, other) == ([False, True, False], [False, False, True, False], True)
        assert log.get_instigator("main:hourly") == state(2, cursor=HOSTILE)
        assert log.get_instigator("main:daily") is None
        assert log.get_instigators() == [InstigatorState(HOSTILE, "sensor", "STOPPED", None, None, 1), state(2, cursor=HOSTILE)]

    def test_a_tick_is_stored_with_its_runs(self, log: EventLog) -> None:
        log.add_run(waiting("r0", "mon"))
        error = ErrorInfo("ValueError", HOSTILE, "Traceback …", {"day": MetadataValue.int(31)})

        first = log.commit_tick(tick(), state(), [waiting("r1", "mon"), waiting("r2", "tue")])
        second = log.commit_tick(
            replace(tick(), status="SKIPPED", skip_message="no files", cursor=HOSTILE), state(1, cursor=HOSTILE)
        )
        third = log.commit_tick(replace(tick("main:other"), status="FAILURE", error=error), state(origin="main:other"))

        assert first is not None
        assert second is not None
        assert third is not None
        assert (first.run_ids, second.run_ids, third.error) == (("r2",), (), error)
        assert log.get_ticks() == [third, second, first]
        assert log.get_ticks("main:hourly") == [second, first]
        assert log.get_ticks(limit=1) == [third]
        assert log.get_ticks(before=second.tick_id) == [first]
        assert log.get_instigator("main:hourly") == state(2, cursor=HOSTILE)
        assert [event.run_id for event in log.get_events()] == ["r2"]

    def test_a_tick_that_another_was_faster_with_leaves_nothing(self, log: EventLog) -> None:
        log.set_instigator(state())

        lost = log.commit_tick(tick(), state(), [waiting("r1", "mon")])

        assert (lost, log.get_ticks(), log.get_runs(), log.get_events()) == (None, [], [], [])

    def test_a_tick_whose_runs_cannot_be_added_leaves_nothing(self, log: EventLog) -> None:
        log.add_run(waiting("r1"))
        log.set_instigator(state())

        with pytest.raises(InstanceError, match="'r1' is recorded already"):
            log.commit_tick(tick(), state(1), [waiting("r2"), waiting("r1")])

        assert (log.get_ticks(), names(log.get_runs()), log.get_instigator("main:hourly")) == ([], ["r1"], state(1))

    def test_of_threads_that_commit_one_tick_one_has_its_way(self, log: EventLog) -> None:
        committed = at_once(8, lambda n: log.commit_tick(tick(), state(), [waiting(f"r{n}", f"key {n}")]))

        assert len([one for one in committed if one is not None]) == 1
        assert [one.run_ids for one in log.get_ticks()] == [tuple(names(log.get_runs()))]

    # Backfills

    def test_a_backfill_is_stored_where_it_was_made_from_the_one_kept(self, log: EventLog) -> None:
        asked = Backfill("b1", "REQUESTED", 1.0, body={"keys": [HOSTILE], "done": {"n": 0}})

        stored = [
            log.put_backfill(asked),
            log.put_backfill(asked),
            log.put_backfill(replace(asked, status="STARTED", version=1), [waiting("r1", "b1:mon"), waiting("r2", "b1:mon")]),
            log.put_backfill(replace(asked, status="FAILED", version=1), [waiting("r3", "b1:tue")]),
            log.put_backfill(Backfill("b2", "COMPLETED", 2.0, 3.0)),
        ]

        kept = replace(asked, status="STARTED", version=2)
        other = Backfill("b2", "COMPLETED", 2.0, 3.0, version=1)
        assert stored == [True, False, True, False, True]
        assert [log.get_backfill(name) for name in ("b1", "b2", "b3")] == [kept, other, None]
        assert log.get_backfills() == [other, kept]
        assert log.get_backfills(statuses=["STARTED", "FAILED"]) == [kept]
        assert log.get_backfills(limit=1) == [other]
        assert names(log.get_runs()) == ["r1"]

    def test_a_backfill_whose_runs_cannot_be_added_stays_as_it_was(self, log: EventLog) -> None:
        log.add_run(waiting("r1"))
        log.put_backfill(Backfill("b1", "REQUESTED", 1.0))

        with pytest.raises(InstanceError, match="'r1' is recorded already"):
            log.put_backfill(Backfill("b1", "STARTED", 1.0, version=1), [waiting("r1")])

        assert log.get_backfill("b1") == Backfill("b1", "REQUESTED", 1.0, version=1)

    # Pools and leases

    def test_a_pool_holds_as_many_as_its_limit(self, log: EventLog) -> None:
        claimed = [
            log.claim_slot("db", 2, "r1", "a", 1.0),
            log.claim_slot("db", 2, "r1", "b", 2.0),
            log.claim_slot("db", 2, "r2", "a", 3.0),
            log.claim_slot("db", 2, "r1", "a", 4.0),
            log.claim_slot(HOSTILE, 1, "r2", HOSTILE, 5.0),
            log.claim_slot("db", 0, "r3", "a", 6.0),
        ]

        assert claimed == [True, True, False, True, True, False]
        assert log.get_slots("db") == [PoolSlot("db", "r1", "a", 1.0), PoolSlot("db", "r1", "b", 2.0)]

        log.free_slots("r1", "b")

        assert log.claim_slot("db", 2, "r2", "a", 7.0)

        log.free_slots("r1")
        log.free_slots("r9", "a")

        assert log.get_slots() == [PoolSlot(HOSTILE, "r2", HOSTILE, 5.0), PoolSlot("db", "r2", "a", 7.0)]

    def test_threads_never_fill_a_pool_over_its_limit(self, log: EventLog) -> None:
        claimed = at_once(8, lambda n: log.claim_slot("db", 3, f"r{n}", "a", float(n)))

        assert sorted(claimed) == [False] * 5 + [True] * 3
        assert len(log.get_slots("db")) == 3

    def test_limits_of_pools_are_kept(self, log: EventLog) -> None:
        for pool, limit in [("db", 3), (HOSTILE, 1), ("db", 2), ("api", 5), ("api", None), ("none", None)]:
            log.set_pool_limit(pool, limit)

        assert log.get_pool_limits() == {HOSTILE: 1, "db": 2}

    def test_a_lease_is_held_by_one_until_it_runs_out(self, log: EventLog) -> None:
        taken = [
            log.take_lease("daemon", "ann", 0.0, 10.0),
            log.take_lease("daemon", "bob", 5.0, 10.0),
            log.take_lease("daemon", "ann", 8.0, 10.0),
            log.take_lease("daemon", "bob", 17.9, 10.0),
            log.take_lease("daemon", "bob", 18.0, 10.0),
            log.take_lease("other", "ann", 18.0, 10.0),
        ]
        log.release_lease("daemon", "ann")
        taken.append(log.take_lease("daemon", "ann", 19.0, 10.0))
        log.release_lease("daemon", "bob")
        taken.append(log.take_lease("daemon", "ann", 19.0, 10.0))
        owners = [log.get_lease_owner("daemon", now) for now in (28.9, 29.0)]

        assert taken == [True, False, True, False, True, True, False, True]
        assert (owners, log.get_lease_owner("nothing", 1.0)) == (["ann", None], None)

    def test_of_threads_that_take_a_lease_one_has_it(self, log: EventLog) -> None:
        assert sum(at_once(8, lambda n: log.take_lease("daemon", f"d{n}", 0.0, 10.0))) == 1
