"""The pages and the API of runs, and launching from both."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from starlette.testclient import TestClient

from warehouse_assets import AssetCheckEvaluation, AssetCheckSeverity, AssetKey, Instance, materialize
from warehouse_assets.automation.worker import run_recorded
from warehouse_assets.code_location.loading import load_definitions
from warehouse_assets.events import Event, LogEntry, RunRecord
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


def test_configuration_is_given_in_the_dialog(client: TestClient, instance: Instance) -> None:
    data = {"dialog": "1", "assets": "staging/orders"}
    refused = [client.post("/launch", data={**data, "config:staging/orders:rows": value}).text for value in ("many", "2.5")]
    client.post("/launch", data={**data, "config:staging/orders:rows": "6"})

    assert "is to be a whole number" in refused[0]
    assert all('aria-invalid="true"' in page and "marked below" in page for page in refused)
    assert [f'value="{value}"' in page for value, page in zip(("many", "2.5"), refused, strict=True)] == [True, True]
    assert [dict(run.config) for run in instance.get_runs()] == [{"ops": {"staging/orders": {"config": {"rows": 6}}}}]


REFUSED: list[tuple[dict[str, object], int, str]] = [
    ({"assets": ["nothing"]}, 404, "there is no asset 'nothing'"),
    ({"selection": "nothing"}, 404, "nothing"),
    ({"job": "nothing"}, 404, "nothing"),
    ({"assets": ["regions"], "partition": "mars"}, 400, "mars"),
    ({"assets": ["staging/orders"], "config": {"ops": {"staging/orders": {"config": {"row": 1}}}}}, 400, "row"),
    ({"assets": ["bad"], "location": "nowhere"}, 404, "nowhere"),
    ({"odd": 1}, 422, "odd"),
    ({}, 400, "it is not said what is to run"),
]


def test_what_cannot_run_is_refused_at_once(client: TestClient, instance: Instance) -> None:
    answers = [(client.post("/api/runs", json=asked), status, fault) for asked, status, fault in REFUSED]

    assert [(answer.status_code, fault in answer.text) for answer, _, fault in answers] == [
        (status, True) for _, status, _ in answers
    ]
    assert instance.get_runs() == []


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


def test_a_page_asks_for_the_timeline_from_where_it_is(client: TestClient, carried_out: Callable[[str], int]) -> None:
    run_id = started(client, selection="staging/orders+")
    before = client.get(f"/api/runs/{run_id}/timeline").json()
    carried_out(run_id)
    whole = client.get(f"/api/runs/{run_id}/timeline?after={before['last']}").json()
    after = client.get(f"/api/runs/{run_id}/timeline?after={whole['last']}").json()

    assert (before["status"], before["planned"], before["changes"]) == (
        "QUEUED",
        ["staging/orders", "marts/per_customer"],
        [],
    )
    assert [(one["step"], one["status"]) for one in whole["changes"]] == [
        ("staging/orders", "running"),
        ("staging/orders", "success"),
        ("marts/per_customer", "running"),
        ("marts/per_customer", "success"),
        ("marts/per_customer:has_rows", "running"),
        ("marts/per_customer:has_rows", "success"),
    ]
    assert (after["over"], after["planned"], after["changes"], after["last"]) == (True, [], [], whole["last"])


def test_runs_are_found_by_asset_tag_and_job(client: TestClient, carried_out: Callable[[str], int]) -> None:
    of_shop = started(client, assets=["staging/orders"], tags={"team": "shop"})
    of_job = started(client, job="nightly")
    carried_out(of_shop)

    def found(query: str) -> list[str]:
        page, told = client.get(f"/runs?{query}").text, client.get(f"/api/runs?{query}").json()
        ids = [one["run_id"] for one in told]

        assert [run_id for run_id in (of_job, of_shop) if f"run-{run_id}" in page] == ids
        return ids

    assert found("tag=team%3Dshop") == [of_shop]
    assert found("asset=staging/orders") == [of_shop]
    assert found("asset=nothing") == []
    assert found("job=nightly") == [of_job]
    assert client.get("/runs?tag=team").status_code == 400


def test_a_list_that_shows_more_is_refreshed_as_a_whole(client: TestClient, instance: Instance) -> None:
    instance.event_log.add_runs([RunRecord(f"r{number:03}", "QUEUED", created=float(number)) for number in range(120)])

    def rows(query: str) -> int:
        return client.get(f"/runs?{query}", headers={"HX-Request": "true"}).text.count('<tr id="run-')

    assert [rows(query) for query in ("", "rows=100", "rows=7", "cursor=r070")] == [50, 100, 50, 50]


def test_secrets_of_a_configuration_are_hidden(client: TestClient, instance: Instance) -> None:
    config = {"ops": {"orders": {"config": {"api_key": "hush", "urls": ["postgresql://me:hush@host/db"], "rows": 3}}}}
    instance.event_log.add_runs([RunRecord("r1", "QUEUED", created=0.0, config=config)])
    page = client.get("/runs/r1").text

    assert ("hush" in page, "@host/db" in page, "&#34;rows&#34;: 3" in page) == (False, True, True)


def test_the_log_is_read_from_its_end(client: TestClient, instance: Instance) -> None:
    instance.event_log.add_runs([RunRecord("r1", "QUEUED", created=0.0)])
    instance.store_events([Event("LOG", "r1", 1.0, "a", f"line {n};", LogEntry("INFO", "log")) for n in range(700)])
    page = client.get("/runs/r1").text
    first = re.findall(r'data-id="(\d+)"', page)[0]
    earlier = client.get(f"/runs/r1?part=log&before={first}", headers={"HX-Request": "true"}).text

    assert ("line 399;" in page, "line 400;" in page, "line 699;" in page) == (False, True, True)
    assert ("line 99;" in earlier, "line 100;" in earlier, "line 399;" in earlier) == (False, True, True)
    assert 'id="log-earlier" hidden' not in page


def test_the_dialog_tells_what_would_run(client: TestClient, instance: Instance, carried_out: Callable[[str], int]) -> None:
    carried_out(started(client, assets=["staging/orders"]))
    asked = {"assets": "marts/per_customer", "also": "upstream"}
    both = client.post("/launch/form", data=asked).text
    stale = client.post("/launch/form", data={**asked, "only_stale": "1", "config:staging/orders:rows": "9"}).text
    client.post("/launch", data={**asked, "dialog": "1"})

    assert ("2 assets" in both, "staging/orders</span>" in both, "fresh" in both) == (True, True, True)
    assert ("1 asset<" in stale, "staging/orders</span>" in stale) == (True, False)
    assert [key.to_user_string() for key in instance.get_runs()[0].asset_keys] == ["staging/orders", "marts/per_customer"]


def test_the_log_says_how_a_check_went(client: TestClient, instance: Instance) -> None:
    instance.create_run(RunRecord("checking", "STARTED", 100.0, 100.0))
    found = [(True, "ERROR", None), (False, "WARN", "few"), (False, "ERROR", "none")]
    instance.store_events(
        [
            Event(
                "ASSET_CHECK_EVALUATION",
                "checking",
                101.0,
                data=AssetCheckEvaluation(AssetKey("orders"), "rows", passed, AssetCheckSeverity(severity), description=said),
            )
            for passed, severity, said in found
        ]
    )
    page = client.get("/runs/checking").text
    errors = client.get("/runs/checking?level=ERROR").text

    assert all(text in page for text in ("rows passed", "rows warned: few", "rows failed: none"))
    assert ("rows warned" in errors, "rows failed: none" in errors) == (False, True)
