"""Every page: how it is laid out in small and large windows, light and dark, and whether everybody can use it."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any
from urllib.parse import quote

import pytest
from playwright.sync_api import Page

from tests.web.browser.addresses import EXAMPLES, addresses, routes
from tests.web.browser.conftest import Bazaar
from tests.web.browser.driving import LARGE, ROOT, SMALL, screenshot, settled
from tests.web.browser.looking import layout_faults, violations

KEPT = ROOT / "build" / "pages"
ODD = "/assets/" + "/".join(
    quote(part, safe="") for part in ['odd " key', "a/b", '"><script>alert(1)</script>', "\u202eright to left"]
)


@pytest.mark.parametrize("address", addresses())
def test_a_page_is_whole_in_all_windows_and_schemes(address: str, visit: Callable[..., Page], bazaar: Bazaar) -> None:
    page = visit(resolved(address, bazaar))
    faults: dict[str, Any] = {}
    for size in (LARGE, SMALL):
        page.set_viewport_size({"width": size[0], "height": size[1]})
        for scheme in ("light", "dark"):
            page.emulate_media(color_scheme=scheme)
            settled(page)
            look = f"{size[0]} {scheme}"
            faults[look] = layout_faults(page) if scheme == "light" else []
            is_told = (size, scheme) in ((LARGE, "light"), (SMALL, "dark"))
            faults[look] += violations(page) if is_told else []
            if is_told or faults[look]:
                screenshot(page, KEPT / f"{_file(address)}-{size[0]}-{scheme}.webp", 60)

    assert {look: found for look, found in faults.items() if found} == {}
    assert page.locator("h1").count() == 1
    assert not re.match(r"\s*·", page.title())


@pytest.mark.parametrize("path", sorted(set(routes())))
def test_every_page_with_parts_that_vary_is_opened_with_an_example(path: str) -> None:
    assert path in EXAMPLES or "{" not in path


def resolved(address: str, bazaar: Bazaar) -> str:
    """An example as an address, with the run that it names."""
    if address == "ODD":
        return ODD
    return re.sub(r"RUN:(\w+)", lambda found: bazaar.runs[found.group(1)], address)


def _file(address: str) -> str:
    return re.sub(r"\W+", "-", address).strip("-")[:80] or "home"
