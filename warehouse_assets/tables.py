"""Values that describe a table: where it is, which part of it, of which columns, and how large it is."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, TypeAlias

from warehouse_assets.errors import InvalidDefinitionError
from warehouse_assets.keys import AssetKey

__all__ = [
    "ColumnRange",
    "ColumnValues",
    "PartitionFilter",
    "SQLNaming",
    "Table",
    "TableColumn",
    "TableName",
    "TableSchema",
    "TableSlice",
    "TableStats",
    "TableVersion",
    "placed_key",
    "quote_identifier",
]


def quote_identifier(name: str) -> str:
    """`name` as a quoted SQL identifier: any text is allowed but a NUL character, which no database takes.

    >>> print(quote_identifier('odd "name"'))
    "odd ""name\"""
    """
    if "\0" in name:
        raise InvalidDefinitionError(f"a table or column name cannot hold a NUL character: {name!r}")
    return '"' + name.replace('"', '""') + '"'


@dataclass(frozen=True, slots=True)
class Table:
    """A stored table, of which nothing is loaded: annotate a parameter with it, and put it into SQL.

    `str` gives its quoted name, one part for each segment of the key.

    >>> print(Table(AssetKey(["staging", "orders"])))
    "staging"."orders"
    """

    asset_key: AssetKey

    def __str__(self) -> str:
        return ".".join(quote_identifier(segment) for segment in self.asset_key.path)

    def _repr_html_(self) -> str:
        from warehouse_assets.html import card, drawn

        return drawn(
            self, lambda: card(self.asset_key.to_user_string(), {"in SQL": self}, "A stored table; nothing is loaded.")
        )


@dataclass(frozen=True, slots=True)
class TableName:
    """The place of a table: its name, its schema where it has one, and the database, where the store has several."""

    table: str
    schema: str | None = None
    catalog: str | None = None

    @classmethod
    def of(cls, key: AssetKey, default_schema: str | None = None) -> TableName:
        """The table of an asset: the last segment is the table, those before it the schema.

        Several schema segments are joined in their escaped form, so no two keys share a table.

        >>> TableName.of(AssetKey(["staging", "orders"]))
        TableName(table='orders', schema='staging', catalog=None)
        >>> TableName.of(AssetKey(["lake", "staging", "orders"])).schema
        'lake/staging'
        >>> TableName.of(AssetKey("orders"), default_schema="main").schema
        'main'
        """
        *schema, table = key.path
        return cls(table, AssetKey(schema).to_escaped_string() if schema else default_schema)

    @property
    def quoted(self) -> str:
        """The name for use in SQL on its database, each part quoted."""
        parts = (self.schema, self.table) if self.schema is not None else (self.table,)
        return ".".join(quote_identifier(part) for part in parts)

    def __str__(self) -> str:
        return ".".join(part for part in (self.catalog, self.schema, self.table) if part is not None)


@dataclass(frozen=True, slots=True)
class SQLNaming:
    """How SQL in a store is written: what its dialect is called in sqlglot, and the schema of tables that are named without one.

    The catalog, where the store has a name for it, is that in which all its tables are.
    """

    dialect: str = "duckdb"
    default_schema: str | None = None
    default_catalog: str | None = None


def placed_key(key: AssetKey, metadata: Mapping[str, Any]) -> AssetKey:
    """The key by which the table of an asset is placed: its own, or its last segment in the `schema` that its metadata names.

    >>> placed_key(AssetKey(["staging", "orders"]), {"schema": "raw"})
    AssetKey(['raw', 'orders'])
    """
    schema = metadata.get("schema")
    return AssetKey((schema, key.path[-1])) if isinstance(schema, str) and schema else key


@dataclass(frozen=True, slots=True)
class TableColumn:
    """One column: its name, its type as the store names it, and what people said about it."""

    name: str
    type: str
    nullable: bool = True
    description: str | None = None


@dataclass(frozen=True, slots=True)
class TableSchema:
    """The columns of a table, in their order."""

    columns: tuple[TableColumn, ...] = ()

    def __post_init__(self) -> None:
        object.__setattr__(self, "columns", tuple(self.columns))

    def __iter__(self) -> Iterator[TableColumn]:
        return iter(self.columns)

    @property
    def names(self) -> tuple[str, ...]:
        """The names of the columns, in their order."""
        return tuple(column.name for column in self.columns)

    def _repr_html_(self) -> str:
        from warehouse_assets.html import drawn, table

        def draw() -> str:
            rows = [(c.name, c.type, "" if c.nullable else "not null", c.description or "") for c in self]
            return table(("column", "type", "", "description"), rows)

        return drawn(self, draw)


@dataclass(frozen=True, slots=True)
class ColumnValues:
    """The rows whose `column`, as text, is one of `values`."""

    column: str
    values: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class ColumnRange:
    """The rows whose `column` is at or after `start` and before `end`, local times of the zone that the partitions are of.

    A column without time zone is compared with what the clock of that zone shows, one that is no time with the `keys` of the
    partitions in the range, as text.
    """

    column: str
    start: datetime
    end: datetime
    keys: tuple[str, ...] = ()


PartitionFilter: TypeAlias = "tuple[ColumnValues | ColumnRange, ...]"  # all of which hold


@dataclass(frozen=True, slots=True)
class TableSlice:
    """The part of a table to read or replace: `columns` (None: all of them), and `partitions`.

    `partitions` are filters of which at least one holds: none of them is a slice without rows, and None the whole table. Of a read,
    the SQL condition `where` holds for its rows too, and there are no more than `limit`.
    """

    name: TableName
    columns: tuple[str, ...] | None = None
    partitions: tuple[PartitionFilter, ...] | None = None
    where: str | None = None
    limit: int | None = None


@dataclass(frozen=True, slots=True)
class TableStats:
    """What a store measured of a write.

    A view has neither rows nor bytes of its own: both are None. `row_count` and `byte_size` (bytes at rest; None where the store cannot tell) are those of the whole table after the write,
    `partition_row_count` the rows of the slice that was written. The place is a `table_name` in a database or a `uri`. `version` is
    the name that the store has for the state of the table after the write, where it keeps earlier ones.
    """

    row_count: int | None
    byte_size: int | None
    schema: TableSchema
    table_name: str | None = None
    uri: str | None = None
    partition_row_count: int | None = None
    version: str | None = None
    extra: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class TableVersion:
    """A state of a table that the store still has: its name there, when it was published (in UTC), and by which run, if known."""

    version: str
    timestamp: datetime
    run_id: str | None = None
    row_count: int | None = None
