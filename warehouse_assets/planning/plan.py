"""`Plan`: what a run would do, as values that people and programs read."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from warehouse_assets.graph.staleness import AssetState, StaleCause
from warehouse_assets.graph.tracing import LineageNode
from warehouse_assets.keys import AssetKey
from warehouse_assets.planning.changes import ColumnChange, SQLChange, column_changes
from warehouse_assets.tables import TableSchema

__all__ = ["Fault", "Plan", "PlannedAsset"]


@dataclass(frozen=True, slots=True)
class Fault:
    """Why an asset would fail: what its store, or polars, says of it.

    `where` is the place in its code, as file:line or file:line:column. Where it comes of a column that a table upstream loses, that is
    the `column` of the asset `upstream`, and `reaches` are the columns that are made from it: of this asset, and of those downstream,
    as far as their lineage is recorded. A whole table stands for itself where the column decides which rows it has.
    """

    message: str
    where: str
    upstream: AssetKey | None = None
    column: str | None = None
    reaches: tuple[LineageNode, ...] = ()


@dataclass(frozen=True, slots=True)
class PlannedAsset:
    """An asset that a run would make, or that what it makes would break.

    `runs` is whether the run makes it; `state` and `causes` say why, and are those of its status (None for one that is not
    selected). `stored` are the columns that its table has now, None where there is none; `predicted` those that it would have, None
    where they are `unknown`, which says why, or where the asset would fail, for the reasons in `faults`. `sql` is how its query
    changed since it made the table, where both are known.
    """

    key: AssetKey
    place: str
    runs: bool
    state: AssetState | None = None
    causes: tuple[StaleCause, ...] = ()
    sql: SQLChange | None = None
    stored: TableSchema | None = None
    predicted: TableSchema | None = None
    unknown: str | None = None
    faults: tuple[Fault, ...] = ()

    @property
    def changes(self) -> tuple[ColumnChange, ...]:
        """How its columns would change; those of a new table are not changes."""
        if self.stored is None or self.predicted is None:
            return ()
        return column_changes(self.stored, self.predicted)


@dataclass(frozen=True, slots=True)
class Plan:
    """What a run would do: the assets that it would make, in their order, then those downstream of them that it would break.

    `selected` is how many assets it was asked for, and `waiting` how many of them are stale for what is upstream of them, and not
    selected. It shows itself as text.
    """

    assets: tuple[PlannedAsset, ...]
    selected: int
    waiting: int = 0

    @property
    def runs(self) -> Sequence[PlannedAsset]:
        """The assets that the run would make, in their order."""
        return [asset for asset in self.assets if asset.runs]

    @property
    def broken(self) -> Sequence[PlannedAsset]:
        """The assets that would fail, now or when they are made the next time."""
        return [asset for asset in self.assets if asset.faults]

    def __getitem__(self, key: AssetKey | str) -> PlannedAsset:
        """The asset of this key; LookupError where the plan does not concern it."""
        wanted = AssetKey.coerce(key)
        for asset in self.assets:
            if asset.key == wanted:
                return asset
        raise LookupError(f"the plan does not concern {wanted.to_user_string()!r}")

    def __str__(self) -> str:
        from warehouse_assets.planning.text import lines_of

        return "\n".join("".join(text for text, _ in line) for line in lines_of(self))

    def _repr_html_(self) -> str:
        from warehouse_assets.html import drawn
        from warehouse_assets.planning.text import html_of

        return drawn(self, lambda: html_of(self))
