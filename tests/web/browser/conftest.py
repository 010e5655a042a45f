"""A `wa dev` on the bazaar and a browser, shared by the tests that open its pages; each test has a context of its own."""

from __future__ import annotations

import json
import shutil
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.request import urlopen

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.web.browser import driving
from tests.web.browser.driving import LARGE, Size, Troubles, settled
from warehouse_assets import AssetKey, Instance
from warehouse_assets.code_location.loading import load_definitions

PASSWORD = "swordfish-of-the-environment"


@dataclass
class Bazaar:
    """Where the project is, where it is served, and the runs that are recorded, by what they were."""

    folder: Path
    address: str = ""
    runs: dict[str, str] = field(default_factory=dict)


@pytest.fixture(scope="package")
def chrome() -> Iterator[Browser]:
    """The browser. It holds an event loop, and so ends with the tests of this package."""
    expect.set_options(timeout=20_000)  # the machine is shared
    with driving.browser() as started:
        yield started


@pytest.fixture(scope="package")
def bazaar(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Bazaar]:
    """The project with some runs in its record, served as `wa dev` does."""
    made = Bazaar(tmp_path_factory.mktemp("bazaar"))
    shutil.copy(Path(__file__).with_name("bazaar.py"), made.folder / "bazaar.py")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(made.folder)
        patch.setenv("BAZAAR_PASSWORD", PASSWORD)
        patch.delenv("WAREHOUSE_ASSETS_HOME", raising=False)
        _trade(made)
    with driving.served(made.folder, "bazaar", BAZAAR_PASSWORD=PASSWORD) as made.address:
        while _is_loading(made.address):
            time.sleep(0.05)
        yield made


def _is_loading(address: str) -> bool:
    with urlopen(f"{address}/api/server") as answer:
        return bool(json.load(answer)["loading"])


def _trade(made: Bazaar) -> None:
    known = set(sys.modules)
    definitions = load_definitions("bazaar", made.folder)
    with Instance.get(made.folder) as instance:

        def run(name: str, *keys: str | AssetKey, **options: Any) -> None:
            options |= {"instance": instance, "raise_on_error": False}
            made.runs[name] = definitions.materialize([*keys], **options).run_id

        config = {"ops": {"staging__orders": {"config": {"rows": 9}}}}
        run("first", "staging/orders", "staging/payments", "marts/per_customer")
        run("success", "staging/orders", "marts/per_customer", "quick", run_config=config)
        run("failure", "failing", "quick")
        run("partition", "daily", partition_key="2024-01-03")
        odd = next(key for key in definitions.graph.nodes if key.path[0].startswith("odd"))
        run("odd", odd, tags={"<script>alert(1)</script>": '"\u202e<b>'})
    for name in set(sys.modules) - known:
        if str(getattr(sys.modules[name], "__file__", None) or "").startswith(f"{made.folder}/"):
            del sys.modules[name]


@pytest.fixture
def troubles(bazaar: Bazaar) -> Iterator[Troubles]:
    """What goes wrong in the pages of a test, which fails for it."""
    noted = Troubles(bazaar.address)
    yield noted

    assert noted.found == []


@pytest.fixture
def visit(chrome: Browser, bazaar: Bazaar, troubles: Troubles) -> Iterator[Callable[..., Page]]:
    """Opens an address in a context of its own: `visit("/runs", size=SMALL, scheme="dark")`."""
    contexts = []

    def opened(address: str, size: Size = LARGE, scheme: driving.Scheme = "light") -> Page:
        context = chrome.new_context(
            viewport={"width": size[0], "height": size[1]}, color_scheme=scheme, base_url=bazaar.address, locale="en-US"
        )
        context.set_default_timeout(15_000)
        contexts.append(context)
        troubles.watch(context)
        page = context.new_page()
        page.goto(address, wait_until="load")
        return settled(page)

    yield opened
    for context in contexts:
        context.close()
