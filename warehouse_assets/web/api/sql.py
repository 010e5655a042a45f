"""SQL over stored tables for programs."""

from __future__ import annotations

from typing import Annotated, Literal

from fastapi import APIRouter, Depends, Query, Request
from pydantic import BaseModel, Field
from starlette.responses import Response

from warehouse_assets.errors import InvalidInvocationError
from warehouse_assets.keys import AssetKey
from warehouse_assets.web.answers.asset_rows import Cell
from warehouse_assets.web.answers.sql import LONGEST, MOST_ROWS, QueryFault
from warehouse_assets.web.answers.sql import Query as Asked
from warehouse_assets.web.rendering import site_of
from warehouse_assets.web.security import limited
from warehouse_assets.web.views.sql import LIMIT, answer, answer_file, check_on, columns_of, location_of, said, tables

__all__ = ["router"]

router = APIRouter(prefix="/api/sql", tags=["sql"])


class AskedSQL(BaseModel):
    """One query that only reads stored tables, of a code location, or of the first; how many rows are wanted, and for a file its format."""

    sql: Annotated[str, Field(max_length=LONGEST)]
    location: str = ""
    limit: Annotated[int, Field(ge=1, le=MOST_ROWS)] = LIMIT
    format: Literal["csv", "parquet"] = "csv"


class Column(BaseModel):
    """A column; the type of an answer's is that of Arrow, the type of a table's that of its store."""

    name: str
    type: str


class Rows(BaseModel):
    """The first rows, of which `more` says whether there are others; integers that JSON cannot hold, times and bytes are text."""

    columns: list[Column]
    rows: list[list[bool | int | float | str | None]]
    more: bool
    seconds: float


class TableOf(BaseModel):
    """A table, and its name as SQL has it."""

    asset: str
    name: str


@router.post("", dependencies=[Depends(limited)])
def run(request: Request, asked: AskedSQL) -> Rows:
    """What a query answers."""
    found = answer(site_of(request), asked.location, Asked(asked.sql, asked.limit))
    _raise(found.fault)
    return Rows(
        columns=[Column(name=name, type=kind) for name, kind in found.columns],
        rows=[[_value(cell) for cell in row] for row in found.rows],
        more=found.more,
        seconds=found.seconds,
    )


@router.post("/file", dependencies=[Depends(limited)], response_class=Response)
def file(request: Request, asked: AskedSQL) -> Response:
    """What a query answers, as CSV or Parquet."""
    found = answer_file(site_of(request), asked.location, Asked(asked.sql, asked.limit, asked.format))
    _raise(found.fault)
    return Response(found.data, media_type="application/octet-stream")


@router.get("/tables")
def all_tables(
    request: Request, search: str = "", location: str = "", limit: Annotated[int, Query(ge=1, le=10_000)] = 100
) -> list[TableOf]:
    """The tables of a code location."""
    site = site_of(request)
    check_on(site)
    found = tables(site, location_of(site, location), search, limit)
    return [TableOf(asset=key.to_user_string(), name=name) for key, name in found.names]


@router.get("/columns")
def columns(request: Request, asset: str) -> list[Column]:
    """The columns of a table as they were last recorded."""
    site = site_of(request)
    check_on(site)
    schema = columns_of(site, AssetKey.from_escaped_string(asset))
    return [Column(name=one.name, type=one.type) for one in schema or ()]


def _raise(fault: QueryFault | None) -> None:
    if fault is not None:
        raise InvalidInvocationError(said(fault), hint=fault.hint)


def _value(cell: Cell) -> bool | int | float | str | None:
    text = cell.exact or cell.text
    match cell.kind:
        case "null":
            return None
        case "bool":
            return text == "true"
        case "number" if text.lstrip("-").isdigit():
            return int(text) if abs(int(text)) < 2**53 else text
        case "number" if any(character.isdigit() for character in text):
            return float(text)
    return text
