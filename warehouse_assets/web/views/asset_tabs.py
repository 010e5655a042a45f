"""What the tabs of an asset's page show beside its head and its events."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from textwrap import dedent

from warehouse_assets.errors import WarehouseAssetsError
from warehouse_assets.events import EventType
from warehouse_assets.keys import AssetKey
from warehouse_assets.metadata import metadata_from_json
from warehouse_assets.tables import TableColumn
from warehouse_assets.web.answers.asset import AssetRequest, AssetSource, Code, DeclaredColumn, asset_source
from warehouse_assets.web.answers.asset_columns import ColumnLink, ColumnLinks, column_links, column_uses
from warehouse_assets.web.answers.asset_rows import RowsRequest, SampleRows, sample_rows
from warehouse_assets.web.answers.asset_versions import KeptVersions, table_versions
from warehouse_assets.web.views.asset import AssetPage, asked
from warehouse_assets.web.views.asset_events import events_of
from warehouse_assets.web.views.asset_metadata import ShownMetadata, shown_metadata
from warehouse_assets.web.views.asset_schema import ColumnHistory, SchemaChange, column_histories, schema_changes, schema_of
from warehouse_assets.web.views.asset_text import highlighted

__all__ = [
    "ColumnLine",
    "ColumnsTab",
    "DefinitionTab",
    "PromisedColumn",
    "ShownCode",
    "TableTab",
    "columns_tab",
    "definition_tab",
    "rows_of",
    "table_tab",
    "versions_of",
]

_MADE: tuple[EventType, ...] = ("ASSET_MATERIALIZATION",)
_SCHEMAS = 1_000  # materializations whose columns are compared


@dataclass(frozen=True, slots=True)
class ShownCode:
    """A piece of source with its words coloured."""

    code: Code
    html: str


@dataclass(frozen=True, slots=True)
class DefinitionTab:
    """What the Definition tab shows; `fault` is why the code location does not tell."""

    source: AssetSource | None
    fault: str | None
    codes: tuple[ShownCode, ...] = ()
    metadata: tuple[ShownMetadata, ...] = ()
    last_sql: ShownCode | None = None


@dataclass(frozen=True, slots=True)
class PromisedColumn:
    """A column of the table beside what the definition promises of it; `note` says where they differ."""

    history: ColumnHistory
    promised: DeclaredColumn | None
    note: str = ""


@dataclass(frozen=True, slots=True)
class TableTab:
    """The columns of the table as last recorded, or as promised where it was never made, and how they changed."""

    columns: tuple[PromisedColumn, ...]
    changes: tuple[SchemaChange, ...]
    recorded: bool
    read: int
    missing: tuple[DeclaredColumn, ...] = ()


@dataclass(frozen=True, slots=True)
class ColumnLine:
    """A column, what it comes from, and where it goes; `opaque` is why more may belong there."""

    name: str
    upstream: tuple[ColumnLink, ...]
    downstream: tuple[ColumnLink, ...]
    opaque: str | None = None


@dataclass(frozen=True, slots=True)
class ColumnsTab:
    """The lineage of the columns; `chosen` is the one that the address names, `unknown` says what is left out, and why."""

    lines: tuple[ColumnLine, ...] = ()
    rows: tuple[ColumnLink, ...] = ()
    chosen: str | None = None
    opaque: str | None = None
    fault: str | None = None
    unknown: tuple[str, ...] = ()


def definition_tab(page: AssetPage) -> DefinitionTab:
    """What was declared, and the SQL that last made the table where a function gave it."""
    source, fault = asked(page, asset_source, AssetRequest(page.key.path))
    codes = tuple(_shown(code) for code in source.codes) if source is not None else ()
    metadata = tuple(shown_metadata(metadata_from_json(source.metadata))) if source is not None else ()
    declared = source is not None and any(code.language == "sql" for code in source.codes)
    return DefinitionTab(source, fault, codes, metadata, None if declared else _last_sql(page))


def _shown(code: Code) -> ShownCode:
    return ShownCode(code, highlighted(code.text, code.language, code.line))


def _last_sql(page: AssetPage) -> ShownCode | None:
    for event in events_of(page.site.instance, page.key, _MADE, 1):
        made = event.asset_materialization
        value = made.metadata.get("sql") if made is not None else None
        if value is not None:
            text = dedent(str(value.value).strip("\n").rstrip())
            return ShownCode(Code("SQL of the latest materialization", "sql", text), highlighted(text, "sql", 1))
    return None


def table_tab(page: AssetPage) -> TableTab:
    """The columns of the table, with the contract that its definition has."""
    events = events_of(page.site.instance, page.key, _MADE, _SCHEMAS)
    changes = schema_changes(events)
    schema = next((found for event in events if (found := schema_of(event)) is not None), None)
    source, _ = asked(page, asset_source, AssetRequest(page.key.path)) if page.joined is not None else (None, None)
    promised = {one.name: one for one in source.columns} if source is not None else {}
    if schema is None:
        columns = [
            ColumnHistory(TableColumn(one.name, one.type or "", True, one.description), None) for one in promised.values()
        ]
        return TableTab(tuple(PromisedColumn(one, None) for one in columns), (), recorded=False, read=len(events))
    shown = [_beside(one, promised.get(one.column.name), bool(promised)) for one in column_histories(schema, changes)]
    missing = tuple(one for name, one in promised.items() if name not in schema.names and one.type is not None)
    return TableTab(tuple(shown), tuple(changes), recorded=True, read=len(events), missing=missing)


def _beside(history: ColumnHistory, promised: DeclaredColumn | None, has_contract: bool) -> PromisedColumn:
    if promised is not None and promised.description and not history.column.description:
        history = replace(history, column=replace(history.column, description=promised.description))
    return PromisedColumn(history, promised)


def columns_tab(page: AssetPage, chosen: str | None = None) -> ColumnsTab:
    """Where each column comes from, and where it goes, in all code locations."""
    links, fault = asked(page, column_links, AssetRequest(page.key.path))
    if links is None:
        return ColumnsTab(fault=fault, chosen=chosen)
    elsewhere, unknown = _uses_elsewhere(page)
    downstream = tuple(dict.fromkeys((*links.downstream, *elsewhere)))
    names = links.columns or tuple(dict.fromkeys(link.column for link in (*links.upstream, *downstream) if link.column))
    lines = tuple(ColumnLine(name, _of(name, links.upstream), _of(name, downstream), links.opaque.get(name)) for name in names)
    return ColumnsTab(lines, _choosing_rows(links), chosen, links.opaque.get(""), unknown=unknown)


def _uses_elsewhere(page: AssetPage) -> tuple[list[ColumnLink], tuple[str, ...]]:
    """What other code locations make from the columns, and which of them do not tell."""
    joined, assets = page.joined, page.site.facts.assets
    if joined is None:
        return [], ()
    found: list[ColumnLink] = []
    unknown: list[str] = []
    for name in sorted({assets[child].location for child in joined.children if child in assets} - {joined.location}):
        try:
            found += page.site.workspace[name].ask(column_uses, AssetRequest(page.key.path))
        except WarehouseAssetsError as error:
            unknown.append(f"What {name} makes from these columns is not known: {error}")
    return found, tuple(unknown)


def _of(name: str, links: Sequence[ColumnLink]) -> tuple[ColumnLink, ...]:
    return tuple(link for link in links if link.column == name and link.kind != "rows")


def _choosing_rows(links: ColumnLinks) -> tuple[ColumnLink, ...]:
    """The columns upstream that decide which rows there are, each once."""
    found = {(link.key, link.other): link for link in links.upstream if link.kind == "rows"}
    return tuple(found.values())


def rows_of(page: AssetPage, limit: int, partition: str | None = None) -> SampleRows:
    """The first rows of the table, or why there are none."""
    if not page.site.settings.samples:
        return SampleRows(refused="Sample rows are switched off on this server.")
    answer, fault = asked(page, sample_rows, RowsRequest(page.key.path, limit, partition))
    return answer if answer is not None else SampleRows(refused=fault)


def versions_of(page: AssetPage) -> KeptVersions:
    """The earlier states of the table that its store keeps."""
    answer, fault = asked(page, table_versions, AssetRequest(page.key.path))
    return answer if answer is not None else KeptVersions(refused=fault)


def keys_of(paths: Sequence[tuple[str, ...]]) -> list[AssetKey]:
    """Keys from their segments."""
    return [AssetKey(path) for path in paths]
