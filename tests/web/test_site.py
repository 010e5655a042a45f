"""What a server works on: locations that load in the background, and who may ask it for what."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from starlette.testclient import TestClient

from tests.web.conftest import SHOP, asking, sites_of
from warehouse_assets import AssetKey, AssetMaterialization, Instance
from warehouse_assets.code_location.workspace import Workspace
from warehouse_assets.code_location.workspace_file import location_of
from warehouse_assets.errors import InvalidInvocationError
from warehouse_assets.web.app import create_app
from warehouse_assets.web.live import Live
from warehouse_assets.web.settings import Settings
from warehouse_assets.web.site import Site

TOKEN = "a long token of the tests"


@pytest.fixture(scope="module")
def client(tmp_path_factory: pytest.TempPathFactory) -> Iterator[TestClient]:
    """Who asks one site of the shop in all tests of this module that write nothing."""
    folder = tmp_path_factory.mktemp("shop")
    (folder / "shop.py").write_text(SHOP)
    with Instance.local(folder / "home") as instance, sites_of(folder, instance) as sites:
        yield asking(sites("shop"))


@pytest.fixture
def unloaded(sites: Callable[..., Site]) -> Site:
    """A site that has no location, only a record."""
    return sites()


def test_what_is_declared_is_known_once_it_is_loaded(site: Site) -> None:
    assert AssetKey(["marts", "per_customer"]) in site.facts.assets
    assert list(site.facts.jobs) == [("shop", "nightly")]
    assert list(site.facts.schedules) == [("shop", "every_night")]
    assert list(site.facts.sensors) == [("shop", "arrivals")]


def test_a_broken_location_is_an_error_beside_the_others_until_it_is_mended(sites: Callable[..., Site], folder: Path) -> None:
    (folder / "broken.py").write_text("1 / 0\n")
    site = sites("shop", "broken")
    before = (list(site.facts.locations), list(site.facts.errors))
    (folder / "broken.py").write_text("from warehouse_assets import asset\n@asset\ndef mended(): ...\n")
    site.reload("broken")
    facts = site.wait()

    assert before == (["shop"], ["broken"])
    assert (list(facts.locations), list(facts.errors), AssetKey("mended") in facts.assets) == (["shop", "broken"], [], True)


def test_a_server_answers_before_anything_is_loaded(sites: Callable[..., Site], folder: Path) -> None:
    (folder / "slow.py").write_text("import time\ntime.sleep(600)\n")
    site = sites("shop")
    slow = Site(Workspace([location_of("slow", folder)]), site.instance)
    slow.start()
    answer = TestClient(create_app(slow), base_url="http://localhost").get("/api/server").json()
    slow.close()

    assert answer["loading"] == ["slow"]


@pytest.mark.parametrize("host", ["evil.example", "evil.example:8642", "", "localhost.evil.example"])
def test_another_name_is_refused(client: TestClient, host: str) -> None:
    assert client.get("/api/server", headers={"host": host}).status_code == 400


@pytest.mark.parametrize("host", ["localhost", "localhost:8642", "127.0.0.1:1", "[::1]:8642", "LOCALHOST"])
def test_its_own_names_are_not(client: TestClient, host: str) -> None:
    assert client.get("/api/server", headers={"host": host}).status_code == 200


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"origin": "http://evil.example"}, 403),
        ({"x-csrf-token": "wrong"}, 403),
        ({"x-csrf-token": ""}, 403),
        ({"origin": "http://localhost"}, 404),
        ({}, 404),
    ],
    ids=["foreign origin", "wrong token", "no token", "own origin", "own page"],
)
def test_what_writes_comes_from_a_page_of_this_server(client: TestClient, headers: dict[str, str], status: int) -> None:
    assert client.post("/api/nothing", headers=headers).status_code == status


def test_every_answer_forbids_what_pages_do_not_need(client: TestClient) -> None:
    for path in ("/api/server", "/static/wa.css", "/nothing"):
        headers = client.get(path).headers

        assert "script-src 'self'" in headers["content-security-policy"]
        assert headers["x-content-type-options"] == "nosniff"


def test_a_page_that_is_not_there_leads_somewhere(client: TestClient) -> None:
    answer = client.get("/no<script>")

    assert answer.status_code == 404
    assert "there is nothing at /no&lt;script&gt;" in answer.text
    assert 'action="/assets"' in answer.text


def test_a_token_is_asked_for_where_there_is_one(sites: Callable[..., Site]) -> None:
    site = sites("shop", settings=Settings(token=TOKEN))
    client = TestClient(create_app(site), base_url="http://localhost", follow_redirects=False)
    refused = client.get("/api/server").status_code, client.get("/").headers["location"], client.get("/live").status_code
    wrong = client.post("/login", data={"token": "wrong"}).status_code
    by_program = client.get("/api/server", headers={"authorization": f"Bearer {TOKEN}"}).status_code
    right = client.post("/login", data={"token": TOKEN})
    after = client.get("/api/server").status_code

    assert (refused, wrong, by_program, after) == ((401, "/login", 401), 401, 200, 200)
    assert "HttpOnly" in right.headers["set-cookie"]
    assert TOKEN not in right.headers["set-cookie"]


@pytest.mark.parametrize(
    ("host", "token", "fault"), [("0.0.0.0", None, "others can reach it"), ("127.0.0.1", "short", "too short")]
)
def test_an_open_address_needs_a_token(host: str, token: str | None, fault: str) -> None:
    with pytest.raises(InvalidInvocationError, match=fault):
        Settings(host=host, token=token)


def test_changes_are_told_with_the_ids_of_the_record(unloaded: Site, instance: Instance) -> None:
    async def told() -> list[str]:
        stream = Live(unloaded).changes(None)
        first = await anext(stream)
        await anext(stream)
        waiting = asyncio.ensure_future(anext(stream))
        await asyncio.sleep(0.3)
        instance.report_runless_asset_event(AssetMaterialization(AssetKey("orders")))
        second = await waiting
        await stream.aclose()
        return [first, second]

    with ThreadPoolExecutor(1) as thread:  # a browser of other tests may have a loop in this one
        first, second = thread.submit(lambda: asyncio.run(told())).result()

    assert first == "retry: 1000\n\n"
    assert second.startswith("id: 1\ndata: {")
    assert '"assets": {"orders": "ASSET_MATERIALIZATION"}' in second


@pytest.mark.parametrize("others", [False, True], ids=["alone", "while others listen"])
@pytest.mark.parametrize(("after", "missed"), [(0, True), (1, True), (2, False), (2**60, False)])
def test_what_happened_between_a_page_and_its_first_word_is_told(
    unloaded: Site, instance: Instance, after: int, missed: bool, others: bool
) -> None:
    instance.report_runless_asset_event(AssetMaterialization(AssetKey("orders")))
    instance.report_runless_asset_event(AssetMaterialization(AssetKey("orders")))

    async def first_told() -> str:
        live = Live(unloaded)
        other = live.changes(None)
        if others:
            await anext(other)
            await asyncio.sleep(0.3)
        stream = live.changes(after)
        heads = [await anext(stream), await anext(stream)]
        waiting = asyncio.ensure_future(anext(stream))
        await asyncio.sleep(0.3)
        instance.report_runless_asset_event(AssetMaterialization(AssetKey(f"made {len(heads)}")))
        first = await waiting
        await stream.aclose()
        await other.aclose()
        return first

    with ThreadPoolExecutor(1) as thread:
        first = thread.submit(lambda: asyncio.run(first_told())).result()

    assert ("orders" in first) == missed


PAGES = (
    "/",
    "/assets",
    "/graph",
    "/runs",
    "/automation",
    "/backfills",
    "/jobs",
    "/locations",
    "/sql",
    "/nowhere",
    "/login",
    "/live-not",
)


@pytest.mark.parametrize("path", PAGES)
def test_no_page_may_be_framed_or_run_or_load_what_is_not_of_the_server(client: TestClient, path: str) -> None:
    headers = client.get(path).headers
    policy = dict(part.strip().split(" ", 1) for part in headers["content-security-policy"].split(";"))

    assert (policy["default-src"], policy["script-src"], policy["style-src"]) == ("'none'", "'self'", "'self'")
    assert (policy["frame-ancestors"], policy["base-uri"], policy["form-action"]) == ("'none'", "'none'", "'self'")
    assert (headers["x-frame-options"], headers["referrer-policy"], headers["cache-control"]) == (
        "DENY",
        "same-origin",
        "no-store",
    )
