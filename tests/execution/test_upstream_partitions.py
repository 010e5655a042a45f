"""Which partitions of other tables, and of itself, an asset is given when a partition of it is made."""

from __future__ import annotations

from typing import Any

import pytest

from warehouse_assets import (
    SQL,
    AllPartitionMapping,
    AssetDep,
    AssetExecutionContext,
    AssetIn,
    AssetKey,
    AssetOut,
    AssetSpec,
    BackfillPolicy,
    DailyPartitionsDefinition,
    DimensionPartitionMapping,
    HourlyPartitionsDefinition,
    LastPartitionMapping,
    MultiPartitionMapping,
    MultiPartitionsDefinition,
    PartitionKeyRange,
    SourceAsset,
    SpecificPartitionsPartitionMapping,
    StaticPartitionsDefinition,
    TimeWindowPartitionMapping,
    asset,
    multi_asset,
)
from warehouse_assets.errors import (
    InvalidInvocationError,
    PartitionNotFoundError,
    TableNotFoundError,
)

DAYS = DailyPartitionsDefinition("2024-02-27", "2024-03-04")
LATER_DAYS = DailyPartitionsDefinition("2024-02-29", "2024-03-04")
HOURS = HourlyPartitionsDefinition("2024-02-27-00:00", "2024-03-04-00:00")
REGIONS = StaticPartitionsDefinition(["eu", "us"])
BOTH = MultiPartitionsDefinition({"day": DAYS, "region": REGIONS})
DAY_BEFORE = TimeWindowPartitionMapping(start_offset=-1, end_offset=-1)
LEAP_WEEKEND = PartitionKeyRange("2024-02-28", "2024-03-01")


@asset(partitions_def=DAYS)
def orders(context: AssetExecutionContext) -> list[str]:
    return list(context.partition_keys)


@asset(partitions_def=DAYS)
def bills(orders: Any) -> Any:
    return orders


@asset
def rates() -> int:
    return 2


def days_of(partitions_def: Any, mapping: Any = None, name: str = "bills", **options: Any) -> Any:
    """An asset that is made from `orders`."""

    @asset(name=name, partitions_def=partitions_def, ins={"orders": AssetIn(partition_mapping=mapping)}, **options)
    def made(orders: Any) -> Any:
        return orders

    return made


class TestUpstream:
    @pytest.mark.semantics(37)
    @pytest.mark.parametrize(
        ("up", "down", "mapping", "keys"),
        [
            (DAYS, DAYS, DAY_BEFORE, ("2024-02-28",)),
            (DAYS, DAYS, TimeWindowPartitionMapping(start_offset=-1), ("2024-02-28", "2024-02-29")),
            (DAYS, LATER_DAYS, None, ("2024-02-29",)),
            (HOURS, DAYS, None, tuple(f"2024-02-29-{hour:02}:00" for hour in range(24))),
            (DAYS, DAYS, LastPartitionMapping(), ("2024-03-03",)),
            (REGIONS, DAYS, AllPartitionMapping(), ("eu", "us")),
            (REGIONS, DAYS, SpecificPartitionsPartitionMapping(["us"]), ("us",)),
            (BOTH, DAYS, None, ("2024-02-29|eu", "2024-02-29|us")),
            (None, DAYS, None, ()),
        ],
        ids=["day_before", "two_days", "later", "hours", "last", "all", "specific", "multi", "whole"],
    )
    def test_the_mapping_says_which_partitions_are_loaded(
        self, run: Any, slices: Any, up: Any, down: Any, mapping: Any, keys: tuple[str, ...]
    ) -> None:
        slices.slices[AssetKey("orders")] = {None: 1}
        run(SourceAsset("orders", partitions_def=up), days_of(down, mapping), partition_key="2024-02-29")

        assert slices.read == [("orders", keys)]
        assert slices.inputs[0].partitions_def == up

    @pytest.mark.semantics(37)
    @pytest.mark.parametrize(
        ("mapping", "keys"),
        [(None, tuple(DAYS.get_partition_keys())), (LastPartitionMapping(), ("2024-03-03",))],
        ids=["all", "last"],
    )
    @pytest.mark.parametrize("options", [{}, {"partition_key": "2024-02-29"}], ids=["alone", "beside_a_partition"])
    def test_a_whole_table_is_made_from_partitions(
        self, run: Any, slices: Any, mapping: Any, keys: tuple[str, ...], options: Any
    ) -> None:
        given = orders if options else SourceAsset("orders", partitions_def=DAYS)
        slices.slices[AssetKey("orders")] = {}

        run(given, days_of(None, mapping), **options)

        assert slices.read == [("orders", keys)]
        assert ("bills", ()) in slices.written

    @pytest.mark.semantics(37)
    def test_each_argument_has_a_mapping_of_its_own(self, run: Any, slices: Any) -> None:
        @asset(partitions_def=DAYS, ins={"before": AssetIn("orders", partition_mapping=DAY_BEFORE)})
        def bills(context: AssetExecutionContext, before: Any, orders: Any) -> None:
            assert context.asset_partition_keys_for_input("before") == ("2024-02-28",)

        run(orders, bills, partition_key="2024-02-29")

        assert slices.read == [("orders", ("2024-02-28",)), ("orders", ("2024-02-29",))]

    @pytest.mark.semantics(37)
    @pytest.mark.parametrize(
        ("down", "partition", "missing"),
        [(DAYS, "2024-02-28", "'2024-02-28'"), (DAYS, "2024-02-27", "'2024-02-27'")],
    )
    def test_partitions_that_do_not_exist_are_named(self, run: Any, down: Any, partition: str, missing: str) -> None:
        with pytest.raises(PartitionNotFoundError) as caught:
            run(SourceAsset("orders", partitions_def=LATER_DAYS), days_of(down), partition_key=partition)

        assert caught.value.message == (
            f"asset 'bills' needs, for {missing}, partitions of 'orders' that do not exist: {missing}. "
            "It has daily partitions from '2024-02-29' (UTC)"
        )

    @pytest.mark.semantics(37)
    def test_many_that_do_not_exist_are_counted(self, run: Any) -> None:
        late = HourlyPartitionsDefinition("2024-03-02-00:00", "2024-03-04-00:00")

        with pytest.raises(PartitionNotFoundError, match=r"do not exist: '2024-02-29-00:00', '.*', '.*' and 21 more"):
            run(SourceAsset("orders", partitions_def=late), days_of(DAYS), partition_key="2024-02-29")

    @pytest.mark.semantics(37)
    def test_a_mapping_may_allow_that_there_are_none(self, run: Any, slices: Any) -> None:
        allowing = TimeWindowPartitionMapping(allow_nonexistent_upstream_partitions=True)

        result = run(SourceAsset("orders", partitions_def=LATER_DAYS), days_of(DAYS, allowing), partition_key="2024-02-28")

        assert (slices.read, result.asset_value("bills")) == ([("orders", ())], {"2024-02-28": None})

    @pytest.mark.semantics(45)
    def test_a_table_that_is_needed_and_missing_is_an_error(self, run: Any) -> None:
        with pytest.raises(TableNotFoundError, match="there is no table 'orders'"):
            run(SourceAsset("orders", partitions_def=DAYS), days_of(DAYS), partition_key="2024-02-28")

    @pytest.mark.semantics(37)
    def test_order_alone_asks_for_no_partition(self, run: Any, slices: Any) -> None:
        deps = [AssetDep("orders", partition_mapping=DAY_BEFORE)]
        told = []

        @asset(partitions_def=LATER_DAYS, deps=deps)
        def after(context: AssetExecutionContext) -> None:
            told.append(context.asset_partition_keys_for_input("orders"))

        run(SourceAsset("orders", partitions_def=DAYS), after, partition_key="2024-02-29")

        assert (slices.read, told) == ([], [("2024-02-28",)])

    @pytest.mark.semantics(44)
    def test_sql_reads_the_mapped_partitions_of_its_tables(self, run: Any, slices: Any) -> None:
        @asset(
            partitions_def=DAYS,
            ins={"before": AssetIn("orders", partition_mapping=DAY_BEFORE)},
            deps=[rates, AssetDep("late"), AssetDep("self_made", partition_mapping=DAY_BEFORE)],
        )
        def self_made(before: Any) -> SQL:
            return SQL("select 1")

        late = AssetSpec("late", partitions_def=LATER_DAYS)
        slices.run_sql = lambda context, sql: None
        slices.store_id = "here"
        run(orders, rates, partition_key="2024-02-27")
        run(SourceAsset("orders", partitions_def=DAYS), rates, late, self_made, partition_key="2024-02-28")
        context = slices.outputs[-1]
        tables = {key.path[0]: context.sources[key].context for key in context.sources if key != AssetKey("late")}

        assert {name: (table.partition_keys, table.partitions_def) for name, table in tables.items()} == {
            "orders": (("2024-02-27",), DAYS),
            "rates": ((), None),
            "self_made": (("2024-02-27",), DAYS),
        }
        with pytest.raises(PartitionNotFoundError, match="partitions of 'late' that do not exist: '2024-02-28'"):
            context.sources[AssetKey("late")]


class TestSelfDependency:
    @pytest.fixture
    def total(self) -> Any:
        @asset(partitions_def=DAYS, ins={"total": AssetIn(partition_mapping=DAY_BEFORE)})
        def total(total: Any, orders: Any) -> int:
            return len(orders) + (next(iter(total.values())) if total else 0)

        return total

    @pytest.mark.semantics(8)
    def test_the_first_partition_gets_nothing_and_the_others_what_came_before(self, run: Any, slices: Any, total: Any) -> None:
        for day in ("2024-02-27", "2024-02-28", "2024-02-29"):
            run(orders, total, partition_key=day)

        assert slices.slices[AssetKey("total")] == {"2024-02-27": 1, "2024-02-28": 2, "2024-02-29": 3}
        assert [keys for name, keys in slices.read if name == "total"] == [(), ("2024-02-27",), ("2024-02-28",)]

    @pytest.mark.semantics(8)
    def test_the_first_may_come_before_there_is_a_table(self, run: Any) -> None:
        told = []

        @asset(partitions_def=DAYS, ins={"total": AssetIn(partition_mapping=DAY_BEFORE)})
        def total(context: AssetExecutionContext, total: Any) -> int:
            told.append((total, context.asset_partition_keys_for_input("total")))
            return 0

        run(total, partition_key="2024-02-27")

        assert told == [(None, ())]

    @pytest.mark.semantics(8)
    def test_one_that_is_not_the_first_needs_the_table(self, run: Any, total: Any) -> None:
        with pytest.raises(TableNotFoundError, match="there is no table 'total'"):
            run(orders, total, partition_key="2024-02-28")

    @pytest.mark.semantics(8)
    def test_what_lies_before_the_first_is_left_out(self, run: Any, slices: Any) -> None:
        three = TimeWindowPartitionMapping(start_offset=-3, end_offset=-1)

        @asset(partitions_def=DAYS, ins={"total": AssetIn(partition_mapping=three)})
        def total(total: Any) -> int:
            return 1

        slices.slices[total.key] = {}
        run(total, partition_key="2024-02-28")

        assert slices.read == [("total", ("2024-02-27",))]

    @pytest.mark.semantics(8)
    def test_along_one_dimension_of_several(self, run: Any, slices: Any) -> None:
        before = MultiPartitionMapping(
            {"day": DimensionPartitionMapping("day", DAY_BEFORE), "region": DimensionPartitionMapping("region")}
        )

        @asset(partitions_def=BOTH, ins={"total": AssetIn(partition_mapping=before)})
        def total(total: Any) -> int:
            return 1

        for key in ("2024-02-27|eu", "2024-02-28|eu"):
            run(total, partition_key=key)

        assert slices.read == [("total", ()), ("total", ("2024-02-27|eu",))]

    @pytest.mark.semantics(8)
    def test_a_range_is_refused_unless_it_is_meant(self, run: Any, slices: Any, total: Any) -> None:
        with pytest.raises(
            InvalidInvocationError, match=r"'total' makes each partition from those before it.*one after the other"
        ):
            run(orders, total, partition_key_range=LEAP_WEEKEND)

        @asset(
            partitions_def=DAYS,
            ins={"sums": AssetIn(partition_mapping=DAY_BEFORE)},
            backfill_policy=BackfillPolicy.single_run(),
        )
        def sums(sums: Any) -> int:
            return 1

        slices.slices[sums.key] = {}
        run(sums, partition_key_range=LEAP_WEEKEND)

        assert slices.read == [("sums", ("2024-02-27",))]

    @pytest.mark.semantics(8)
    def test_an_asset_may_be_made_from_an_earlier_partition_of_its_sibling(self, run: Any, slices: Any) -> None:
        @multi_asset(
            outs={"a": AssetOut(), "b": AssetOut()}, ins={"a": AssetIn(partition_mapping=DAY_BEFORE)}, partitions_def=DAYS
        )
        def both(a: Any) -> Any:
            return 1, 2

        for day in ("2024-02-27", "2024-02-28"):
            run(both, partition_key=day)

        assert slices.read == [("a", ()), ("a", ("2024-02-27",))]
        with pytest.raises(InvalidInvocationError, match=r"'both' \(a, b\) makes each partition from those before it"):
            run(both, partition_key_range=LEAP_WEEKEND)
