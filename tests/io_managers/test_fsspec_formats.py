"""Tables in files that are no Parquet: Arrow IPC, CSV and JSON by lines."""

from __future__ import annotations

import os
from pathlib import Path

import polars as pl
import pyarrow as pa
import pyarrow.csv as csv
import pytest
from hypothesis import HealthCheck, given, settings
from polars.testing import assert_frame_equal
from polars.testing.parametric import dataframes

from io_managers.fsspec import FsspecIOManager
from warehouse_assets.errors import UnsupportedTypeError
from warehouse_assets.keys import AssetKey
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
    PartitionSQLContract,
    SchemaPolicyContract,
    SelectionContract,
    SQLContract,
    StagingContract,
    TableContract,
    days,
    load,
    output_context,
    store,
)
from warehouse_assets.testing.io_manager.use import input_context

FORMATS = ["arrow", "csv", "ndjson"]


def visible(manager):
    """The files that any tool shows, by their paths in the store."""
    root = Path(manager.base_path)
    paths = (path.relative_to(root) for path in root.rglob("*") if path.is_file())
    return {path.as_posix() for path in paths if not path.name.startswith(".")}


@pytest.fixture(params=FORMATS)
def manager(request, tmp_path):
    return FsspecIOManager(base_path=str(tmp_path / "files [1]*"), format=request.param)


class TestTables(TableContract, SQLContract, SelectionContract, ColumnsContract, ConcurrencyContract, AtomicContract):
    STORE = "Arrow, CSV, JSON"

    @pytest.fixture
    def manager(self, manager):
        return manager

    def byte_size(self, manager, key):
        return os.path.getsize(Path(manager.base_path, *key.path).with_suffix(f".{manager.format}"))

    def debris(self, manager):
        return visible(manager) - {f"shop/orders.{manager.format}"}


class TestPartitions(
    PartitionContract,
    PartitionSQLContract,
    SchemaPolicyContract,
    AtomicPartitionContract,
    StagingContract,
    AtomicStagingContract,
):
    STORE = "Arrow, CSV, JSON"

    @pytest.fixture
    def manager(self, manager):
        return manager

    def peek(self, manager, key):
        paths = [Path(manager.base_path, path) for path in sorted(visible(manager))]
        if manager.format == "csv":  # polars does not tell nothing from an empty text
            frames = [pl.DataFrame(csv.read_csv(path)) for path in paths]
        else:
            read = pl.read_ipc if manager.format == "arrow" else pl.read_ndjson
            frames = [read(path.read_bytes()) for path in paths if path.stat().st_size]
        as_day = pl.col("day").cast(pl.String).str.to_date()
        return pl.concat(
            [frame.with_columns(as_day) if "day" in frame.columns else frame for frame in frames], how="diagonal_relaxed"
        )


@pytest.fixture
def csvs(tmp_path):
    return FsspecIOManager(base_path=str(tmp_path), format="csv")


def test_nothing_and_an_empty_text_are_two_things(csvs, tmp_path):
    frame = pl.DataFrame({"text": [None, "", "a,b", 'say "hi"', "two\nlines", "\r\n", " x ", "NULL", "'", "\\N"]})
    store(csvs, frame)

    assert load(csvs).equals(frame)
    assert Path(tmp_path, "shop/orders.csv").read_bytes().startswith(b'"text"\n\n""\n"a,b"\n"say ""hi"""\n')


@pytest.mark.parametrize("names", [['say "hi"', "a,b", "two\nlines"], ["", " ", "ü"], ["select", "it's", "a.b"]])
def test_columns_may_be_called_anything(manager, names):
    frame = pl.DataFrame({name: [number, None] for number, name in enumerate(names)})
    store(manager, frame)

    assert load(manager).equals(frame)
    assert load(manager, columns=names[:1]).equals(frame.select(names[:1]))


@pytest.mark.semantics(43)
@pytest.mark.parametrize("kind", [pl.DataFrame, pl.LazyFrame, pa.Table, pa.RecordBatchReader])
def test_rows_and_columns_are_picked(manager, kind):
    store(manager, ORDERS)
    context = input_context(KEY, kind, columns=["id"])
    context.metadata = {**context.metadata, "where": "amount is not null", "limit": 1}
    loaded = manager.load_input(context)
    frame = loaded.collect() if isinstance(loaded, pl.LazyFrame) else pl.DataFrame(loaded)

    assert frame.equals(pl.DataFrame({"id": [1]}))


def test_a_row_may_be_larger_than_what_is_read_at_a_time(manager):
    frame = pl.DataFrame({"n": [1, 2, 3], "text": ["x", '"\n' * 6_000_000, None]})
    store(manager, frame)

    assert load(manager).equals(frame)


def test_a_lazy_frame_reads_what_is_asked_of_it(manager):
    store(manager, pl.DataFrame({"n": range(1000), "text": ["x"] * 1000}))
    lazy = load(manager, pl.LazyFrame)

    assert lazy.filter(pl.col("n") > 990).select("n").head(3).collect()["n"].to_list() == [991, 992, 993]
    assert lazy.select(pl.len()).collect().item() == 1000


@pytest.mark.parametrize("form", ["csv", "ndjson"])
def test_what_text_cannot_say_is_refused_and_the_old_table_stays(tmp_path, form):
    manager = FsspecIOManager(base_path=str(tmp_path), format=form)
    store(manager, ORDERS)

    with pytest.raises(UnsupportedTypeError, match=r"column 'x' of asset 'shop/orders' has a NaN or an infinity in its lists"):
        store(manager, pl.DataFrame({"x": [[1.5, float("nan")]]}))
    with pytest.raises(UnsupportedTypeError, match=r"'shop/orders' returned a frame without columns"):
        store(manager, pl.DataFrame())
    with pytest.raises(UnsupportedTypeError, match=r"column 'x' of asset 'shop/orders' is Object, which no text says"):
        store(manager, pl.DataFrame({"x": [object()]}, schema={"x": pl.Object}))

    assert load(manager).equals(ORDERS)
    assert visible(manager) == {f"shop/orders.{form}"}


class TestWithoutANote:
    """Files that someone else wrote, or changed."""

    def test_a_file_of_someone_else_is_read_by_looking(self, csvs, tmp_path):
        Path(tmp_path, "cities.csv").write_text("city,height\nLima,154\nOslo,\n")

        assert load(csvs, key=AssetKey("cities")).rows() == [("Lima", 154), ("Oslo", None)]

    def test_a_json_file_of_someone_else_is_read_by_looking(self, tmp_path):
        manager = FsspecIOManager(base_path=str(tmp_path), format="ndjson")
        Path(tmp_path, "cities.ndjson").write_text('{"city": "Lima", "height": 154}\n{"city": "Oslo"}\n')

        assert load(manager, key=AssetKey("cities")).rows() == [("Lima", 154), ("Oslo", None)]

    def test_columns_of_a_changed_file_keep_their_types(self, csvs, tmp_path):
        store(csvs, pl.DataFrame({"id": ["007"], "n": [1]}, schema={"id": pl.String, "n": pl.Int8}))
        with open(tmp_path / "shop/orders.csv", "a") as file:
            file.write('"008",2\n')

        assert load(csvs).equals(pl.DataFrame({"id": ["007", "008"], "n": [1, 2]}, schema={"id": pl.String, "n": pl.Int8}))

    @pytest.mark.semantics(40)
    def test_a_crash_before_the_file_is_published_leaves_the_types_of_the_old_one(self, csvs, tmp_path):
        store(csvs, pl.DataFrame({"n": [1]}, schema={"n": pl.Int8}))
        old = (tmp_path / "shop/orders.csv").read_bytes()
        store(csvs, pl.DataFrame({"n": ["a text"]}))
        (tmp_path / "shop/orders.csv").write_bytes(old)

        assert load(csvs).schema == {"n": pl.Int8}

    @pytest.mark.parametrize("form", ["csv", "ndjson"])
    def test_of_two_tables_that_look_alike_the_newer_one_is_there(self, tmp_path, form):
        manager = FsspecIOManager(base_path=str(tmp_path), format=form)
        for dtype in (pl.Int8, pl.Int64):
            store(manager, pl.DataFrame({"n": [1]}, schema={"n": dtype}))

        assert load(manager).schema == {"n": pl.Int64}

    def test_rows_that_nobody_counted_are_counted(self, csvs, tmp_path):
        store(csvs, days(d1=1), partitions=BY_DAY("2024-01-01"))
        (file,) = tmp_path.rglob("data.csv")
        with open(file, "a") as text:
            text.write('"2024-01-01",2\n')
        recorded = store(csvs, days(d2=2), partitions=BY_DAY("2024-01-02"))

        assert (recorded["row_count"], recorded["partition_row_count"]) == (3, 1)

    def test_dropping_a_table_leaves_nothing(self, manager):
        store(manager, ORDERS)
        dropped = [manager.drop(output_context()) for _ in range(2)]

        assert dropped == [True, False]
        assert [path for path in Path(manager.base_path).rglob("*") if path.is_file()] == []


@pytest.mark.parametrize("form", FORMATS)
@settings(max_examples=40, suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture])
@given(frame=dataframes(min_cols=1, max_cols=4, max_size=6, excluded_dtypes=[pl.Object, pl.Extension], allow_masked=False))
def test_what_is_written_is_read(tmp_path, form, frame):
    manager = FsspecIOManager(base_path=str(tmp_path), format=form)
    nested = [name for name, dtype in frame.schema.items() if dtype.is_nested()]
    finite = frame if form == "arrow" else frame.drop(nested)  # whose lists may have a NaN, which is refused
    if finite.width:
        store(manager, finite)

        assert_frame_equal(load(manager, pl.DataFrame), finite)
