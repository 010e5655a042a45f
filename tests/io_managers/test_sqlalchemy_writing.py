"""Write modes in SQL databases."""

from __future__ import annotations

import polars as pl
import pytest

from io_managers.sqlalchemy import SQLAlchemyIOManager
from warehouse_assets import TableOptions
from warehouse_assets.errors import RowKeyError, SchemaChangedError
from warehouse_assets.keys import AssetKey
from warehouse_assets.sql import SQL
from warehouse_assets.table_options import delete_insert, snapshot, upsert
from warehouse_assets.testing.io_manager import KEY, load, options, store

pytestmark = pytest.mark.semantics(40, 41)


@pytest.fixture(params=["sqlite", "postgres", "mariadb_alone"])
def manager(request, tmp_path):
    if request.param == "sqlite":
        return SQLAlchemyIOManager(url=f"sqlite:///{tmp_path}/w.sqlite")
    return SQLAlchemyIOManager(url=request.getfixturevalue(request.param).url)


def write(manager, mode, ids, numbers, **options):
    frame = pl.DataFrame({"id": ids, "n": numbers})
    return store(manager, frame, **TableOptions(mode=mode, **options).in_metadata({}))["row_count"]


def test_rows_are_appended(manager):
    counts = [write(manager, "append", [1, 2], [1, 1]), write(manager, "append", [2], [2])]

    assert (counts, sorted(load(manager).rows())) == ([2, 3], [(1, 1), (2, 1), (2, 2)])


def test_rows_with_the_same_key_make_way(manager):
    counts = [write(manager, upsert("id"), [1, 2], [1, 1]), write(manager, upsert("id"), [2, 3], [2, 2])]

    assert (counts, sorted(load(manager).rows())) == ([2, 3], [(1, 1), (2, 2), (3, 2)])


def test_rows_with_the_same_values_make_way(manager):
    write(manager, delete_insert("n"), [1, 2, 3], [1, 2, None])
    counts = write(manager, delete_insert("n"), [8, 9], [2, None])

    assert (counts, sorted(load(manager)["id"])) == (3, [1, 8, 9])


def test_a_key_that_is_there_twice_changes_nothing(manager):
    write(manager, upsert("id"), [1], [1])
    with pytest.raises(RowKeyError, match="two rows whose 'id' is 5"):
        write(manager, upsert("id"), [5, 5], [1, 1])

    assert load(manager).rows() == [(1, 1)]


def test_a_type_widens_where_the_policy_allows_it(manager):
    write(manager, upsert("id"), [1, 2], [1, 1])
    write(manager, upsert("id"), [2], [2.5], schema_policy="sync")

    assert sorted(load(manager).rows()) == [(1, 1.0), (2, 2.5)]


def test_a_snapshot_takes_a_wider_type_where_the_policy_allows_it(manager):
    write(manager, snapshot("id"), [1, 2], [1, 1])
    write(manager, snapshot("id"), [1, 2], [1.0, 2.5], schema_policy="sync")
    table = load(manager).sort("id", "valid_from")

    assert table.select("id", "n", pl.col("valid_to").is_null()).rows() == [(1, 1.0, True), (2, 1.0, False), (2, 2.5, True)]
    assert table.schema["valid_from"] == table.schema["valid_to"] == pl.Datetime("us", "UTC")


def test_smaller_numbers_are_the_same_ones(manager):
    for dtype in (pl.Int64, pl.Int16):
        frame = pl.DataFrame({"id": [1, 2], "n": [1, None]}, schema={"id": pl.Int64, "n": dtype})
        for mode, key in ((snapshot("id"), KEY), (delete_insert("n"), AssetKey("other"))):
            store(manager, frame, key, **options(mode))

    assert (load(manager).height, load(manager, key=AssetKey("other")).height) == (2, 2)


def test_a_space_at_the_end_is_a_change(manager):
    for text in ("a", "a ", "A ", "A "):
        write(manager, snapshot("id"), [1], [text])

    assert load(manager).sort("valid_from")["n"].to_list() == ["a", "a ", "A "]


def test_a_table_without_times_is_no_snapshot(manager):
    write(manager, upsert("id"), [1], [1])
    with pytest.raises(SchemaChangedError, match="its table has no column 'valid_from'"):
        write(manager, snapshot("id"), [1], [1])

    assert load(manager).rows() == [(1, 1)]


@pytest.mark.parametrize("mode", ["replace", "append"])
def test_a_column_to_sort_by_that_is_not_there_is_named(manager, mode):
    write(manager, mode, [1], [1])
    for value in (pl.DataFrame({"id": [2], "n": [2]}), SQL("select 2 as id, 2 as n")):
        with pytest.raises(SchemaChangedError, match=r"'shop/orders' is sorted by 'idd', and its rows have no such column"):
            store(manager, value, **options(mode, sort_by="idd"))

    assert load(manager).rows() == [(1, 1)]
