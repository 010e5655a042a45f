from __future__ import annotations

import duckdb
import polars as pl
import pytest
from polars.testing import assert_frame_equal

from io_managers.duckdb import DuckDBIOManager
from warehouse_assets.errors import SchemaChangedError
from warehouse_assets.table_options import snapshot
from warehouse_assets.testing.frames import HOSTILE_FRAMES
from warehouse_assets.testing.io_manager import (
    ORDERS,
    AtomicWriteModeContract,
    ColumnsContract,
    SelectionContract,
    WriteModeContract,
    load,
    options,
    store,
)


class TestWriteModes(WriteModeContract, AtomicWriteModeContract, SelectionContract, ColumnsContract):
    STORE = "DuckDB"

    @pytest.fixture
    def manager(self, tmp_path):
        return DuckDBIOManager(database=str(tmp_path / "w.duckdb"))

    def peek(self, manager, key):
        with duckdb.connect(manager.database) as connection:
            return connection.sql(f"from {manager.table_name(key).quoted}").pl()


class TestWriteModesInMemory(WriteModeContract, SelectionContract, ColumnsContract):
    STORE = "DuckDB in memory"

    @pytest.fixture
    def manager(self):
        return DuckDBIOManager()

    def peek(self, manager, key):
        with manager._memory._root.cursor() as connection:
            return connection.sql(f"from {manager.table_name(key).quoted}").pl()


ROWFUL = [name for name in sorted(HOSTILE_FRAMES) if not name.startswith("no rows")]


@pytest.fixture
def manager(tmp_path):
    return DuckDBIOManager(database=str(tmp_path / "w.duckdb"))


class TestTypes:
    @pytest.mark.parametrize("name", ROWFUL)
    def test_types_survive_an_append(self, manager, name):
        frame = HOSTILE_FRAMES[name]
        for _ in range(2):
            store(manager, frame.lazy(), **options("append"))

        assert_frame_equal(load(manager), pl.concat([frame, frame]))

    @pytest.mark.parametrize("name", ROWFUL)
    def test_types_survive_a_snapshot_and_values_are_compared(self, manager, name):
        frame = HOSTILE_FRAMES[name].with_row_index("nr")
        for _ in range(2):
            store(manager, frame, **options(snapshot("nr")))

        assert_frame_equal(load(manager, columns=frame.columns), frame)

    @pytest.mark.parametrize("name", ROWFUL)
    @pytest.mark.parametrize("kind", [pl.DataFrame, pl.LazyFrame])
    def test_types_survive_a_condition(self, manager, name, kind):
        frame = HOSTILE_FRAMES[name].with_row_index("nr")
        store(manager, frame)
        loaded = load(manager, kind, where="nr < 1").lazy().collect()

        assert_frame_equal(loaded, frame[:1])


def test_descriptions_are_comments(manager):
    said = {"id": 'it\'s "one"', "nothing": "of the kind"}
    store(manager, ORDERS, **options(descriptions=said))
    with duckdb.connect(manager.database) as connection:
        comments = connection.execute(
            "select column_name, comment from duckdb_columns() where table_name = 'orders'"
        ).fetchall()

    assert dict(comments) == {"id": 'it\'s "one"', "amount": None, "kind": None}


def test_a_table_of_another_mode_is_no_snapshot(manager):
    store(manager, ORDERS)
    with pytest.raises(SchemaChangedError, match=r"snapshot\(id\), and its table has no column 'valid_from'.*Drop the table"):
        store(manager, ORDERS, **options(snapshot("id")))

    assert load(manager).equals(ORDERS)


def test_a_column_to_sort_by_that_is_missing_is_named(manager):
    with pytest.raises(SchemaChangedError, match=r"'shop/orders' is sorted by 'amonut'.*Did you mean 'amount'"):
        store(manager, ORDERS, **options(sort_by="amonut"))
