"""The pages and the API of runs, and launching from both."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from starlette.testclient import TestClient

from warehouse_assets import Instance, materialize
from warehouse_assets.automation.worker import run_recorded
from warehouse_assets.code_location.loading import load_definitions
from warehouse_assets.web.settings import Settings
from warehouse_assets.web.site import Site


@pytest.fixture
def carried_out(
    instance: Instance, folder: Path, forget_modules_of: Callable[[Path], None], monkeypatch: pytest.MonkeyPatch
) -> Iterator[Callable[[str], int]]:
    """Carries out a run that waits, in this process."""
    monkeypatch.chdir(folder)
    yield lambda run_id: run_recorded(instance, run_id)
    forget_modules_of(folder)


def started(client: TestClient, **asked: object) -> str:
    answer = client.post("/api/runs", json=asked)

    assert answer.status_code == 200, answer.text
    return str(answer.json()["run_id"])


def test_a_run_that_was_asked_for_waits_and_shows_what_it_did(client: TestClient, carried_out: Callable[[str], int]) -> None:
    run_id = started(client, selection="staging/orders+", tags={"team": "<shop>"})
    waiting = client.get(f"/api/runs/{run_id}").json()
    page_before = client.get(f"/runs/{run_id}").text
    code = carried_out(run_id)
    done = client.get(f"/api/runs/{run_id[:8]}").json()
    page = client.get(f"/runs/{run_id}").text

    assert (waiting["status"], waiting["waiting"], code, done["status"]) == (
        "QUEUED",
        ["staging/orders", "marts/per_customer"],
        0,
        "SUCCESS",
    )
    assert [step["status"] for step in done["steps"]] == ["success"] * len(done["steps"])
    assert {one["asset"]: one["rows"] for one in done["made"]} == {"staging/orders": 3, "marts/per_customer": 2}
    assert "It waits for its turn" in page_before
    assert "team=&lt;shop&gt;" in page
    assert "/assets/marts/per_customer" in page


def test_a_failed_run_shows_the_persons_exception_first(client: TestClient, carried_out: Callable[[str], int]) -> None:
    run_id = started(client, assets=["bad"])
    carried_out(run_id)
    page, listed = client.get(f"/runs/{run_id}").text, client.get("/runs?state=failed").text

    assert page.index("ValueError: no such luck") < page.index("Frames of libraries") < page.index("Steps")
    assert "raise ValueError(&#34;no such luck&#34;)" in page
    assert "executors.py" not in page[: page.index("Frames of libraries")]
    assert "no such luck" in listed


def test_a_failed_run_is_done_again_from_its_page(
    client: TestClient, instance: Instance, carried_out: Callable[[str], int]
) -> None:
    run_id = started(client, assets=["bad"])
    carried_out(run_id)
    answer = client.post(f"/runs/{run_id}/rerun", data={"from_failure": "true"})
    again = answer.headers["hx-redirect"].removeprefix("/runs/")

    assert instance.get_run_record(again).asset_keys == instance.get_run_record(run_id).asset_keys
    assert f'href="/runs/{run_id}"' in client.get("/runs").text


def test_a_run_that_waits_is_canceled(client: TestClient, instance: Instance) -> None:
    one, other = (started(client, assets=["bad"]) for _ in range(2))
    told = client.post(f"/runs/{one}/cancel").headers["hx-trigger"]
    client.post("/runs/cancel", data={"run": [other]})

    assert json.loads(told)["wa:toast"]["text"] == "Canceled before it began"
    assert [instance.get_run_record(run_id).status for run_id in (one, other)] == ["CANCELED", "CANCELED"]


def test_the_log_is_filtered_and_goes_on(client: TestClient, carried_out: Callable[[str], int]) -> None:
    run_id = started(client, assets=["bad"])
    carried_out(run_id)
    of = f"/runs/{run_id}?part=log"
    every = client.get(f"{of}&level=DEBUG").text
    last = max(int(part.split('"')[0]) for part in every.split('data-id="')[1:])

    assert every.count("<tr") > client.get(f"{of}&level=ERROR").text.count("<tr") == 2
    assert client.get(f"{of}&text=luck").text.count("<tr") == 1
    assert client.get(f"{of}&level=DEBUG&after={last}").text.strip() == ""


def test_one_click_runs_what_needs_no_more_and_asks_where_it_does(client: TestClient, instance: Instance) -> None:
    run = client.post("/launch", data={"assets": "staging/orders"})
    asked = client.post("/launch", data={"assets": "regions"})

    assert [one.asset_keys[0].to_user_string() for one in instance.get_runs()] == ["staging/orders"]
    assert json.loads(run.headers["hx-trigger"])["wa:toast"]["href"] == f"/runs/{instance.get_runs()[0].run_id}"
    assert "<dialog" in asked.text
    assert "All that are missing" in asked.text


@pytest.mark.parametrize(
    ("given", "tags"),
    [
        ({"which": "one", "first": "eu"}, {"warehouse_assets/partition": "eu"}),
        (
            {"which": "one_run", "first": "eu", "last": "us", "tags": "team=shop\nnonsense", "priority": "5"},
            {
                "warehouse_assets/partition_range_start": "eu",
                "warehouse_assets/partition_range_end": "us",
                "team": "shop",
                "warehouse_assets/priority": "5",
            },
        ),
    ],
    ids=["one", "a range in one run"],
)
def test_the_dialog_chooses_partitions(
    client: TestClient, instance: Instance, given: dict[str, str], tags: dict[str, str]
) -> None:
    client.post("/launch", data={"dialog": "1", "assets": "regions", "location": "shop", **given})

    assert [dict(run.tags) for run in instance.get_runs()] == [tags]


def test_a_range_is_a_backfill(client: TestClient, instance: Instance) -> None:
    data = {"dialog": "1", "assets": "regions", "which": "range", "first": "eu", "last": "us"}
    told = json.loads(client.post("/launch", data=data).headers["hx-trigger"])

    assert told["wa:launched"]["backfill"] == instance.event_log.get_backfills()[0].backfill_id


@pytest.mark.parametrize(
    ("value", "fault"), [("many", "is to be a whole number"), ("2.5", "rows")], ids=["no number", "no whole number"]
)
def test_configuration_is_given_in_the_dialog(client: TestClient, instance: Instance, value: str, fault: str) -> None:
    data = {"dialog": "1", "assets": "staging/orders"}
    refused = client.post("/launch", data={**data, "config:staging/orders:rows": value})
    client.post("/launch", data={**data, "config:staging/orders:rows": "6"})

    assert fault in refused.text
    assert f'value="{value}"' in refused.text
    assert [dict(run.config) for run in instance.get_runs()] == [{"ops": {"staging/orders": {"config": {"rows": 6}}}}]


@pytest.mark.parametrize(
    ("asked", "status", "fault"),
    [
        ({"assets": ["nothing"]}, 404, "there is no asset 'nothing'"),
        ({"selection": "nothing"}, 404, "nothing"),
        ({"job": "nothing"}, 404, "nothing"),
        ({"assets": ["regions"], "partition": "mars"}, 400, "mars"),
        ({"assets": ["staging/orders"], "config": {"ops": {"staging/orders": {"config": {"row": 1}}}}}, 400, "row"),
        ({"assets": ["bad"], "location": "nowhere"}, 404, "nowhere"),
        ({"odd": 1}, 422, "odd"),
    ],
    ids=["asset", "selection", "job", "partition", "config", "location", "field"],
)
def test_what_cannot_run_is_refused_at_once(
    client: TestClient, instance: Instance, asked: dict[str, object], status: int, fault: str
) -> None:
    answer = client.post("/api/runs", json=asked)

    assert (answer.status_code, fault in answer.text, instance.get_runs()) == (status, True, [])


def test_a_server_that_only_shows_starts_nothing(
    sites: Callable[..., Site], client_of: Callable[[Site], TestClient], instance: Instance
) -> None:
    client = client_of(sites("shop", settings=Settings(read_only=True)))

    assert client.post("/api/runs", json={"assets": ["bad"]}).status_code == 400
    assert client.post("/launch", data={"assets": "bad"}).status_code == 400
    assert instance.get_runs() == []


def test_a_run_of_no_location_is_shown_too(
    client: TestClient,
    instance: Instance,
    folder: Path,
    forget_modules_of: Callable[[Path], None],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(folder)
    definitions = load_definitions("shop", folder)
    with pytest.raises(ValueError, match="no such luck"):
        materialize(definitions.assets, selection="bad", resources=definitions.resources, instance=instance)
    forget_modules_of(folder)
    (run,) = instance.get_runs()
    page = client.get(f"/runs/{run.run_id}").text

    assert "no such luck" in page
    assert "Run again" not in page


def test_no_runs_yet_says_what_to_do(client: TestClient) -> None:
    assert "Choose what to materialize" in client.get("/runs").text
    assert client.get("/runs/unknown").status_code == 404
