"""The code locations: what each declares, why one cannot be loaded, and loading it anew."""

from __future__ import annotations

from fastapi import APIRouter, Depends, Request
from starlette.responses import HTMLResponse

from warehouse_assets.web.rendering import is_fragment, render, site_of
from warehouse_assets.web.security import limited
from warehouse_assets.web.views.locations import locations

__all__ = ["router"]

router = APIRouter()


@router.get("/locations")
def shown(request: Request) -> HTMLResponse:
    """All code locations."""
    template = "locations/_list.html" if is_fragment(request) else "locations/page.html"
    return render(request, template, area="locations", locations=locations(site_of(request)))


@router.post("/locations/reload", dependencies=[Depends(limited)])
def reload_all(request: Request) -> HTMLResponse:
    """Load all of them anew."""
    return _reloaded(request, None)


@router.post("/locations/{name}/reload", dependencies=[Depends(limited)])
def reload(request: Request, name: str) -> HTMLResponse:
    """Load one anew."""
    return _reloaded(request, name)


def _reloaded(request: Request, name: str | None) -> HTMLResponse:
    site = site_of(request)
    site.reload(name)
    return render(request, "locations/_list.html", area="locations", locations=locations(site))
