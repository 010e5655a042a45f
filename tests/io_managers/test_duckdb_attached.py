"""One manager for several DuckDB files."""

from __future__ import annotations

import duckdb
import polars as pl
import pytest
from polars.testing import assert_frame_equal

from io_managers.duckdb import DuckDBIOManager
from warehouse_assets import Definitions, Instance, TableOptions, asset, materialize
from warehouse_assets.errors import TableNotFoundError
from warehouse_assets.keys import AssetKey
from warehouse_assets.sql import SQL
from warehouse_assets.testing.io_manager import (
    ORDERS,
    load,
    source,
    store,
)

LAKE = AssetKey(["lake", "staging", "orders"])
MAIN = AssetKey(["shop", "orders"])

pytestmark = pytest.mark.semantics(38)


@pytest.fixture
def manager(tmp_path):
    return DuckDBIOManager(database=str(tmp_path / "main.duckdb"), attach={"lake": str(tmp_path / "lake.duckdb")})


def tables(file):
    with duckdb.connect(file) as connection:
        rows = connection.execute("select table_schema || '.' || table_name from information_schema.tables").fetchall()
    return {name for (name,) in rows}


def test_the_segment_before_the_schema_is_the_database(manager):
    recorded = store(manager, ORDERS, LAKE)
    store(manager, ORDERS.head(1), MAIN)
    store(manager, ORDERS.head(2), AssetKey(["other", "staging", "orders"]))

    assert recorded["table_name"] == "lake.staging.orders"
    assert tables(manager.attach["lake"]) == {"staging.orders"}
    assert tables(manager.database) == {"shop.orders", "other/staging.orders"}
    assert_frame_equal(load(manager, key=LAKE), ORDERS)


def test_keys_like_those_of_another_database_have_a_place_of_their_own(manager):
    keys = [LAKE, AssetKey(["staging", "orders"]), AssetKey(["lake/staging", "orders"]), AssetKey(["lake", "staging"])]

    assert len({manager.place_of(key, {}) for key in keys}) == 4


def test_sql_reads_across_databases(manager):
    @asset(key=LAKE)
    def staged():
        return ORDERS

    @asset(key=MAIN, deps=[LAKE])
    def orders():
        return SQL("select * from lake.staging.orders where id > 1")

    @asset(key=["lake", "marts", "counts"], deps=[MAIN, LAKE])
    def counts():
        return SQL("select (select count(*) from shop.orders) as here, count(*) as there from lake.staging.orders")

    result = materialize([staged, orders, counts], resources={"io_manager": manager}, instance=Instance.ephemeral())

    assert result.asset_value(["lake", "marts", "counts"]).rows() == [(2, 3)]
    with manager.query(SQL("select count(*) from lake.staging.orders"), {LAKE: source(manager, LAKE)}) as reader:
        assert reader.read_all().to_pylist() == [{"count_star()": 3}]


def test_a_table_that_is_not_there_is_missed_in_its_file(manager):
    with pytest.raises(TableNotFoundError, match=r"lake.staging.orders does not exist in .*lake\.duckdb"):
        load(manager, key=LAKE)
    store(manager, ORDERS, AssetKey(["lake", "staging", "others"]))
    with pytest.raises(TableNotFoundError, match=r"does not exist in .*lake\.duckdb"):
        load(manager, key=LAKE)


def test_versions_are_kept_there_too(manager):
    numbers = [1, 2]

    @asset(key=LAKE, table=TableOptions(keep_versions=2))
    def table():
        return pl.DataFrame({"n": [numbers.pop(0)]})

    definitions = Definitions(assets=[table], resources={"io_manager": manager})
    with Instance.ephemeral() as instance:
        runs = [materialize([table], resources={"io_manager": manager}, instance=instance).run_id for _ in range(2)]
        found = [definitions.load_asset_value(LAKE, as_of=run, instance=instance).item() for run in runs]

    assert found == [1, 2]
