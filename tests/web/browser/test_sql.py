"""SQL in the browser: asked by keyboard, kept in the address, names put in by a click; and a schedule that is switched."""

from __future__ import annotations

from collections.abc import Callable

from playwright.sync_api import Page, expect


def test_a_query_is_written_by_clicks_and_run_by_the_keyboard(visit: Callable[..., Page]) -> None:
    page = visit("/sql")
    page.locator("#tables").get_by_text("staging.orders", exact=True).click()
    page.get_by_title("Columns of staging.orders").click()
    column = page.locator("#tables .of").get_by_text("customer", exact=True)
    expect(column).to_be_visible()
    page.locator("textarea").press_sequentially(" order by")
    column.click()
    page.locator("textarea").press("Control+Enter")
    expect(page.locator("#answer tbody tr").first).to_be_visible(timeout=30_000)

    assert page.locator("textarea").input_value() == "select * from staging.orders order by customer"
    assert page.locator("#answer tbody td").nth(1).inner_text() == '"><script>alert(1)</script>'
    assert "q=select" in page.url
    with page.expect_download() as saved:
        page.get_by_role("button", name="CSV").click()

    assert saved.value.path().read_text().splitlines()[0] == "id,customer"


def test_a_linked_query_waits_to_be_run_and_a_fault_has_its_line(visit: Callable[..., Page]) -> None:
    page = visit("/sql?q=select%20id,%0A%20%20nope%0Afrom%20staging.orders")
    expect(page.locator("#answer")).to_contain_text("Every asset and source is a table")
    page.get_by_role("button", name="Run", exact=True).click()

    expect(page.locator("#answer [role=alert]")).to_contain_text("Line 2, column 3", timeout=30_000)


def test_a_sensor_is_switched_by_the_keyboard(visit: Callable[..., Page]) -> None:
    page = visit("/automation/bazaar/arrivals")
    switch = page.get_by_role("switch", name="arrivals")
    before = switch.get_attribute("aria-checked")
    switch.focus()
    page.keyboard.press("Space")
    expect(switch).to_have_attribute("aria-checked", "false" if before == "true" else "true")
    switch.click()

    expect(switch).to_have_attribute("aria-checked", before or "")
