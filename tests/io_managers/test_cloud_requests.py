"""What is asked of an object store: as few requests and bytes as may be, again after a failure, and nothing that stays behind."""

from __future__ import annotations

from typing import Any

import duckdb
import polars as pl
import pyarrow as pa
import pytest

from io_managers.fsspec import FsspecIOManager
from io_managers.parquet import ParquetIOManager
from warehouse_assets.errors import TableError
from warehouse_assets.sql import SQL
from warehouse_assets.testing.io_manager import BY_DAY, KEY, ORDERS, days, load, source, store

COLUMNS, ROWS = 100, 20_000
WIDE = pl.select(
    pl.int_range(ROWS).hash(seed).alias(f"c{seed}") for seed in range(COLUMNS)
)  # that no compression makes smaller
DAYS = [str(day) for day in pl.date_range(pl.date(2024, 1, 1), pl.date(2024, 4, 9), eager=True)]


def sql(manager: Any, text: str, partitions: Any = None) -> pa.Table:
    with manager.query(SQL(text), {KEY: source(manager, KEY, partitions)}) as reader:
        return reader.read_all()


READERS: dict[str, Any] = {
    "eager": lambda manager: load(manager, columns=["c3", "c70"]),
    "lazy": lambda manager: load(manager, pl.LazyFrame).select("c3", "c70").collect(),
    "arrow": lambda manager: load(manager, pa.Table, columns=["c3", "c70"]),
    "stream": lambda manager: load(manager, pa.RecordBatchReader, columns=["c3", "c70"]).read_all(),
    "relation": lambda manager: load(manager, duckdb.DuckDBPyRelation, columns=["c3", "c70"]).fetchall(),
    "sql": lambda manager: sql(manager, "select sum(c3), max(c70) from shop.orders"),
}


def lake(bucket: Any, **more: Any) -> ParquetIOManager:
    return ParquetIOManager(base_path=f"{bucket.uri}/lake", storage_options={**bucket.options, **more})


@pytest.fixture
def manager(swift, counted):
    return lake(swift.at(counted.endpoint))


@pytest.mark.parametrize("reader", READERS)
def test_two_of_a_hundred_columns_are_a_matching_share_of_the_bytes(manager, counted, reader):
    size = store(manager, WIDE)["byte_size"]
    counted.forget()
    READERS[reader](manager)

    assert size > COLUMNS * ROWS * 8
    assert counted.sent("GET", "orders.parquet") < 2 / COLUMNS * size + 2**18 + 2**16  # and the end of the file
    assert len(counted.requests()) <= 8


SORTED = pl.select(pl.int_range(2_000_000).alias("id"), pl.int_range(2_000_000).hash(1).alias("n"))  # 16 MB of `n`
SOME: dict[str, Any] = {
    "eager": lambda manager, where: load(manager, where=where),
    "lazy": lambda manager, where: load(manager, pl.LazyFrame, where=where).collect(),
    "lazily": lambda manager, where: load(manager, pl.LazyFrame).filter(pl.sql_expr(where)).collect(),
    "arrow": lambda manager, where: pl.DataFrame(load(manager, pa.Table, where=where)),
    "stream": lambda manager, where: pl.DataFrame(load(manager, pa.RecordBatchReader, where=where).read_all()),
    "sql": lambda manager, where: pl.DataFrame(sql(manager, f"select * from shop.orders where {where}")),
}


@pytest.mark.parametrize("native", [True, False], ids=["by itself", "through fsspec"])
@pytest.mark.parametrize("reader", SOME)
def test_a_condition_on_sorted_rows_reads_a_matching_share_of_the_bytes(swift, counted, reader, native):
    more = {} if native else {"config_kwargs": {"retries": {"max_attempts": 5}}}
    manager = lake(swift.at(counted.endpoint), **more)
    size = store(manager, SORTED)["byte_size"]
    counted.forget()
    found = SOME[reader](manager, "id >= 1000000 and id < 1000010")

    assert found.equals(SORTED[1_000_000:1_000_010])
    assert counted.sent("GET", "orders.parquet") < size / 4 + 2**18 + 2**16


def test_where_only_fsspec_can_read_it_asks_for_the_columns_too(swift, counted):
    manager = lake(swift.at(counted.endpoint), config_kwargs={"retries": {"max_attempts": 5}})
    size = store(manager, WIDE)["byte_size"]
    counted.forget()
    frame = load(manager, columns=["c3", "c70"])

    assert manager._files.native is None
    assert frame.equals(WIDE.select("c3", "c70"))
    assert counted.sent("GET") < 2 / COLUMNS * size + 2**18


def test_one_of_a_hundred_partitions_is_one_file_and_a_matching_share_of_the_bytes(manager, counted):
    frame = pl.concat([WIDE.select("c1", "c2").with_columns(day=pl.lit(day).str.to_date()).head(4_000) for day in DAYS])
    size = store(manager, frame, partitions=BY_DAY(*DAYS))["byte_size"]
    read: dict[str, set[str]] = {}
    asked: dict[str, int] = {}
    sent: dict[str, int] = {}
    for name, act in {
        "eager": lambda: load(manager, partitions=BY_DAY(DAYS[7])),
        "lazy": lambda: load(manager, pl.LazyFrame, partitions=BY_DAY(DAYS[7])).collect(),
        "sql": lambda: sql(manager, "select sum(c1::double) from shop.orders", BY_DAY(DAYS[7])),
    }.items():
        counted.forget()
        act()
        read[name] = {each.path for each in counted.requests("GET") if each.path.endswith(".parquet")}
        asked[name] = len(counted.requests())
        sent[name] = counted.sent("GET", ".parquet")

    assert {name: len(paths) for name, paths in read.items()} == dict.fromkeys(read, 1)
    assert all(f"partition={DAYS[7]}/" in path for paths in read.values() for path in paths)
    assert max(asked.values()) <= 9
    assert size > len(DAYS) * 4_000 * 16
    assert max(sent.values()) < size / len(DAYS) + 2**17  # and the footers


def test_the_partitions_of_a_table_are_found_by_listing_it(manager, counted):
    frame = pl.concat([days(d1=1).with_columns(day=pl.lit(day).str.to_date()) for day in DAYS])
    store(manager, frame, partitions=BY_DAY(*DAYS))
    load(manager)
    counted.forget()
    load(manager)

    assert len(counted.requests("GET", ".parquet")) == len(DAYS)
    assert len(counted.requests()) <= len(DAYS) + 8


@pytest.mark.parametrize("form", ["parquet", "csv", "pickle"])
def test_a_store_that_is_busy_for_a_moment_fails_nothing(swift, counted, form):
    bucket = swift.at(counted.endpoint)
    manager = (
        lake(bucket)
        if form == "parquet"
        else FsspecIOManager(base_path=f"{bucket.uri}/files", format=form, storage_options=bucket.options)
    )
    counted.fail_next(2)
    store(manager, ORDERS)
    counted.fail_next(2)
    found = load(manager, pl.DataFrame)
    counted.fail_next(2)
    lazily = load(manager, pl.LazyFrame).collect()

    assert (found.equals(ORDERS), lazily.equals(ORDERS)) == (True, True)
    assert [each.status for each in counted.requests() if each.status == 503] == [503] * 6


def test_a_store_that_stays_away_is_named_without_secrets(swift, counted):
    bucket = swift.at(counted.endpoint)
    manager = lake(bucket)
    store(manager, ORDERS)
    counted.fail_next(10_000)
    for act in (lambda: load(manager), lambda: store(manager, ORDERS)):
        with pytest.raises(
            TableError, match=rf"{bucket.uri}/lake/shop/orders\.parquet could not be reached: .* Does the"
        ) as caught:
            act()

        assert bucket.secret not in f"{caught.value!r} {caught.value}"
    counted.fail_next(0)

    assert load(manager).equals(ORDERS)


@pytest.mark.semantics(40)
def test_a_write_that_breaks_gives_its_parts_up(swift):
    manager = lake(swift)
    store(manager, ORDERS)

    def breaking() -> Any:
        for _ in range(4):
            yield pa.record_batch(
                {"x": WIDE["c1"].extend(WIDE["c2"]).to_arrow().cast(pa.uint64())} | {"y": list(range(ROWS * 2))}
            )
        raise ValueError("half way")

    schema = pa.schema({"x": pa.uint64(), "y": pa.int64()})
    with pytest.raises(ValueError, match="half way"):
        store(manager, pa.RecordBatchReader.from_batches(schema, breaking()))
    client = swift.client()
    uploads = client.list_multipart_uploads(Bucket=swift.name).get("Uploads", [])
    names = [each["Key"] for each in client.list_objects_v2(Bucket=swift.name)["Contents"]]
    client.close()

    assert (uploads, names) == ([], ["lake/shop/orders.parquet"])
    assert load(manager).equals(ORDERS)


def test_who_reads_a_table_that_is_replaced_gets_one_or_the_other(swift):
    manager = lake(swift)
    store(manager, WIDE.select("c1"))
    lazy = load(manager, pl.LazyFrame)
    store(manager, WIDE.select("c2"))

    with pytest.raises(TableError, match=r"orders\.parquet was replaced .*Load it again"):
        lazy.collect()
    store(manager, WIDE.select(c1="c2"))

    assert lazy.collect().equals(WIDE.select(c1="c2"))
