"""What is wrong with a page that is open: how it is laid out, and whether everybody can use it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from axe_playwright_python.base import AXE_SCRIPT

if TYPE_CHECKING:
    from playwright.sync_api import Page

__all__ = ["layout_faults", "violations"]

LAYOUT = Path(__file__).with_name("layout.js").read_text()
GUIDELINES = {"runOnly": {"type": "tag", "values": ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa"]}, "resultTypes": ["violations"]}


def layout_faults(page: Page) -> list[Any]:
    """What does not fit, or covers something else."""
    found: list[Any] = page.evaluate(LAYOUT)
    return found


def violations(page: Page) -> list[str]:
    """What axe finds against the guidelines of WCAG 2.1, levels A and AA."""
    if not page.evaluate("'axe' in window"):
        page.evaluate(AXE_SCRIPT)
    found = page.evaluate("options => axe.run(options)", GUIDELINES)["violations"]
    return [f"{one['id']}: {node['html'][:160]} {node['failureSummary'][:300]}" for one in found for node in one["nodes"][:2]]
