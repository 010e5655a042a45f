"""Delta tables whose columns have other names in their files, as other writers make them."""

from __future__ import annotations

import polars as pl
import pytest
from deltalake import write_deltalake
from polars.testing import assert_frame_equal

from io_managers.delta import DeltaLakeIOManager
from warehouse_assets.errors import TableError
from warehouse_assets.io_manager import OutputContext
from warehouse_assets.table_options import TableOptions
from warehouse_assets.testing.io_manager import BY_DAY, KEY, days, load, store

ROWS = days(d1=[1, 2], d2=3)


@pytest.fixture
def manager(tmp_path):
    manager = DeltaLakeIOManager(base_path=str(tmp_path))
    write_deltalake(manager.place_of(KEY, {}), ROWS, configuration={"delta.columnMapping.mode": "name"})
    return manager


def test_it_is_read(manager):
    assert_frame_equal(load(manager).sort("n"), ROWS)
    assert load(manager, columns=["n"]).columns == ["n"]
    assert load(manager, where="n > 2").rows() == ROWS.tail(1).rows()
    assert load(manager, limit=1).height == 1
    assert load(manager, pl.LazyFrame).filter(pl.col("n") > 1).select("day").collect().height == 2
    assert load(manager, pl.LazyFrame).head(2).collect().height == 2
    assert load(manager, pl.LazyFrame).select(pl.len()).collect().item() == 3
    assert load(manager, partitions=BY_DAY("2024-01-02")).rows() == ROWS.tail(1).rows()


@pytest.mark.parametrize("mode", ["replace", "append"])
def test_no_write_to_it_is_taken(manager, mode):
    with pytest.raises(TableError, match="has other names for its columns in its files"):
        store(manager, ROWS, **TableOptions(mode).in_metadata({}))

    assert_frame_equal(load(manager).sort("n"), ROWS)
    assert manager.drop(OutputContext(KEY))
