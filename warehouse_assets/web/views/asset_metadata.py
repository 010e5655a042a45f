"""Metadata values as pages show them: numbers as people read them, tables as tables, links where they are safe."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Literal, TypeAlias
from urllib.parse import urlsplit

from markupsafe import Markup

from warehouse_assets.column_lineage import TableColumnLineage
from warehouse_assets.keys import AssetKey
from warehouse_assets.metadata import SQL_TEXT, MetadataValue
from warehouse_assets.quantities import byte_text, seconds_text
from warehouse_assets.tables import TableSchema
from warehouse_assets.web.rendering import asset_url, number
from warehouse_assets.web.views.asset_text import highlighted, markdown

__all__ = [
    "OWN_TAB",
    "ShownMetadata",
    "Unit",
    "is_number",
    "label_of",
    "number_text",
    "shown_metadata",
    "shown_value",
    "unit_of",
]

Unit: TypeAlias = Literal["", "bytes", "seconds", "share"]

OWN_TAB = {"column_schema": "table", "column_lineage": "columns", SQL_TEXT: "definition"}
"""Metadata that a tab of the asset's page shows better than a line can."""

_FIRST = ("row_count", "partition_row_count", "byte_size", "table_name", "uri", "table_version")
_BYTES = re.compile(r"(^|_)bytes?(_|$)|byte_size|_size$")
_SECONDS = re.compile(r"(^|_)(seconds|duration|elapsed)(_|$)|_secs?$")
_SHARE = re.compile(r"(^|_)(share|fraction|ratio|rate)(_|$)")
_LONGEST = 20_000
_MOST_ROWS = 200


@dataclass(frozen=True, slots=True)
class ShownMetadata:
    """One metadata value, ready to be shown. `form` says how: text, code, html, link, time, table, columns or null.

    `exact` is the whole value where `text` is rounded; `number` the value where it can be plotted.
    """

    name: str
    label: str
    kind: str
    form: str
    text: str
    exact: str = ""
    href: str = ""
    html: Markup | None = None
    head: tuple[str, ...] = ()
    rows: tuple[tuple[str | None, ...], ...] = ()
    more: int = 0
    number: float | None = None
    timestamp: float | None = None


def shown_metadata(metadata: Mapping[str, MetadataValue], *, without: Iterable[str] = ()) -> list[ShownMetadata]:
    """All of these values, those that every store records first, the others in their order."""
    left_out = set(without)
    names = sorted(metadata, key=lambda name: _FIRST.index(name) if name in _FIRST else len(_FIRST))
    return [shown_value(name, metadata[name]) for name in names if name not in left_out]


def label_of(name: str) -> str:
    """A name of metadata as people read it.

    >>> label_of("row_count"), label_of("byte_size"), label_of("p95_latency_ms")
    ('rows', 'bytes', 'p95 latency ms')
    """
    known = {"row_count": "rows", "byte_size": "bytes", "partition_row_count": "rows of partition", "table_name": "table"}
    return known.get(name) or name.replace("_", " ").strip() or name


def unit_of(name: str, value: float) -> Unit:
    """What a number counts, as its name says.

    >>> unit_of("byte_size", 3), unit_of("null_share", 0.5), unit_of("row_count", 3)
    ('bytes', 'share', '')
    """
    if _BYTES.search(name):
        return "bytes"
    if _SECONDS.search(name) and value >= 0:
        return "seconds"
    return "share" if _SHARE.search(name) and 0 <= value <= 1 else ""


def number_text(value: float, unit: Unit) -> str:
    """A number as people read it."""
    if unit == "bytes":
        return byte_text(value)
    if unit == "seconds":
        return seconds_text(value)
    return f"{value:.1%}" if unit == "share" else number(value).striptags()


def is_number(value: MetadataValue) -> bool:
    """Whether a value can be plotted."""
    return value.kind in ("int", "float") and math.isfinite(value.value)


def shown_value(name: str, value: MetadataValue) -> ShownMetadata:
    """One value of metadata."""
    make = _FORMS.get(value.kind, _as_json)
    return make(name, value)


def _plain(name: str, value: MetadataValue, form: str, text: str, **rest: Any) -> ShownMetadata:
    return ShownMetadata(name, label_of(name), value.kind, form, text, **rest)


def _as_number(name: str, value: MetadataValue) -> ShownMetadata:
    given = value.value
    if isinstance(given, float) and not math.isfinite(given):
        return _plain(
            name, value, "text", {"inf": "∞", "-inf": "\N{MINUS SIGN}∞"}.get(str(given), "not a number"), exact=str(given)
        )
    exact = f"{given:,}" if isinstance(given, int) else repr(given)
    text = number_text(given, unit_of(name, given))
    return _plain(name, value, "text", text, exact=exact if exact != text else "", number=float(given))


def _as_text(name: str, value: MetadataValue) -> ShownMetadata:
    text = str(value.value)
    if name == SQL_TEXT:
        return _plain(name, value, "code", text, html=highlighted(text, "sql"))
    return _plain(
        name, value, "code" if "\n" in text.strip() else "text", text[:_LONGEST], exact=text if len(text) > 120 else ""
    )


def _as_markdown(name: str, value: MetadataValue) -> ShownMetadata:
    return _plain(name, value, "html", str(value.value)[:_LONGEST], html=markdown(str(value.value)[:_LONGEST]))


def _as_json(name: str, value: MetadataValue) -> ShownMetadata:
    flat = json.dumps(value.to_json(), ensure_ascii=False, default=str)
    if len(flat) <= 80:
        return _plain(name, value, "text", flat)
    text = json.dumps(value.to_json(), ensure_ascii=False, indent=2, default=str)[:_LONGEST]
    return _plain(name, value, "code", text, html=highlighted(text, "json"))


def _as_url(name: str, value: MetadataValue) -> ShownMetadata:
    """A link, where it leads to the web; anything else, scripts among it, is text."""
    text = str(value.value)
    try:
        safe = urlsplit(text).scheme.lower() in ("http", "https")
    except ValueError:
        safe = False
    return _plain(name, value, "link" if safe else "text", text, href=text if safe else "")


def _as_path(name: str, value: MetadataValue) -> ShownMetadata:
    return _plain(name, value, "path", str(value.value))


def _as_bool(name: str, value: MetadataValue) -> ShownMetadata:
    return _plain(name, value, "text", "yes" if value.value else "no", exact=str(value.value).lower())


def _as_null(name: str, value: MetadataValue) -> ShownMetadata:
    return _plain(name, value, "null", "null")


def _as_time(name: str, value: MetadataValue) -> ShownMetadata:
    moment = float(value.value)
    in_range = math.isfinite(moment) and abs(moment) < 2e11
    return _plain(name, value, "time" if in_range else "text", str(moment), timestamp=moment if in_range else None)


def _as_asset(name: str, value: MetadataValue) -> ShownMetadata:
    key: AssetKey = value.value
    return _plain(name, value, "page", key.to_user_string(), href=asset_url(key))


def _as_run(name: str, value: MetadataValue) -> ShownMetadata:
    from urllib.parse import quote

    return _plain(name, value, "page", str(value.value), href=f"/runs/{quote(str(value.value), safe='')}")


def _as_table(name: str, value: MetadataValue) -> ShownMetadata:
    records = [row for row in value.value if isinstance(row, Mapping)]
    head = tuple(dict.fromkeys(str(column) for row in records for column in row))
    rows = tuple(tuple(_cell(row.get(column)) for column in head) for row in records[:_MOST_ROWS])
    more = max(0, len(records) - _MOST_ROWS)
    return _plain(
        name, value, "table", f"{len(records)} row{'' if len(records) == 1 else 's'}", head=head, rows=rows, more=more
    )


def _cell(value: Any) -> str | None:
    if value is None or isinstance(value, str):
        return value
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        return f"{value:,}" if isinstance(value, int) else f"{value:,.6g}"
    return json.dumps(value, ensure_ascii=False, default=str)


def _as_schema(name: str, value: MetadataValue) -> ShownMetadata:
    schema: TableSchema = value.value
    rows = tuple((one.name, one.type, "" if one.nullable else "not null", one.description or "") for one in schema)
    count = len(rows)
    return _plain(
        name,
        value,
        "table",
        f"{count} column{'' if count == 1 else 's'}",
        head=("column", "type", "", "description"),
        rows=rows,
    )


def _as_lineage(name: str, value: MetadataValue) -> ShownMetadata:
    lineage: TableColumnLineage = value.value
    return _plain(name, value, "text", str(lineage))


_FORMS = {
    "int": _as_number,
    "float": _as_number,
    "text": _as_text,
    "md": _as_markdown,
    "json": _as_json,
    "url": _as_url,
    "path": _as_path,
    "bool": _as_bool,
    "null": _as_null,
    "timestamp": _as_time,
    "asset": _as_asset,
    "run": _as_run,
    "table": _as_table,
    "table_schema": _as_schema,
    "column_lineage": _as_lineage,
}
