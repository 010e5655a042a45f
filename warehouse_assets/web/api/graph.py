"""The lineage graph for programs, and for the canvas that draws thousands of nodes."""

from __future__ import annotations

from typing import Annotated

import msgspec
from fastapi import APIRouter, Query, Request
from pydantic import BaseModel, Field
from starlette.responses import Response

from warehouse_assets.web.rendering import site_of
from warehouse_assets.web.views.graph import STATES, GraphAsked, graph_view, node_states

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
    view = graph_view(site_of(request), GraphAsked(group, asset, depth, select.strip(), whole))
    told = {
        "mode": view.mode,
        "keys": [node.key.to_escaped_string() if node.key is not None else node.name for node in view.nodes],
        "x": [node.x for node in view.nodes],
        "y": [node.y for node in view.nodes],
        "states": [_NUMBERS[node.state] for node in view.nodes],
        "words": STATES,
        "edges": [number for edge in view.edges for number in (edge.start, edge.end)],
        "width": view.width,
        "height": view.height,
    }
    return Response(msgspec.json.encode(told), media_type="application/json")  # which thousands of nodes make dear to check


@router.get("/states")
def states(request: Request) -> dict[str, str]:
    """How each asset stands, by key."""
    return {key.to_escaped_string(): state for key, state in node_states(site_of(request)).items()}
