"""The page for SQL over the stored tables."""

from __future__ import annotations

import time
from typing import Annotated

from fastapi import APIRouter, Depends, Form, Request
from starlette.responses import HTMLResponse, Response

from warehouse_assets.errors import InvalidInvocationError, WarehouseAssetsError
from warehouse_assets.web.answers.sql import QueryAsked
from warehouse_assets.web.rendering import render, site_of
from warehouse_assets.web.security import limited
from warehouse_assets.web.views.sql import answered, queryable

__all__ = ["router"]

router = APIRouter()
LIMITS = (50, 200, 1000, 5000)
FILES = {"csv": "text/csv; charset=utf-8", "parquet": "application/vnd.apache.parquet"}


@router.get("/sql")
def page(request: Request, q: str = "", location: str = "") -> HTMLResponse:
    """The page; a query in the address stands in the field, and is answered when somebody says so."""
    site = site_of(request)
    if not site.settings.sql:
        raise InvalidInvocationError("this server answers no SQL", hint="Start it without --no-sql.")
    return render(
        request,
        "sql/page.html",
        area="sql",
        q=q,
        location=location or next(iter(site), ""),
        tables=queryable(site),
        limits=LIMITS,
    )


@router.post("/sql", dependencies=[Depends(limited)])
def run(
    request: Request,
    q: Annotated[str, Form(max_length=100_000)],
    location: Annotated[str, Form()],
    limit: Annotated[int, Form(ge=1, le=5000)] = 200,
    form: Annotated[str, Form(pattern="^(rows|csv|parquet)$")] = "rows",
) -> Response:
    """The answer to a query, as a table or as a file."""
    started = time.perf_counter()
    try:
        answer = answered(site_of(request), location, QueryAsked(q, limit, form))
    except WarehouseAssetsError as error:
        return render(request, "sql/_answer.html", error=error, answer=None, limit=limit, seconds=0.0)
    if form in FILES:
        return Response(
            answer.file, media_type=FILES[form], headers={"content-disposition": f'attachment; filename="answer.{form}"'}
        )
    return render(request, "sql/_answer.html", error=None, answer=answer, limit=limit, seconds=time.perf_counter() - started)
