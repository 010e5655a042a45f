"""What Delta Lake and Iceberg have in common."""

from __future__ import annotations

import datetime as dt

import polars as pl
import pytest

from io_managers.delta import DeltaLakeIOManager
from io_managers.iceberg import IcebergIOManager
from io_managers.lakehouse.slices import divided
from warehouse_assets.errors import SchemaChangedError, TableNotFoundError
from warehouse_assets.io_manager import OutputContext
from warehouse_assets.partitions.periodic import HourlyPartitionsDefinition
from warehouse_assets.partitions.static import StaticPartitionsDefinition
from warehouse_assets.table_options import TableOptions, snapshot
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
