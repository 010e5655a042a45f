from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import fsspec
import polars as pl
import pytest
from polars.testing import assert_frame_equal

from io_managers.parquet import ParquetIOManager
from warehouse_assets.errors import SchemaChangedError, TableError
from warehouse_assets.table_options import TableOptions, snapshot
from warehouse_assets.testing.frames import HOSTILE_FRAMES
from warehouse_assets.testing.io_manager import (
    BY_DAY,
    KEY,
    ORDERS,
    AtomicWriteModeContract,
    ColumnsContract,
    SelectionContract,
    WriteModeContract,
    days,
    load,
    options,
    store,
)
from warehouse_assets.testing.io_manager.elsewhere import run_elsewhere


def peeked(manager, key):
    """All rows of the files of a table, in any order."""
    own = manager._own(key)
    paths = [own.whole] if own.is_whole() else list(own.partitions())
    frames = []
    for path in paths:
        with manager._files.open(path) as file:
            frames.append(pl.read_parquet(file))
    return pl.concat(frames)


class TestWriteModes(WriteModeContract, AtomicWriteModeContract, SelectionContract, ColumnsContract):
    STORE = "Parquet"

    @pytest.fixture
    def manager(self, tmp_path):
        return ParquetIOManager(base_path=str(tmp_path / "lake [1]*"))

    def peek(self, manager, key):
        return peeked(manager, key)


class TestWriteModesInMemory(WriteModeContract, SelectionContract, ColumnsContract):
    STORE = "Parquet in memory"

    @pytest.fixture
    def manager(self):
        yield ParquetIOManager(base_path="memory://lake")
        fsspec.filesystem("memory").store.clear()

    def peek(self, manager, key):
        return peeked(manager, key)


ROWFUL = [name for name in sorted(HOSTILE_FRAMES) if not name.startswith("no rows")]


@pytest.fixture
def manager(tmp_path):
    return ParquetIOManager(base_path=str(tmp_path))


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


def test_a_table_of_another_mode_is_no_snapshot(manager):
    store(manager, ORDERS)
    with pytest.raises(SchemaChangedError, match=r"snapshot\(id\), and its table has no column 'valid_from'.*Drop the table"):
        store(manager, ORDERS, **options(snapshot("id")))

    assert load(manager).equals(ORDERS)


def test_rows_in_partitions_are_not_merged_into_a_file(manager):
    store(manager, days(d1=1), partitions=BY_DAY("2024-01-01"))
    with pytest.raises(TableError, match="'shop/orders' keeps the rows it has, and has them in partitions"):
        store(manager, days(d1=1), **options("append"))

    assert load(manager).height == 1


@pytest.mark.parametrize("dtype", [pl.String, pl.Categorical], ids=["by DuckDB", "by polars"])
def test_all_rows_of_a_file_are_sorted(manager, dtype):
    for order in ([3, None, 1], [2, 4]):
        frame = pl.DataFrame({"id": order, "kind": pl.Series(["a"] * len(order), dtype=dtype)})
        store(manager, frame, **options("append", sort_by="id"))

    assert load(manager)["id"].to_list() == [1, 2, 3, 4, None]
    assert load(manager).schema["kind"] == dtype


def test_a_column_to_sort_by_that_is_missing_is_named(manager):
    with pytest.raises(SchemaChangedError, match=r"'shop/orders' is sorted by 'amonut'.*Did you mean 'amount'"):
        store(manager, ORDERS, **options(sort_by="amonut"))


def test_a_partition_may_be_replaced_without_a_column_that_tells_it(manager):
    manager.check_asset(KEY, TableOptions("delete_insert").in_metadata(None), BY_DAY.definition)


def test_processes_lose_no_rows(manager):
    script = """
        from concurrent.futures import ThreadPoolExecutor
        from warehouse_assets.table_options import upsert

        for number in range(5):
            store(manager, pl.DataFrame({"id": [os.getpid() * 10 + number]}), **options(upsert("id")))
    """
    with ThreadPoolExecutor(3) as threads:
        done = list(threads.map(lambda _: run_elsewhere(manager, script), range(3)))

    assert [each.stderr for each in done] == [""] * 3
    assert load(manager).height == 15


@pytest.mark.parametrize("where", ["id > 1", None])
def test_a_lazy_frame_reads_no_more_than_it_has_to(manager, where):
    store(manager, ORDERS)
    lazy = load(manager, pl.LazyFrame, limit=2, **({"where": where} if where else {}))

    assert "SCAN" in lazy.select("id").explain()
    assert lazy.collect().height == 2
