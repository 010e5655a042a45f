"""The columns of a table as they were recorded, and how they changed over time."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise

from warehouse_assets.events import Event
from warehouse_assets.tables import TableColumn, TableSchema

__all__ = [
    "ColumnChange",
    "ColumnHistory",
    "SchemaChange",
    "changes_between",
    "column_histories",
    "schema_changes",
    "schema_of",
]

COLUMN_SCHEMA = "column_schema"


@dataclass(frozen=True, slots=True)
class ColumnChange:
    """What became of a column: added, removed, retyped, described, moved, or made (not) nullable."""

    what: str
    name: str
    old: str = ""
    new: str = ""


@dataclass(frozen=True, slots=True)
class SchemaChange:
    """The changes that came with one event."""

    event_id: int
    timestamp: float
    run_id: str
    changes: tuple[ColumnChange, ...]


@dataclass(frozen=True, slots=True)
class ColumnHistory:
    """A column, and since when it is there with its type: None where it was so as far back as the record was read."""

    column: TableColumn
    since: float | None


def schema_of(event: Event) -> TableSchema | None:
    """The columns that an event recorded."""
    made = event.asset_materialization
    value = made.metadata.get(COLUMN_SCHEMA) if made is not None else None
    return value.value if value is not None and isinstance(value.value, TableSchema) else None


def changes_between(old: TableSchema, new: TableSchema) -> tuple[ColumnChange, ...]:
    """What is different, the removed columns first.

    >>> changes_between(TableSchema((TableColumn("a", "INT"),)), TableSchema((TableColumn("a", "TEXT"), TableColumn("b", "INT"))))
    (ColumnChange(what='retyped', name='a', old='INT', new='TEXT'), ColumnChange(what='added', name='b', old='', new='INT'))
    """
    before, after = {one.name: one for one in old}, {one.name: one for one in new}
    return (
        *(ColumnChange("removed", name, one.type) for name, one in before.items() if name not in after),
        *(change for name, one in after.items() if name in before for change in _changed(before[name], one)),
        *(ColumnChange("added", name, "", one.type) for name, one in after.items() if name not in before),
    )


def _changed(old: TableColumn, new: TableColumn) -> Iterator[ColumnChange]:
    if old.type != new.type:
        yield ColumnChange("retyped", new.name, old.type, new.type)
    if old.nullable != new.nullable:
        yield ColumnChange("nullable", new.name, *("null" if one.nullable else "not null" for one in (old, new)))
    if old.description != new.description:
        yield ColumnChange("described", new.name, old.description or "", new.description or "")


def schema_changes(events: Sequence[Event]) -> list[SchemaChange]:
    """When the columns changed, the latest change first, from materializations of which the latest is first."""
    known = [(event, schema) for event in events if (schema := schema_of(event)) is not None]
    found = []
    for (event, new), (_, old) in pairwise(known):
        if new != old and (changes := changes_between(old, new)):
            found.append(SchemaChange(event.storage_id or 0, event.timestamp, event.run_id, changes))
    return found


def column_histories(schema: TableSchema, changes: Sequence[SchemaChange]) -> list[ColumnHistory]:
    """The columns of a table, each with when it came, or last got another type."""
    since: dict[str, float] = {}
    for change in changes:
        for one in change.changes:
            if one.what in ("added", "retyped"):
                since.setdefault(one.name, change.timestamp)
    return [ColumnHistory(column, since.get(column.name)) for column in schema]
