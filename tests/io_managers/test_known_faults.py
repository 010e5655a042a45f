"""What managers for tables are known to get wrong, each fault by its name, on every store of tables."""

from __future__ import annotations

import datetime as dt
import os
import signal
import subprocess
import sys

import duckdb
import polars as pl
import pytest
from polars.testing import assert_frame_equal

from io_managers.delta import DeltaLakeIOManager
from io_managers.duckdb import DuckDBIOManager
from io_managers.iceberg import IcebergIOManager
from io_managers.parquet import ParquetIOManager
from io_managers.sqlalchemy import SQLAlchemyIOManager
from warehouse_assets import (
    AssetKey,
    DailyPartitionsDefinition,
    Definitions,
    EnvVar,
    Instance,
    MultiPartitionsDefinition,
    StaticPartitionsDefinition,
    asset,
    materialize,
)
from warehouse_assets.errors import InvalidDefinitionError, SchemaChangedError
from warehouse_assets.testing.io_manager.elsewhere import beside_each_other, run_elsewhere

STORES = {
    "duckdb": lambda folder: DuckDBIOManager(database=f"{folder}/w.duckdb"),
    "parquet": lambda folder: ParquetIOManager(base_path=f"{folder}/lake"),
    "delta": lambda folder: DeltaLakeIOManager(base_path=f"{folder}/delta"),
    "iceberg": lambda folder: IcebergIOManager(warehouse=f"{folder}/iceberg"),
    "sqlite": lambda folder: SQLAlchemyIOManager(url=f"sqlite:///{folder}/w.db"),
}
SERVED = ["postgres", "mariadb_alone"]

DAILY = DailyPartitionsDefinition("2024-01-01")
BY_DAY = {"partitions_def": DAILY, "metadata": {"partition_expr": "day"}}
MON, TUE = dt.date(2024, 1, 1), dt.date(2024, 1, 2)


@pytest.fixture(params=[*STORES, *SERVED])
def manager(request, tmp_path, monkeypatch):
    if request.param in STORES:
        return STORES[request.param](tmp_path)
    monkeypatch.setenv("WAREHOUSE_URL", request.getfixturevalue(request.param).url)
    return SQLAlchemyIOManager(url=EnvVar("WAREHOUSE_URL"))


def write(manager, frame, key="shop/orders", *, partition_key=None, **options):
    """Materialize an asset that returns the frame, as a person would."""

    @asset(key=key, **options)
    def table():
        return frame

    with Instance.ephemeral() as instance:
        return materialize([table], resources={"io_manager": manager}, instance=instance, partition_key=partition_key)


def read(manager, key="shop/orders", **options):
    @asset(key=key, **options)
    def table():
        return None

    return Definitions(assets=[table], resources={"io_manager": manager}).load_asset_value(key, instance=Instance.ephemeral())


@pytest.mark.parametrize(
    "changed",
    [
        pl.DataFrame({"day": [MON], "n": [9], "more": ["x"]}),
        pl.DataFrame({"day": [MON], "n": ["text"]}),
        pl.DataFrame({"day": [MON]}),
    ],
    ids=["new column", "other type", "fewer columns"],
)
def test_a_changed_schema_leaves_no_rows(manager, changed):
    write(manager, pl.DataFrame({"day": [MON], "n": [1]}), partition_key="2024-01-01", **BY_DAY)
    with pytest.raises(SchemaChangedError):
        write(manager, changed, partition_key="2024-01-01", **BY_DAY)

    assert read(manager, **BY_DAY)["n"].to_list() == [1]


def test_a_kill_between_delete_and_insert_leaves_no_rows(manager):
    write(manager, pl.DataFrame({"day": [MON], "n": [1]}), partition_key="2024-01-01", **BY_DAY)
    script = """
        import datetime
        from warehouse_assets import DailyPartitionsDefinition, asset, materialize

        def dying(frame):
            os.kill(os.getpid(), signal.SIGKILL)

        @asset(key="shop/orders", partitions_def=DailyPartitionsDefinition("2024-01-01"), metadata={"partition_expr": "day"})
        def table():
            return pl.LazyFrame({"day": [datetime.date(2024, 1, 1)], "n": [2]}).map_batches(dying)

        materialize([table], resources={"io_manager": manager}, partition_key="2024-01-01")
    """
    killed = run_elsewhere(manager, script)

    assert killed.returncode == -signal.SIGKILL, killed.stderr
    assert read(manager, **BY_DAY)["n"].to_list() == [1]


def test_reordered_columns_swap_data(manager):
    for frame in (
        pl.DataFrame({"day": [MON], "a": [1], "b": [2]}),
        pl.DataFrame({"b": [20], "a": [10], "day": [TUE]}),
    ):
        write(manager, frame, partition_key=frame["day"].item().isoformat(), **BY_DAY)

    assert read(manager, **BY_DAY).sort("day").select("a", "b").rows() == [(1, 2), (10, 20)]


def test_an_empty_first_frame_makes_no_table(manager):
    empty = pl.DataFrame(schema={"id": pl.Int64, "at": pl.Datetime("us", "Europe/Paris")})
    write(manager, empty)

    assert_frame_equal(read(manager), empty)


@pytest.mark.parametrize("schema", ["select", 'my "schema"', "Ünï-codé", "a.b; drop table x"])
def test_schema_names_are_unquoted(manager, schema):
    key = AssetKey([schema, "group"])
    write(manager, pl.DataFrame({"order": [1]}), key)

    assert read(manager, key)["order"].to_list() == [1]


def test_keys_that_end_alike_overwrite_each_other(manager):
    keys = [AssetKey(path) for path in (["x", "s", "t"], ["y", "s", "t"], ["s", "t"], ["t"])]
    for number, key in enumerate(keys):
        write(manager, pl.DataFrame({"n": [number]}), key)

    assert [read(manager, key).item() for key in keys] == [0, 1, 2, 3]


def held_below(folder):
    """How many files this process holds there: what a pool of connections keeps, and what was forgotten."""
    held = [os.path.realpath(f"/proc/self/fd/{number}") for number in os.listdir("/proc/self/fd")]
    return sum(path.startswith(str(folder)) for path in held)


def test_a_failure_leaves_the_connection_open(manager, tmp_path):
    write(manager, pl.DataFrame({"n": [1]}))
    before = held_below(tmp_path)
    broken = pl.LazyFrame({"n": ["x"]}).select(pl.col("n").cast(pl.Int64))
    with pytest.raises(pl.exceptions.InvalidOperationError):
        write(manager, broken)

    assert held_below(tmp_path) <= before
    assert read(manager).item() == 1


def test_parallel_processes_meet_lock_errors(manager):
    script = """
        import sys
        from warehouse_assets import Instance, asset, materialize

        @asset(key=["shop", sys.argv[1]])
        def table():
            return pl.DataFrame({"n": [1]})

        for _ in range(5):
            materialize([table], resources={"io_manager": manager}, instance=Instance.ephemeral())
    """
    beside_each_other(manager, script, "a", "b", "c")

    assert [read(manager, f"shop/{name}").item() for name in ("a", "b", "c")] == [1, 1, 1]


def test_a_reader_elsewhere_makes_a_write_wait_in_silence(tmp_path, caplog):
    manager = DuckDBIOManager(database=f"{tmp_path}/w.duckdb", lock_timeout=30)
    write(manager, pl.DataFrame({"n": [1]}))
    script = (
        f"import duckdb, time; c = duckdb.connect({manager.database!r}, read_only=True); print(1, flush=True); time.sleep(1)"
    )
    reader = subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE)
    reader.stdout.readline()
    write(manager, pl.DataFrame({"n": [2]}))
    reader.communicate()

    assert f"is held by python{sys.version_info[0]}.{sys.version_info[1]} (process {reader.pid})" in caplog.text
    assert read(manager).item() == 2


def test_a_missing_partition_dimension_is_found_at_the_second_write():
    both = MultiPartitionsDefinition({"day": DAILY, "region": StaticPartitionsDefinition(["eu", "us"])})
    with pytest.raises(InvalidDefinitionError, match="lacks the dimension 'region'"):

        @asset(partitions_def=both, metadata={"partition_expr": {"day": "day"}})
        def table():
            return None


@pytest.mark.parametrize(
    ("dtype", "values"),
    [
        (pl.Categorical(), ["a", None]),
        (pl.Enum(["low", "high"]), ["high", None]),
        (pl.Datetime("us", "Europe/Paris"), [dt.datetime(2024, 6, 1, 12, tzinfo=dt.UTC), None]),
        (pl.Datetime("ns", "America/New_York"), [dt.datetime(2024, 1, 1, tzinfo=dt.UTC), None]),
        (pl.Null(), [None, None]),
        (pl.Duration("us"), [dt.timedelta(days=3, microseconds=1), None]),
        (pl.Int128(), [2**100, None]),
        (pl.Time(), [dt.time(12, 30, 1, 5), None]),
        (pl.Decimal(38, 10), ["1.0000000001", None]),
    ],
    ids=["categorical", "enum", "paris", "new york", "null", "duration", "int128", "time", "decimal"],
)
def test_a_type_is_changed_or_refused(manager, dtype, values):
    frame = pl.DataFrame({"value": pl.Series(values).cast(dtype) if dtype.is_decimal() else pl.Series(values, dtype=dtype)})
    write(manager, frame)

    assert_frame_equal(read(manager), frame)


def test_metadata_costs_another_pass_over_the_frame(manager):
    passes = []

    def counted(frame):
        passes.append(frame.height)
        return frame

    lazy = pl.LazyFrame({"n": [1, 2, 3]}).map_batches(counted)
    result = write(manager, lazy)
    [event] = result.asset_materializations_for_node("shop__orders")

    assert sum(passes) == 3
    assert event.metadata["row_count"].value == 3


def test_no_bytes_are_recorded(manager):
    result = write(manager, pl.DataFrame({"n": pl.int_range(200_000, eager=True).shuffle(seed=1)}))
    [event] = result.asset_materializations_for_node("shop__orders")

    assert event.metadata["byte_size"].value > 200_000


def test_a_table_that_other_tools_read_is_plain(tmp_path):
    write(DuckDBIOManager(database=f"{tmp_path}/w.duckdb"), pl.DataFrame({"n": [1]}))
    with duckdb.connect(f"{tmp_path}/w.duckdb") as connection:
        found = connection.execute("select n from shop.orders").fetchall()

    assert found == [(1,)]
