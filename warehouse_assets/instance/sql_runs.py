"""`SQLRuns`: the runs of a record in a database."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from typing import Any

import sqlalchemy as sa

from warehouse_assets.events import Event, RunRecord, RunStatus
from warehouse_assets.instance.automation import enqueued
from warehouse_assets.instance.batch import Batch
from warehouse_assets.instance.codec import run_body, run_from_body
from warehouse_assets.instance.event_log import EVERY_RUN, RunFilter, run_exists, run_key_taken, run_not_found
from warehouse_assets.instance.schema import run_tags, runs, used_run_keys
from warehouse_assets.instance.sql_record import SQLRecord

__all__ = ["SQLRuns"]

_FIELDS = ("run_id", "status", "created", "started", "ended", "job_name", "run_key", "heartbeat")
_AT_ONCE = 10_000  # databases take some 32,000 parameters in a statement
_INSERT = runs.insert().returning(runs.c.id, sort_by_parameter_order=True)
_RUN = sa.select(*(runs.c[name] for name in (*_FIELDS, "body")))


class SQLRuns(SQLRecord):
    """Runs, one row each, and their tags beside them."""

    def store_events(self, events: Iterable[Event]) -> None:
        batch = Batch.of(events)
        if batch.rows:
            with self._writing() as connection:
                self._store(connection, batch)

    def store_events_if(self, run_id: str, statuses: Collection[RunStatus], events: Iterable[Event]) -> bool:
        batch = Batch.of(events)
        with self._writing() as connection:
            status = connection.scalar(sa.select(runs.c.status).where(runs.c.run_id == run_id))
            if status not in statuses:
                return False
            if batch.rows:
                self._store(connection, batch)
            return True

    def add_run(self, run: RunRecord) -> None:
        with self._writing() as connection:
            if connection.execute(sa.select(runs.c.id).where(runs.c.run_id == run.run_id)).first():
                raise run_exists(run.run_id)
            if run.run_key is not None and self._taken(connection, [run]):
                raise run_key_taken(run.run_key)
            self._insert_runs(connection, [run])

    def add_runs(self, runs: Iterable[RunRecord]) -> list[RunRecord]:
        wanted = list(runs)
        with self._writing() as connection:
            return self._enqueue(connection, wanted)

    def heartbeat(self, run_ids: Iterable[str], timestamp: float) -> None:
        beat = runs.update().where(runs.c.run_id.in_(list(run_ids))).values(heartbeat=timestamp)
        with self._writing() as connection:
            connection.execute(beat)

    def get_run(self, run_id: str) -> RunRecord | None:
        rows = self._read(_RUN.where(runs.c.run_id == run_id))
        return run_from_body(*rows[0]) if rows else None

    def get_runs(self, where: RunFilter = EVERY_RUN, *, limit: int | None = None, cursor: str | None = None) -> list[RunRecord]:
        query = _RUN.order_by(runs.c.id.desc()).limit(limit)
        if where.statuses:
            query = query.where(runs.c.status.in_(where.statuses))
        if where.job_name is not None:
            query = query.where(runs.c.job_name == where.job_name)
        for name, value in where.tags.items():
            tagged = sa.select(run_tags.c.run).where(run_tags.c.name == name, run_tags.c.value == value)
            query = query.where(runs.c.id.in_(tagged))
        if where.run_keys is not None:
            query = query.where(runs.c.run_key.in_(where.run_keys))
        if where.run_ids is not None:
            query = query.where(runs.c.run_id.in_(where.run_ids))
        if cursor is not None:
            rows = self._read(sa.select(runs.c.id).where(runs.c.run_id == cursor))
            if not rows:
                raise run_not_found(cursor)
            query = query.where(runs.c.id < rows[0][0])
        return [run_from_body(*row) for row in self._read(query)]

    def get_run_counts(self) -> dict[RunStatus, int]:
        rows = self._read(sa.select(runs.c.status, sa.func.count()).group_by(runs.c.status).order_by(runs.c.status))
        return {row[0]: row[1] for row in rows}

    def _store(self, connection: sa.Connection, batch: Batch) -> None:
        """Write events and what they change in the records of runs, in a transaction."""
        self._insert_events(connection, batch)
        for run_id, change in batch.changes:
            connection.execute(runs.update().where(runs.c.run_id == run_id).values(change))

    def _enqueue(self, connection: sa.Connection, wanted: Sequence[RunRecord]) -> list[RunRecord]:
        """Add those runs whose keys are free, in a transaction."""
        taken = self._taken(connection, wanted)
        added = []
        for run in wanted:
            if run.run_key is None or run.run_key not in taken:
                added.append(run)
                taken.add(run.run_key)
        if known := _known(connection, runs.c.run_id, [run.run_id for run in added]):
            raise run_exists(known[0])
        if added:
            self._insert_runs(connection, added)
            self._insert_events(connection, Batch.of(map(enqueued, added)))
        return added

    def _taken(self, connection: sa.Connection, wanted: Sequence[RunRecord]) -> set[str | None]:
        keys = [run.run_key for run in wanted if run.run_key is not None]
        return {key for column in (runs.c.run_key, used_run_keys.c.run_key) for key in _known(connection, column, keys)}

    def _insert_runs(self, connection: sa.Connection, added: Sequence[RunRecord]) -> None:
        rows = [{**{name: getattr(run, name) for name in _FIELDS}, "body": run_body(run)} for run in added]
        ids = connection.scalars(_INSERT, rows).all()
        tags = [
            {"run": row_id, "name": name, "value": str(value)}
            for row_id, run in zip(ids, added, strict=True)
            for name, value in run.tags.items()
        ]
        if tags:
            connection.execute(run_tags.insert(), tags)


def _known(connection: sa.Connection, column: sa.Column[Any], texts: Sequence[str]) -> list[str]:
    """Those of the texts that the column has."""
    found: list[str] = []
    for start in range(0, len(texts), _AT_ONCE):
        found += connection.scalars(sa.select(column).where(column.in_(texts[start : start + _AT_ONCE])))
    return found
