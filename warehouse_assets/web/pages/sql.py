"""The page on which SQL is asked."""

from __future__ import annotations

from typing import Annotated, Literal

from fastapi import APIRouter, Depends, Form, Query, Request
from starlette.responses import HTMLResponse, JSONResponse, Response

from warehouse_assets.errors import LocationError, WarehouseAssetsError
from warehouse_assets.keys import AssetKey
from warehouse_assets.web.answers.sql import LONGEST, MOST_ROWS, QueryAnswer, QueryFault
from warehouse_assets.web.answers.sql import Query as Asked
from warehouse_assets.web.rendering import render, site_of
from warehouse_assets.web.security import limited
from warehouse_assets.web.views.sql import (
    LIMIT,
    answer,
    answer_file,
    check_on,
    columns_of,
    location_of,
    name_in_sql,
    said,
    tables,
)

__all__ = ["router"]

router = APIRouter()
Text = Annotated[str, Form(max_length=LONGEST)]
Limit = Annotated[int, Form(ge=1, le=MOST_ROWS)]
TYPES = {"csv": "text/csv; charset=utf-8", "parquet": "application/vnd.apache.parquet"}


@router.get("/sql")
def page(
    request: Request,
    q: Annotated[str, Query(max_length=LONGEST)] = "",
    location: str = "",
    limit: Annotated[int, Query(ge=1, le=MOST_ROWS)] = LIMIT,
) -> HTMLResponse:
    """The page, with a query that is not run before somebody says so."""
    site = site_of(request)
    check_on(site)
    chosen = location_of(site, location)
    found = tables(site, chosen)
    limits = sorted({100, LIMIT, 1000, MOST_ROWS, limit})
    return render(
        request,
        "sql/page.html",
        area="sql",
        q=q,
        location=chosen,
        limit=limit,
        limits=limits,
        found=found,
        search="",
        answer=None,
    )


@router.post("/sql", dependencies=[Depends(limited)])
def run(request: Request, q: Text = "", location: Annotated[str, Form()] = "", limit: Limit = LIMIT) -> HTMLResponse:
    """The answer, as a part of the page."""
    site = site_of(request)
    check_on(site)
    try:
        found = answer(site, location, Asked(q, limit))
    except LocationError as error:
        found = QueryAnswer(fault=QueryFault(str(error)))
    except WarehouseAssetsError as error:
        found = QueryAnswer(fault=QueryFault(getattr(error, "message", str(error)), hint=error.hint))
    numbers = {at for row in found.rows for at, cell in enumerate(row) if cell.kind == "number"}
    return render(request, "sql/_answer.html", answer=found, numbers=numbers)


@router.post("/sql/file", dependencies=[Depends(limited)])
def download(
    request: Request,
    q: Text = "",
    location: Annotated[str, Form()] = "",
    limit: Limit = LIMIT,
    kind: Annotated[Literal["csv", "parquet"], Form()] = "csv",
) -> Response:
    """The answer as a file."""
    found = answer_file(site_of(request), location, Asked(q, limit, kind))
    if found.fault is not None:
        return JSONResponse({"error": said(found.fault), "hint": found.fault.hint}, 400)
    return Response(found.data, media_type=TYPES[kind], headers={"content-disposition": f'attachment; filename="query.{kind}"'})


@router.get("/sql/tables")
def some_tables(request: Request, search: str = "", location: str = "") -> HTMLResponse:
    """The tables that fit a search, as a part of the page."""
    site = site_of(request)
    check_on(site)
    found = tables(site, location_of(site, location), search)
    return render(request, "sql/_tables.html", found=found, search=search)


@router.get("/sql/columns")
def columns(request: Request, asset: str) -> HTMLResponse:
    """The columns of a table, as a part of the page."""
    site = site_of(request)
    check_on(site)
    schema = columns_of(site, AssetKey.from_escaped_string(asset))
    named = [(name_in_sql(one.name), one.name, one.type) for one in schema] if schema is not None else None
    return render(request, "sql/_columns.html", columns=named)
