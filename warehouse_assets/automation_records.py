"""What automation remembers between its rounds, as frozen records: ticks, where each schedule and sensor stands, backfills, pools."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, TypeAlias

from warehouse_assets.events import ErrorInfo

__all__ = [
    "Backfill",
    "BackfillStatus",
    "InstigatorKind",
    "InstigatorState",
    "InstigatorStatus",
    "PoolSlot",
    "Tick",
    "TickStatus",
]

InstigatorKind: TypeAlias = Literal["schedule", "sensor", "automation"]
InstigatorStatus: TypeAlias = Literal["RUNNING", "STOPPED"]
TickStatus: TypeAlias = Literal["SUCCESS", "SKIPPED", "FAILURE"]
BackfillStatus: TypeAlias = Literal["REQUESTED", "STARTED", "CANCELING", "CANCELED", "COMPLETED", "FAILED"]


@dataclass(frozen=True, slots=True)
class Tick:
    """One evaluation of a schedule, sensor or automation condition. Times are seconds since the epoch.

    `scheduled` is the time that the tick stands for, which is that of its evaluation for what has no clock of its own. `run_ids`
    are the runs it asked for that were not asked for before; `skip_message` says why it asked for none.
    """

    origin: str
    kind: InstigatorKind
    scheduled: float
    status: TickStatus
    started: float
    ended: float
    run_ids: tuple[str, ...] = ()
    skip_message: str | None = None
    error: ErrorInfo | None = None
    cursor: str | None = None
    tick_id: int | None = None


@dataclass(frozen=True, slots=True)
class InstigatorState:
    """Where a schedule, sensor or automation condition stands: whether it is on, and how far it has come.

    `origin` names it in the whole workspace (`LOCATION:NAME`). `cursor` is what it keeps for its next evaluation, `last_scheduled` the time that its last
    tick stood for. Each change has the next `version`; 0 is that of a state that was never stored.
    """

    origin: str
    kind: InstigatorKind
    status: InstigatorStatus
    cursor: str | None = None
    last_scheduled: float | None = None
    version: int = 0


@dataclass(frozen=True, slots=True)
class Backfill:
    """Many partitions that are to be made, in runs of their own, and how far that has come. `body` is what its author keeps, as JSON."""

    backfill_id: str
    status: BackfillStatus
    created: float
    ended: float | None = None
    body: Mapping[str, Any] = field(default_factory=dict)
    version: int = 0

    @property
    def progress(self) -> Mapping[str, Mapping[str, int]]:
        """By asset, how many of its partitions are requested, waiting, in_progress, done, failed and canceled."""
        progress: Mapping[str, Mapping[str, int]] = self.body.get("progress", {})
        return progress


@dataclass(frozen=True, slots=True)
class PoolSlot:
    """A step that holds one of the places of a pool, since `claimed` (seconds since the epoch)."""

    pool: str
    run_id: str
    step_key: str
    claimed: float
