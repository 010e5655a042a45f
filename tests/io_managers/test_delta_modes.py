"""Write modes and versions of Delta tables: each write is one entry in the log, and earlier ones stay readable."""

from __future__ import annotations

import datetime as dt
from concurrent.futures import ThreadPoolExecutor

import polars as pl
import pytest
from deltalake import DeltaTable
from polars.testing import assert_frame_equal

from io_managers.delta import DeltaLakeIOManager
from warehouse_assets.errors import OutsidePartitionError, RowKeyError, SchemaChangedError, TableNotFoundError
from warehouse_assets.io_manager import InputContext, KeepsVersions, OutputContext
from warehouse_assets.sql import SQL
from warehouse_assets.table_options import TableOptions, delete_insert, snapshot, upsert
from warehouse_assets.testing.io_manager import (
    BY_DAY,
    KEY,
    AtomicWriteModeContract,
    ColumnsContract,
    SelectionContract,
    WriteModeContract,
    days,
    load,
    source,
    store,
)

MON, TUE = "2024-01-01", "2024-01-02"


class TestWriteModes(WriteModeContract, AtomicWriteModeContract, SelectionContract, ColumnsContract):
    STORE = "Delta Lake"

    @pytest.fixture
    def manager(self, tmp_path):
        return DeltaLakeIOManager(base_path=str(tmp_path / "lake [1]*"))

    def peek(self, manager, key):
        return pl.DataFrame(DeltaTable(manager.place_of(key, {})).scan().read_all())


@pytest.fixture
def manager(tmp_path):
    return DeltaLakeIOManager(base_path=str(tmp_path))


def log(manager):
    return DeltaTable(manager.place_of(KEY, {}))


def written(manager, frame, mode, **options):
    return store(manager, frame, **TableOptions(mode, **options).in_metadata({}))


def people(*rows):
    return pl.DataFrame(rows, schema={"id": pl.Int64, "name": pl.String, "kind": pl.Categorical}, orient="row")


ANN, BOB, CARL = (1, "Ann", "a"), (2, "Bob", None), (3, "Carl", "c")


@pytest.mark.parametrize("mode", ["append", upsert("id"), delete_insert("id")], ids=["append", "upsert", "delete_insert"])
def test_a_mode_makes_the_table_and_then_one_entry_in_its_log_for_each_write(manager, mode):
    first = written(manager, people(ANN, BOB), mode)
    second = written(manager, people(CARL).lazy(), mode)

    assert_frame_equal(load(manager).sort("id"), people(ANN, BOB, CARL))
    assert (first["row_count"], second["row_count"], log(manager).version()) == (2, 3, 1)


def test_upsert_replaces_rows_by_their_key_and_leaves_other_files_alone(manager):
    written(manager, people(ANN, BOB), upsert("id"))
    written(manager, people(CARL), upsert("id"))
    before = {*log(manager).file_uris()}
    written(manager, people((1, "Anna", "x")), upsert("id"))

    assert_frame_equal(load(manager).sort("id"), people((1, "Anna", "x"), BOB, CARL))
    assert len(before & {*log(manager).file_uris()}) == 1


def test_delete_insert_takes_null_for_a_value(manager):
    written(manager, people(ANN, BOB, (4, "Dora", None)), "append")
    written(manager, people((5, "Eve", None)), delete_insert("kind"))

    assert load(manager).sort("id")["name"].to_list() == ["Ann", "Eve"]


@pytest.mark.parametrize("mode", [upsert("id"), snapshot("id")], ids=str)
@pytest.mark.parametrize(
    ("rows", "said"),
    [([ANN, ANN], "two rows whose 'id' is 1"), ([(None, "x", "y")], "whose 'id' is NULL")],
    ids=["twice", "null"],
)
def test_a_key_that_tells_no_rows_apart_is_an_error(manager, mode, rows, said):
    written(manager, people(BOB), mode)

    with pytest.raises(RowKeyError, match=said):
        written(manager, people(*rows), mode)

    assert load(manager)["id"].to_list() == [2]


def test_a_key_that_the_rows_have_not_is_an_error(manager):
    with pytest.raises(SchemaChangedError, match=r"no column 'ID'. .*'id'"):
        written(manager, people(ANN), upsert("ID"))


def test_a_snapshot_keeps_what_was(manager):
    mode = snapshot("id")
    written(manager, people(ANN, BOB, CARL), mode)
    written(manager, people(ANN, (2, "Bo", None)), mode)
    found = load(manager).sort("id", "valid_from")

    assert found.select("id", "name").rows() == [(1, "Ann"), (2, "Bob"), (2, "Bo"), (3, "Carl")]
    assert found["valid_to"].is_null().to_list() == [True, False, True, False]
    assert found["valid_to"][1] == found["valid_from"][2]
    assert found.schema["kind"] == pl.Categorical


def test_a_snapshot_of_the_same_rows_changes_nothing(manager):
    written(manager, people(ANN, BOB), snapshot("id"))
    before = load(manager)
    recorded = written(manager, people(BOB, ANN), snapshot("id"))

    assert_frame_equal(load(manager), before)
    assert (recorded["row_count"], log(manager).version()) == (2, 0)


def test_a_snapshot_takes_a_row_back_that_was_gone(manager):
    for rows in ([ANN, BOB], [ANN], [ANN, BOB]):
        written(manager, people(*rows), snapshot("id"))

    assert load(manager).sort("id", "valid_from").select("id", pl.col("valid_to").is_null()).rows() == [
        (1, True),
        (2, False),
        (2, True),
    ]


def test_what_a_mode_will_make_is_seen_before_it_is_published(manager):
    written(manager, people(ANN, BOB), upsert("id"))
    metadata = TableOptions(upsert("id")).in_metadata({})
    with manager.stage(OutputContext(KEY, definition_metadata=metadata), people((2, "Bo", "b"), CARL)) as staged:
        seen = load(staged).sort("id")
        before = load(manager)

    assert_frame_equal(before.sort("id"), people(ANN, BOB))
    assert_frame_equal(seen, people(ANN, (2, "Bo", "b"), CARL))
    assert_frame_equal(load(manager).sort("id"), seen)


def test_modes_stay_in_their_partition(manager):
    metadata = TableOptions(upsert("n"), partition_expr="day").in_metadata({})

    def put(frame, *keys):
        manager.handle_output(
            OutputContext(KEY, definition_metadata=metadata, partitions_def=BY_DAY.definition, partition_keys=keys), frame
        )

    put(days(d1=[1, 2]), MON)
    put(days(d2=[1, 2]), TUE)
    put(days(d2=[2, 3]), TUE)

    assert load(manager).sort("day", "n").rows() == days(d1=[1, 2], d2=[1, 2, 3]).rows()
    with pytest.raises(OutsidePartitionError):
        put(days(d1=9), TUE)


@pytest.mark.parametrize("policy", ["fail", "append", "sync"])
def test_appended_rows_follow_the_schema_policy(manager, policy):
    written(manager, people(ANN), "append")
    more = people(BOB).with_columns(more=pl.lit(1.5))
    if policy == "fail":
        with pytest.raises(SchemaChangedError, match="'more'"):
            written(manager, more, "append", schema_policy=policy)
        return
    written(manager, more, "append", schema_policy=policy)

    assert load(manager).sort("id")["more"].to_list() == [None, 1.5]
    assert log(manager).version() == 1


def test_threads_that_append_lose_nothing(manager):
    with ThreadPoolExecutor(8) as threads:
        list(threads.map(lambda number: written(manager, people((number, "x", "y")), "append"), range(24)))

    assert load(manager)["id"].sort().to_list() == list(range(24))
    assert log(manager).version() == 23


def test_rows_are_sorted_as_they_are_written(manager):
    written(manager, people(CARL, ANN, BOB), "replace", sort_by="id")

    assert load(manager)["id"].to_list() == [1, 2, 3]


def reading(**more):
    return InputContext(KEY, upstream_output=OutputContext(KEY), **more)


def test_each_write_is_a_version_that_can_be_read(manager):
    recorded = [store(manager, people(*rows))["table_version"] for rows in ([ANN], [BOB, CARL])]
    found = manager.table_versions(reading())

    assert isinstance(manager, KeepsVersions)
    assert recorded == [version.version for version in found] == ["0", "1"]
    assert [manager.load_input(reading(table_version=version)).height for version in recorded] == [1, 2]
    assert found[0].timestamp.tzinfo == dt.UTC


@pytest.mark.parametrize("version", ["7", "-1", "x", ""])
def test_a_version_that_is_not_there_is_named(manager, version):
    store(manager, people(ANN))

    with pytest.raises(TableNotFoundError, match="version"):
        manager.load_input(reading(table_version=version))
    with pytest.raises(TableNotFoundError, match="version"):
        manager.roll_back(OutputContext(KEY), version)


def test_rolling_back_is_a_version_of_its_own(manager):
    store(manager, people(ANN))
    store(manager, days(d1=[1, 2]))
    stats = manager.roll_back(OutputContext(KEY, run_id="r9"), "0")

    assert_frame_equal(load(manager), people(ANN))
    assert (stats.row_count, stats.version) == (1, "2")
    assert manager.table_versions(reading())[-1].run_id == "r9"


def test_the_log_tells_who_wrote(manager):
    context = OutputContext(
        KEY, run_id="r1", definition_metadata={"partition_expr": "day"}, partitions_def=BY_DAY.definition, partition_keys=(MON,)
    )
    manager.handle_output(context, days(d1=1))
    entry = log(manager).history(1)[0]

    assert {name: entry[name] for name in ("asset_key", "run_id", "partition_keys")} == {
        "asset_key": "shop/orders",
        "run_id": "r1",
        "partition_keys": MON,
    }


def test_sql_reads_the_version_that_is_asked_for(manager):
    store(manager, days(d1=1))
    store(manager, days(d1=2))
    with manager.query(
        SQL("select n from shop.orders"), {KEY: type(source(manager, KEY))(manager, reading(table_version="0"))}
    ) as rows:
        found = rows.read_all()["n"].to_pylist()

    assert found == [1]
