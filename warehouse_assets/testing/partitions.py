"""The promises of I/O managers about partitions, and about showing a table before it is published."""

from __future__ import annotations

import signal
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from datetime import UTC, date, datetime
from random import Random
from typing import Any

import polars as pl
import pyarrow as pa
import pytest
from polars.testing import assert_frame_equal

from warehouse_assets.errors import InvalidDefinitionError, SchemaChangedError, TableError
from warehouse_assets.io_manager import (
    ChecksAssets,
    InputContext,
    IOManager,
    OutputContext,
    QueriesSQL,
    StagesTables,
    TableSource,
)
from warehouse_assets.keys import AssetKey
from warehouse_assets.partitions.definition import PartitionsDefinition
from warehouse_assets.partitions.multi import MultiPartitionsDefinition
from warehouse_assets.partitions.periodic import DailyPartitionsDefinition, HourlyPartitionsDefinition
from warehouse_assets.partitions.static import StaticPartitionsDefinition
from warehouse_assets.sql import SQL
from warehouse_assets.testing.contract import Contract
from warehouse_assets.testing.io_manager import FORMS, KEY, ORDERS, Broken, in_another_process, load, store

__all__ = ["AtomicStagingContract", "PartitionContract", "StagingContract", "load_partitions", "store_partitions"]

KINDS = StaticPartitionsDefinition(["a", "b", "it's", 'a "quoted" one', "a/b", "..", "ü %41", "x" * 300])
DAYS = DailyPartitionsDefinition("2024-02-27", "2024-03-04")
HOURS = HourlyPartitionsDefinition("2024-03-31-00:00", "2024-04-01-00:00", timezone="Europe/Berlin")
GRID = MultiPartitionsDefinition({"day": DAYS, "kind": KINDS})


def of_kind(kind: str, *ids: int) -> pl.DataFrame:
    """Rows of one partition by kind."""
    return pl.DataFrame({"id": ids, "kind": [kind] * len(ids)}, schema={"id": pl.Int64, "kind": pl.String})


def of_day(day: int, *ids: int) -> pl.DataFrame:
    """Rows of one day of March 2024."""
    return pl.DataFrame({"id": ids, "day": [date(2024, 3, day)] * len(ids)}, schema={"id": pl.Int64, "day": pl.Date})


def store_partitions(
    manager: IOManager,
    value: Any,
    keys: Sequence[str],
    partitions_def: PartitionsDefinition = KINDS,
    by: Any = "kind",
    *,
    policy: str | None = None,
    sources: Mapping[AssetKey, TableSource] | None = None,
) -> dict[str, Any]:
    """Store some partitions as an asset would; what was recorded, as plain values."""
    metadata = {"partition_expr": by, **({"schema_policy": policy} if policy else {})}
    context = OutputContext(
        KEY, definition_metadata=metadata, partition_keys=tuple(keys), partitions_def=partitions_def, sources=sources or {}
    )
    for entry in manager.handle_output(context, value) or ():
        context.add_output_metadata(entry)
    return {name: value.value for name, value in context.output_metadata.items()}


def partitions_context(
    keys: Sequence[str],
    partitions_def: PartitionsDefinition = KINDS,
    by: Any = "kind",
    type_hint: Any = pl.DataFrame,
    columns: list[str] | None = None,
) -> InputContext:
    """What a manager is told of a read of some partitions."""
    upstream = OutputContext(KEY, definition_metadata={"partition_expr": by})
    return InputContext(
        KEY,
        type_hint=type_hint,
        metadata={} if columns is None else {"columns": columns},
        partition_keys=tuple(keys),
        partitions_def=partitions_def,
        upstream_output=upstream,
    )


def load_partitions(manager: IOManager, keys: Sequence[str], *about: Any, **options: Any) -> Any:
    """Load some partitions as an argument would."""
    return manager.load_input(partitions_context(keys, *about, **options))


def ids(frame: Any) -> list[int]:
    """The ids of any frame, sorted."""
    whole = frame.collect() if isinstance(frame, pl.LazyFrame) else pl.DataFrame(frame)
    return sorted(whole["id"].to_list()) if "id" in whole.columns else []


class PartitionContract(Contract):
    """A partition is a slice of a table: written and loaded by itself, whatever happens to the others."""

    @pytest.fixture
    def manager(self) -> IOManager:
        """The manager under test, new and empty: override this."""
        raise NotImplementedError

    @pytest.mark.semantics(44)
    @pytest.mark.parametrize("make", list(FORMS.values()), ids=list(FORMS))
    def test_a_partition_comes_back_in_any_form(self, manager: IOManager, make: Any) -> None:
        store_partitions(manager, of_kind("b", 9), ["b"])
        frame = ORDERS.select("id", pl.lit("a").alias("kind"))
        form = {"DataFrame": frame, "LazyFrame": frame.lazy(), "Table": frame.to_arrow()}.get(type(make()).__name__)
        store_partitions(manager, form if form is not None else frame.to_arrow().to_reader(), ["a"])

        for kind in (pl.DataFrame, pl.LazyFrame, pa.Table, pa.RecordBatchReader):
            assert ids(load_partitions(manager, ["a"], type_hint=kind)) == [1, 2, 3]

    @pytest.mark.semantics(44)
    def test_writing_a_partition_again_replaces_it_alone(self, manager: IOManager) -> None:
        for kind in KINDS.get_partition_keys():
            store_partitions(manager, of_kind(kind, 1, 2), [kind])
        for kind in KINDS.get_partition_keys():
            store_partitions(manager, of_kind(kind, 3), [kind])

        assert [ids(load_partitions(manager, [kind])) for kind in KINDS.get_partition_keys()] == [[3]] * 8

    @pytest.mark.semantics(44)
    def test_many_partitions_are_one_table(self, manager: IOManager) -> None:
        store_partitions(manager, of_kind("a", 1), ["a"])
        store_partitions(manager, of_kind("b", 2), ["b"])
        store_partitions(manager, of_kind("it's", 3), ["it's"])

        assert ids(load_partitions(manager, ["a", "it's"])) == [1, 3]
        assert ids(load_partitions(manager, ["a", "b", ".."])) == [1, 2]

    @pytest.mark.semantics(44)
    def test_nothing_to_load_is_an_empty_table(self, manager: IOManager) -> None:
        assert load_partitions(manager, []).height == 0

        store_partitions(manager, of_kind("a", 1), ["a"])

        assert load_partitions(manager, []).height == 0
        assert load_partitions(manager, [], type_hint=pa.Table).num_rows == 0

    @pytest.mark.semantics(44)
    def test_several_partitions_are_written_at_once(self, manager: IOManager) -> None:
        store_partitions(manager, of_kind("b", 7, 8), ["b"])
        store_partitions(manager, pl.concat([of_kind("a", 1), of_kind("b", 2), of_kind("a", 3)]), ["a", "b"])

        assert (ids(load_partitions(manager, ["a"])), ids(load_partitions(manager, ["b"]))) == ([1, 3], [2])

    @pytest.mark.semantics(44)
    def test_an_empty_partition_is_empty(self, manager: IOManager) -> None:
        store_partitions(manager, of_kind("a", 1), ["a"])
        store_partitions(manager, of_kind("a"), ["a"])

        assert load_partitions(manager, ["a"]).schema == of_kind("a").schema
        assert load_partitions(manager, ["a"]).height == 0

    @pytest.mark.semantics(44)
    def test_days_are_windows_of_time(self, manager: IOManager) -> None:
        for day in (1, 2, 3):
            store_partitions(manager, of_day(day, day), [f"2024-03-0{day}"], DAYS, "day")

        assert ids(load_partitions(manager, ["2024-03-01", "2024-03-02"], DAYS, "day")) == [1, 2]
        assert ids(load_partitions(manager, ["2024-03-01", "2024-03-03"], DAYS, "day")) == [1, 3]

    @pytest.mark.semantics(44)
    @pytest.mark.parametrize("zone", ["UTC", "Europe/Berlin", "America/New_York"])
    def test_hours_with_a_zone_are_right_when_the_clock_changes(self, manager: IOManager, zone: str) -> None:
        keys = HOURS.get_partition_keys()
        times = [HOURS.time_window_for_partition_key(key).start.astimezone(UTC) for key in keys]
        hours = pl.DataFrame({"id": range(len(keys)), "at": times}).with_columns(pl.col("at").dt.convert_time_zone(zone))
        for row, key in enumerate(keys):
            store_partitions(manager, hours.slice(row, 1), [key], HOURS, "at")

        assert [ids(load_partitions(manager, [key], HOURS, "at")) for key in keys] == [[row] for row in range(23)]
        assert ids(load_partitions(manager, keys[1:4], HOURS, "at")) == [1, 2, 3]

    @pytest.mark.semantics(44)
    def test_a_column_without_zone_cannot_tell_an_hour_that_comes_twice(self, manager: IOManager) -> None:
        autumn = HourlyPartitionsDefinition("2024-10-27-00:00", "2024-10-27-05:00", timezone="Europe/Berlin")
        twice = pl.DataFrame({"id": [1], "at": [datetime(2024, 10, 27, 2, 30)]})  # noqa: DTZ001 - that is the point

        with pytest.raises(TableError, match=r"'at' has no time zone, and 2024-10-27 02:00 comes twice in Europe/Berlin"):
            store_partitions(manager, twice, ["2024-10-27-02:00"], autumn, "at")

    @pytest.mark.semantics(44)
    def test_dimensions_make_a_grid(self, manager: IOManager) -> None:
        by = {"day": "day", "kind": "kind"}
        rows = {
            f"2024-03-0{day}|{kind}": of_day(day, 10 * day + number).with_columns(kind=pl.lit(kind))
            for day in (1, 2)
            for number, kind in enumerate(("a", "it's"))
        }
        for key, frame in rows.items():
            store_partitions(manager, frame, [key], GRID, by)
        store_partitions(manager, rows["2024-03-01|a"].with_columns(id=pl.lit(99, pl.Int64)), ["2024-03-01|a"], GRID, by)

        assert ids(load_partitions(manager, list(rows), GRID, by)) == [11, 20, 21, 99]
        assert ids(load_partitions(manager, ["2024-03-01|it's", "2024-03-02|a"], GRID, by)) == [11, 20]

    @pytest.mark.semantics(44)
    def test_a_partitioned_table_that_does_not_say_by_which_column_is_refused(self, manager: IOManager) -> None:
        assert isinstance(manager, ChecksAssets)

        with pytest.raises(InvalidDefinitionError, match="'shop/orders' is partitioned, and does not say by which column"):
            manager.check_asset(KEY, {}, KINDS)
        with pytest.raises(InvalidDefinitionError, match="is partitioned by day and kind, and its partition_expr is"):
            manager.check_asset(KEY, {"partition_expr": {"day": "day"}}, GRID)

    @pytest.mark.semantics(44)
    @pytest.mark.parametrize("stray", ["b", None], ids=["other", "null"])
    def test_a_row_of_another_partition_is_refused(self, manager: IOManager, stray: str | None) -> None:
        store_partitions(manager, of_kind("a", 1), ["a"])
        mixed = pl.concat([of_kind("a", 2), pl.DataFrame({"id": [3], "kind": [stray]}, schema=of_kind("a").schema)])

        with pytest.raises(TableError, match=rf"gave a row with kind = {stray!r}, which is not in the partition a"):
            store_partitions(manager, mixed, ["a"])

        assert ids(load_partitions(manager, ["a"])) == [1]

    @pytest.mark.semantics(44)
    def test_a_frame_without_the_column_is_refused(self, manager: IOManager) -> None:
        with pytest.raises(TableError, match="has no column 'kind', which its partition_expr names"):
            store_partitions(manager, pl.DataFrame({"id": [1]}), ["a"])

    def test_only_the_columns_asked_for_are_loaded(self, manager: IOManager) -> None:
        store_partitions(manager, of_kind("a", 1), ["a"])

        assert load_partitions(manager, ["a"], columns=["id"]).columns == ["id"]

    @pytest.mark.semantics(40)
    def test_columns_of_a_partition_go_by_name(self, manager: IOManager) -> None:
        store_partitions(manager, of_kind("a", 1).with_columns(other=pl.lit("o")), ["a"])
        store_partitions(manager, of_kind("b", 2).with_columns(other=pl.lit("o")).select("other", "kind", "id"), ["b"])
        loaded = load_partitions(manager, ["a", "b"]).sort("id")

        assert loaded.select("id", "kind", "other").rows() == [(1, "a", "o"), (2, "b", "o")]

    @pytest.mark.semantics(41)
    @pytest.mark.parametrize(
        ("changed", "what"),
        [
            (of_kind("a", 1).with_columns(new=pl.lit(1)), "new columns: new"),
            (of_kind("a", 1).drop("id"), "columns that are gone: id"),
            (of_kind("a", 1).with_columns(id=pl.lit("one")), "columns of another type: id"),
        ],
        ids=["new", "missing", "retyped"],
    )
    def test_a_changed_schema_fails_by_default_and_loses_nothing(
        self, manager: IOManager, changed: pl.DataFrame, what: str
    ) -> None:
        store_partitions(manager, of_kind("a", 7), ["a"])
        store_partitions(manager, of_kind("b", 8), ["b"])

        with pytest.raises(SchemaChangedError, match=what):
            store_partitions(manager, changed, ["a"])

        assert ids(load_partitions(manager, ["a", "b"])) == [7, 8]

    @pytest.mark.semantics(41)
    def test_append_adds_columns_and_fills_those_that_are_missing(self, manager: IOManager) -> None:
        store_partitions(manager, of_kind("a", 1).with_columns(old=pl.lit("o")), ["a"], policy="append")
        store_partitions(manager, of_kind("b", 2).with_columns(new=pl.lit("n")), ["b"], policy="append")
        loaded = load_partitions(manager, ["a", "b"]).sort("id")

        assert loaded.select("id", "old", "new").rows() == [(1, "o", None), (2, None, "n")]

    @pytest.mark.semantics(41)
    def test_append_does_not_change_types(self, manager: IOManager) -> None:
        store_partitions(manager, of_kind("a", 1), ["a"])

        with pytest.raises(SchemaChangedError, match="another type: id"):
            store_partitions(manager, of_kind("b", 2).with_columns(id=pl.lit("two")), ["b"], policy="append")

    @pytest.mark.semantics(41)
    def test_sync_takes_the_columns_of_the_partition_and_widens_types(self, manager: IOManager) -> None:
        store_partitions(manager, of_kind("a", 1).with_columns(old=pl.lit("o")), ["a"])
        store_partitions(manager, of_kind("b", 2).with_columns(id=pl.lit(2.5), new=pl.lit("n")), ["b"], policy="sync")
        loaded = load_partitions(manager, ["a", "b"]).sort("id")

        assert set(loaded.columns) == {"id", "kind", "new"}
        assert loaded.select("id", "kind", "new").rows() == [(1.0, "a", None), (2.5, "b", "n")]

    def test_an_unknown_policy_is_refused(self, manager: IOManager) -> None:
        assert isinstance(manager, ChecksAssets)

        with pytest.raises(InvalidDefinitionError, match=r"'shop/orders' has the schema_policy 'merge'\. There are 'fail'"):
            manager.check_asset(KEY, {"partition_expr": "kind", "schema_policy": "merge"}, KINDS)

    @pytest.mark.semantics(39)
    def test_a_partition_is_measured(self, manager: IOManager) -> None:
        store_partitions(manager, of_kind("a", 1, 2, 3), ["a"])
        recorded = store_partitions(manager, of_kind("b", 4, 5), ["b"])

        assert (recorded["row_count"], recorded["partition_row_count"]) == (5, 2)
        assert [column.name for column in recorded["column_schema"]] == ["id", "kind"]

    @pytest.mark.semantics(44)
    def test_sql_makes_a_partition_from_partitions(self, manager: IOManager) -> None:
        store_partitions(manager, of_kind("a", 1), ["a"])
        store_partitions(manager, of_kind("b", 2), ["b"])
        sources = {KEY: TableSource(manager, partitions_context(["a"]))}
        sql = SQL("select (id + 10)::bigint as id, {kind}::varchar as kind from shop.orders", kind="it's")
        recorded = store_partitions(manager, sql, ["it's"], sources=sources)

        assert recorded["partition_row_count"] == 1
        assert ids(load_partitions(manager, ["a", "b", "it's"])) == [1, 2, 11]

    @pytest.mark.semantics(40)
    @pytest.mark.parametrize("good", range(3))
    def test_a_stream_that_breaks_leaves_the_old_partition(self, manager: IOManager, good: int) -> None:
        store_partitions(manager, of_kind("a", 1), ["a"])
        store_partitions(manager, of_kind("b", 2), ["b"])
        batch = of_kind("a", *range(100_000)).to_arrow().to_batches()[0]

        def breaking() -> Iterator[pa.RecordBatch]:
            yield from [batch] * good
            raise Broken("half way")

        with pytest.raises(Exception, match="half way"):
            store_partitions(manager, pa.RecordBatchReader.from_batches(batch.schema, breaking()), ["a"])

        assert (ids(load_partitions(manager, ["a"])), ids(load_partitions(manager, ["b"]))) == ([1], [2])

    @pytest.mark.semantics(44)
    def test_threads_write_all_partitions_twice_and_the_second_write_stands(self, manager: IOManager) -> None:
        kinds = list(KINDS.get_partition_keys())

        def work(job: tuple[str, int]) -> None:
            store_partitions(manager, of_kind(job[0], job[1]), [job[0]])

        with ThreadPoolExecutor(8) as threads:
            for turn in (1, 2):
                jobs = [(kind, 10 * number + turn) for number, kind in enumerate(kinds)]
                Random(turn).shuffle(jobs)
                list(threads.map(work, jobs))

        assert [ids(load_partitions(manager, [kind])) for kind in kinds] == [[10 * n + 2] for n in range(len(kinds))]


class StagingContract(Contract):
    """A table can be looked at before anyone else sees it, and is not published where that raises."""

    @pytest.mark.parametrize("make", [*FORMS.values(), lambda: SQL("select 7 as id")], ids=[*FORMS, "sql"])
    def test_what_is_staged_is_seen_in_the_block_and_published_after_it(self, manager: IOManager, make: Any) -> None:
        assert isinstance(manager, StagesTables)
        store(manager, ORDERS.head(1))
        context, value = OutputContext(KEY), make()
        expected = [7] if isinstance(value, SQL) else [1, 2, 3]
        with manager.stage(context, value) as staged:
            for kind in (pl.DataFrame, pl.LazyFrame, pa.Table, pa.RecordBatchReader):
                assert ids(staged.load_input(InputContext(KEY, type_hint=kind))) == expected
            assert load(manager, pl.DataFrame).height == 1
            assert not context.output_metadata

        assert ids(load(manager, pl.DataFrame)) == expected
        assert context.output_metadata["row_count"].value == len(expected)

    def test_what_raises_in_the_block_keeps_the_old_table(self, manager: IOManager) -> None:
        assert isinstance(manager, StagesTables)
        store(manager, ORDERS)
        context = OutputContext(KEY)

        with pytest.raises(Broken, match="not good enough"), manager.stage(context, ORDERS.head(1)):
            raise Broken("not good enough")

        assert_frame_equal(load(manager, pl.DataFrame), ORDERS)
        assert not context.output_metadata

        store(manager, ORDERS.head(2))

        assert load(manager, pl.DataFrame).height == 2

    def test_what_raises_in_the_block_keeps_the_old_partition(self, manager: IOManager) -> None:
        assert isinstance(manager, StagesTables)
        store_partitions(manager, of_kind("a", 1), ["a"])
        store_partitions(manager, of_kind("b", 2), ["b"])
        metadata = {"partition_expr": "kind"}
        for keys, frame in ((["a"], of_kind("a", 5)), (["a", "b"], pl.concat([of_kind("a", 5), of_kind("b", 6)]))):
            context = OutputContext(KEY, definition_metadata=metadata, partition_keys=keys, partitions_def=KINDS)
            seen = None
            with suppress(Broken), manager.stage(context, frame) as staged:
                seen = ids(staged.load_input(partitions_context(keys)))
                raise Broken("not good enough")

            assert seen == frame["id"].to_list()

        assert (ids(load_partitions(manager, ["a"])), ids(load_partitions(manager, ["b"]))) == ([1], [2])

    def test_sql_reads_what_is_staged(self, manager: IOManager) -> None:
        from warehouse_assets.io_manager import io_manager_from_uri

        assert isinstance(manager, StagesTables)
        store(manager, ORDERS.head(1))
        other = AssetKey(["shop", "kinds"])
        store(manager, pl.DataFrame({"kind": ["a"]}), other)
        with manager.stage(OutputContext(KEY), ORDERS) as staged:
            engine = staged if isinstance(staged, QueriesSQL) else io_manager_from_uri("duckdb://")
            assert isinstance(engine, QueriesSQL)
            sources = {KEY: TableSource(staged, InputContext(KEY)), other: TableSource(manager, InputContext(other))}
            sql = SQL("select count(*) as n, count(*) filter (kind in (select kind from shop.kinds)) as a from shop.orders")
            with engine.query(sql, sources) as reader:
                found = reader.read_all().to_pylist()

        assert found == [{"n": 3, "a": 1}]


class AtomicStagingContract(Contract):
    """What was not published when its process was killed was never there; the manager's repr builds it again."""

    def test_a_process_killed_in_the_block_keeps_the_old_table(self, manager: IOManager) -> None:
        killed = in_another_process(
            manager,
            """
            from warehouse_assets.io_manager import OutputContext
            from warehouse_assets.testing.io_manager import KEY

            store(manager, ORDERS)
            with manager.stage(OutputContext(KEY), ORDERS.head(1)):
                os.kill(os.getpid(), signal.SIGKILL)
            """,
        )

        assert killed.returncode == -signal.SIGKILL, killed.stderr
        assert_frame_equal(load(manager, pl.DataFrame), ORDERS)

    @pytest.mark.semantics(40)
    @pytest.mark.parametrize("batch", range(4))
    def test_a_process_killed_at_any_batch_leaves_the_old_partition(self, manager: IOManager, batch: int) -> None:
        killed = in_another_process(
            manager,
            f"""
            from warehouse_assets.testing.partitions import of_kind, store_partitions

            rows = of_kind("a", *range(100_000)).to_arrow().to_batches()[0]

            def breaking():
                for number in range(3):
                    if number == {batch}:
                        os.kill(os.getpid(), signal.SIGKILL)
                    yield rows
                if {batch} == 3:
                    os.kill(os.getpid(), signal.SIGKILL)

            store_partitions(manager, of_kind("a", 1), ["a"])
            store_partitions(manager, of_kind("b", 2), ["b"])
            store_partitions(manager, pa.RecordBatchReader.from_batches(rows.schema, breaking()), ["a"])
            """,
        )

        assert killed.returncode == -signal.SIGKILL, killed.stderr
        assert (ids(load_partitions(manager, ["a"])), ids(load_partitions(manager, ["b"]))) == ([1], [2])

        store_partitions(manager, of_kind("a", 3), ["a"])

        assert ids(load_partitions(manager, ["a", "b"])) == [2, 3]

    @pytest.mark.semantics(44)
    def test_two_processes_write_their_partitions_at_once(self, manager: IOManager) -> None:
        def write(kind: str) -> int:
            script = f"""
            from warehouse_assets.testing.partitions import of_kind, store_partitions

            for number in range(5):
                store_partitions(manager, of_kind({kind!r}, number), [{kind!r}])
            """
            return in_another_process(manager, script).returncode

        with ThreadPoolExecutor(2) as threads:
            codes = list(threads.map(write, ["a", "b"]))

        assert codes == [0, 0]
        assert ids(load_partitions(manager, ["a", "b"])) == [4, 4]
