"""Stores that hold the source of the shop."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from io_managers import (
    DeltaLakeIOManager,
    DuckDBIOManager,
    IcebergIOManager,
    ParquetIOManager,
    SQLAlchemyIOManager,
)
from tests.planning.shop import filled


@pytest.fixture(params=["duckdb", "parquet", "postgres"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Any:
    made: Any
    if request.param == "duckdb":
        made = DuckDBIOManager(database=f"{tmp_path}/shop.duckdb")
    elif request.param == "parquet":
        made = ParquetIOManager(base_path=f"{tmp_path}/lake")
    else:
        made = SQLAlchemyIOManager(url=request.getfixturevalue("postgres").url)
    return filled(made)


@pytest.fixture(params=["duckdb", "parquet", "delta", "iceberg", "sqlite", "postgres", "mariadb"])
def any_store(request: pytest.FixtureRequest, tmp_path: Path) -> Any:
    made: dict[str, Callable[[], Any]] = {
        "duckdb": lambda: DuckDBIOManager(database=f"{tmp_path}/shop.duckdb"),
        "parquet": lambda: ParquetIOManager(base_path=f"{tmp_path}/lake"),
        "delta": lambda: DeltaLakeIOManager(base_path=f"{tmp_path}/lake"),
        "iceberg": lambda: IcebergIOManager(warehouse=f"{tmp_path}/lake"),
        "sqlite": lambda: SQLAlchemyIOManager(url=f"sqlite:///{tmp_path}/shop.db"),
        "postgres": lambda: SQLAlchemyIOManager(url=request.getfixturevalue("postgres").url),
        "mariadb": lambda: SQLAlchemyIOManager(url=request.getfixturevalue("mariadb_alone").url),
    }
    return filled(made[request.param]())


@pytest.fixture
def duckdb_store(tmp_path: Path) -> Any:
    return filled(DuckDBIOManager(database=f"{tmp_path}/shop.duckdb"))
