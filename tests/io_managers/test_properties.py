"""What is written is read: frames of any types, through the stores of tables."""

from __future__ import annotations

import polars as pl
import pytest
from hypothesis import HealthCheck, given, settings
from polars.testing import assert_frame_equal
from polars.testing.parametric import dataframes

from io_managers.delta import DeltaLakeIOManager
from io_managers.duckdb import DuckDBIOManager
from io_managers.iceberg import IcebergIOManager
from io_managers.parquet import ParquetIOManager
from io_managers.sqlalchemy import SQLAlchemyIOManager
from warehouse_assets.errors import UnsupportedTypeError
from warehouse_assets.testing.io_manager import load, store

FRAMES = dataframes(min_cols=1, max_cols=4, max_size=6, excluded_dtypes=[pl.Object, pl.Extension], allow_masked=False)
CHECKS = [HealthCheck.too_slow, HealthCheck.function_scoped_fixture]


@pytest.mark.parametrize("lazy", [False, True])
@settings(max_examples=60, suppress_health_check=CHECKS)
@given(frame=FRAMES)
def test_duckdb(lazy, frame):
    manager = DuckDBIOManager()
    store(manager, frame.lazy() if lazy else frame)

    assert_frame_equal(load(manager, pl.DataFrame), frame)


@pytest.mark.parametrize("lazy", [False, True])
@settings(max_examples=60, suppress_health_check=CHECKS)
@given(frame=FRAMES)
def test_parquet(tmp_path, lazy, frame):
    manager = ParquetIOManager(base_path=str(tmp_path))
    store(manager, frame.lazy() if lazy else frame)

    assert_frame_equal(load(manager, pl.DataFrame), frame)


@pytest.fixture(params=["delta", "iceberg", "sqlite", "postgresql"])
def manager(request, tmp_path):
    match request.param:
        case "delta":
            return DeltaLakeIOManager(base_path=str(tmp_path))
        case "iceberg":
            return IcebergIOManager(warehouse=str(tmp_path))
        case "sqlite":
            return SQLAlchemyIOManager(url=f"sqlite:///{tmp_path}/w.db")
    return SQLAlchemyIOManager(url=request.getfixturevalue("postgres").url)


@settings(max_examples=20, deadline=None, suppress_health_check=CHECKS)
@given(frame=FRAMES)
def test_stores_with_types_of_their_own(manager, frame):
    refused = None
    try:
        store(manager, frame)
    except UnsupportedTypeError as error:
        refused = error

    if refused is None:
        assert_frame_equal(load(manager, pl.DataFrame), frame)
    else:
        assert "'shop/orders'" in refused.message
