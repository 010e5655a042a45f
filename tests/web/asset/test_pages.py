"""The page of an asset, its tabs and its parts."""

from __future__ import annotations

import re
from dataclasses import replace

import pytest
from starlette.testclient import TestClient

from warehouse_assets import AssetKey
from warehouse_assets.errors import LocationError
from warehouse_assets.web.rendering import asset_url
from warehouse_assets.web.site import Facts, Site
from warehouse_assets.web.views.asset import TABS

ODD = asset_url(AssetKey(['odd " key', "a/b", "<script>"]))
FRAGMENT = {"hx-request": "true"}


def ids_of(client: TestClient, address: str) -> list[int]:
    return [event["id"] for event in client.get(f"/api{address}/-/events").json()["events"]]


@pytest.mark.parametrize("tab", TABS)
@pytest.mark.parametrize(
    "address",
    [
        "/assets/staging/loaves",
        "/assets/marts/per_name",
        "/assets/daily",
        "/assets/by_shop",
        "/assets/raw/flour",
        "/assets/raw/events",
        "/assets/staging/gone",
        "/assets/values",
        ODD,
    ],
)
def test_every_tab_of_every_asset_has_a_page_without_text_of_others_as_markup(
    client: TestClient, address: str, tab: str
) -> None:
    answer = client.get(f"{address}?tab={tab}")

    assert (answer.status_code, answer.headers["content-type"]) == (200, "text/html; charset=utf-8")
    assert not re.search(r"<(script>|img src=x|b>rye|i>|a>|q>&)|<[^>]+ (on\w+|style)=", answer.text)
    assert "javascript:alert" not in re.findall(r'href="([^"]*)', answer.text)


def test_the_head_says_how_the_asset_stands(client: TestClient) -> None:
    page = client.get("/assets/marts/per_name").text

    assert "Failed" in page
    assert "ValueError: no &lt;dough&gt;" in page
    assert 'hx-post="/launch"' in page


def test_an_address_that_is_not_known_leads_to_near_names(client: TestClient) -> None:
    answer = client.get("/assets/staging/loavs")

    assert answer.status_code == 404
    assert "staging/loaves" in answer.text


def test_an_asset_that_is_gone_shows_what_was_recorded(client: TestClient) -> None:
    page = client.get("/assets/staging/gone?tab=table").text

    assert "No code location declares this asset any more." in page
    assert "retyped from <code>INTEGER</code> to <code>BIGINT</code>" in " ".join(page.split())


def test_two_events_are_compared_side_by_side(client: TestClient) -> None:
    newest, older, *_ = ids_of(client, "/assets/staging/loaves")
    page = " ".join(client.get(f"/assets/staging/loaves?tab=activity&compare={newest}&compare={older}").text.split())

    assert "Two events side by side" in page
    assert "+1 (+50.0%)" in page


@pytest.mark.parametrize("compare", ["1,2", "x", "1,2,3", "99999999999999999999,1"])
def test_what_cannot_be_compared_is_refused(client: TestClient, compare: str) -> None:
    assert client.get(f"/assets/staging/loaves?tab=activity&compare={compare}").status_code == 404


def test_parts_come_to_pages_that_are_open(client: TestClient) -> None:
    rows = client.get("/assets/staging/loaves?part=rows&limit=2", headers=FRAGMENT).text
    versions = client.get("/assets/staging/loaves?part=versions", headers=FRAGMENT).text
    head = client.get("/assets/staging/loaves?part=head", headers=FRAGMENT).text
    event = client.get(
        f"/assets/staging/gone?part=event&event={ids_of(client, '/assets/staging/gone')[1]}", headers=FRAGMENT
    ).text

    assert '<span class="null">null</span>' in rows
    assert "&lt;b&gt;rye&lt;/b&gt;" in rows
    assert "the present one" in versions
    assert head.lstrip().startswith("<header")
    assert 'href="https://example.com/?a=1&amp;b=2" rel="noopener' in event
    assert "javascript:alert(1)" in event
    assert 'href="javascript' not in event


def test_descriptions_are_markdown_without_markup_of_their_own(client: TestClient) -> None:
    page = client.get("/assets/staging/loaves").text

    assert "<strong>as baked</strong>" in page
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in page
    assert '<a href="https://example.com" rel="noopener noreferrer nofollow">web</a>' in page


def test_code_is_highlighted_and_secrets_are_not_shown(client: TestClient) -> None:
    page = client.get("/assets/staging/loaves?tab=definition").text

    assert '<span class="k">def</span>' in page
    assert '<span class="k">select</span>' in client.get("/assets/marts/per_name?tab=definition").text


def test_a_chosen_column_is_marked(client: TestClient) -> None:
    page = client.get("/assets/marts/per_name?tab=columns&column=n").text

    assert page.count('class="chosen"') == 1


def test_a_partition_shows_its_events(client: TestClient) -> None:
    page = client.get("/assets/daily?tab=partitions&partition=2024-01-02").text

    assert "Partition 2024-01-02" in page
    assert 'class="fresh" x="32.258"' in page


def test_sample_rows_can_be_switched_off(client: TestClient, bakery: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bakery, "settings", replace(bakery.settings, samples=False, read_only=True))

    assert "switched off" in client.get("/assets/staging/loaves?part=rows", headers=FRAGMENT).text
    assert "/launch" not in client.get("/assets/staging/loaves").text
    assert client.get("/api/assets/staging/loaves/-/rows").json()["rows"] == []


@pytest.mark.parametrize(
    ("facts", "said"),
    [
        (Facts(loading=frozenset({"bakery"})), "The code locations are loading."),
        (Facts(errors={"oven": LocationError("cold")}), "declares this asset; oven could not."),
        (Facts(), "No code location declares this asset any more."),
    ],
    ids=["loading", "broken", "gone"],
)
def test_what_no_location_tells_of_is_shown_with_what_was_recorded(
    client: TestClient, bakery: Site, monkeypatch: pytest.MonkeyPatch, facts: Facts, said: str
) -> None:
    monkeypatch.setattr(bakery, "facts", facts)
    pages = {tab: client.get(f"/assets/staging/loaves?tab={tab}") for tab in TABS}

    assert {tab: page.status_code for tab, page in pages.items()} == dict.fromkeys(TABS, 200)
    assert said in pages["overview"].text
    assert "0.25" in pages["overview"].text


def test_a_page_opens_while_its_location_loads_that_nothing_is_recorded_of(
    client: TestClient, bakery: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bakery, "facts", Facts(loading=frozenset({"bakery"})))

    assert client.get("/assets/raw/events").status_code == 200


def test_a_key_that_a_name_cannot_tell_is_launched_and_drawn_by_its_escaped_form(client: TestClient) -> None:
    page = client.get(ODD).text

    assert 'name="assets" value="odd &#34; key/a\\/b/&lt;script&gt;"' in page
    assert "/graph/mini?asset=odd+%22+key%2Fa%5C%2Fb%2F%3Cscript%3E" in page
