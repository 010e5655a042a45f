"""The catalog of assets."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query, Request
from starlette.responses import HTMLResponse

from warehouse_assets.web.rendering import is_fragment, render, site_of
from warehouse_assets.web.views.catalog import PAGE, SORTS, STATES, CatalogFilter, catalog

__all__ = ["router"]

router = APIRouter()
FACETS = ("group", "kind", "owner", "tag", "store", "location")
MOST = 600  # rows that a page keeps true at once
CHECKS = ("failed", "warned", "passed", "none")


@router.get("/assets")
def assets(
    request: Request,
    q: str = "",
    group: str = "",
    kind: str = "",
    owner: str = "",
    tag: str = "",
    store: str = "",
    state: str = "",
    checks: str = "",
    location: str = "",
    sort: str = "name",
    order: str = "",
    offset: Annotated[int, Query(ge=0, le=10**7)] = 0,
    limit: Annotated[int, Query(ge=1, le=MOST)] = PAGE,
    part: str = "",
) -> HTMLResponse:
    """The catalog, or a part of it: `rows` are those of one page, `table` is all but what one types into."""
    descending = order == "desc" if order else sort in ("rows", "bytes", "last")
    wanted = CatalogFilter(
        q.strip(), group, kind, owner, tag, store, state, checks, location, sort if sort in SORTS else "name", descending
    )
    page = catalog(site_of(request), wanted, offset=offset, limit=limit)
    query = {
        "q": q or None,
        "group": group,
        "kind": kind,
        "owner": owner,
        "tag": tag,
        "store": store,
        "state": state,
        "checks": checks,
        "location": location,
        "sort": None if sort == "name" else sort,
        "order": order,
    }
    template = "catalog/page.html"
    if is_fragment(request):
        template = "catalog/_rows.html" if part == "rows" else "catalog/_table.html"
    words = {"state": STATES, "checks": CHECKS}
    return render(request, template, area="assets", page=page, wanted=wanted, query=query, facets=FACETS, words=words)
