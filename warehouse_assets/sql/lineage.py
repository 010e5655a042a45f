"""Which columns each column of a query is made from. Loads sqlglot when used, and reads nothing but the text and the schema."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Literal

__all__ = [
    "ColumnKind",
    "OtherColumns",
    "OutputColumn",
    "QueryLineage",
    "SchemaOf",
    "SourceColumn",
    "column_lineage",
    "either",
]

SchemaOf = Callable[[tuple[str, ...]], Sequence[str] | None] | Mapping[tuple[str, ...], Sequence[str]]

ColumnKind = Literal["direct", "derived", "aggregated"]


@dataclass(frozen=True, slots=True, order=True)
class SourceColumn:
    """A column of a stored table; `table` is its name as the query writes it, in parts."""

    table: tuple[str, ...]
    column: str


_NONE: frozenset[SourceColumn] = frozenset()
_KINDS: tuple[ColumnKind, ...] = ("direct", "derived", "aggregated")


@dataclass(frozen=True, slots=True)
class OutputColumn:
    """A column that a query gives, and those that its value is computed from.

    `kind` is whether it is a copy of its sources, computed from them row by row (or from a constant), or aggregated over rows.
    `conditions` decide which rows of a subquery its value comes from. `opaque` is why there may be more sources than these; None
    where they are all.
    """

    name: str
    sources: frozenset[SourceColumn] = _NONE
    kind: ColumnKind = "derived"
    conditions: frozenset[SourceColumn] = _NONE
    opaque: str | None = None


def either(name: str, columns: Iterable[OutputColumn], least: ColumnKind = "direct") -> OutputColumn:
    """A column that is made from all of these, and is at least of this kind."""
    parts = list(columns)
    return OutputColumn(
        name,
        _NONE.union(*(column.sources for column in parts)),
        max((least, *(column.kind for column in parts)), key=_KINDS.index),
        _NONE.union(*(column.conditions for column in parts)),
        next((column.opaque for column in parts if column.opaque), None),
    )


@dataclass(frozen=True, slots=True)
class OtherColumns:
    """Columns that a query may give beside those that are listed: `why` they are not.

    Each is a copy of the column of its name in `table`, if there is one; or it is made from `sources`, and nothing else where
    they are `complete`.
    """

    why: str
    table: tuple[str, ...] = ()
    sources: frozenset[SourceColumn] = _NONE
    complete: bool = False
    kind: ColumnKind = "derived"

    def column(self, name: str) -> OutputColumn:
        """The one of this name."""
        if self.table:
            return OutputColumn(name, frozenset({SourceColumn(self.table, name)}), "direct")
        return OutputColumn(name, self.sources, self.kind, opaque=None if self.complete else self.why)


@dataclass(frozen=True)
class QueryLineage:
    """What a query's columns are made from, in the order of its output.

    `rows` are the columns that decide which rows there are (WHERE, HAVING, QUALIFY, ON, USING, GROUP BY, DISTINCT, set operations,
    ORDER BY under LIMIT), not what stands in them. `others` are columns that there may be beside those listed.
    """

    columns: tuple[OutputColumn, ...]
    rows: frozenset[SourceColumn] = _NONE
    others: OtherColumns | None = None

    @property
    def opaque(self) -> str | None:
        """Why the list of columns is not complete; None where it is."""
        return self.others.why if self.others is not None else None

    @cached_property
    def is_complete(self) -> bool:
        """Whether all columns, and all that they are made from, are known."""
        return self.others is None and not any(column.opaque for column in self.columns)

    def fitted(self, names: Sequence[str]) -> QueryLineage:
        """The lineage of a table that has these columns, as its store names them.

        Columns are matched by name, and those that have none of their own, which each engine names its own way, by position. One
        that the query does not give is opaque.
        """
        left = list(self.columns)
        found: dict[int, OutputColumn] = {}
        for fold in (str, str.casefold):
            for index, name in enumerate(names):
                same = (at for at, column in enumerate(left) if fold(column.name) == fold(name))
                if index not in found and (at := next(same, None)) is not None:
                    found[index] = left.pop(at)
        missing = [index for index in range(len(names)) if index not in found]
        if self.others is None and len(missing) == len(left):
            found.update(zip(missing, left, strict=True))
            missing = []
        unplaced = _NONE.union(*(column.sources for column in left)) if missing else _NONE
        foreign = OtherColumns("it is no column that the query names", sources=unplaced)
        columns = (
            replace(found[index], name=name) if index in found else (self.others or foreign).column(name)
            for index, name in enumerate(names)
        )
        return QueryLineage(tuple(columns), self.rows)


def column_lineage(text: str, dialect: str = "duckdb", schema_of: SchemaOf | None = None) -> QueryLineage:
    """The columns of the last query in `text`, which may follow `create table … as` of tables that it reads.

    `schema_of` gives the columns of a table, by the parts of its name as written, or None where they are not known. A column
    without a name of its own has that of its text, which an engine may write differently: see `QueryLineage.fitted`.
    Raises InvalidSQLError where the text is not SQL, or its last statement has no query.

    >>> lineage = column_lineage("select o.a + b as c from s.o where d", schema_of={("s", "o"): ["a", "b", "d"]})
    >>> [(column.name, column.kind, sorted(source.column for source in column.sources)) for column in lineage.columns]
    [('c', 'derived', ['a', 'b'])]
    >>> lineage.rows
    frozenset({SourceColumn(table=('s', 'o'), column='d')})
    """
    from warehouse_assets.sql.column_resolution import resolve_columns

    return resolve_columns(text, dialect, schema_of)
