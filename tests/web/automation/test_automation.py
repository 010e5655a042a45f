"""Schedules, sensors, jobs and backfills on pages and in the API."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from starlette.testclient import TestClient

from warehouse_assets import AssetKey, Instance
from warehouse_assets.automation_records import InstigatorState, Tick
from warehouse_assets.events import ErrorInfo, RunRecord
from warehouse_assets.web.site import Site


def ticked(instance: Instance, name: str, *, error: str | None = None) -> None:
    origin = f"shop:{name}"
    state = instance.event_log.get_instigator(origin) or InstigatorState(origin, "schedule", "RUNNING")
    fault = ErrorInfo("ValueError", error, "Traceback") if error else None
    tick = Tick(
        origin, "schedule", 100.0, "FAILURE" if error else "SKIPPED", 100.0, 100.5, (), None if error else "nothing new", fault
    )
    instance.event_log.commit_tick(tick, state)


def test_all_that_runs_by_itself_is_listed_and_that_no_daemon_does(client: TestClient, instance: Instance) -> None:
    ticked(instance, "every_night", error="no <luck>")
    page, told = client.get("/automation").text, client.get("/api/automation").json()
    instance.event_log.take_lease("daemon", "host:1:2", time.time(), 30)

    assert "No daemon runs" in page
    assert "no &lt;luck&gt;" in page
    assert {one["name"]: (one["kind"], one["is_on"], one["last_status"]) for one in told["instigators"]} == {
        "arrivals": ("sensor", False, None),
        "every_night": ("schedule", True, "FAILURE"),
    }
    assert "No daemon runs" not in client.get("/automation").text
    assert client.get("/api/daemon").json() == "host"


def test_a_schedule_is_switched(client: TestClient, instance: Instance) -> None:
    on = client.post("/automation/shop/every_night/switch", data={"on": "true"}).text
    state = instance.event_log.get_instigator("shop:every_night")
    off = client.post("/api/automation/shop/every_night", json={"on": False}).json()

    assert state is not None
    assert ('aria-checked="true"' in on, state.status, off["is_on"]) == (True, "RUNNING", False)


def test_one_shows_its_next_times_and_ticks(client: TestClient, instance: Instance) -> None:
    ticked(instance, "every_night")
    page = client.get("/automation/shop/every_night").text
    ticks = client.get("/api/automation/shop/every_night/ticks").json()

    assert page.count("data-local") >= 5
    assert ("Europe/Berlin" in page, "daily at 03:00" in page) == (True, True)
    assert "nothing new" in page
    assert [tick["status"] for tick in ticks] == ["SKIPPED"]


def test_a_sensor_is_tried_without_leaving_anything(client: TestClient, instance: Instance) -> None:
    page = client.post("/automation/shop/arrivals/try").text

    assert "a run of staging/orders" in page
    assert instance.get_runs() == []
    assert instance.event_log.get_ticks() == []


def test_a_trial_says_which_runs_there_are_already(client: TestClient, instance: Instance) -> None:
    before = client.post("/automation/shop/arrivals/try").text
    instance.event_log.add_runs([RunRecord("r1", "QUEUED", created=0.0, run_key="shop:arrivals:one")])
    after = client.post("/automation/shop/arrivals/try").text
    told = client.post("/api/automation/shop/arrivals/try").json()

    assert ("so none is made" in before, "so none is made" in after) == (False, True)
    assert told["run_keys"] == told["known_run_keys"] == ["shop:arrivals:one"]


def test_a_cursor_is_set_and_forgotten(client: TestClient, instance: Instance) -> None:
    client.post("/api/automation/shop/arrivals", json={"cursor": "<b>7"})
    page = client.get("/automation/shop/arrivals").text
    client.post("/automation/shop/arrivals/cursor")
    state = instance.event_log.get_instigator("shop:arrivals")

    assert "&lt;b&gt;7" in page
    assert (state is not None and state.cursor) is None


def test_jobs_are_listed_with_what_starts_them(client: TestClient) -> None:
    (told,) = client.get("/api/jobs").json()
    page = client.get("/jobs/shop/nightly").text

    assert (told["name"], told["assets"], told["started_by"]) == (
        "nightly",
        ["staging/orders", "marts/per_customer"],
        ["every_night"],
    )
    assert "/automation/shop/every_night" in page
    assert "It never ran" in page
    assert "nightly" in client.get("/jobs").text


def test_a_backfill_is_shown_canceled_and_resumed(client: TestClient, instance: Instance) -> None:
    asked = {"assets": ["regions"], "partition_range": ["eu", "us"]}
    backfill_id = client.post("/api/runs", json=asked).json()["backfill_id"]
    page, listed = client.get(f"/backfills/{backfill_id}").text, client.get("/backfills").text
    told = client.get(f"/api/backfills/{backfill_id}").json()
    canceled = client.post(f"/backfills/{backfill_id}/cancel")

    assert (told["partitions"]["requested"], told["partitions"]["waiting"]) == (2, 2)
    assert "2 requested" in page
    assert backfill_id in listed
    assert canceled.status_code == 200
    assert instance.event_log.get_backfills()[0].status in ("CANCELING", "CANCELED")


@pytest.mark.parametrize(
    "address",
    [
        "/automation/shop/nothing",
        "/automation/nowhere/x",
        "/jobs/shop/nothing",
        "/backfills/nothing",
        "/automation/explain?asset=nothing",
    ],
)
def test_what_is_not_there_is_said(client: TestClient, address: str) -> None:
    assert client.get(address).status_code == 404


def test_an_empty_project_says_how_to_begin(
    sites: Callable[..., Site], client_of: Callable[[Site], TestClient], folder: Path
) -> None:
    (folder / "empty.py").write_text("from warehouse_assets import Definitions\ndefs = Definitions()\n")
    client = client_of(sites("empty"))

    assert "ScheduleDefinition" in client.get("/automation").text
    assert "define_asset_job" in client.get("/jobs").text
    assert "No backfills" in client.get("/backfills").text


def test_a_condition_is_explained(sites: Callable[..., Site], client_of: Callable[[Site], TestClient], folder: Path) -> None:
    (folder / "eager.py").write_text(
        "from warehouse_assets import AutomationCondition, asset\n"
        "@asset(automation_condition=AutomationCondition.eager())\ndef orders(): ...\n"
    )
    site = sites("eager")
    client = client_of(site)
    page = client.get("/automation/explain?asset=orders").text
    before = client.get("/assets/orders").text
    tags = {"warehouse_assets/sensor_name": "default_automation_condition_sensor"}
    of = {"tags": tags, "asset_keys": (AssetKey("orders"),)}
    site.instance.create_run(RunRecord("asked-here", "QUEUED", 100.0, 100.0, location=site.workspace["eager"].location, **of))
    elsewhere = replace(site.workspace["eager"].location, name="other")
    site.instance.create_run(RunRecord("asked-elsewhere", "QUEUED", 101.0, 101.0, location=elsewhere, **of))
    after = client.get("/assets/orders").text.partition("<h2>What makes")[2]

    assert "asked for now" in page
    assert ("/automation/explain?asset=orders" in before, "/automation/eager/default_auto" in before) == (True, True)
    assert ("not asked for the asset lately" in before, "not asked for the asset lately" in after) == (True, False)
    assert ("/runs/asked-here" in after, "/runs/asked-elsewhere" in after) == (True, False)
    assert "✗ eager" in page
    assert "/automation/explain?asset=orders" in client.get("/automation/eager/default_automation_condition_sensor").text
    assert "conditions" in client.get("/automation").text


def test_the_line_of_the_user_comes_first_where_an_evaluation_fails(
    sites: Callable[..., Site], client_of: Callable[[Site], TestClient], folder: Path
) -> None:
    (folder / "broken.py").write_text(
        "from warehouse_assets import asset, sensor\n@asset\ndef stall(): ...\n"
        "@sensor(target='*')\ndef feeling(context):\n    raise ValueError('no <stall>')\n"
    )
    page = client_of(sites("broken")).post("/automation/broken/feeling/try").text

    assert page.index("ValueError: no &lt;stall&gt;") < page.index("broken.py") < page.index("Frames of libraries")
