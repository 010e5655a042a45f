"""Assets whose keys hold what addresses, lists and markup are made of."""

from __future__ import annotations

import html
import re
from collections.abc import Iterator
from urllib.parse import parse_qs, urlsplit

import pytest
from starlette.testclient import TestClient

from warehouse_assets import AssetKey, Instance
from warehouse_assets.code_location.workspace import Workspace
from warehouse_assets.code_location.workspace_file import location_of
from warehouse_assets.web.addresses import key_from_path, key_path
from warehouse_assets.web.app import create_app
from warehouse_assets.web.rendering import asset_url
from warehouse_assets.web.site import Site
from warehouse_assets.web.views.asset import TABS
from warehouse_assets.web.views.launch import LaunchInput, form_of

KEYS = {
    "slash": ["a/b", "c/"],
    "comma": ["a,b", ",", "c"],
    "space": [" a b ", "c  d"],
    "quotes": ["it's", 'a "b"', "`"],
    "percent": ["100%", "%2F", "%"],
    "line": ["two\nlines", "\n"],
    "return": ["a\r\n\tb"],
    "right_to_left": ["\u202eabc", "שלום", "مرحبا"],
    "backslash": ["a\\b", "\\", "\\/"],
    "question": ["?a=b&c", "#d", ";e"],
    "dots": [".", "..", "x"],
    "escaped_dots": ["\\..", "\\\\."],
    "dash": ["-", "-", "events"],
    "markup": ["<b>", "&amp;", "{{ 1 }}"],
    "far": ["🦆", "\U0001d54f", "e\u0301"],
}

MODULE = f"""
from warehouse_assets import AssetKey, Definitions, StaticPartitionsDefinition, asset

KEYS = {KEYS!r}


def made(name, path):
    @asset(key=AssetKey(path), deps=[AssetKey([*path, "up"])], partitions_def=StaticPartitionsDefinition(["a,b", "c/d"]))
    def one():
        return None
    return one


defs = Definitions([made(name, path) for name, path in KEYS.items()])
"""


@pytest.fixture(scope="module")
def hostile(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """A site on assets that nobody should declare, and somebody will."""
    folder = tmp_path_factory.mktemp("hostile")
    (folder / "hostile.py").write_text(MODULE)
    with (
        Instance.local(folder / "home") as instance,
        Workspace([location_of("hostile", folder)], environment=instance.environment) as workspace,
    ):
        site = Site(workspace, instance)
        site.start()
        site.wait()
        yield site


@pytest.fixture(scope="module")
def asking(hostile: Site) -> TestClient:
    """Who asks it."""
    return TestClient(create_app(hostile), base_url="http://localhost")


@pytest.mark.parametrize("path", KEYS.values(), ids=KEYS)
def test_a_key_comes_back_from_its_address(path: list[str]) -> None:
    assert key_from_path(key_path(AssetKey(path))) == AssetKey(path)


@pytest.mark.parametrize("path", KEYS.values(), ids=KEYS)
def test_every_tab_of_any_key_has_a_page_and_its_links_mean_the_same_asset(
    asking: TestClient, hostile: Site, path: list[str]
) -> None:
    key = AssetKey(path)
    pages = {tab: asking.get(asset_url(key, tab=tab)) for tab in TABS}
    page = pages["overview"].text
    links = [html.unescape(link) for link in re.findall(r'(?:href|hx-get)="([^"]*)"', page)]
    asked = {parse_qs(urlsplit(link).query)["asset"][0] for link in links if link.startswith("/graph") and "?" in link}
    launched = [parse_qs(urlsplit(link).query) for link in links if link.startswith("/launch")]
    (posted,) = set(re.findall(r'name="assets" value="([^"]*)"', page))

    assert {tab: page.status_code for tab, page in pages.items()} == dict.fromkeys(TABS, 200)
    assert {AssetKey.from_escaped_string(text) for text in asked} == {key}
    assert [found["assets"] for found in launched] == [[html.unescape(posted)]]
    assert form_of(hostile, LaunchInput(assets=[key.to_escaped_string()]))[1].assets == (key.path,)
    assert (
        asking.get(f"/launch?{urlsplit(next(link for link in links if link.startswith('/launch'))).query}").status_code == 200
    )


@pytest.mark.parametrize("path", KEYS.values(), ids=KEYS)
def test_the_neighbours_and_the_values_of_any_key_are_told(asking: TestClient, path: list[str]) -> None:
    key = AssetKey(path)
    mini = asking.get("/graph/mini", params={"asset": key.to_escaped_string()})
    told = asking.get(f"/api{asset_url(key)}").json()
    parts = ("events", "series", "schema", "columns", "checks", "partitions", "versions", "definition")

    assert mini.text.count('class="node ') == 2
    assert told["key"] == path
    assert [asking.get(f"/api{asset_url(key)}/-/{part}").status_code for part in parts] == [200] * len(parts)


def test_several_keys_with_commas_are_launched_together(asking: TestClient) -> None:
    both = r"a\,b/\,/c,a\/b/c\/"
    page = asking.get("/launch", params={"assets": both}).text

    assert "Materialize 2 assets" in page
    assert html.unescape(page).count(r'value="a\,b/\,/c"') == 1
