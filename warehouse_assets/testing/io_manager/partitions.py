"""The promises of managers that keep partitions: a write replaces its slice and nothing else, whatever happens on the way."""

from __future__ import annotations

import datetime as dt
import random
import signal
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import polars as pl
import pyarrow as pa
import pytest
from polars.testing import assert_frame_equal

from warehouse_assets.errors import InvalidDefinitionError, OutsidePartitionError, TableNotFoundError
from warehouse_assets.io_manager import IOManager
from warehouse_assets.io_manager.powers import ChecksAssets
from warehouse_assets.keys import AssetKey
from warehouse_assets.partitions.dynamic import DynamicPartitionsDefinition
from warehouse_assets.partitions.multi import MultiPartitionsDefinition
from warehouse_assets.partitions.periodic import DailyPartitionsDefinition
from warehouse_assets.partitions.static import StaticPartitionsDefinition
from warehouse_assets.sql import SQL
from warehouse_assets.tables import Table
from warehouse_assets.testing.contract import Contract
from warehouse_assets.testing.frames import HOSTILE_FRAMES, HOSTILE_KEYS
from warehouse_assets.testing.io_manager.elsewhere import beside_each_other, run_elsewhere
from warehouse_assets.testing.io_manager.partition_values import PartitionValuesContract
from warehouse_assets.testing.io_manager.use import KEY, Broken, Partitions, load, source, store, stream

__all__ = [
    "BY_DAY",
    "AtomicPartitionContract",
    "PartitionContract",
    "PartitionSQLContract",
    "days",
]

HOSTILE_PARTITIONS = [
    "it's",
    'say "hi"',
    "a/b",
    "a\\b",
    "..",
    "x=1",
    "50 %",
    "a%2Fb",
    "ünï 表 😀",
    "'; drop table x; --",
    "{x} $y",
    "A",
    "a",
]

BY_DAY = Partitions(DailyPartitionsDefinition("2024-01-01"), "day")
BY_NAME = Partitions(StaticPartitionsDefinition(HOSTILE_PARTITIONS), "name")
BY_DAY_AND_NAME = Partitions(
    MultiPartitionsDefinition({"time": BY_DAY.definition, "name": BY_NAME.definition}), {"time": "day", "name": "name"}
)

MON, TUE, WED = "2024-01-01", "2024-01-02", "2024-01-03"


def days(**numbers: int | list[int]) -> pl.DataFrame:
    """Rows of the first days of 2024, as `days(d1=[1, 2], d3=4)`: the day, and a number.

    >>> days(d1=[1, 2], d3=4).rows()
    [(datetime.date(2024, 1, 1), 1), (datetime.date(2024, 1, 1), 2), (datetime.date(2024, 1, 3), 4)]
    """
    rows = [
        (dt.date(2024, 1, int(name[1:])), number)
        for name, given in numbers.items()
        for number in (given if isinstance(given, list) else [given])
    ]
    return pl.DataFrame(rows, schema={"day": pl.Date, "n": pl.Int64}, orient="row")


def names(**numbers: int) -> pl.DataFrame:
    """A row for each name, with a number."""
    return pl.DataFrame({"name": list(numbers), "n": list(numbers.values())})


def numbers_of(frame: Any) -> list[int]:
    """The numbers of the rows, sorted."""
    frame = frame.collect() if isinstance(frame, pl.LazyFrame) else pl.DataFrame(frame)
    return sorted(frame["n"])


class PartitionContract(Contract):
    """Partitions of a table are written and read one by one, and many at once."""

    @pytest.fixture
    def manager(self) -> IOManager:
        """The manager under test, new and empty: override this."""
        raise NotImplementedError

    def peek(self, manager: IOManager, key: AssetKey) -> pl.DataFrame:
        """All rows of a table, in any order, found out behind the manager's back."""
        raise NotImplementedError

    def peeked(self, manager: IOManager) -> list[int]:
        """The numbers of all rows of the table of `KEY`, sorted."""
        return numbers_of(self.peek(manager, KEY))

    @pytest.mark.parametrize("kind", [pl.DataFrame, pl.LazyFrame, pa.Table, pa.RecordBatchReader])
    def test_a_partition_comes_back_alone(self, manager: IOManager, kind: Any) -> None:
        store(manager, days(d1=[1, 2]), partitions=BY_DAY(MON))
        store(manager, days(d2=3), partitions=BY_DAY(TUE))

        loaded = load(manager, kind, partitions=BY_DAY(TUE))
        assert isinstance(loaded, kind)
        frame = loaded.collect() if isinstance(loaded, pl.LazyFrame) else pl.DataFrame(loaded)
        assert_frame_equal(frame, days(d2=3))

    @pytest.mark.parametrize("form", ["eager", "lazy", "arrow", "stream"])
    def test_a_write_replaces_its_slice_only(self, manager: IOManager, form: str) -> None:
        store(manager, days(d1=1), partitions=BY_DAY(MON))
        store(manager, days(d2=2), partitions=BY_DAY(TUE))
        frame = days(d1=[10, 11])
        new = {"eager": frame, "lazy": frame.lazy(), "arrow": frame.to_arrow(), "stream": stream(frame)}[form]

        store(manager, new, partitions=BY_DAY(MON))

        assert self.peeked(manager) == [2, 10, 11]

    @pytest.mark.parametrize("name", [name for name in sorted(HOSTILE_FRAMES) if not name.startswith("no rows")])
    def test_types_survive(self, manager: IOManager, name: str) -> None:
        frames = [HOSTILE_FRAMES[name].with_columns(day=pl.date(2024, 1, day)) for day in (1, 2)]
        for frame, key in zip(frames, (MON, TUE), strict=True):
            store(manager, frame, partitions=BY_DAY(key))

        assert_frame_equal(load(manager, partitions=BY_DAY(TUE)), frames[1])
        assert_frame_equal(load(manager, pl.LazyFrame).sort("day", maintain_order=True).collect(), pl.concat(frames))

    def test_keys_do_not_share_a_place(self, manager: IOManager) -> None:
        for number, key in enumerate(HOSTILE_KEYS):
            store(manager, days(d1=number), key, partitions=BY_DAY(MON))

        assert [load(manager, key=key, partitions=BY_DAY(MON))["n"].item() for key in HOSTILE_KEYS] == [
            *range(len(HOSTILE_KEYS))
        ]

    def test_many_partitions_are_written_at_once(self, manager: IOManager) -> None:
        store(manager, days(d1=1, d2=2, d3=3), partitions=BY_DAY(MON, TUE, WED))
        store(manager, days(d3=30, d1=10), partitions=BY_DAY(MON, WED))
        store(manager, days(d2=20), partitions=BY_DAY(TUE, WED))

        assert self.peeked(manager) == [10, 20]

    def test_many_partitions_are_read_as_one_table(self, manager: IOManager) -> None:
        store(manager, days(d1=1, d2=2, d3=3, d4=4), partitions=BY_DAY(MON, TUE, WED, "2024-01-04"))

        assert numbers_of(load(manager, partitions=BY_DAY(MON, TUE))) == [1, 2]
        assert numbers_of(load(manager, partitions=BY_DAY("2024-01-04", MON))) == [1, 4]
        assert numbers_of(load(manager)) == [1, 2, 3, 4]

    @pytest.mark.parametrize("kind", [pl.DataFrame, pl.LazyFrame, pa.Table, pa.RecordBatchReader])
    def test_no_partition_is_a_table_without_rows_with_its_types(self, manager: IOManager, kind: Any) -> None:
        store(manager, days(d1=1), partitions=BY_DAY(MON))

        loaded = load(manager, kind, partitions=BY_DAY())
        frame = loaded.collect() if isinstance(loaded, pl.LazyFrame) else pl.DataFrame(loaded)
        assert_frame_equal(frame, days())

    @pytest.mark.parametrize("kind", [pl.DataFrame, pl.LazyFrame, pa.Table, pa.RecordBatchReader])
    def test_no_partition_of_a_table_that_is_not_there_has_no_columns(self, manager: IOManager, kind: Any) -> None:
        loaded = load(manager, kind, partitions=BY_DAY())
        frame = loaded.collect() if isinstance(loaded, pl.LazyFrame) else pl.DataFrame(loaded)

        assert frame.shape == (0, 0)

    def test_a_partition_of_a_table_that_is_not_there_is_an_error(self, manager: IOManager) -> None:
        with pytest.raises(TableNotFoundError, match=r"orders.*asset 'orders' \(shop\.py:1\)"):
            load(manager, partitions=BY_DAY(MON))

    def test_a_partition_that_was_never_written_has_no_rows(self, manager: IOManager) -> None:
        store(manager, days(d1=1), partitions=BY_DAY(MON))

        assert_frame_equal(load(manager, partitions=BY_DAY(TUE)), days())

    def test_an_empty_frame_makes_the_table_and_empties_a_partition(self, manager: IOManager) -> None:
        store(manager, days(), partitions=BY_DAY(MON))

        assert_frame_equal(load(manager, partitions=BY_DAY(MON)), days())

        store(manager, days(d1=1), partitions=BY_DAY(MON))
        store(manager, days(d2=2), partitions=BY_DAY(TUE))
        store(manager, days(), partitions=BY_DAY(MON))

        assert self.peeked(manager) == [2]

    def test_columns_go_by_name(self, manager: IOManager) -> None:
        first = days(d1=1).with_columns(a=pl.lit(10), b=pl.lit(20))
        store(manager, first, partitions=BY_DAY(MON))
        store(manager, days(d2=2).select(b=pl.lit(21), a=pl.lit(11), n="n", day="day"), partitions=BY_DAY(TUE))

        rows = {row["n"]: (row["a"], row["b"]) for row in self.peek(manager, KEY).to_dicts()}
        assert rows == {1: (10, 20), 2: (11, 21)}
        assert load(manager, partitions=BY_DAY(TUE)).columns == first.columns

    def test_only_the_columns_asked_for_are_loaded(self, manager: IOManager) -> None:
        store(manager, days(d1=1, d2=2), partitions=BY_DAY(MON, TUE))

        for kind in (pl.DataFrame, pl.LazyFrame, pa.Table, pa.RecordBatchReader):
            loaded = load(manager, kind, columns=["n"], partitions=BY_DAY(TUE))
            frame = loaded.collect() if isinstance(loaded, pl.LazyFrame) else pl.DataFrame(loaded)

            assert_frame_equal(frame, days(d2=2).select("n"))

    def test_partitions_may_be_called_anything(self, manager: IOManager) -> None:
        for number, name in enumerate(HOSTILE_PARTITIONS):
            store(manager, pl.DataFrame({"name": [name], "n": [number]}), partitions=BY_NAME(name))
        for number, name in enumerate(HOSTILE_PARTITIONS[:3]):
            store(manager, pl.DataFrame({"name": [name], "n": [number]}), partitions=BY_NAME(name))

        assert [load(manager, partitions=BY_NAME(name))["n"].item() for name in HOSTILE_PARTITIONS] == [
            *range(len(HOSTILE_PARTITIONS))
        ]
        assert self.peeked(manager) == [*range(len(HOSTILE_PARTITIONS))]

    @pytest.mark.parametrize("column", ["select", "it's", 'say "hi"', "two words", "a.b", "{x}", "Größe"])
    def test_columns_of_partitions_may_be_called_anything(self, manager: IOManager, column: str) -> None:
        partitions = Partitions(BY_NAME.definition, column)
        for number, name in enumerate("Aa"):
            store(manager, pl.DataFrame({column: [name], "n": [number]}), partitions=partitions(name))

        assert numbers_of(load(manager, partitions=partitions("A"))) == [0]

    def test_dynamic_partitions_are_kept(self, manager: IOManager) -> None:
        partitions = Partitions(DynamicPartitionsDefinition("names"), "name")
        store(manager, names(one=1), partitions=partitions("one"))
        store(manager, names(two=2), partitions=partitions("two"))

        assert numbers_of(load(manager, partitions=partitions("two"))) == [2]

    def test_partitions_have_several_dimensions(self, manager: IOManager) -> None:
        for number, (day, name) in enumerate([(1, "A"), (1, "a"), (2, "A"), (2, "a")]):
            frame = pl.DataFrame({"day": [dt.date(2024, 1, day)], "name": [name], "n": [number]})
            store(manager, frame, partitions=BY_DAY_AND_NAME(f"{name}|2024-01-0{day}"))
        store(manager, self.peek(manager, KEY).filter(n=3).with_columns(n=30), partitions=BY_DAY_AND_NAME(f"a|{TUE}"))

        assert self.peeked(manager) == [0, 1, 2, 30]
        assert numbers_of(load(manager, partitions=BY_DAY_AND_NAME(f"A|{TUE}"))) == [2]
        assert numbers_of(load(manager, partitions=BY_DAY_AND_NAME(f"a|{MON}", f"A|{TUE}"))) == [1, 2]
        assert numbers_of(load(manager, partitions=BY_DAY_AND_NAME(f"a|{MON}", f"a|{TUE}"))) == [1, 30]

    def test_a_whole_write_replaces_all_partitions(self, manager: IOManager) -> None:
        store(manager, days(d1=1, d2=2), partitions=BY_DAY(MON, TUE))
        store(manager, days(d3=3))

        assert numbers_of(load(manager)) == [3]

    def test_a_write_is_measured(self, manager: IOManager) -> None:
        found = [
            store(manager, days(d1=[1, 2]), partitions=BY_DAY(MON)),
            store(manager, stream(days(d2=[3, 4, 5])), partitions=BY_DAY(TUE)),
            store(manager, days(d1=1).lazy(), partitions=BY_DAY(MON)),
        ]

        assert [(each["row_count"], each["partition_row_count"]) for each in found] == [(2, 2), (5, 3), (4, 1)]
        assert [[column.name for column in each["column_schema"]] for each in found] == [["day", "n"]] * 3

    @pytest.mark.parametrize("form", ["eager", "lazy", "stream"])
    def test_rows_outside_of_the_partition_are_an_error(self, manager: IOManager, form: str) -> None:
        store(manager, days(d1=1, d2=2), partitions=BY_DAY(MON, TUE))
        frame = days(d1=10, d3=30)
        new = {"eager": frame, "lazy": frame.lazy(), "stream": stream(frame)}[form]

        with pytest.raises(OutsidePartitionError, match=r"'shop/orders' .*'day' is '2024-01-03.*outside of .*'2024-01-01'"):
            store(manager, new, partitions=BY_DAY(MON))

        assert self.peeked(manager) == [1, 2]

    def test_rows_without_a_partition_are_an_error(self, manager: IOManager) -> None:
        frame = pl.DataFrame({"name": ["A", None], "n": [1, 2]})

        with pytest.raises(OutsidePartitionError, match=r"'name' is NULL.*'A'"):
            store(manager, frame, partitions=BY_NAME("A"))

    def test_a_frame_without_the_column_is_an_error(self, manager: IOManager) -> None:
        with pytest.raises(ValueError, match=r"'shop/orders' has no column 'day'"):
            store(manager, pl.DataFrame({"dya": [1]}), partitions=BY_DAY(MON))

    def test_a_missing_dimension_is_an_error_on_declaration(self, manager: IOManager) -> None:
        assert isinstance(manager, ChecksAssets)

        with pytest.raises(InvalidDefinitionError, match=r"'shop/orders'.*'time'.*partition_expr"):
            manager.check_asset(KEY, {"partition_expr": {"name": "name"}}, BY_DAY_AND_NAME.definition)


class PartitionSQLContract(PartitionValuesContract):
    """SQL makes partitions, of partitions."""

    DAY = "select {day}::date as day, 1 as n from range(3)"
    """Three rows of a day that is given as text, in the SQL of the store."""

    OF_DAY = "select * from {orders} where day = {day}::date"
    """The rows of a table of a day that is given as text."""

    FAILS_IN_PARTITION = "select day, cast('abc' || n as bigint) as n from shop.orders"
    """SQL that fails as it reads rows, with a message that holds "abc"."""

    def test_sql_makes_a_partition(self, manager: IOManager) -> None:
        for day in (MON, TUE, MON):
            recorded = store(manager, SQL(self.DAY, day=day), partitions=BY_DAY(day))

        assert (recorded["row_count"], recorded["partition_row_count"]) == (6, 3)
        assert load(manager, partitions=BY_DAY(TUE)).height == 3

    def test_sql_reads_the_partitions_that_are_meant(self, manager: IOManager) -> None:
        store(manager, days(d1=1, d2=2, d3=3), partitions=BY_DAY(MON, TUE, WED))
        made = AssetKey("made")
        for keys in [(TUE,), (MON, WED), ()]:
            given = {KEY: source(manager, KEY, BY_DAY(*keys))}
            store(manager, SQL("select orders.n from shop.orders join shop.orders b using (n)"), made, sources=given)

            assert numbers_of(load(manager, key=made)) == [int(key[-1]) for key in keys]

    def test_sql_filters_before_rows_are_judged(self, manager: IOManager) -> None:
        store(manager, days(d1=1, d2=2), partitions=BY_DAY(MON, TUE))
        store(
            manager,
            SQL(self.OF_DAY, orders=Table(KEY), day=TUE),
            AssetKey("made"),
            sources={KEY: source(manager, KEY)},
            partitions=BY_DAY(TUE),
        )

        assert numbers_of(load(manager, key=AssetKey("made"))) == [2]

    def test_sql_with_rows_outside_of_the_partition_is_an_error(self, manager: IOManager) -> None:
        store(manager, days(d1=1, d2=2), partitions=BY_DAY(MON, TUE))

        with pytest.raises(OutsidePartitionError, match=r"'day' is '2024-01-02.*'2024-01-01'"):
            store(
                manager,
                SQL("select day, n + 1 as n from shop.orders"),
                sources={KEY: source(manager, KEY)},
                partitions=BY_DAY(MON),
            )

        assert numbers_of(load(manager)) == [1, 2]

    def test_sql_reads_the_partition_that_it_replaces(self, manager: IOManager) -> None:
        store(manager, days(d1=1, d2=2), partitions=BY_DAY(MON, TUE))
        own = {KEY: source(manager, KEY, BY_DAY(MON))}
        recorded = store(manager, SQL("select day, n + 10 as n from shop.orders"), sources=own, partitions=BY_DAY(MON))

        assert numbers_of(load(manager)) == [2, 11]
        assert recorded["partition_row_count"] == 1

    def test_sql_that_fails_leaves_the_old_partition(self, manager: IOManager) -> None:
        store(manager, days(d1=1, d2=2), partitions=BY_DAY(MON, TUE))

        with pytest.raises(Exception, match="abc"):
            store(
                manager,
                SQL(self.FAILS_IN_PARTITION),
                sources={KEY: source(manager, KEY, BY_DAY(MON))},
                partitions=BY_DAY(MON),
            )

        assert numbers_of(load(manager)) == [1, 2]


class AtomicPartitionContract(Contract):
    """A partition is written at once or not at all, beside others; the manager's repr builds it again in another process."""

    ROWS = 200_000  # of a batch

    def peek(self, manager: IOManager, key: AssetKey) -> pl.DataFrame:
        """All rows of a table, in any order, found out behind the manager's back."""
        raise NotImplementedError

    def test_a_stream_that_breaks_leaves_the_old_partition(self, manager: IOManager) -> None:
        store(manager, days(d1=1, d2=2), partitions=BY_DAY(MON, TUE))

        def breaking() -> Iterator[pa.RecordBatch]:
            yield from days(d1=[10] * self.ROWS).to_arrow().to_batches()
            raise Broken("half way")

        with pytest.raises(Exception, match="half way"):
            store(manager, pa.RecordBatchReader.from_batches(days().to_arrow().schema, breaking()), partitions=BY_DAY(MON))

        assert numbers_of(self.peek(manager, KEY)) == [1, 2]

    def test_a_new_column_that_comes_with_a_failure_is_forgotten(self, manager: IOManager) -> None:
        store(manager, days(d1=1), partitions=BY_DAY(MON))
        new = days(d2=2, d3=3).with_columns(more=pl.lit("x"))

        with pytest.raises(OutsidePartitionError):
            store(manager, new, partitions=BY_DAY(TUE), schema_policy="append")

        assert_frame_equal(self.peek(manager, KEY).select("day", "n"), days(d1=1))
        assert "more" not in self.peek(manager, KEY).columns

    @pytest.mark.parametrize("batch", range(4))
    def test_a_process_killed_at_any_batch_leaves_the_old_partition(self, manager: IOManager, batch: int) -> None:
        killed = run_elsewhere(
            manager,
            f"""
            def rows():
                for number in range(4):
                    if number == {batch}:
                        os.kill(os.getpid(), signal.SIGKILL)
                    yield from days(d1=list(range({self.ROWS}))).to_arrow().to_batches()

            store(manager, days(d1=1, d2=2), partitions=BY_DAY("2024-01-01", "2024-01-02"))
            store(manager, pa.RecordBatchReader.from_batches(days().to_arrow().schema, rows()), partitions=BY_DAY("2024-01-01"))
            """,
        )

        assert killed.returncode == -signal.SIGKILL, killed.stderr
        assert numbers_of(load(manager)) == [1, 2]

        store(manager, days(d1=10), partitions=BY_DAY(MON))

        assert numbers_of(self.peek(manager, KEY)) == [2, 10]

    @pytest.mark.parametrize("starts", ["without the table", "with the table", "with fewer columns"])
    def test_threads_write_partitions_of_one_table(self, manager: IOManager, starts: str) -> None:
        if starts != "without the table":
            first = days(d1=-1).with_columns(round=pl.lit(0))
            store(manager, first.drop("round") if "fewer" in starts else first, partitions=BY_DAY(MON))

        def write(work: tuple[int, int]) -> None:
            number, day = work
            frame = days(**{f"d{day}": [day] * 1000}).with_columns(round=pl.lit(number))
            store(manager, frame, partitions=BY_DAY(f"2024-01-{day:02}"), schema_policy="append")

        shuffled = random.Random(starts)
        with ThreadPoolExecutor(8) as threads:
            for number in (1, 2):
                work = [(number, day) for day in range(1, 9)]
                list(threads.map(write, shuffled.sample(work, len(work))))
        found = self.peek(manager, KEY).group_by("n", "round").len().sort("n")

        assert found.rows() == [(day, 2, 1000) for day in range(1, 9)]

    def test_two_processes_write_partitions_of_one_table(self, manager: IOManager) -> None:
        beside_each_other(
            manager,
            """
            import sys

            for number in (1, 2):
                for day in range(int(sys.argv[1]), 9, 2):
                    frame = days(**{f"d{day}": [day] * 1000}).with_columns(round=pl.lit(number))
                    store(manager, frame, partitions=BY_DAY(f"2024-01-{day:02}"))
            """,
            "1",
            "2",
        )
        found = self.peek(manager, KEY).group_by("n", "round").len().sort("n")

        assert found.rows() == [(day, 2, 1000) for day in range(1, 9)]
