"""Columns of a stored DuckDB table and of rows that come to it: what has to change, under a declared policy, so that they fit."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import duckdb

from io_managers.deferred import Deferred
from io_managers.table import SchemaPolicy
from warehouse_assets.errors import SchemaChangedError
from warehouse_assets.keys import AssetKey
from warehouse_assets.tables import quote_identifier

if TYPE_CHECKING:
    import polars as pl
else:
    pl = Deferred("polars")

__all__ = ["Columns", "Fitting", "fitting"]

NULL = '"NULL"'  # the type of a column that never had a value


_SIZES = {"TINYINT": 8, "SMALLINT": 16, "INTEGER": 32, "BIGINT": 64, "HUGEINT": 128}

# how many bits each type of integers has for those below zero, and for the others
_BITS = {name: (size - 1, size - 1) for name, size in _SIZES.items()} | {f"U{name}": (0, size) for name, size in _SIZES.items()}


@dataclass(frozen=True, slots=True)
class Columns:
    """The columns of a table or a query: their DuckDB types, and the polars types that DuckDB would forget.

    SQL knows nothing of the latter: then `notes` is None.
    """

    kinds: Mapping[str, str]
    notes: Mapping[str, pl.DataType] | None = None

    def named(self, name: str) -> str | None:
        """The column that DuckDB takes for `name`, in its own spelling; case makes no difference."""
        return next((own for own in self.kinds if own.casefold() == name.casefold()), None)

    def type_of(self, name: str) -> str:
        """The type of a column, as people know it."""
        return str(self.notes[name]) if self.notes and name in self.notes else self.kinds[name].strip('"')


@dataclass(slots=True)
class Fitting:
    """What makes a table and the rows that come to it fit: columns to add, to drop and to widen, and rows to cast."""

    kinds: dict[str, str]
    notes: dict[str, pl.DataType]
    added: dict[str, str] = field(default_factory=dict)
    dropped: list[str] = field(default_factory=list)
    widened: dict[str, str] = field(default_factory=dict)
    casts: dict[str, str] = field(default_factory=dict)

    def statements(self, table: str) -> list[str]:
        """The changes to the table of this quoted name, in SQL."""
        return [
            *(f"alter table {table} add column {quote_identifier(name)} {kind}" for name, kind in self.added.items()),
            *(f"alter table {table} alter {quote_identifier(name)} type {kind}" for name, kind in self.widened.items()),
            *(f"alter table {table} drop column {quote_identifier(name)}" for name in self.dropped),
        ]

    def unify(self, own: str, incoming: Columns, name: str) -> bool:
        """Whether the rows fit the column `own` as it is, or as it may be made since it has no values."""
        old, new = self.kinds[own], incoming.kinds[name]
        noted = own in self.notes or name in (incoming.notes or {})
        if (new == NULL and old != NULL) or (_holds(old, new) and not noted):
            self.casts[name] = old
        elif old == NULL and new != NULL:
            self.kinds[own] = self.widened[own] = new
            self.note(own, incoming, name)
        elif old != new or (incoming.notes is not None and incoming.notes.get(name) != self.notes.get(own)):
            return False
        elif incoming.notes is None:
            self.notes.pop(own, None)
        return True

    def widen(self, connection: duckdb.DuckDBPyConnection, own: str, incoming: Columns, name: str) -> bool:
        """Give the column a type that holds the old and the new values; whether there is one."""
        old, new = self.kinds[own], incoming.kinds[name]
        if (wider := old if old == new else _wider(connection, old, new)) is None:
            return False
        self.notes.pop(own, None)
        self.kinds[own] = wider
        if wider != old:
            self.widened[own] = wider
        if wider != new:
            self.casts[name] = wider
        return True

    def note(self, own: str, incoming: Columns, name: str) -> None:
        """Let the column have the polars type of the rows."""
        self.notes.pop(own, None)
        if incoming.notes and name in incoming.notes:
            self.notes[own] = incoming.notes[name]

    def drop(self, columns: Iterable[str]) -> None:
        """Let the table be without some columns."""
        for own in columns:
            self.dropped.append(own)
            self.notes.pop(own, None)
            del self.kinds[own]


def fitting(
    connection: duckdb.DuckDBPyConnection, stored: Columns, incoming: Columns, policy: SchemaPolicy, key: AssetKey
) -> Fitting:
    """How the columns of a table of asset `key` are to change for these rows; SchemaChangedError where the policy allows it not.

    Columns go by name. One without any value fits every type, as it comes and as it is stored; a number fits a column of larger
    ones, which is no change of the table.
    """
    fit = Fitting(dict(stored.kinds), dict(stored.notes or {}))
    changes: list[str] = []
    for name, kind in incoming.kinds.items():
        if (own := stored.named(name)) is None:
            changes += [f"{name!r} ({incoming.type_of(name)}) is new"] * (policy == "fail")
            fit.kinds[name] = fit.added[name] = kind
            fit.note(name, incoming, name)
        elif not fit.unify(own, incoming, name) and not (policy == "sync" and fit.widen(connection, own, incoming, name)):
            changes.append(f"{name!r} is {incoming.type_of(name)}, and was {stored.type_of(own)}")
    missing = [own for own in stored.kinds if incoming.named(own) is None]
    changes += [f"{own!r} is missing" for own in missing if policy == "fail"]
    if changes:
        raise SchemaChangedError(
            f"asset {key.to_user_string()!r} gave other columns than its table has: {', '.join(changes)}", hint=_hint(policy)
        )
    if policy == "sync":
        fit.drop(missing)
    return fit


def _holds(wide: str, narrow: str) -> bool:
    """Whether a column of one type holds all values of another, both numbers."""
    if wide in _BITS and narrow in _BITS:
        return wide != narrow and all(have >= need for have, need in zip(_BITS[wide], _BITS[narrow], strict=True))
    return (wide, narrow) == ("DOUBLE", "FLOAT")


def _wider(connection: duckdb.DuckDBPyConnection, old: str, new: str) -> str | None:
    """The type that holds the values of both; None where there is none."""
    try:
        [(_, wider, *_)] = connection.execute(f"describe select null::{old} as x union all select null::{new}").fetchall()
        [(fits,)] = connection.execute(
            f"select can_cast_implicitly(null::{old}, null::{wider}) and can_cast_implicitly(null::{new}, null::{wider})"
        ).fetchall()
    except duckdb.BinderException:
        return None
    return wider if fits or wider == "VARCHAR" else None


def _hint(policy: SchemaPolicy) -> str:
    if policy == "sync":
        return "No type holds both. Give the column another name, or make the whole table anew."
    ways = '"append" to add columns and fill missing ones, or "sync"' if policy == "fail" else '"sync"'
    return f'Declare metadata={{"schema_policy": …}} with {ways} to give the table the columns of its newest partition.'
