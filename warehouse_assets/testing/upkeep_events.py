"""The promises of an event log about its age and size, as a part of its contract."""

from __future__ import annotations

from dataclasses import replace

import pytest

from warehouse_assets.automation_records import Backfill, InstigatorState, Tick
from warehouse_assets.errors import InstanceError
from warehouse_assets.events import (
    DATA_VERSION_TAG,
    AssetCheckEvaluation,
    AssetMaterialization,
    AssetObservation,
    Event,
    EventType,
    RunRecord,
    RunStatus,
)
from warehouse_assets.instance import EventFilter, EventLog
from warehouse_assets.instance.upkeep import BACKFILL_TAG, Pruned
from warehouse_assets.keys import AssetKey
from warehouse_assets.metadata import MetadataValue

__all__ = ["UpkeepContract"]

MADE: EventType = "ASSET_MATERIALIZATION"
SEEN: EventType = "ASSET_OBSERVATION"
ORDERS, HOSTILE = AssetKey(["staging", "orders"]), AssetKey(["a/b", "it's \"%\\ null'; -- 表\0"])
NOW = 1_000.0


def made(key: AssetKey, partition: str | None = None, *, run_id: str = "", at: float = 0.0) -> Event:
    """A table was made; its metadata looks like a body that has no partition."""
    return Event(MADE, run_id, at, data=AssetMaterialization(key, partition=partition, metadata=_MISLEADING))


def seen(key: AssetKey, partition: str | None = None, version: str | None = None) -> Event:
    """A table was observed, and told the version of its data or not."""
    tags = {} if version is None else {DATA_VERSION_TAG: version}
    return Event(SEEN, "", 0.0, data=AssetObservation(key, partition=partition, tags=tags))


def checked(name: str, partition: str | None = None) -> Event:
    """A check was evaluated."""
    return Event("ASSET_CHECK_EVALUATION", "", 0.0, data=AssetCheckEvaluation(ORDERS, name, True, partition=partition))


def run(run_id: str, status: RunStatus = "SUCCESS", ended: float | None = 1.0, **more: object) -> RunRecord:
    """A run that ended long ago."""
    return replace(RunRecord(run_id, status, 0.0, 0.5, ended), **more)  # type: ignore[arg-type]


def kept(log: EventLog) -> list[int | None]:
    """The ids of the events that there are."""
    return [event.storage_id for event in log.get_events()]


_MISLEADING = {"json": MetadataValue.json({"partition": None})}


class UpkeepContract:
    """What every event log promises of being counted and pruned; the fixture `log` is that of the contract."""

    def test_what_is_old_is_forgotten(self, log: EventLog) -> None:
        log.add_run(run("old", tags={"team": "sales"}))
        log.add_run(run("young", ended=NOW))
        log.store_events([Event("LOG", "old", 0.0), Event("LOG", "young", 0.0), Event("LOG", "", 0.0), Event("LOG", "", NOW)])

        would = log.prune(NOW, dry_run=True)
        before = log.get_runs(), kept(log)
        did = log.prune(NOW)

        assert before[0] == log.get_runs() + [run("old", tags={"team": "sales"})]
        assert before[1] == [1, 2, 3, 4]
        assert (would, did) == (Pruned(events=2, runs=1), Pruned(events=2, runs=1))
        assert kept(log) == [2, 4]
        assert log.get_events(EventFilter(run_id="old")) == []
        assert log.prune(NOW) == Pruned()

    @pytest.mark.parametrize("key", [ORDERS, HOSTILE], ids=["plain", "hostile"])
    def test_the_latest_of_each_asset_and_partition_is_kept_with_its_run(self, log: EventLog, key: AssetKey) -> None:
        log.add_run(run("r1"))
        log.add_run(run("r2"))
        log.store_events([made(key, run_id="r2"), made(key, "mon", run_id="r1"), Event("LOG", "r1", 0.0)])
        log.store_events([made(key, "tue", run_id="r2"), made(key, "mon\0", run_id="r2"), made(key, "mon", run_id="r2")])
        asked = [log.get_latest(MADE, [key], part) for part in (None, "mon", "tue")], log.get_latest_by_partition(MADE, [key])

        pruned = [log.prune(NOW, dry_run=True), log.prune(NOW)]

        assert pruned == [Pruned(events=2, runs=1)] * 2
        assert kept(log) == [1, 4, 5, 6]
        assert [log.get_latest(MADE, [key], part) for part in (None, "mon", "tue")] == asked[0]
        assert log.get_latest_by_partition(MADE, [key]) == asked[1]
        assert [one.run_id for one in log.get_runs()] == ["r2"]

    def test_the_latest_version_that_was_observed_is_kept(self, log: EventLog) -> None:
        log.store_events([seen(ORDERS, None, "1"), seen(ORDERS, None, "2"), seen(ORDERS), seen(ORDERS)])
        log.store_events(
            [seen(HOSTILE, "mon", "1"), seen(HOSTILE, "tue", "2"), seen(HOSTILE, "mon", "3"), seen(HOSTILE, "mon")]
        )

        pruned = log.prune(NOW)

        assert pruned == Pruned(events=3)
        assert kept(log) == [2, 4, 6, 7, 8]
        latest = log.get_latest(SEEN, [ORDERS, HOSTILE], versioned=True)
        parts = log.get_latest_by_partition(SEEN, [ORDERS, HOSTILE], versioned=True)
        assert [event.storage_id for event in latest.values()] == [2, 7]
        assert {name: event.storage_id for name, event in parts[HOSTILE].items()} == {"mon": 7, "tue": 6}
        assert parts.keys() == {HOSTILE}
        assert log.get_latest_by_partition(SEEN, [HOSTILE], ["tue"], versioned=True)[HOSTILE]["tue"].storage_id == 6
        assert log.get_latest(SEEN, [HOSTILE])[HOSTILE].storage_id == 8

    def test_what_holds_for_all_partitions_is_kept(self, log: EventLog) -> None:
        log.store_events([made(ORDERS), made(ORDERS), made(ORDERS, "mon"), made(ORDERS, "mon"), made(ORDERS, "null")])
        log.store_events([seen(ORDERS, None, "1"), seen(ORDERS), seen(ORDERS, "mon", "2")])

        pruned = [log.prune(NOW, dry_run=True), log.prune(NOW)]

        assert pruned == [Pruned(events=3)] * 2
        assert kept(log) == [2, 4, 5, 6, 8]

    def test_the_latest_evaluation_of_each_check_is_kept(self, log: EventLog) -> None:
        log.store_events([checked("unique"), checked("unique"), checked("fresh"), checked("unique", "mon"), checked("fresh")])

        log.prune(NOW)

        assert kept(log) == [4, 5]

    @pytest.mark.parametrize("status", ["QUEUED", "STARTING", "STARTED", "CANCELING"])
    def test_a_run_that_has_not_ended_is_kept_whole(self, log: EventLog, status: RunStatus) -> None:
        log.add_run(run("r1", status, None))
        log.store_events([Event("LOG", "r1", 0.0), made(ORDERS, run_id="r1"), made(ORDERS)])

        assert log.prune(NOW) == Pruned()
        assert kept(log) == [1, 2, 3]

    def test_a_key_stays_taken_when_its_run_is_gone(self, log: EventLog) -> None:
        log.add_run(run("r1", run_key="mon"))
        log.add_run(run("r2", run_key="tue\0"))

        pruned = log.prune(NOW)
        added = log.add_runs([run("r3", run_key="mon"), run("r4", run_key="tue\0"), run("r5", run_key="wed"), run("r1")])

        assert pruned == Pruned(runs=2)
        assert [one.run_id for one in added] == ["r5", "r1"]
        with pytest.raises(InstanceError, match="the key 'mon'"):
            log.add_run(run("r6", run_key="mon"))

    def test_runs_are_kept_while_their_backfill_is_under_way(self, log: EventLog) -> None:
        log.put_backfill(Backfill("b1", "STARTED", 0.0))
        log.put_backfill(Backfill("b2", "COMPLETED", 0.0, 1.0))
        log.put_backfill(Backfill("b3", "FAILED", 0.0, NOW))
        for name in ("b1", "b2", "b3"):
            log.add_run(run(f"of {name}", tags={BACKFILL_TAG: name}))

        pruned = [log.prune(NOW, dry_run=True), log.prune(NOW)]

        assert pruned == [Pruned(runs=2, backfills=1)] * 2
        assert [one.run_id for one in log.get_runs()] == ["of b1"]
        assert [one.backfill_id for one in log.get_backfills()] == ["b3", "b1"]

    def test_states_and_the_last_ticks_are_kept(self, log: EventLog) -> None:
        for version in range(3):
            tick = Tick("main:hourly", "schedule", 0.0, "SUCCESS", 0.0, 1.0)
            log.commit_tick(tick, InstigatorState("main:hourly", "schedule", "RUNNING", version=version))
        other = log.commit_tick(replace(tick, origin="main:daily"), InstigatorState("main:daily", "schedule", "RUNNING"))
        states, ticks = log.get_instigators(), log.get_ticks()

        pruned = [log.prune(NOW, dry_run=True), log.prune(NOW)]
        after = log.commit_tick(tick, states[1])

        assert pruned == [Pruned(ticks=2)] * 2
        assert log.get_ticks() == [after, other, ticks[1]]
        assert log.get_ticks("main:hourly", before=after.tick_id if after else None) == [ticks[1]]
        assert log.get_instigators() == [states[0], replace(states[1], version=4)]

    def test_ids_go_on_after_what_was_forgotten(self, log: EventLog) -> None:
        log.store_events([Event("LOG", "", 0.0), Event("LOG", "", 0.0)])
        log.prune(NOW)

        log.store_events([Event("LOG", "", 0.0)])

        assert kept(log) == [3]

    def test_what_there_is_is_counted(self, log: EventLog) -> None:
        empty = log.info()
        log.add_run(run("r1"))
        log.add_run(run("r2", "STARTED", None))
        log.store_events([made(ORDERS), made(ORDERS, "mon"), made(HOSTILE), checked("unique"), Event("LOG", "", 0.0)])
        log.commit_tick(Tick("s", "sensor", 0.0, "SKIPPED", 0.0, 1.0), InstigatorState("s", "sensor", "RUNNING"))
        log.put_backfill(Backfill("b1", "STARTED", 0.0))

        info = log.info()

        assert (empty.events, empty.assets, empty.ticks, empty.backfills, empty.runs) == (0, 0, 0, 0, 0)
        assert (info.events, info.assets, info.ticks, info.backfills, info.runs) == (5, 2, 1, 1, 2)
        assert info.run_counts == {"STARTED": 1, "SUCCESS": 1}
        assert (info.kind, info.place) == (empty.kind, empty.place)
