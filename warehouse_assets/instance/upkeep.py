"""`RecordInfo` and `Pruned`: how large a record is, and what was taken from it because of its age."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from warehouse_assets.automation_records import BackfillStatus
from warehouse_assets.events import RunStatus

__all__ = ["BACKFILL_TAG", "ENDED", "ENDED_BACKFILLS", "Pruned", "RecordInfo"]

BACKFILL_TAG = "warehouse_assets/backfill"  # of a run: the id of the backfill that asked for it
ENDED: tuple[RunStatus, ...] = ("SUCCESS", "FAILURE", "CANCELED")
ENDED_BACKFILLS: tuple[BackfillStatus, ...] = ("CANCELED", "COMPLETED", "FAILED")


@dataclass(frozen=True, slots=True)
class RecordInfo:
    """Where a record is, and how much it holds.

    `version` is that of its tables, and `byte_size` the room they take; both are None in memory. `assets` counts those that have
    any event, `run_counts` the runs of each status.
    """

    kind: Literal["memory", "sqlite", "postgresql"]
    place: str
    version: int | None = None
    byte_size: int | None = None
    events: int = 0
    assets: int = 0
    ticks: int = 0
    backfills: int = 0
    run_counts: Mapping[RunStatus, int] = field(default_factory=dict)

    @property
    def runs(self) -> int:
        """How many runs there are."""
        return sum(self.run_counts.values())


@dataclass(frozen=True, slots=True)
class Pruned:
    """How many of each were taken from a record, or would be."""

    events: int = 0
    runs: int = 0
    ticks: int = 0
    backfills: int = 0
