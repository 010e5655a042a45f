from __future__ import annotations

import os
from pathlib import Path

import fsspec
import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from io_managers.parquet import ParquetIOManager
from warehouse_assets.keys import AssetKey
from warehouse_assets.sql import SQL
from warehouse_assets.testing.io_manager import FORMS, ORDERS, AtomicContract, SQLContract, TableContract, load, source, store


class TestParquetIOManager(TableContract, SQLContract, AtomicContract):
    STORE = "Parquet"

    @pytest.fixture
    def manager(self, tmp_path):
        return ParquetIOManager(base_path=str(tmp_path / "lake [1]*"))

    def byte_size(self, manager, key):
        return os.path.getsize(Path(manager.base_path, *key.path).with_suffix(".parquet"))

    def debris(self, manager):
        files = {str(path.relative_to(manager.base_path)) for path in Path(manager.base_path).rglob("*") if path.is_file()}
        return files - {"shop/orders.parquet"}


class TestInMemoryFiles(TableContract, SQLContract):
    STORE = "Parquet in memory"

    @pytest.fixture
    def manager(self):
        yield ParquetIOManager(base_path="memory://lake")
        fsspec.filesystem("memory").store.clear()

    def byte_size(self, manager, key):
        return fsspec.filesystem("memory").size(f"/lake/{key.to_user_string()}.parquet")


class TestOnS3:
    @pytest.fixture
    def manager(self, bucket):
        return ParquetIOManager(base_path=f"{bucket.uri}/tables", storage_options=bucket.options)

    def test_a_write_that_fails_publishes_nothing(self, manager):
        store(manager, ORDERS)

        def breaking():
            yield pa.record_batch({"id": list(range(2_000_000))})
            raise ValueError("half way")

        with pytest.raises(ValueError, match="half way"):
            store(manager, pa.RecordBatchReader.from_batches(pa.schema({"id": pa.int64()}), breaking()))

        assert load(manager).equals(ORDERS)
        assert manager._files.fs.find("lake") == ["lake/tables/shop/orders.parquet"]


@pytest.fixture
def manager(tmp_path):
    return ParquetIOManager(base_path=str(tmp_path))


def test_secrets_are_not_shown():
    manager = ParquetIOManager(base_path="memory://lake", storage_options={"secret": "s3cret"})

    assert "s3cret" not in f"{manager!r} {manager} {manager.store_id}"


def test_who_opened_the_old_file_reads_it_to_the_end(manager):
    store(manager, ORDERS)
    reader = load(manager, pa.RecordBatchReader)
    store(manager, ORDERS.clear())

    assert reader.read_all().num_rows == 3


def test_folders_that_look_like_partitions_add_no_column(manager):
    key = AssetKey(["year=2020", "orders"])
    store(manager, ORDERS, key)

    assert [list(pl.DataFrame(load(manager, kind, key)).columns) for kind in (pl.DataFrame, pa.Table)] == [ORDERS.columns] * 2


@pytest.mark.parametrize("make", [*FORMS.values(), lambda: SQL("select 1 as id")], ids=[*FORMS, "sql"])
def test_the_compression_is_that_which_was_asked_for(tmp_path, make):
    manager = ParquetIOManager(base_path=str(tmp_path), compression="snappy")
    uri = store(manager, make())["uri"]

    assert pq.read_metadata(uri).row_group(0).column(0).compression == "SNAPPY"


def test_small_batches_are_gathered_to_row_groups(manager):
    batch = pa.record_batch({"id": list(range(1000))})
    uri = store(manager, pa.RecordBatchReader.from_batches(batch.schema, iter([batch] * 50)))["uri"]

    assert pq.read_metadata(uri).num_row_groups == 1


@pytest.mark.parametrize("uri", ["s3://bucket/prefix", "memory://lake"])
def test_a_uri_names_a_place(uri):
    assert ParquetIOManager.from_uri(uri).base_path == uri


def test_sql_reads_two_remote_tables_of_one_protocol():
    store_ = ParquetIOManager(base_path="memory://two")
    keys = [AssetKey("one"), AssetKey("other")]
    for key in keys:
        store(store_, ORDERS, key)
    sources = {key: source(store_, key) for key in keys}
    store(
        store_,
        SQL("select a.id from one a join other b using (id) where b.id > 1 order by id"),
        AssetKey("made"),
        sources=sources,
    )

    assert load(store_, key=AssetKey("made"))["id"].to_list() == [2, 3]
