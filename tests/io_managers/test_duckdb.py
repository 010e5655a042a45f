from __future__ import annotations

import logging
import os
import subprocess
import sys
import textwrap
from concurrent.futures import ThreadPoolExecutor

import duckdb
import polars as pl
import pyarrow as pa
import pytest

from io_managers.duckdb import DuckDBIOManager, notes
from io_managers.parquet import ParquetIOManager
from warehouse_assets.errors import SchemaChangedError, StoreLockedError, TableError, TableNotFoundError, UnsupportedTypeError
from warehouse_assets.io_manager import io_manager_from_uri
from warehouse_assets.keys import AssetKey
from warehouse_assets.sql import SQL
from warehouse_assets.table_options import TableOptions
from warehouse_assets.testing.io_manager import (
    KEY,
    ORDERS,
    AtomicContract,
    SQLContract,
    TableContract,
    ViewContract,
    load,
    source,
    store,
)


@pytest.fixture
def manager(tmp_path):
    return DuckDBIOManager(database=str(tmp_path / "w.duckdb"), lock_timeout=30)


class TestDuckDBIOManager(TableContract, SQLContract, AtomicContract):
    STORE = "DuckDB"

    @pytest.fixture
    def manager(self, tmp_path):
        return DuckDBIOManager(database=str(tmp_path / "w.duckdb"))

    def byte_size(self, manager, key):
        with duckdb.connect(manager.database) as connection:
            connection.execute("checkpoint")
            [(blocks,)] = connection.execute(
                "select count(distinct block_id) from pragma_storage_info(?) where block_id >= 0",
                [manager.table_name(key).quoted],
            ).fetchall()
        return blocks * 262_144

    def debris(self, manager):
        with duckdb.connect(manager.database) as connection:
            tables = connection.execute("select table_schema || '.' || table_name from information_schema.tables").fetchall()
        return {name for (name,) in tables} - {"shop.orders"}


class TestViews(ViewContract):
    STORE = "DuckDB"

    @pytest.fixture
    def manager(self, tmp_path):
        return DuckDBIOManager(database=str(tmp_path / "w.duckdb"))

    def test_a_view_that_others_made_is_kept(self, manager):
        store(manager, ORDERS)
        with duckdb.connect(manager.database) as connection:
            connection.execute("create view shop.theirs as from shop.orders")
        theirs = AssetKey(["shop", "theirs"])
        for options in ({}, {"table_options": TableOptions(materialized="view")}):
            with pytest.raises(TableError, match="is a view, not a table"):
                store(manager, SQL("select id from shop.orders"), theirs, sources={KEY: source(manager, KEY)}, **options)

        assert load(manager, key=theirs).height == 3


class TestInMemory(TableContract, SQLContract, ViewContract):
    STORE = "DuckDB in memory"

    @pytest.fixture
    def manager(self):
        return DuckDBIOManager()

    def byte_size(self, manager, key):
        return None


@pytest.fixture
def held(manager):
    """Runs a program that holds the file for some seconds, and returns when it does."""
    children = []

    def hold(seconds, **options):
        script = f"""
            import duckdb, time
            connection = duckdb.connect({manager.database!r}, **{options!r})
            print("held", flush=True)
            time.sleep({seconds})
            connection.close()
        """
        child = subprocess.Popen([sys.executable, "-c", textwrap.dedent(script)], stdout=subprocess.PIPE)
        children.append(child)
        child.stdout.readline()
        return child

    yield hold
    for child in children:
        child.kill()
        child.communicate()


def is_open(path):
    return str(path) in {os.path.realpath(f"/proc/self/fd/{number}") for number in os.listdir("/proc/self/fd")}


class TestSharing:
    def test_a_file_that_another_program_holds_is_waited_for_with_one_line_that_names_it(self, manager, held, caplog):
        store(manager, ORDERS)
        child = held(1)
        with caplog.at_level(logging.WARNING, "warehouse_assets"):
            frame = load(manager)
        [line] = [record.getMessage() for record in caplog.records]

        assert frame.height == 3
        assert f"(process {child.pid}); waiting for it up to 30 s" in line

    def test_a_file_that_is_held_too_long_is_reported_with_its_holder(self, manager, held):
        store(manager, ORDERS)
        child = held(60)
        with pytest.raises(StoreLockedError, match=rf"w\.duckdb is held by .*\(process {child.pid}\); waited 0\.2 s") as caught:
            store(manager.with_config({"lock_timeout": 0.2}), ORDERS)

        assert caught.value.pid == child.pid

    def test_a_file_that_others_only_read_can_be_read(self, manager, held):
        store(manager, ORDERS)
        held(60, read_only=True)

        assert load(manager).height == 3

    def test_a_write_waits_for_a_reader_in_this_process_that_shares_the_file_with_others(self, manager, held):
        store(manager, ORDERS)
        child = held(60, read_only=True)
        lazy = load(manager, pl.LazyFrame)
        child.kill()
        child.wait()

        with pytest.raises(StoreLockedError, match="held by a reader in this process"):
            store(manager.with_config({"lock_timeout": 0.2}), ORDERS)
        del lazy
        assert store(manager, ORDERS)["row_count"] == 3

    def test_programs_take_turns(self, manager):
        script = f"""
            import polars as pl
            from io_managers.duckdb import DuckDBIOManager
            from warehouse_assets.keys import AssetKey
            from warehouse_assets.testing.io_manager import store
            import sys

            manager = {manager!r}
            for number in range(5):
                store(manager, pl.DataFrame({{"n": [number]}}), AssetKey([sys.argv[1], f"table {{number}}"]))
        """

        def run(name):
            return subprocess.run(
                [sys.executable, "-c", textwrap.dedent(script), name], capture_output=True, text=True, timeout=120
            )

        with ThreadPoolExecutor(3) as threads:
            failures = [done.stderr for done in threads.map(run, "abc") if done.returncode]

        assert failures == []
        assert [load(manager, key=AssetKey([name, "table 4"])).item() for name in "abc"] == [4, 4, 4]

    @pytest.mark.parametrize("kind", [pl.DataFrame, pa.Table])
    def test_the_file_is_let_go_after_a_read(self, manager, kind):
        store(manager, ORDERS)
        load(manager, kind)

        assert not is_open(manager.database)

    @pytest.mark.parametrize("kind", [pl.LazyFrame, pa.RecordBatchReader, duckdb.DuckDBPyRelation])
    def test_what_is_read_later_holds_the_file_as_long_as_it_lives(self, manager, kind):
        store(manager, ORDERS)
        later = load(manager, kind)
        if kind is pl.LazyFrame:
            later = later.select("id")

        assert is_open(manager.database)
        del later
        assert not is_open(manager.database)

    def test_a_stream_lets_the_file_go_at_its_end(self, manager):
        store(manager, ORDERS)
        reader = load(manager, pa.RecordBatchReader)

        assert reader.read_all().num_rows == 3
        assert not is_open(manager.database)

    def test_a_failed_read_lets_the_file_go(self, manager):
        store(manager, ORDERS)
        with pytest.raises(TableNotFoundError):
            load(manager, key=AssetKey("other"))

        assert not is_open(manager.database)

    def test_reading_makes_no_file(self, manager):
        with pytest.raises(TableNotFoundError):
            load(manager)
        with manager.query(SQL("select 1 as one"), {}) as reader:
            rows = reader.read_all().to_pylist()

        assert rows == [{"one": 1}]
        assert not os.path.exists(manager.database)

    def test_a_file_that_may_not_be_written_can_be_read(self, manager):
        store(manager, ORDERS)
        os.chmod(manager.database, 0o444)
        script = f"""
            import os
            from io_managers.duckdb import DuckDBIOManager
            from warehouse_assets.testing.io_manager import load
            folder = os.open({os.path.dirname(manager.database)!r}, os.O_RDONLY)
            os.fchdir(folder)
            if os.getuid() == 0:  # who may write anything
                os.setuid(65534)
            print(load(DuckDBIOManager(database="w.duckdb")).height)
        """
        for folder in list(_parents(manager.database)):
            os.chmod(folder, 0o755)
        done = subprocess.run([sys.executable, "-c", textwrap.dedent(script)], capture_output=True, text=True, timeout=60)

        assert done.stdout.strip() == "3", done.stderr


def _parents(path):
    while (path := os.path.dirname(path)) not in ("/", "/tmp"):
        yield path


class TestTables:
    def test_a_schema_may_have_the_name_of_the_file(self, tmp_path):
        manager = DuckDBIOManager(database=str(tmp_path / "shop.duckdb"))
        store(manager, ORDERS)
        store(manager, SQL("select sum(id) as total from shop.orders"), AssetKey("made"), sources={KEY: source(manager, KEY)})

        assert load(manager, key=AssetKey("made")).item() == 6

    def test_keys_of_one_segment_go_to_the_given_schema(self, tmp_path):
        manager = DuckDBIOManager(database=str(tmp_path / "w.duckdb"), schema="staging")

        assert store(manager, ORDERS, AssetKey("orders"))["table_name"] == "staging.orders"

    def test_columns_that_differ_in_case_only_are_refused(self, manager):
        with pytest.raises(SchemaChangedError, match="columns 'a' and 'A', which are one to DuckDB"):
            store(manager, pl.DataFrame({"a": [1], "A": [2]}))

    def test_a_frame_without_columns_is_refused(self, manager):
        with pytest.raises(UnsupportedTypeError, match="without columns"):
            store(manager, pl.DataFrame())

    def test_python_objects_are_refused_with_their_column(self, manager):
        with pytest.raises(UnsupportedTypeError, match="column 'things' of asset 'shop/orders'"):
            store(manager, pl.DataFrame({"things": [object()]}))

    def test_a_view_is_not_replaced(self, manager):
        with duckdb.connect(manager.database) as connection:
            connection.execute("create schema shop; create view shop.orders as select 1 as id")
        with pytest.raises(TableError, match="is a view, not a table"):
            store(manager, ORDERS)

        assert load(manager).rows() == [(1,)]

    def test_sql_users_see_types_of_theirs(self, manager):
        store(
            manager,
            pl.DataFrame(
                {"kind": ["a"], "span": [1], "big": [1], "at": [1]},
                schema={
                    "kind": pl.Categorical,
                    "span": pl.Duration("ms"),
                    "big": pl.Int128,
                    "at": pl.Datetime("ms", "Europe/Berlin"),
                },
            ),
        )
        with duckdb.connect(manager.database) as connection:
            types = [row[1] for row in connection.execute("describe shop.orders").fetchall()]

        assert types == ["VARCHAR", "INTERVAL", "HUGEINT", "TIMESTAMP WITH TIME ZONE"]

    @pytest.mark.parametrize(
        "change",
        [
            "create or replace table shop.orders as select 'new' as kind",
            "alter table shop.orders alter kind type varchar[] using [kind]",
            "comment on table shop.orders is 'for people'",
            "comment on table shop.orders is '[]'",
        ],
    )
    def test_a_type_is_forgotten_when_someone_else_changes_the_table(self, manager, change):
        store(manager, pl.DataFrame({"kind": pl.Series(["a"], dtype=pl.Enum(["a"]))}))
        before = load(manager).schema["kind"]
        with duckdb.connect(manager.database) as connection:
            connection.execute(change)

        assert before == pl.Enum(["a"])
        assert load(manager).schema["kind"] in (pl.String, pl.List(pl.String))

    def test_types_are_those_of_the_last_write_however_soon_it_is_read(self, manager):
        dtypes = [pl.Enum(["a"]), pl.String(), pl.Categorical(), pl.Enum(["a", "b"])] * 5
        found = []
        for dtype in dtypes:
            store(manager, pl.DataFrame({"kind": pl.Series(["a"], dtype=dtype)}))
            found.append(load(manager).schema["kind"])

        assert found == dtypes

    def test_types_are_looked_up_once_while_the_file_stays_as_it_is(self, manager, monkeypatch):
        looked_up = []
        look_up = notes._comments
        monkeypatch.setattr(notes, "_comments", lambda *about: looked_up.append(about) or look_up(*about))
        store(manager, pl.DataFrame({"kind": pl.Series(["a"], dtype=pl.Categorical())}))
        found = [load(manager, kind) for kind in (pl.DataFrame, pl.DataFrame, pl.LazyFrame)]

        assert [frame.collect_schema()["kind"] for frame in found] == [pl.Categorical()] * 3
        assert len(looked_up) == 1

    def test_a_lazy_frame_pushes_its_filter_down(self, manager):
        store(manager, ORDERS)

        assert load(manager, pl.LazyFrame).filter(pl.col("id") > 1).select("kind").collect().rows() == [("b",), (None,)]

    def test_a_table_is_dropped(self, manager):
        from warehouse_assets.io_manager import OutputContext

        dropped = [manager.drop(OutputContext(KEY))]
        store(manager, ORDERS)
        dropped += [manager.drop(OutputContext(KEY)), manager.drop(OutputContext(KEY))]

        assert dropped == [False, True, False]

    def test_a_small_write_beside_an_open_reader_is_measured(self, manager):
        store(manager, ORDERS)
        reader = load(manager, pa.RecordBatchReader)
        recorded = store(manager, ORDERS, AssetKey("small"))
        del reader

        assert recorded["byte_size"] > 0

    def test_a_large_table_is_measured_without_a_checkpoint(self, manager):
        numbers = pl.DataFrame({"n": range(500_000)})
        store(manager, ORDERS)
        reader = load(manager, pa.RecordBatchReader)
        recorded = store(manager, numbers.with_columns(r=pl.col("n").hash()))
        del reader

        assert recorded["byte_size"] == TestDuckDBIOManager().byte_size(manager, KEY)


class TestQuery:
    def test_a_query_reads_tables_of_several_stores(self, manager, tmp_path):
        lake = ParquetIOManager(base_path=str(tmp_path / "lake"))
        store(manager, ORDERS)
        store(lake, pl.DataFrame({"id": [2], "name": ["two"]}), AssetKey("names"))
        sources = {KEY: source(manager, KEY), AssetKey("names"): source(lake, AssetKey("names"))}
        with manager.query(SQL("select id, name from shop.orders join names using (id)"), sources) as reader:
            rows = reader.read_all().to_pylist()

        assert rows == [{"id": 2, "name": "two"}]
        assert not is_open(manager.database)


class TestConfiguration:
    @pytest.mark.parametrize(
        ("uri", "database"),
        [
            ("duckdb:///w.duckdb", "w.duckdb"),
            ("duckdb:////data/w%20x.duckdb", "/data/w x.duckdb"),
            ("duckdb://", ":memory:"),
            ("duckdb:///w.duckdb?schema=staging", "w.duckdb"),
        ],
    )
    def test_a_uri_names_a_database(self, uri, database):
        manager = io_manager_from_uri(uri)

        assert isinstance(manager, DuckDBIOManager)
        assert manager.database == database
        assert manager.schema_ == ("staging" if "?" in uri else "main")

    def test_a_schema_may_be_called_like_the_file(self, tmp_path):
        manager = DuckDBIOManager(database=f"{tmp_path}/shop.duckdb")
        count = AssetKey(["shop", "count"])
        for _ in range(2):
            store(manager, ORDERS)
            store(manager, SQL("select count(orders.id) as n from shop.orders"), count, sources={KEY: source(manager, KEY)})

        assert load(manager, key=count).rows() == [(3,)]

    def test_a_pivot_over_whatever_values_there_are_makes_a_table(self, tmp_path):
        manager = DuckDBIOManager(database=f"{tmp_path}/w.duckdb")
        store(manager, ORDERS)
        pivoted = AssetKey("pivoted")
        query = SQL("pivot (select kind, amount from shop.orders where kind is not null) on kind using sum(amount)")
        metadata = store(manager, query, pivoted, sources={KEY: source(manager, KEY)})

        assert load(manager, key=pivoted).to_dicts() == [{"a": 9.5, "b": None}]
        assert metadata["row_count"] == 1

    def test_settings_of_duckdb_hold_for_the_file(self, tmp_path):
        settings = {"memory_limit": "100MiB", "threads": 1}
        manager = DuckDBIOManager(database=f"{tmp_path}/w.duckdb", connection_config=settings)
        store(manager, SQL("select current_setting('memory_limit') as memory, current_setting('threads') as threads"))

        assert load(manager).rows() == [("100.0 MiB", 1)]

    def test_a_uri_gives_settings_of_duckdb(self):
        manager = io_manager_from_uri("duckdb:///w.duckdb?schema=staging&lock_timeout=2&memory_limit=1GB")

        assert (manager.schema_, manager.lock_timeout, manager.connection_config) == ("staging", 2.0, {"memory_limit": "1GB"})

    @pytest.mark.parametrize("settings", [{"memory_limt": "1GB"}, {"memory_limit": "much"}], ids=["name", "value"])
    def test_settings_that_duckdb_does_not_take_are_refused_at_once(self, settings):
        with pytest.raises(ValueError, match=r"connection_config: .*(memory_limt|Memory must have a number)"):
            DuckDBIOManager(connection_config=settings)

    def test_two_managers_of_one_file_are_one_store(self, tmp_path, monkeypatch):
        monkeypatch.chdir(tmp_path)

        assert DuckDBIOManager(database="w.duckdb").store_id == DuckDBIOManager(database=f"{tmp_path}/w.duckdb").store_id
        assert DuckDBIOManager().store_id != DuckDBIOManager().store_id


def test_a_long_query_draws_no_progress(tmp_path):
    manager = DuckDBIOManager(database=f"{tmp_path}/w.duckdb")
    store(manager, SQL("select current_setting('enable_progress_bar') as drawn"))
    with manager.query(SQL("select current_setting('enable_progress_bar') as drawn"), {}) as reader:
        asked = reader.read_all()["drawn"].to_pylist()

    assert (load(manager, pl.DataFrame).item(), asked) == (False, [False])


def test_a_database_that_is_opened_read_only_is_read_and_not_written(manager):
    store(manager, ORDERS)
    opened = manager.opened_read_only()

    assert load(opened, pl.DataFrame).equals(load(manager, pl.DataFrame))
    with pytest.raises(duckdb.InvalidInputException, match="read-only"):
        store(opened, ORDERS)
