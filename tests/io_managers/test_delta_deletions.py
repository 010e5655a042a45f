"""Delta tables from which other writers deleted rows without writing their files anew."""

from __future__ import annotations

import polars as pl
import pytest
from deltalake import DeltaTable

from io_managers.delta import DeltaLakeIOManager
from tests.io_managers.deletion_vectors import delete_rows
from warehouse_assets.io_manager import OutputContext
from warehouse_assets.partitions.static import StaticPartitionsDefinition
from warehouse_assets.sql import SQL
from warehouse_assets.table_options import TableOptions, delete_insert, snapshot, upsert
from warehouse_assets.testing.io_manager import KEY, Partitions, load, source, store
from warehouse_assets.testing.io_manager.use import input_context

BY_KIND = Partitions(StaticPartitionsDefinition(["a", "b", "c"]), "kind")


def rows(**kinds):
    return pl.DataFrame([(kind, n) for kind, numbers in kinds.items() for n in numbers], schema=["kind", "n"], orient="row")


@pytest.fixture
def manager(tmp_path):
    """One whose table has the rows a 1, b 3 and c 5; a 2 and b 4 were deleted."""
    manager = DeltaLakeIOManager(base_path=str(tmp_path))
    store(manager, rows(a=[1, 2], b=[3, 4], c=[5]))
    delete_rows(manager.place_of(KEY, {}), [1, 3])
    return manager


LEFT = rows(a=[1], b=[3], c=[5])


def test_rows_that_were_deleted_are_not_read(manager):
    assert load(manager).sort("n").equals(LEFT)
    assert load(manager, pl.LazyFrame).select(pl.len()).collect().item() == 3
    assert load(manager, where="n > 1").sort("n").equals(LEFT.tail(2))
    assert load(manager, partitions=BY_KIND("b")).rows() == [("b", 3)]
    assert store(manager, SQL("select * from shop.orders"), KEY.with_prefix("made"), sources={KEY: source(manager, KEY)})[
        "row_count"
    ] == (3)


@pytest.mark.parametrize(
    ("mode", "new", "expected"),
    [
        ("append", rows(c=[6]), rows(a=[1], b=[3], c=[5, 6])),
        ("replace", rows(c=[6]), rows(c=[6])),
        (upsert("n"), rows(x=[2, 3]), rows(a=[1], x=[2, 3], c=[5])),
        (delete_insert("kind"), rows(a=[9]), rows(b=[3], c=[5], a=[9])),
    ],
    ids=["append", "replace", "upsert", "delete_insert"],
)
def test_rows_that_were_deleted_do_not_come_back(manager, mode, new, expected):
    recorded = store(manager, new, **TableOptions(mode).in_metadata({}))
    seen = DeltaTable(manager.place_of(KEY, {}))

    assert load(manager).sort("n").equals(expected.sort("n"))
    assert recorded["row_count"] == expected.height
    assert pl.DataFrame(seen.scan().read_all()).sort("n").equals(expected.sort("n"))
    assert sum(batch.num_rows for batch in seen.deletion_vectors()) == 0


def test_a_partition_is_replaced_without_the_rows_that_were_deleted(manager):
    recorded = store(manager, rows(b=[7]), partitions=BY_KIND("b"))

    assert load(manager).sort("n").rows() == [("a", 1), ("c", 5), ("b", 7)]
    assert (recorded["row_count"], recorded["partition_row_count"]) == (3, 1)


def test_a_table_that_has_no_deleted_rows_any_more_is_not_written_anew(manager):
    store(manager, LEFT)
    before = {*DeltaTable(manager.place_of(KEY, {})).file_uris()}
    store(manager, rows(c=[6]), **TableOptions("append").in_metadata({}))

    assert before < {*DeltaTable(manager.place_of(KEY, {})).file_uris()}
    assert load(manager).height == 4


def test_versions_before_and_after_the_deletion_are_read_and_gone_back_to(manager):
    store(manager, rows(c=[6]))
    found = []
    for version in ("0", "2"):
        context = input_context()
        context.table_version = version
        found.append(manager.load_input(context).height)
    stats = manager.roll_back(OutputContext(KEY), "2")

    assert found == [5, 3]
    assert stats.row_count == 3
    assert load(manager).sort("n").equals(LEFT)


def test_files_stay_while_a_kept_version_reads_a_part_of_them(manager):
    for number in (6, 7):
        store(manager, rows(c=[number]), **TableOptions("append", keep_versions=2).in_metadata({}))

    assert load(manager).sort("n").equals(rows(a=[1], b=[3], c=[5, 6, 7]))


def test_a_snapshot_of_such_a_table_ends_the_rows_that_are_left(tmp_path):
    manager = DeltaLakeIOManager(base_path=str(tmp_path))
    metadata = TableOptions(snapshot("n")).in_metadata({})
    store(manager, rows(a=[1, 2, 3]), **metadata)
    delete_rows(manager.place_of(KEY, {}), [1])
    store(manager, rows(a=[1], b=[2]), **metadata)

    assert load(manager).sort("n").select("kind", "n", pl.col("valid_to").is_null()).rows() == [
        ("a", 1, True),
        ("b", 2, True),
        ("a", 3, False),
    ]
