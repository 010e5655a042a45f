"""How a table and the SQL that makes it differ from what they were."""

from __future__ import annotations

import difflib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, TypeAlias

from warehouse_assets.tables import TableSchema

__all__ = ["ColumnChange", "SQLChange", "column_changes"]

ChangeKind: TypeAlias = Literal["added", "removed", "retyped"]


@dataclass(frozen=True, slots=True)
class ColumnChange:
    """A column that a table gains, loses, or has with another type: `old` and `new` are types as the store names them."""

    kind: ChangeKind
    name: str
    old: str | None = None
    new: str | None = None


def column_changes(old: TableSchema, new: TableSchema) -> tuple[ColumnChange, ...]:
    """The columns by which two tables differ, whatever their order: those of the old one first.

    >>> from warehouse_assets.tables import TableColumn
    >>> old, new = (TableSchema((TableColumn(name, "DATE"),)) for name in ("day", "date"))
    >>> [(change.kind, change.name) for change in column_changes(old, new)]
    [('removed', 'day'), ('added', 'date')]
    """
    before, after = ({column.name: column.type for column in schema} for schema in (old, new))
    gone = [
        ColumnChange("retyped" if name in after else "removed", name, kind, after.get(name))
        for name, kind in before.items()
        if after.get(name) != kind
    ]
    return (*gone, *(ColumnChange("added", name, None, kind) for name, kind in after.items() if name not in before))


@dataclass(frozen=True, slots=True)
class SQLChange:
    """The query that made a table, and the one that would make it, both in their canonical form."""

    old: str
    new: str

    @classmethod
    def between(cls, old: str, new: str, dialect: str) -> SQLChange | None:
        """The difference of two texts in this dialect; None where it is one of comments, line breaks or capitals alone."""
        from warehouse_assets.sql.canonical import canonical

        if old == new:
            return None
        before, after = (canonical(text, dialect, pretty=True) for text in (old, new))
        return cls(before, after) if before != after else None

    @property
    def diff(self) -> Sequence[str]:
        """The lines that differ, after a "-" or a "+", with those around them after a space."""
        lines = difflib.unified_diff(self.old.splitlines(), self.new.splitlines(), lineterm="", n=1)
        return [line for line in lines if not line.startswith(("---", "+++", "@@"))]
