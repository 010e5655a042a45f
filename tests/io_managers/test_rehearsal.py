"""What a write would make of a table, told without rows: in every store of tables, and across them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from io_managers import (
    DeltaLakeIOManager,
    DuckDBIOManager,
    FsspecIOManager,
    IcebergIOManager,
    ParquetIOManager,
    SQLAlchemyIOManager,
)
from warehouse_assets import SQL, IOManager, upsert
from warehouse_assets.errors import SchemaChangedError, TableNotFoundError, UnsupportedTypeError
from warehouse_assets.testing import io_manager as contracts
from warehouse_assets.testing.io_manager import KEY, ORDERS, load, options, output_context, source, store
from warehouse_assets.testing.io_manager.rehearsal import MART
from warehouse_assets.testing.io_manager.use import input_context


def stores_in(folder: Path) -> dict[str, Callable[[], IOManager]]:
    return {
        "duckdb": lambda: DuckDBIOManager(database=f"{folder}/w.duckdb"),
        "parquet": lambda: ParquetIOManager(base_path=f"{folder}/lake"),
        "delta": lambda: DeltaLakeIOManager(base_path=f"{folder}/delta"),
        "iceberg": lambda: IcebergIOManager(warehouse=f"{folder}/iceberg"),
        "arrow": lambda: FsspecIOManager(base_path=f"{folder}/arrow", format="arrow"),
        "sqlite": lambda: SQLAlchemyIOManager(url=f"sqlite:///{folder}/w.sqlite"),
    }


class TestDuckDB(contracts.RehearsalContract):
    STORE = "DuckDB"

    @pytest.fixture
    def manager(self, tmp_path):
        return stores_in(tmp_path)["duckdb"]()


class TestParquet(contracts.RehearsalContract):
    STORE = "Parquet"

    @pytest.fixture
    def manager(self, tmp_path):
        return stores_in(tmp_path)["parquet"]()


class TestDelta(contracts.RehearsalContract):
    STORE = "Delta Lake"

    @pytest.fixture
    def manager(self, tmp_path):
        return stores_in(tmp_path)["delta"]()


class TestIceberg(contracts.RehearsalContract):
    STORE = "Iceberg"

    @pytest.fixture
    def manager(self, tmp_path):
        return stores_in(tmp_path)["iceberg"]()


class TestArrow(contracts.RehearsalContract):
    STORE = "Arrow, CSV, JSON"

    @pytest.fixture
    def manager(self, tmp_path):
        return stores_in(tmp_path)["arrow"]()


class TestSQLite(contracts.RehearsalContract):
    STORE = "SQLite"

    @pytest.fixture
    def manager(self, tmp_path):
        return stores_in(tmp_path)["sqlite"]()


class TestPostgreSQL(contracts.RehearsalContract):
    STORE = "PostgreSQL"

    @pytest.fixture
    def manager(self, postgres):
        return SQLAlchemyIOManager(url=postgres.url)


class TestMariaDB(contracts.RehearsalContract):
    STORE = "MariaDB"

    @pytest.fixture
    def manager(self, mariadb_alone):
        return SQLAlchemyIOManager(url=mariadb_alone.url)


def test_a_store_that_is_not_there_is_not_made(tmp_path: Path) -> None:
    manager: Any
    for manager in [make() for make in stores_in(tmp_path).values()]:
        with manager.rehearsal() as rehearsal:
            rehearsal.write(output_context(), ORDERS.lazy())
            with pytest.raises(TableNotFoundError):
                rehearsal.recall(input_context(MART))

    assert [*tmp_path.iterdir()] == []


@pytest.mark.parametrize("name", ["delta", "duckdb", "iceberg", "parquet", "sqlite"])
def test_an_upsert_needs_its_key(name: str, tmp_path: Path) -> None:
    manager: Any = stores_in(tmp_path)[name]()
    store(manager, ORDERS)
    with manager.rehearsal() as rehearsal:
        rehearsal.recall(input_context())
        kept = rehearsal.write(output_context(**options(upsert("id"))), ORDERS.lazy())
        with pytest.raises(SchemaChangedError, match="'id'"):
            rehearsal.write(output_context(**options(upsert("id"))), ORDERS.lazy().rename({"id": "number"}))

    assert kept.names == tuple(ORDERS.columns)


def test_duckdb_tables_keep_types_that_only_duckdb_has(tmp_path: Path) -> None:
    manager = DuckDBIOManager(database=f"{tmp_path}/w.duckdb")
    kinds = "uuid() as u, 'x'::enum('x', 'y') as e, 1::uhugeint as big, '[1]'::json as j, interval 1 day as i"
    manager.run_sql(output_context(), SQL(f"select {kinds}, {{'a': [1::utinyint]}} as s"))
    with manager.rehearsal() as rehearsal:
        recalled = rehearsal.recall(input_context())
        told = rehearsal.write(output_context(MART, sources={KEY: source(rehearsal.io_manager, KEY)}), SQL("from shop.orders"))
    types = {column.name: column.type for column in recalled}

    assert recalled == told
    assert (types["u"], types["e"], types["big"], types["j"]) == ("UUID", "ENUM('x', 'y')", "UHUGEINT", "JSON")


@pytest.mark.parametrize(
    "end", [";", " ; -- done", "\n-- {n} and all;", " /* ; */ ;;"], ids=["plain", "comment", "braces", "several"]
)
def test_whatever_a_query_ends_with(end: str, tmp_path: Path) -> None:
    for manager in (DuckDBIOManager(), ParquetIOManager(base_path=str(tmp_path))):
        with manager.rehearsal() as rehearsal:
            told = rehearsal.write(output_context(), SQL("select {n} as n" + end, n=3))

        assert told.names == ("n",)


def test_a_query_of_endless_rows_is_only_bound(tmp_path: Path) -> None:
    for manager in (DuckDBIOManager(), ParquetIOManager(base_path=str(tmp_path))):
        with manager.rehearsal() as rehearsal:
            told = rehearsal.write(output_context(), SQL("select range as n from range(100_000_000_000_000)"))

        assert told.names == ("n",)


def test_sql_reads_what_was_rehearsed_in_another_store(tmp_path: Path) -> None:
    stores: list[Any] = [make() for make in stores_in(tmp_path).values()]
    for manager in stores:
        for other in stores:
            with manager.rehearsal() as here, other.rehearsal() as there:
                there.write(output_context(), ORDERS.lazy())
                sources = {KEY: source(there.io_manager, KEY)}
                told = here.write(output_context(MART, sources=sources), SQL("select id, amount from shop.orders"))

            assert told.names == ("id", "amount")


def test_a_pickle_stays_closed(tmp_path: Path) -> None:
    manager = FsspecIOManager(base_path=str(tmp_path))
    store(manager, ORDERS)
    with manager.rehearsal() as rehearsal:
        with pytest.raises(UnsupportedTypeError, match="kept as a pickle"):
            rehearsal.recall(input_context())
        lazy = rehearsal.write(output_context(), ORDERS.lazy())
        sources = {KEY: source(rehearsal.io_manager, KEY)}
        told = rehearsal.write(output_context(MART, sources=sources), SQL("select id from shop.orders"))
        empty = load(rehearsal.io_manager, pl.DataFrame)

    assert (lazy.names, told.names, empty.height) == (tuple(ORDERS.columns), ("id",), 0)
