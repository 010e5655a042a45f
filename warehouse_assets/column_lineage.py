"""Which columns of other tables the columns of a table are made from, as it is recorded."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any

from warehouse_assets.keys import AssetKey, CoercibleToAssetKey

__all__ = ["COLUMN_LINEAGE", "TableColumnDep", "TableColumnLineage"]

COLUMN_LINEAGE = "column_lineage"
"""The metadata of a materialization that holds the lineage of its columns."""


@dataclass(frozen=True, slots=True, order=True)
class TableColumnDep:
    """A column of the table of an asset, which another is made from."""

    asset_key: AssetKey
    column_name: str

    def __init__(self, asset_key: CoercibleToAssetKey, column_name: str) -> None:
        object.__setattr__(self, "asset_key", AssetKey.coerce(asset_key))
        object.__setattr__(self, "column_name", column_name)


@dataclass(frozen=True, slots=True)
class TableColumnLineage:
    """For each column of a table, the columns that its values are made from.

    `kind_by_column` says whether a column is a copy ("direct"), computed row by row ("derived") or over rows ("aggregated").
    `row_deps` are columns that decide which rows there are, such as those of a WHERE. `opaque_by_column` says why there may be
    more that a column is made from, and `opaque` why nothing is known. `digest` stands for all that this was worked out from.

    >>> lineage = TableColumnLineage({"total": [TableColumnDep("staging/orders", "amount")]}, {"total": "aggregated"})
    >>> lineage.deps_by_column["total"][0].column_name
    'amount'
    """

    deps_by_column: Mapping[str, Sequence[TableColumnDep]]
    kind_by_column: Mapping[str, str] = field(default_factory=dict)
    row_deps: Sequence[TableColumnDep] = ()
    opaque_by_column: Mapping[str, str] = field(default_factory=dict)
    opaque: str | None = None
    digest: str | None = field(default=None, compare=False, repr=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "deps_by_column", {name: tuple(deps) for name, deps in self.deps_by_column.items()})
        object.__setattr__(self, "row_deps", tuple(self.row_deps))

    def __str__(self) -> str:
        """What a person reads of it: how many columns there are, and which tables they are made from."""
        if not self.deps_by_column and self.opaque is not None:
            return self.opaque
        tables = {dep.asset_key.to_user_string() for deps in (*self.deps_by_column.values(), self.row_deps) for dep in deps}
        count = len(self.deps_by_column)
        return f"{count} column{'' if count == 1 else 's'}, made from {', '.join(sorted(tables)) or 'no other table'}"

    def to_json(self) -> dict[str, Any]:
        """The lineage as JSON can hold it; a table is named by the segments of its key."""
        return {
            "columns": {name: _pairs(deps) for name, deps in self.deps_by_column.items()},
            **({"kinds": dict(self.kind_by_column)} if self.kind_by_column else {}),
            **({"rows": _pairs(self.row_deps)} if self.row_deps else {}),
            **({"opaque_columns": dict(self.opaque_by_column)} if self.opaque_by_column else {}),
            **({"opaque": self.opaque} if self.opaque else {}),
            **({"digest": self.digest} if self.digest else {}),
        }

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> TableColumnLineage:
        """The lineage that `to_json` wrote, or an earlier version of it."""
        if not isinstance(data.get("columns"), dict):
            data = {"columns": data}
        return cls(
            {name: _deps(pairs) for name, pairs in data["columns"].items()},
            data.get("kinds", {}),
            _deps(data.get("rows", ())),
            data.get("opaque_columns", {}),
            data.get("opaque"),
            data.get("digest"),
        )


def _pairs(deps: Sequence[TableColumnDep]) -> list[list[Any]]:
    return [[list(dep.asset_key.path), dep.column_name] for dep in deps]


def _deps(pairs: Sequence[Sequence[Any]]) -> list[TableColumnDep]:
    return [TableColumnDep(_key(tuple(path)), column) for path, column in pairs]


_key = lru_cache(maxsize=1_024)(AssetKey)
