"""What people do on the page of an asset."""

from __future__ import annotations

from collections.abc import Callable
from urllib.parse import quote

import pytest
from playwright.sync_api import Page, expect

from tests.web.browser.driving import LARGE, ROOT, SMALL, Scheme, Size, screenshot
from tests.web.browser.looking import layout_faults, violations


def test_an_asset_is_materialized_and_the_page_follows(visit: Callable[..., Page]) -> None:
    page = visit("/assets/quick?tab=activity")
    page.evaluate("window.stayed = true")
    before = page.locator("input[name=compare]").count()
    page.get_by_role("button", name="Materialize", exact=True).click()

    expect(page.locator("input[name=compare]")).to_have_count(before + 1)
    expect(page.locator("#asset-head .chip").first).to_contain_text("fresh")
    assert page.evaluate("window.stayed")


def test_two_events_are_compared_and_one_is_opened(visit: Callable[..., Page]) -> None:
    page = visit("/assets/staging/orders?tab=activity")
    page.locator("[data-details]").first.click()
    expect(page.locator(".event").first).to_contain_text("table")
    page.locator("[data-details]").first.click()
    boxes = page.locator("input[name=compare]")
    boxes.nth(0).check()
    boxes.nth(1).check()
    page.get_by_role("button", name="Compare two").click()

    expect(page.locator(".compare")).to_contain_text("+3 (+50.0%)")


def test_partitions_are_chosen_by_keys_and_launched(visit: Callable[..., Page]) -> None:
    page = visit("/assets/daily?tab=partitions")
    bar = page.locator("[data-bar]")
    bar.focus()
    for key in ("ArrowRight", "ArrowRight", "Shift+ArrowRight"):
        page.keyboard.press(key)

    expect(bar).to_have_attribute("aria-valuetext", "2024-01-03 … 2024-01-04 (2)")
    expect(page.locator("#from")).to_have_value("2024-01-03")
    page.get_by_role("button", name="Materialize this range…").click()
    expect(page.locator("#dialog dialog input[name=last]")).to_have_value("2024-01-04")
    page.keyboard.press("Escape")
    bar.focus()
    page.keyboard.press("Home")
    page.keyboard.press("Enter")
    page.wait_for_url("**partition=2024-01-01")


def test_rows_are_read_when_they_are_asked_for(visit: Callable[..., Page]) -> None:
    page = visit("/assets/staging/orders?tab=table")
    expect(page.locator(".sample")).to_have_count(0)
    page.get_by_role("button", name="Read from the store").click()

    expect(page.locator(".sample tbody tr").first).to_contain_text("ann")


def test_an_asset_with_a_name_that_is_hard_to_write_is_materialized_too(visit: Callable[..., Page]) -> None:
    page = visit("/assets/" + quote('odd " key/a%2Fb/"><script>alert(1)<%2Fscript>/\u202eright to left', safe="/%"))
    page.goto(page.url + "?tab=activity")
    before = page.locator("input[name=compare]").count()
    page.get_by_role("button", name="Materialize", exact=True).click()

    expect(page.locator("input[name=compare]")).to_have_count(before + 1)


def test_what_is_open_and_chosen_stays_when_the_asset_is_made(visit: Callable[..., Page]) -> None:
    page = visit("/assets/quick?tab=activity")
    before = page.locator("input[name=compare]").count()
    page.locator("[data-details]").first.click()
    expect(page.locator(".event")).to_have_count(1)
    page.locator("input[name=compare]").first.check()
    page.get_by_role("button", name="Materialize", exact=True).click()

    expect(page.locator("input[name=compare]")).to_have_count(before + 1)
    expect(page.locator("input[name=compare]").nth(1)).to_be_checked()
    expect(page.locator(".event")).to_be_visible()


def test_the_table_follows_and_keeps_the_rows_that_were_read(visit: Callable[..., Page]) -> None:
    page = visit("/assets/staging/orders?tab=table")
    page.locator("#limit").select_option("50")
    page.get_by_role("button", name="Read from the store").click()
    rows = page.locator(".sample tbody tr")
    expect(rows.first).to_be_visible()
    count = rows.count()
    page.locator("#tab").evaluate("tab => { tab.dataset.old = '1'; }")
    page.get_by_role("button", name="Materialize", exact=True).click()

    expect(page.locator("#tab[data-old]")).to_have_count(0)
    expect(rows).to_have_count(count)
    expect(page.locator("#limit")).to_have_value("50")


def test_what_somebody_types_waits_for_no_news_and_the_news_for_them(visit: Callable[..., Page]) -> None:
    page = visit("/assets/daily?tab=partitions")
    page.locator("#tab").evaluate("tab => { tab.dataset.old = '1'; }")
    page.locator("#q").fill("2024-01")
    page.evaluate("document.body.dispatchEvent(new CustomEvent('wa:facts'))")
    page.wait_for_timeout(300)

    expect(page.locator("#tab[data-old]")).to_have_count(1)
    page.locator("#q").blur()
    expect(page.locator("#tab[data-old]")).to_have_count(0)
    expect(page.locator("#q")).to_have_value("2024-01")


@pytest.mark.parametrize(
    ("address", "opened"), [("told", "Report…"), ("daily", "Report…"), ("told", "Wipe…"), ("daily", "Options…")]
)
@pytest.mark.parametrize(("size", "scheme"), [(LARGE, "light"), (SMALL, "dark")], ids=["large", "small"])
def test_a_dialog_is_whole_and_can_be_used_by_everybody(
    address: str, opened: str, size: Size, scheme: Scheme, visit: Callable[..., Page]
) -> None:
    page = visit(f"/assets/{address}", size=size, scheme=scheme)
    if opened != "Options…":
        page.locator("summary", has_text="⋯").click()
        screenshot(page, ROOT / "build" / "pages" / f"menu-{size[0]}-{scheme}.webp", 60)
    page.get_by_role("button", name=opened).click()
    expect(page.locator("dialog[open]")).to_be_visible()
    screenshot(page, ROOT / "build" / "pages" / f"dialog-{opened[:-1]}-{address}-{size[0]}-{scheme}.webp", 60)

    assert (layout_faults(page), violations(page)) == ([], [])


def test_a_materialization_is_reported_and_all_is_wiped_and_the_page_follows(visit: Callable[..., Page]) -> None:
    page = visit("/assets/told?tab=activity")
    page.evaluate("window.stayed = true")
    page.locator("summary", has_text="⋯").click()
    page.get_by_role("button", name="Report…").click()
    page.get_by_label("Metadata").fill("row_count=1234")
    page.get_by_role("button", name="Report", exact=True).click()
    expect(page.locator("#dialog dialog")).to_have_count(0)
    expect(page.locator("#asset-head")).to_contain_text("1,234")
    expect(page.locator(".events")).to_contain_text("no run")

    page.locator("summary", has_text="⋯").click()
    page.get_by_role("button", name="Wipe…").click()
    expect(page.get_by_label("Its name once more")).to_be_hidden()
    page.get_by_label("Drop its table, too").check()
    page.get_by_role("button", name="Wipe", exact=True).click()
    expect(page.get_by_role("alert")).to_contain_text("its name was not confirmed")
    page.get_by_label("Drop its table, too").uncheck()
    page.get_by_role("button", name="Wipe", exact=True).click()
    expect(page.locator("#asset-head .chip").first).to_contain_text("missing")
    expect(page.locator("#tab")).to_contain_text("Nothing happened to it yet")
    assert page.evaluate("window.stayed")
