"""Threads and processes at one store at once, on the stores that are files here."""

from __future__ import annotations

import pytest

from io_managers.duckdb import DuckDBIOManager
from io_managers.fsspec import FsspecIOManager
from io_managers.parquet import ParquetIOManager
from warehouse_assets.testing.io_manager import ConcurrencyContract, SharedTableContract

pytestmark = pytest.mark.semantics(40, 44)


class TestDuckDB(ConcurrencyContract, SharedTableContract):
    STORE = "DuckDB"

    @pytest.fixture
    def manager(self, tmp_path):
        return DuckDBIOManager(database=str(tmp_path / "w.duckdb"))


class TestParquet(ConcurrencyContract, SharedTableContract):
    STORE = "Parquet"

    @pytest.fixture
    def manager(self, tmp_path):
        return ParquetIOManager(base_path=str(tmp_path))


class TestPickles(ConcurrencyContract):
    STORE = "pickle"

    @pytest.fixture
    def manager(self, tmp_path):
        return FsspecIOManager(base_path=str(tmp_path))
