"""The steps from older versions of the tables to the newest, by Alembic, which is imported only where one is due.

What a step does is fixed for good, so it spells its tables out: those of `schema.py` are those of the newest version.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Any

import sqlalchemy as sa
from alembic.migration import MigrationContext
from alembic.operations import Operations

from warehouse_assets.instance.schema import ANY_TEXT, record_version

__all__ = ["MIGRATIONS", "migrate"]

_ID = sa.Integer().with_variant(sa.BigInteger, "postgresql")
_TEXT: sa.Text = sa.Text()
_REAL: sa.Double[float] = sa.Double()


def migrate(connection: sa.Connection, version: int) -> None:
    """Bring tables of an older version up to the newest, in a transaction of the caller's."""
    operations = Operations(MigrationContext.configure(connection))
    for step in range(version + 1, max(MIGRATIONS) + 1):
        MIGRATIONS[step](operations)
        record_version(connection, step)


def _key(name: str, kind: Any = ANY_TEXT) -> sa.Column[Any]:
    return sa.Column(name, kind, primary_key=True, autoincrement=False)


def _number() -> sa.Column[Any]:
    return sa.Column("id", _ID, primary_key=True)


def _needed(name: str, kind: Any = ANY_TEXT) -> sa.Column[Any]:
    return sa.Column(name, kind, nullable=False)


def _add_latest(op: Operations) -> None:
    """Version 2: the latest event of each asset is looked up; before, it was searched for among all events. Only SQLite had these."""
    op.create_table(
        "latest",
        *(_key("asset_key"), _key("event_type"), _key("partition"), _needed("event_id", _ID)),
        sqlite_with_rowid=False,
    )
    op.execute(
        "INSERT INTO latest SELECT asset_key, event_type, '', max(id) FROM events WHERE asset_key IS NOT NULL GROUP BY 1, 2"
    )
    op.execute(
        "INSERT INTO latest SELECT asset_key, event_type, json_extract(body, '$.data.partition') AS p, max(id) FROM events"
        " WHERE asset_key IS NOT NULL AND p <> '' GROUP BY 1, 2, 3"
    )
    op.create_index("runs_by_status", "runs", ["status"])


def _add_dynamic_partitions(op: Operations) -> None:
    """Version 3: the keys of dynamic partitions are kept."""
    unique = sa.UniqueConstraint("name", "partition")
    op.create_table("dynamic_partitions", _number(), _needed("name"), _needed("partition"), unique)


def _add_automation(op: Operations) -> None:
    """Version 4: runs have keys and heartbeats, and what automation remembers is kept."""
    op.add_column("runs", sa.Column("run_key", ANY_TEXT))
    op.add_column("runs", sa.Column("heartbeat", _REAL))
    op.create_index("runs_by_key", "runs", ["run_key"], unique=True)
    op.create_table("run_tags", _key("name"), _key("value"), _key("run", _ID), sqlite_with_rowid=False)
    op.create_table(
        "instigators",
        *(_key("origin"), _needed("kind", _TEXT), _needed("status", _TEXT)),
        *(sa.Column("cursor", ANY_TEXT), sa.Column("last_scheduled", _REAL), _needed("version", sa.Integer())),
    )
    op.create_table(
        "ticks",
        *(_number(), _needed("origin"), _needed("kind", _TEXT), _needed("scheduled", _REAL), _needed("status", _TEXT)),
        *(_needed("started", _REAL), _needed("ended", _REAL), _needed("body", _TEXT)),
        sqlite_autoincrement=True,
    )
    op.create_index("ticks_by_origin", "ticks", ["origin", "id"])
    op.create_table(
        "backfills",
        *(_number(), sa.Column("backfill_id", ANY_TEXT, nullable=False, unique=True), _needed("status", _TEXT)),
        *(_needed("created", _REAL), sa.Column("ended", _REAL), _needed("body", _TEXT), _needed("version", sa.Integer())),
        sqlite_autoincrement=True,
    )
    op.create_table("pool_slots", _key("pool"), _key("run_id"), _key("step_key"), _needed("claimed", _REAL))
    op.create_table("pool_limits", _key("pool"), _needed("places", sa.Integer()))
    op.create_table("leases", _key("name"), _needed("owner"), _needed("until", _REAL))
    tags = [
        {"run": run, "name": name, "value": value}
        for run, body in op.get_bind().execute(sa.text("SELECT id, body FROM runs"))
        for name, value in json.loads(body)["tags"].items()
    ]
    op.bulk_insert(sa.table("run_tags", sa.column("run"), sa.column("name", ANY_TEXT), sa.column("value", ANY_TEXT)), tags)


def _add_upkeep(op: Operations) -> None:
    """Version 5: the keys of runs outlive them, and the latest observation with a data version is looked up."""
    op.create_table("used_run_keys", _key("run_key"), sqlite_with_rowid=False)
    events = sa.table("events", *map(sa.column, ("id", "event_type", "body")), sa.column("asset_key", ANY_TEXT))
    observed = (
        sa.select(events.c.id, events.c.asset_key, events.c.body)
        .where(events.c.event_type == "ASSET_OBSERVATION", events.c.body.like("%warehouse_assets/data_version%"))
        .order_by(events.c.id)
    )
    marks: dict[tuple[str, str], int] = {}
    for storage_id, asset_key, body in op.get_bind().execute(observed):
        data = json.loads(body)["data"]
        if "warehouse_assets/data_version" in data["tags"]:
            marks |= {(asset_key, partition): storage_id for partition in ("", data["partition"] or "")}
    texts = (sa.column(name, ANY_TEXT) for name in ("asset_key", "event_type", "partition"))
    latest = sa.table("latest", *texts, sa.column("event_id"))
    names = ("asset_key", "partition", "event_type", "event_id")
    rows = [dict(zip(names, (*mark, "ASSET_OBSERVATION:versioned", i), strict=True)) for mark, i in marks.items()]
    op.bulk_insert(latest, rows)


MIGRATIONS: Mapping[int, Callable[[Operations], None]] = {
    2: _add_latest,
    3: _add_dynamic_partitions,
    4: _add_automation,
    5: _add_upkeep,
}
