"""`SQLAutomation`: what automation remembers, in a database."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import replace
from typing import Any

import sqlalchemy as sa

from warehouse_assets.automation_records import Backfill, BackfillStatus, InstigatorState, PoolSlot, Tick
from warehouse_assets.events import RunRecord
from warehouse_assets.instance.codec import json_text, json_value, tick_body, tick_from_body
from warehouse_assets.instance.schema import backfills, instigators, leases, pool_limits, pool_slots, ticks
from warehouse_assets.instance.sql_runs import SQLRuns

__all__ = ["SQLAutomation"]

_STATE = sa.select(*instigators.c)  # in the order of the fields of InstigatorState
_TICK = sa.select(*ticks.c)
_BACKFILL = sa.select(*(c for c in backfills.c if c.name != "id"))


class SQLAutomation(SQLRuns):
    """Ticks, the states of instigators, backfills, pools and leases, one table each."""

    def get_instigator(self, origin: str) -> InstigatorState | None:
        rows = self._read(_STATE.where(instigators.c.origin == origin))
        return InstigatorState(*rows[0]) if rows else None

    def get_instigators(self) -> list[InstigatorState]:
        return sorted((InstigatorState(*row) for row in self._read(_STATE)), key=lambda state: state.origin)

    def set_instigator(self, state: InstigatorState) -> bool:
        with self._writing() as connection:
            return _put(connection, instigators.c.origin, state.origin, state.version, _row_of(state))

    def commit_tick(self, tick: Tick, state: InstigatorState, runs: Sequence[RunRecord] = ()) -> Tick | None:
        with self._writing() as connection:
            if not _put(connection, instigators.c.origin, state.origin, state.version, _row_of(state)):
                return None
            added = self._enqueue(connection, runs)
            stored = replace(tick, run_ids=tuple(run.run_id for run in added))
            row = {name: getattr(stored, name) for name in ("origin", "kind", "scheduled", "status", "started", "ended")}
            result = connection.execute(ticks.insert().values({**row, "body": tick_body(stored)}))
            return replace(stored, tick_id=result.inserted_primary_key[0])  # type: ignore[index]

    def get_ticks(self, origin: str | None = None, *, limit: int | None = None, before: int | None = None) -> list[Tick]:
        query = _TICK.order_by(ticks.c.id.desc()).limit(limit)
        if origin is not None:
            query = query.where(ticks.c.origin == origin)
        if before is not None:
            query = query.where(ticks.c.id < before)
        return [tick_from_body(*row) for row in self._read(query)]

    def put_backfill(self, backfill: Backfill, runs: Sequence[RunRecord] = ()) -> bool:
        row = {name: getattr(backfill, name) for name in ("backfill_id", "status", "created", "ended")}
        row["body"] = json_text(backfill.body)
        with self._writing() as connection:
            if not _put(connection, backfills.c.backfill_id, backfill.backfill_id, backfill.version, row):
                return False
            self._enqueue(connection, runs)
            return True

    def get_backfill(self, backfill_id: str) -> Backfill | None:
        rows = self._read(_BACKFILL.where(backfills.c.backfill_id == backfill_id))
        return _backfill(*rows[0]) if rows else None

    def get_backfills(self, *, statuses: Collection[BackfillStatus] = (), limit: int | None = None) -> list[Backfill]:
        query = _BACKFILL.order_by(backfills.c.id.desc()).limit(limit)
        if statuses:
            query = query.where(backfills.c.status.in_(statuses))
        return [_backfill(*row) for row in self._read(query)]

    def claim_slot(self, pool: str, limit: int, run_id: str, step_key: str, now: float) -> bool:
        slot = {"pool": pool, "run_id": run_id, "step_key": step_key}
        of_pool = pool_slots.c.pool == pool
        with self._writing() as connection:
            held = connection.execute(sa.select(pool_slots.c.run_id, pool_slots.c.step_key).where(of_pool)).all()
            if (run_id, step_key) in map(tuple, held):
                return True
            if len(held) >= limit:
                return False
            connection.execute(pool_slots.insert().values(**slot, claimed=now))
            return True

    def free_slots(self, run_id: str, step_key: str | None = None) -> None:
        statement = pool_slots.delete().where(pool_slots.c.run_id == run_id)
        if step_key is not None:
            statement = statement.where(pool_slots.c.step_key == step_key)
        with self._writing() as connection:
            connection.execute(statement)

    def get_slots(self, pool: str | None = None) -> list[PoolSlot]:
        query = sa.select(*pool_slots.c).order_by(pool_slots.c.claimed, pool_slots.c.run_id, pool_slots.c.step_key)
        return [PoolSlot(*row) for row in self._read(query if pool is None else query.where(pool_slots.c.pool == pool))]

    def set_pool_limit(self, pool: str, limit: int | None) -> None:
        with self._writing() as connection:
            connection.execute(pool_limits.delete().where(pool_limits.c.pool == pool))
            if limit is not None:
                connection.execute(pool_limits.insert().values(pool=pool, places=limit))

    def get_pool_limits(self) -> dict[str, int]:
        return dict(sorted((row[0], row[1]) for row in self._read(sa.select(*pool_limits.c))))

    def take_lease(self, name: str, owner: str, now: float, seconds: float) -> bool:
        with self._writing() as connection:
            held = connection.execute(sa.select(leases.c.owner, leases.c.until).where(leases.c.name == name)).first()
            if held is not None and held.owner != owner and held.until > now:
                return False
            connection.execute(leases.delete().where(leases.c.name == name))
            connection.execute(leases.insert().values(name=name, owner=owner, until=now + seconds))
            return True

    def release_lease(self, name: str, owner: str) -> None:
        with self._writing() as connection:
            connection.execute(leases.delete().where(leases.c.name == name, leases.c.owner == owner))

    def get_lease_owner(self, name: str, now: float) -> str | None:
        held = list(self._read(sa.select(leases.c.owner).where(leases.c.name == name, leases.c.until > now)))
        return held[0][0] if held else None


def _put(connection: sa.Connection, key: sa.Column[Any], of: str, version: int, row: dict[str, Any]) -> bool:
    """Write a row as the version after `version`, in a transaction; false where another version is kept."""
    table = key.table
    if (connection.scalar(sa.select(table.c.version).where(key == of)) or 0) != version:
        return False
    row = {**row, "version": version + 1}
    connection.execute(sa.insert(table).values(row) if version == 0 else sa.update(table).where(key == of).values(row))
    return True


def _row_of(state: InstigatorState) -> dict[str, Any]:
    return {name: getattr(state, name) for name in ("origin", "kind", "status", "cursor", "last_scheduled")}


def _backfill(
    backfill_id: str, status: BackfillStatus, created: float, ended: float | None, body: str, version: int
) -> Backfill:
    return Backfill(backfill_id, status, created, ended, json_value(body), version)
