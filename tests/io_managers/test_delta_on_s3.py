"""Delta tables in a real object store, which has no compare-and-swap: a commit creates the next entry of the log, or fails."""

from __future__ import annotations

from contextlib import closing

import polars as pl
import pyarrow as pa
import pytest
from deltalake import DeltaTable

from io_managers.delta import DeltaLakeIOManager
from io_managers.lakehouse.table import Change, LostRaceError
from warehouse_assets.io_manager import OutputContext
from warehouse_assets.keys import AssetKey
from warehouse_assets.table_options import TableOptions, upsert
from warehouse_assets.testing.io_manager import (
    FORMS,
    KEY,
    ORDERS,
    ConcurrencyContract,
    SharedTableContract,
    StagingContract,
    days,
    load,
    store,
)
from warehouse_assets.testing.io_manager.use import input_context


class TestOnS3(StagingContract):
    STORE = "Delta Lake on S3"

    @pytest.fixture
    def manager(self, swift):
        return DeltaLakeIOManager(base_path=f"{swift.uri}/lake", storage_options=swift.storage_options)

    def peek(self, manager, key):
        return pl.DataFrame(self.table(manager, key).scan().read_all())

    def table(self, manager, key=KEY):
        return DeltaTable(manager.place_of(key, {}), storage_options=dict(manager.storage_options))

    def test_two_writers_of_one_version_do_not_both_win(self, manager, swift):
        store(manager, days(d1=1))
        place = manager.place(KEY, {})
        bases = [place.snapshot(), place.snapshot()]
        changes = [Change([place.files(base, KEY).write(days(d2=2), base)], base.types) for base in bases]
        place.commit(bases[0], changes[0], {})

        with pytest.raises(LostRaceError):
            place.commit(bases[1], changes[1], {})

        assert self.table(manager).version() == 1

    def test_a_write_that_others_came_before_is_tried_again(self, manager):
        metadata = TableOptions("append").in_metadata({})
        store(manager, days(d1=1), **metadata)
        with manager.stage(OutputContext(KEY, definition_metadata=metadata), days(d1=2)):
            store(manager, days(d1=3), **metadata)

        assert sorted(load(manager)["n"]) == [1, 2, 3]

    @pytest.mark.parametrize("make", list(FORMS.values()), ids=list(FORMS))
    def test_a_write_is_measured(self, manager, make):
        recorded = store(manager, make())
        files = pa.table(self.table(manager).get_add_actions())

        assert recorded["row_count"] == 3
        assert recorded["byte_size"] == sum(files["size_bytes"].to_pylist())
        assert recorded["uri"] == f"{manager.base_path}/shop/orders"

    def test_keys_have_places_of_their_own(self, manager):
        keys = [AssetKey(path) for path in (["it's"], ["a/b", "c"], ["a", "b", "c"], ["two words"], ["ünï", "表"])]
        for number, key in enumerate(keys):
            store(manager, pl.DataFrame({"n": [number]}), key)

        assert [load(manager, key=key).item() for key in keys] == [0, 1, 2, 3, 4]

    def test_a_write_that_fails_leaves_no_file(self, manager, swift):
        store(manager, ORDERS)
        with closing(swift.client()) as client:
            before = objects(client, swift)

        def breaking():
            yield pa.record_batch({"id": list(range(300_000))})
            raise ValueError("half way")

        with pytest.raises(ValueError, match="half way"):
            store(manager, pa.RecordBatchReader.from_batches(pa.schema({"id": pa.int64()}), breaking()))

        with closing(swift.client()) as client:
            assert objects(client, swift) == before
        assert load(manager).equals(ORDERS)

    def test_rows_are_updated_by_their_key(self, manager):
        metadata = TableOptions(upsert("n")).in_metadata({})
        store(manager, days(d1=[1, 2]), **metadata)
        store(manager, days(d2=[2, 3]), **metadata)

        assert load(manager).sort("n").rows() == days(d1=1, d2=[2, 3]).rows()

    def test_versions_that_are_not_kept_go_with_their_files(self, manager, swift):
        metadata = TableOptions(keep_versions=2).in_metadata({})
        for day in (1, 2, 3):
            store(manager, days(d1=day), **metadata)

        assert [version.version for version in manager.table_versions(input_context())] == ["1", "2"]
        with closing(swift.client()) as client:
            assert len([name for name in objects(client, swift) if name.endswith(".parquet")]) == 2

    def test_a_dropped_table_is_gone(self, manager, swift):
        store(manager, ORDERS)

        assert manager.drop(OutputContext(KEY))
        assert not manager.drop(OutputContext(KEY))
        with closing(swift.client()) as client:
            assert objects(client, swift) == []


class TestProcessesOnS3(SharedTableContract):
    STORE = "Delta Lake on S3"

    @pytest.fixture
    def manager(self, swift, counted, monkeypatch):
        """One that asks Swift itself; processes, which know what the environment says, ask the proxy, as threads here could not."""
        for name, value in {**swift.at(counted.endpoint).environment, "AWS_ALLOW_HTTP": "true"}.items():
            monkeypatch.setenv(name, value)
        return DeltaLakeIOManager(base_path=f"{swift.uri}/lake", storage_options=swift.storage_options)

    test_two_processes_replace_tables = ConcurrencyContract.test_two_processes_replace_tables_beside_each_other


def objects(client, bucket):
    return sorted(each["Key"] for each in client.list_objects_v2(Bucket=bucket.uri.removeprefix("s3://")).get("Contents", ()))
