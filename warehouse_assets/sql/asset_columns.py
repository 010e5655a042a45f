"""Column lineage between assets: what a query says, once its tables are matched with the assets that they belong to."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import lru_cache

from warehouse_assets.column_lineage import TableColumnDep, TableColumnLineage
from warehouse_assets.keys import AssetKey
from warehouse_assets.sql.lineage import QueryLineage, SourceColumn
from warehouse_assets.sql.names import KnownTables
from warehouse_assets.sql.value import SQL
from warehouse_assets.tables import SQLNaming

__all__ = ["AssetQuery", "table_lineage"]

_VERSION = 1  # of what is made of the same query: lineages that were recorded by others are not taken over

Columns = tuple[str, ...] | None


class AssetQuery:
    """A query whose tables are those of assets; `placed` gives the key by which the table of one is placed.

    Raises InvalidSQLError where it cannot be read.
    """

    def __init__(
        self,
        sql: SQL,
        naming: SQLNaming,
        sources: Iterable[AssetKey],
        own: AssetKey,
        placed: Callable[[AssetKey], AssetKey] = lambda key: key,
    ) -> None:
        self.dialect = sql.dialect or naming.dialect
        self.text = sql.render(self.dialect)[0]
        known = KnownTables(sources, naming.default_schema, naming.default_catalog, placed)
        found = {parts: known.meant(parts, own) for parts in sql.tables(self.dialect)}
        self.tables: dict[tuple[str, ...], AssetKey] = {parts: meant[0] for parts, meant in found.items() if len(meant) == 1}

    def digest(self, columns: Mapping[AssetKey, Columns], names: Sequence[str] | None) -> str:
        """What stands for all that the lineage is worked out from."""
        whole = (
            _VERSION,
            self.dialect,
            self.text,
            [(parts, key.path, columns.get(key)) for parts, key in self.tables.items()],
            names,
        )
        return hashlib.blake2b(repr(whole).encode("utf-8", "surrogatepass"), digest_size=8).hexdigest()

    def query_lineage(self, columns: Mapping[AssetKey, Columns]) -> QueryLineage:
        """The lineage, where the tables of these assets have these columns; those of None are not known."""
        return _worked_out(self.text, self.dialect, tuple((parts, columns.get(key)) for parts, key in self.tables.items()))

    def lineage(self, columns: Mapping[AssetKey, Columns], names: Sequence[str] | None) -> TableColumnLineage:
        """The lineage of a table with these `names`, or, where they are None, of the columns that the query gives."""
        found = self.query_lineage(columns)
        fitted = found.fitted(names) if names is not None else found
        return table_lineage(fitted, self.tables, self.digest(columns, names))


def table_lineage(
    found: QueryLineage, tables: Mapping[tuple[str, ...], AssetKey], digest: str | None = None
) -> TableColumnLineage:
    """The lineage between assets, whose tables have these names; columns of others, of a file for example, are left out."""

    def deps(sources: Iterable[SourceColumn]) -> list[TableColumnDep]:
        known = (source for source in sources if source.table in tables)
        return sorted({TableColumnDep(tables[source.table], source.column) for source in known})

    rows = deps(found.rows.union(*(column.conditions for column in found.columns)))
    reasons = {column.opaque for column in found.columns}
    if len(reasons) == 1 and None not in reasons and not any(column.sources for column in found.columns):
        return TableColumnLineage({}, row_deps=rows, opaque=reasons.pop(), digest=digest)
    return TableColumnLineage(
        {column.name: deps(column.sources) for column in found.columns},
        {column.name: column.kind for column in found.columns},
        rows,
        {column.name: column.opaque for column in found.columns if column.opaque is not None},
        found.opaque,
        digest,
    )


@lru_cache(maxsize=512)
def _worked_out(text: str, dialect: str, tables: tuple[tuple[tuple[str, ...], Columns], ...]) -> QueryLineage:
    from warehouse_assets.sql.column_resolution import resolve_columns

    return resolve_columns(text, dialect, dict(tables).get)
