from __future__ import annotations

from datetime import UTC, datetime

import pytest

from warehouse_assets import (
    Config,
    ConfigurableResource,
    Definitions,
    RunRequest,
    ScheduleDefinition,
    SkipReason,
    asset,
    build_schedule_context,
    define_asset_job,
    schedule,
)
from warehouse_assets.errors import InvalidDefinitionError, InvalidInvocationError, InvalidSelectionError

pytestmark = pytest.mark.semantics(32)

NIGHTLY = define_asset_job("nightly")


def at(text: str) -> datetime:
    return datetime.fromisoformat(text)


def fired(one: ScheduleDefinition, start: str, stop: str) -> list[str]:
    moments = one.ticks_between(at(start).timestamp(), at(stop).timestamp())
    return [one.local_time(moment).isoformat() for moment in moments]


class TestTimes:
    def test_it_fires_after_the_start_and_not_after_the_stop(self) -> None:
        hourly = ScheduleDefinition("hourly", cron_schedule="0 * * * *", target="*")

        assert fired(hourly, "2024-01-01T00:00Z", "2024-01-01T02:00Z") == [
            "2024-01-01T01:00:00+00:00",
            "2024-01-01T02:00:00+00:00",
        ]
        assert fired(hourly, "2024-01-01T00:00:00.5Z", "2024-01-01T00:59:59.9Z") == []

    def test_a_time_that_the_clock_jumps_over_comes_when_it_has_jumped(self) -> None:
        one = ScheduleDefinition("one", cron_schedule="30 2 * * *", target="*", execution_timezone="Europe/Berlin")

        assert fired(one, "2024-03-30T12:00Z", "2024-04-01T12:00Z") == [
            "2024-03-31T03:00:00+02:00",
            "2024-04-01T02:30:00+02:00",
        ]

    def test_a_time_that_the_clock_shows_twice_comes_once(self) -> None:
        one = ScheduleDefinition("one", cron_schedule="30 2 * * *", target="*", execution_timezone="Europe/Berlin")

        assert fired(one, "2024-10-26T12:00Z", "2024-10-28T12:00Z") == [
            "2024-10-27T02:30:00+02:00",
            "2024-10-28T02:30:00+01:00",
        ]

    @pytest.mark.parametrize(("day", "hours"), [("2024-03-31", 23), ("2024-06-01", 24), ("2024-10-27", 25)])
    def test_every_hour_that_passes_has_its_tick(self, day: str, hours: int) -> None:
        one = ScheduleDefinition("one", cron_schedule="0 * * * *", target="*", execution_timezone="Europe/Berlin")
        start = at(f"{day}T00:00").astimezone(one.local_time(0).tzinfo).replace(hour=0)
        first = next(one.times(start))

        found = [time for time in fired(one, f"{day}T00:00+00:00", "2024-12-31T00:00Z") if time.startswith(day)]
        before = [time for time in fired(one, "2024-01-01T00:00Z", f"{day}T00:00+00:00") if time.startswith(day)]

        assert len(before) + len(found) == hours
        assert first.minute == 0

    def test_several_cron_schedules_fire_once_where_they_meet(self) -> None:
        one = ScheduleDefinition("one", cron_schedule=["0 6 * * *", "0 6 1 * *", "30 7 * * *"], target="*")

        assert fired(one, "2024-01-31T12:00Z", "2024-02-01T12:00Z") == [
            "2024-02-01T06:00:00+00:00",
            "2024-02-01T07:30:00+00:00",
        ]

    def test_the_next_times_go_on_without_end(self) -> None:
        times = ScheduleDefinition("one", cron_schedule="0 0 29 2 *", target="*").times(at("2024-03-01T00:00Z"))

        assert [next(times).year for _ in range(2)] == [2028, 2032]


class TestRequests:
    def test_without_a_function_it_asks_for_one_run(self) -> None:
        one = ScheduleDefinition(cron_schedule="@daily", job=NIGHTLY, run_config={"ops": {}}, tags={"team": "shop"})

        assert one.name == "nightly_schedule"
        assert one.evaluate_tick(build_schedule_context()) == [RunRequest(run_config={"ops": {}}, tags={"team": "shop"})]

    def test_a_function_says_which(self) -> None:
        @schedule("@daily", target="*", tags={"team": "shop", "day": "none"})
        def daily(context):
            yield RunRequest(tags={"day": f"{context.scheduled_execution_time:%a}"})
            yield [RunRequest("b", run_config={"x": 1})]

        context = build_schedule_context(scheduled_execution_time=datetime(2024, 1, 1, tzinfo=UTC))

        assert daily.evaluate_tick(context) == [
            RunRequest(tags={"team": "shop", "day": "Mon"}),
            RunRequest("b", run_config={"x": 1}, tags={"team": "shop", "day": "none"}),
        ]

    @pytest.mark.parametrize(
        ("answer", "expected"),
        [
            ({"ops": {"a": {}}}, [RunRequest(run_config={"ops": {"a": {}}})]),
            (SkipReason("a holiday"), SkipReason("a holiday")),
            (None, SkipReason("it asked for no run")),
            ([], SkipReason("it asked for no run")),
        ],
        ids=["config", "skip", "nothing", "no runs"],
    )
    def test_it_may_answer_in_several_ways(self, answer: object, expected: object) -> None:
        @schedule("@daily", target="*")
        def daily():
            return answer

        assert daily.evaluate_tick(build_schedule_context()) == expected

    def test_any_other_answer_is_an_error(self) -> None:
        @schedule("@daily", target="*")
        def daily():
            return 42

        with pytest.raises(InvalidInvocationError, match="schedule 'daily' gave 42"):
            daily.evaluate_tick(build_schedule_context())

    def test_resources_are_arguments(self) -> None:
        class Calendar(ConfigurableResource):
            holiday: str

        @schedule("@daily", target="*")
        def daily(context, calendar: Calendar):
            return SkipReason(calendar.holiday)

        context = build_schedule_context(resources={"calendar": Calendar(holiday="May Day")})

        assert daily.evaluate_tick(context) == SkipReason("May Day")
        assert daily(build_schedule_context(), calendar=Calendar(holiday="Xmas")) == SkipReason("Xmas")
        with pytest.raises(InvalidInvocationError, match="needs the resource 'calendar'"):
            daily.evaluate_tick(build_schedule_context())

    def test_what_a_context_was_built_without_is_said(self) -> None:
        with pytest.raises(InvalidInvocationError, match="without a time"):
            _ = build_schedule_context().scheduled_execution_time
        with pytest.raises(InvalidInvocationError, match="without an instance"):
            _ = build_schedule_context().instance


class TestFaults:
    @pytest.mark.parametrize(
        ("options", "text"),
        [
            ({"cron_schedule": "61 * * * *"}, "61"),
            ({"cron_schedule": "* * *"}, "cron"),
            ({"cron_schedule": []}, "no cron schedule"),
            ({"cron_schedule": "@daily", "execution_timezone": "Europe/Berlim"}, "Europe/Berlim"),
            ({"cron_schedule": "@daily", "target": None}, "it runs nothing"),
            ({"cron_schedule": "@daily", "job_name": "a"}, "several of job, job_name and target"),
            ({"cron_schedule": "@daily", "missed": "some"}, "missed is 'some'"),
            ({"cron_schedule": "@daily", "name": "a b"}, "the name 'a b' is not allowed"),
        ],
        ids=["minute", "fields", "none", "zone", "target", "several", "missed", "name"],
    )
    def test_a_faulty_declaration_says_where(self, options: dict[str, object], text: str) -> None:
        with pytest.raises(InvalidDefinitionError, match=text) as caught:
            ScheduleDefinition(**{"name": "one", "target": "*", **options})

        assert "test_schedule.py" in str(caught.value)


@asset
def orders() -> None: ...


class TestInDefinitions:
    def test_it_brings_its_job(self) -> None:
        one = ScheduleDefinition(cron_schedule="@daily", job=NIGHTLY)

        definitions = Definitions([orders], schedules=[one])

        assert definitions.get_schedule_def("nightly_schedule") is one
        assert definitions.get_job_def("nightly").asset_keys == {orders.key}
        assert Definitions.merge(definitions, Definitions()).get_schedule_def("nightly_schedule") is one
        with pytest.raises(InvalidSelectionError, match="there is no schedule 'nightly'"):
            definitions.get_schedule_def("nightly")

    def test_all_that_is_wrong_is_told_at_once(self) -> None:
        class Calendar(ConfigurableResource):
            pass

        @schedule("@daily", job_name="nihgtly")
        def first(calendar: Calendar): ...

        @schedule("@daily", target="order")
        def second(): ...

        @schedule("@daily", target="orders", name="second")
        def third(): ...

        with pytest.raises(ExceptionGroup) as caught:
            Definitions([orders], jobs=[NIGHTLY], schedules=[first, second, third, Config])  # type: ignore[list-item]

        told = "\n".join(map(str, caught.value.exceptions))
        expected = [
            "job 'nihgtly'",
            "Did you mean 'nightly'",
            "resource 'calendar'",
            "order",
            "the name of another",
            "is not a schedule",
        ]
        assert [text for text in expected if text not in told] == []
