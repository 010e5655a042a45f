"""The first page: what needs somebody."""

from __future__ import annotations

from fastapi import APIRouter, Request
from starlette.responses import HTMLResponse

from warehouse_assets.web.rendering import is_fragment, render, site_of
from warehouse_assets.web.views.home import home

__all__ = ["router"]

router = APIRouter()


@router.get("/")
def first_page(request: Request) -> HTMLResponse:
    """What needs somebody, what runs now, and what was made lately."""
    return render(
        request, "home/_view.html" if is_fragment(request) else "home/page.html", area="home", home=home(site_of(request))
    )
