from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from warehouse_assets import Instance
from warehouse_assets.automation.evaluation import TickRequest
from warehouse_assets.automation.evaluators import Evaluators
from warehouse_assets.events import CodeLocation

pytestmark = pytest.mark.semantics(32)

PROJECT = """
import os, sys, time
from warehouse_assets import ConfigurableResource, Definitions, RunRequest, SkipReason, asset, define_asset_job, schedule, sensor

class Calendar(ConfigurableResource):
    day: str

@asset
def orders(): ...

@schedule("@daily", target="orders", execution_timezone="Europe/Berlin")
def daily(context, calendar: Calendar):
    print("this goes nowhere")
    sys.stdout.flush()
    return RunRequest(tags={"time": context.scheduled_execution_time.isoformat(), "day": calendar.day})

@sensor(job=define_asset_job("nightly", tags={"team": "shop"}))
def looks(context):
    context.update_cursor(f"{os.getpid()}")
    return RunRequest("k") if context.cursor else SkipReason("é\\n")

@sensor(target="orders")
def raises(context):
    raise ValueError("no such bucket")

@sensor(target="orders")
def hangs(context):
    time.sleep(60)

@sensor(target="orders")
def crashes(context):
    os._exit(7)

defs = Definitions([orders], schedules=[daily], sensors=[looks, raises, hangs, crashes], resources={"calendar": Calendar(day="Mon")})
"""


@pytest.fixture
def home(tmp_path: Path) -> Iterator[Instance]:
    with Instance.local(tmp_path / "home") as instance:
        yield instance


@pytest.fixture
def shop(tmp_path: Path) -> CodeLocation:
    (tmp_path / "shop_of_sensors.py").write_text(PROJECT)
    return CodeLocation("shop", "shop_of_sensors.py", str(tmp_path))


def sensor(name: str) -> TickRequest:
    return TickRequest("sensor", name, 1_700_000_000.0, cursor="before", last_tick=None)


def test_what_user_code_asks_for_comes_back_from_another_process(home: Instance, shop: CodeLocation) -> None:
    evaluators = Evaluators(home, seconds=2)

    daily = evaluators(shop, TickRequest("schedule", "daily", 1_700_000_000.0))
    first, second = (evaluators(shop, sensor("looks")) for _ in range(2))
    raised = evaluators(shop, sensor("raises"))
    begun = time.monotonic()
    hung = evaluators(shop, sensor("hangs"))
    waited = time.monotonic() - begun
    crashed = evaluators(shop, sensor("crashes"))
    third = evaluators(shop, sensor("looks"))
    evaluators.close()

    [run] = daily.runs
    assert (run.run_key, run.location, run.status) == ("shop:daily:1700000000", shop, "QUEUED")
    assert (run.tags["time"], run.tags["day"]) == ("2023-11-14T23:13:20+01:00", "Mon")
    assert [(run.job_name, run.tags["team"], run.run_key) for run in first.runs] == [("nightly", "shop", "shop:looks:k")]
    assert first.cursor == second.cursor  # one process, asked again
    assert third.cursor not in (None, first.cursor)
    assert raised.error is not None
    assert (raised.error.cls_name, raised.error.message, raised.cursor) == ("ValueError", "no such bucket", "before")
    assert "shop_of_sensors.py" in raised.error.stack
    assert hung.error is not None
    assert hung.error.message == "sensor 'hangs' did not answer within 2 seconds"
    assert waited < 30
    assert crashed.error is not None
    assert crashed.error.message == "sensor 'crashes' took its process with it (exit code 7)"
    assert home.get_runs() == []  # nothing is stored by an evaluation


def test_code_that_cannot_be_loaded_is_the_error_until_it_is_mended(home: Instance, shop: CodeLocation, tmp_path: Path) -> None:
    evaluators = Evaluators(home)
    file = tmp_path / "shop_of_sensors.py"
    file.write_text("raise RuntimeError('half a line')")

    broken = evaluators(shop, sensor("looks"))
    file.write_text(PROJECT)
    mended = evaluators(shop, sensor("looks"))
    evaluators.close()

    assert broken.error is not None
    assert (broken.error.cls_name, broken.error.message) == ("RuntimeError", "half a line")
    assert mended.error is None
