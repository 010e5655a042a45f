"""The lineage graph."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query, Request
from starlette.responses import HTMLResponse

from warehouse_assets.web.rendering import is_fragment, render, site_of, url
from warehouse_assets.web.views.graph import HEIGHT, WIDTH, GraphAsked, curve, graph_view

__all__ = ["router"]

router = APIRouter()
Depth = Annotated[int, Query(ge=0, le=50)]


@router.get("/graph")
def graph(
    request: Request, group: str = "", asset: str = "", depth: Depth = 1, select: str = "", whole: bool = False
) -> HTMLResponse:
    """The graph: of groups, of one group, around an asset, of a selection, or the whole."""
    asked = GraphAsked(group, asset, depth, select.strip(), whole)
    view = graph_view(site_of(request), asked)
    template = "graph/_graph.html" if is_fragment(request) else "graph/page.html"
    query = url("", group=group, asset=asset, depth=depth if asset else None, select=asked.select, whole="1" if whole else None)
    return render(
        request, template, area="graph", view=view, asked=asked, query=query, curve=curve, box=(WIDTH, HEIGHT), mini=False
    )


@router.get("/graph/mini")
def mini(request: Request, asset: str) -> HTMLResponse:
    """An asset with what it is made from and what is made from it, as a part of its page."""
    asked = GraphAsked(asset=asset)
    view = graph_view(site_of(request), asked)
    return render(request, "graph/_mini.html", view=view, asked=asked, curve=curve, box=(WIDTH, HEIGHT), mini=True)
