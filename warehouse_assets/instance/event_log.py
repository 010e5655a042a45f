"""`EventLog`: where runs, events and dynamic partitions are kept. The seam behind which the record moves from memory to a file to a server."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from warehouse_assets.errors import InstanceError, RunNotFoundError
from warehouse_assets.events import (
    DATA_VERSION_TAG,
    AssetCheckEvaluation,
    AssetMaterialization,
    Event,
    EventType,
    RunRecord,
    RunStatus,
)
from warehouse_assets.instance.automation import AutomationLog
from warehouse_assets.instance.upkeep import Pruned, RecordInfo
from warehouse_assets.keys import AssetCheckKey, AssetKey

__all__ = [
    "CHECKS",
    "EVERYTHING",
    "EVERY_RUN",
    "VERSIONED_OBSERVATION",
    "EventFilter",
    "EventLog",
    "Mark",
    "RunFilter",
    "filed_as",
    "has_data_version",
    "is_of_the_whole",
    "latest_name",
    "run_changes",
    "run_exists",
    "run_key_taken",
    "run_not_found",
]

_RUN_CHANGES: Mapping[EventType, tuple[RunStatus, str | None]] = {
    "RUN_ENQUEUED": ("QUEUED", None),
    "RUN_STARTING": ("STARTING", None),
    "RUN_START": ("STARTED", "started"),
    "RUN_CANCELING": ("CANCELING", None),
    "RUN_SUCCESS": ("SUCCESS", "ended"),
    "RUN_FAILURE": ("FAILURE", "ended"),
    "RUN_CANCELED": ("CANCELED", "ended"),
}


@dataclass(frozen=True, slots=True)
class EventFilter:
    """Which events to read: those that fit everything given.

    `after` and `before` are storage ids, and exclude the event that has it; no `event_types` stand for all of them.
    """

    run_id: str | None = None
    asset_key: AssetKey | None = None
    event_types: Collection[EventType] = ()
    after: int | None = None
    before: int | None = None

    def accepts(self, event: Event) -> bool:
        """Whether the event is of the run, asset and types asked for; its storage id is not looked at."""
        return (
            (not self.event_types or event.event_type in self.event_types)
            and (self.run_id is None or event.run_id == self.run_id)
            and (self.asset_key is None or event.asset_key == self.asset_key)
        )


EVERYTHING = EventFilter()
VERSIONED_OBSERVATION = "ASSET_OBSERVATION:versioned"


@dataclass(frozen=True, slots=True)
class RunFilter:
    """Which runs to read: those that fit everything given.

    A run has to have all of `tags`; no `statuses` stand for all of them.
    """

    statuses: Collection[RunStatus] = ()
    job_name: str | None = None
    tags: Mapping[str, str] = field(default_factory=dict)
    run_keys: Collection[str] | None = None
    run_ids: Collection[str] | None = None

    def accepts(self, run: RunRecord) -> bool:
        """Whether the run fits."""
        return (
            (not self.statuses or run.status in self.statuses)
            and (self.job_name is None or run.job_name == self.job_name)
            and all(run.tags.get(name) == value for name, value in self.tags.items())
            and (self.run_keys is None or run.run_key in self.run_keys)
            and (self.run_ids is None or run.run_id in self.run_ids)
        )


EVERY_RUN = RunFilter()


@dataclass(frozen=True, slots=True)
class Mark:
    """Where and when an event is in the record, without what it says."""

    storage_id: int
    run_id: str
    timestamp: float


class EventLog(AutomationLog):
    """Keeps runs, events, dynamic partitions and what automation remembers, and answers what happened last to an asset.

    One object is used by many threads at once. Events are ordered by their storage ids, which grow and are never given twice;
    the latest event is the one stored last, whatever its timestamp. Calls raise InstanceError when the record cannot be read
    or written. `warehouse_assets.testing.event_log` holds these promises as tests.
    """

    @abstractmethod
    def store_events(self, events: Iterable[Event]) -> None:
        """Store events in their order, all of them or none; a `RUN_*` event changes the record of its run with it."""

    @abstractmethod
    def store_events_if(self, run_id: str, statuses: Collection[RunStatus], events: Iterable[Event]) -> bool:
        """Store events as `store_events` does, but only while the run has one of these statuses; whether they were stored.

        Of several that ask at once for what ends the status, one is answered with true.
        """

    @abstractmethod
    def get_events(self, where: EventFilter = EVERYTHING, *, limit: int | None = None, ascending: bool = True) -> list[Event]:
        """The events that fit, at most `limit`, oldest first unless `ascending` is false."""

    @abstractmethod
    def get_latest(
        self,
        event_type: EventType,
        keys: Iterable[AssetKey],
        partition: str | None = None,
        check_name: str | None = None,
        *,
        versioned: bool = False,
    ) -> dict[AssetKey, Event]:
        """The latest event of this type for each asset that has one, in the order of `keys`.

        It is that of one partition, or of whichever came last; and of one check, or of whichever was evaluated last. With
        `versioned`, observations that tell no data version are passed over.
        """

    @abstractmethod
    def get_latest_by_partition(
        self,
        event_type: EventType,
        keys: Iterable[AssetKey],
        partitions: Collection[str] | None = None,
        *,
        versioned: bool = False,
    ) -> dict[AssetKey, dict[str, Event]]:
        """The latest event of this type for each partition of each asset that has one, or for those of `partitions` alone.

        The assets are in the order of `keys`, their partitions in none; `versioned` is as for `get_latest`.
        """

    @abstractmethod
    def get_latest_marks(self, event_type: EventType, keys: Iterable[AssetKey]) -> dict[AssetKey, dict[str | None, Mark]]:
        """Where the latest event of this type is, of each asset that has one as a whole (None) and of each of its partitions."""

    @abstractmethod
    def get_latest_check_events(self, keys: Iterable[AssetKey]) -> dict[AssetCheckKey, Event]:
        """The latest evaluation of each check of these assets, of whichever partition."""

    @abstractmethod
    def get_partitions(self, event_type: EventType, key: AssetKey) -> dict[str, int]:
        """Each partition of the asset that has an event of this type, with the storage id of the latest."""

    @abstractmethod
    def add_run(self, run: RunRecord) -> None:
        """Keep a new run; InstanceError when there is one of the same id or run key."""

    @abstractmethod
    def add_runs(self, runs: Iterable[RunRecord]) -> list[RunRecord]:
        """Keep new runs and the event that each was enqueued, in one transaction, and give those that were kept.

        A run whose run key is taken is left out, and so is one whose key another in front of it has.
        """

    @abstractmethod
    def heartbeat(self, run_ids: Iterable[str], timestamp: float) -> None:
        """Keep that the processes of these runs lived at `timestamp`."""

    @abstractmethod
    def get_run(self, run_id: str) -> RunRecord | None:
        """The run of this id, or None."""

    @abstractmethod
    def get_runs(self, where: RunFilter = EVERY_RUN, *, limit: int | None = None, cursor: str | None = None) -> list[RunRecord]:
        """The runs that fit, the last added first.

        `cursor` is the id of a run: only those added before it are given. RunNotFoundError when it is unknown.
        """

    @abstractmethod
    def get_run_counts(self) -> dict[RunStatus, int]:
        """How many runs there are of each status that any has."""

    @abstractmethod
    def add_dynamic_partitions(self, name: str, keys: Sequence[str]) -> None:
        """Keep the keys of the dynamic partitions `name` behind those that are kept already, which stay where they are."""

    @abstractmethod
    def delete_dynamic_partition(self, name: str, key: str) -> None:
        """Forget one key; nothing happens where it is not kept."""

    @abstractmethod
    def get_dynamic_partitions(self, name: str) -> list[str]:
        """The keys of the dynamic partitions `name`, in the order in which they were added."""

    @abstractmethod
    def wipe(self, keys: Iterable[AssetKey]) -> None:
        """Forget every event of these assets; runs and dynamic partitions are kept."""

    @abstractmethod
    def info(self) -> RecordInfo:
        """Where the record is, and how much it holds."""

    @abstractmethod
    def prune(self, before: float, *, dry_run: bool = False) -> Pruned:
        """Forget what ended before `before`, in seconds since the epoch: runs and their events, ticks, backfills; say how much it was.

        Kept is what `get_latest` and `get_latest_by_partition` give, and of partitioned assets the latest event of the whole; runs
        that have not ended or that such an event is of, and those of a backfill under way; the last tick of each instigator; all
        states. Keys of runs stay taken. A `dry_run` only counts.
        """

    @abstractmethod
    def close(self) -> None:
        """Give up files and connections; the log cannot be used any more."""


def filed_as(event: Event) -> Sequence[str]:
    """The names under which an event of an asset is the latest: its type, and one more for a check or an observed version.

    >>> filed_as(Event("ASSET_CHECK_EVALUATION", "r1", 0.0, data=AssetCheckEvaluation(AssetKey("orders"), "unique", True)))
    ('ASSET_CHECK_EVALUATION', 'ASSET_CHECK_EVALUATION:unique')
    """
    if isinstance(event.data, AssetCheckEvaluation):
        return event.event_type, latest_name(event.event_type, event.data.check_name)
    if event.event_type == "ASSET_OBSERVATION" and has_data_version(event):
        return event.event_type, VERSIONED_OBSERVATION
    return (event.event_type,)


CHECKS = "ASSET_CHECK_EVALUATION:"  # in front of the name of a check


def latest_name(event_type: EventType, check_name: str | None = None, *, versioned: bool = False) -> str:
    """The name under which the latest event of a type is found, that of one check, or that of an observed version."""
    if versioned and event_type == "ASSET_OBSERVATION":
        return VERSIONED_OBSERVATION
    return event_type if check_name is None else f"{event_type}:{check_name}"


def has_data_version(event: Event) -> bool:
    """Whether the event is of a table, and tells the version of its data."""
    return isinstance(event.data, AssetMaterialization) and DATA_VERSION_TAG in event.data.tags


def is_of_the_whole(event: Event) -> bool:
    """Whether what the event says of versions holds for all partitions of an asset."""
    return event.partition is None and (event.event_type == "ASSET_MATERIALIZATION" or has_data_version(event))


def run_changes(event: Event) -> dict[str, Any]:
    """What an event changes in the record of its run, as fields of it.

    >>> run_changes(Event("RUN_START", "r1", timestamp=12.0))
    {'status': 'STARTED', 'started': 12.0}
    >>> run_changes(Event("STEP_START", "r1", timestamp=12.5))
    {}
    """
    if change := _RUN_CHANGES.get(event.event_type):
        status, clock = change
        return {"status": status} if clock is None else {"status": status, clock: event.timestamp}
    return {}


def run_exists(run_id: str) -> InstanceError:
    """The error for a run added twice."""
    return InstanceError(f"run {run_id!r} is recorded already", hint="Give each run an id of its own.")


def run_key_taken(run_key: str) -> InstanceError:
    """The error for a run with a key that another run has."""
    return InstanceError(f"a run with the key {run_key!r} is recorded already", hint="`add_runs` leaves such runs out.")


def run_not_found(run_id: str) -> RunNotFoundError:
    """The error for a run that is not in the record."""
    return RunNotFoundError(f"no run {run_id!r} is recorded", hint="`get_runs()` gives those that are.")
