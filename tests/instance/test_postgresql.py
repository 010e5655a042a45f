from __future__ import annotations

import functools
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
import sqlalchemy as sa

from warehouse_assets import AssetKey, AssetMaterialization, Instance
from warehouse_assets.errors import InstanceError
from warehouse_assets.events import DATA_VERSION_TAG, AssetObservation, Event, RunRecord
from warehouse_assets.instance import RunFilter
from warehouse_assets.instance.codec import event_body, key_text, run_body
from warehouse_assets.instance.postgresql import PostgreSQLEventLog
from warehouse_assets.instance.schema import ANY_TEXT, VERSION
from warehouse_assets.testing.event_log import ORDERS, OpenLog, PersistentEventLogContract, materialization, unnumbered


class TestPostgreSQLEventLog(PersistentEventLogContract):
    @pytest.fixture
    def open_log(self, postgres: Any) -> OpenLog:
        return functools.partial(PostgreSQLEventLog, postgres.url)


def run_sql(postgres: Any, *statements: str) -> None:
    engine = sa.create_engine(postgres.sqlalchemy_url)
    with engine.begin() as connection:
        for statement in statements:
            connection.exec_driver_sql(statement)
    engine.dispose()


def test_the_record_has_a_schema_of_its_own(postgres: Any) -> None:
    run_sql(postgres, "CREATE TABLE runs (id int)")

    for schema in ("warehouse_assets", 'o\'d "one" %s'):
        log = PostgreSQLEventLog(postgres.url, schema=schema)
        log.store_events([materialization(ORDERS)])

        assert len(log.get_events()) == 1
        log.close()


def test_tables_of_others_are_not_taken_for_a_record(postgres: Any) -> None:
    run_sql(postgres, "CREATE SCHEMA warehouse_assets", "CREATE TABLE warehouse_assets.runs (id int)")

    with pytest.raises(InstanceError, match="not those of a record of runs"):
        PostgreSQLEventLog(postgres.url)


def test_a_newer_record_is_left_alone(postgres: Any) -> None:
    PostgreSQLEventLog(postgres.url).close()
    run_sql(postgres, f"INSERT INTO warehouse_assets.schema_versions VALUES ({VERSION + 1}, 0)")

    with pytest.raises(InstanceError, match=f"of version {VERSION + 1}, and this release reads up to version {VERSION}"):
        PostgreSQLEventLog(postgres.url)


VERSION_3 = """
    CREATE SCHEMA warehouse_assets; SET search_path = warehouse_assets;
    CREATE TABLE schema_versions (version INTEGER NOT NULL PRIMARY KEY, applied DOUBLE PRECISION NOT NULL);
    CREATE TABLE events (id BIGSERIAL NOT NULL PRIMARY KEY, run_id TEXT NOT NULL, event_type TEXT NOT NULL,
        timestamp DOUBLE PRECISION NOT NULL, asset_key TEXT, body TEXT NOT NULL);
    CREATE INDEX events_by_run ON events (run_id);
    CREATE INDEX events_by_asset ON events (asset_key) WHERE asset_key IS NOT NULL;
    CREATE TABLE latest (asset_key TEXT NOT NULL, event_type TEXT NOT NULL, partition TEXT NOT NULL, event_id BIGINT NOT NULL,
        PRIMARY KEY (asset_key, event_type, partition));
    CREATE TABLE runs (id BIGSERIAL NOT NULL PRIMARY KEY, run_id TEXT NOT NULL UNIQUE, status TEXT NOT NULL,
        created DOUBLE PRECISION NOT NULL, started DOUBLE PRECISION, ended DOUBLE PRECISION, job_name TEXT, body TEXT NOT NULL);
    CREATE INDEX runs_by_status ON runs (status);
    CREATE TABLE dynamic_partitions (id BIGSERIAL NOT NULL PRIMARY KEY, name TEXT NOT NULL, partition TEXT NOT NULL,
        UNIQUE (name, partition));
    INSERT INTO schema_versions VALUES (3, 1700000000.0);
"""
HOSTILE = AssetKey(["a\\b", "nul\0"])


def plant_version_3(postgres: Any) -> tuple[RunRecord, Event]:
    """A record of version 3 with a run and an observed version, all of whose texts are hostile."""
    run = RunRecord("r1", "SUCCESS", 1.0, tags={"a\\b\0": "x\\y\0"})
    event = Event("ASSET_OBSERVATION", "r1", 2.0, data=AssetObservation(HOSTILE, partition="\0", tags={DATA_VERSION_TAG: "7"}))
    engine = sa.create_engine(postgres.sqlalchemy_url)
    with engine.begin() as connection:
        connection.exec_driver_sql(VERSION_3)
        row = {"i": "r1", "b": run_body(run)}
        connection.execute(sa.text("INSERT INTO runs (run_id, status, created, body) VALUES (:i, 'SUCCESS', 1.0, :b)"), row)
        names = ("run_id", "event_type", "timestamp", "body")
        events = sa.table("events", *map(sa.column, names), sa.column("asset_key", ANY_TEXT))
        values = ("r1", event.event_type, 2.0, event_body(event), key_text(HOSTILE))
        connection.execute(events.insert().values(dict(zip((*names, "asset_key"), values, strict=True))))
    engine.dispose()
    return run, event


def test_an_older_record_is_brought_up_to_date_once(postgres: Any) -> None:
    run, event = plant_version_3(postgres)

    with ThreadPoolExecutor(4) as pool:
        logs = list(pool.map(lambda _: PostgreSQLEventLog(postgres.url), range(4)))
    log = logs[0]

    assert log.get_runs(RunFilter(tags=run.tags)) == [run]
    assert unnumbered(list(log.get_latest("ASSET_OBSERVATION", [HOSTILE], "\0", versioned=True).values())) == [event]
    assert log.info().version == VERSION
    assert described(postgres, "warehouse_assets") == described(postgres, "new")
    for each in logs:
        each.close()


def described(postgres: Any, schema: str) -> dict[str, Any]:
    """The tables of a record, which is made where there is none, with their columns, keys and indexes."""
    PostgreSQLEventLog(postgres.url, schema=schema).close()
    engine = sa.create_engine(postgres.sqlalchemy_url)
    tables = sa.inspect(engine)
    found = {
        name: (
            [(column["name"], str(column["type"]), column["nullable"]) for column in tables.get_columns(name, schema)],
            tables.get_pk_constraint(name, schema)["constrained_columns"],
            sorted((str(index["name"]), index["column_names"], index["unique"]) for index in tables.get_indexes(name, schema)),
        )
        for name in sorted(tables.get_table_names(schema))
    }
    engine.dispose()
    return found


def test_a_migration_that_fails_changes_nothing(postgres: Any) -> None:
    plant_version_3(postgres)
    run_sql(postgres, "CREATE TABLE warehouse_assets.leases (id int)")  # what a step of the migration would create

    with pytest.raises(InstanceError, match="leases"):
        PostgreSQLEventLog(postgres.url)

    run_sql(postgres, "DROP TABLE warehouse_assets.leases")
    assert described(postgres, "warehouse_assets") == described(postgres, "new")


def test_pruning_leaves_the_room_to_what_comes_next(postgres: Any, caplog: pytest.LogCaptureFixture) -> None:
    log = PostgreSQLEventLog(postgres.url)
    log.store_events([Event("LOG", "r1", 0.0, message="x" * 1_000) for _ in range(2_000)])
    before = log.info()
    log.prune(1.0)
    after = log.info()
    log.close()

    assert (before.kind, before.version) == ("postgresql", VERSION)
    assert postgres.password not in before.place
    assert (before.byte_size or 0) > 2_000_000
    assert (after.byte_size or 0) < 500_000
    assert caplog.text == ""


def test_a_writer_that_stalls_is_waited_for_and_told(postgres: Any) -> None:
    slow, quick = PostgreSQLEventLog(postgres.url), PostgreSQLEventLog(postgres.url, timeout=0.2)
    with slow._transaction(), pytest.raises(InstanceError, match="lock timeout") as caught:
        quick.store_events([materialization(ORDERS)])

    quick.store_events([materialization(ORDERS)])

    assert caught.value.hint == "Another program has been writing to it for 0.2 seconds."
    assert len(slow.get_events()) == 1
    slow.close()
    quick.close()


def test_a_connection_that_was_cut_is_made_anew(postgres: Any) -> None:
    log = PostgreSQLEventLog(postgres.url)
    log.store_events([materialization(ORDERS)])
    cut = (
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()"
    )
    run_sql(postgres, cut)

    log.store_events([materialization(ORDERS)])

    assert len(log.get_events()) == 2
    log.close()


def test_a_password_is_not_shown(postgres: Any) -> None:
    url = postgres.url.replace(f":{postgres.port}/", ":1/")

    with pytest.raises(InstanceError) as caught:
        PostgreSQLEventLog(url)

    assert "***" in caught.value.message
    assert postgres.password not in str(caught.value)


def test_the_environment_names_the_server(postgres: Any, tmp_path: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WAREHOUSE_ASSETS_URL", postgres.url)
    monkeypatch.delenv("WAREHOUSE_ASSETS_HOME", raising=False)

    with Instance.get(tmp_path) as instance:
        instance.report_runless_asset_event(AssetMaterialization(ORDERS))
    with Instance.from_url(postgres.url) as other:
        event = other.get_latest_materialization_event(ORDERS)

    assert event is not None
    assert instance.storage_path == tmp_path / ".warehouse_assets" / "storage"
    assert list(tmp_path.iterdir()) == []
