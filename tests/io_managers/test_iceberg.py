from __future__ import annotations

from contextlib import closing
from pathlib import Path

import polars as pl
import pytest
from polars.testing import assert_frame_equal

from io_managers.iceberg import IcebergIOManager
from tests.io_managers.iceberg_tables import catalog_of
from warehouse_assets.errors import TableNotFoundError, UnsupportedTypeError
from warehouse_assets.io_manager import KeepsVersions, OutputContext
from warehouse_assets.keys import AssetKey
from warehouse_assets.sql import SQL
from warehouse_assets.table_options import TableOptions
from warehouse_assets.testing.io_manager import (
    KEY,
    ORDERS,
    AtomicContract,
    ConcurrencyContract,
    SharedTableContract,
    SQLContract,
    TableContract,
    load,
    source,
    store,
    stream,
)
from warehouse_assets.testing.io_manager.use import Broken, input_context


class TestIcebergIOManager(TableContract, SQLContract, AtomicContract, ConcurrencyContract, SharedTableContract):
    STORE = "Iceberg"

    @pytest.fixture
    def manager(self, tmp_path):
        return IcebergIOManager(warehouse=str(tmp_path / "lake [1]*"))

    def byte_size(self, manager, key):
        table = catalog_of(manager).load_table(tuple(key.path))
        return sum(table.inspect.files()["file_size_in_bytes"].to_pylist())

    def debris(self, manager):
        return set()


@pytest.fixture
def on_s3(swift, tmp_path):
    keys = {"s3.access-key-id": swift.key, "s3.secret-access-key": swift.secret, "s3.region": swift.region}
    properties = {"uri": f"sqlite:///{tmp_path}/catalog.db", "s3.endpoint": swift.endpoint, **keys}
    return IcebergIOManager(warehouse=f"{swift.uri}/lake", properties=properties)


def test_a_table_on_s3_is_written_read_and_replaced(on_s3):
    store(on_s3, ORDERS)
    first = load(on_s3)
    made = AssetKey("made")
    store(on_s3, SQL("select id from shop.orders where id > 1 order by id"), made, sources={KEY: source(on_s3, KEY)})
    store(on_s3, stream(ORDERS.select("id")))

    assert_frame_equal(first, ORDERS)
    assert_frame_equal(load(on_s3), ORDERS.select("id"))
    assert load(on_s3, key=made)["id"].to_list() == [2, 3]


def test_a_write_to_s3_that_fails_leaves_no_file(on_s3, swift):
    store(on_s3, ORDERS)
    with closing(swift.client()) as client:
        before = [entry["Key"] for entry in client.list_objects_v2(Bucket=swift.name)["Contents"]]
        with pytest.raises(Broken), on_s3.stage(OutputContext(KEY), ORDERS.head(1)):
            raise Broken
        after = [entry["Key"] for entry in client.list_objects_v2(Bucket=swift.name)["Contents"]]

    assert [name for name in after if not name.endswith("/")] == before  # markers of folders are no files
    assert_frame_equal(load(on_s3), ORDERS)


def test_versions_that_are_not_kept_go_with_their_files_on_s3(on_s3, swift):
    metadata = TableOptions(keep_versions=2).in_metadata({})
    for number in (1, 2, 3):
        store(on_s3, ORDERS.head(number), **metadata)

    assert [version.row_count for version in on_s3.table_versions(input_context())] == [2, 3]
    with closing(swift.client()) as client:
        names = [entry["Key"] for entry in client.list_objects_v2(Bucket=swift.name)["Contents"]]
    assert len([name for name in names if name.endswith(".parquet")]) == 2
    assert len([name for name in names if "/snap-" in name]) == 2


@pytest.fixture
def manager(tmp_path):
    return IcebergIOManager(warehouse=str(tmp_path / "lake"))


def table_of(manager):
    return catalog_of(manager).load_table(("shop", "orders"))


def test_secrets_are_not_shown():
    manager = IcebergIOManager(warehouse="s3://lake", properties={"uri": "postgresql://me:s3cret@host/db"})

    assert "s3cret" not in f"{manager!r} {manager} {manager.store_id} {manager.place_of(AssetKey('orders'), {})}"


@pytest.mark.parametrize(
    ("uri", "warehouse", "catalog"),
    [
        ("iceberg:///data/my%20lake", "/data/my lake", "default"),
        ("iceberg://prod", None, "prod"),
        ("iceberg://prod/lake", "/lake", "prod"),
    ],
)
def test_a_uri_names_a_warehouse_or_a_catalog(uri, warehouse, catalog):
    manager = IcebergIOManager.from_uri(uri)

    assert (manager.warehouse, manager.catalog) == (warehouse, catalog)


def test_nothing_is_made_by_a_read(manager, tmp_path):
    with pytest.raises(TableNotFoundError):
        load(manager)

    assert list(tmp_path.iterdir()) == []


def test_a_schema_that_another_process_makes_at_the_same_moment_is_taken(manager, monkeypatch):
    store(manager, ORDERS)
    kind = type(catalog_of(manager))
    exists = kind.namespace_exists
    before = [False, False]  # what the store is told, and then the catalog, just before the other process makes it
    monkeypatch.setattr(kind, "namespace_exists", lambda self, name: before.pop() if before else exists(self, name))
    beside = AssetKey([KEY.path[0], "beside"])

    store(manager, ORDERS, beside)

    assert before == []
    assert_frame_equal(load(manager, key=beside), ORDERS)


@pytest.mark.semantics(40)
def test_a_write_with_other_types_is_one_snapshot_with_new_numbers(manager):
    store(manager, pl.DataFrame({"id": [1], "name": ["a"]}))
    store(manager, pl.DataFrame({"name": ["b"], "id": ["x"]}))
    table = table_of(manager)

    assert {field.name: field.field_id for field in table.schema().fields} == {"name": 2, "id": 3}
    assert len(table.snapshots()) == 2
    assert table.scan().to_arrow().to_pylist() == [{"name": "b", "id": "x"}]
    assert table.scan(snapshot_id=table.snapshots()[0].snapshot_id).to_arrow().to_pylist() == [{"id": 1, "name": "a"}]


def test_a_snapshot_says_who_made_it(manager):
    context = OutputContext(KEY, run_id="run-1")
    manager.handle_output(context, ORDERS)
    summary = table_of(manager).current_snapshot().summary.additional_properties

    assert (summary["warehouse-assets.run-id"], summary["warehouse-assets.asset-key"]) == ("run-1", "shop/orders")


def test_what_others_made_is_read_and_replaced(manager):
    store(manager, ORDERS)
    table = table_of(manager)
    with table.update_schema() as update:
        update.rename_column("kind", "sort")
    table.delete("id = 1")

    assert load(manager).rows() == [(2, None, "b"), (3, 7.0, None)]
    assert load(manager).columns == ["id", "amount", "sort"]

    store(manager, ORDERS)

    assert_frame_equal(load(manager), ORDERS)


def test_moments_that_iceberg_cannot_keep_are_refused(manager):
    frame = pl.DataFrame({"at": pl.Series([1], dtype=pl.Datetime("ns"))})

    with pytest.raises(UnsupportedTypeError, match="'at' of asset 'shop/orders' has moments between two microseconds"):
        store(manager, frame)


def test_a_dropped_table_leaves_nothing(manager):
    store(manager, ORDERS)
    dropped = [manager.drop(OutputContext(KEY)) for _ in range(2)]

    assert dropped == [True, False]
    assert not Path(manager.place_of(KEY, {})).exists()


def test_versions_are_read_and_gone_back_to(manager):
    store(manager, ORDERS)
    store(manager, pl.DataFrame({"id": ["x"]}))
    context = input_context()
    first, second = manager.table_versions(context)
    context.table_version = first.version
    old = manager.load_input(context)
    stats = manager.roll_back(OutputContext(KEY), first.version)

    assert isinstance(manager, KeepsVersions)
    assert (first.row_count, second.row_count, stats.row_count) == (3, 1, 3)
    assert_frame_equal(old, ORDERS)
    assert_frame_equal(load(manager), ORDERS)
    assert_frame_equal(pl.DataFrame(table_of(manager).scan().to_arrow()), ORDERS)
    assert [version.version for version in manager.table_versions(input_context())][-1] == stats.version
    with pytest.raises(TableNotFoundError, match="no version 7"):
        manager.roll_back(OutputContext(KEY), "7")
