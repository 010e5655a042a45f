"""What each column of a table is made from, and what is made from it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from warehouse_assets.keys import AssetKey
from warehouse_assets.web.answers.asset import AssetRequest
from warehouse_assets.web.answers.record import the_instance

if TYPE_CHECKING:
    from warehouse_assets.code_location.definitions import Definitions
    from warehouse_assets.graph.tracing import LineageTrace

__all__ = ["ColumnLink", "ColumnLinks", "column_links", "column_uses"]


class ColumnLink(msgspec.Struct, frozen=True, omit_defaults=True):
    """A column of another table, or that table as a whole; `kind` is direct, derived, aggregated, rows or unknown."""

    column: str
    key: tuple[str, ...]
    other: str | None
    kind: str


class ColumnLinks(msgspec.Struct, frozen=True, omit_defaults=True):
    """The columns of a table, where they come from and where they go, one step each way.

    `opaque` is why more may belong there, by column; of the table as a whole under "".
    """

    columns: tuple[str, ...] = ()
    upstream: tuple[ColumnLink, ...] = ()
    downstream: tuple[ColumnLink, ...] = ()
    opaque: dict[str, str] = {}


def column_links(definitions: Definitions, request: AssetRequest) -> ColumnLinks:
    """The lineage of the columns of one asset, as recorded, and as its SQL says where it never ran."""
    key = AssetKey(request.key)
    instance = the_instance()
    up = definitions.column_lineage(key, direction="upstream", depth=1, rows=True, instance=instance)
    down = definitions.column_lineage(key, direction="downstream", depth=1, rows=True, instance=instance)
    columns = tuple(dict.fromkeys(node.column for node in (*up.start, *down.start) if node.column is not None))
    opaque = {node.column or "": why for node, why in up.opaque.items() if node.asset_key == key}
    return ColumnLinks(columns, _links(up), _links(down), opaque)


def column_uses(definitions: Definitions, request: AssetRequest) -> tuple[ColumnLink, ...]:
    """What this code location makes from the columns of an asset that another one may make."""
    key, instance = AssetKey(request.key), the_instance()
    down = definitions.column_lineage(key, direction="downstream", depth=1, rows=True, instance=instance)
    if any(node.column is not None for node in down.start):
        return _links(down)
    found: list[ColumnLink] = []  # its columns are not recorded: what is made from it names them
    for child in sorted(definitions.graph[key].children):
        up = definitions.column_lineage(child, direction="upstream", depth=1, rows=True, instance=instance)
        ends = ((*up.ends(link), link.kind) for link in up.links)
        found += [
            ColumnLink(far.column or "", child.path, near.column, kind) for near, far, kind in ends if far.asset_key == key
        ]
    return tuple(dict.fromkeys(found))


def _links(trace: LineageTrace) -> tuple[ColumnLink, ...]:
    found = ((trace.ends(link), link.kind) for link in trace.links)
    return tuple(
        dict.fromkeys(ColumnLink(near.column or "", far.asset_key.path, far.column, kind) for (near, far), kind in found)
    )
