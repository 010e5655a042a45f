"""What a person says of the record of an asset: reports of what no run did, and wipes."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from starlette.testclient import TestClient

from warehouse_assets import AssetKey, AssetMaterialization, Instance
from warehouse_assets.code_location.loading import load_definitions
from warehouse_assets.code_location.workspace import Workspace
from warehouse_assets.code_location.workspace_file import location_of
from warehouse_assets.events import RunRecord
from warehouse_assets.web.app import create_app
from warehouse_assets.web.settings import Settings
from warehouse_assets.web.site import Site
from warehouse_assets.web.views import pulse
from warehouse_assets.web.views.pulse import Pulse

KILN = """
from pathlib import Path

import polars as pl

from io_managers import DuckDBIOManager
from warehouse_assets import DailyPartitionsDefinition, Definitions, SourceAsset, asset


@asset(key_prefix="kiln", code_version="1")
def clay() -> pl.DataFrame:
    return pl.DataFrame({"a": [1, 2]})


@asset(key_prefix="kiln", deps=["kiln/clay"])
def pots() -> pl.DataFrame:
    return pl.DataFrame({"a": [1]})


@asset(partitions_def=DailyPartitionsDefinition("2024-01-01", end_date="2024-01-11"), metadata={"partition_expr": "day"})
def fires() -> None:
    return None


defs = Definitions(
    [clay, pots, fires, SourceAsset("pits")],
    resources={"io_manager": DuckDBIOManager(database=str(Path(__file__).parent / "kiln.duckdb"))},
)
"""
CLAY, POTS, GONE = AssetKey(["kiln", "clay"]), AssetKey(["kiln", "pots"]), AssetKey("gone")
PAGE = {"HX-Request": "true"}


@pytest.fixture
def kiln(tmp_path: Path) -> Iterator[Site]:
    """A site of three assets and a source, of which two were made."""
    name = f"kiln_{tmp_path.name}"  # a module is loaded once
    (tmp_path / f"{name}.py").write_text(KILN)
    with Instance.local(tmp_path / "home") as instance:
        load_definitions(name, tmp_path).materialize(["kiln/clay", "kiln/pots"], instance=instance)
        with Workspace([location_of(name, tmp_path)], environment=instance.environment) as workspace:
            site = Site(workspace, instance)
            site.start()
            site.wait()
            yield site


@pytest.fixture
def client(kiln: Site) -> TestClient:
    """Who asks it, and may write."""
    asking = TestClient(create_app(kiln), base_url="http://localhost")
    asking.headers["x-csrf-token"] = asking.get("/api/server").json()["csrf"]
    return asking


def _events(client: TestClient, name: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = client.get(f"/api/assets/{name}/-/events").json()["events"]
    return found


def test_a_materialization_is_reported_with_what_is_known_of_it(client: TestClient) -> None:
    given = {"description": "by hand", "metadata": {"row_count": 5, "by": "me"}, "data_version": "7"}
    answer = client.post("/api/assets/kiln/clay/-/report", json=given)
    latest = _events(client, "kiln/clay")[0]

    assert answer.json() == {"count": 1}
    assert (latest["rows"], latest["data_version"], latest["run_id"], latest["metadata"]["by"]) == (5, "7", "", ["text", "me"])


def test_an_observation_of_a_source_is_reported(client: TestClient) -> None:
    client.post("/api/assets/pits/-/report", json={"kind": "observation", "metadata": {"depth": 2.5}})

    assert [(one["kind"], one["metadata"]["depth"]) for one in _events(client, "pits")] == [("observation", ["float", 2.5])]


def test_partitions_are_reported_by_their_range(client: TestClient) -> None:
    answer = client.post("/api/assets/fires/-/report", json={"partition_range": ["2024-01-02", "2024-01-05"]})
    told = client.get("/api/assets/fires/-/partitions").json()

    assert (answer.json(), told["counts"]["missing"]) == ({"count": 4}, 6)


@pytest.mark.parametrize(
    ("name", "given", "said"),
    [
        ("fires", {}, "has partitions"),
        ("fires", {"partition": "2023-01-01"}, "2023-01-01"),
        ("fires", {"partition_range": ["2024-01-05", "2024-01-02"]}, "ends before it starts"),
        ("kiln/clay", {"partition": "2024-01-02"}, "has no partitions"),
        ("kiln/clay", {"kind": "rumour"}, "kind"),
        ("nowhere", {}, "there is no asset"),
    ],
)
def test_what_cannot_be_reported_is_said_and_nothing_recorded(
    client: TestClient, kiln: Site, name: str, given: dict[str, Any], said: str
) -> None:
    before = len(kiln.instance.get_event_records())
    answer = client.post(f"/api/assets/{name}/-/report", json=given)

    assert answer.status_code in (400, 404, 422)
    assert said in answer.text
    assert len(kiln.instance.get_event_records()) == before


def test_a_wiped_asset_is_missing_and_its_table_stays(client: TestClient, tmp_path: Path) -> None:
    answer = client.post("/api/assets/kiln/clay/-/wipe", json={})

    assert answer.json() == {"dropped": False}
    assert (client.get("/api/assets/kiln/clay").json()["state"], _events(client, "kiln/clay")) == ("missing", [])
    assert client.get("/api/assets/kiln/pots").json()["state"] == "stale"
    assert client.get("/api/assets/kiln/clay/-/rows").json()["rows"]


def test_a_table_is_dropped_only_where_its_name_is_confirmed(client: TestClient) -> None:
    refused = client.post("/api/assets/kiln/clay/-/wipe", json={"tables": True, "confirm": "clay"})
    kept = len(_events(client, "kiln/clay"))
    dropped = client.post("/api/assets/kiln/clay/-/wipe", json={"tables": True, "confirm": "kiln/clay"}).json()
    again = client.post("/api/assets/kiln/clay/-/wipe", json={"tables": True, "confirm": "kiln/clay"}).json()

    assert (refused.status_code, kept, dropped, again) == (400, 1, {"dropped": True}, {"dropped": False})
    assert not client.get("/api/assets/kiln/clay/-/rows").json()["rows"]


def test_a_table_is_not_dropped_from_under_a_run(client: TestClient, kiln: Site) -> None:
    kiln.instance.create_run(RunRecord("busy", "STARTED", 5e9, 5e9, asset_keys=(CLAY,)))
    answer = client.post("/api/assets/kiln/clay/-/wipe", json={"tables": True, "confirm": "kiln/clay"})

    assert (answer.status_code, "busy" in answer.json()["error"]) == (400, True)
    assert client.get("/api/assets/kiln/clay/-/rows").json()["rows"]


def test_the_table_of_a_source_is_never_dropped(client: TestClient) -> None:
    answer = client.post("/api/assets/pits/-/wipe", json={"tables": True, "confirm": "pits"})

    assert (answer.status_code, "something else fills its table" in answer.text) == (400, True)


def test_what_no_code_declares_is_reported_and_wiped_and_leaves_its_page(client: TestClient, kiln: Site) -> None:
    kiln.instance.report_runless_asset_event(AssetMaterialization(GONE))
    client.post("/api/assets/gone/-/report", json={"metadata": {"row_count": 1}})
    count = len(_events(client, "gone"))
    refused = client.post("/api/assets/gone/-/wipe", json={"tables": True, "confirm": "gone"})
    answer = client.post("/assets/gone", data={"do": "wipe"}, headers=PAGE)

    assert (count, refused.status_code, answer.headers["HX-Redirect"]) == (2, 404, "/assets")
    assert client.get("/assets/gone").status_code == 404


def test_the_catalog_forgets_at_once_what_is_wiped_here_and_within_a_minute_what_is_wiped_elsewhere(
    client: TestClient, kiln: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    def rows() -> dict[str, Any]:
        return {one["key"].rpartition("/")[2]: one["rows"] for one in client.get("/api/assets").json()["assets"]}

    def stated() -> bool:
        rows()
        return kiln.kept(Pulse).is_stated

    before = rows()
    client.post("/api/assets/kiln/clay/-/wipe", json={})
    between = rows()
    deadline = time.monotonic() + 20
    while not stated() and time.monotonic() < deadline:
        time.sleep(0.02)
    kiln.instance.wipe([POTS])
    still = stated()
    monkeypatch.setattr(pulse, "READ_ANEW", 0.0)
    kiln.kept(Pulse).look()
    known = kiln.kept(Pulse).is_stated
    after = rows()

    assert [one.get("clay") for one in (before, between, after)] == [2, None, None]
    assert [one.get("pots") for one in (before, between, after)] == [1, 1, None]
    assert (still, known) == (True, False)


def test_the_dialogs_come_back_with_what_is_wrong_and_what_was_typed(client: TestClient) -> None:
    dialog = client.get("/assets/fires?part=report&partition=2024-01-03", headers=PAGE).text
    wrong = client.post("/assets/fires", data={"do": "report", "first": "tomorrow", "metadata": "a=<b>"}, headers=PAGE).text
    unread = client.post("/assets/kiln/clay", data={"do": "report", "metadata": "rows 7"}, headers=PAGE).text
    unsure = client.post("/assets/kiln/clay", data={"do": "wipe", "tables": "1", "confirm": "x"}, headers=PAGE).text

    assert 'value="2024-01-03"' in dialog
    assert all(text in wrong for text in ('value="tomorrow"', "a=&lt;b&gt;", 'role="alert"'))
    assert ("NAME=VALUE" in unread, "its name was not confirmed" in unsure) == (True, True)


def test_metadata_is_typed_in_lines(client: TestClient) -> None:
    text = "row_count=12\n\n share = 0.5\nnote=made = by hand\nok=true\nparts=[1, 2]"
    client.post("/assets/kiln/clay", data={"do": "report", "metadata": text}, headers=PAGE)
    told = _events(client, "kiln/clay")[0]["metadata"]

    assert {name: value[1] for name, value in told.items()} == {
        "row_count": 12,
        "share": 0.5,
        "note": "made = by hand",
        "ok": True,
        "parts": [1, 2],
    }


def test_a_server_that_only_shows_neither_records_nor_forgets(kiln: Site) -> None:
    kiln.settings = Settings(read_only=True)
    client = TestClient(create_app(kiln), base_url="http://localhost")
    client.headers["x-csrf-token"] = client.get("/api/server").json()["csrf"]
    answers = [client.post(f"/api/assets/kiln/clay/-/{what}", json={}).status_code for what in ("report", "wipe")]

    assert all(status >= 400 for status in answers)
    assert len(_events(client, "kiln/clay")) == 1
    assert "part=wipe" not in client.get("/assets/kiln/clay").text
