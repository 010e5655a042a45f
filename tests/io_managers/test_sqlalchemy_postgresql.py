"""Tables in PostgreSQL."""

from __future__ import annotations

import os
from urllib.parse import quote

import polars as pl
import psycopg
import pytest
from polars.testing import assert_frame_equal

from io_managers.sqlalchemy import SQLAlchemyIOManager
from warehouse_assets.errors import InvalidDefinitionError, TableError, UnsupportedTypeError
from warehouse_assets.keys import AssetKey
from warehouse_assets.resources import EnvVar
from warehouse_assets.sql import SQL
from warehouse_assets.tables import Table
from warehouse_assets.testing.contract import departs
from warehouse_assets.testing.frames import HOSTILE_KEYS
from warehouse_assets.testing.io_manager import (
    BY_DAY,
    ORDERS,
    AtomicContract,
    AtomicPartitionContract,
    AtomicStagingContract,
    AtomicWriteModeContract,
    ColumnsContract,
    ConcurrencyContract,
    PartitionContract,
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
from warehouse_assets.testing.io_manager.use import input_context

pytestmark = pytest.mark.semantics(38, 39, 40, 41, 42, 43, 44, 45)


@pytest.fixture
def manager(postgres, monkeypatch):
    """One whose URL comes from the environment, so that its repr builds it again in another process."""
    monkeypatch.setenv("WAREHOUSE_URL", postgres.url)
    return SQLAlchemyIOManager(url=EnvVar("WAREHOUSE_URL"), lock_timeout=20)


class Store:
    STORE = "PostgreSQL"

    @pytest.fixture
    def manager(self, manager):
        return manager

    def byte_size(self, manager, key):
        return ask(manager, "select pg_total_relation_size(to_regclass(%s))", manager.table_name(key).quoted)[0][0]

    def debris(self, manager):
        rows = ask(manager, "select relname from pg_class where relnamespace = 'shop'::regnamespace and relname <> 'orders'")
        return {name for (name,) in rows}

    def peek(self, manager, key):
        table = manager.table_name(key).quoted
        [(names,)] = ask(
            manager,
            "select array_agg(attname::text order by attnum) from pg_attribute "
            "where attnum > 0 and not attisdropped and attrelid = to_regclass(%s)",
            table,
        )
        return pl.DataFrame(ask(manager, f"select * from {table}"), schema=names, orient="row", infer_schema_length=None)


class TestPostgreSQL(Store, TableContract, SQLContract, AtomicContract, ConcurrencyContract, SharedTableContract):
    RESULTS = "select interval '36 hours' as span, sum(n) as total, null as nothing from generate_series(0, 2) t(n)"

    @departs("names are up to 63 bytes long, and longer ones are refused before anything is written")
    def test_keys_do_not_share_a_place(self, manager):
        for number, key in enumerate(SHORT_KEYS):
            store(manager, pl.DataFrame({"number": [number]}), key)

        assert [load(manager, key=key).item() for key in SHORT_KEYS] == list(range(len(SHORT_KEYS)))
        with pytest.raises(InvalidDefinitionError, match="up to 63 bytes"):
            store(manager, pl.DataFrame({"number": [1]}), LONG_KEY)

    @departs("names are up to 63 bytes long, and longer ones are refused before anything is written")
    def test_sql_reads_tables_with_hostile_names(self, manager):
        found = []
        for number, key in enumerate(SHORT_KEYS):
            store(manager, pl.DataFrame({"number": [number]}), key)
            sources = {key: source(manager, key)}
            store(manager, SQL("select number from {table}", table=Table(key)), AssetKey("made"), sources=sources)
            found.append(load(manager, key=AssetKey("made")).item())

        assert found == list(range(len(SHORT_KEYS)))

    @departs("the disk is that of a server; a connection that breaks while rows are on their way stands for it")
    def test_a_full_disk_leaves_the_old_table(self, manager, postgres, wire_to, monkeypatch):
        store(manager, ORDERS)
        wire = wire_to(postgres.port)
        monkeypatch.setenv("WAREHOUSE_URL", postgres.at(wire.port).url)
        for rows in (200, 400_000):  # which go by COPY, and by ADBC
            wire.cut_after(wire.to_server and 8_000)
            with pytest.raises(TableError, match="asset 'shop/orders' in postgresql") as caught:
                store(manager, pl.DataFrame({"text": ["x" * 200] * rows}))
            assert postgres.password not in str(caught.value)
        monkeypatch.setenv("WAREHOUSE_URL", postgres.url)

        assert_frame_equal(load(manager), ORDERS)
        assert self.debris(manager) == set()


class TestPostgreSQLModes(Store, WriteModeContract, AtomicWriteModeContract, SelectionContract, ColumnsContract):
    pass


class TestPostgreSQLViews(Store, ViewContract):
    def test_views_that_others_made_live_on(self, manager):
        store(manager, ORDERS)
        do("create view shop.low with (security_barrier = true) as select id, kind from shop.orders where amount < 9")
        do("comment on view shop.low is 'it''s low'; comment on column shop.low.id is 'the id'")
        do("create view shop.lower as select id from shop.low; grant select on shop.lower to public")
        store(manager, ORDERS.with_columns(pl.col("id").cast(pl.String), more=1))
        kept = "select obj_description('shop.low'::regclass), col_description('shop.low'::regclass, 1), c.reloptions::text, d.relacl::text"

        assert ask(manager, "select * from shop.lower") == [("3",)]
        [(comment, of_column, options, rights)] = ask(
            manager, f"{kept} from pg_class c, pg_class d where c.oid = 'shop.low'::regclass and d.oid = 'shop.lower'::regclass"
        )
        assert (comment, of_column, options) == ("it's low", "the id", "{security_barrier=true}")
        assert "=r/" in rights

    def test_a_table_is_kept_where_a_view_needs_what_it_would_lose(self, manager):
        store(manager, ORDERS)
        do("create view shop.kinds as select kind from shop.orders")
        with pytest.raises(TableError, match=r"since the view shop\.kinds reads it: column .*kind"):
            store(manager, ORDERS.drop("kind"))

        assert load(manager).columns == ORDERS.columns
        assert len(ask(manager, "select * from shop.kinds")) == 3


class TestPostgreSQLPartitions(
    Store,
    PartitionContract,
    PartitionSQLContract,
    SchemaPolicyContract,
    AtomicPartitionContract,
    StagingContract,
    AtomicStagingContract,
):
    DAY = "select {day}::date as day, 1 as n from generate_series(1, 3)"
    FAILS_IN_PARTITION = "select day, cast('abc' || n as bigint) as n from shop.orders"
    ONE_DAY = "select date '2024-01-01' as day, 10::bigint as n"

    @departs("names are up to 63 bytes long, and longer ones are refused before anything is written")
    def test_keys_do_not_share_a_place(self, manager):
        for number, key in enumerate(SHORT_KEYS):
            store(manager, days(d1=number), key, partitions=BY_DAY("2024-01-01"))

        found = [load(manager, key=key, partitions=BY_DAY("2024-01-01"))["n"].item() for key in SHORT_KEYS]
        assert found == list(range(len(SHORT_KEYS)))


SHORT_KEYS = [key for key in HOSTILE_KEYS if all(len(part.encode()) < 64 for part in key.path)]
[LONG_KEY] = [key for key in HOSTILE_KEYS if key not in SHORT_KEYS]


class TestTables:
    def test_what_is_granted_on_a_table_and_views_that_read_it_stay(self, manager):
        store(manager, ORDERS)
        do("create view shop.large as select * from shop.orders where amount > 8")
        do("grant select on shop.orders to public")
        store(manager, ORDERS.head(1))

        assert ask(manager, "select id from shop.large") == [(1,)]
        with pytest.raises(TableError, match=r"the view shop\.large reads it"):
            store(manager, ORDERS.select("id"))
        do("drop view shop.large")
        store(manager, ORDERS.select("id"))
        assert ask(manager, "select relacl::text like '%=r/%' from pg_class where oid = 'shop.orders'::regclass") == [(True,)]

    def test_indexes_stay_where_the_columns_do(self, manager):
        store(manager, ORDERS)
        do("create index on shop.orders (id)")
        store(manager, ORDERS.head(1))

        assert ask(manager, "select count(*) from pg_indexes where schemaname = 'shop'") == [(1,)]
        assert load(manager).height == 1

    def test_columns_have_what_was_said_of_them_as_comments(self, manager):
        store(manager, ORDERS, **options(descriptions={"id": "It's the number", "none": "Not there"}))
        do("create index on shop.orders (id)")
        store(manager, ORDERS, **options(descriptions={"kind": "Of what kind"}))
        comments = ask(
            manager,
            "select attname::text, col_description(attrelid, attnum) from pg_attribute "
            "where attrelid = 'shop.orders'::regclass and attnum > 0",
        )

        assert dict(comments) == {"id": "It's the number", "amount": None, "kind": "Of what kind"}

    def test_a_view_is_not_replaced(self, manager):
        do("create schema shop")
        do("create view shop.orders as select 1 as id")
        with pytest.raises(TableError, match="is a view"):
            store(manager, ORDERS)

        assert load(manager).rows() == [(1,)]

    def test_many_rows_go_by_adbc_and_come_back(self, manager):
        frame = pl.DataFrame({"n": range(400_000)}).with_columns(
            text=pl.col("n").cast(pl.String), at=pl.lit(1).cast(pl.Datetime("us", "UTC"))
        )
        store(manager, frame.lazy())

        assert_frame_equal(load(manager).sort("n"), frame)
        assert load(manager, pl.LazyFrame).filter(pl.col("n") < 3).select("n").collect()["n"].sort().to_list() == [0, 1, 2]

    def test_a_lazy_frame_connects_by_adbc_when_it_is_read(self, manager, postgres, wire_to, monkeypatch):
        store(manager, pl.LazyFrame({"n": range(400_000)}))
        wire = wire_to(postgres.port)
        monkeypatch.setenv("WAREHOUSE_URL", postgres.at(wire.port).url)
        lazy = load(SQLAlchemyIOManager(url=os.environ["WAREHOUSE_URL"]), pl.LazyFrame)
        made = wire.connections
        lazy.select(pl.col("n").max()).collect()

        assert (made, wire.connections) == (1, 3)  # ADBC makes two

    def test_no_password_is_shown(self, postgres):
        manager = SQLAlchemyIOManager(url=postgres.url)
        shown = [repr(manager), manager.store_id, str(manager)]

        assert not any(postgres.password in text or quote(postgres.password, safe="") in text for text in shown)

    def test_nanoseconds_that_would_be_lost_are_refused(self, manager):
        frame = pl.DataFrame({"at": pl.Series([1], dtype=pl.Datetime("ns"))})
        with pytest.raises(UnsupportedTypeError, match="'shop/orders': the column 'at' has nanoseconds"):
            store(manager, frame)

    def test_some_rows_are_read(self, manager):
        store(manager, ORDERS)
        context = input_context()
        context.metadata = {"where": "id > 1", "limit": 1, "columns": ["kind"]}

        assert manager.load_input(context).rows() == [("b",)]


def do(statement):
    with psycopg.connect(os.environ["WAREHOUSE_URL"]) as connection:
        connection.execute(statement)


def ask(manager, statement, *parameters):
    with psycopg.connect(os.environ["WAREHOUSE_URL"]) as connection:
        return connection.execute(statement, parameters or None).fetchall()
