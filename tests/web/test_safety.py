"""What strangers try on a server: other sites, other names, no token, large and odd requests, and pages that may tell secrets."""

from __future__ import annotations

import asyncio
import importlib
import pkgutil
import re
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from starlette.testclient import TestClient

from warehouse_assets import Instance
from warehouse_assets.code_location.loading import load_definitions
from warehouse_assets.code_location.workspace import Workspace
from warehouse_assets.web import api, pages
from warehouse_assets.web import live as live_module
from warehouse_assets.web.app import create_app
from warehouse_assets.web.live import Live
from warehouse_assets.web.security import MOST_BYTES, MOST_QUERY
from warehouse_assets.web.settings import Settings
from warehouse_assets.web.site import Site

TOKEN = "a long token of the tests"
SECRET = "hush-hush-9"
TELLING = f'''
import os
from warehouse_assets import Config, ConfigurableResource, Definitions, EnvVar, asset
from io_managers import SQLAlchemyIOManager


class Login(Config):
    password: str


class Api(ConfigurableResource):
    address: str
    api_key: str
    other: str


URL = "postgresql://me:{SECRET}@127.0.0.1:1/shop"


@asset(metadata={{"from": URL}})
def fetched(context, config: Login, api: Api):
    """From postgresql://me:{SECRET}@somewhere/shop."""
    context.log.info("asking " + URL)
    raise ValueError("no answer from " + URL)


@asset(io_manager_key="far")
def kept():
    return 1


defs = Definitions(
    [fetched, kept],
    resources={{
        "api": Api(address=URL, api_key="{SECRET}", other=EnvVar("WA_TEST_SECRET")),
        "far": SQLAlchemyIOManager(url=URL),
    }},
)
'''


@pytest.fixture
def open_site() -> Iterator[Site]:
    """One without code, of which no token is asked."""
    with Instance.ephemeral() as instance:
        yield Site(Workspace([]), instance)


@pytest.fixture
def closed() -> Iterator[Site]:
    """One without code, which wants a token."""
    with Instance.ephemeral() as instance:
        yield Site(Workspace([]), instance, Settings(token=TOKEN))


@pytest.fixture
def showing() -> Iterator[Site]:
    """One without code, that only shows."""
    with Instance.ephemeral() as instance:
        yield Site(Workspace([]), instance, Settings(read_only=True))


@pytest.fixture
def bare(open_site: Site, client_of: Callable[[Site], TestClient]) -> TestClient:
    """A page of the open site."""
    return client_of(open_site)


def all_routes() -> Iterator[tuple[str, str]]:
    """The method and an address of each route, pages and API."""
    for package in (api, pages):
        for found in pkgutil.iter_modules(package.__path__):
            for route in importlib.import_module(f"{package.__name__}.{found.name}").router.routes:
                for method in sorted(route.methods):
                    yield method, re.sub(r"\{[^}]*\}", "shop", route.path)


def test_nothing_is_written_without_the_token_of_a_page(open_site: Site) -> None:
    stranger = TestClient(create_app(open_site), base_url="http://localhost")
    written = [(method, path) for method, path in all_routes() if method != "GET"]
    answers = {(method, path): stranger.request(method, path).status_code for method, path in written}

    assert len(written) > 20
    assert answers == dict.fromkeys(written, 403)


def test_nothing_is_told_without_the_token_of_the_server(closed: Site) -> None:
    stranger = TestClient(create_app(closed), base_url="http://localhost", follow_redirects=False)
    asked = list(all_routes())
    answers = {(method, path): stranger.request(method, path).status_code for method, path in asked}

    assert set(answers.values()) == {303, 401}
    assert {path for (method, path), status in answers.items() if status == 303} == {
        path for method, path in asked if method == "GET" and not path.startswith(("/api", "/live"))
    }


def test_a_server_that_only_shows_changes_nothing(showing: Site, client_of: Callable[[Site], TestClient]) -> None:
    client = client_of(showing)
    harmless = ("/sql", "/api/sql", "/launch/form", "/locations/reload")  # which ask, or load the code anew
    written = [(method, path) for method, path in all_routes() if method != "GET" and not path.startswith(harmless)]
    answers = {(method, path): client.request(method, path, json={}).status_code for method, path in written}

    assert len(written) > 15
    assert {asked: status for asked, status in answers.items() if status < 400} == {}


def test_another_site_cannot_have_a_browser_ask(bare: TestClient) -> None:
    modes = ("cors", "no-cors", "same-origin", "navigate")
    answers = {
        mode: bare.get("/api/server", headers={"sec-fetch-site": "cross-site", "sec-fetch-mode": mode}).status_code
        for mode in modes
    }

    assert answers == dict.fromkeys(modes, 403) | {"navigate": 200}


def test_what_writes_comes_from_no_odd_origin(bare: TestClient) -> None:
    origins = ["null", "http://localhost.evil.example", "http://localhost:1", "file://", "http://", "", "localhost"]
    answers = [bare.post("/locations/reload", headers={"origin": origin}).status_code for origin in origins]

    assert answers == [403] * len(origins)


def test_only_files_that_are_meant_are_served(bare: TestClient) -> None:
    paths = ["../app.py", "..%2fapp.py", "%2e%2e/app.py", "vendor/../../app.py", "..\\app.py", "/etc/passwd", "%00", ""]
    answers = [bare.get(f"/static/{path}") for path in paths]

    assert [answer.status_code for answer in answers] == [404] * len(paths)
    assert "def " not in "".join(answer.text for answer in answers)


def test_a_session_is_kept_from_scripts_and_other_sites(closed: Site) -> None:
    app = create_app(closed)
    plain, secure = (TestClient(app, base_url=f"{scheme}://localhost", follow_redirects=False) for scheme in ("http", "https"))
    cookies = [client.post("/login", data={"token": TOKEN}).headers["set-cookie"] for client in (plain, secure)]
    odd = TestClient(app, base_url="http://localhost", headers={"cookie": "a[=1; wa_session=\x01; =;"}).get("/api/server")

    assert ["HttpOnly" in cookie and "SameSite=strict" in cookie for cookie in cookies] == [True, True]
    assert ["Secure" in cookie for cookie in cookies] == [False, True]
    assert odd.status_code == 401


def test_what_is_too_large_is_not_taken(bare: TestClient, closed: Site) -> None:
    pieces = (b"x" * 100_000 for _ in range(MOST_BYTES // 100_000 + 1))
    asked = TestClient(create_app(closed), base_url="http://localhost")
    answers = [
        bare.post("/api/sql", content=b"x" * (MOST_BYTES + 1)),
        bare.post("/api/sql", content=pieces),
        bare.post("/api/sql", headers={"content-length": "-1"}, content=b""),
        bare.get("/assets?q=" + "x" * (MOST_QUERY)),
        asked.post("/login", content=(b"x" * 100_000 for _ in range(MOST_BYTES // 100_000 + 1))),
    ]

    assert [answer.status_code for answer in answers] == [413, 413, 413, 414, 413]


def test_odd_values_are_refused_and_do_no_harm(bare: TestClient) -> None:
    bodies = [b"[" * 200_000, b'{"sql":' * 50_000, b"\xff\xfe", b'{"sql": 1e999}', b'{"sql": "\\ud800"}', b"null", b""]
    headers = {"content-type": "application/json"}
    answers = [bare.post("/api/sql", content=body, headers=headers).status_code for body in bodies]

    assert [answer in (400, 422) for answer in answers] == [True] * len(bodies)


def test_so_many_listen_from_one_address_and_no_more(open_site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(live_module, "MOST", 2)

    async def heard() -> list[bool]:
        live = Live(open_site)
        streams = [live.changes(None, "here") for _ in range(2)]
        for stream in streams:
            await anext(stream)
        full = [live.has_room("here"), live.has_room("there")]
        await streams[0].aclose()
        later = live.has_room("here")
        await streams[1].aclose()
        return [*full, later]

    with ThreadPoolExecutor(1) as thread:  # a browser of other tests may have a loop in this one
        told = thread.submit(lambda: asyncio.run(heard())).result()

    assert told == [False, True, True]


def test_no_page_and_no_value_tells_a_secret(
    sites: Callable[..., Site],
    client_of: Callable[[Site], TestClient],
    folder: Path,
    instance: Instance,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("WA_TEST_SECRET", SECRET)
    (folder / "telling.py").write_text(TELLING)
    (folder / "broken.py").write_text(f'raise ValueError("no postgresql://me:{SECRET}@host/x")\n')
    config = {"ops": {"fetched": {"config": {"password": SECRET}}}}
    run = load_definitions("telling", folder).materialize(
        ["fetched"], instance=instance, run_config=config, raise_on_error=False
    )
    client = client_of(sites("telling", "broken"))
    tabs = ["overview", "activity", "table", "columns", "checks", "partitions", "definition"]
    pages = [
        *(
            "/",
            "/assets",
            "/locations",
            "/runs",
            "/jobs",
            "/automation",
            "/backfills",
            "/graph",
            "/sql",
            "/launch?assets=fetched",
        ),
        *(
            f"/runs/{run.run_id}",
            f"/api/runs/{run.run_id}/events",
            f"/api/runs/{run.run_id}/timeline",
            f"/api/runs/{run.run_id}/output",
        ),
        *(f"/assets/{name}?tab={tab}" for name in ("fetched", "kept") for tab in tabs),
        *(
            "/api/assets",
            "/api/assets/fetched",
            "/api/locations",
            "/api/runs",
            f"/api/runs/{run.run_id}",
            "/api/graph",
            "/api/jobs",
        ),
        *("/api/assets/fetched/-/definition", "/api/assets/fetched/-/events"),
    ]
    answers = {path: client.get(path) for path in pages}
    failed = client.post("/api/sql", json={"sql": "select * from kept"})

    assert {path: answer.status_code for path, answer in answers.items()} == dict.fromkeys(pages, 200)
    assert {path: SECRET in answer.text for path, answer in answers.items()} == dict.fromkeys(pages, False)
    assert "no answer from postgresql://me:•••@127.0.0.1" in answers[f"/runs/{run.run_id}"].text
    assert "postgresql://me:•••@host/x" in answers["/locations"].text
    assert (failed.status_code, SECRET in failed.text) == (400, False)
