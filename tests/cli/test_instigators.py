from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from warehouse_assets import Instance
from warehouse_assets.cli.app import app

pytestmark = pytest.mark.semantics(32)

PROJECT = """
from warehouse_assets import RunRequest, ScheduleDefinition, SkipReason, asset, schedule, sensor

@asset
def orders(): ...

daily = ScheduleDefinition("daily", cron_schedule="30 4 * * *", target="orders", execution_timezone="Europe/Berlin", description="Every day.")

@schedule("@hourly", target=[orders])
def broken(context):
    raise ValueError(f"no data for {context.scheduled_execution_time:%H:%M}")

@sensor(target="orders")
def files(context):
    if context.cursor == "b":
        return SkipReason("nothing new")
    context.update_cursor("b")
    return RunRequest("b", tags={"file": "b.csv"})
"""


@pytest.fixture
def wa(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Result]:
    (tmp_path / "shop_of_clock.py").write_text(PROJECT)
    (tmp_path / "pyproject.toml").touch()
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("WAREHOUSE_ASSETS_HOME", raising=False)

    def run(*arguments: str, code: int = 0) -> Result:
        result = CliRunner().invoke(app, [*arguments, "-m", "shop_of_clock.py"])
        assert result.exit_code == code, result.output
        return result

    return run


def test_schedules_are_switched_and_listed(wa: Callable[..., Result]) -> None:
    said = [wa("schedule", how, "daily").output for how in ("start", "start", "stop", "stop", "start")]
    [broken, daily] = json.loads(wa("schedule", "list", "--json").output)
    shown = wa("schedule", "list").output

    assert said == [f"schedule daily is {how}\n" for how in ("on", "on already", "off", "off already", "on")]
    assert (broken["status"], broken["next_tick"], broken["runs"]) == ("STOPPED", None, "orders")
    assert (daily["status"], daily["when"], daily["description"]) == ("RUNNING", "30 4 * * * (Europe/Berlin)", "Every day.")
    assert daily["next_tick"] > 1_700_000_000
    assert "wa daemon" in shown


def test_a_schedule_is_tried_at_a_time(wa: Callable[..., Result]) -> None:
    tried = wa("schedule", "tick", "daily", "--at", "2024-03-31T04:30").output
    failed = wa("schedule", "tick", "broken", "--at", "2024-03-31T05:00+00:00", code=1).output
    times = wa("schedule", "preview", "daily", "--count", "2").output.splitlines()

    assert tried == "would run: orders  key shop_of_clock:daily:1711852200\n"
    assert "ValueError: no data for 05:00" in failed
    assert [time[10:16] for time in times] == ["T04:30", "T04:30"]


def test_a_sensor_is_tried_and_its_cursor_changed(wa: Callable[..., Result], tmp_path: Path) -> None:
    tried = wa("sensor", "tick", "files").output
    cursors = [wa("sensor", "cursor", "files", *options).output for options in ((), ("--set", "b"), ())]
    skipped = wa("sensor", "tick", "files").output
    cleared = wa("sensor", "cursor", "files", "--clear").output
    submitted = [wa("sensor", "tick", "files", "--submit").output for _ in range(2)]
    with Instance.local(tmp_path / ".warehouse_assets") as instance:
        runs = [(run.run_key, run.tags["file"], run.status) for run in instance.get_runs()]

    assert tried == "would run: orders  key shop_of_clock:files:b  file=b.csv\ncursor: b\n"
    assert cursors == ["none\n", "b\n", "b\n"]
    assert skipped == "no run: nothing new\ncursor: b\n"
    assert cleared == "none\n"
    assert submitted[0].startswith("waits: orders")
    assert runs == [("shop_of_clock:files:b", "b.csv", "QUEUED")]


def test_what_there_is_not_is_told(wa: Callable[..., Result]) -> None:
    result = CliRunner().invoke(app, ["schedule", "start", "dialy", "-m", "shop_of_clock.py"])

    assert "there is no schedule 'dialy'" in str(result.exception)
    assert wa("sensor", "ticks", "files").output == "sensor files was never evaluated\n"
    assert json.loads(wa("sensor", "ticks", "files", "--json").output) == []
