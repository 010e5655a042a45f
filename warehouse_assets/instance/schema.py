"""The tables of the record in a database, and their version."""

from __future__ import annotations

import re
import time

import sqlalchemy as sa

__all__ = [
    "ANY_TEXT",
    "VERSION",
    "backfills",
    "create",
    "dynamic_partitions",
    "escaped",
    "events",
    "events_by_asset",
    "instigators",
    "latest",
    "leases",
    "pool_limits",
    "pool_slots",
    "record_version",
    "run_tags",
    "runs",
    "stored_version",
    "ticks",
    "used_run_keys",
    "versions",
]

metadata = sa.MetaData()


class EscapedText(sa.types.TypeDecorator[str]):
    """Any text, in a database that keeps none with a NUL character: it and the backslash stand behind a backslash."""

    impl = sa.Text
    cache_ok = True

    def process_bind_param(self, value: str | None, dialect: sa.Dialect) -> str | None:
        return None if value is None else escaped(value)

    def process_result_value(self, value: str | None, dialect: sa.Dialect) -> str | None:
        if value is None or "\\" not in value:
            return value
        return _ESCAPED.sub(lambda match: "\0" if match[1] == "0" else match[1], value)


def escaped(text: str) -> str:
    """Any text as such a database keeps it."""
    return text.replace("\\", "\\\\").replace("\0", "\\0")


_ESCAPED = re.compile(r"\\(.)", re.DOTALL)
ANY_TEXT = sa.Text().with_variant(EscapedText(), "postgresql")  # of people, not of this package

versions = sa.Table(
    "schema_versions",
    metadata,
    sa.Column("version", sa.Integer, primary_key=True, autoincrement=False),
    sa.Column("applied", sa.Double, nullable=False),
)

events = sa.Table(
    "events",
    metadata,
    sa.Column("id", sa.Integer().with_variant(sa.BigInteger, "postgresql"), primary_key=True),
    sa.Column("run_id", ANY_TEXT, nullable=False),
    sa.Column("event_type", sa.Text, nullable=False),
    sa.Column("timestamp", sa.Double, nullable=False),
    sa.Column("asset_key", ANY_TEXT),
    sa.Column("body", sa.Text, nullable=False),
    sqlite_autoincrement=True,  # an id is never given twice, even after the last event was wiped: cursors rely on it
)
sa.Index("events_by_run", events.c.run_id)
events_by_asset = sa.Index("events_by_asset", events.c.asset_key, sqlite_where=events.c.asset_key.is_not(None))

latest = sa.Table(
    "latest",
    metadata,
    sa.Column("asset_key", ANY_TEXT, primary_key=True),
    sa.Column("event_type", ANY_TEXT, primary_key=True),  # that of a check with its name
    sa.Column("partition", ANY_TEXT, primary_key=True),  # empty: the asset as a whole
    sa.Column("event_id", events.c.id.type, nullable=False),
    sqlite_with_rowid=False,
)

runs = sa.Table(
    "runs",
    metadata,
    sa.Column("id", events.c.id.type, primary_key=True),
    sa.Column("run_id", ANY_TEXT, nullable=False, unique=True),
    sa.Column("status", sa.Text, nullable=False),
    sa.Column("created", sa.Double, nullable=False),
    sa.Column("started", sa.Double),
    sa.Column("ended", sa.Double),
    sa.Column("job_name", ANY_TEXT),
    sa.Column("body", sa.Text, nullable=False),
    sa.Column("run_key", ANY_TEXT),
    sa.Column("heartbeat", sa.Double),
    sqlite_autoincrement=True,
)
sa.Index("runs_by_status", runs.c.status)
sa.Index("runs_by_key", runs.c.run_key, unique=True)  # a request that is made twice is answered with one run

run_tags = sa.Table(
    "run_tags",
    metadata,
    sa.Column("name", ANY_TEXT, primary_key=True),
    sa.Column("value", ANY_TEXT, primary_key=True),
    sa.Column("run", runs.c.id.type, primary_key=True, autoincrement=False),
    sqlite_with_rowid=False,
)

used_run_keys = sa.Table(  # of runs that were pruned
    "used_run_keys",
    metadata,
    sa.Column("run_key", ANY_TEXT, primary_key=True),
    sqlite_with_rowid=False,
)

dynamic_partitions = sa.Table(
    "dynamic_partitions",
    metadata,
    sa.Column("id", events.c.id.type, primary_key=True),  # in the order in which they were added
    sa.Column("name", ANY_TEXT, nullable=False),
    sa.Column("partition", ANY_TEXT, nullable=False),
    sa.UniqueConstraint("name", "partition"),
)


instigators = sa.Table(
    "instigators",
    metadata,
    sa.Column("origin", ANY_TEXT, primary_key=True),
    sa.Column("kind", sa.Text, nullable=False),
    sa.Column("status", sa.Text, nullable=False),
    sa.Column("cursor", ANY_TEXT),
    sa.Column("last_scheduled", sa.Double),
    sa.Column("version", sa.Integer, nullable=False),
)

ticks = sa.Table(
    "ticks",
    metadata,
    sa.Column("id", events.c.id.type, primary_key=True),
    sa.Column("origin", ANY_TEXT, nullable=False),
    sa.Column("kind", sa.Text, nullable=False),
    sa.Column("scheduled", sa.Double, nullable=False),
    sa.Column("status", sa.Text, nullable=False),
    sa.Column("started", sa.Double, nullable=False),
    sa.Column("ended", sa.Double, nullable=False),
    sa.Column("body", sa.Text, nullable=False),
    sqlite_autoincrement=True,
)
sa.Index("ticks_by_origin", ticks.c.origin, ticks.c.id)

backfills = sa.Table(
    "backfills",
    metadata,
    sa.Column("id", events.c.id.type, primary_key=True),
    sa.Column("backfill_id", ANY_TEXT, nullable=False, unique=True),
    sa.Column("status", sa.Text, nullable=False),
    sa.Column("created", sa.Double, nullable=False),
    sa.Column("ended", sa.Double),
    sa.Column("body", sa.Text, nullable=False),
    sa.Column("version", sa.Integer, nullable=False),
    sqlite_autoincrement=True,
)

pool_slots = sa.Table(
    "pool_slots",
    metadata,
    sa.Column("pool", ANY_TEXT, primary_key=True),
    sa.Column("run_id", ANY_TEXT, primary_key=True),
    sa.Column("step_key", ANY_TEXT, primary_key=True),
    sa.Column("claimed", sa.Double, nullable=False),
)

pool_limits = sa.Table(
    "pool_limits",
    metadata,
    sa.Column("pool", ANY_TEXT, primary_key=True),
    sa.Column("places", sa.Integer, nullable=False),
)

leases = sa.Table(
    "leases",
    metadata,
    sa.Column("name", ANY_TEXT, primary_key=True),
    sa.Column("owner", ANY_TEXT, nullable=False),
    sa.Column("until", sa.Double, nullable=False),
)


VERSION = 5  # `migrations.py` has the steps to it


def stored_version(connection: sa.Connection) -> int | None:
    """The version of the tables in a database: 0 when it is empty, None when its tables are not those of a record."""
    tables = sa.inspect(connection).get_table_names()
    if versions.name in tables:
        return connection.scalar(sa.select(sa.func.max(versions.c.version))) or 0
    return None if tables else 0


def create(connection: sa.Connection) -> None:
    """Create the tables of the newest version, in a transaction of the caller's."""
    metadata.create_all(connection)
    record_version(connection, VERSION)


def record_version(connection: sa.Connection, version: int) -> None:
    """Note that the tables are of a version now."""
    connection.execute(versions.insert().values(version=version, applied=time.time()))
