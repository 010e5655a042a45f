"""`AutomationLog`: what automation remembers, and the changes of it that only one of several daemons may make."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Collection, Sequence

from warehouse_assets.automation_records import Backfill, BackfillStatus, InstigatorState, PoolSlot, Tick
from warehouse_assets.events import Event, RunRecord

__all__ = ["AutomationLog", "enqueued"]


class AutomationLog(ABC):
    """Keeps ticks, the states of instigators, backfills, pools and leases.

    States and backfills have versions: a change is stored only where the version kept is the one that it was made from, and then has
    the next. So of several daemons that decide the same thing at once, one has its way, and its runs are added with it or not at all.
    """

    @abstractmethod
    def get_instigator(self, origin: str) -> InstigatorState | None:
        """The state of an instigator, or None where none was ever stored."""

    @abstractmethod
    def get_instigators(self) -> list[InstigatorState]:
        """All states, in the order of their origins."""

    @abstractmethod
    def set_instigator(self, state: InstigatorState) -> bool:
        """Store a state as the next version; false, and nothing is stored, where `state.version` is not the one kept (0: none)."""

    @abstractmethod
    def commit_tick(self, tick: Tick, state: InstigatorState, runs: Sequence[RunRecord] = ()) -> Tick | None:
        """Store what a tick led to: the state as by `set_instigator`, the runs as by `add_runs`, and the tick with the ids of those.

        All of it in one transaction; None, and nothing is stored, where another was first.
        """

    @abstractmethod
    def get_ticks(self, origin: str | None = None, *, limit: int | None = None, before: int | None = None) -> list[Tick]:
        """Ticks of one instigator or of all, the latest first; `before` is the id of a tick, and excludes it and later ones."""

    @abstractmethod
    def put_backfill(self, backfill: Backfill, runs: Sequence[RunRecord] = ()) -> bool:
        """Store a backfill as the next version, and the runs as by `add_runs`, in one transaction.

        False, and nothing is stored, where `backfill.version` is not the one kept (0: there is none of this id yet).
        """

    @abstractmethod
    def get_backfill(self, backfill_id: str) -> Backfill | None:
        """The backfill of this id, or None."""

    @abstractmethod
    def get_backfills(self, *, statuses: Collection[BackfillStatus] = (), limit: int | None = None) -> list[Backfill]:
        """Backfills of these statuses (none stand for all), the last added first."""

    @abstractmethod
    def claim_slot(self, pool: str, limit: int, run_id: str, step_key: str, now: float) -> bool:
        """Take a place in a pool that holds `limit` steps at once; true as well where this step has one already."""

    @abstractmethod
    def free_slots(self, run_id: str, step_key: str | None = None) -> None:
        """Give up the places of a step, or of all steps of a run; nothing happens where there are none."""

    @abstractmethod
    def get_slots(self, pool: str | None = None) -> list[PoolSlot]:
        """The places taken in a pool, or in all, the longest held first."""

    @abstractmethod
    def set_pool_limit(self, pool: str, limit: int | None) -> None:
        """Keep how many steps a pool holds at once; None forgets it."""

    @abstractmethod
    def get_pool_limits(self) -> dict[str, int]:
        """The limits that are kept, by pool."""

    @abstractmethod
    def take_lease(self, name: str, owner: str, now: float, seconds: float) -> bool:
        """Be the one who does `name` until `now + seconds`: true for who holds it already, and for others once it has run out."""

    @abstractmethod
    def release_lease(self, name: str, owner: str) -> None:
        """Give a lease up, where `owner` has it."""

    @abstractmethod
    def get_lease_owner(self, name: str, now: float) -> str | None:
        """Who does `name` at `now`; None where nobody does."""


def enqueued(run: RunRecord) -> Event:
    """The event of a run that waits to be started."""
    return Event("RUN_ENQUEUED", run.run_id, run.created)
