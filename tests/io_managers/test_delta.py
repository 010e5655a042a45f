from __future__ import annotations

import datetime as dt

import polars as pl
import pyarrow as pa
import pytest
from deltalake import DeltaTable, write_deltalake
from polars.testing import assert_frame_equal

from io_managers.delta import DeltaLakeIOManager
from warehouse_assets.errors import SchemaChangedError, UnsupportedTypeError
from warehouse_assets.io_manager import OutputContext
from warehouse_assets.keys import AssetKey
from warehouse_assets.table_options import TableOptions
from warehouse_assets.testing.io_manager import (
    BY_DAY,
    KEY,
    ORDERS,
    AtomicContract,
    ConcurrencyContract,
    SharedTableContract,
    SQLContract,
    TableContract,
    days,
    load,
    store,
)


class TestDeltaLakeIOManager(TableContract, SQLContract, AtomicContract, ConcurrencyContract, SharedTableContract):
    STORE = "Delta Lake"

    @pytest.fixture
    def manager(self, tmp_path):
        return DeltaLakeIOManager(base_path=str(tmp_path / "lake [1]*"))

    def byte_size(self, manager, key):
        return sum(pa.table(DeltaTable(manager.place_of(key, {})).get_add_actions())["size_bytes"].to_pylist())

    def debris(self, manager):
        return set()


@pytest.fixture
def manager(tmp_path):
    return DeltaLakeIOManager(base_path=str(tmp_path))


def table(manager, key=KEY):
    return DeltaTable(manager.place_of(key, {}))


@pytest.mark.parametrize(
    ("uri", "place"),
    [
        ("delta:///folder/a%20b", "/folder/a b"),
        ("delta+file:///folder", "/folder"),
        ("delta+s3://bucket/prefix", "s3://bucket/prefix"),
        ("delta+az://container", "az://container"),
    ],
)
def test_a_uri_names_a_place(uri, place):
    assert DeltaLakeIOManager.from_uri(uri).base_path == place


def test_secrets_are_not_shown():
    manager = DeltaLakeIOManager(base_path="s3://lake", storage_options={"aws_secret_access_key": "s3cret"})

    assert "s3cret" not in f"{manager!r} {manager} {manager.store_id} {manager.place(KEY, {})!r}"


def test_a_table_is_in_a_folder_of_its_schema(manager, tmp_path):
    recorded = [
        store(manager, ORDERS, AssetKey(path))["uri"] for path in (["orders"], ["shop", "orders"], ["a", "b", "orders"])
    ]

    assert recorded == [f"{tmp_path}/{folder}/orders" for folder in ("public", "shop", "a@2Fb")]


def test_other_readers_see_plain_types(manager):
    day = dt.datetime.fromisoformat("2024-01-01T12:00:00")
    store(
        manager,
        pl.DataFrame({"kind": pl.Series(["a"], dtype=pl.Categorical), "at": [day], "n": pl.Series([1], dtype=pl.UInt8)}),
    )

    assert pl.read_delta(manager.place_of(KEY, {})).rows() == [("a", day, 1)]
    assert table(manager).to_pyarrow_table()["kind"].to_pylist() == ["a"]


def test_moments_between_two_microseconds_are_refused(manager):
    moments = pl.DataFrame({"at": pl.Series([1001], dtype=pl.Int64).cast(pl.Datetime("ns"))})

    for frame in (moments, moments.lazy(), moments.to_arrow()):
        with pytest.raises(Exception, match="'at' of asset 'shop/orders' has moments between two microseconds"):
            store(manager, frame)


def test_objects_are_refused(manager):
    with pytest.raises(UnsupportedTypeError, match="'x' of asset 'shop/orders' holds Python objects"):
        store(manager, pl.DataFrame({"x": pl.Series([object()], dtype=pl.Object)}))


def test_columns_that_differ_in_case_only_are_refused(manager):
    with pytest.raises(SchemaChangedError, match="'a' and 'A', which are one to Delta"):
        store(manager, pl.DataFrame({"a": [1], "A": [2]}))


def test_a_table_that_others_partitioned_is_read_and_written(manager):
    place = manager.place_of(KEY, {})
    write_deltalake(place, days(d1=1, d2=[2, 3]), partition_by="day")

    assert_frame_equal(load(manager).sort("n"), days(d1=1, d2=[2, 3]))
    assert_frame_equal(load(manager, partitions=BY_DAY("2024-01-01")), days(d1=1))

    store(manager, days(d1=10), partitions=BY_DAY("2024-01-01"))

    assert_frame_equal(load(manager).sort("n"), days(d2=[2, 3], d1=10))


def test_a_partition_leaves_the_files_of_others_alone(manager):
    for day in (1, 2, 3):
        store(manager, days(**{f"d{day}": day}), partitions=BY_DAY(f"2024-01-0{day}"))
    before = {*table(manager).file_uris()}
    store(manager, days(d2=20), partitions=BY_DAY("2024-01-02"))

    assert len(before & {*table(manager).file_uris()}) == 2


def test_a_write_keeps_the_properties_of_the_table(manager):
    store(manager, ORDERS)
    table(manager).alter.set_table_properties({"delta.logRetentionDuration": "interval 7 days"})
    store(manager, days(d1=1).with_columns(at=pl.datetime(2024, 1, 1)))

    assert table(manager).metadata().configuration == {"delta.logRetentionDuration": "interval 7 days"}


def test_a_write_that_others_came_before_is_tried_again(manager):
    metadata = TableOptions("append").in_metadata({})
    store(manager, days(d1=1), **metadata)
    with manager.stage(OutputContext(KEY, definition_metadata=metadata), days(d1=2)):
        store(manager, days(d1=3), **metadata)

    assert sorted(load(manager)["n"]) == [1, 2, 3]


def test_what_fails_leaves_no_file(manager, tmp_path):
    store(manager, ORDERS)
    before = sorted(tmp_path.rglob("*"))
    with pytest.raises(SchemaChangedError):
        store(manager, days(d1=1), **TableOptions("append").in_metadata({}))

    assert sorted(tmp_path.rglob("*")) == before


def test_a_dropped_table_is_gone(manager):
    store(manager, ORDERS)

    assert [manager.drop(OutputContext(KEY)) for _ in range(2)] == [True, False]
    assert store(manager, ORDERS)["table_version"] == "0"
