"""`SQLUpkeep`: what a record in a database holds, and forgetting what is old in it."""

from __future__ import annotations

import logging
from abc import abstractmethod
from collections.abc import Iterator
from dataclasses import replace
from typing import Any, Literal

import sqlalchemy as sa

from warehouse_assets.errors import InstanceError
from warehouse_assets.instance.codec import event_from_body
from warehouse_assets.instance.event_log import is_of_the_whole
from warehouse_assets.instance.schema import backfills, events, latest, run_tags, runs, ticks, used_run_keys, versions
from warehouse_assets.instance.sql_automation import SQLAutomation
from warehouse_assets.instance.upkeep import BACKFILL_TAG, ENDED, ENDED_BACKFILLS, Pruned, RecordInfo

__all__ = ["SQLUpkeep"]

_AT_ONCE = 20_000  # events that one transaction looks at: others that write wait for no longer than that takes
_TABLES = ("ASSET_MATERIALIZATION", "ASSET_OBSERVATION")
_logger = logging.getLogger("warehouse_assets")


class SQLUpkeep(SQLAutomation):
    """Counts the rows of tables, and deletes old ones, a few at a time."""

    _kind: Literal["sqlite", "postgresql"]

    @property
    @abstractmethod
    def _place(self) -> str:
        """Where the record is, for people; no password is in it."""

    @abstractmethod
    def _byte_size(self, connection: sa.Connection) -> int:
        """The room that the tables take."""

    @abstractmethod
    def _give_back(self) -> None:
        """Give back the room of deleted rows, as far as that is cheap."""

    def info(self) -> RecordInfo:
        self._check_open()
        with self._errors("read"), self._engine.connect() as connection:
            ((version, stored, assets, of_ticks, of_backfills),) = connection.execute(_COUNTS).all()
            size = self._byte_size(connection)
        counts = self.get_run_counts()
        return RecordInfo(self._kind, self._place, version, size, stored, assets, of_ticks, of_backfills, counts)

    def prune(self, before: float, *, dry_run: bool = False) -> Pruned:
        old_runs = _runs_that_ended(before)
        pruned = Pruned()
        keeping: set[str] = set()
        for window, old in self._windows(before, old_runs):
            if dry_run:
                keeping.update(row[0] for row in self._read(sa.select(events.c.run_id).distinct().where(window, ~old)))
            pruned = replace(pruned, events=pruned.events + self._delete(events, window & old, dry_run=dry_run))
        pruned = replace(
            pruned,
            runs=self._prune_runs(old_runs, keeping, dry_run=dry_run),
            ticks=self._delete(ticks, (ticks.c.ended < before) & ticks.c.id.not_in(_LAST_TICKS), dry_run=dry_run),
            backfills=self._delete(backfills, _ended_before(backfills, ENDED_BACKFILLS, before), dry_run=dry_run),
        )
        if pruned != Pruned() and not dry_run:
            try:
                with self._errors("shrink"):
                    self._give_back()
            except InstanceError as error:  # what was asked for is done
                _logger.warning("%s", error)
        return pruned

    def _windows(
        self, before: float, old_runs: sa.ColumnElement[bool]
    ) -> Iterator[tuple[sa.ColumnElement[bool], sa.ColumnElement[bool]]]:
        """So many events each, and which of them can go."""
        ((first, last),) = self._read(sa.select(sa.func.min(events.c.id), sa.func.max(events.c.id)))
        if first is None:
            return
        whole = self._latest_of_the_whole()
        young = sa.exists().where(runs.c.run_id == events.c.run_id, ~old_runs)
        for start in range(first, last + 1, _AT_ONCE):
            end = start + _AT_ONCE - 1
            marked = sa.select(latest.c.event_id).where(latest.c.event_id.between(start, end))
            kept = events.c.id.in_(marked) | events.c.id.in_([i for i in whole if start <= i <= end])
            yield events.c.id.between(start, end), (events.c.timestamp < before) & ~young & ~kept

    def _latest_of_the_whole(self) -> list[int]:
        """The events that say of a partitioned asset what holds for all its partitions, and were not followed by another."""
        sliced = sa.select(latest.c.asset_key).where(latest.c.partition != "")
        columns = events.c.id, events.c.event_type, events.c.run_id, events.c.timestamp, events.c.body, events.c.asset_key
        query = (
            sa.select(*columns)
            .where(events.c.event_type.in_(_TABLES), events.c.asset_key.in_(sliced))
            .where(events.c.body.like('%"partition":%null%'))  # most that have none; what is read tells which
            .order_by(events.c.id.desc())
        )
        found: dict[tuple[str, str], int] = {}
        self._check_open()
        with self._errors("read"), self._engine.connect() as connection:
            for storage_id, kind, run_id, timestamp, body, key in connection.execution_options(yield_per=1_000).execute(query):
                if (key, kind) not in found and is_of_the_whole(event_from_body(storage_id, kind, run_id, timestamp, body)):
                    found[key, kind] = storage_id
        return list(found.values())

    def _prune_runs(self, old_runs: sa.ColumnElement[bool], keeping: set[str], *, dry_run: bool) -> int:
        """Delete the runs that no event is left of, and remember their keys: nothing that was done is to be done again."""
        bare = old_runs & ~sa.exists().where(events.c.run_id == runs.c.run_id)
        if dry_run:
            return len({row[0] for row in self._read(sa.select(runs.c.run_id).where(old_runs))} - keeping)
        with self._writing() as connection:
            keys = sa.select(runs.c.run_key).where(bare, runs.c.run_key.is_not(None))
            connection.execute(used_run_keys.insert().from_select(["run_key"], keys))
            connection.execute(run_tags.delete().where(run_tags.c.run.in_(sa.select(runs.c.id).where(bare))))
            return connection.execute(runs.delete().where(bare)).rowcount

    def _delete(self, table: sa.Table, where: sa.ColumnElement[bool], *, dry_run: bool) -> int:
        """Delete rows, or only count them."""
        if dry_run:
            return int(self._read(sa.select(sa.func.count()).select_from(table).where(where))[0][0])
        with self._writing() as connection:
            return connection.execute(table.delete().where(where)).rowcount


def _count(table: sa.Table, *where: sa.ColumnElement[bool]) -> sa.ScalarSelect[Any]:
    return sa.select(sa.func.count()).select_from(table).where(*where).scalar_subquery()


_COUNTS = sa.select(
    sa.select(sa.func.max(versions.c.version)).scalar_subquery(),
    _count(events),
    sa.select(sa.func.count(latest.c.asset_key.distinct())).where(latest.c.partition == "").scalar_subquery(),
    _count(ticks),
    _count(backfills),
)
_LAST_TICKS = sa.select(sa.func.max(ticks.c.id)).group_by(ticks.c.origin)


def _ended_before(table: sa.Table, statuses: tuple[str, ...], before: float) -> sa.ColumnElement[bool]:
    return table.c.status.in_(statuses) & (sa.func.coalesce(table.c.ended, table.c.created) < before)


def _runs_that_ended(before: float) -> sa.ColumnElement[bool]:
    """Those that ended so long ago, and that no backfill under way has yet to count."""
    unfinished = sa.select(backfills.c.backfill_id).where(backfills.c.status.not_in(ENDED_BACKFILLS))
    counted = sa.select(run_tags.c.run).where(run_tags.c.name == BACKFILL_TAG, run_tags.c.value.in_(unfinished))
    return _ended_before(runs, ENDED, before) & runs.c.id.not_in(counted)
