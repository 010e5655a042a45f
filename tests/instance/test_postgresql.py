from __future__ import annotations

import functools
from typing import Any

import pytest
import sqlalchemy as sa

from warehouse_assets import AssetMaterialization, Instance
from warehouse_assets.errors import InstanceError
from warehouse_assets.instance.postgresql import PostgreSQLEventLog
from warehouse_assets.instance.schema import VERSION
from warehouse_assets.testing.event_log import ORDERS, OpenLog, PersistentEventLogContract, materialization


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
