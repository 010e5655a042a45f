"""Which asset a table name in SQL means."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

from warehouse_assets.keys import AssetKey
from warehouse_assets.tables import TableName

__all__ = ["KnownTables", "is_engine_name", "is_file_name", "resolve_table"]

_ENGINE_SCHEMAS = {"information_schema", "pg_catalog", "sys"}


class KnownTables:
    """The assets that a table name in SQL may mean, each found at once among however many there are.

    `placed` gives the key by which the table of an asset is placed, where that is not its own.
    """

    def __init__(
        self,
        keys: Iterable[AssetKey],
        default_schema: str | None = None,
        default_catalog: str | None = None,
        placed: Callable[[AssetKey], AssetKey] = lambda key: key,
    ) -> None:
        self.keys = tuple(keys)
        self._default_schema = default_schema
        self._default_catalog = default_catalog
        self._placed = placed
        self._found: dict[tuple[str, ...], Sequence[AssetKey]] = {}
        self._folded: dict[Callable[[str], str], Sequence[dict[tuple[str, ...], dict[AssetKey, None]]]] = {}

    def meant(self, parts: Sequence[str], own: AssetKey | None = None) -> Sequence[AssetKey]:
        """The assets that a table name, given by its parts, may mean: none, one, or several that it does not tell apart.

        In this order: the key with the same segments; the key whose table in a store with these defaults has the name; the
        key that ends with the parts, one other than the asset's `own` first. Each is tried as written, then without regard to
        case, since SQL has none.
        """
        name = tuple(parts)
        if (found := self._found.get(name)) is None:
            found = self._found[name] = self._matching(name)
        return [key for key in found if key != own] or list(found)

    def _matching(self, parts: tuple[str, ...]) -> Sequence[AssetKey]:
        for fold in (str, str.casefold):
            name = tuple(fold(part) for part in parts)
            for form in self._forms(fold):
                if found := form.get(name):
                    return tuple(found)
        return ()

    def _forms(self, fold: Callable[[str], str]) -> Sequence[dict[tuple[str, ...], dict[AssetKey, None]]]:
        """The keys by their segments, by the names of their tables, and by each of their endings."""
        if fold not in self._folded:
            forms: list[dict[tuple[str, ...], dict[AssetKey, None]]] = [{}, {}, {}]
            paths, tables, endings = forms
            for key in self.keys:
                path = tuple(fold(segment) for segment in key.path)
                paths.setdefault(path, {})[key] = None
                table = TableName.of(self._placed(key), self._default_schema)
                if table.schema is not None:
                    name = (fold(table.schema), fold(table.table))
                    tables.setdefault(name, {})[key] = None
                    if self._default_catalog is not None:
                        tables.setdefault((fold(self._default_catalog), *name), {})[key] = None
                for start in range(1, len(path)):
                    endings.setdefault(path[start:], {})[key] = None
            self._folded[fold] = forms
        return self._folded[fold]


def resolve_table(parts: Sequence[str], keys: Sequence[AssetKey], default_schema: str | None = None) -> AssetKey | None:
    """The one key among `keys` that a table name, given by its parts, means; None where there is none, or no single one.

    >>> resolve_table(("staging", "Orders"), [AssetKey(["staging", "orders"])])
    AssetKey(['staging', 'orders'])
    """
    meant = KnownTables(keys, default_schema).meant(parts)
    return meant[0] if len(meant) == 1 else None


def is_file_name(parts: Sequence[str]) -> bool:
    """Whether a table name is a file that an engine reads by itself, such as `'events.parquet'`."""
    return len(parts) == 1 and (
        "://" in parts[0] or parts[0].lower().endswith((".parquet", ".csv", ".csv.gz", ".tsv", ".json", ".jsonl", ".ndjson"))
    )


def is_engine_name(parts: Sequence[str]) -> bool:
    """Whether a table name belongs to the engine itself, such as `information_schema.tables`."""
    return len(parts) > 1 and parts[-2].casefold() in _ENGINE_SCHEMAS
