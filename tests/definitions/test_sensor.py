from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from warehouse_assets import (
    AssetKey,
    AssetMaterialization,
    ConfigurableResource,
    Definitions,
    Instance,
    RunRequest,
    SensorDefinition,
    SensorResult,
    SkipReason,
    asset,
    asset_sensor,
    build_sensor_context,
    define_asset_job,
    run_failure_sensor,
    run_status_sensor,
    sensor,
)
from warehouse_assets.code_location.loading import load_definitions
from warehouse_assets.errors import InvalidDefinitionError, InvalidInvocationError
from warehouse_assets.events import Event, RunRecord

pytestmark = pytest.mark.semantics(32)


@asset
def orders() -> None: ...


class TestAnswers:
    def test_what_is_yielded_is_asked_for_and_the_cursor_kept(self) -> None:
        @sensor(target="*", tags={"team": "shop"})
        def files(context):
            for name in ("a", "b", "c"):
                if name > (context.cursor or ""):
                    yield RunRequest(run_key=name)
                    context.update_cursor(name)

        answer = files.evaluate_tick(build_sensor_context(cursor="a"))

        assert answer.run_requests == (RunRequest("b", tags={"team": "shop"}), RunRequest("c", tags={"team": "shop"}))
        assert (answer.cursor, answer.skip_message) == ("c", None)

    @pytest.mark.parametrize(
        ("answer", "expected"),
        [
            (None, ((), "it asked for no run", "5")),
            (SkipReason("nothing new"), ((), "nothing new", "5")),
            ([SkipReason("one"), RunRequest("a")], ((RunRequest("a"),), None, "5")),
            (SensorResult([RunRequest("a")], cursor="6"), ((RunRequest("a"),), None, "6")),
            (SensorResult(skip_reason="no"), ((), "no", "5")),
        ],
        ids=["nothing", "skip", "list", "result", "result that skips"],
    )
    def test_it_may_answer_in_several_ways(self, answer: object, expected: object) -> None:
        @sensor(target="*")
        def one():
            return answer

        found = one.evaluate_tick(build_sensor_context(cursor="5"))

        assert (found.run_requests, found.skip_message, found.cursor) == expected

    @pytest.mark.parametrize("answer", [42, "orders", {"ops": {}}])
    def test_any_other_answer_is_an_error(self, answer: object) -> None:
        @sensor(target="*")
        def one():
            return answer

        with pytest.raises(InvalidInvocationError, match="sensor 'one' gave"):
            one.evaluate_tick(build_sensor_context())

    def test_resources_are_arguments(self) -> None:
        class Bucket(ConfigurableResource):
            name: str

        @sensor(target="*")
        def one(bucket: Bucket):
            return SkipReason(bucket.name)

        assert one.evaluate_tick(build_sensor_context(resources={"bucket": Bucket(name="lake")})).skip_message == "lake"
        assert one(bucket=Bucket(name="sea")) == SkipReason("sea")

    def test_a_cursor_is_text(self) -> None:
        with pytest.raises(InvalidInvocationError, match="the cursor 5 is not text"):
            build_sensor_context().update_cursor(5)  # type: ignore[arg-type]


class TestAssetSensor:
    def test_it_is_called_once_for_each_materialization(self, instance: Instance) -> None:
        @asset_sensor("orders", target="*")
        def after(context, asset_event):
            return RunRequest(run_key=str(asset_event.storage_id), partition_key=asset_event.partition)

        def asked(cursor: str | None) -> tuple[list[str | None], str | None]:
            answer = after.evaluate_tick(build_sensor_context(cursor=cursor, instance=instance))
            return [run.partition_key for run in answer.run_requests], answer.cursor

        assert asked(None) == ([], None)
        for day in ("mon", "tue"):
            instance.report_runless_asset_event(AssetMaterialization(AssetKey("orders"), partition=day))
        instance.report_runless_asset_event(AssetMaterialization(AssetKey("other"), partition="wed"))
        parts, cursor = asked(None)
        assert parts == ["tue"]  # of what was there before, the latest
        assert asked(cursor) == ([], cursor)
        for day in ("wed", "thu", "wed"):
            instance.report_runless_asset_event(AssetMaterialization(AssetKey("orders"), partition=day))
        parts, later = asked(cursor)
        assert parts == ["wed", "thu", "wed"]
        assert asked(later) == ([], later)

    def test_many_are_taken_in_turn(self, instance: Instance) -> None:
        @asset_sensor("orders", target="*")
        def after(context, asset_event):
            return RunRequest(partition_key=asset_event.partition)

        instance.report_runless_asset_event(AssetMaterialization(AssetKey("orders")))
        cursor = after.evaluate_tick(build_sensor_context(instance=instance)).cursor
        for n in range(120):
            instance.report_runless_asset_event(AssetMaterialization(AssetKey("orders"), partition=str(n)))
        found: list[str | None] = []
        for _ in range(4):
            answer = after.evaluate_tick(build_sensor_context(cursor=cursor, instance=instance))
            found += [run.partition_key for run in answer.run_requests]
            cursor = answer.cursor

        assert found == [str(n) for n in range(120)]


class TestRunStatusSensor:
    def test_it_is_called_once_for_each_run_that_comes_to_the_status(self, instance: Instance) -> None:
        seen: list[str] = []

        @run_failure_sensor(monitored_jobs=["nightly", define_asset_job("weekly")])
        def alarm(context):
            seen.append(f"{context.run.run_id} {context.failure_event.message}")

        def end(run_id: str, job: str, how: str = "RUN_FAILURE") -> None:
            instance.create_run(RunRecord(run_id, "QUEUED", 0.0, job_name=job))
            instance.store_events([Event(how, run_id, 1.0, message="3 of 5 failed")])  # type: ignore[arg-type]

        end("before", "nightly")
        cursor = alarm.evaluate_tick(build_sensor_context(instance=instance)).cursor
        end("r1", "nightly")
        end("r2", "other")
        end("r3", "nightly", "RUN_SUCCESS")
        end("r4", "weekly")
        for _ in range(2):
            cursor = alarm.evaluate_tick(build_sensor_context(instance=instance, cursor=cursor)).cursor

        assert seen == ["r1 3 of 5 failed", "r4 3 of 5 failed"]

    def test_an_unknown_status_is_a_fault(self) -> None:
        def done(context): ...

        with pytest.raises(InvalidDefinitionError, match="run_status is 'DONE'"):
            run_status_sensor("DONE")(done)  # type: ignore[arg-type]


class TestInDefinitions:
    def test_it_brings_its_jobs_and_its_target_is_looked_up(self) -> None:
        nightly, weekly = define_asset_job("nightly"), define_asset_job("weekly")

        @sensor(jobs=[nightly, weekly])
        def one(): ...

        @sensor(target="oders")
        def two(): ...

        definitions = Definitions([orders], sensors=[one])

        assert definitions.get_sensor_def("one") is one
        assert {job.name for job in definitions.jobs} == {"nightly", "weekly"}
        with pytest.raises(InvalidDefinitionError, match=r"sensor 'two'.*oders"):
            Definitions([orders], sensors=[one, two])

    def test_a_declaration_without_a_function_is_a_fault(self) -> None:
        with pytest.raises(InvalidDefinitionError, match="it has no function"):
            SensorDefinition("one", target="*")

    def test_a_module_is_asked_for_its_schedules_and_sensors(
        self, tmp_path: Path, forget_modules_of: Callable[[Path], None]
    ) -> None:
        (tmp_path / "project.py").write_text(
            "from warehouse_assets import ScheduleDefinition, asset, sensor\n"
            "@asset\ndef orders(): ...\n"
            "daily = ScheduleDefinition('daily', cron_schedule='@daily', target='orders')\n"
            "@sensor(target='orders')\ndef files(): ...\n"
        )

        definitions = load_definitions("project.py", tmp_path)
        forget_modules_of(tmp_path)

        assert [one.name for one in (*definitions.schedules, *definitions.sensors)] == ["daily", "files"]
