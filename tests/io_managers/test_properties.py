"""What is written is read: frames of any types, through the stores of tables."""

from __future__ import annotations

import polars as pl
import pytest
from hypothesis import HealthCheck, given, settings
from polars.testing import assert_frame_equal
from polars.testing.parametric import dataframes

from io_managers.duckdb import DuckDBIOManager
from io_managers.parquet import ParquetIOManager
from warehouse_assets.testing.io_manager import load, store

FRAMES = dataframes(min_cols=1, max_cols=4, max_size=6, excluded_dtypes=[pl.Object, pl.Extension], allow_masked=False)


@pytest.mark.parametrize("lazy", [False, True])
@settings(max_examples=60, suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture])
@given(frame=FRAMES)
def test_duckdb(lazy, frame):
    manager = DuckDBIOManager()
    store(manager, frame.lazy() if lazy else frame)

    assert_frame_equal(load(manager, pl.DataFrame), frame)


@pytest.mark.parametrize("lazy", [False, True])
@settings(max_examples=60, suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture])
@given(frame=FRAMES)
def test_parquet(tmp_path, lazy, frame):
    manager = ParquetIOManager(base_path=str(tmp_path))
    store(manager, frame.lazy() if lazy else frame)

    assert_frame_equal(load(manager, pl.DataFrame), frame)
