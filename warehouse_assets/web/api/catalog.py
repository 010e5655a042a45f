"""The catalog, what needs somebody, and the code locations, for programs."""

from __future__ import annotations

from typing import Annotated, Literal

from fastapi import APIRouter, Depends, Query, Request
from pydantic import BaseModel, Field

from warehouse_assets.web.rendering import site_of
from warehouse_assets.web.security import limited
from warehouse_assets.web.views.catalog import CatalogFilter, catalog
from warehouse_assets.web.views.home import home
from warehouse_assets.web.views.locations import LocationView, locations

__all__ = ["router"]

router = APIRouter(prefix="/api", tags=["catalog"])


class Asset(BaseModel):
    """An asset of the catalog; `key` has / between its segments. Times are seconds since the epoch."""

    key: str
    location: str
    group: str
    kinds: list[str]
    owners: list[str]
    store: str | None = Field(description="The key of its I/O manager.")
    tags: dict[str, str]
    description: str | None
    is_source: bool
    state: str
    why: str
    rows: int | None
    rows_before: int | None
    bytes: int | None
    materialized: float | None
    seconds: float | None
    checks_passed: int
    checks_warned: int
    checks_failed: int
    freshness: str | None
    partitions: str | None = Field(description="What it is partitioned by.")
    partitions_fresh: int
    partitions_stale: int
    partitions_missing: int
    row_history: list[int] = Field(description="The last row counts, oldest first.")


class Assets(BaseModel):
    """A page of the catalog."""

    assets: list[Asset]
    total: int = Field(description="How many fit.")
    states_known: bool = Field(description="Whether the states are those of now; else they are being worked out.")


class Attention(BaseModel):
    """What needs somebody: keys of assets, ids of runs, names of checks, and so on."""

    failed: list[str]
    failed_runs: list[str]
    failed_checks: list[str]
    late: list[str]
    stale: list[str]
    failed_ticks: list[str]
    broken_locations: list[str]
    active_runs: list[str]


class Location(BaseModel):
    """A code location."""

    name: str
    module: str
    working_directory: str
    state: str
    assets: int
    sources: int
    jobs: int
    schedules: int
    sensors: int
    error: str

    @classmethod
    def of(cls, one: LocationView) -> Location:
        """One of the views."""
        where = one.location
        return cls(
            name=where.name,
            module=where.module,
            working_directory=where.working_directory,
            state=one.state,
            assets=one.assets,
            sources=one.sources,
            jobs=one.jobs,
            schedules=one.schedules,
            sensors=one.sensors,
            error=one.error,
        )


@router.get("/assets")
def assets(
    request: Request,
    q: Annotated[str, Query(description="Words, or a selection.")] = "",
    group: str = "",
    kind: str = "",
    owner: str = "",
    tag: str = "",
    store: str = "",
    state: str = "",
    checks: str = "",
    location: str = "",
    sort: Literal["name", "rows", "bytes", "last"] = "name",
    descending: bool = False,
    offset: Annotated[int, Query(ge=0, le=10**7)] = 0,
    limit: Annotated[int, Query(ge=1, le=1000)] = 100,
) -> Assets:
    """Assets and sources, filtered and sorted."""
    wanted = CatalogFilter(q.strip(), group, kind, owner, tag, store, state, checks, location, sort, descending)
    page = catalog(site_of(request), wanted, offset=offset, limit=limit)
    rows = []
    for row in page.rows:
        facts, (passed, warned, failed) = row.asset.facts, row.checks
        rows.append(
            Asset(
                key=row.key.to_user_string(),
                location=row.asset.location,
                group=facts.group,
                kinds=list(facts.kinds),
                owners=list(facts.owners),
                store=facts.io_manager,
                tags=dict(facts.tags),
                description=facts.description,
                is_source=not facts.is_executable,
                state=row.state,
                why=row.why,
                rows=row.made.rows if row.made else None,
                rows_before=row.before,
                bytes=row.made.bytes if row.made else None,
                materialized=row.made.at if row.made else None,
                seconds=row.seconds,
                checks_passed=passed,
                checks_warned=warned,
                checks_failed=failed,
                freshness=row.freshness,
                partitions=facts.partitions,
                partitions_fresh=row.partitions.fresh if row.partitions else 0,
                partitions_stale=row.partitions.stale if row.partitions else 0,
                partitions_missing=row.partitions.missing if row.partitions else 0,
                row_history=list(row.history),
            )
        )
    return Assets(assets=rows, total=page.total, states_known=page.is_stated)


@router.get("/home")
def attention(request: Request) -> Attention:
    """What needs somebody."""
    found = home(site_of(request))
    return Attention(
        failed=[one.key.to_user_string() for one in found.failed],
        failed_runs=[row.run.run_id for row in found.runs],
        failed_checks=[f"{one.key.to_user_string()}:{one.name}" for one in found.checks],
        late=[one.key.to_user_string() for one in found.late],
        stale=[one.key.to_user_string() for one in found.stale],
        failed_ticks=[tick.origin for tick in found.ticks],
        broken_locations=[name for name, _ in found.broken],
        active_runs=[row.run.run_id for row in found.active],
    )


@router.get("/locations")
def shown(request: Request) -> list[Location]:
    """The code locations."""
    return [Location.of(one) for one in locations(site_of(request))]


@router.post("/locations/{name}/reload", dependencies=[Depends(limited)])
def reload(request: Request, name: str) -> list[Location]:
    """Load a code location anew."""
    site = site_of(request)
    site.reload(name)
    return [Location.of(one) for one in locations(site)]
