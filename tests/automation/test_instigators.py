from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Callable
from datetime import datetime, timedelta
from functools import partial
from pathlib import Path

import pytest

from tests.servers.database import Database
from warehouse_assets import (
    AddDynamicPartitionsRequest,
    DefaultScheduleStatus,
    Definitions,
    DynamicPartitionsDefinition,
    Instance,
    RunRequest,
    ScheduleDefinition,
    SensorDefinition,
    SensorResult,
    asset,
    define_asset_job,
    schedule,
    sensor,
)
from warehouse_assets.automation.evaluation import TickAnswer, TickRequest, evaluate_here
from warehouse_assets.automation.instigators import Instigator, InstigatorDuty, instigators_of, started, stopped
from warehouse_assets.events import CodeLocation
from warehouse_assets.instance.postgresql import PostgreSQLEventLog

pytestmark = pytest.mark.semantics(32)

HERE = CodeLocation("shop", "assets.py", "/srv/shop")
HOUR = 3600.0


@asset
def orders() -> None: ...


class Daemon:
    """The duty of one daemon, with a clock that is moved by hand."""

    def __init__(self, definitions: Definitions, instance: Instance) -> None:
        self.now = 0.0
        self.said: list[str] = []
        self.instance = instance
        self.instigators = list(instigators_of(definitions, HERE))
        self.evaluated: list[TickRequest] = []
        here = partial(evaluate_here, definitions, HERE, instance)

        def evaluate(location: CodeLocation, request: TickRequest) -> TickAnswer:
            self.evaluated.append(request)
            return here(request)

        self.duty = InstigatorDuty(instance, lambda: self.instigators, evaluate, clock=lambda: self.now, say=self.said.append)

    def named(self, name: str) -> Instigator:
        return next(one for one in self.instigators if one.declared.name == name)

    def at(self, now: float) -> None:
        """One round at this time."""
        self.now = now
        self.duty.round(now)
        self.duty.wait()


@pytest.fixture
def daemon_of(instance: Instance) -> Callable[..., Daemon]:
    def build(*schedules: ScheduleDefinition, sensors: tuple[SensorDefinition, ...] = (), on: Instance = instance) -> Daemon:
        daemon = Daemon(Definitions([orders], schedules=schedules, sensors=sensors), on)
        for one in daemon.instigators:
            started(on, one, 0.0)
        return daemon

    return build


def run_keys(instance: Instance) -> list[str | None]:
    return [run.run_key for run in instance.get_runs()][::-1]


class TestSchedules:
    def test_each_tick_makes_one_run_that_waits(self, daemon_of: Callable[..., Daemon], instance: Instance) -> None:
        job = define_asset_job("nightly", tags={"team": "shop"})
        daemon = daemon_of(ScheduleDefinition("hourly", cron_schedule="0 * * * *", job=job, execution_timezone="Asia/Kolkata"))

        for now in (0, 1800, 1801, 3600, 5400, 5401, 9000):
            daemon.at(now)

        runs = instance.get_runs()[::-1]
        assert [run.run_key for run in runs] == ["shop:hourly:1800", "shop:hourly:5400", "shop:hourly:9000"]
        assert {(run.status, run.job_name, run.location, run.asset_keys) for run in runs} == {
            ("QUEUED", "nightly", HERE, (orders.key,))
        }
        assert runs[0].tags == {
            "team": "shop",
            "warehouse_assets/schedule_name": "hourly",
            "warehouse_assets/scheduled_execution_time": "1970-01-01T06:00:00+05:30",
        }
        ticks = instance.event_log.get_ticks()
        assert [(tick.scheduled, tick.status, tick.run_ids) for tick in ticks] == [
            (float(run.run_key.rpartition(":")[2]), "SUCCESS", (run.run_id,)) for run in runs[::-1] if run.run_key
        ]

    def test_one_that_is_off_does_nothing_and_begins_where_it_is_switched_on(
        self, daemon_of: Callable[..., Daemon], instance: Instance
    ) -> None:
        daemon = daemon_of(ScheduleDefinition("hourly", cron_schedule="0 * * * *", target="*", missed="all"))
        one = daemon.named("hourly")

        assert stopped(instance, one)
        assert not stopped(instance, one)
        daemon.at(5 * HOUR)
        assert started(instance, one, 5.5 * HOUR)
        assert not started(instance, one, 5.5 * HOUR)
        daemon.at(6 * HOUR)

        assert run_keys(instance) == ["shop:hourly:21600"]

    def test_one_that_is_declared_to_be_on_begins_with_the_first_round(self, instance: Instance) -> None:
        on = DefaultScheduleStatus.RUNNING
        one = ScheduleDefinition("hourly", cron_schedule="0 * * * *", target="*", default_status=on, missed="all")
        daemon = Daemon(Definitions([orders], schedules=[one]), instance)

        for now in (5.5 * HOUR, 6 * HOUR):
            daemon.at(now)

        assert run_keys(instance) == ["shop:hourly:21600"]

    def test_missed_ticks_follow_the_policy(self, daemon_of: Callable[..., Daemon], instance: Instance) -> None:
        daemon = daemon_of(
            ScheduleDefinition("latest", cron_schedule="0 * * * *", target="*"),
            ScheduleDefinition("every", cron_schedule="0 * * * *", target="*", missed="all"),
            ScheduleDefinition("none", cron_schedule="0 * * * *", target="*", missed="skip"),
        )

        daemon.at(3.5 * HOUR)

        assert sorted(key for key in run_keys(instance) if key) == [
            "shop:every:10800",
            "shop:every:3600",
            "shop:every:7200",
            "shop:latest:10800",
        ]
        assert [tick.skip_message for tick in instance.event_log.get_ticks("shop:none")] == ["3 ticks were missed"]

    def test_one_that_raises_fails_its_own_tick_alone(self, daemon_of: Callable[..., Daemon], instance: Instance) -> None:
        @schedule("0 * * * *", target="*")
        def broken(context):
            raise SystemExit(f"no data for {context.scheduled_execution_time:%H}")

        @schedule("0 * * * *", target="*")
        def impossible():
            yield RunRequest("fine")
            yield RunRequest("bad", asset_selection=["nothing"])

        daemon = daemon_of(broken, impossible, ScheduleDefinition("sound", cron_schedule="0 * * * *", target="*"))

        daemon.at(HOUR)

        assert run_keys(instance) == ["shop:sound:3600"]
        ticks = {tick.origin: tick for tick in instance.event_log.get_ticks()}
        broke, refused = ticks["shop:broken"], ticks["shop:impossible"]
        assert (broke.status, broke.error and broke.error.message) == ("FAILURE", "no data for 01")
        assert refused.status == "FAILURE"
        assert refused.error is not None
        assert "nothing" in refused.error.message
        assert sorted(said.partition(": ")[0] for said in daemon.said) == [
            "schedule shop:broken",
            "schedule shop:impossible",
            "schedule shop:sound",
        ]

    def test_run_keys_are_run_once_ever(self, daemon_of: Callable[..., Daemon], instance: Instance) -> None:
        @schedule("0 * * * *", target="*")
        def daily(context):
            return [RunRequest(f"{context.scheduled_execution_time:%d}"), RunRequest()]

        daemon = daemon_of(daily)

        for hour in range(1, 4):
            daemon.at(hour * HOUR)

        assert run_keys(instance) == ["shop:daily:01", "shop:daily:3600/1", "shop:daily:7200/1", "shop:daily:10800/1"]


class TestSensors:
    def test_it_is_evaluated_no_more_often_than_it_wants(self, daemon_of: Callable[..., Daemon], instance: Instance) -> None:
        @sensor(target="*", minimum_interval_seconds=60)
        def files(context):
            context.update_cursor(str(int(context.cursor or 0) + 1))
            return RunRequest(run_key=context.cursor)

        daemon = daemon_of(sensors=(files,))

        for now in (100, 130, 159, 160, 219, 220):
            daemon.at(now)

        assert run_keys(instance) == ["shop:files:1", "shop:files:2", "shop:files:3"]
        assert [request.last_tick for request in daemon.evaluated] == [None, 100.0, 160.0]

    def test_a_cursor_stays_where_an_evaluation_fails(self, daemon_of: Callable[..., Daemon], instance: Instance) -> None:
        @sensor(target="*", minimum_interval_seconds=1)
        def files(context):
            context.update_cursor((context.cursor or "") + "x")
            yield RunRequest(run_key=context.cursor)
            if len(instance.event_log.get_ticks()) == 1:
                raise RuntimeError("the disk is gone")

        daemon = daemon_of(sensors=(files,))

        for now in (10, 20, 30):
            daemon.at(now)

        assert run_keys(instance) == ["shop:files:x", "shop:files:xx"]
        assert [(tick.status, tick.cursor) for tick in instance.event_log.get_ticks()] == [
            ("SUCCESS", "xx"),
            ("FAILURE", "x"),
            ("SUCCESS", "x"),
        ]

    def test_dynamic_partitions_are_there_before_the_runs_of_them(self, instance: Instance) -> None:
        @asset(partitions_def=DynamicPartitionsDefinition(name="files"))
        def landed() -> None: ...

        @sensor(target="landed")
        def files():
            return SensorResult(
                [RunRequest("a", partition_key="a.csv")],
                dynamic_partitions_requests=[AddDynamicPartitionsRequest("files", ["a.csv"])],
            )

        daemon = Daemon(Definitions([landed], sensors=[files]), instance)
        started(instance, daemon.named("files"), 0.0)

        daemon.at(100)

        assert [run.tags["warehouse_assets/partition"] for run in instance.get_runs()] == ["a.csv"]

    def test_one_that_hangs_holds_up_none_but_itself(self, daemon_of: Callable[..., Daemon], instance: Instance) -> None:
        released = threading.Event()

        @sensor(target="*", minimum_interval_seconds=1)
        def hangs():
            released.wait(30)

        @sensor(target="*", minimum_interval_seconds=1)
        def works(context):
            context.update_cursor(str(int(context.cursor or 0) + 1))

        daemon = daemon_of(sensors=(hangs, works))
        for now in (10, 20, 30):
            daemon.now = now
            daemon.duty.round(now)
            daemon.duty._under_way["shop:works"].result()
        before = [(request.name, request.scheduled) for request in daemon.evaluated]
        released.set()
        daemon.duty.wait()

        assert sorted(before) == [("hangs", 10), ("works", 10), ("works", 20), ("works", 30)]
        assert instance.event_log.get_instigator("shop:works").cursor == "3"  # type: ignore[union-attr]


def moments(one: ScheduleDefinition, start: datetime, stop: datetime) -> list[float]:
    return [float(tick) for tick in one.ticks_between(start.timestamp(), stop.timestamp())]


@pytest.mark.parametrize("record", ["sqlite", "postgresql"])
@pytest.mark.parametrize(("day", "hours"), [("2024-03-31", 23), ("2024-10-27", 25)], ids=["spring", "autumn"])
def test_two_daemons_across_a_clock_change_evaluate_each_tick_once(
    record: str, day: str, hours: int, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    """Both work all the time, without the lease; their clocks run through the two days around the change, and are set back at times."""
    if record == "postgresql":
        database: Database = request.getfixturevalue("postgres")
        instances = [Instance(PostgreSQLEventLog(database.url)) for _ in range(2)]
    else:
        instances = [Instance.local(tmp_path) for _ in range(2)]
    zone = {"target": "*", "execution_timezone": "Europe/Berlin", "missed": "all"}
    crons = {"hourly": "0 * * * *", "half": "*/30 * * * *", "night": "30 2 * * *", "twice": "15 1,2,3 * * *"}
    schedules = [ScheduleDefinition(name, cron_schedule=cron, **zone) for name, cron in crons.items()]  # type: ignore[arg-type]
    daemons = [Daemon(Definitions([orders], schedules=schedules), one) for one in instances]
    start = datetime.fromisoformat(f"{day}T00:00+00:00") - timedelta(hours=12)
    stop = start + timedelta(hours=36)
    for one in daemons[0].instigators:
        started(instances[0], one, start.timestamp())

    def work(daemon: Daemon, step: float) -> None:
        now = start.timestamp()
        for number in range(int(36 * HOUR / step)):
            daemon.at(now - (HOUR if number % 7 == 3 else 0))
            now += step
        daemon.at(stop.timestamp())

    threads = [threading.Thread(target=work, args=pair) for pair in zip(daemons, (1700.0, 2300.0), strict=True)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    runs = Counter(run.run_key for run in instances[0].get_runs())
    expected = [f"shop:{one.name}:{moment:.0f}" for one in schedules for moment in moments(one, start, stop)]
    ticks = Counter(f"{tick.origin}:{tick.scheduled:.0f}" for tick in instances[1].event_log.get_ticks())
    on_the_day = [m for m in moments(schedules[0], start, stop) if schedules[0].local_time(m).date().isoformat() == day]
    for instance in instances:
        instance.close()
    assert runs == Counter(expected)
    assert ticks == Counter(expected)
    assert len(on_the_day) == hours
