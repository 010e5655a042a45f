"""Small things: addresses without what is empty, times that leave nothing out, and the keys with a click that people know."""

from __future__ import annotations

from collections.abc import Callable
from urllib.parse import urlsplit

from playwright.sync_api import Page, expect


def test_an_address_holds_what_is_asked_for_and_no_more(visit: Callable[..., Page]) -> None:
    page = visit("/assets")
    page.locator("#catalog-q").press_sequentially("never")
    expect(page.locator("#catalog-rows tr")).to_have_count(1)
    page.wait_for_url("**/assets?*q=never*")
    searched = urlsplit(page.url).query
    page.locator("#catalog-q").fill("")
    page.wait_for_url(lambda address: "never" not in address)
    cleared = urlsplit(page.url)
    page = visit("/assets/quick?tab=activity")
    with page.expect_navigation():
        page.locator("form.tools[method=get]").first.evaluate("form => form.requestSubmit()")

    assert searched == "q=never"
    assert (cleared.path, cleared.query) == ("/assets", "")
    assert "=&" not in page.url
    assert not page.url.endswith("=")


def test_times_leave_nothing_out_between_their_units(visit: Callable[..., Page]) -> None:
    page = visit("/jobs")
    shown = page.evaluate(
        """async () => {
            const ages = [5, 65, 3648, 3600 * 2 + 61, 86400 + 120, 86400 * 3 + 3601];
            const moments = ages.map((age) => {
                const time = document.createElement("time");
                time.dateTime = new Date(Date.now() - age * 1000 - 100).toISOString();
                time.dataset.ago = "";
                document.body.append(time);
                return time;
            });
            document.dispatchEvent(new Event("htmx:after:swap"));
            return moments.map((time) => time.textContent);
        }"""
    )

    assert shown == ["5 s ago", "1 min 5 s ago", "1 h ago", "2 h 1 min ago", "1 d ago", "3 d 1 h ago"]


def test_a_click_with_shift_opens_the_dialog_and_ctrl_enter_starts_it(visit: Callable[..., Page]) -> None:
    page = visit("/assets/quick")
    page.locator("#asset-head").get_by_role("button", name="Materialize").first.click(modifiers=["Shift"])
    expect(page.locator("dialog[open] form.launch")).to_be_visible()
    nothing = page.locator("#toasts .toast").count()
    page.locator("dialog[open] form.launch select").first.focus()
    page.keyboard.press("Control+Enter")

    expect(page.locator("#toasts")).to_contain_text("asked for")
    expect(page.locator("dialog[open]")).to_have_count(0)
    assert nothing == 0
