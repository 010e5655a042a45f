"""One asset as JSON, and what its page shows of it under `/-/`, which no key is likely to have as a segment."""

from __future__ import annotations

from fastapi import APIRouter, Depends, Query, Request

from warehouse_assets.metadata import metadata_to_json
from warehouse_assets.web.rendering import site_of
from warehouse_assets.web.security import limited
from warehouse_assets.web.views.asset import AssetPage, asset_page, head_of, key_in_path
from warehouse_assets.web.views.asset_actions import ReportInput, WipeInput, checks_started, observed, reported, wiped
from warehouse_assets.web.views.asset_checks import check_series, shown_checks
from warehouse_assets.web.views.asset_events import AssetEvent, compared, event_page, events_of, series_of
from warehouse_assets.web.views.asset_json import (
    AssetAnswer,
    CauseAnswer,
    Cell,
    CheckAnswer,
    CheckRunAnswer,
    ColumnAnswer,
    ColumnChangeAnswer,
    CompareAnswer,
    DefinitionAnswer,
    DifferenceAnswer,
    EventAnswer,
    EventsAnswer,
    LineageAnswer,
    LinkAnswer,
    ListedPartition,
    ObservedAnswer,
    PartitionsAnswer,
    ReportedAnswer,
    RowsAnswer,
    SampleColumn,
    SchemaAnswer,
    SchemaChangeAnswer,
    SeriesAnswer,
    VersionAnswer,
    VersionsAnswer,
    WipedAnswer,
)
from warehouse_assets.web.views.asset_partitions import states_of
from warehouse_assets.web.views.asset_tabs import columns_tab, definition_tab, rows_of, table_tab, versions_of

__all__ = ["router"]

router = APIRouter(prefix="/api", tags=["asset"])

_MOST = 2_000


def _page(request: Request, sub: str = "") -> AssetPage:
    return asset_page(site_of(request), key_in_path(request, "/api/assets/", f"/-/{sub}" if sub else ""))


def _event(event: AssetEvent) -> EventAnswer:
    return EventAnswer(
        id=event.event_id,
        kind=event.kind,
        timestamp=event.timestamp,
        run_id=event.run_id,
        partition=event.partition,
        rows=event.rows,
        rows_change=event.rows_change,
        bytes=event.byte_size,
        seconds=event.seconds,
        code_version=event.code_version,
        data_version=event.data_version,
        metadata=metadata_to_json(event.metadata),
    )


@router.get("/assets/{key:path}/-/events")
def events(
    request: Request,
    key: str,
    kind: str | None = None,
    partition: str | None = None,
    before: int | None = Query(None, ge=0, lt=2**62),
    limit: int = Query(50, ge=1, le=500),
) -> EventsAnswer:
    """The materializations and observations of an asset."""
    page = _page(request, "events")
    found = event_page(page.site.instance, page.key, kind=kind, partition=partition, before=before, limit=limit)
    return EventsAnswer(events=[_event(event) for event in found.events], older=found.older)


@router.get("/assets/{key:path}/-/series")
def series(request: Request, key: str, check: str | None = None) -> list[SeriesAnswer]:
    """The numbers in the metadata of its events over time, or in that of the results of a check."""
    page = _page(request, "series")
    found = check_series(page, check) if check else series_of(events_of(page.site.instance, page.key, limit=_MOST))
    return [
        SeriesAnswer(
            name=one.name,
            label=one.label,
            unit=one.unit,
            times=list(one.times),
            values=list(one.values),
            ids=list(one.event_ids),
        )
        for one in found
    ]


@router.get("/assets/{key:path}/-/compare")
def compare(request: Request, key: str, old: int = Query(ge=0, lt=2**62), new: int = Query(ge=0, lt=2**63)) -> CompareAnswer:
    """Two events of an asset side by side."""
    page = _page(request, "compare")
    found = compared(page.site.instance, page.key, (old, new))
    return CompareAnswer(
        old=_event(found.old),
        new=_event(found.new),
        metadata=[
            DifferenceAnswer(
                name=one.name,
                what=one.what,
                old=one.old.text if one.old is not None else None,
                new=one.new.text if one.new is not None else None,
                change=one.change,
            )
            for one in found.metadata
        ],
        columns=[ColumnChangeAnswer(what=one.what, name=one.name, old=one.old, new=one.new) for one in found.columns],
    )


@router.get("/assets/{key:path}/-/schema")
def schema(request: Request, key: str) -> SchemaAnswer:
    """The columns of its table, and how they changed."""
    table = table_tab(_page(request, "schema"))
    return SchemaAnswer(
        columns=[
            ColumnAnswer(
                name=one.history.column.name,
                type=one.history.column.type,
                nullable=one.history.column.nullable,
                description=one.history.column.description,
                promised=one.promised.type if one.promised is not None else None,
                since=one.history.since,
            )
            for one in table.columns
        ],
        changes=[
            SchemaChangeAnswer(
                event=change.event_id,
                timestamp=change.timestamp,
                changes=[ColumnChangeAnswer(what=one.what, name=one.name, old=one.old, new=one.new) for one in change.changes],
            )
            for change in table.changes
        ],
    )


@router.get("/assets/{key:path}/-/columns")
def columns(request: Request, key: str) -> list[LineageAnswer]:
    """What each of its columns comes from, and where it goes."""
    tab = columns_tab(_page(request, "columns"))
    return [
        LineageAnswer(
            column=line.name,
            upstream=[LinkAnswer(asset="/".join(link.key), column=link.other, kind=link.kind) for link in line.upstream],
            downstream=[LinkAnswer(asset="/".join(link.key), column=link.other, kind=link.kind) for link in line.downstream],
            opaque=line.opaque,
        )
        for line in tab.lines
    ]


@router.get("/assets/{key:path}/-/checks")
def checks(request: Request, key: str) -> list[CheckAnswer]:
    """Its checks, and how they went last."""
    found, _ = shown_checks(_page(request, "checks"))
    return [
        CheckAnswer(
            name=one.name,
            state=one.state,
            blocking=one.declared.blocking if one.declared is not None else None,
            description=one.declared.description if one.declared is not None else None,
            timestamp=one.latest.timestamp if one.latest is not None else None,
            run_id=one.latest.run_id if one.latest is not None else None,
        )
        for one in found
    ]


@router.get("/assets/{key:path}/-/partitions")
def partitions(
    request: Request,
    key: str,
    q: str = "",
    state: str | None = None,
    offset: int = Query(0, ge=0, lt=2**62),
    limit: int = Query(100, ge=1, le=1_000),
    lane: str | None = None,
) -> PartitionsAnswer:
    """Its partitions and their states."""
    found, fault = states_of(_page(request, "partitions"), q, state, offset, limit, lane)
    if found is None:
        from warehouse_assets.errors import LocationError

        raise LocationError(fault or "the code location does not answer")
    listed = [ListedPartition(key=one, state=its) for one, its in found.listed]
    return PartitionsAnswer(total=found.total, counts=found.counts, matching=found.matching, listed=listed)


@router.get("/assets/{key:path}/-/rows", dependencies=[Depends(limited)])
def rows(request: Request, key: str, limit: int = Query(20, ge=1, le=100), partition: str | None = None) -> RowsAnswer:
    """The first rows of its table, read from its store."""
    found = rows_of(_page(request, "rows"), limit, partition)
    return RowsAnswer(
        columns=[SampleColumn(name=name, type=kind) for name, kind in found.columns],
        rows=[[Cell(kind=cell.kind, text=cell.text) for cell in row] for row in found.rows],
        more=found.more,
        partition=found.partition,
        refused=found.refused,
    )


@router.get("/assets/{key:path}/-/versions")
def versions(request: Request, key: str) -> VersionsAnswer:
    """The earlier states of its table that the store keeps."""
    kept = versions_of(_page(request, "versions"))
    found = [
        VersionAnswer(version=one.version, timestamp=one.timestamp, run_id=one.run_id, rows=one.row_count)
        for one in kept.versions
    ]
    return VersionsAnswer(versions=found, refused=kept.refused)


@router.get("/assets/{key:path}/-/definition")
def definition(request: Request, key: str) -> DefinitionAnswer:
    """What its code says: source, inputs, manager, resources, configuration."""
    import msgspec

    tab = definition_tab(_page(request, "definition"))
    return DefinitionAnswer(source=msgspec.to_builtins(tab.source) if tab.source is not None else None, fault=tab.fault)


@router.post("/assets/{key:path}/-/checks")
def start_checks(request: Request, key: str, names: list[str] | None = None) -> CheckRunAnswer:
    """Have its checks evaluated, or those of these names, by a run that waits for the daemon."""
    run = checks_started(_page(request, "checks"), names or ())
    return CheckRunAnswer(run_id=run.run_id, count=run.count)


@router.post("/assets/{key:path}/-/observe", dependencies=[Depends(limited)])
def observe(request: Request, key: str) -> ObservedAnswer:
    """Look at a source now, and record what is seen."""
    return ObservedAnswer(data_version=observed(_page(request, "observe")).data_version)


@router.post("/assets/{key:path}/-/report", dependencies=[Depends(limited)])
def report(request: Request, key: str, given: ReportInput) -> ReportedAnswer:
    """Record what was done to its table, or seen of it, outside of any run."""
    return ReportedAnswer(count=reported(_page(request, "report"), given).count)


@router.post("/assets/{key:path}/-/wipe", dependencies=[Depends(limited)])
def wipe(request: Request, key: str, given: WipeInput) -> WipedAnswer:
    """Forget its materializations, observations and checks; and drop its table, where that is confirmed."""
    return WipedAnswer(dropped=wiped(_page(request, "wipe"), given).dropped)


@router.get("/assets/{key:path}")
def asset(request: Request, key: str) -> AssetAnswer:
    """An asset, how it stands, and what was last made of it. The segments of its key are each quoted."""
    page = _page(request)
    head = head_of(page)
    facts, joined = page.facts, page.joined
    return AssetAnswer(
        key=list(page.key.path),
        name=page.name,
        location=joined.location if joined is not None else None,
        state=head.state,
        causes=[
            CauseAnswer(kind=one.kind, asset="/".join(one.key), text=one.text) for one in (head.now.causes if head.now else ())
        ],
        freshness=head.now.freshness if head.now is not None else None,
        group=facts.group if facts is not None else None,
        owners=list(facts.owners) if facts is not None else [],
        kinds=list(facts.kinds) if facts is not None else [],
        tags=dict(facts.tags) if facts is not None else {},
        description=facts.description if facts is not None else None,
        place=head.place,
        upstream=[one.to_user_string() for one in joined.parents] if joined is not None else [],
        downstream=sorted(one.to_user_string() for one in joined.children) if joined is not None else [],
        latest=_event(head.latest) if head.latest is not None else None,
        running=head.running.run.run_id if head.running is not None else None,
        fault=head.fault,
    )
