from __future__ import annotations

import datetime as dt
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.automation.condition_world import World
from warehouse_assets import (
    AssetCheckEvaluation,
    AssetCheckSpec,
    AssetKey,
    AssetSpec,
    AutomationCondition,
    DailyPartitionsDefinition,
    DynamicPartitionsDefinition,
    LastPartitionMapping,
    MultiPartitionsDefinition,
    StaticPartitionsDefinition,
    TimeWindowPartitionMapping,
    asset,
    multi_asset,
    observable_source_asset,
)
from warehouse_assets.automation.backfill_body import BackfillBody, written_targets
from warehouse_assets.automation_records import Backfill
from warehouse_assets.graph.partition_links import PartitionLinks

ALL: set[str | None] = {None}
AC = AutomationCondition
DAILY = DailyPartitionsDefinition("2024-03-01")


def table(name: str, *deps: Any, **options: Any) -> Any:
    @asset(name=name, deps=deps, **options)
    def made() -> None: ...

    return made


def of_one(condition: AutomationCondition, **options: Any) -> World:
    """A world of `up` and `down`, which is made from it; `down` has the condition."""
    return World(table("up"), table("down", "up", automation_condition=condition, **options))


# What is asked of the record


def test_missing_until_it_is_made() -> None:
    world = of_one(AC.missing())

    before = [world.tick(), world.tick()]
    world.make("down")

    assert [*before, world.tick()] == [{"down": ALL}, {"down": ALL}, {}]


def test_newly_true_is_true_once_each_time_that_it_becomes_so() -> None:
    world = of_one(AC.missing().newly_true())

    first = [world.tick(), world.tick()]
    world.make("down")
    made = world.tick()
    world.instance.wipe(["down"])

    assert [*first, made, world.tick(), world.tick()] == [{"down": ALL}, {}, {}, {"down": ALL}, {}]


def test_newly_updated_is_what_was_made_since_the_last_evaluation_and_not_before_the_first() -> None:
    world = of_one(AC.newly_updated())
    world.make("down")

    first = world.tick()
    world.make("down")

    assert [first, world.tick(), world.tick()] == [{}, {"down": ALL}, {}]


def test_newly_requested_is_what_the_last_evaluation_asked_for() -> None:
    world = of_one(AC.newly_requested() | AC.newly_updated())
    world.tick()
    world.make("down")

    assert [world.tick(), world.tick()] == [{"down": ALL}, {"down": ALL}]


def test_in_progress_is_what_a_run_is_still_to_make() -> None:
    world = of_one(AC.in_progress())

    before = world.tick()
    run_id = world.start("up", "down")
    during = world.tick()
    world.make("down", run_id=run_id)

    assert [before, during, world.tick()] == [{}, {"down": ALL}, {}]


def test_in_progress_of_one_partition() -> None:
    world = World(table("days", partitions_def=DAILY, automation_condition=AC.execution_in_progress()))
    world.start("days", partition="2024-03-05")

    assert world.tick() == {"days": {"2024-03-05"}}


def test_in_progress_of_what_a_backfill_is_still_to_make() -> None:
    world = World(table("days", partitions_def=DAILY, automation_condition=AC.in_progress()))
    keys = ("2024-03-05", "2024-03-06")
    targets = written_targets({AssetKey("days"): keys}, PartitionLinks(world.graph))
    bodies = (BackfillBody(targets, after=0), BackfillBody([[[["other"]], None]]))
    for number, body in enumerate(bodies):
        assert world.instance.event_log.put_backfill(Backfill(str(number), "STARTED", 0.0, body=body.to_json()))
    before = world.tick()
    world.make("days", partition="2024-03-06")

    assert [before, world.tick()] == [{"days": {*keys}}, {"days": {"2024-03-05"}}]


def test_execution_failed_until_it_is_made() -> None:
    world = of_one(AC.execution_failed())
    run_id = world.start("up", "down")
    world.make("up", run_id=run_id)
    running = world.tick()
    world.end(run_id, failed=True)
    failed = [world.tick(), world.tick()]
    world.run("down")

    assert [running, *failed, world.tick()] == [{}, {"down": ALL}, {"down": ALL}, {}]


def test_code_version_changed_is_true_once() -> None:
    world = of_one(AC.code_version_changed(), code_version="1")
    first = [world.tick(), world.tick()]
    world.graph = of_one(AC.code_version_changed(), code_version="2").graph

    assert [*first, world.tick(), world.tick()] == [{}, {}, {"down": ALL}, {}]


def test_data_version_changed_upstream() -> None:
    world = of_one(AC.any_deps_match(AC.data_version_changed()))
    world.make("up", version="1")
    first = world.tick()
    world.make("up", version="1")
    same = world.tick()
    world.make("up", version="2")

    assert [first, same, world.tick(), world.tick()] == [{}, {}, {"down": ALL}, {}]


def test_initial_evaluation_is_the_first_and_that_after_a_change_of_the_condition() -> None:
    world = of_one(AC.initial_evaluation())
    first = [world.tick(), world.tick()]
    world.graph = of_one(AC.initial_evaluation() & ~AC.in_progress()).graph

    assert [*first, world.tick(), world.tick()] == [{"down": ALL}, {}, {"down": ALL}, {}]


def test_checks_that_passed_and_failed() -> None:
    @asset(check_specs=[AssetCheckSpec("full", asset="up", blocking=True), AssetCheckSpec("late", asset="up")])
    def up() -> None: ...

    conditions = {
        "any_failed": AC.any_deps_match(AC.any_checks_match(AC.check_failed())),
        "all_passed": AC.all_deps_match(AC.all_checks_match(AC.check_passed())),
        "not_failed": AC.all_deps_match(AC.all_checks_match(~AC.check_failed())),
        "blocking": AC.all_deps_blocking_checks_passed(),
    }
    world = World(up, *(table(name, "up", automation_condition=condition) for name, condition in conditions.items()))
    never = world.tick()
    for name, passed in (("full", True), ("late", False)):
        world.instance.report_runless_asset_event(AssetCheckEvaluation(AssetKey("up"), name, passed))

    assert [set(never), set(world.tick())] == [{"not_failed"}, {"any_failed", "blocking"}]


# Clocks


def test_a_cron_tick_passes_once_and_not_before_the_first_evaluation() -> None:
    world = of_one(AC.cron_tick_passed("0 * * * *"))

    assert [world.tick(minutes=passed) for passed in (30, 29, 1, 1, 58, 1, 180)] == [
        {},
        {},
        {"down": ALL},
        {},
        {},
        {"down": ALL},
        {"down": ALL},
    ]


@pytest.mark.semantics(32)
@pytest.mark.parametrize(
    ("start", "times"),
    [
        pytest.param(dt.datetime(2024, 3, 30, 12, tzinfo=dt.UTC), 3, id="the clock jumps over 02:30"),
        pytest.param(dt.datetime(2024, 10, 26, 12, tzinfo=dt.UTC), 3, id="the clock shows 02:30 twice"),
    ],
)
def test_on_cron_is_once_a_day_across_changes_of_the_clock(start: dt.datetime, times: int) -> None:
    world = World(table("report", automation_condition=AC.on_cron("30 2 * * *", "Europe/Berlin")), start=start)
    found = []
    for _ in range(3 * 24 * 4):
        requested = world.tick(minutes=15)
        world.follow(requested)
        found += [requested] * bool(requested)

    assert found == [{"report": ALL}] * times


def test_on_cron_waits_for_all_that_it_is_made_from() -> None:
    world = World(table("a"), table("b"), table("report", "a", "b", automation_condition=AC.on_cron("0 0 * * *")))
    world.run("a", "b")
    before = world.tick(hours=1)
    midnight = world.tick(hours=12)
    world.run("a")
    one = world.tick()
    world.run("b")
    both = world.tick()
    world.follow(both)
    world.run("a", "b")

    assert [before, midnight, one, both, world.tick()] == [{}, {}, {}, {"report": ALL}, {}]


def test_a_chain_on_one_cron_goes_together() -> None:
    daily = AC.on_cron("@daily")
    world = World(
        *(table(name, *deps, automation_condition=daily) for name, deps in {"a": (), "b": ("a",), "c": ("a", "b")}.items())
    )
    world.tick()

    assert world.tick(days=1) == {"a": ALL, "b": ALL, "c": ALL}


@pytest.mark.parametrize(
    ("lookback", "expected"),
    [
        (None, {"2024-03-09"}),
        (dt.timedelta(hours=1), {"2024-03-09"}),
        (dt.timedelta(days=3), {"2024-03-07", "2024-03-08", "2024-03-09"}),
        (dt.timedelta(days=999), {f"2024-03-0{day}" for day in range(1, 10)}),
    ],
    ids=["last", "hour", "days", "all"],
)
def test_the_latest_time_windows(lookback: dt.timedelta | None, expected: set[str]) -> None:
    world = World(table("days", partitions_def=DAILY, automation_condition=AC.in_latest_time_window(lookback)))

    assert world.tick() == {"days": expected}


def test_the_latest_time_window_of_what_is_not_partitioned_by_time_alone() -> None:
    both = MultiPartitionsDefinition({"day": DAILY, "region": StaticPartitionsDefinition(["eu", "us"])})
    static, condition = StaticPartitionsDefinition(["x", "y"]), AC.in_latest_time_window()
    world = World(
        table("static", partitions_def=static, automation_condition=condition),
        table("both", partitions_def=both, automation_condition=condition),
        table("none_yet", partitions_def=DailyPartitionsDefinition("2030-01-01"), automation_condition=condition),
    )

    assert world.tick() == {"static": {"x", "y"}, "both": {"2024-03-09|eu", "2024-03-09|us"}}


# Operators


@settings(max_examples=40)
@given(st.lists(st.sampled_from("abc"), max_size=12))
def test_since_is_whether_the_trigger_came_later_than_the_reset(events: list[str]) -> None:
    a, b = (AC.any_deps_match(AC.newly_updated()).allow(name) for name in "ab")
    world = World(*map(table, "abc"), table("down", "a", "b", "c", automation_condition=a.since(b)))
    world.tick()
    expected, found = False, []
    for name in events:
        world.make(name)
        found.append(bool(world.tick()))
        expected = name == "a" or (expected and name != "b")

        assert found[-1] == expected


def test_where_trigger_and_reset_come_at_once_the_reset_wins() -> None:
    a, b = (AC.any_deps_match(AC.newly_updated()).allow(name) for name in "ab")
    world = World(table("a"), table("b"), table("down", "a", "b", automation_condition=a.since(b)))
    world.tick()
    world.make("a", "b")

    assert world.tick() == {}


def test_and_or_not_are_of_each_partition() -> None:
    static = StaticPartitionsDefinition(["made", "running", "neither"])
    conditions = {
        "both": ~AC.missing() & ~AC.in_progress(),
        "any": AC.in_progress() | ~AC.missing(),
        "none": AC.missing() & ~AC.in_progress(),
    }
    world = World(*(table(name, partitions_def=static, automation_condition=of) for name, of in conditions.items()))
    world.run(*conditions, partition="made")
    world.start(*conditions, partition="running")

    assert world.tick() == {"both": {"made"}, "any": {"made", "running"}, "none": {"neither"}}


def test_what_a_condition_remembers_is_kept_also_where_another_that_it_is_joined_with_is_not_true() -> None:
    world = World(
        table("up"),
        table("down", "up", automation_condition=~AC.any_deps_in_progress() & AC.any_deps_updated().since_last_handled()),
    )
    world.tick()
    world.make("up")
    run_id = world.start("up")
    during = world.tick()
    world.end(run_id)

    assert [during, world.tick(), world.tick()] == [{}, {"down": ALL}, {}]


def test_what_is_made_upstream_right_after_is_not_forgotten_for_what_was_made_before() -> None:
    world = of_one(AC.eager())
    world.tick()
    world.run("up")
    world.follow(world.tick())
    world.now += dt.timedelta(seconds=1)
    world.run("up")
    after = world.tick()
    world.run("up")
    world.now += dt.timedelta(seconds=1)
    world.run("down")

    assert [after, world.tick()] == [{"down": ALL}, {}]


def test_what_is_made_upstream_right_after_a_tick_counts_for_the_day_that_begins() -> None:
    world = World(
        table("up"),
        table("report", "up", automation_condition=AC.on_cron("@daily")),
        start=dt.datetime(2024, 3, 10, 23, 59, tzinfo=dt.UTC),
    )
    world.tick(seconds=1)
    world.run("up")
    world.now = dt.datetime(2024, 3, 11, 0, 0, 5, tzinfo=dt.UTC)
    before = world.tick(seconds=1)
    world.now = dt.datetime(2024, 3, 12, 0, 0, 5, tzinfo=dt.UTC)
    world.run("up")

    assert [before, world.tick(seconds=5)] == [{}, {"report": ALL}]


# What is upstream


@pytest.mark.parametrize(
    ("condition", "expected"),
    [
        pytest.param(AC.any_deps_match(AC.missing()), True, id="any"),
        pytest.param(AC.all_deps_match(AC.missing()), False, id="all"),
        pytest.param(AC.any_deps_match(AC.missing()).ignore("b"), False, id="ignore"),
        pytest.param(AC.any_deps_match(AC.missing()).ignore(["a"]), True, id="ignore another"),
        pytest.param(AC.all_deps_match(AC.missing()).allow("key:b"), True, id="allow"),
        pytest.param(
            (AC.all_deps_match(AC.missing()) | AC.missing()).ignore("a") & AC.all_deps_match(~AC.missing()), False, id="parts"
        ),
    ],
)
def test_any_and_all_of_what_it_is_made_from(condition: AutomationCondition, expected: bool) -> None:
    world = World(table("a"), table("b"), table("down", "a", "b", automation_condition=condition))
    world.make("a")

    assert bool(world.tick()) == expected


def test_what_something_else_fills_is_never_missing_and_is_updated_by_another_data_version() -> None:
    @observable_source_asset
    def files() -> None: ...

    world = World(files, AssetSpec("table"), table("down", "files", "table", "stub", automation_condition=AC.eager()))
    found = [world.tick()]
    for version in ("1", "1", None, "2"):
        world.observe("files", version)
        found.append(world.tick())
        world.follow(found[-1])
    world.tick()
    world.make("table")

    assert [*found, world.tick()] == [{}, {"down": ALL}, {}, {}, {"down": ALL}, {"down": ALL}]


def test_a_partition_is_asked_of_those_that_it_is_made_from() -> None:
    looking_back = TimeWindowPartitionMapping(start_offset=-1)
    from warehouse_assets import AssetDep

    updated = AC.any_deps_match(AC.newly_updated())
    world = World(
        table("days", partitions_def=DAILY),
        table("two_days", AssetDep("days", looking_back), partitions_def=DAILY, automation_condition=updated),
        table("total", "days", automation_condition=updated),
        table("last", AssetDep("days", LastPartitionMapping()), automation_condition=updated),
    )
    world.tick()
    world.make("days", partition="2024-03-05")
    middle = world.tick()
    world.make("days", partition="2024-03-09")

    assert middle == {"two_days": {"2024-03-05", "2024-03-06"}, "total": ALL}
    assert world.tick() == {"two_days": {"2024-03-09"}, "total": ALL, "last": ALL}


def test_conditions_of_tables_further_up() -> None:
    condition = AC.any_deps_match(AC.any_deps_match(AC.newly_updated()))
    world = World(table("a"), table("b", "a"), table("c", "b", automation_condition=condition))
    world.tick()
    world.make("a")

    assert [world.tick(), world.tick()] == [{"c": ALL}, {}]


def test_a_function_that_makes_all_of_its_assets_or_none_is_asked_for_all() -> None:
    spec = AssetSpec("x", automation_condition=AC.missing(), deps=["up"])

    @multi_asset(specs=[spec, AssetSpec("y")])
    def both() -> None: ...

    world = World(both, table("up"))

    assert world.tick() == {"x": ALL, "y": ALL}


# What is ready made


@pytest.mark.semantics(32)
def test_eager_follows_what_it_is_made_from() -> None:
    world = World(
        table("a"), table("b", "a", automation_condition=AC.eager()), table("c", "b", automation_condition=AC.eager())
    )
    first = world.tick()
    world.run("a")
    wanted = world.tick()
    again = world.tick()
    world.run("b", "c")

    assert [first, wanted, again, world.tick(), world.tick()] == [{}, {"b": ALL, "c": ALL}, {}, {}, {}]


def test_eager_waits_for_runs_and_for_what_is_missing() -> None:
    world = World(table("a"), table("other"), table("down", "a", "other", automation_condition=AC.eager()))
    world.tick()
    world.make("a")
    missing = world.tick()
    run_id = world.start("other")
    running = world.tick()
    world.make("other", run_id=run_id)

    assert [missing, running, world.tick()] == [{}, {}, {"down": ALL}]


def test_eager_leaves_a_failed_run_alone_until_something_upstream_is_made_again() -> None:
    world = of_one(AC.eager())
    world.tick()
    run_id = world.start("up", "down")
    world.make("up", run_id=run_id)
    during = world.tick()
    world.end(run_id, failed=True)
    failed = world.tick()
    world.run("up")

    assert [during, failed, world.tick()] == [{}, {}, {"down": ALL}]


def test_eager_makes_the_latest_partition_as_it_comes() -> None:
    world = World(
        table("days", partitions_def=DAILY, automation_condition=AC.eager()),
        table("clean", "days", partitions_def=DAILY, automation_condition=AC.eager()),
    )
    first = world.tick()
    tomorrow = world.tick(days=1)
    world.follow(tomorrow)

    assert [first, tomorrow, world.tick()] == [{}, {"days": {"2024-03-10"}, "clean": {"2024-03-10"}}, {}]


def test_on_missing_leaves_what_was_missing_before_to_people_unless_it_is_told_not_to() -> None:
    new = AC.newly_requested() | AC.newly_updated()
    world = World(
        table("a", automation_condition=AC.on_missing()),
        table("b", automation_condition=AC.on_missing().replace("handled", new)),
    )

    assert [world.tick(), world.tick()] == [{"b": ALL}, {}]


def test_on_missing_makes_dynamic_partitions_as_they_are_added() -> None:
    world = World(
        table("shops", partitions_def=DynamicPartitionsDefinition(name="shops"), automation_condition=AC.on_missing())
    )
    first = world.tick()
    world.instance.add_dynamic_partitions("shops", ["berlin", "paris"])
    added = world.tick()
    world.instance.add_dynamic_partitions("shops", ["rome; drop"])

    assert [first, added, world.tick(), world.tick()] == [{}, {"shops": {"berlin", "paris"}}, {"shops": {"rome; drop"}}, {}]


GRAPHS = st.integers(2, 7).flatmap(
    lambda size: st.tuples(
        st.just(size),
        st.lists(st.tuples(st.integers(0, size - 1), st.integers(0, size - 1)), max_size=12),
        st.lists(st.integers(0, size - 1), min_size=1, max_size=4),
    )
)


@settings(max_examples=30)
@given(GRAPHS, st.booleans())
def test_eager_converges(shape: tuple[int, list[tuple[int, int]], list[int]], is_partitioned: bool) -> None:
    size, edges, made = shape
    options: dict[str, Any] = {"partitions_def": DAILY} if is_partitioned else {}
    deps = {n: {f"t{a}" for a, b in edges if a < b == n} for n in range(size)}
    world = World(*(table(f"t{n}", *sorted(deps[n]), automation_condition=AC.eager(), **options) for n in range(size)))
    world.tick()
    partition = "2024-03-09" if is_partitioned else None
    world.run(*(f"t{n}" for n in range(size)), partition=partition)
    world.tick()
    for n in made:
        world.run(f"t{n}", partition=partition)
        below = {str(key) for key in map(AssetKey.to_user_string, world.graph.downstream([AssetKey(f"t{n}")]))}
        requested = world.tick()

        assert set(requested) == below
        assert world.tick() == {}
        world.follow(requested)
        assert [world.tick(), world.tick()] == [{}, {}]
        assert world.last is not None
        assert world.last.is_quiet
