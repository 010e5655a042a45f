"""The lineage graph for programs, and for the canvas that draws thousands of nodes."""

from __future__ import annotations

from typing import Annotated, Any

import msgspec
from fastapi import APIRouter, Query, Request
from pydantic import BaseModel, Field
from starlette.responses import Response

from warehouse_assets.web.rendering import site_of
from warehouse_assets.web.views.graph import STATES, GraphAsked, canvas, graph_view, node_states

__all__ = ["router"]

router = APIRouter(prefix="/api/graph", tags=["graph"])
_NUMBERS = {state: number for number, state in enumerate(STATES)}


class Graph(BaseModel):
    """Nodes in arrays, by number: positions are of upper left corners; `edges` are pairs of numbers, one after the other."""

    mode: str
    keys: list[str] = Field(
        description="The key of an asset, with \\ before a / or \\ inside of a segment, or the name of a group."
    )
    x: list[int]
    y: list[int]
    states: list[int] = Field(description="Numbers in `words`.")
    words: list[str]
    edges: list[int]
    width: int
    height: int


@router.get("", response_model=Graph)
def graph(
    request: Request,
    group: str = "",
    asset: str = "",
    depth: Annotated[int, Query(ge=0, le=50)] = 1,
    select: str = "",
    whole: bool = False,
) -> Response:
    """A part of the graph, laid out: the groups, one group, around an asset, a selection, or the whole."""
    site = site_of(request)
    view = graph_view(site, GraphAsked(group, asset, depth, select.strip(), whole))
    told: dict[str, Any] = {"mode": view.mode, "words": STATES}
    if view.mode == "whole":
        drawn, now = canvas(site, view.keys), node_states(site)
        told["keys"] = [key.to_escaped_string() for key in drawn.keys]
        told["states"] = [_NUMBERS[now.get(key, "unknown")] for key in drawn.keys]
        told |= {name: getattr(drawn, name) for name in ("x", "y", "edges", "width", "height")}
    else:
        told["keys"] = [node.key.to_escaped_string() if node.key is not None else node.name for node in view.nodes]
        told["states"] = [_NUMBERS[node.state] for node in view.nodes]
        told |= {"x": [node.x for node in view.nodes], "y": [node.y for node in view.nodes]}
        told["edges"] = [number for edge in view.edges for number in (edge.start, edge.end)]
        told |= {"width": view.width, "height": view.height}
    return Response(msgspec.json.encode(told), media_type="application/json")  # which thousands of nodes make dear to check


@router.get("/states")
def states(request: Request) -> dict[str, str]:
    """How each asset stands, by key."""
    return {key.to_escaped_string(): state for key, state in node_states(site_of(request)).items()}
