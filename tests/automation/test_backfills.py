from __future__ import annotations

import os
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import pytest

from warehouse_assets import (
    AllPartitionMapping,
    AssetDep,
    AssetIn,
    AssetKey,
    AssetMaterialization,
    BackfillPolicy,
    DailyPartitionsDefinition,
    Instance,
    MultiPartitionsDefinition,
    PartitionKeyRange,
    StaticPartitionsDefinition,
    TimeWindowPartitionMapping,
    WeeklyPartitionsDefinition,
    asset,
)
from warehouse_assets.automation.backfill_body import BACKFILL_TAG, BackfillBody
from warehouse_assets.automation.backfill_plan import Unit
from warehouse_assets.automation.backfill_requests import (
    WhichPartitions,
    cancel_backfill,
    get_backfill,
    request_backfill,
    resume_backfill,
)
from warehouse_assets.automation.backfills import Backfills
from warehouse_assets.automation_records import Backfill
from warehouse_assets.errors import (
    InvalidInvocationError,
    InvalidSelectionError,
    PartitionNotFoundError,
    RunNotFoundError,
)
from warehouse_assets.events import PARTITION_TAG, Event, RunRecord
from warehouse_assets.graph.asset_graph import AssetGraph

DAYS = DailyPartitionsDefinition("2024-01-01", end_date="2024-01-15")
REGIONS = StaticPartitionsDefinition(["eu", "us", 'o"x;y'])


class World:
    """A record, and runs that end as they are told to."""

    def __init__(self, graph: AssetGraph) -> None:
        self.graph = graph
        self.instance = Instance.ephemeral()
        self.made: list[Unit] = []
        self.units: dict[str, Unit] = {}
        self.backfills = Backfills(graph, self.instance, self.make_run)

    def make_run(self, unit: Unit, body: BackfillBody, tags: Mapping[str, str], run_key: str) -> RunRecord:
        self.units[run_key] = unit
        tags = {**tags, PARTITION_TAG: unit.partition_key} if unit.partition_key else tags
        return RunRecord(os.urandom(8).hex(), "QUEUED", time.time(), tags=tags, asset_keys=unit.asset_keys, run_key=run_key)

    def start(self, selection: Any = None, which: WhichPartitions | None = None, **options: Any) -> Backfill:
        return request_backfill(self.graph, self.instance, selection, which, now=time.time(), **options)

    def advance(self, backfill: Backfill) -> Backfill:
        return self.backfills.advance(get_backfill(self.instance, backfill.backfill_id), time.time())

    def queued(self) -> list[tuple[str, tuple[str | None, ...]]]:
        """What waits: the assets and partitions of each run, in the order in which they were asked for."""
        return [self.shown(run) for run in reversed(self.instance.get_runs(statuses="QUEUED"))]

    def shown(self, run: RunRecord) -> tuple[str, tuple[str | None, ...]]:
        unit = self.units[str(run.run_key)]
        return "+".join(key.to_user_string() for key in unit.asset_keys), unit.partitions

    def end(self, run: RunRecord, *, fails: bool = False) -> None:
        events = [Event("RUN_FAILURE" if fails else "RUN_SUCCESS", run.run_id, time.time())]
        if not fails:
            unit = self.units[str(run.run_key)]
            events[:0] = [
                Event("ASSET_MATERIALIZATION", run.run_id, time.time(), data=AssetMaterialization(key, partition=partition))
                for key in unit.asset_keys
                for partition in unit.partitions
            ]
        self.instance.store_events(events)

    def finish(
        self, backfill: Backfill, fails: Callable[[tuple[str, tuple[str | None, ...]]], bool] = lambda _: False
    ) -> tuple[Backfill, list[list[tuple[str, tuple[str | None, ...]]]]]:
        """Rounds until it is over, and what each of them asked for."""
        rounds = []
        for _ in range(200):
            backfill = self.advance(backfill)
            if backfill.ended is not None:
                return backfill, rounds
            rounds.append(self.queued())
            for run in self.instance.get_runs(statuses="QUEUED"):
                self.end(run, fails=fails(self.shown(run)))
        raise AssertionError("it does not end")


def graph_of(*assets: Any) -> AssetGraph:
    return AssetGraph.build(assets)


def counts(backfill: Backfill, name: str) -> dict[str, int]:
    return {what: number for what, number in BackfillBody.of(backfill).progress[name].items() if number}


@asset(partitions_def=DAYS)
def orders() -> int:
    return 1


@asset(partitions_def=DAYS)
def lines(orders: int) -> int:
    return orders


@asset(partitions_def=WeeklyPartitionsDefinition("2023-12-31", end_date="2024-01-21"))
def weeks(lines: int) -> int:
    return lines


@asset
def total(weeks: dict[str, int]) -> int:
    return 1


FIRST_WEEK = WhichPartitions(key_range=PartitionKeyRange("2024-01-05", "2024-01-07"))


def test_assets_that_need_their_own_partition_share_runs_and_others_wait_for_what_they_are_made_from() -> None:
    world = World(graph_of(orders, lines, weeks, total))

    backfill, rounds = world.finish(world.start(which=FIRST_WEEK))

    both = [("orders+lines", (day,)) for day in ("2024-01-05", "2024-01-06", "2024-01-07")]
    assert rounds == [both, [("weeks", ("2023-12-31",)), ("weeks", ("2024-01-07",))], [("total", (None,))]]
    assert (backfill.status, counts(backfill, "weeks")) == ("COMPLETED", {"requested": 2, "done": 2})


def test_a_partition_downstream_begins_as_soon_as_its_own_are_made() -> None:
    world = World(graph_of(orders, lines, weeks))
    backfill = world.advance(world.start(which=FIRST_WEEK))

    for run in world.instance.get_runs(statuses="QUEUED"):
        if world.shown(run)[1] != ("2024-01-07",):
            world.end(run)
    world.advance(backfill)

    assert world.queued() == [("orders+lines", ("2024-01-07",)), ("weeks", ("2023-12-31",))]


def test_what_depends_on_earlier_partitions_of_itself_is_made_one_after_the_other() -> None:
    back = TimeWindowPartitionMapping(start_offset=-1, end_offset=-1)

    @asset(partitions_def=DAYS, ins={"running": AssetIn(partition_mapping=back)})
    def running(running: int | None, orders: int) -> int:
        return 1

    world = World(graph_of(orders, running))

    _, rounds = world.finish(world.start(which=FIRST_WEEK))

    assert [names for names in rounds if any("running" in name for name, _ in names)] == [
        [("orders+running", ("2024-01-05",))],
        [("orders+running", ("2024-01-06",))],
        [("orders+running", ("2024-01-07",))],
    ]


@pytest.mark.parametrize(
    ("policy", "expected"),
    [
        (None, [("2024-01-01",), ("2024-01-02",), ("2024-01-03",), ("2024-01-05",)]),
        (BackfillPolicy.single_run(), [("2024-01-01", "2024-01-02", "2024-01-03"), ("2024-01-05",)]),
        (BackfillPolicy.multi_run(2), [("2024-01-01", "2024-01-02"), ("2024-01-03",), ("2024-01-05",)]),
    ],
    ids=["none", "single run", "multi run"],
)
def test_the_policy_says_how_many_partitions_that_follow_each_other_a_run_makes(
    policy: BackfillPolicy | None, expected: Sequence[tuple[str, ...]]
) -> None:
    @asset(partitions_def=DAYS, backfill_policy=policy)
    def events() -> int:
        return 1

    world = World(graph_of(events))
    days = WhichPartitions(keys=["2024-01-05"], key_range=PartitionKeyRange("2024-01-01", "2024-01-03"))

    world.advance(world.start(which=days))

    assert world.queued() == [("events", days) for days in expected]


def test_a_range_of_several_dimensions_is_a_block_or_single_partitions() -> None:
    both = MultiPartitionsDefinition({"a": StaticPartitionsDefinition(["x", "y"]), "b": StaticPartitionsDefinition(["1", "2"])})

    @asset(partitions_def=both, backfill_policy=BackfillPolicy.single_run())
    def cells() -> int:
        return 1

    world = World(graph_of(cells))
    world.advance(world.start())
    world.advance(world.start(which=WhichPartitions(keys=["x|2", "y|1"])))

    assert world.queued() == [("cells", ("x|1", "x|2", "y|1", "y|2")), ("cells", ("x|2",)), ("cells", ("y|1",))]


def test_no_more_runs_than_allowed_are_open_at_once() -> None:
    world = World(graph_of(orders))
    backfill = world.advance(world.start(max_runs=2))
    first = world.queued()
    world.end(world.instance.get_runs(statuses="QUEUED")[1])

    world.advance(backfill)

    assert (first, world.queued()) == (
        [("orders", ("2024-01-01",)), ("orders", ("2024-01-02",))],
        [("orders", ("2024-01-02",)), ("orders", ("2024-01-03",))],
    )


def test_a_failure_stops_only_what_depends_on_it_and_a_resumed_backfill_makes_what_is_left() -> None:
    world = World(graph_of(orders, lines, weeks, total))
    backfill, _ = world.finish(world.start(which=FIRST_WEEK), fails=lambda shown: shown[1] == ("2024-01-07",))
    before = backfill.status, counts(backfill, "orders"), counts(backfill, "weeks"), counts(backfill, "total")

    resume_backfill(world.instance, backfill.backfill_id, time.time())
    backfill, rounds = world.finish(backfill)

    assert before == (
        "FAILED",
        {"requested": 3, "done": 2, "failed": 1},
        {"requested": 2, "done": 1, "waiting": 1},
        {"requested": 1, "waiting": 1},
    )
    assert rounds == [[("orders+lines", ("2024-01-07",))], [("weeks", ("2024-01-07",))], [("total", (None,))]]
    assert (backfill.status, counts(backfill, "orders")) == ("COMPLETED", {"requested": 3, "done": 3})


def test_a_resumed_backfill_makes_only_the_assets_of_a_run_that_it_did_not_make() -> None:
    world = World(graph_of(orders, lines))
    backfill = world.advance(world.start(which=WhichPartitions(keys=["2024-01-03"])))
    (run,) = world.instance.get_runs(statuses="QUEUED")
    made = AssetMaterialization(AssetKey("orders"), partition="2024-01-03")
    world.instance.store_events(
        [Event("ASSET_MATERIALIZATION", run.run_id, 1.0, data=made), Event("RUN_FAILURE", run.run_id, 1.0)]
    )
    world.advance(backfill)

    resume_backfill(world.instance, backfill.backfill_id, time.time())
    backfill, rounds = world.finish(backfill)

    assert (rounds, backfill.status) == ([[("lines", ("2024-01-03",))]], "COMPLETED")


def test_a_canceled_backfill_takes_back_what_is_queued_and_waits_for_what_stops() -> None:
    world = World(graph_of(orders))
    backfill = world.advance(world.start(max_runs=2))
    running, queued = world.instance.get_runs(statuses="QUEUED")
    world.instance.store_events([Event("RUN_START", running.run_id, 1.0)])

    canceling = cancel_backfill(world.instance, backfill.backfill_id, 2.0)
    statuses = [world.instance.get_run_record(run.run_id).status for run in (running, queued)]
    waiting = world.advance(backfill)
    world.instance.store_events([Event("RUN_CANCELED", running.run_id, 3.0)])
    canceled = world.advance(backfill)

    assert (canceling.status, statuses, waiting.status) == ("CANCELING", ["CANCELING", "CANCELED"], "CANCELING")
    assert (canceled.status, counts(canceled, "orders")) == ("CANCELED", {"requested": 14, "canceled": 14})
    assert world.queued() == []


def test_a_canceled_backfill_can_be_resumed_and_others_that_are_over_or_go_on_are_left_alone() -> None:
    world = World(graph_of(orders))
    backfill = world.start()
    with pytest.raises(InvalidInvocationError, match="goes on: requested"):
        resume_backfill(world.instance, backfill.backfill_id, time.time())
    assert cancel_backfill(world.instance, backfill.backfill_id, 1.0).status == "CANCELED"
    with pytest.raises(InvalidInvocationError, match="is over: canceled"):
        cancel_backfill(world.instance, backfill.backfill_id, 1.0)

    resume_backfill(world.instance, backfill.backfill_id, time.time())
    done, _ = world.finish(backfill)

    assert (done.status, counts(done, "orders")) == ("COMPLETED", {"requested": 14, "done": 14})
    with pytest.raises(InvalidInvocationError, match="is complete"):
        resume_backfill(world.instance, backfill.backfill_id, time.time())


def test_two_daemons_ask_for_each_run_once() -> None:
    world = World(graph_of(orders, lines, weeks))
    other = Backfills(world.graph, world.instance, world.make_run)
    backfill = world.start(max_runs=3)

    for _ in range(40):
        known = get_backfill(world.instance, backfill.backfill_id)
        for daemon in (world.backfills, other):  # both decide by the same version
            backfill = daemon.advance(known, 1.0)
        assert len(world.instance.get_runs(statuses="QUEUED")) <= 3
        if backfill.ended is not None:
            break
        world.end(world.instance.get_runs(statuses="QUEUED")[0])
    runs = [world.shown(run) for run in world.instance.get_runs(tags={BACKFILL_TAG: backfill.backfill_id})]

    assert (backfill.status, len(runs), len(set(runs))) == ("COMPLETED", 17, 17)


def test_a_daemon_that_begins_anew_goes_on_where_the_other_was_killed() -> None:
    world = World(graph_of(orders, lines, weeks))
    backfill = world.start(max_runs=4)

    for _ in range(40):
        world.backfills = Backfills(world.graph, world.instance, world.make_run)
        backfill = world.advance(backfill)
        if backfill.ended is not None:
            break
        for run in world.instance.get_runs(statuses="QUEUED"):
            world.end(run)

    assert (backfill.status, len(world.instance.get_runs())) == ("COMPLETED", 17)


def test_changed_code_lets_what_runs_end_and_plans_the_rest_anew() -> None:
    world = World(graph_of(orders, lines))
    backfill = world.advance(world.start(which=FIRST_WEEK, max_runs=1))
    (run,) = world.instance.get_runs(statuses="QUEUED")

    @asset(partitions_def=DAYS, backfill_policy=BackfillPolicy.single_run(), name="lines")
    def together(orders: int) -> int:
        return orders

    world.graph = graph_of(orders, together)
    world.backfills = Backfills(world.graph, world.instance, world.make_run)
    waits = world.advance(backfill)
    world.end(run)
    done, rounds = world.finish(backfill)

    assert (waits.version, done.status) == (backfill.version, "COMPLETED")
    assert rounds == [
        [("orders", ("2024-01-06",))],
        [("orders", ("2024-01-07",))],
        [("lines", ("2024-01-06", "2024-01-07"))],
    ]


def test_an_asset_that_is_gone_fails_the_backfill_with_the_reason() -> None:
    world = World(graph_of(orders, lines))
    backfill = world.start(which=FIRST_WEEK)
    world.backfills = Backfills(graph_of(orders), world.instance, world.make_run)

    failed = world.advance(backfill)

    assert (failed.status, BackfillBody.of(failed).error) == (
        "FAILED",
        "InvalidSelectionError: the asset 'lines' is not there any more",
    )


def test_only_what_is_missing_or_failed_is_made() -> None:
    world = World(graph_of(orders))
    done, _ = world.finish(world.start(which=FIRST_WEEK), fails=lambda shown: shown[1] == ("2024-01-06",))

    missing = world.start(which=WhichPartitions(missing=True))
    failed = world.start(which=WhichPartitions(failed=True))
    world.advance(failed)

    assert (done.status, counts(missing, "orders")) == ("FAILED", {"requested": 12, "waiting": 12})
    assert world.queued() == [("orders", ("2024-01-06",))]


def test_keys_are_mapped_upstream_and_hostile_ones_stay_apart() -> None:
    @asset(partitions_def=REGIONS)
    def regional() -> int:
        return 1

    @asset(
        partitions_def=StaticPartitionsDefinition(["a", "b"]),
        deps=[AssetDep("regional", partition_mapping=AllPartitionMapping())],
    )
    def letters() -> int:
        return 1

    world = World(graph_of(regional, letters))
    _, upstream = world.finish(world.start(which=WhichPartitions(keys=["b"], of="letters")))
    _, one = world.finish(world.start("regional", WhichPartitions(keys=['o"x;y'])))

    assert upstream == [[("regional", ("eu",)), ("regional", ("us",)), ("regional", ('o"x;y',))], [("letters", ("b",))]]
    assert one == [[("regional", ('o"x;y',))]]


def test_what_cannot_be_meant_is_refused_with_a_hint() -> None:
    @asset(partitions_def=REGIONS)
    def regional() -> int:
        return 1

    world = World(graph_of(orders, regional, total, weeks, lines))
    with pytest.raises(InvalidSelectionError, match="not partitioned alike"):
        world.start(which=WhichPartitions(keys=["eu"]))
    with pytest.raises(InvalidSelectionError, match=r"'regional' has .* nothing says which"):
        world.start(which=WhichPartitions(keys=["2024-01-03"], of="orders"))
    with pytest.raises(InvalidSelectionError, match="no selected asset is partitioned"):
        world.start("total", WhichPartitions(keys=["eu"]))
    with pytest.raises(PartitionNotFoundError, match="no partition 'asia'"):
        world.start("regional", WhichPartitions(keys=["asia"]))
    with pytest.raises(InvalidSelectionError, match="no partition that failed"):
        world.start(which=WhichPartitions(failed=True))
    with pytest.raises(InvalidInvocationError, match="max_runs is 0"):
        world.start(max_runs=0)
    with pytest.raises(RunNotFoundError, match="no backfill with the id 'nope'"):
        get_backfill(world.instance, "nope")
    assert world.instance.event_log.get_backfills() == []


def test_a_hundred_thousand_partitions_take_a_small_body_and_little_work() -> None:
    hundred_thousand = StaticPartitionsDefinition([f"k{number}" for number in range(100_000)])

    @asset(partitions_def=hundred_thousand)
    def many() -> int:
        return 1

    @asset(partitions_def=hundred_thousand, deps=[AssetDep("many", partition_mapping=AllPartitionMapping())])
    def after_all() -> int:
        return 1

    @asset(partitions_def=hundred_thousand, deps=["many"])
    def beside() -> int:
        return 1

    world = World(graph_of(many, after_all, beside))

    backfill = world.start(which=WhichPartitions(missing=True))
    for _ in range(20):
        backfill = world.advance(backfill)
        for run in world.instance.get_runs(statuses="QUEUED"):
            world.end(run)

    assert len(repr(backfill.body)) < 2_000
    assert counts(backfill, "beside") == {"requested": 100_000, "waiting": 99_000, "in_progress": 50, "done": 950}
