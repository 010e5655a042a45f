"""SQL over the stored tables, for programs."""

from __future__ import annotations

from fastapi import APIRouter, Depends, Request
from pydantic import BaseModel, Field

from warehouse_assets.web.answers.sql import QueryAsked
from warehouse_assets.web.rendering import site_of
from warehouse_assets.web.security import limited
from warehouse_assets.web.views.sql import answered

__all__ = ["router"]

router = APIRouter(prefix="/api", tags=["sql"])


class Query(BaseModel):
    """A query that only reads."""

    sql: str = Field(max_length=100_000)
    location: str | None = Field(default=None, description="The code location whose tables it reads; the first unless given.")
    limit: int = Field(default=200, ge=1, le=5000)


class Column(BaseModel):
    """A column of the answer."""

    name: str
    type: str


class Answer(BaseModel):
    """The answer: cells as text, null where they are NULL."""

    columns: list[Column]
    rows: list[list[str | None]]
    more: bool = Field(description="Whether there were more rows than the limit.")


@router.post("/sql", dependencies=[Depends(limited)])
def query(request: Request, asked: Query) -> Answer:
    """Answer a query over the stored tables."""
    site = site_of(request)
    answer = answered(site, asked.location or next(iter(site)), QueryAsked(asked.sql, asked.limit))
    columns = [Column(name=one.name, type=one.type) for one in answer.columns]
    return Answer(columns=columns, rows=[list(row) for row in answer.rows], more=answer.more)
