"""What a program asks first: which server this is, and the token that what writes needs."""

from __future__ import annotations

from fastapi import APIRouter, Request
from pydantic import BaseModel, Field

from warehouse_assets._version import __version__
from warehouse_assets.web.rendering import site_of

__all__ = ["router"]

router = APIRouter(prefix="/api", tags=["server"])


class Server(BaseModel):
    """A server, and what it allows."""

    version: str
    locations: list[str]
    loading: list[str] = Field(description="Code locations that are not loaded yet.")
    csrf: str = Field(description="The value of the header X-CSRF-Token of what writes.")
    read_only: bool
    samples: bool
    sql: bool


@router.get("/server")
def server(request: Request) -> Server:
    """This server."""
    site = site_of(request)
    settings = site.settings
    return Server(
        version=__version__,
        locations=list(site),
        loading=sorted(site.facts.loading),
        csrf=request.scope["csrf"],
        read_only=settings.read_only,
        samples=settings.samples,
        sql=settings.sql,
    )
