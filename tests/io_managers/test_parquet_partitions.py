"""Partitions as folders of Parquet files, and tables that are shown before they are published."""

from __future__ import annotations

import datetime as dt
from pathlib import Path

import duckdb
import fsspec
import polars as pl
import pytest

from io_managers.parquet import ParquetIOManager
from warehouse_assets.errors import InvalidDefinitionError, TableError
from warehouse_assets.io_manager import OutputContext
from warehouse_assets.partitions.multi import MultiPartitionsDefinition
from warehouse_assets.partitions.static import StaticPartitionsDefinition
from warehouse_assets.sql import SQL
from warehouse_assets.testing.io_manager import (
    BY_DAY,
    KEY,
    AtomicPartitionContract,
    AtomicStagingContract,
    PartitionContract,
    PartitionSQLContract,
    SchemaPolicyContract,
    StagingContract,
    days,
    load,
    output_context,
    source,
    store,
)

MON, TUE, WED = "2024-01-01", "2024-01-02", "2024-01-03"

pytestmark = pytest.mark.semantics(40, 41, 44)


def joined(frames):
    return pl.concat(frames, how="diagonal_relaxed")


class TestPartitions(
    PartitionContract,
    PartitionSQLContract,
    SchemaPolicyContract,
    AtomicPartitionContract,
    StagingContract,
    AtomicStagingContract,
):
    STORE = "Parquet"

    @pytest.fixture
    def manager(self, tmp_path):
        return ParquetIOManager(base_path=str(tmp_path / "lake [1]*"))

    def peek(self, manager, key):
        return joined(pl.read_parquet(path.read_bytes()) for path in sorted(Path(manager.base_path).rglob("*.parquet")))


class TestPartitionsInMemory(PartitionContract, PartitionSQLContract, SchemaPolicyContract, StagingContract):
    STORE = "Parquet in memory"

    @pytest.fixture
    def manager(self):
        yield ParquetIOManager(base_path="memory://lake")
        fsspec.filesystem("memory").store.clear()

    def peek(self, manager, key):
        files = fsspec.filesystem("memory")
        return joined(pl.read_parquet(files.cat(path)) for path in files.find("/lake"))


class TestPartitionsOnS3:
    @pytest.fixture
    def manager(self, bucket):
        return ParquetIOManager(base_path=f"{bucket.uri}/tables", storage_options=bucket.options)

    def test_what_is_staged_is_not_in_the_store(self, manager):
        store(manager, days(d1=1), partitions=BY_DAY(MON))
        with manager.stage(output_context(partitions=BY_DAY(TUE)), days(d2=2)):
            before = manager._files.fs.find("lake")

        assert before == [f"lake/tables/shop/orders.parquet.partitions/partition={MON}/data.parquet"]


@pytest.fixture
def manager(tmp_path):
    return ParquetIOManager(base_path=str(tmp_path))


def files(manager):
    """The files of the store, by their paths in it."""
    root = Path(manager.base_path)
    return sorted(path.relative_to(root).as_posix() for path in root.rglob("*") if path.is_file())


def untold(manager, frame, *keys, definition=BY_DAY.definition):
    """Store partitions of an asset that does not say which column tells them."""
    manager.handle_output(OutputContext(KEY, partitions_def=definition, partition_keys=keys), frame)


def test_a_partition_is_a_file_in_a_folder_of_its_own(manager):
    recorded = store(manager, days(d1=1, d2=[2, 3]), partitions=BY_DAY(MON, TUE))
    folder = Path(manager.base_path, "shop/orders.parquet.partitions")
    found = [folder / f"partition={day}/data.parquet" for day in (MON, TUE)]

    assert files(manager) == [path.relative_to(manager.base_path).as_posix() for path in found]
    assert recorded["uri"] == str(folder)
    assert (recorded["row_count"], recorded["partition_row_count"]) == (3, 3)
    assert recorded["byte_size"] == sum(path.stat().st_size for path in found)


NAMES = ["a/b", "it's", "ünï 表", "x=1", "..", "50 %", "a%2Fb", "y" * 300, "y" * 301]


@pytest.mark.parametrize("read", ["polars", "polars by pattern", "duckdb"])
def test_other_tools_read_the_folder_as_one_table(manager, read):
    definition = StaticPartitionsDefinition(NAMES)
    for number, name in enumerate(NAMES):
        untold(manager, pl.DataFrame({"n": [number]}), name, definition=definition)
    folder = f"{manager.base_path}/shop/orders.parquet.partitions"
    if read == "duckdb":
        with duckdb.connect() as connection:
            found = connection.sql(f"from read_parquet('{folder}/**/*.parquet', hive_partitioning = true)").pl()
    else:
        place = folder if read == "polars" else f"{folder}/**/*.parquet"
        found = pl.scan_parquet(place, hive_partitioning=True).collect()
    short = [name for name in NAMES if len(name) < 100]

    assert found.sort("n")["n"].to_list() == list(range(len(NAMES)))
    assert found.sort("n")["partition"].to_list()[: len(short)] == short


def test_no_column_of_the_table_is_hidden_by_a_dimension_of_its_name(manager):
    times = pl.DataFrame({"day": [dt.datetime.fromisoformat(f"{MON}T{hour}:00") for hour in ("05", "07")], "n": [1, 2]})
    definition = MultiPartitionsDefinition({"day": BY_DAY.definition, "n": StaticPartitionsDefinition(["1", "2"])})
    untold(manager, times, f"{MON}|1", definition=definition)
    folder = f"{manager.base_path}/shop/orders.parquet.partitions"
    with duckdb.connect() as connection:
        by_duckdb = connection.sql(f"from read_parquet('{folder}/**/*.parquet', hive_partitioning = true)").pl()

    for found in (pl.read_parquet(folder, hive_partitioning=True), by_duckdb):
        assert found.select("day", "n").equals(times)
        assert set(found.columns) == {"day", "n", "partition_day", "partition_n"}
    assert load(manager).equals(times)


def test_only_the_files_of_the_partitions_that_are_meant_are_read(manager):
    store(manager, days(d1=1, d2=2), partitions=BY_DAY(MON, TUE))
    Path(manager.base_path, f"shop/orders.parquet.partitions/partition={MON}/data.parquet").write_bytes(b"no Parquet")

    assert load(manager, partitions=BY_DAY(TUE)).equals(days(d2=2))


def test_rows_may_be_of_a_partition_that_no_column_tells(manager):
    untold(manager, pl.DataFrame({"n": [1]}), MON)
    untold(manager, pl.LazyFrame({"n": [2]}), TUE)

    assert load(manager, partitions=BY_DAY(TUE))["n"].to_list() == [2]
    assert sorted(load(manager)["n"]) == [1, 2]
    with pytest.raises(InvalidDefinitionError, match=r"'shop/orders' has partitions.*partition_expr"):
        untold(manager, pl.DataFrame({"n": [3]}), MON, TUE)


def test_a_whole_table_takes_the_place_of_its_partitions(manager):
    store(manager, days(d1=1, d2=2), partitions=BY_DAY(MON, TUE))
    store(manager, days(d3=3))

    assert files(manager) == ["shop/orders.parquet"]


def test_partitions_do_not_hide_the_rows_of_a_whole_table(manager):
    store(manager, days(d1=1, d3=3))
    for act in (
        lambda: store(manager, days(d1=10), partitions=BY_DAY(MON)),
        lambda: load(manager, partitions=BY_DAY(MON)),
    ):
        with pytest.raises(
            TableError, match=r"'shop/orders' has partitions, and is kept without them, in .*orders\.parquet\. Move"
        ):
            act()

    assert load(manager).equals(days(d1=1, d3=3))


def test_a_file_counts_where_a_crash_left_the_folder_beside_it(manager):
    store(manager, days(d1=1), partitions=BY_DAY(MON))
    days(d3=3).write_parquet(Path(manager.base_path, "shop/orders.parquet"))

    assert load(manager).equals(days(d3=3))

    store(manager, days(d3=30))

    assert files(manager) == ["shop/orders.parquet"]


def test_a_partition_of_a_table_that_may_grow_has_all_of_its_columns(manager):
    store(manager, days(d1=1), partitions=BY_DAY(MON), schema_policy="append")
    store(manager, days(d2=2).with_columns(more=pl.lit("x")), partitions=BY_DAY(TUE), schema_policy="append")
    lenient = manager.with_config({"schema_policy": "append"})

    assert load(lenient, partitions=BY_DAY(MON)).equals(days(d1=1).with_columns(more=pl.lit(None, pl.String)))
    assert load(lenient, partitions=BY_DAY(WED)).schema == {"day": pl.Date, "n": pl.Int64, "more": pl.String}


def test_partitions_with_other_columns_are_one_table_to_sql(manager):
    store(manager, days(d1=1), partitions=BY_DAY(MON))
    store(manager, days(d2=2).with_columns(more=pl.lit("x")), partitions=BY_DAY(TUE), schema_policy="append")
    sql = SQL("select n, more from shop.orders order by n")
    with manager.query(sql, {KEY: source(manager, KEY)}) as reader:
        found = reader.read_all().to_pylist()
    relation = load(manager, duckdb.DuckDBPyRelation, columns=["n", "more"])

    assert found == [{"n": 1, "more": None}, {"n": 2, "more": "x"}]
    assert sorted(relation.fetchall()) == [(1, None), (2, "x")]


def test_footers_are_read_again_only_where_files_changed(manager):
    for day in range(1, 6):
        store(manager, days(**{f"d{day}": day}), partitions=BY_DAY(f"2024-01-0{day}"))
    read = []
    footers = manager._footers
    footers._read = lambda path, read_one=footers._read: read.append(Path(path).parent.name) or read_one(path)
    recorded = store(manager, days(d3=[30, 31]), partitions=BY_DAY(WED))

    assert (read, recorded["row_count"]) == ([f"partition={WED}"], 6)


def test_many_partitions_written_at_once_leave_no_trace_of_a_failure(manager):
    store(manager, days(d1=1, d2=2), partitions=BY_DAY(MON, TUE))
    before = files(manager)

    def breaking():
        with manager.stage(output_context(partitions=BY_DAY(MON, WED)), days(d1=10)):
            assert all(name.startswith("shop/.") for name in set(files(manager)) - set(before))
            raise ValueError("half way")

    with pytest.raises(ValueError, match="half way"):
        breaking()

    assert files(manager) == before
    assert numbers(load(manager)) == [1, 2]


def test_partitions_are_dropped_one_by_one(manager):
    store(manager, days(d1=1, d2=2), partitions=BY_DAY(MON, TUE))
    dropped = [manager.drop(output_context(partitions=BY_DAY(MON, WED))) for _ in range(2)]

    assert (dropped, numbers(load(manager))) == ([True, False], [2])
    assert [manager.drop(OutputContext(KEY)), manager.drop(OutputContext(KEY))] == [True, False]
    assert files(manager) == []


def numbers(frame):
    return sorted(frame["n"])
