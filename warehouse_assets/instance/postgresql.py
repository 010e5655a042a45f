"""`PostgreSQLEventLog`: the record of a team, in a schema of a PostgreSQL database."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql

from warehouse_assets.errors import ExtraRequiredError, InstanceError
from warehouse_assets.instance.batch import Batch
from warehouse_assets.instance.schema import (
    VERSION,
    create,
    escaped,
    events,
    events_by_asset,
    latest,
    stored_version,
)
from warehouse_assets.instance.sql import SQLEventLog

__all__ = ["PostgreSQLEventLog"]

SCHEMA = "warehouse_assets"
# Said here and not with the table, as it has SQLAlchemy load all it knows of PostgreSQL, which runs on SQLite would wait for.
events_by_asset.dialect_kwargs["postgresql_where"] = events_by_asset.dialect_kwargs["sqlite_where"]
_TURN = sa.text("SELECT pg_advisory_xact_lock(hashtextextended(:schema, 0))")
_SIZE = sa.text(
    "SELECT coalesce(sum(pg_total_relation_size(c.oid)), 0) FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace"
    " WHERE n.nspname = :schema AND c.relkind = 'r'"
)
_INSERT_EVENTS = events.insert().returning(events.c.id, sort_by_parameter_order=True)
_insert_latest = postgresql.insert(latest)
_UPSERT_LATEST = _insert_latest.on_conflict_do_update(
    index_elements=latest.primary_key.columns, set_={"event_id": _insert_latest.excluded.event_id}
)


class _Texts(sa.types.TypeDecorator[list[str]]):
    """A list of any texts, as JSON, which the driver writes much faster than an array."""

    impl = sa.JSON
    cache_ok = True

    def process_bind_param(self, value: list[str] | None, dialect: sa.Dialect) -> list[str] | None:
        return value and [escaped(text) for text in value]


class PostgreSQLEventLog(SQLEventLog):
    """Keeps the record in the schema `warehouse_assets` of a database, or another, which is made where there is none.

    `url` is `postgresql://user:password@host:port/database`. Threads, processes and machines share it: those that write take turns, so
    that the ids of events grow in the order in which others come to see them. A call waits `timeout` seconds for its turn. A
    connection that was cut while nothing used it is made anew; a write that is cut off is not repeated, as nobody can know whether it
    took place, and raises InstanceError.
    """

    _kind = "postgresql"

    def __init__(self, url: str, *, schema: str = SCHEMA, timeout: float = 60.0) -> None:
        address = sa.make_url(url).set(drivername="postgresql+psycopg")
        self._shown = address.render_as_string(hide_password=True).replace("+psycopg", "", 1)
        self._schema = schema
        self._timeout = timeout
        try:
            engine = sa.create_engine(address, pool_pre_ping=True, pool_size=4, max_overflow=-1)
        except ModuleNotFoundError:
            raise ExtraRequiredError.of("psycopg", "postgres", "an instance on PostgreSQL") from None

        @sa.event.listens_for(engine, "connect")
        def set_up(connection: Any, _: object) -> None:
            settings = {"search_path": '"{}"'.format(schema.replace('"', '""')), "lock_timeout": f"{int(timeout * 1000)}ms"}
            for name, value in settings.items():
                connection.execute("SELECT set_config(%s, %s, false)", [name, value])
            connection.commit()

        super().__init__(engine)
        try:
            with self._errors("open"):
                self._prepare()
        except BaseException:
            self.close()
            raise

    def __repr__(self) -> str:
        return f"PostgreSQLEventLog({self._shown!r})"

    @property
    def _place(self) -> str:
        return f"{self._shown}, schema {self._schema}"

    def _byte_size(self, connection: sa.Connection) -> int:
        return int(connection.scalar(_SIZE, {"schema": self._schema}))

    def _give_back(self) -> None:
        with self._engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
            connection.exec_driver_sql("VACUUM (ANALYZE) events, latest, runs, run_tags, ticks")

    def _insert_events(self, connection: sa.Connection, batch: Batch) -> None:
        names = ("run_id", "event_type", "timestamp", "asset_key", "body")
        ids = connection.scalars(_INSERT_EVENTS, [dict(zip(names, row, strict=True)) for row in batch.rows]).all()
        if batch.latest:
            marks = [
                {"asset_key": key, "event_type": name, "partition": partition, "event_id": ids[position]}
                for (key, name, partition), position in batch.latest.items()
            ]
            connection.execute(_UPSERT_LATEST, marks)

    @contextmanager
    def _transaction(self) -> Iterator[sa.Connection]:
        self._check_open()
        with self._engine.begin() as connection:
            connection.execute(_TURN, {"schema": self._schema})
            yield connection

    def _among(self, column: sa.ColumnElement[str], parameter: str) -> sa.ColumnElement[bool]:
        given = sa.func.json_array_elements_text(sa.bindparam(parameter, type_=_Texts)).column_valued("value")
        # An array, as PostgreSQL believes of other subqueries that they have a hundred rows, and then reads too much for each.
        return column == sa.any_(sa.func.array(sa.select(given).scalar_subquery()))

    def _prepare(self) -> None:
        with self._engine.begin() as connection:
            if stored_version(connection) == VERSION:
                return
            connection.execute(_TURN, {"schema": self._schema})
            if not sa.inspect(connection).has_schema(self._schema):
                connection.execute(sa.schema.CreateSchema(self._schema))
            version = stored_version(connection)  # again: another process may have been first
            if version is None:
                raise InstanceError(
                    f"the schema {self._schema!r} of {self._shown} has tables, but not those of a record of runs",
                    hint="Give another schema.",
                )
            if version > VERSION:
                raise InstanceError(
                    f"the record {self._shown} is of version {version}, and this release reads up to version {VERSION}",
                    hint="Upgrade warehouse-assets, or use another schema.",
                )
            if version == 0:
                create(connection)
            elif version < VERSION:
                from warehouse_assets.instance.migrations import migrate

                migrate(connection, version)

    def _hint(self, fault: str) -> str | None:
        if "lock timeout" in fault:
            return f"Another program has been writing to it for {self._timeout:g} seconds."
        if "connection" in fault:
            return "Is the server running, and does the URL name it?"
        return None
