"""Which asset a table name in SQL means."""

from __future__ import annotations

from collections.abc import Sequence

from warehouse_assets.keys import AssetKey
from warehouse_assets.tables import TableName

__all__ = ["is_engine_name", "is_file_name", "resolve_table"]

_ENGINE_SCHEMAS = {"information_schema", "pg_catalog", "sys"}


def resolve_table(parts: Sequence[str], keys: Sequence[AssetKey], default_schema: str | None = None) -> AssetKey | None:
    """The one key among `keys` that a table name, given by its parts, means; None where there is none, or no single one.

    In this order: the key with the same segments; the key whose table in a store with this default schema has the name; the key
    that ends with the parts. Each is tried as written first, then without regard to case, since SQL has none.

    >>> resolve_table(("staging", "Orders"), [AssetKey(["staging", "orders"])])
    AssetKey(['staging', 'orders'])
    """
    wanted = tuple(parts)
    for fold in (str, str.casefold):
        name = tuple(fold(part) for part in wanted)
        forms: list[list[AssetKey]] = [[], [], []]
        for key in keys:
            path = tuple(fold(segment) for segment in key.path)
            table = TableName.of(key, default_schema)
            if path == name:
                forms[0].append(key)
            elif table.schema is not None and (fold(table.schema), fold(table.table)) == name:
                forms[1].append(key)
            elif path[-len(name) :] == name:
                forms[2].append(key)
        for matches in forms:
            if matches:
                return matches[0] if len(matches) == 1 else None
    return None


def is_file_name(parts: Sequence[str]) -> bool:
    """Whether a table name is a file that an engine reads by itself, such as `'events.parquet'`."""
    return len(parts) == 1 and (
        "://" in parts[0] or parts[0].lower().endswith((".parquet", ".csv", ".csv.gz", ".tsv", ".json", ".jsonl", ".ndjson"))
    )


def is_engine_name(parts: Sequence[str]) -> bool:
    """Whether a table name belongs to the engine itself, such as `information_schema.tables`."""
    return len(parts) > 1 and parts[-2].casefold() in _ENGINE_SCHEMAS
