"""Earlier versions of tables, in each store that keeps them."""

from __future__ import annotations

import errno
import os
import signal
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path

import duckdb
import fsspec
import polars as pl
import pyarrow as pa
import pytest

from io_managers.delta import DeltaLakeIOManager
from io_managers.duckdb import DuckDBIOManager
from io_managers.iceberg import IcebergIOManager
from io_managers.parquet import ParquetIOManager
from warehouse_assets.errors import InvalidDefinitionError, TableNotFoundError
from warehouse_assets.io_manager import OutputContext
from warehouse_assets.partitions.static import StaticPartitionsDefinition
from warehouse_assets.table_options import TableOptions
from warehouse_assets.testing.io_manager import KEY, VersionsContract, load, store
from warehouse_assets.testing.io_manager.versions import at, state, written


class TestDuckDB(VersionsContract):
    STORE = "DuckDB"

    @pytest.fixture
    def manager(self, tmp_path):
        return DuckDBIOManager(database=str(tmp_path / "w.duckdb"))


class TestDuckDBInMemory(VersionsContract):
    STORE = "DuckDB in memory"

    @pytest.fixture
    def manager(self):
        return DuckDBIOManager()


class TestDelta(VersionsContract):
    STORE = "Delta Lake"

    @pytest.fixture
    def manager(self, tmp_path):
        return DeltaLakeIOManager(base_path=str(tmp_path))


class TestIceberg(VersionsContract):
    STORE = "Iceberg"

    @pytest.fixture
    def manager(self, tmp_path):
        return IcebergIOManager(warehouse=str(tmp_path))


class TestParquet(VersionsContract):
    STORE = "Parquet"

    @pytest.fixture
    def manager(self, tmp_path):
        return ParquetIOManager(base_path=str(tmp_path))


class TestParquetInMemory(VersionsContract):
    STORE = "Parquet in memory"

    @pytest.fixture
    def manager(self):
        yield ParquetIOManager(base_path="memory://versions")
        fsspec.filesystem("memory").store.clear()


class TestParquetOnS3(VersionsContract):
    STORE = "Parquet in the clouds"

    @pytest.fixture
    def manager(self, swift):
        return ParquetIOManager(base_path=f"{swift.uri}/lake", storage_options=swift.options)


class TestInDuckDB:
    @pytest.fixture
    def manager(self, tmp_path):
        return DuckDBIOManager(database=str(tmp_path / "w.duckdb"))

    def tables(self, manager):
        with duckdb.connect(manager.database) as connection:
            rows = connection.execute("select schema_name || '.' || table_name from duckdb_tables() order by 1").fetchall()
        return [name for (name,) in rows]

    def test_no_more_are_kept_than_were_asked_for(self, manager):
        for number in range(6):
            manager.handle_output(written(), state(number))

        assert [each.version for each in manager.table_versions(at())] == ["4", "5", "6"]
        assert self.tables(manager) == [
            "shop.orders",
            "warehouse_assets_versions.shop/orders@4",
            "warehouse_assets_versions.shop/orders@5",
            "warehouse_assets_versions.versions",
        ]

    def test_a_table_from_before_has_its_state_kept(self, manager):
        store(manager, state(1))
        manager.handle_output(written("run"), state(2))
        before, after = manager.table_versions(at())

        assert (before.run_id, before.row_count, after.run_id, after.row_count) == (None, 2, "run", 3)
        assert manager.load_input(at(before.version)).height == 2

    def test_who_keeps_no_versions_any_more_keeps_none(self, manager):
        for number in range(3):
            manager.handle_output(written(), state(number))
        recorded = store(manager, state(9))

        assert "table_version" not in recorded
        assert manager.table_versions(at()) == []
        assert self.tables(manager) == ["shop.orders", "warehouse_assets_versions.versions"]

    def test_nothing_is_added_to_a_database_without_versions(self, manager):
        store(manager, pl.DataFrame({"n": [1]}))

        assert self.tables(manager) == ["shop.orders"]
        assert load(manager).height == 1


KILLED = """
import os, signal, sys
from io_managers.parquet import ParquetIOManager
from warehouse_assets.testing.io_manager.versions import state, written

os.link = lambda *paths: os.kill(os.getpid(), signal.SIGKILL)
ParquetIOManager(base_path=sys.argv[1]).handle_output(written("killed"), state(5))
"""


class TestInParquet:
    @pytest.fixture
    def manager(self, tmp_path):
        return ParquetIOManager(base_path=str(tmp_path))

    def files(self, manager):
        return sorted(Path(manager.base_path).glob("shop/orders.parquet.versions/*"))

    def heights(self, manager):
        return [each.row_count for each in manager.table_versions(at())]

    def test_no_more_are_kept_than_were_asked_for_and_take_no_space(self, manager):
        for number in range(6):
            manager.handle_output(written(f"run {number}"), state(number))

        assert self.heights(manager) == [4, 5, 6]
        assert [path.name.partition(".")[2] for path in self.files(manager)] == [f"run%20{n}.parquet" for n in (3, 4, 5)]
        assert os.path.samefile(self.files(manager)[-1], f"{manager.base_path}/shop/orders.parquet")

    @pytest.mark.parametrize(
        "run_id", ["a/../b", "x.parquet", "'; --", "." * 9, "long " * 80], ids=["path", "suffix", "sql", "dots", "long"]
    )
    def test_any_run_id_has_a_file(self, manager, run_id):
        manager.handle_output(written(run_id), state(1))

        assert [each.run_id for each in manager.table_versions(at())] == [run_id if len(run_id) < 100 else None]
        assert len(self.files(manager)) == 1

    def test_a_table_from_before_has_its_state_kept_since_it_was_written(self, manager):
        store(manager, state(1))
        long_ago = datetime(2020, 1, 1, tzinfo=UTC)
        os.utime(f"{manager.base_path}/shop/orders.parquet", (long_ago.timestamp(),) * 2)
        manager.handle_output(written("run"), state(2))
        before, after = manager.table_versions(at())

        assert (before.run_id, before.row_count, after.run_id, after.row_count) == (None, 2, "run", 3)
        assert before.timestamp == long_ago
        assert manager.load_input(at(before.version)).height == 2

    @pytest.mark.parametrize("then", ["versions", "write"])
    def test_what_was_published_before_a_process_was_killed_is_a_version_with_the_next_look(self, manager, then):
        manager.handle_output(written(), state(1))
        done = subprocess.run([sys.executable, "-c", KILLED, manager.base_path], check=False)
        kept = len(self.files(manager))
        if then == "write":
            manager.handle_output(written(), state(7))

        assert (done.returncode, kept) == (-signal.SIGKILL, 1)
        assert self.heights(manager) == [2, 6] + [8] * (then == "write")

    def test_what_others_wrote_is_a_version_with_the_next_look(self, manager):
        manager.handle_output(written(), state(1))
        ParquetIOManager(base_path=manager.base_path).handle_output(written(), state(2))
        pl.DataFrame({"n": [1]}).write_parquet(f"{manager.base_path}/other.parquet")
        os.replace(f"{manager.base_path}/other.parquet", f"{manager.base_path}/shop/orders.parquet")

        assert self.heights(manager) == [2, 3, 1]

    @pytest.mark.parametrize("elsewhere", [False, True], ids=["same thread", "other thread"])
    def test_versions_are_told_while_the_table_is_written_and_others_replaced_it(self, manager, elsewhere):
        manager.handle_output(written(), state(1))
        with manager.stage(written(), state(2)):
            pl.DataFrame({"n": [1]}).write_parquet(f"{manager.base_path}/other.parquet")
            os.replace(f"{manager.base_path}/other.parquet", f"{manager.base_path}/shop/orders.parquet")
            with ThreadPoolExecutor(1) as threads:
                told = threads.submit(self.heights, manager).result(30) if elsewhere else self.heights(manager)

        assert told == [2]
        assert self.heights(manager) == [2, 3]

    def test_a_file_system_without_links_has_copies(self, manager, monkeypatch):
        def refused(*paths):
            raise OSError(errno.EPERM, "no links here")

        monkeypatch.setattr(os, "link", refused)
        for number in range(3):
            manager.handle_output(written(), state(number))
        manager.roll_back(written(), manager.table_versions(at())[0].version)

        assert self.heights(manager) == [2, 3, 1]
        assert load(manager).height == 1
        assert not os.path.samefile(self.files(manager)[-1], f"{manager.base_path}/shop/orders.parquet")

    def test_going_back_to_the_present_one_changes_no_rows(self, manager):
        for number in range(2):
            manager.handle_output(written(), state(number))
        manager.roll_back(written(), manager.table_versions(at())[-1].version)

        assert self.heights(manager) == [1, 2, 2]
        assert sorted(path.name for path in Path(manager.base_path, "shop").iterdir() if "staged" in path.name) == []

    def test_a_clock_that_is_put_back_does_not_change_the_order(self, manager, monkeypatch):
        start = datetime.now(UTC)
        times = iter(start - timedelta(hours=hour) for hour in range(99))
        monkeypatch.setattr(type(manager), "now", lambda self: next(times))
        for number in range(3):
            manager.handle_output(written(), state(number))

        assert self.heights(manager) == [1, 2, 3]

    def test_writers_at_once_make_a_version_each(self, manager):
        metadata = TableOptions("append", keep_versions=20).in_metadata({})
        frame = pl.DataFrame({"n": [1]})

        def write(number):
            context = OutputContext(KEY, run_id=f"run {number}", definition_metadata=metadata)
            ParquetIOManager(base_path=manager.base_path).handle_output(context, frame)

        with ThreadPoolExecutor(8) as threads:
            list(threads.map(write, range(8)))
        versions = manager.table_versions(at())

        assert [each.row_count for each in versions] == list(range(1, 9))
        assert {each.run_id for each in versions} == {f"run {number}" for number in range(8)}

    def test_a_version_that_is_being_read_outlives_its_removal(self, manager):
        manager.handle_output(written(), state(4))
        reader = manager.load_input(at(manager.table_versions(at())[0].version, pa.RecordBatchReader))
        for number in range(3):
            manager.handle_output(written(), state(number))

        assert reader.read_all().num_rows == 5

    def test_other_files_in_the_folder_are_left_alone(self, manager):
        manager.handle_output(written(), state(1))
        (self.files(manager)[0].parent / "mine.parquet").write_text("not a version")
        for number in range(4):
            manager.handle_output(written(), state(number))

        assert self.heights(manager) == [2, 3, 4]
        assert len(self.files(manager)) == 4

    @pytest.mark.parametrize("options", [{}, TableOptions(keep_versions=1).in_metadata({})], ids=["none", "one"])
    def test_who_keeps_no_versions_any_more_keeps_none(self, manager, options):
        for number in range(3):
            manager.handle_output(written(), state(number))
        recorded = store(manager, state(9), **options)

        assert "table_version" not in recorded
        assert manager.table_versions(at()) == []
        assert self.files(manager) == []

    def test_a_table_that_is_removed_takes_its_versions_along(self, manager):
        manager.handle_output(written(), state(1))

        assert manager.drop(written())
        assert self.files(manager) == []
        with pytest.raises(TableNotFoundError):
            manager.table_versions(at())

    def test_partitions_are_refused_on_declaration(self, manager):
        with pytest.raises(InvalidDefinitionError, match=r"partitions and keep_versions.*\n?.*DeltaLakeIOManager"):
            manager.check_asset(KEY, written().definition_metadata, StaticPartitionsDefinition(["a"]))

    def test_nothing_is_added_beside_a_table_without_versions(self, manager):
        store(manager, state(1))

        assert [path.name for path in Path(manager.base_path, "shop").iterdir()] == ["orders.parquet"]
        with pytest.raises(TableNotFoundError, match="keep_versions"):
            manager.roll_back(OutputContext(KEY), "1")


class TestInParquetElsewhere:
    @pytest.fixture
    def manager(self):
        yield ParquetIOManager(base_path="memory://versions")
        fsspec.filesystem("memory").store.clear()

    def stored(self):
        return sorted(path for path in fsspec.filesystem("memory").find("/versions"))

    def test_no_more_are_kept_than_were_asked_for(self, manager):
        for number in range(6):
            manager.handle_output(written(), state(number))

        assert [each.row_count for each in manager.table_versions(at())] == [4, 5, 6]
        assert len(self.stored()) == 4

    def test_what_others_wrote_is_a_version_with_the_next_look(self, manager):
        manager.handle_output(written("mine"), state(1))
        with fsspec.filesystem("memory").open("/versions/shop/orders.parquet", "wb") as file:
            state(4).write_parquet(file)

        assert [(each.run_id, each.row_count) for each in manager.table_versions(at())] == [("mine", 2), (None, 5)]

    def test_versions_are_told_while_the_table_is_written_and_others_replaced_it(self, manager):
        manager.handle_output(written(), state(1))
        with manager.stage(written(), state(2)):
            with fsspec.filesystem("memory").open("/versions/shop/orders.parquet", "wb") as file:
                state(4).write_parquet(file)
            told = [each.row_count for each in manager.table_versions(at())]

        assert told == [2]

    def test_a_file_system_that_cannot_copy_is_copied_through_here(self, manager, monkeypatch):
        def refused(*paths):
            raise NotImplementedError

        monkeypatch.setattr(type(fsspec.filesystem("memory")), "cp_file", refused)
        for number in range(2):
            manager.handle_output(written(), state(number))
        manager.roll_back(written(), manager.table_versions(at())[0].version)

        assert [each.row_count for each in manager.table_versions(at())] == [1, 2, 1]
        assert load(manager).height == 1

    def test_who_keeps_no_versions_any_more_keeps_none(self, manager):
        for number in range(3):
            manager.handle_output(written(), state(number))
        store(manager, state(9))

        assert manager.table_versions(at()) == []
        assert self.stored() == ["/versions/shop/orders.parquet"]
