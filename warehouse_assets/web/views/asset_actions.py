"""What a page or program has done to one asset beside launching it."""

from __future__ import annotations

from collections.abc import Sequence

from warehouse_assets.errors import InvalidSelectionError
from warehouse_assets.web.answers.asset import AssetRequest
from warehouse_assets.web.answers.asset_actions import CheckRequest, CheckRun, Observed, observe_source, start_checks
from warehouse_assets.web.views.asset import AssetPage

__all__ = ["checks_started", "observed"]


def checks_started(page: AssetPage, names: Sequence[str] = ()) -> CheckRun:
    """Have the checks of an asset evaluated, or some of them; InvalidSelectionError where there are none."""
    page.site.check_writable()
    location = page.site.workspace[_location(page)]
    answer = location.ask(start_checks, CheckRequest(location.location, page.key.path, tuple(names)))
    page.site.on_submit()
    return answer


def observed(page: AssetPage) -> Observed:
    """Observe a source now; what its function raises is a LocationError."""
    page.site.check_writable()
    return page.site.workspace[_location(page)].ask(observe_source, AssetRequest(page.key.path))


def _location(page: AssetPage) -> str:
    if page.joined is None:
        raise InvalidSelectionError(f"no code location declares {page.name!r}", hint="See /locations.")
    return page.joined.location
