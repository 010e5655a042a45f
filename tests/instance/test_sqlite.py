from __future__ import annotations

import functools
import sqlite3
import subprocess
import sys
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path

import pytest

from warehouse_assets.errors import InstanceError
from warehouse_assets.events import Event, RunRecord
from warehouse_assets.instance.codec import event_body, key_text, run_body
from warehouse_assets.instance.schema import VERSION
from warehouse_assets.instance.sqlite import SqliteEventLog
from warehouse_assets.keys import AssetKey
from warehouse_assets.testing.event_log import (
    MADE,
    ORDERS,
    OpenLog,
    PersistentEventLogContract,
    materialization,
    observation,
    unnumbered,
)

VERSION_1 = """
    CREATE TABLE schema_versions (version INTEGER NOT NULL, applied DOUBLE NOT NULL, PRIMARY KEY (version));
    CREATE TABLE events (
        id INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT, run_id TEXT NOT NULL, event_type TEXT NOT NULL,
        timestamp DOUBLE NOT NULL, asset_key TEXT, body TEXT NOT NULL
    );
    CREATE INDEX events_by_run ON events (run_id);
    CREATE INDEX events_by_asset ON events (asset_key) WHERE asset_key IS NOT NULL;
    CREATE TABLE runs (
        id INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT, run_id TEXT NOT NULL, status TEXT NOT NULL, created DOUBLE NOT NULL,
        started DOUBLE, ended DOUBLE, job_name TEXT, body TEXT NOT NULL, UNIQUE (run_id)
    );
    INSERT INTO schema_versions VALUES (1, 1700000000.0);
"""
OLD_RUN = RunRecord("r1", "SUCCESS", 1.0, 2.0, 3.0, tags={"team": "sales"}, asset_keys=(ORDERS,))
OLD_EVENTS = [
    Event("RUN_START", "r1", 2.0),
    materialization(ORDERS, "mon", at=10.0),
    materialization(ORDERS, "tue", at=11.0),
    materialization(ORDERS, "mon", at=9.0),
    observation(ORDERS, at=12.0),
    materialization(AssetKey(["a/b", "c"]), "", at=13.0),
]


class TestSqliteEventLog(PersistentEventLogContract):
    @pytest.fixture
    def open_log(self, tmp_path: Path) -> OpenLog:
        return functools.partial(SqliteEventLog, tmp_path / "record.db")


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "record.db"


@pytest.fixture
def old(path: Path) -> Iterator[sqlite3.Connection]:
    """A record of version 1, in use by a program that has it open: its last events are in the write-ahead log only."""
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("PRAGMA journal_mode=WAL")
        connection.executescript(VERSION_1)
        connection.execute(
            "INSERT INTO runs VALUES (1, 'r1', 'SUCCESS', 1.0, 2.0, 3.0, NULL, ?)",
            [run_body(OLD_RUN)],
        )
        connection.executemany(
            "INSERT INTO events (run_id, event_type, timestamp, asset_key, body) VALUES (?, ?, ?, ?, ?)",
            [(e.run_id, e.event_type, e.timestamp, e.asset_key and key_text(e.asset_key), event_body(e)) for e in OLD_EVENTS],
        )
        connection.commit()
        yield connection


def query(path: Path, sql: str) -> list[tuple[object, ...]]:
    with closing(sqlite3.connect(path)) as connection:
        return connection.execute(sql).fetchall()


class TestMigration:
    def test_an_older_record_is_brought_up_to_date(self, path: Path, old: sqlite3.Connection) -> None:
        with closing(SqliteEventLog(path)) as log:
            latest = log.get_latest(MADE, [ORDERS, AssetKey(["a/b", "c"])])

            assert unnumbered(log.get_events()) == OLD_EVENTS
            assert log.get_runs() == [OLD_RUN]
            assert [event.timestamp for event in latest.values()] == [9.0, 13.0]
            assert log.get_latest(MADE, [ORDERS], "tue")[ORDERS].timestamp == 11.0
            assert log.get_partitions(MADE, ORDERS) == {"mon": 4, "tue": 3}
            assert log.get_latest("ASSET_OBSERVATION", [ORDERS])[ORDERS].timestamp == 12.0

        assert query(path, "SELECT version FROM schema_versions") == [(version,) for version in range(1, VERSION + 1)]

    def test_the_tables_are_those_of_a_new_record(self, path: Path, old: sqlite3.Connection, tmp_path: Path) -> None:
        SqliteEventLog(path).close()
        SqliteEventLog(tmp_path / "new.db").close()

        with closing(sqlite3.connect(path)) as migrated, closing(sqlite3.connect(tmp_path / "new.db")) as new:
            assert describe(migrated) == describe(new)

    def test_the_old_file_is_copied_aside_whole(self, path: Path, old: sqlite3.Connection) -> None:
        path.with_name("record.db.v1-backup-1").touch()

        SqliteEventLog(path).close()
        SqliteEventLog(path).close()

        backup = path.with_name("record.db.v1-backup-2")
        assert query(backup, "SELECT max(version) FROM schema_versions") == [(1,)]
        assert query(backup, "SELECT count(*) FROM events") == [(len(OLD_EVENTS),)]
        assert sorted(p.name for p in path.parent.glob("*backup*")) == ["record.db.v1-backup-1", "record.db.v1-backup-2"]

    def test_several_that_open_it_at_once_migrate_it_once(self, path: Path, old: sqlite3.Connection) -> None:
        barrier = threading.Barrier(4)

        def open_and_read(_: int) -> list[Event]:
            barrier.wait()
            with closing(SqliteEventLog(path)) as log:
                return unnumbered(log.get_events())

        with ThreadPoolExecutor(4) as pool:
            told = list(pool.map(open_and_read, range(4)))

        assert told == [OLD_EVENTS] * 4
        assert [p.name for p in path.parent.glob("*backup*")] == ["record.db.v1-backup-1"]

    def test_alembic_is_imported_where_a_migration_is_due_only(self, path: Path, old: sqlite3.Connection) -> None:
        program = (
            "import sys; from warehouse_assets.instance.sqlite import SqliteEventLog\n"
            "for name in sys.argv[1:]: SqliteEventLog(name).close(); print('alembic' in sys.modules)"
        )
        new = path.with_name("new.db")

        done = subprocess.run([sys.executable, "-c", program, new, new, path], capture_output=True, text=True, check=True)

        assert done.stdout.split() == ["False", "False", "True"]

    def test_a_migration_that_fails_changes_nothing(self, path: Path, old: sqlite3.Connection) -> None:
        old.execute("CREATE INDEX runs_by_status ON runs (status)")  # what a step of the migration would create

        with pytest.raises(InstanceError, match="runs_by_status already exists"):
            SqliteEventLog(path)

        assert query(path, "SELECT version FROM schema_versions") == [(1,)]
        assert query(path, "SELECT name FROM sqlite_master WHERE name = 'latest'") == []
        assert query(path, "SELECT count(*) FROM events") == [(len(OLD_EVENTS),)]


def describe(connection: sqlite3.Connection) -> dict[str, list[tuple[object, ...]]]:
    """The tables of a database, with their columns and indexes."""
    tables = connection.execute("SELECT name, ncol, wr FROM pragma_table_list WHERE schema = 'main'").fetchall()
    described = {}
    for name, *options in sorted(tables):
        columns = connection.execute('SELECT name, type, "notnull", pk FROM pragma_table_info(?)', [name]).fetchall()
        indexes = connection.execute('SELECT name, "unique", partial FROM pragma_index_list(?)', [name]).fetchall()
        described[name] = [tuple(options), *columns, *sorted(indexes)]
    return described


class TestRefusal:
    def refused(self, path: Path) -> str:
        with pytest.raises(InstanceError) as info:
            SqliteEventLog(path)
        return str(info.value)

    def test_a_record_of_a_newer_version(self, path: Path) -> None:
        SqliteEventLog(path).close()
        with closing(sqlite3.connect(path)) as connection:
            connection.execute("INSERT INTO schema_versions VALUES (?, 0)", [VERSION + 7])
            connection.commit()

        assert self.refused(path) == (
            f"the record {path} is of version {VERSION + 7}, and this release reads up to version {VERSION}."
            " Upgrade warehouse-assets, or use another folder."
        )

    def test_a_file_that_is_no_database(self, path: Path) -> None:
        path.write_text("something else\n" * 100)

        assert "file is not a database. Move the file aside" in self.refused(path)
        assert path.read_text() == "something else\n" * 100

    def test_a_database_of_something_else(self, path: Path) -> None:
        with closing(sqlite3.connect(path)) as connection:
            connection.execute("CREATE TABLE orders (id)")
        before = path.read_bytes()

        assert self.refused(path) == f"{path} is a SQLite database, but not a record of runs. Give another file or folder."
        assert path.read_bytes() == before

    def test_a_folder_that_cannot_be_made(self, path: Path) -> None:
        path.write_text("a file")

        assert f"cannot open the record SqliteEventLog('{path / 'record.db'}')" in self.refused(path / "record.db")

    def test_a_damaged_file(self, path: Path) -> None:
        with closing(SqliteEventLog(path)) as log:
            log.store_events([materialization(AssetKey(f"t{n}")) for n in range(2_000)])
        whole = path.read_bytes()
        path.write_bytes(whole[:4096] + b"\xa5" * (len(whole) - 4096))

        with pytest.raises(InstanceError, match=r"malformed\. Move the file aside"), closing(SqliteEventLog(path)) as log:
            log.get_events()

    def test_a_key_that_is_not_text(self, path: Path) -> None:
        with closing(SqliteEventLog(path)) as log:
            with pytest.raises(InstanceError, match="surrogates not allowed"):
                log.store_events([Event("LOG", "r1", 0.0), materialization(AssetKey("half \ud800"))])

            assert log.get_events() == []


def test_what_is_forgotten_makes_room(path: Path) -> None:
    with closing(SqliteEventLog(path)) as log:
        log.store_events([Event("LOG", "r1", 0.0, message="x" * 1_000) for _ in range(2_000)])
        before = log.info()
        log.prune(1.0)
        after = log.info()

    assert (before.kind, before.place, before.version) == ("sqlite", str(path), VERSION)
    assert (before.byte_size or 0) > 2_000_000
    assert (after.byte_size or 0) < 200_000


def test_a_prune_that_cannot_shrink_the_file_has_pruned(path: Path, caplog: pytest.LogCaptureFixture) -> None:
    with closing(SqliteEventLog(path, timeout=0.0)) as log, closing(sqlite3.connect(path)) as reader:
        log.store_events([Event("LOG", "r1", 0.0, message="x" * 1_000) for _ in range(2_000)])
        log._give_back = lambda: log._driver.execute("VACUUM INTO '/nowhere/at/all'")  # type: ignore[method-assign]
        reader.execute("BEGIN")

        pruned = log.prune(1.0)

        assert (pruned.events, log.get_events()) == (2_000, [])
    assert "cannot shrink the record" in caplog.text


class TestOthers:
    """Other programs, and the disk, do what they like."""

    def test_a_writer_is_waited_for(self, path: Path) -> None:
        with closing(SqliteEventLog(path)) as log, closing(hold(path)) as other:
            threading.Timer(0.2, other.commit).start()

            log.store_events([Event("LOG", "r1", 0.0)])

            assert len(log.get_events()) == 1

    def test_a_writer_is_waited_for_before_there_is_a_record(self, path: Path) -> None:
        with closing(hold(path)) as other:
            threading.Timer(0.2, other.commit).start()
            with closing(SqliteEventLog(path)) as log:
                log.store_events([Event("LOG", "r1", 0.0)])

                assert len(log.get_events()) == 1

    def test_a_writer_that_does_not_end_is_reported(self, path: Path) -> None:
        with closing(SqliteEventLog(path, timeout=0.05)) as log, closing(hold(path)):
            with pytest.raises(InstanceError) as info:
                log.store_events([Event("LOG", "r1", 0.0)])

            assert str(info.value) == (
                f"cannot write the record {log}: database is locked. Another program has been writing to it for 0.05 seconds."
            )
            assert log.get_events() == []

    def test_a_full_disk_takes_no_part_of_a_batch(self, path: Path) -> None:
        with closing(SqliteEventLog(path)) as log:
            log.store_events([materialization(ORDERS)])
            stored = log.get_events()
            log._driver.execute("PRAGMA max_page_count = 20")

            with pytest.raises(InstanceError, match="database or disk is full"):
                log.store_events([Event("LOG", "r1", 0.0, message="x" * 1_000) for _ in range(1_000)])

            assert log.get_events() == stored

            log._driver.execute("PRAGMA max_page_count = 100000")
            log.store_events([materialization(ORDERS)])

            assert len(log.get_events()) == 2

    def test_reading_and_writing_do_not_wait_for_each_other(self, path: Path) -> None:
        with closing(SqliteEventLog(path, timeout=0.0)) as log, closing(hold(path)) as reader:
            reader.execute("COMMIT")
            reader.execute("BEGIN")
            reader.execute("SELECT * FROM events").fetchall()

            log.store_events([Event("LOG", "r1", 0.0)])

            with closing(hold(path)):
                assert len(log.get_events()) == 1

    def test_a_log_that_is_not_closed_ends_quietly(self, path: Path) -> None:
        program = (
            "import sys; from warehouse_assets.instance.sqlite import SqliteEventLog; from warehouse_assets.events import Event\n"
            "log = SqliteEventLog(sys.argv[1]); log.store_events([Event('LOG', 'r1', 0.0)]); log.get_events()"
        )

        done = subprocess.run(
            [sys.executable, "-X", "dev", "-W", "error", "-c", program, path], capture_output=True, text=True, check=False
        )

        assert (done.returncode, done.stderr) == (0, "")
        assert [p.name for p in path.parent.iterdir()] == ["record.db"]

    def test_a_path_may_hold_any_character(self, tmp_path: Path) -> None:
        path = tmp_path / "a b?c=d#é%20" / "record.db"

        with closing(SqliteEventLog(path)) as log:
            log.add_run(RunRecord("r1", "QUEUED", 0.0))

        assert query(path, "SELECT run_id FROM runs") == [("r1",)]


def hold(path: Path) -> sqlite3.Connection:
    """Another program in the middle of writing."""
    connection = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
    connection.execute("BEGIN IMMEDIATE")
    return connection
