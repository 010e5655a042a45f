"""The API of one asset."""

from __future__ import annotations

from starlette.testclient import TestClient

from warehouse_assets import AssetKey
from warehouse_assets.events import Event, RunRecord
from warehouse_assets.web.app import create_app
from warehouse_assets.web.rendering import asset_url
from warehouse_assets.web.site import Site


def test_an_asset_says_what_it_is_and_how_it_stands(client: TestClient) -> None:
    told = client.get("/api/assets/staging/loaves").json()

    assert (told["name"], told["state"], told["owners"], told["tags"]) == (
        "staging/loaves",
        "fresh",
        ["team:ovens"],
        {"tier": "gold"},
    )
    assert (told["upstream"], told["downstream"]) == (["raw/flour"], ["marts/per_name"])
    assert (told["latest"]["rows"], told["latest"]["rows_change"]) == (3, 1)
    assert told["latest"]["metadata"]["crumbs"] == ["float", 0.25]


def test_a_key_may_hold_anything(client: TestClient) -> None:
    key = AssetKey(['odd " key', "a/b", "<script>"])

    assert client.get(f"/api{asset_url(key)}").json()["key"] == list(key.path)


def test_numbers_come_as_series(client: TestClient) -> None:
    series = client.get("/api/assets/staging/gone/-/series").json()

    assert [(one["name"], one["values"]) for one in series] == [("row_count", [10, 20, 30, 7])]
    assert [one["name"] for one in client.get("/api/assets/staging/loaves/-/series?check=has_rows").json()] == ["rows"]


def test_events_are_paged(client: TestClient) -> None:
    first = client.get("/api/assets/staging/gone/-/events?limit=3").json()
    second = client.get(f"/api/assets/staging/gone/-/events?limit=3&before={first['older']}").json()

    assert [event["rows"] for event in (*first["events"], *second["events"])] == [7, 30, 20, 10]
    assert second["older"] is None


def test_two_events_are_compared_with_their_columns(client: TestClient) -> None:
    ids = [event["id"] for event in client.get("/api/assets/staging/gone/-/events?kind=ASSET_MATERIALIZATION").json()["events"]]
    told = client.get(f"/api/assets/staging/gone/-/compare?old={ids[1]}&new={ids[0]}").json()

    assert [(one["what"], one["name"]) for one in told["columns"]] == [("removed", "b"), ("retyped", "a"), ("added", "c")]
    assert told["metadata"][0] == {"name": "rows", "what": "changed", "old": "20", "new": "30", "change": "+10 (+50.0%)"}


def test_the_sub_resources_answer(client: TestClient) -> None:
    loaves = "/api/assets/staging/loaves/-/"

    assert [one["name"] for one in client.get(loaves + "schema").json()["columns"]] == ["id", "name", "note", "raw"]
    assert client.get(loaves + "columns").json()[0]["column"] == "id"
    assert client.get(loaves + "checks").json()[0]["state"] == "failed"
    assert client.get("/api/assets/daily/-/partitions?limit=1").json()["counts"] == {"missing": 30, "fresh": 1}
    assert client.get(loaves + "rows?limit=1").json()["more"]
    assert len(client.get(loaves + "versions").json()["versions"]) == 2
    assert client.get(loaves + "definition").json()["source"]["kind"] == "function"


def test_an_unknown_asset_is_told_with_near_names(client: TestClient) -> None:
    answer = client.get("/api/assets/staging/loavs")

    assert (answer.status_code, answer.json()["hint"]) == (404, "Did you mean 'staging/loaves'?")


def test_checks_are_run_and_sources_observed(bakery: Site) -> None:
    client = TestClient(create_app(bakery), base_url="http://localhost")
    refused = client.post("/api/assets/staging/loaves/-/checks", json=["has_rows"])
    client.headers["x-csrf-token"] = client.get("/api/server").json()["csrf"]
    started = client.post("/api/assets/staging/loaves/-/checks", json=["has_rows"]).json()
    seen = client.post("/api/assets/raw/flour/-/observe").json()
    told = client.post("/assets/raw/flour", data={"do": "observe"})
    run = bakery.instance.get_run_record(started["run_id"])
    faults = [
        client.post("/api/assets/raw/events/-/observe").status_code,
        client.post("/api/assets/staging/loaves/-/checks", json=["x"]).status_code,
        client.post("/assets/staging/loaves", data={"do": "x"}).status_code,
        client.post("/assets/staging/gone", data={"do": "checks"}).status_code,
    ]

    assert refused.status_code == 403
    assert (started["count"], run.status, [key.name for key in run.check_keys or ()]) == (1, "QUEUED", ["has_rows"])
    assert seen == {"data_version": "sack 7"}
    assert (told.status_code, "sack 7" in told.headers["hx-trigger"]) == (204, True)
    assert faults == [404, 404, 400, 404]


def test_an_asset_waits_and_is_made_in_a_run(client: TestClient, bakery: Site) -> None:
    def state() -> tuple[str, str | None]:
        told = client.get("/api/assets/values").json()
        return told["state"], told["running"]

    before = state()
    bakery.instance.create_run(RunRecord("baking", "QUEUED", 5e9, asset_keys=(AssetKey("values"),)))
    waiting = state()
    bakery.instance.store_events([Event("RUN_START", "baking", 5e9), Event("STEP_START", "baking", 5e9, "values")])
    making = state()
    bakery.instance.store_events([Event("STEP_SUCCESS", "baking", 5e9, "values"), Event("RUN_SUCCESS", "baking", 5e9)])

    assert (before, waiting, making, state()) == (
        ("fresh", None),
        ("queued", "baking"),
        ("materializing", "baking"),
        ("fresh", None),
    )
