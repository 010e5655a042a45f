"""Tables in MariaDB, as MySQL keeps them."""

from __future__ import annotations

from contextlib import closing

import polars as pl
import pytest
from polars.testing import assert_frame_equal

from io_managers.sqlalchemy import SQLAlchemyIOManager
from warehouse_assets.errors import InvalidDefinitionError, TableError
from warehouse_assets.keys import AssetKey
from warehouse_assets.partitions.static import StaticPartitionsDefinition
from warehouse_assets.resources import EnvVar
from warehouse_assets.sql import SQL
from warehouse_assets.table_options import delete_insert, snapshot, upsert
from warehouse_assets.tables import Table
from warehouse_assets.testing.contract import departs
from warehouse_assets.testing.frames import HOSTILE_FRAMES, HOSTILE_KEYS, IN_ARROW
from warehouse_assets.testing.io_manager import (
    BY_DAY,
    KEY,
    ORDERS,
    AtomicContract,
    AtomicPartitionContract,
    AtomicStagingContract,
    ColumnsContract,
    ConcurrencyContract,
    PartitionContract,
    Partitions,
    PartitionSQLContract,
    SchemaPolicyContract,
    SelectionContract,
    SharedTableContract,
    SQLContract,
    StagingContract,
    TableContract,
    ViewContract,
    WriteModeContract,
    days,
    load,
    options,
    source,
    store,
)

pytestmark = pytest.mark.semantics(38, 39, 40, 41, 42, 43, 44, 45)


@pytest.fixture
def manager(mariadb_alone, monkeypatch):
    monkeypatch.setenv("WAREHOUSE_URL", mariadb_alone.url)
    return SQLAlchemyIOManager(url=EnvVar("WAREHOUSE_URL"), lock_timeout=20)


class Store:
    STORE = "MariaDB"
    ROWS, BATCH = 75_000, 20_000  # more than are read ahead, in a store that takes them one by one

    @pytest.fixture
    def manager(self, manager):
        return manager

    def byte_size(self, manager, key):
        name = manager.table_name(key)
        return ask(
            manager,
            "select data_length + index_length from information_schema.tables where table_schema = %s and table_name = %s",
            (name.schema, name.table),
        )[0][0]

    def debris(self, manager):
        rows = ask(manager, "select table_name from information_schema.tables where table_schema = 'shop'")
        return {name for (name,) in rows} - {"orders"}

    def peek(self, manager, key):
        return load(manager, pl.DataFrame, key)


KEPT = sorted(name for name in HOSTILE_FRAMES if not name.endswith(("float32", "float64", "odd names")))
LACKS = "MySQL keeps no NaN and no infinite number, and takes no emojis in names; both are refused"


class TestMariaDB(Store, TableContract, SQLContract, AtomicContract, ConcurrencyContract, SharedTableContract):
    @departs(LACKS)
    @pytest.mark.parametrize("name", KEPT)
    def test_types_survive(self, manager, name):
        super().test_types_survive(manager, name)

    @departs(LACKS)
    @pytest.mark.parametrize("name", KEPT)
    def test_types_survive_lazily(self, manager, name):
        super().test_types_survive_lazily(manager, name)

    @departs(LACKS)
    @pytest.mark.parametrize("name", [name for name in KEPT if name in IN_ARROW])
    def test_types_survive_as_arrow(self, manager, name):
        super().test_types_survive_as_arrow(manager, name)

    @departs(LACKS)
    @pytest.mark.parametrize("name", [name for name in KEPT if name in IN_ARROW])
    def test_types_survive_as_a_stream(self, manager, name):
        super().test_types_survive_as_a_stream(manager, name)

    @departs("there is no type of spans of time, in the SQL of MySQL")
    def test_sql_results_have_types_that_frames_have(self, manager):
        store(manager, SQL("select 1 = 1 as yes, sum(n) as total, null as nothing from (select 1 as n union all select 2) two"))

        assert [int(value) if value else value for value in load(manager).row(0)] == [1, 3, None]

    @departs("the SQL of MySQL casts in its own way")
    def test_sql_that_fails_leaves_the_old_table(self, manager):
        store(manager, ORDERS)
        sql = SQL("select cast(concat('abc', id) as signed) as id from shop.orders")
        with pytest.raises(TableError, match="abc"):
            store(manager, sql, sources={KEY: source(manager, KEY)})

        assert_frame_equal(load(manager), ORDERS)

    @departs("names have up to 64 characters, none of them an emoji; others are refused before anything is written")
    def test_keys_do_not_share_a_place(self, manager):
        for number, key in enumerate(GOOD_KEYS):
            store(manager, pl.DataFrame({"number": [number]}), key)

        assert [load(manager, key=key).item() for key in GOOD_KEYS] == list(range(len(GOOD_KEYS)))
        for key in set(HOSTILE_KEYS) - set(GOOD_KEYS):
            with pytest.raises(InvalidDefinitionError, match="mysql takes"):
                store(manager, pl.DataFrame({"number": [1]}), key)

    @departs("names have up to 64 characters, none of them an emoji; others are refused before anything is written")
    def test_sql_reads_tables_with_hostile_names(self, manager):
        found = []
        for number, key in enumerate(GOOD_KEYS):
            store(manager, pl.DataFrame({"number": [number]}), key)
            sources = {key: source(manager, key)}
            store(manager, SQL("select number from {table}", table=Table(key)), AssetKey("made"), sources=sources)
            found.append(load(manager, key=AssetKey("made")).item())

        assert found == list(range(len(GOOD_KEYS)))

    @departs("the disk is that of a server; a connection that breaks while rows are on their way stands for it")
    def test_a_full_disk_leaves_the_old_table(self, manager, mariadb, wire_to, monkeypatch):
        store(manager, ORDERS)
        wire = wire_to(mariadb.port)
        monkeypatch.setenv("WAREHOUSE_URL", mariadb.at(wire.port).url)
        wire.cut_after(20_000)
        with pytest.raises(TableError, match="asset 'shop/orders' in mysql") as caught:
            store(manager, pl.DataFrame({"text": ["x" * 200] * 1000}))
        assert mariadb.password not in str(caught.value)
        monkeypatch.setenv("WAREHOUSE_URL", mariadb.url)

        assert_frame_equal(load(manager), ORDERS)
        store(manager, ORDERS)
        assert self.debris(manager) == set()


class TestMariaDBModes(Store, WriteModeContract, SelectionContract, ColumnsContract):
    pass


class TestMariaDBViews(Store, ViewContract):
    pass


class TestMariaDBPartitions(
    Store,
    PartitionContract,
    PartitionSQLContract,
    SchemaPolicyContract,
    AtomicPartitionContract,
    StagingContract,
    AtomicStagingContract,
):
    FAILS_IN_PARTITION = "select day, cast(concat('abc', n) as signed) as n from shop.orders"
    DAY = "select cast({day} as date) as day, n from (select 1 as n union all select 1 union all select 1) three"
    OF_DAY = "select * from {orders} where day = cast({day} as date)"
    ONE_DAY = "select date '2024-01-01' as day, 10000000010 - 10000000000 as n"

    @departs(LACKS)
    @pytest.mark.parametrize("name", [name for name in KEPT if not name.startswith("no rows")])
    def test_types_survive(self, manager, name):
        super().test_types_survive(manager, name)

    @departs("names have up to 64 characters, none of them an emoji; others are refused before anything is written")
    def test_keys_do_not_share_a_place(self, manager):
        for number, key in enumerate(GOOD_KEYS):
            store(manager, days(d1=number), key, partitions=BY_DAY("2024-01-01"))

        found = [load(manager, key=key, partitions=BY_DAY("2024-01-01"))["n"].item() for key in GOOD_KEYS]
        assert found == list(range(len(GOOD_KEYS)))


@pytest.mark.parametrize("mode", [upsert("id"), snapshot("id"), delete_insert("id")], ids=str)
def test_keys_that_differ_in_spaces_at_their_end_or_in_case_are_different(manager, mode):
    frame = pl.DataFrame({"id": ["a", "a ", "A", "a  "], "n": [1, 2, 3, 4]})
    store(manager, frame, **options(mode))
    store(manager, frame.filter(pl.col("id") != "a"), **options(upsert("id") if mode.kind == "upsert" else mode))
    changed = pl.DataFrame({"id": ["a "], "n": [20]}) if mode.kind != "snapshot" else frame.with_columns(n=pl.col("n") * 10)
    store(manager, changed, **options(mode))
    found = load(manager)
    if mode.kind == "snapshot":
        found = found.filter(pl.col("valid_to").is_null())

        assert dict(found.select("id", "n").rows()) == {"a": 10, "a ": 20, "A": 30, "a  ": 40}
    else:
        assert dict(found.rows()) == {"a": 1, "a ": 20, "A": 3, "a  ": 4}


def test_keys_that_sql_makes_are_different_too(manager):
    sql = SQL("select 'a' as id, 1 as n union all select 'a ', 2 union all select 'A', 3")
    for _ in range(2):
        store(manager, sql, **options(upsert("id")))

    assert dict(load(manager).rows()) == {"a": 1, "a ": 2, "A": 3}


def test_a_partition_whose_name_ends_with_a_space_is_another(manager):
    names = Partitions(StaticPartitionsDefinition(["a", "a "]), "part")
    for name, n in (("a", 1), ("a ", 2), ("a", 3)):
        store(manager, pl.DataFrame({"part": [name], "n": [n]}), partitions=names(name))

    assert sorted(load(manager).rows()) == [("a", 3), ("a ", 2)]
    assert load(manager, partitions=names("a")).rows() == [("a", 3)]


@pytest.mark.parametrize("collation", ["utf8mb4_bin", "utf8mb4_general_ci"])
def test_rows_go_into_a_table_that_someone_made_with_another_collation(manager, collation):
    store(manager, pl.DataFrame({"id": ["x"]}), AssetKey(["shop", "other"]))
    rows = "select 'a' as id, 1 as n union all select 'b', 2"
    ask(manager, f"create table shop.orders (id varchar(20), n bigint) character set utf8mb4 collate {collation} as {rows}")
    store(manager, pl.DataFrame({"id": ["b", "c"], "n": [20, 30]}), **options(upsert("id")))

    assert sorted(load(manager).rows()) == [("a", 1), ("b", 20), ("c", 30)]


GOOD_KEYS = [key for key in HOSTILE_KEYS if all(len(part) <= 64 and "😀" not in part for part in key.path)]


def ask(manager, statement, parameters=None):
    with closing(manager._dialect.engine.raw_connection()) as connection, closing(connection.cursor()) as cursor:
        cursor.execute(statement, parameters)
        return cursor.fetchall()
