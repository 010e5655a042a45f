"""The first moments of a server: it answers before there is anything to show, and says why when there never will be."""

from __future__ import annotations

import subprocess
import sys
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from fastapi import FastAPI
from starlette.testclient import TestClient

from warehouse_assets.errors import InstanceError
from warehouse_assets.web.app import create_app
from warehouse_assets.web.security import Guard
from warehouse_assets.web.settings import Settings
from warehouse_assets.web.site import Site
from warehouse_assets.web.starting import Starting

PAGE = {"accept": "text/html"}


def test_pages_say_that_it_starts_and_all_else_waits(sites: Callable[..., Site]) -> None:
    may = threading.Event()
    site = sites("shop")

    def make() -> FastAPI:
        may.wait(30)
        return create_app(site, is_guarded=True)

    with (
        TestClient(Guard(Starting(make, Settings()), Settings()), base_url="http://localhost") as client,
        ThreadPoolExecutor() as pool,
    ):
        first = client.get("/assets", headers=PAGE)
        style = client.get("/static/wa.css")
        refused = client.get("/", headers=PAGE | {"host": "elsewhere"})
        answer = pool.submit(client.get, "/api/server")
        waits = not answer.done()
        may.set()

        assert (first.status_code, style.status_code, refused.status_code, waits) == (200, 200, 400, True)
        assert "Starting" in first.text
        assert answer.result().json()["locations"] == ["shop"]
        assert "Starting" not in client.get("/assets", headers=PAGE).text
        assert (
            client.get("/assets", headers=PAGE).headers["content-security-policy"] == first.headers["content-security-policy"]
        )


def test_what_cannot_start_says_why() -> None:
    ended = threading.Event()

    def make() -> FastAPI:
        raise InstanceError("the record cannot be opened")

    starting = Starting(make, Settings(), ended.set)
    with TestClient(starting, base_url="http://localhost") as client:
        ended.wait(30)
        answer = client.get("/_loading")

    assert (answer.status_code, answer.json()["error"]) == (503, "the server cannot start: the record cannot be opened")
    assert isinstance(starting.error, InstanceError)


def test_a_server_whose_record_cannot_be_opened_ends(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "few.py").write_text("from warehouse_assets import Definitions\ndefs = Definitions()\n")
    program = [sys.executable, "-c", "from warehouse_assets.cli import script; script()", "web", "-m", "few", "--port", "0"]
    monkeypatch.setenv("WAREHOUSE_ASSETS_URL", "postgresql://127.0.0.1:1/nowhere?connect_timeout=1")
    ended = subprocess.run(program, cwd=tmp_path, capture_output=True, text=True, timeout=60, check=False)

    assert (ended.returncode, "Traceback" in ended.stderr) == (1, False)
    assert "127.0.0.1" in ended.stderr
