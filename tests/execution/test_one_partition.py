"""Runs of one partition, and what its functions are told of it."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from tests.execution.sliced import BOTH, DAY_BEFORE, DAYS, bills, days_of, orders, rates
from warehouse_assets import (
    AssetExecutionContext,
    AssetIn,
    AssetKey,
    AssetOut,
    AssetSpec,
    Instance,
    MaterializeResult,
    MultiPartitionKey,
    OpExecutionContext,
    Output,
    PartitionKeyRange,
    SourceAsset,
    TimeWindow,
    asset,
    graph_asset,
    materialize,
    materialize_to_memory,
    multi_asset,
    op,
)
from warehouse_assets.errors import (
    InvalidInvocationError,
    PartitionNotFoundError,
)


class TestOnePartition:
    @pytest.mark.semantics(37)
    def test_one_partition_is_made_of_each_asset_and_of_the_others_the_whole(self, run: Any, slices: Any) -> None:
        @asset(partitions_def=DAYS)
        def priced(bills: Any, rates: int) -> Any:
            return bills, rates

        result = run(orders, bills, rates, priced, partition_key="2024-02-29")

        assert sorted(slices.written) == [
            ("bills", ("2024-02-29",)),
            ("orders", ("2024-02-29",)),
            ("priced", ("2024-02-29",)),
            ("rates", ()),
        ]
        assert sorted(slices.read) == [("bills", ("2024-02-29",)), ("orders", ("2024-02-29",)), ("rates", ())]
        assert result.success

    @pytest.mark.semantics(37)
    def test_managers_are_told_how_the_assets_are_partitioned(self, run: Any, slices: Any) -> None:
        run(orders, bills, partition_key="2024-02-29")
        read = slices.inputs[0]

        assert [context.partitions_def for context in slices.outputs] == [DAYS, DAYS]
        assert (read.partitions_def, read.upstream_output.partitions_def) == (DAYS, DAYS)
        assert read.upstream_output.partition_keys == ("2024-02-29",)

    @pytest.mark.semantics(37)
    def test_each_partition_has_its_own_materialization(self, run: Any, instance: Instance) -> None:
        for day in ("2024-02-28", "2024-02-29"):
            run(orders, rates, partition_key=day, tags={"why": "test"})
        latest = {day: instance.get_latest_materialization_event("orders", day) for day in ("2024-02-28", "2024-02-29")}
        runs = instance.get_runs()

        assert instance.get_materialized_partitions("orders") == {"2024-02-28", "2024-02-29"}
        assert {day: event and event.partition for day, event in latest.items()} == {day: day for day in latest}
        assert instance.get_latest_materialization_event("rates").partition is None
        assert [run.tags for run in runs] == [
            {"why": "test", "warehouse_assets/partition": "2024-02-29"},
            {"why": "test", "warehouse_assets/partition": "2024-02-28"},
        ]

    @pytest.mark.semantics(20)
    def test_the_context_says_which(self, run: Any) -> None:
        told: dict[str, Any] = {}

        @asset(partitions_def=DAYS)
        def a(context: AssetExecutionContext, orders: Any) -> None:
            told["has"] = context.has_partition_key, context.has_partition_key_range
            told["key"] = context.partition_key, context.asset_partition_key_for_output()
            told["keys"] = context.partition_keys, context.asset_partition_keys_for_output("result")
            told["range"] = context.partition_key_range, context.asset_partition_key_range_for_output()
            told["window"] = context.partition_time_window, context.asset_partitions_time_window_for_output()
            told["def"] = context.asset_partitions_def_for_output(), context.asset_partitions_def_for_input("orders")
            told["input"] = context.asset_partition_key_for_input("orders"), context.asset_partition_keys_for_input("orders")
            told["input range"] = context.asset_partition_key_range_for_input("orders")
            told["input window"] = context.asset_partitions_time_window_for_input(AssetKey("orders"))

        run(orders, a, partition_key="2024-02-29")
        day = "2024-02-29"
        window = TimeWindow(datetime(2024, 2, 29, tzinfo=UTC), datetime(2024, 3, 1, tzinfo=UTC))

        assert told == {
            "has": (True, False),
            "key": (day, day),
            "keys": ((day,), (day,)),
            "range": (PartitionKeyRange(day, day),) * 2,
            "window": (window, window),
            "def": (DAYS, DAYS),
            "input": (day, (day,)),
            "input range": PartitionKeyRange(day, day),
            "input window": window,
        }

    @pytest.mark.semantics(20)
    @pytest.mark.parametrize(
        "question",
        [
            "partition_key",
            "partition_keys",
            "partition_key_range",
            "partition_time_window",
            "asset_partitions_def_for_output",
            "asset_partition_key_for_output",
            "asset_partition_keys_for_output",
            "asset_partition_key_range_for_output",
            "asset_partitions_time_window_for_output",
        ],
    )
    def test_the_context_of_a_whole_table_says_that_it_is_one(self, run: Any, question: str) -> None:
        @asset
        def whole(context: AssetExecutionContext) -> None:
            assert (context.has_partition_key, context.has_partition_key_range) == (False, False)
            getattr(context, question)()

        with pytest.raises(PartitionNotFoundError, match="asset 'whole' is not partitioned"):
            run(orders, whole, partition_key="2024-02-29")

    @pytest.mark.semantics(20)
    @pytest.mark.parametrize(
        ("question", "what"),
        [
            (lambda context: context.asset_partition_key_for_input("rates"), "asset 'rates' is not partitioned"),
            (lambda context: context.asset_partition_keys_for_input("rates"), "asset 'rates' is not partitioned"),
            (lambda context: context.asset_partition_keys_for_input("x"), r"'a' has no input 'x'; it has \['rates'\]"),
            (lambda context: context.asset_partition_key_for_output("x"), r"'a' has no output 'x'; it has \['result'\]"),
        ],
        ids=["key", "keys", "no_input", "no_output"],
    )
    def test_a_question_about_something_else_is_an_error(self, run: Any, question: Any, what: str) -> None:
        @asset(partitions_def=DAYS)
        def a(context: AssetExecutionContext, rates: int) -> None:
            question(context)

        with pytest.raises((PartitionNotFoundError, InvalidInvocationError), match=what):
            run(rates, a, partition_key="2024-02-29")

    @pytest.mark.semantics(20)
    def test_an_output_of_several_is_meant_by_its_name(self, run: Any) -> None:
        told = []

        @multi_asset(specs=[AssetSpec("a"), AssetSpec("b")], partitions_def=DAYS)
        def both(context: AssetExecutionContext) -> None:
            told.append((context.partition_key, context.asset_partition_key_for_output("b")))
            context.asset_partition_key_for_output()

        with pytest.raises(InvalidInvocationError, match=r"'both' has no output 'result'; it has \['a', 'b'\]"):
            run(both, partition_key="2024-02-29")
        assert told == [("2024-02-29", "2024-02-29")]

    @pytest.mark.semantics(20)
    def test_the_ops_of_a_graph_are_told_the_same(self, run: Any, slices: Any) -> None:
        @op
        def taken(context: OpExecutionContext, orders: Any) -> Any:
            return context.partition_key, context.asset_partition_keys_for_input("orders"), orders

        @graph_asset(partitions_def=DAYS, ins={"orders": AssetIn(partition_mapping=DAY_BEFORE)})
        def bills(orders):
            return taken(orders)

        run(orders, partition_key="2024-02-28")
        result = run(SourceAsset("orders", partitions_def=DAYS), bills, partition_key="2024-02-29")

        assert result.asset_value("bills")["2024-02-29"] == ("2024-02-29", ("2024-02-28",), {"2024-02-28": ["2024-02-28"]})
        assert slices.read[0] == ("orders", ("2024-02-28",))

    @pytest.mark.semantics(22, 37)
    def test_whatever_a_function_gives_is_of_the_partition(self, run: Any, slices: Any) -> None:
        @multi_asset(
            outs={"a": AssetOut(), "b": AssetOut(), "c": AssetOut(is_required=False)}, partitions_def=DAYS, can_subset=True
        )
        def several():
            yield Output(1, "a", metadata={"rows": 3}, tags={"tag": "x"})
            yield MaterializeResult(asset_key="b", metadata={"rows": 4})

        result = run(several, partition_key="2024-02-29")
        made = [event.asset_materialization for event in result.get_asset_materialization_events()]

        assert [(m.asset_key.path[0], m.partition, m.metadata["rows"].value, dict(m.tags).get("tag")) for m in made] == [
            ("a", "2024-02-29", 3, "x"),
            ("b", "2024-02-29", 4, None),
        ]
        assert slices.written == [("a", ("2024-02-29",))]

    @pytest.mark.semantics(22)
    def test_an_optional_output_that_is_left_out_makes_no_partition(self, run: Any, instance: Instance) -> None:
        @asset(partitions_def=DAYS, output_required=False)
        def sometimes():
            yield from ()

        assert run(sometimes, days_of(DAYS), orders, partition_key="2024-02-29").success
        assert instance.get_materialized_partitions("sometimes") == set()

    def test_a_failure_makes_no_partition(self, run: Any, instance: Instance) -> None:
        @asset(partitions_def=DAYS)
        def broken(context: AssetExecutionContext) -> None:
            raise ValueError(context.partition_key)

        with pytest.raises(ValueError, match="2024-02-29"):
            run(broken, partition_key="2024-02-29")
        assert instance.get_materialized_partitions("broken") == set()

    @pytest.mark.semantics(37)
    def test_the_key_of_a_multi_partition_knows_its_dimensions(self, run: Any, slices: Any) -> None:
        told = []

        @asset(partitions_def=BOTH)
        def sales(context: AssetExecutionContext) -> int:
            told.append((context.partition_key, context.partition_time_window.duration))
            return 1

        run(sales, partition_key="2024-02-29|eu")
        run(sales, partition_key=MultiPartitionKey({"region": "us", "day": "2024-02-29"}))

        assert [key.keys_by_dimension for key, _ in told] == [
            {"day": "2024-02-29", "region": "eu"},
            {"day": "2024-02-29", "region": "us"},
        ]
        assert {duration for _, duration in told} == {timedelta(days=1)}

    @pytest.mark.semantics(37)
    def test_a_record_on_disk_keeps_the_keys_of_multi_partitions(self, slices: Any, tmp_path: Path) -> None:
        @asset(partitions_def=BOTH)
        def sales() -> int:
            return 1

        with Instance.local(tmp_path) as instance:
            materialize([sales], partition_key="2024-02-29|eu", resources={"io_manager": slices}, instance=instance)

            assert instance.get_materialized_partitions("sales") == {"2024-02-29|eu"}

    @pytest.mark.semantics(27)
    def test_a_partition_is_made_in_memory(self) -> None:
        @asset(partitions_def=DAYS)
        def a(context: AssetExecutionContext) -> str:
            return context.partition_key

        result = materialize_to_memory([a], partition_key="2024-02-29")

        assert result.success
