"""The 22 queries of TPC-H as assets, on DuckDB, Parquet or PostgreSQL; each is a file in `queries`."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

from examples.tpch.land import TABLES
from io_managers import ParquetIOManager
from warehouse_assets import (
    AssetsDefinition,
    Definitions,
    EnvVar,
    IOManager,
    SourceAsset,
    asset,
    load_assets_from_sql_files,
)

if TYPE_CHECKING:
    import polars as pl

STORES = ("duckdb", "parquet", "postgresql")


def store(name: str, folder: Path) -> IOManager:
    """Where the answers are kept; what a store needs is imported only where it is used."""
    if name == "duckdb":
        from io_managers import DuckDBIOManager

        return DuckDBIOManager(database=str(folder / "warehouse.duckdb"))
    if name == "postgresql":
        from io_managers import SQLAlchemyIOManager

        return SQLAlchemyIOManager(url=EnvVar("TPCH_DATABASE_URL"))
    return ParquetIOManager(base_path=str(folder))


def source(table: str) -> SourceAsset:
    """A table where it was landed, for engines that read Parquet."""
    return SourceAsset(["tpch", table], group_name="tpch", io_manager_key="landed")


def copy(table: str, folder: Path) -> AssetsDefinition:
    """A table copied into the database that answers the questions, once and not with each of them."""

    @asset(key=["tpch", table], group_name="tpch", description=f"The table {table}, as it was landed.")
    def copied() -> pl.LazyFrame:
        import polars as pl

        return pl.scan_parquet(folder / "tpch" / f"{table}.parquet")

    return copied


def definitions(name: str, folder: Path) -> Definitions:
    """The assets with their storage: the tables are landed in `folder`/tpch, the answers go to the store of this name."""
    tables = [copy(table, folder) if name == "postgresql" else source(table) for table in TABLES]
    answers = load_assets_from_sql_files("queries", key_prefix="answers", group_name="answers")
    return Definitions(
        assets=[*tables, *answers],
        resources={"io_manager": store(name, folder), "landed": ParquetIOManager(base_path=str(folder))},
    )


defs = definitions(os.environ.get("TPCH_STORE", "duckdb"), Path(os.environ.get("TPCH_FOLDER", "build/tpch")))
