from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from warehouse_assets import (
    AssetKey,
    AssetMaterialization,
    AutomationCondition,
    AutomationConditionSensorDefinition,
    Config,
    DailyPartitionsDefinition,
    DefaultSensorStatus,
    Definitions,
    Instance,
    asset,
)
from warehouse_assets.automation.conditions import ConditionDuty, ConditionSensor, condition_sensors, sensor_of
from warehouse_assets.automation_records import InstigatorState
from warehouse_assets.errors import InvalidDefinitionError, InvalidSelectionError
from warehouse_assets.events import CodeLocation, Event, RunRecord

LOCATION = CodeLocation("shop", "shop.py", "/srv/shop")
NOON = dt.datetime(2024, 3, 10, 12, tzinfo=dt.UTC).timestamp()
DAILY = DailyPartitionsDefinition("2024-03-01")
EAGER = AutomationCondition.eager()


def table(name: str, *deps: str, **options: Any) -> Any:
    @asset(name=name, deps=deps, **options)
    def made() -> None: ...

    return made


SHOP = (
    table("orders"),
    table("clean", "orders", automation_condition=EAGER),
    table("report", "clean", automation_condition=EAGER),
    table("days", partitions_def=DAILY),
    table("hours", "days", partitions_def=DAILY, automation_condition=EAGER),
    table("copy", "days", partitions_def=DAILY, automation_condition=EAGER),
)


def turned_on(instance: Instance, definitions: Definitions) -> list[ConditionSensor]:
    sensors = condition_sensors(definitions, LOCATION, instance)
    for sensor in sensors:
        if sensor.state.version == 0:
            instance.event_log.set_instigator(replace(sensor.state, status="RUNNING"))
    return sensors


def made(instance: Instance, *names: str, partition: str | None = None) -> None:
    for name in names:
        instance.report_runless_asset_event(AssetMaterialization(AssetKey(name), partition=partition))


def finished(instance: Instance, run: RunRecord) -> None:
    """Record that a run has made its assets."""
    done = [Event("ASSET_MATERIALIZATION", run.run_id, NOON, data=AssetMaterialization(key)) for key in run.asset_keys]
    instance.store_events([*done, Event("RUN_SUCCESS", run.run_id, NOON)])


def test_what_is_requested_together_is_one_run_for_each_partition() -> None:
    with Instance.ephemeral() as instance:
        [sensor] = turned_on(instance, Definitions(SHOP))
        ticks = [sensor.round(NOON)]
        made(instance, "orders")
        made(instance, "days", partition="2024-03-09")
        ticks += [sensor.round(NOON + 30), sensor.round(NOON + 60), sensor.round(NOON + 90)]
        runs = instance.get_runs()

        assert [tick and (tick.status, len(tick.run_ids)) for tick in ticks] == [
            ("SKIPPED", 0),
            ("SUCCESS", 2),
            ("SKIPPED", 0),
            None,
        ]
        assert [(run.status, *map(str, map(AssetKey.to_user_string, run.asset_keys))) for run in reversed(runs)] == [
            ("QUEUED", "clean", "report"),
            ("QUEUED", "hours", "copy"),
        ]
        assert [run.tags for run in reversed(runs)] == [
            {"warehouse_assets/sensor_name": "default_automation_condition_sensor"},
            {
                "warehouse_assets/sensor_name": "default_automation_condition_sensor",
                "warehouse_assets/partition": "2024-03-09",
            },
        ]
        assert [(run.location, run.run_key) for run in reversed(runs)] == [
            (LOCATION, f"shop:default_automation_condition_sensor:3:{number}") for number in range(2)
        ]


def test_a_sensor_is_off_until_it_is_turned_on_and_rests_for_its_interval() -> None:
    calm = AutomationConditionSensorDefinition(
        "calm", "clean", minimum_interval_seconds=600, default_status=DefaultSensorStatus.RUNNING
    )
    with Instance.ephemeral() as instance:
        sensors = condition_sensors(Definitions(SHOP, sensors=[calm]), LOCATION, instance)
        ticks = [[sensor.round(NOON + seconds) for sensor in sensors] for seconds in (0, 599, 601)]
        made(instance, "orders")
        ticks.append([sensor.round(NOON + 1202) for sensor in sensors])

        assert [sensor.origin for sensor in sensors] == ["shop:calm", "shop:default_automation_condition_sensor"]
        assert [[tick and tick.status for tick in both] for both in ticks] == [
            ["SKIPPED", None],
            [None, None],
            [None, None],
            ["SUCCESS", None],
        ]


@pytest.mark.semantics(32)
def test_two_daemons_ask_for_each_run_once(tmp_path: Path) -> None:
    definitions = Definitions(SHOP)
    with Instance.local(tmp_path) as one, Instance.local(tmp_path) as other, ThreadPoolExecutor(2) as threads:
        duties = [ConditionDuty(partial(turned_on, each, definitions)) for each in (one, other)]
        for number in range(8):
            list(threads.map(ConditionDuty.round, duties, [NOON + 60 * number] * 2))
            for run in one.get_runs(statuses="QUEUED"):
                finished(one, run)
            made(one, "orders")

        assert [sorted(key.path[-1] for key in run.asset_keys) for run in one.get_runs()] == [["clean", "report"]] * 7
        assert sum(len(tick.run_ids) for tick in one.event_log.get_ticks()) == 7


def test_a_daemon_that_begins_anew_goes_on_where_the_last_one_stopped(tmp_path: Path) -> None:
    definitions = Definitions(SHOP)
    requested = []
    for number in range(4):
        with Instance.local(tmp_path) as instance:
            [sensor] = turned_on(instance, definitions)
            tick = sensor.round(NOON + number)
            requested.append(len(tick.run_ids) if tick is not None else None)
            if number == 0:
                made(instance, "orders")

    assert requested == [0, 1, 0, None]


def test_what_cannot_run_is_told_and_does_not_keep_the_rest_from_running() -> None:
    class Sizes(Config):
        rows: int

    @asset(deps=["orders"], automation_condition=EAGER, partitions_def=DailyPartitionsDefinition("2020-01-01"))
    def needs_config(config: Sizes) -> None: ...

    with Instance.ephemeral() as instance:
        [sensor] = turned_on(instance, Definitions([*SHOP, needs_config]))
        sensor.round(NOON)
        made(instance, "orders")
        tick = sensor.round(NOON + 30)
        assert tick is not None
        assert tick.error is not None

        assert (tick.status, len(tick.run_ids), "needs_config" in tick.error.message) == ("FAILURE", 1, True)
        assert [tick and tick.status for tick in (sensor.round(NOON + 60), sensor.round(NOON + 90))] == ["SKIPPED", None]


def test_a_condition_that_cannot_be_evaluated_is_a_failed_tick_that_changes_nothing() -> None:
    broken = EAGER.ignore("key:nothing_like_it")
    with Instance.ephemeral() as instance:
        [sensor] = turned_on(instance, Definitions([table("orders"), table("b", "orders", automation_condition=broken)]))
        tick = sensor.round(NOON)
        assert tick is not None
        assert tick.error is not None

        assert (tick.status, "nothing_like_it" in tick.error.message) == ("FAILURE", True)
        assert sensor.state.cursor is None


def test_a_cursor_that_cannot_be_read_says_so() -> None:
    with Instance.ephemeral() as instance:
        [sensor] = condition_sensors(Definitions(SHOP), LOCATION, instance)
        ticks = []
        for text in ("nonsense", "[]", '{"version":99}'):
            state = sensor.state
            assert instance.event_log.set_instigator(
                InstigatorState(state.origin, "automation", "RUNNING", text, version=state.version)
            )
            ticks.append(sensor.round(NOON + 60 * len(ticks)))

        assert [tick.error.message.partition("\n")[0] for tick in ticks if tick is not None and tick.error is not None] == [
            "the cursor of the automation conditions cannot be read: 'nonsense'",
            "the cursor of the automation conditions cannot be read: '[]'",
            "the cursor of the automation conditions is of version 99, and this release reads 1. Upgrade warehouse-assets.",
        ]


def test_the_number_of_queries_does_not_grow_with_the_assets(tmp_path: Path) -> None:
    counts = []
    for size in (3, 60):
        shop = [table("a0"), *(table(f"a{n}", f"a{n // 2}", automation_condition=EAGER) for n in range(1, size))]
        with Instance.local(tmp_path / str(size)) as instance:
            [sensor] = turned_on(instance, Definitions(shop))
            sensor.round(NOON)
            made(instance, "a0")
            statements: list[str] = []

            def count(*args: Any, found: list[str] = statements) -> None:
                found.append(args[2])

            engine = instance.event_log._engine  # type: ignore[attr-defined]
            sa.event.listen(engine, "before_cursor_execute", count)
            sensor.evaluate(NOON + 30)
            counts.append(len(statements))

    assert counts[0] == counts[1]


def test_what_was_wiped_is_known_after_a_while_and_what_is_made_at_once() -> None:
    wanted = AutomationCondition.newly_missing()
    with Instance.ephemeral() as instance:
        [sensor] = turned_on(instance, Definitions([table("orders", automation_condition=wanted)]))
        asked = [sensor.evaluate(NOON).requested]
        sensor.round(NOON)
        made(instance, "orders")
        sensor.round(NOON + 30)
        instance.wipe(["orders"])
        for seconds in (60, 299, 330, 360):
            tick = sensor.round(NOON + seconds)
            asked.append(tick is not None and tick.run_ids != ())

    assert asked == [{AssetKey("orders"): frozenset((None,))}, False, False, True, False]


def test_the_sensor_of_an_asset() -> None:
    definitions = Definitions(SHOP)
    with Instance.ephemeral() as instance:
        sensors = condition_sensors(definitions, LOCATION, instance)

        assert sensor_of(AssetKey("clean"), sensors, definitions.graph) is sensors[0]
        with pytest.raises(InvalidSelectionError, match="the asset 'orders' has no automation condition"):
            sensor_of(AssetKey("orders"), sensors, definitions.graph)


@pytest.mark.parametrize(
    ("declare", "message"),
    [
        (lambda: AutomationCondition.on_cron("61 * * * *"), "the automation condition: the cron schedule '61 \\* \\* \\* \\*'"),
        (lambda: AutomationCondition.on_cron("@daily", "Europe/Berln"), "time zone 'Europe/Berln' is not known"),
        (lambda: AutomationCondition.cron_tick_passed(5), "cron schedule '5' cannot be used"),  # type: ignore[arg-type]
        (lambda: AutomationCondition.in_latest_time_window(dt.timedelta(0)), "the lookback_delta is"),
        (lambda: EAGER & "eager", "'eager' is not an AutomationCondition"),  # type: ignore[operator]
        (lambda: EAGER.without(AutomationCondition.missing()), "the condition 'eager' has no part 'missing'"),
        (lambda: AutomationCondition.missing().ignore("x"), "the condition 'missing' asks nothing of tables upstream"),
        (lambda: table("x", automation_condition="eager"), "asset 'x': automation_condition is 'eager', not an"),
        (lambda: AutomationConditionSensorDefinition("a b"), "sensor 'a b'"),
    ],
    ids=["cron", "zone", "type", "lookback", "and", "without", "ignore", "asset", "sensor"],
)
def test_faults_are_told_where_they_are_declared(declare: Callable[[], Any], message: str) -> None:
    with pytest.raises(InvalidDefinitionError, match=message) as caught:
        declare()

    assert f"{__file__}:" in str(caught.value)


def test_conditions_are_values() -> None:
    same = AutomationCondition.missing() & ~AutomationCondition.in_progress()

    assert same == AutomationCondition.missing() & ~AutomationCondition.in_progress()
    assert EAGER.without(AutomationCondition.in_latest_time_window()) != EAGER
    assert {EAGER, AutomationCondition.eager()} == {EAGER}
    replaced = EAGER.replace("any_deps_updated", AutomationCondition.missing())
    assert replaced.text.count("missing") > EAGER.text.count("missing")
    assert EAGER.with_label("mine").text == EAGER.text
