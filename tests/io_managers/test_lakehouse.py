"""What Delta Lake and Iceberg have in common."""

from __future__ import annotations

import datetime as dt
import signal
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import polars as pl
import pytest

from io_managers.delta import DeltaLakeIOManager
from io_managers.iceberg import IcebergIOManager
from io_managers.lakehouse.slices import divided
from tests.io_managers.iceberg_tables import catalog_of
from warehouse_assets.errors import SchemaChangedError, TableNotFoundError
from warehouse_assets.io_manager import OutputContext
from warehouse_assets.partitions.periodic import HourlyPartitionsDefinition
from warehouse_assets.partitions.static import StaticPartitionsDefinition
from warehouse_assets.table_options import TableOptions, delete_insert, snapshot, upsert
from warehouse_assets.testing.io_manager import KEY, Partitions, load, store, stream
from warehouse_assets.testing.io_manager.use import input_context


@pytest.fixture(params=["delta", "iceberg"])
def manager(request, tmp_path):
    path = str(tmp_path / "lake")
    return DeltaLakeIOManager(base_path=path) if request.param == "delta" else IcebergIOManager(warehouse=path)


def written(manager, frame, mode="replace", **options):
    return store(manager, frame, **TableOptions(mode, **options).in_metadata({}))


ROWS = pl.DataFrame({"id": [2, 1], "name": ["b", "a"]})


@pytest.mark.parametrize("make", [pl.DataFrame.lazy, stream], ids=["lazy", "stream"])
def test_rows_are_sorted_as_they_are_written(manager, make):
    written(manager, make(ROWS), sort_by="id")

    assert load(manager)["id"].to_list() == [1, 2]


def test_a_column_to_sort_by_that_is_not_there_is_named(manager):
    with pytest.raises(SchemaChangedError, match="sorted by 'nmae', and its rows have no such column") as raised:
        written(manager, ROWS, sort_by="nmae")

    assert "'name'" in (raised.value.hint or "")


def test_a_table_that_was_written_in_another_mode_is_no_snapshot(manager):
    written(manager, ROWS)

    with pytest.raises(SchemaChangedError, match=r"written by snapshot.id., and its table has no column 'valid_from'"):
        written(manager, ROWS, snapshot("id"))


BY_HOUR = Partitions(HourlyPartitionsDefinition("2024-01-01-00:00"), "at")
BY_NAME = Partitions(StaticPartitionsDefinition(["1", "2", "10"]), "name")


def moments(*hours, **columns):
    return pl.DataFrame({"at": [dt.datetime(2024, 1, 1, hour, 59, 59, 999_999) for hour in hours], **columns})  # noqa: DTZ001


@pytest.mark.parametrize(
    ("partitions", "frames", "key", "inside", "mixed"),
    [
        (BY_HOUR, [moments(0, 1), moments(1, 1), moments(2)], "2024-01-01-01:00", 1, 1),
        (BY_NAME, [pl.DataFrame({"name": names}) for names in (["1", "10"], ["10", "10"], ["2"])], "10", 1, 1),
        (BY_NAME, [pl.DataFrame({"name": names}) for names in ([1, 10], [10, 10], [2])], "10", 1, 1),
        (BY_NAME, [pl.DataFrame({"name": names}) for names in ([10, None], [10, 10], [None])], "10", 1, 1),
        (BY_NAME, [pl.DataFrame({"name": ["10" * 40, "10"]}), pl.DataFrame({"name": ["10", "10"]})], "10", 1, 1),
    ],
    ids=["moments", "text", "numbers", "NULL", "long text"],
)
def test_files_of_a_partition_are_told_from_those_that_hold_others_too(manager, partitions, frames, key, inside, mixed):
    for frame in frames:
        written(manager, frame, "append")
    context = input_context()
    context.partitions_def, context.partition_keys = partitions.definition, (key,)
    output = OutputContext(KEY, definition_metadata={"partition_expr": partitions.expr})
    found = divided(manager.place(KEY, {}).snapshot(), manager.filters(context, output), KEY)

    assert (len(found.inside), len(found.mixed)) == (inside, mixed)


def test_a_version_that_is_not_there_is_named_with_table_and_store(manager):
    written(manager, ROWS)

    with pytest.raises(TableNotFoundError, match=r"shop\.orders in (delta|iceberg):.*/lake.* has no version 77"):
        manager.roll_back(OutputContext(KEY), "77")


def number(value):
    return pl.DataFrame({"n": [value]})


def data_files(manager):
    folder = Path(manager.place_of(KEY, {}))
    return {path.name for path in folder.rglob("*.parquet") if "_delta_log" not in path.parts}


def versions(manager):
    return [version.version for version in manager.table_versions(input_context())]


def at(manager, version):
    context = input_context()
    context.table_version = version
    return manager.load_input(context)


@pytest.mark.parametrize("keep", [1, 2, 3])
def test_the_last_versions_are_kept_and_no_file_of_others(manager, keep):
    recorded = [written(manager, number(value), keep_versions=keep)["table_version"] for value in range(5)]

    assert versions(manager) == recorded[-keep:]
    assert [at(manager, version).item() for version in recorded[-keep:]] == [*range(5)][-keep:]
    assert len(data_files(manager)) == keep
    with pytest.raises(TableNotFoundError, match=f"version {recorded[-keep - 1]}"):
        at(manager, recorded[-keep - 1])
    with pytest.raises(TableNotFoundError, match=f"no version {recorded[-keep - 1]}"):
        manager.roll_back(OutputContext(KEY), recorded[-keep - 1])


def test_files_that_a_kept_version_reads_stay(manager):
    for value in range(4):
        written(manager, number(value), "append", keep_versions=2)
    kept = versions(manager)
    written(manager, number(1), delete_insert("n"), keep_versions=2)

    assert at(manager, kept[-1])["n"].sort().to_list() == [0, 1, 2, 3]
    assert load(manager)["n"].sort().to_list() == [0, 1, 2, 3]
    assert len(data_files(manager)) == 5

    written(manager, number(9), keep_versions=1)

    assert (load(manager)["n"].to_list(), len(data_files(manager))) == ([9], 1)


def test_versions_from_before_the_number_was_declared_go_too(manager):
    for value in range(4):
        written(manager, number(value))
    written(manager, number(4), keep_versions=2)

    assert [at(manager, version).item() for version in versions(manager)] == [3, 4]
    assert len(data_files(manager)) == 2


def test_what_was_gone_back_to_stays_when_its_version_goes(manager):
    first = written(manager, number(0), keep_versions=2)["table_version"]
    written(manager, number(1), keep_versions=2)
    manager.roll_back(OutputContext(KEY, definition_metadata=TableOptions(keep_versions=2).in_metadata({})), first)
    back = load(manager).item()
    written(manager, number(2), "append", keep_versions=1)

    assert back == 0
    assert load(manager)["n"].sort().to_list() == [0, 2]
    assert len(versions(manager)) == 1
    assert len(data_files(manager)) == 2


def test_a_write_that_was_overtaken_keeps_what_is_kept_by_then(manager):
    metadata = TableOptions("append", keep_versions=2).in_metadata({})
    store(manager, number(0), **metadata)
    with manager.stage(OutputContext(KEY, definition_metadata=metadata), number(9)):
        for value in (1, 2, 3):
            store(manager, number(value), **metadata)

    assert load(manager)["n"].sort().to_list() == [0, 1, 2, 3, 9]
    assert [at(manager, version).height for version in versions(manager)] == [4, 5]


KILLED = """
import os, signal, sys
import polars as pl
from io_managers import *
from warehouse_assets import TableOptions
from warehouse_assets.testing.io_manager import store

manager = {manager!r}
metadata = TableOptions(keep_versions=1).in_metadata({{}})
store(manager, pl.DataFrame({{"n": [1]}}), **metadata)
os.remove = lambda path: os.kill(os.getpid(), signal.SIGKILL)  # the first file that is to be removed
store(manager, pl.DataFrame({{"n": [2]}}), **metadata)
"""


@pytest.mark.semantics(40)
def test_a_process_that_is_killed_before_it_removes_files_leaves_a_whole_table(manager):
    done = subprocess.run([sys.executable, "-c", KILLED.format(manager=manager)], check=False, capture_output=True, text=True)

    assert done.returncode == -signal.SIGKILL, done.stderr
    assert load(manager).item() == 2
    assert len(versions(manager)) == 1

    written(manager, number(3), keep_versions=1)

    assert load(manager).item() == 3


def test_snapshots_that_others_named_stay(tmp_path):
    manager = IcebergIOManager(warehouse=str(tmp_path))
    first = written(manager, number(0))["table_version"]
    table = catalog_of(manager).load_table(tuple(KEY.path))
    table.manage_snapshots().create_tag(int(first), "audit").commit()
    for value in (1, 2):
        written(manager, number(value), keep_versions=1)

    assert [at(manager, version).item() for version in versions(manager)] == [0, 2]
    assert len(data_files(manager)) == 2


def test_the_present_version_can_be_made_the_present_one(manager):
    present = [written(manager, number(value))["table_version"] for value in (1, 2)][-1]
    stats = manager.roll_back(OutputContext(KEY), present)

    assert (stats.row_count, load(manager).item(), len(versions(manager))) == (1, 2, 3)


def test_writers_that_keep_one_version_lose_nothing_to_each_other(manager):
    metadata = TableOptions(upsert("n"), keep_versions=1).in_metadata({})
    with ThreadPoolExecutor(4) as threads:
        list(threads.map(lambda value: store(manager, pl.DataFrame({"n": [value, -1]}), **metadata), range(8)))

    assert load(manager)["n"].sort().to_list() == [-1, *range(8)]
    assert len(versions(manager)) == 1
