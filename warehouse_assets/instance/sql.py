"""`SQLEventLog`: what event logs in databases share, on SQLAlchemy Core."""

from __future__ import annotations

import weakref
from abc import abstractmethod
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager
from typing import Any

import sqlalchemy as sa

from warehouse_assets.errors import InstanceError
from warehouse_assets.events import Event, EventType, RunRecord, RunStatus
from warehouse_assets.instance.codec import event_from_body, key_text, run_body, run_from_body
from warehouse_assets.instance.event_log import EVERYTHING, EventFilter, EventLog, latest_name, run_exists, run_not_found
from warehouse_assets.instance.schema import dynamic_partitions, events, latest, runs
from warehouse_assets.keys import AssetKey

__all__ = ["SQLEventLog"]

_EVENT = sa.select(events.c.id, events.c.event_type, events.c.run_id, events.c.timestamp, events.c.body)
_RUN = sa.select(runs.c.run_id, runs.c.status, runs.c.created, runs.c.started, runs.c.ended, runs.c.job_name, runs.c.body)


class SQLEventLog(EventLog):
    """Reads the tables of `schema.py`; a subclass knows its database, and how to write many small batches to it."""

    _faults: tuple[type[Exception], ...] = (sa.exc.SQLAlchemyError,)

    def __init__(self, engine: sa.Engine) -> None:
        self._engine = engine
        self._latest = (
            _EVENT.add_columns(latest.c.asset_key)
            .join_from(latest, events, latest.c.event_id == events.c.id)
            .where(latest.c.asset_key.in_(self._strings("keys")))
            .where(latest.c.event_type == sa.bindparam("type"), latest.c.partition == sa.bindparam("part"))
        )
        self._by_partition = (
            _EVENT.add_columns(latest.c.asset_key, latest.c.partition)
            .join_from(latest, events, latest.c.event_id == events.c.id)
            .where(latest.c.asset_key.in_(self._strings("keys")))
            .where(latest.c.event_type == sa.bindparam("type"), latest.c.partition != "")
        )
        self._resources = ExitStack()
        self._resources.callback(engine.dispose)
        self._dispose = weakref.finalize(self, self._resources.close)

    @property
    def is_open(self) -> bool:
        """Whether the log was not closed yet."""
        return self._dispose.alive

    def close(self) -> None:
        self._dispose()

    @abstractmethod
    def _transaction(self) -> AbstractContextManager[sa.Connection]:
        """A transaction that writes: committed when the block ends, rolled back when it raises."""

    @abstractmethod
    def _hint(self, fault: str) -> str | None:
        """What to do about a fault, by what the database says of it."""

    @abstractmethod
    def _strings(self, parameter: str) -> sa.Select[Any]:
        """A query whose rows are the strings of a list: one parameter, however many they are."""

    def get_events(self, where: EventFilter = EVERYTHING, *, limit: int | None = None, ascending: bool = True) -> list[Event]:
        query = _EVENT.order_by(events.c.id if ascending else events.c.id.desc()).limit(limit)
        if where.run_id is not None:
            query = query.where(events.c.run_id == where.run_id)
        if where.asset_key is not None:
            query = query.where(events.c.asset_key == key_text(where.asset_key))
        if where.event_types:
            query = query.where(events.c.event_type.in_(where.event_types))
        if where.after is not None:
            query = query.where(events.c.id > where.after)
        if where.before is not None:
            query = query.where(events.c.id < where.before)
        return [event_from_body(*row) for row in self._read(query)]

    def get_latest(
        self, event_type: EventType, keys: Iterable[AssetKey], partition: str | None = None, check_name: str | None = None
    ) -> dict[AssetKey, Event]:
        by_text = {key_text(key): key for key in keys}
        name = latest_name(event_type, check_name)
        rows = self._read(self._latest, {"keys": list(by_text), "type": name, "part": partition or ""})
        found = {row[-1]: event_from_body(*row[:-1]) for row in rows}
        return {key: found[text] for text, key in by_text.items() if text in found}

    def get_latest_by_partition(
        self, event_type: EventType, keys: Iterable[AssetKey], partitions: Collection[str] | None = None
    ) -> dict[AssetKey, dict[str, Event]]:
        by_text = {key_text(key): key for key in keys}
        query, parameters = self._by_partition, {"keys": list(by_text), "type": event_type}
        if partitions is not None:
            query = query.where(latest.c.partition.in_(self._strings("parts")))
            parameters["parts"] = list(partitions)
        found: dict[str, dict[str, Event]] = {text: {} for text in by_text}
        for *event, text, partition in self._read(query, parameters):
            found[text][partition] = event_from_body(*event)
        return {key: found[text] for text, key in by_text.items() if found[text]}

    def get_partitions(self, event_type: EventType, key: AssetKey) -> dict[str, int]:
        query = sa.select(latest.c.partition, latest.c.event_id).where(
            latest.c.asset_key == key_text(key), latest.c.event_type == event_type, latest.c.partition != ""
        )
        return {row[0]: row[1] for row in self._read(query)}

    def add_run(self, run: RunRecord) -> None:
        row = {
            "run_id": run.run_id,
            "status": run.status,
            "created": run.created,
            "started": run.started,
            "ended": run.ended,
            "job_name": run.job_name,
            "body": run_body(run),
        }
        with self._errors("write"), self._transaction() as connection:
            if connection.execute(sa.select(runs.c.id).where(runs.c.run_id == run.run_id)).first():
                raise run_exists(run.run_id)
            connection.execute(runs.insert().values(row))

    def get_run(self, run_id: str) -> RunRecord | None:
        rows = self._read(_RUN.where(runs.c.run_id == run_id))
        return run_from_body(*rows[0]) if rows else None

    def get_runs(
        self, *, statuses: Collection[RunStatus] = (), limit: int | None = None, cursor: str | None = None
    ) -> list[RunRecord]:
        query = _RUN.order_by(runs.c.id.desc()).limit(limit)
        if statuses:
            query = query.where(runs.c.status.in_(statuses))
        if cursor is not None:
            rows = self._read(sa.select(runs.c.id).where(runs.c.run_id == cursor))
            if not rows:
                raise run_not_found(cursor)
            query = query.where(runs.c.id < rows[0][0])
        return [run_from_body(*row) for row in self._read(query)]

    def add_dynamic_partitions(self, name: str, keys: Sequence[str]) -> None:
        with self._errors("write"), self._transaction() as connection:
            known = {row[0] for row in connection.execute(_partitions_of(name))}
            new = [{"name": name, "partition": key} for key in dict.fromkeys(keys) if key not in known]
            if new:
                connection.execute(dynamic_partitions.insert(), new)

    def delete_dynamic_partition(self, name: str, key: str) -> None:
        table = dynamic_partitions
        with self._errors("write"), self._transaction() as connection:
            connection.execute(table.delete().where(table.c.name == name, table.c.partition == key))

    def get_dynamic_partitions(self, name: str) -> list[str]:
        return [row[0] for row in self._read(_partitions_of(name))]

    def wipe(self, keys: Iterable[AssetKey]) -> None:
        parameters = {"keys": [key_text(key) for key in keys]}
        with self._errors("write"), self._transaction() as connection:
            for table in (latest, events):
                connection.execute(table.delete().where(table.c.asset_key.in_(self._strings("keys"))), parameters)

    def _read(self, query: sa.Select[Any], parameters: Mapping[str, Any] | None = None) -> Sequence[Any]:
        self._check_open()
        with self._errors("read"), self._engine.connect() as connection:
            return connection.execute(query, parameters).all()

    def _check_open(self) -> None:
        if not self.is_open:
            raise InstanceError(f"the record {self} is closed")

    @contextmanager
    def _errors(self, doing: str) -> Iterator[None]:
        """What the database reports, as an InstanceError that names the record."""
        try:
            yield
        except self._faults as error:
            cause = getattr(error, "orig", None) or error
            raise InstanceError(f"cannot {doing} the record {self}: {cause}", hint=self._hint(str(cause))) from error


def _partitions_of(name: str) -> sa.Select[Any]:
    table = dynamic_partitions
    return sa.select(table.c.partition).where(table.c.name == name).order_by(table.c.id)
