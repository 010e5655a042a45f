"""What people do all day, clicked: find a table and make it, see what failed and mend it, stop what takes too long."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator

import pytest
from playwright.sync_api import Page, expect

from tests.web.browser.conftest import Bazaar
from tests.web.browser.driving import Troubles, settled

MARK = "window.wasHere = true"  # which a page that is loaded anew forgets
IS_MARKED = "window.wasHere === true"


@pytest.fixture
def mended(bazaar: Bazaar) -> Iterator[Callable[[], None]]:
    """Mends the asset that fails, for the length of the test."""
    yield (bazaar.folder / "mended").touch
    (bazaar.folder / "mended").unlink(missing_ok=True)


def test_a_table_that_was_searched_for_is_made_and_shows_as_made_without_loading_the_page_again(
    visit: Callable[..., Page],
) -> None:
    page = visit("/")
    page.keyboard.press("/")
    page.wait_for_url("**/assets?focus=1")
    settled(page)
    page.keyboard.type("never")
    expect(page.locator("#catalog-rows tr")).to_have_count(1)
    page.get_by_role("link", name="never").click()
    page.wait_for_url("**/assets/never")
    settled(page).evaluate(MARK)
    expect(page.locator("#asset-head")).to_contain_text("missing")
    page.locator("#asset-head").get_by_role("button", name=re.compile("^Materialize")).first.click()
    if page.locator("dialog[open]").count():
        page.locator("dialog[open] button.primary").click()

    expect(page.locator("#asset-head .chip").first).to_have_text(re.compile("fresh|materialized"))
    expect(page.locator("#asset-head time[data-ago]").first).to_have_text(re.compile(r"^\d s ago$"))
    assert page.evaluate(IS_MARKED)


def test_two_clicks_lead_from_home_to_a_materialized_asset(visit: Callable[..., Page]) -> None:
    page = visit("/")
    page.locator("nav.bar").get_by_role("link", name="Assets", exact=True).click()
    page.wait_for_url("**/assets")
    settled(page).evaluate(MARK)
    row = page.locator("#catalog-rows tr", has=page.get_by_role("link", name="quick"))
    before = row.locator("time").get_attribute("datetime")
    row.get_by_role("button").click()

    expect(page.locator("#toasts")).to_contain_text("asked for")
    expect(row.locator("time")).not_to_have_attribute("datetime", before or "")
    assert page.evaluate(IS_MARKED)


def test_a_run_that_failed_shows_the_error_of_the_code_first_and_is_retried(
    visit: Callable[..., Page], mended: Callable[[], None]
) -> None:
    page = visit("/assets?q=failing")
    page.get_by_role("button", name="Materialize failing").click()
    page.locator("#toasts a").click()
    page.wait_for_url("**/runs/*")
    failed = page.url
    trouble = page.locator(".trouble").first
    expect(trouble.locator(".exception")).to_contain_text("no such luck")
    settled(page)
    top = (trouble.locator(".exception").bounding_box() or {"y": 9_999})["y"]
    user_code = trouble.locator("pre").first.inner_text()
    libraries_shown = trouble.locator("details pre").count() > 0 and trouble.locator("details pre").first.is_visible()
    mended()
    page.get_by_role("button", name="Retry what failed").click()
    page.wait_for_url(lambda address: "/runs/" in address and address != failed)

    expect(page.locator("#run-view .chip").first).to_have_text(re.compile("success"))
    assert top < 300
    assert "raise ValueError" in user_code
    assert not libraries_shown


def test_a_run_that_takes_too_long_is_canceled(visit: Callable[..., Page], bazaar: Bazaar) -> None:
    page = visit("/runs")
    page.evaluate("wa.send('/api/runs', { json: { assets: ['slow', 'patient'] } })")
    page.locator("#runs tbody tr").filter(has_text="patient").first.locator(".what a").click()
    page.wait_for_url("**/runs/*")
    chip = page.locator("#run-view .head .chip")
    expect(chip).to_have_text(re.compile("started"))
    expect(page.locator(".step-running, .step-started").first).to_be_visible()
    page.get_by_role("button", name="Cancel").click()
    expect(chip).to_have_text(re.compile("cancel"))
    page.wait_for_timeout(5500)  # until its process has heard of it
    (bazaar.folder / "enough").touch()

    expect(chip).to_have_text(re.compile("canceled"))


def test_an_address_that_nothing_is_at_leads_somewhere(visit: Callable[..., Page], troubles: Troubles) -> None:
    troubles.expected = ["404"]
    page = visit("/no/such/page?tab=<script>alert(1)</script>")
    page.get_by_role("searchbox").fill("per_customer")
    page.keyboard.press("Enter")
    page.wait_for_url("**/assets?q=per_customer")

    expect(page.locator("#catalog-rows tr")).to_have_count(1)


@pytest.mark.parametrize(
    "address",
    [
        "/assets/staging/gone",
        "/assets/a/b/c?tab=nonsense",
        "/runs/nothing",
        "/graph?asset=gone",
        "/assets?sort=nonsense&q=%22'%3C",
    ],
)
def test_no_address_is_a_blank_page(address: str, visit: Callable[..., Page], troubles: Troubles) -> None:
    troubles.expected = ["404", "400"]
    page = visit(address)

    assert len(page.locator("main").inner_text().split()) >= 3
    assert page.locator("main a, main form").count() > 0


def test_keys_lead_to_the_pages(visit: Callable[..., Page]) -> None:
    page = visit("/")
    for key, path in (("g", "/graph"), ("r", "/runs"), ("a", "/assets"), ("h", "/")):
        page.keyboard.press(key)
        page.wait_for_url(f"**{path}")
        settled(page)

    assert page.url.endswith("/")


@pytest.mark.parametrize("address", ["/", "/assets", "/runs", "/graph", "/assets/staging/orders"])
def test_the_tab_key_reaches_everything_and_shows_where_it_is(address: str, visit: Callable[..., Page]) -> None:
    page = visit(address)
    wanted = page.evaluate("""() => {
      const all = "a[href], button, input:not([type=hidden]), select, textarea, summary, [tabindex='0']";
      const seen = [...document.querySelectorAll(all)].filter((one) => !one.disabled && one.tabIndex >= 0 && one.checkVisibility());
      window.wanted = seen;
      return seen.length;
    }""")
    reached, unseen = set(), set()
    for _ in range(wanted + 5):
        page.keyboard.press("Tab")
        number, name, shown = page.evaluate("""() => {
          const now = document.activeElement;
          const told = ["outlineStyle", "outlineWidth", "boxShadow", "stroke", "strokeWidth", "borderColor", "backgroundColor"];
          const look = () => [now, ...now.children].map((one) => told.map((name) => getComputedStyle(one)[name]).join()).join();
          const focused = look();
          now.blur();
          const shown = look() !== focused;
          now.focus();
          return [window.wanted.indexOf(now), now.outerHTML.slice(0, 120), shown];
        }""")
        if number >= 0:
            reached.add(number)
            unseen |= set() if shown else {name}

    assert sorted(set(range(wanted)) - reached) == []
    assert unseen == set()


def test_a_schedule_is_switched_on_and_off_and_stays_so(visit: Callable[..., Page]) -> None:
    page = visit("/automation")
    row = page.locator("tr", has=page.get_by_role("link", name="every_night", exact=True))
    switch = row.get_by_role("switch")
    said = []
    for _ in range(2):
        before = switch.inner_text()
        switch.click()
        expect(switch).not_to_have_text(before)
        page.reload()
        settled(page)
        said.append(switch.inner_text())

    assert said == ["on", "off"]


def test_a_query_is_answered_as_a_table_and_a_fault_says_where_it_is(visit: Callable[..., Page], troubles: Troubles) -> None:
    troubles.expected = ["400", "422"]
    page = visit("/sql")
    page.locator("#query textarea").fill("select customer, count(*) as n from staging.orders group by 1 order by 1")
    page.keyboard.press("Control+Enter")
    expect(page.locator("#answer tbody tr")).to_have_count(3)
    rows = page.locator("#answer tbody tr").all_inner_texts()
    page.locator("#query textarea").fill("select nonsense from staging.orders")
    page.get_by_role("button", name="Run").click()
    expect(page.locator("#answer .error")).to_contain_text("nonsense")
    page.locator("#query textarea").fill("drop table staging.orders")
    page.get_by_role("button", name="Run").click()
    expect(page.locator("#answer .error")).not_to_contain_text("nonsense")

    assert [row.split("\t")[0] for row in rows] == ['"><script>alert(1)</script>', "ann", "bob"]
