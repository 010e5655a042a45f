"""Code locations as pages and the API show them."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from warehouse_assets.events import CodeLocation

if TYPE_CHECKING:
    from warehouse_assets.web.site import Site

__all__ = ["LocationView", "locations"]

_OURS = re.compile(r"/(site-packages|lib/python3\.\d+|warehouse_assets)/|<frozen ")


@dataclass(frozen=True, slots=True)
class LocationView:
    """A code location: loaded, loading, or why it cannot be; with the frames of the person's own code and all of them."""

    location: CodeLocation
    state: str
    assets: int = 0
    sources: int = 0
    jobs: int = 0
    schedules: int = 0
    sensors: int = 0
    error: str = ""
    own: str = ""
    stack: str = ""


def locations(site: Site) -> Sequence[LocationView]:
    """All of them, in their order."""
    return [_view(site, name) for name in site]


def _view(site: Site, name: str) -> LocationView:
    facts, location = site.facts, site.workspace[name].location
    state = "loading" if name in facts.loading else "error" if name in facts.errors else "loaded"
    if (error := facts.errors.get(name)) is not None:
        stack = error.traceback or ""
        return LocationView(location, state, error=error.message, own=_own(stack), stack=stack)
    if (found := facts.locations.get(name)) is None:
        return LocationView(location, state)
    made = sum(one.is_executable for one in found.assets)
    counts = (made, len(found.assets) - made, len(found.jobs), len(found.schedules), len(found.sensors))
    return LocationView(location, state, *counts)


def _own(stack: str) -> str:
    """The frames of a traceback that are not of libraries."""
    parts = re.split(r"(?m)^(?=  File \")", stack)
    own = [part for part in parts[1:] if not _OURS.search(part.partition("\n")[0])]
    return "".join(own).rstrip()
