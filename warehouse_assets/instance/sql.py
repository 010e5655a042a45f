"""`SQLEventLog`: what event logs in databases share, on SQLAlchemy Core."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from typing import Any

import sqlalchemy as sa

from warehouse_assets.events import Event, EventType
from warehouse_assets.instance.codec import event_from_body, key_text
from warehouse_assets.instance.event_log import CHECKS, EVERYTHING, EventFilter, Mark, latest_name
from warehouse_assets.instance.schema import dynamic_partitions, events, latest
from warehouse_assets.instance.sql_upkeep import SQLUpkeep
from warehouse_assets.keys import AssetCheckKey, AssetKey

__all__ = ["SQLEventLog"]

_EVENT = sa.select(events.c.id, events.c.event_type, events.c.run_id, events.c.timestamp, events.c.body)


class SQLEventLog(SQLUpkeep):
    """Reads the tables of `schema.py`; a subclass knows its database."""

    def __init__(self, engine: sa.Engine) -> None:
        super().__init__(engine)
        self._latest = (
            _EVENT.add_columns(latest.c.asset_key)
            .join_from(latest, events, latest.c.event_id == events.c.id)
            .where(self._among(latest.c.asset_key, "keys"))
            .where(latest.c.event_type == sa.bindparam("type"), latest.c.partition == sa.bindparam("part"))
        )
        self._by_partition = (
            _EVENT.add_columns(latest.c.asset_key, latest.c.partition)
            .join_from(latest, events, latest.c.event_id == events.c.id)
            .where(self._among(latest.c.asset_key, "keys"))
            .where(latest.c.event_type == sa.bindparam("type"), latest.c.partition != "")
        )
        of_assets = self._among(latest.c.asset_key, "keys")
        self._marks = (
            sa.select(latest.c.asset_key, latest.c.partition, latest.c.event_id, events.c.run_id, events.c.timestamp)
            .join_from(latest, events, latest.c.event_id == events.c.id)
            .where(of_assets, latest.c.event_type == sa.bindparam("type"))
        )
        self._checks = _EVENT.join_from(latest, events, latest.c.event_id == events.c.id).where(
            of_assets, latest.c.event_type.startswith(CHECKS, autoescape=True), latest.c.partition == ""
        )

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
        self,
        event_type: EventType,
        keys: Iterable[AssetKey],
        partition: str | None = None,
        check_name: str | None = None,
        *,
        versioned: bool = False,
    ) -> dict[AssetKey, Event]:
        by_text = {key_text(key): key for key in keys}
        name = latest_name(event_type, check_name, versioned=versioned)
        rows = self._read(self._latest, {"keys": list(by_text), "type": name, "part": partition or ""})
        found = {text: event_from_body(at, kind, run, when, body, by_text[text]) for at, kind, run, when, body, text in rows}
        return {key: found[text] for text, key in by_text.items() if text in found}

    def get_latest_by_partition(
        self,
        event_type: EventType,
        keys: Iterable[AssetKey],
        partitions: Collection[str] | None = None,
        *,
        versioned: bool = False,
    ) -> dict[AssetKey, dict[str, Event]]:
        by_text = {key_text(key): key for key in keys}
        name = latest_name(event_type, versioned=versioned)
        query, parameters = self._by_partition, {"keys": list(by_text), "type": name}
        if partitions is not None:
            query = query.where(self._among(latest.c.partition, "parts"))
            parameters["parts"] = list(partitions)
        found: dict[str, dict[str, Event]] = {text: {} for text in by_text}
        for at, kind, run, when, body, text, partition in self._read(query, parameters):
            found[text][partition] = event_from_body(at, kind, run, when, body, by_text[text])
        return {key: found[text] for text, key in by_text.items() if found[text]}

    def get_latest_marks(self, event_type: EventType, keys: Iterable[AssetKey]) -> dict[AssetKey, dict[str | None, Mark]]:
        by_text = {key_text(key): key for key in keys}
        found: dict[AssetKey, dict[str | None, Mark]] = {}
        for text, partition, *mark in self._read(self._marks, {"keys": list(by_text), "type": event_type}):
            found.setdefault(by_text[text], {})[partition or None] = Mark(*mark)
        return found

    def get_latest_check_events(self, keys: Iterable[AssetKey]) -> dict[AssetCheckKey, Event]:
        rows = self._read(self._checks, {"keys": [key_text(key) for key in keys]})
        events = [event_from_body(*row) for row in rows]
        return {check.asset_check_key: event for event in events if (check := event.asset_check_evaluation) is not None}

    def get_partitions(self, event_type: EventType, key: AssetKey) -> dict[str, int]:
        query = sa.select(latest.c.partition, latest.c.event_id).where(
            latest.c.asset_key == key_text(key), latest.c.event_type == event_type, latest.c.partition != ""
        )
        return {row[0]: row[1] for row in self._read(query)}

    def add_dynamic_partitions(self, name: str, keys: Sequence[str]) -> None:
        with self._writing() as connection:
            known = {row[0] for row in connection.execute(_partitions_of(name))}
            new = [{"name": name, "partition": key} for key in dict.fromkeys(keys) if key not in known]
            if new:
                connection.execute(dynamic_partitions.insert(), new)

    def delete_dynamic_partition(self, name: str, key: str) -> None:
        table = dynamic_partitions
        with self._writing() as connection:
            connection.execute(table.delete().where(table.c.name == name, table.c.partition == key))

    def get_dynamic_partitions(self, name: str) -> list[str]:
        return [row[0] for row in self._read(_partitions_of(name))]

    def wipe(self, keys: Iterable[AssetKey]) -> None:
        parameters = {"keys": [key_text(key) for key in keys]}
        with self._writing() as connection:
            for table in (latest, events):
                connection.execute(table.delete().where(self._among(table.c.asset_key, "keys")), parameters)


def _partitions_of(name: str) -> sa.Select[Any]:
    table = dynamic_partitions
    return sa.select(table.c.partition).where(table.c.name == name).order_by(table.c.id)
