"""Earlier versions of tables, in each store that keeps them."""

from __future__ import annotations

import duckdb
import fsspec
import polars as pl
import pytest

from io_managers.delta import DeltaLakeIOManager
from io_managers.duckdb import DuckDBIOManager
from io_managers.iceberg import IcebergIOManager
from io_managers.parquet import ParquetIOManager
from warehouse_assets.testing.io_manager import VersionsContract, load, store
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
    STORE = "Parquet on S3"

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
