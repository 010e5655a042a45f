"""What every page has: whether code locations still load."""

from __future__ import annotations

from fastapi import APIRouter, Request
from starlette.responses import HTMLResponse

from warehouse_assets.web.rendering import render

__all__ = ["router"]

router = APIRouter()


@router.get("/_loading")
def loading(request: Request) -> HTMLResponse:
    """Which code locations still load, or cannot be."""
    return render(request, "_loading.html")
