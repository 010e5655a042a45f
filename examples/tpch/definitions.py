"""The 22 queries of TPC-H as assets, on DuckDB, Parquet or PostgreSQL; each is a file in `queries`."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import polars as pl

from examples.tpch.land import TABLES
from io_managers import DuckDBIOManager, ParquetIOManager, SQLAlchemyIOManager
from warehouse_assets import (
    AssetsDefinition,
    Definitions,
    EnvVar,
    IOManager,
    SourceAsset,
    asset,
    load_assets_from_sql_files,
)

STORES: dict[str, Callable[[Path], IOManager]] = {
    "duckdb": lambda folder: DuckDBIOManager(database=str(folder / "tpch.duckdb")),
    "parquet": lambda folder: ParquetIOManager(base_path=str(folder)),
    "postgresql": lambda folder: SQLAlchemyIOManager(url=EnvVar("TPCH_DATABASE_URL")),
}


def source(table: str) -> SourceAsset:
    """A table where it was landed, for engines that read Parquet."""
    return SourceAsset(["tpch", table], group_name="tpch", io_manager_key="landed")


def copy(table: str, folder: Path) -> AssetsDefinition:
    """A table copied into the database that answers the questions, once and not with each of them."""

    @asset(key=["tpch", table], group_name="tpch", description=f"The table {table}, as it was landed.")
    def copied() -> pl.LazyFrame:
        return pl.scan_parquet(folder / "tpch" / f"{table}.parquet")

    return copied


def definitions(store: str, folder: Path) -> Definitions:
    """The assets with their storage: the tables are landed in `folder`/tpch, the answers go to a store of this name."""
    tables = [copy(table, folder) if store == "postgresql" else source(table) for table in TABLES]
    answers = load_assets_from_sql_files("queries", key_prefix="answers", group_name="answers")
    return Definitions(
        assets=[*tables, *answers],
        resources={"io_manager": STORES[store](folder), "landed": ParquetIOManager(base_path=str(folder))},
    )


defs = definitions(os.environ.get("TPCH_STORE", "duckdb"), Path(os.environ.get("TPCH_FOLDER", "build/tpch")))
