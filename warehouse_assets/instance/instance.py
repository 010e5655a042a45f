"""`Instance`: the record of runs and tables as people and executions ask it, and the folder that belongs to it."""

from __future__ import annotations

import os
import threading
import time
import weakref
from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import timedelta
from pathlib import Path
from types import TracebackType
from typing import Self

from warehouse_assets.errors import InstanceError, InvalidDefinitionError, InvalidInvocationError
from warehouse_assets.events import (
    AssetCheckEvaluation,
    AssetMaterialization,
    AssetObservation,
    Event,
    EventType,
    RunRecord,
    RunStatus,
)
from warehouse_assets.instance.event_log import EventFilter, EventLog, RunFilter, run_not_found
from warehouse_assets.instance.memory import MemoryEventLog
from warehouse_assets.instance.upkeep import Pruned, RecordInfo
from warehouse_assets.keys import AssetCheckKey, AssetKey, CoercibleToAssetKey

__all__ = ["Instance"]

HOME_VARIABLE = "WAREHOUSE_ASSETS_HOME"
URL_VARIABLE = "WAREHOUSE_ASSETS_URL"
FOLDER_NAME = ".warehouse_assets"


class Instance:
    """Remembers runs, their events, and the latest of every asset; `with` closes it.

    Use `Instance.ephemeral()`, `Instance.local(folder)` or `Instance.get()`; the constructor takes any event log. The default
    I/O manager keeps its files under `storage_path`. Asset keys are given as an AssetKey, a string or a list of segments.

    >>> with Instance.ephemeral() as instance:
    ...     instance.report_runless_asset_event(AssetMaterialization(AssetKey("orders"), metadata={"row_count": 3}))
    ...     event = instance.get_latest_materialization_event("orders")
    >>> event.asset_materialization.metadata["row_count"].value
    3
    """

    def __init__(self, event_log: EventLog, folder: str | os.PathLike[str] | None = None) -> None:
        self.event_log = event_log
        self._folder = None if folder is None else Path(folder)
        self._url: str | None = None
        self._folder_lock = threading.Lock()
        self._remove_folder: weakref.finalize[..., Instance] | None = None

    @classmethod
    def ephemeral(cls) -> Instance:
        """A record in memory; its folder is a temporary one, made when it is first asked for and removed on closing or exit."""
        return cls(MemoryEventLog())

    @classmethod
    def local(cls, folder: str | os.PathLike[str]) -> Instance:
        """The record in a folder, which is made when there is none: SQLite, shared by all processes of one machine.

        InstanceError when the record there is damaged, of a newer version, or cannot be opened.
        """
        from warehouse_assets.instance.sqlite import SqliteEventLog

        folder = Path(folder).expanduser().absolute()
        return cls(SqliteEventLog(folder / "record.db"), folder)

    @classmethod
    def from_url(cls, url: str, folder: str | os.PathLike[str] | None = None) -> Instance:
        """The record that a URL names: `sqlite:///home` is the folder of `local`, `postgresql://user:password@host/database` a server's.

        A record on a server is shared by machines, and has no folder of its own: the default I/O manager keeps its files in
        `folder`, or else in a temporary one. InstanceError for another URL, or a record that cannot be opened.
        """
        scheme, _, rest = url.partition("://")
        if scheme == "sqlite" and rest.startswith("/") and len(rest) > 1:
            return cls.local(rest[1:])
        if scheme in ("postgresql", "postgres"):
            from warehouse_assets.instance.postgresql import PostgreSQLEventLog

            instance = cls(PostgreSQLEventLog(url), folder)
            instance._url = url
            return instance
        raise InstanceError(
            f"no record is kept at a URL of the kind {scheme!r}",
            hint="Give sqlite:///folder, sqlite:////absolute/folder or postgresql://user:password@host/database.",
        )

    @classmethod
    def get(cls, project_dir: str | os.PathLike[str] | None = None, *, create: bool = True) -> Instance:
        """The record of this project: at WAREHOUSE_ASSETS_URL, or in the folder WAREHOUSE_ASSETS_HOME, or in `.warehouse_assets` beside it.

        The folder of a record on a server is that of the project. The project is the nearest folder, from `project_dir` or the current one upwards, that has a `.warehouse_assets` or a
        `pyproject.toml`; where there is none, it is the folder that the search began with. With `create=False` nothing is made:
        where there is no record yet, an empty one in memory stands for it.
        """
        url, home = os.environ.get(URL_VARIABLE), os.environ.get(HOME_VARIABLE)
        if url and not url.startswith("sqlite:"):
            return cls.from_url(url, home or cls._project_folder(project_dir))
        if url:
            home = url.removeprefix("sqlite:///")
        if home:
            return cls.local(home) if create or Path(home).exists() else cls.ephemeral()
        folder = cls._project_folder(project_dir)
        if not folder.exists():
            if not create:
                return cls.ephemeral()
            folder.mkdir(parents=True)
            (folder / ".gitignore").write_text("*\n")
        return cls.local(folder)

    @staticmethod
    def _project_folder(project_dir: str | os.PathLike[str] | None) -> Path:
        start = Path(project_dir or os.curdir).absolute()
        marks = (FOLDER_NAME, "pyproject.toml")
        project = next((f for f in (start, *start.parents) if any((f / mark).exists() for mark in marks)), start)
        return project / FOLDER_NAME

    @property
    def is_ephemeral(self) -> bool:
        """Whether the record is gone with this object."""
        return isinstance(self.event_log, MemoryEventLog)

    @property
    def environment(self) -> Mapping[str, str]:
        """The environment variables by which another process finds this record; InstanceError for one in memory."""
        if self._folder is None or self.is_ephemeral:
            raise InstanceError("a record in memory is seen by its own process only", hint="Use Instance.local(folder).")
        return {HOME_VARIABLE: str(self._folder), URL_VARIABLE: self._url or ""}

    @property
    def folder(self) -> Path:
        """The folder that belongs to the record."""
        with self._folder_lock:
            if self._folder is None:
                import shutil
                import tempfile

                self._folder = Path(tempfile.mkdtemp(prefix="warehouse-assets-"))
                self._remove_folder = weakref.finalize(self, shutil.rmtree, self._folder, ignore_errors=True)
            return self._folder

    @property
    def storage_path(self) -> Path:
        """Where the default I/O manager keeps its files: `storage` in the folder."""
        return self.folder / "storage"

    def close(self) -> None:
        """Close the record, and remove a temporary folder."""
        self.event_log.close()
        if self._remove_folder:
            self._remove_folder()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.close()

    def __repr__(self) -> str:
        return "Instance.ephemeral()" if self.is_ephemeral else f"Instance({self.event_log!r})"

    # What happened to assets

    def get_latest_materialization_event(self, key: CoercibleToAssetKey, partition: str | None = None) -> Event | None:
        """The event of the asset's latest materialization, of one partition or of whichever came last."""
        return self._latest("ASSET_MATERIALIZATION", (key,), partition).get(AssetKey.coerce(key))

    def get_latest_materialization_events(
        self, keys: Iterable[CoercibleToAssetKey], partition: str | None = None
    ) -> dict[AssetKey, Event]:
        """The same for many assets, in one query; assets that were never materialized are left out."""
        return self._latest("ASSET_MATERIALIZATION", keys, partition)

    def get_latest_observation_event(self, key: CoercibleToAssetKey, partition: str | None = None) -> Event | None:
        """The event of the asset's latest observation, of one partition or of whichever came last."""
        return self._latest("ASSET_OBSERVATION", (key,), partition).get(AssetKey.coerce(key))

    def get_latest_asset_check_evaluation(
        self, key: AssetCheckKey, partition: str | None = None
    ) -> AssetCheckEvaluation | None:
        """How a check went the last time, for one partition or for whichever came last; None where it was never evaluated."""
        return self.get_latest_asset_check_evaluations([key], partition).get(key)

    def get_latest_asset_check_evaluations(
        self, keys: Iterable[AssetCheckKey], partition: str | None = None
    ) -> dict[AssetCheckKey, AssetCheckEvaluation]:
        """The same for many checks; those that were never evaluated are left out."""
        assets: dict[str, list[AssetKey]] = {}
        for key in keys:
            assets.setdefault(key.name, []).append(key.asset_key)
        return {
            evaluation.asset_check_key: evaluation
            for name, of in assets.items()
            for event in self.event_log.get_latest("ASSET_CHECK_EVALUATION", of, partition, name).values()
            if (evaluation := event.asset_check_evaluation) is not None
        }

    def get_materialized_partitions(self, key: CoercibleToAssetKey) -> set[str]:
        """The partitions of the asset that were materialized."""
        return set(self.event_log.get_partitions("ASSET_MATERIALIZATION", AssetKey.coerce(key)))

    def get_event_records(
        self,
        *,
        run_id: str | None = None,
        asset_key: CoercibleToAssetKey | None = None,
        event_types: EventType | Collection[EventType] = (),
        after: int | None = None,
        before: int | None = None,
        limit: int | None = None,
        ascending: bool = True,
    ) -> list[Event]:
        """The events of a run, of an asset, of some types, or all of them, in the order they were stored.

        `after` and `before` are storage ids, and exclude the event that has it; `ascending=False` gives the latest first.
        """
        key = None if asset_key is None else AssetKey.coerce(asset_key)
        types = (event_types,) if isinstance(event_types, str) else event_types
        return self.event_log.get_events(EventFilter(run_id, key, types, after, before), limit=limit, ascending=ascending)

    def report_runless_asset_event(self, event: AssetMaterialization | AssetObservation | AssetCheckEvaluation) -> None:
        """Record what was done to an asset, or learned of it, outside of any run."""
        kind: EventType = "ASSET_MATERIALIZATION"
        if isinstance(event, AssetCheckEvaluation):
            kind = "ASSET_CHECK_EVALUATION"
        elif isinstance(event, AssetObservation):
            kind = "ASSET_OBSERVATION"
        elif not isinstance(event, AssetMaterialization):
            raise InstanceError(
                f"{event!r} is not an event of an asset",
                hint="Give an AssetMaterialization, an AssetObservation or an AssetCheckEvaluation.",
            )
        self.store_events([Event(kind, run_id="", timestamp=time.time(), data=event)])

    def wipe(self, keys: Iterable[CoercibleToAssetKey]) -> None:
        """Forget all events of these assets; the stored tables are not touched."""
        self.event_log.wipe([AssetKey.coerce(key) for key in keys])

    # Dynamic partitions

    def add_dynamic_partitions(self, partitions_def_name: str, partition_keys: Iterable[str]) -> None:
        """Add keys to the dynamic partitions of this name; those that are there already stay where they are.

        InvalidDefinitionError for keys that no partition can have.
        """
        from warehouse_assets.partitions.definition import checked_partition_keys

        known = dict.fromkeys(partition_keys) if not isinstance(partition_keys, str) else partition_keys
        keys = checked_partition_keys(known, f"dynamic partitions {_checked_name(partitions_def_name)!r}")
        self.event_log.add_dynamic_partitions(partitions_def_name, keys)

    def delete_dynamic_partition(self, partitions_def_name: str, partition_key: str) -> None:
        """Forget one key of the dynamic partitions of this name; what was recorded of it and its rows stay."""
        self.event_log.delete_dynamic_partition(_checked_name(partitions_def_name), partition_key)

    def get_dynamic_partitions(self, partitions_def_name: str) -> Sequence[str]:
        """The keys of the dynamic partitions of this name, in the order in which they were added."""
        return self.event_log.get_dynamic_partitions(_checked_name(partitions_def_name))

    def has_dynamic_partition(self, partitions_def_name: str, partition_key: str) -> bool:
        """Whether the dynamic partitions of this name have this key."""
        return partition_key in self.get_dynamic_partitions(partitions_def_name)

    # Runs

    def get_run_by_id(self, run_id: str) -> RunRecord | None:
        """The run of this id, or None."""
        return self.event_log.get_run(run_id)

    def get_run_record(self, run_id: str) -> RunRecord:
        """The run of this id; RunNotFoundError when there is none."""
        if run := self.event_log.get_run(run_id):
            return run
        raise run_not_found(run_id)

    def has_run(self, run_id: str) -> bool:
        """Whether a run of this id is recorded."""
        return self.event_log.get_run(run_id) is not None

    def get_runs(
        self,
        *,
        statuses: RunStatus | Collection[RunStatus] = (),
        job_name: str | None = None,
        tags: Mapping[str, str] | None = None,
        run_ids: Collection[str] | None = None,
        limit: int | None = None,
        cursor: str | None = None,
    ) -> list[RunRecord]:
        """Runs, the last one first, of these statuses (none stand for all), of one job, with all of these tags and of these ids.

        `cursor` continues after the run of that id.
        """
        wanted = (statuses,) if isinstance(statuses, str) else statuses
        return self.event_log.get_runs(RunFilter(wanted, job_name, tags or {}, run_ids=run_ids), limit=limit, cursor=cursor)

    # Upkeep

    def info(self) -> RecordInfo:
        """Where the record is, the bytes it takes, and how many runs, events, assets and ticks it holds."""
        return self.event_log.info()

    def prune(self, older_than: timedelta, *, dry_run: bool = False) -> Pruned:
        """Forget runs that ended longer ago, with their events, and old ticks and backfills; `dry_run` only counts them.

        The latest of every asset, partition and check is kept, with its run; so is all that has not ended. Stored tables are not
        touched; what runs printed goes with them. InvalidInvocationError for an age that is negative.
        """
        if older_than < timedelta(0):
            raise InvalidInvocationError(f"what is older than {older_than} cannot be pruned, as that is in the future")
        pruned = self.event_log.prune(time.time() - older_than.total_seconds(), dry_run=dry_run)
        if not dry_run and self._folder is not None and (logs := self._folder / "logs").is_dir():
            import shutil

            for folder in logs.iterdir():
                if not self.has_run(folder.name):
                    shutil.rmtree(folder, ignore_errors=True)
        return pruned

    # What executions write

    def create_run(self, run: RunRecord) -> None:
        """Keep a new run; InstanceError when there is one of the same id."""
        self.event_log.add_run(run)

    def store_events(self, events: Iterable[Event]) -> None:
        """Store events in one transaction; a `RUN_*` event changes the status and the times of its run."""
        self.event_log.store_events(events)

    def _latest(
        self, event_type: EventType, keys: Iterable[CoercibleToAssetKey], partition: str | None
    ) -> dict[AssetKey, Event]:
        return self.event_log.get_latest(event_type, [AssetKey.coerce(key) for key in keys], partition)


def _checked_name(partitions_def_name: str) -> str:
    """The name of dynamic partitions; their definition itself is a slip that is easily made."""
    if not isinstance(partitions_def_name, str) or not partitions_def_name:
        raise InvalidDefinitionError(
            f"dynamic partitions are asked for by their name, a string, and not by {partitions_def_name!r}"
        )
    return partitions_def_name
