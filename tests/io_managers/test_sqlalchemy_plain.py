"""Tables in a database of which nothing is known: SQLite, by plain SQL."""

from __future__ import annotations

import sqlite3

import polars as pl
import pytest
from polars.testing import assert_frame_equal
from sqlalchemy import create_engine

from io_managers.sqlalchemy import SQLAlchemyIOManager
from io_managers.sqlalchemy import manager as module
from io_managers.sqlalchemy.plain import Plain
from warehouse_assets.errors import RowKeyError, TableError, TableNotFoundError
from warehouse_assets.io_manager import QueriesSQL
from warehouse_assets.keys import AssetKey
from warehouse_assets.sql import SQL
from warehouse_assets.table_options import WriteMode, delete_insert, snapshot, upsert
from warehouse_assets.testing.io_manager import BY_DAY, load, options, source, store, stream

pytestmark = pytest.mark.semantics(38, 39, 40, 41, 43, 44, 45)

KEY = AssetKey("orders")
OLD = pl.DataFrame({"id": [1, 2], "text": ["a", None], "amount": [0.5, None]})
NEW = pl.DataFrame({"id": [2, 3], "text": ["b", "c"], "amount": [1.5, 2.5]})


@pytest.fixture
def manager(tmp_path, monkeypatch):
    url = f"sqlite:///{tmp_path}/w.sqlite"
    engine = create_engine(url)
    monkeypatch.setattr(module, "dialect_of", lambda _: Plain(engine))
    yield SQLAlchemyIOManager(url=url)
    engine.dispose()


@pytest.mark.parametrize("form", [pl.DataFrame.clone, pl.DataFrame.lazy, pl.DataFrame.to_arrow, stream])
def test_a_table_is_replaced_by_what_comes(manager, form):
    store(manager, NEW.select("id"), KEY)
    recorded = store(manager, form(OLD), KEY)

    assert_frame_equal(load(manager, key=KEY), OLD)
    assert (recorded["row_count"], [column.name for column in recorded["column_schema"]]) == (2, OLD.columns)


def test_a_table_that_is_not_there_is_named(manager):
    with pytest.raises(TableNotFoundError, match="orders"):
        load(manager, key=KEY)


@pytest.mark.parametrize(
    ("mode", "ids"),
    [(WriteMode("append"), [1, 2, 2, 3]), (upsert("id"), [1, 2, 3]), (delete_insert("text"), [1, 2, 2, 3])],
    ids=str,
)
def test_rows_are_kept_as_the_mode_says(manager, mode, ids):
    for frame in (OLD, NEW):
        store(manager, frame, KEY, **options(mode))

    assert sorted(load(manager, key=KEY)["id"]) == ids


def test_a_key_that_is_there_twice_changes_nothing(manager):
    store(manager, OLD, KEY, **options(upsert("id")))
    with pytest.raises(RowKeyError):
        store(manager, pl.concat([NEW, NEW]), KEY, **options(upsert("id")))

    assert_frame_equal(load(manager, key=KEY), OLD)


def test_a_snapshot_keeps_what_was(manager):
    for frame in (OLD, NEW, NEW):
        store(manager, frame, KEY, **options(snapshot("id")))
    connection = sqlite3.connect(manager.url.removeprefix("sqlite:///"))
    rows = connection.execute("select id, text, valid_to is null, valid_from < valid_to from orders order by 1, 2").fetchall()
    connection.close()

    assert rows == [(1, "a", 0, 1), (2, None, 0, 1), (2, "b", 1, None), (3, "c", 1, None)]


def test_a_partition_is_replaced(manager):
    for key, n in (("2024-01-01", 1), ("2024-01-02", 2), ("2024-01-01", 3)):
        frame = pl.DataFrame({"day": [key], "n": [n]})
        store(manager, frame, KEY, partitions=BY_DAY(key))

    assert sorted(load(manager, key=KEY)["n"]) == [2, 3]


def test_sql_makes_a_table_of_another(manager):
    store(manager, OLD, KEY)
    store(manager, SQL("select id, text from orders"), AssetKey("more"), sources={KEY: source(manager, KEY)})

    assert load(manager, key=AssetKey("more")).rows() == [(1, "a"), (2, None)]


def test_sql_that_is_wrong_leaves_the_table(manager):
    store(manager, OLD, KEY)
    with pytest.raises(TableError, match="nothing_such"):
        store(manager, SQL("select nothing_such(id) as id from orders"), KEY, sources={KEY: source(manager, KEY)})

    assert_frame_equal(load(manager, key=KEY), OLD)


def test_rows_are_sorted_and_some_are_read(manager):
    store(manager, OLD[::-1], KEY, **options(sort_by="id"))

    assert load(manager, key=KEY, columns=["id"]).rows() == [(1,), (2,)]
    assert load(manager, key=KEY, where="id > 1", limit=5)["id"].to_list() == [2]


def test_one_that_is_opened_to_be_read_answers_no_sql(manager):
    store(manager, OLD, KEY)
    opened = manager.opened_read_only()

    assert not isinstance(opened, QueriesSQL)
    assert_frame_equal(load(opened, key=KEY), OLD)
    with pytest.raises(TableError, match="opened to be read"):
        store(opened, NEW, KEY)
