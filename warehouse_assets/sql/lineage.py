"""Which columns each column of a query is made from. Loads sqlglot when used, and reads nothing but the text and the schema."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from warehouse_assets.keys import AssetKey
    from warehouse_assets.metadata import ColumnLineage

__all__ = ["Lineage", "OutputColumn", "SchemaOf", "SourceColumn", "column_lineage", "to_column_lineage"]

SchemaOf = Callable[[tuple[str, ...]], Sequence[str] | None] | Mapping[tuple[str, ...], Sequence[str]]


@dataclass(frozen=True, slots=True, order=True)
class SourceColumn:
    """A column of a stored table; `table` is its name as the query writes it, in parts."""

    table: tuple[str, ...]
    column: str


@dataclass(frozen=True, slots=True)
class OutputColumn:
    """A column that a query gives, and those that its value is computed from.

    `opaque` is why there may be more of them than `sources` says; None where they are all.
    """

    name: str
    sources: frozenset[SourceColumn] = frozenset()
    opaque: str | None = None


@dataclass(frozen=True, slots=True)
class Lineage:
    """What a query's columns are made from, in the order of its output.

    `filters` are the columns that decide which rows there are (WHERE, HAVING, QUALIFY, ON, USING, GROUP BY, DISTINCT ON, set
    operations, ORDER BY under LIMIT), not what stands in them. `opaque` is why the list of columns is not complete.
    """

    columns: tuple[OutputColumn, ...]
    filters: frozenset[SourceColumn] = frozenset()
    opaque: str | None = None


def column_lineage(text: str, dialect: str = "duckdb", schema_of: SchemaOf | None = None) -> Lineage:
    """The columns of the last query in `text`, which may follow `create table … as` of tables that it reads.

    `schema_of` gives the columns of a table, by the parts of its name as written, or None where they are not known. A column
    without a name of its own has that of its text, which an engine may write differently: match such by position.
    Raises InvalidSQLError where the text is not SQL, or its last statement has no query.

    >>> lineage = column_lineage("select o.a + b as c from s.o where d", schema_of={("s", "o"): ["a", "b", "d"]})
    >>> [(column.name, sorted(source.column for source in column.sources)) for column in lineage.columns]
    [('c', ['a', 'b'])]
    >>> lineage.filters
    frozenset({SourceColumn(table=('s', 'o'), column='d')})
    """
    from warehouse_assets.sql.column_resolution import resolve_columns

    return resolve_columns(text, dialect, schema_of)


def to_column_lineage(lineage: Lineage, keys: Mapping[tuple[str, ...], AssetKey]) -> ColumnLineage:
    """The lineage between assets: each output column and what it is directly made from; tables that are no assets are left out.

    Columns that are opaque hold what is known of them.
    """
    from warehouse_assets.metadata import ColumnLineage

    deps: dict[str, list[tuple[AssetKey, str]]] = {}
    for column in lineage.columns:
        found = deps.setdefault(column.name, [])
        found += [(keys[source.table], source.column) for source in sorted(column.sources) if source.table in keys]
    return ColumnLineage({name: list(dict.fromkeys(found)) for name, found in deps.items()})
