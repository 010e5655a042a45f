"""`WatchedRun`: a run as it is known to those who tell others of it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from warehouse_assets.events import PARTITION_RANGE_END_TAG, PARTITION_RANGE_START_TAG, PARTITION_TAG, RunRecord
from warehouse_assets.keys import AssetKey

if TYPE_CHECKING:
    from warehouse_assets.graph.asset_graph import AssetGraph

__all__ = ["WatchedRun", "measured"]


@dataclass(frozen=True, slots=True, eq=False)
class WatchedRun:
    """A run: its record, its graph, the assets that each of its steps `makes`, and the I/O manager of an asset, where that is known."""

    run: RunRecord
    graph: AssetGraph
    makes: Mapping[str, tuple[AssetKey, ...]]
    manager: Callable[[AssetKey], Any] = field(repr=False)

    @property
    def name(self) -> str:
        """The name of its job."""
        return self.run.job_name or "materialize"

    @property
    def partition(self) -> str | None:
        """The partitions that it makes, as people write them."""
        tags = self.run.tags
        if PARTITION_RANGE_START_TAG in tags:
            return f"{tags[PARTITION_RANGE_START_TAG]}...{tags[PARTITION_RANGE_END_TAG]}"
        return tags.get(PARTITION_TAG)


def measured(metadata: Mapping[str, Any], name: str) -> int | None:
    """A number that a store measured of a write, where it did."""
    value = metadata[name].value if name in metadata else None
    return value if isinstance(value, int) else None
