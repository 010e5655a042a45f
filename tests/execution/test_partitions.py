"""What a run of partitions tells functions, I/O managers and the record."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from warehouse_assets import (
    AllPartitionMapping,
    AssetExecutionContext,
    AssetIn,
    AssetKey,
    AssetOut,
    AssetSpec,
    BackfillPolicy,
    DailyPartitionsDefinition,
    Definitions,
    DynamicPartitionsDefinition,
    HourlyPartitionsDefinition,
    Instance,
    MaterializeResult,
    MultiPartitionKey,
    MultiPartitionsDefinition,
    OpExecutionContext,
    Output,
    PartitionKeyRange,
    SourceAsset,
    StaticPartitionsDefinition,
    TimeWindow,
    TimeWindowPartitionMapping,
    asset,
    graph_asset,
    materialize,
    materialize_to_memory,
    multi_asset,
    op,
)
from warehouse_assets.errors import (
    InvalidDefinitionError,
    InvalidInvocationError,
    InvalidSelectionError,
    PartitionNotFoundError,
)

DAYS = DailyPartitionsDefinition("2024-02-27", "2024-03-04")
LATER_DAYS = DailyPartitionsDefinition("2024-02-29", "2024-03-04")
HOURS = HourlyPartitionsDefinition("2024-02-27-00:00", "2024-03-04-00:00")
REGIONS = StaticPartitionsDefinition(["eu", "us"])
BOTH = MultiPartitionsDefinition({"day": DAYS, "region": REGIONS})
CUSTOMERS = DynamicPartitionsDefinition("customers")
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


class TestRefusal:
    @pytest.mark.semantics(37)
    @pytest.mark.parametrize(
        ("parts", "key", "what"),
        [
            (DAYS, "2024-02-30", "there is no partition '2024-02-30'.*Keys look like '2024-02-27'"),
            (DAYS, "2024-02-26", "There are those from '2024-02-27' to '2024-03-03'"),
            (REGIONS, "uss", "Did you mean 'us'"),
            (REGIONS, "", "there is no partition ''"),
            (BOTH, "2024-02-29", "Keys have the form 'day|region'"),
            (BOTH, "2024-02-29|asia", "There is no 'asia' by region"),
            (CUSTOMERS, "ann", r"Add it with instance\.add_dynamic_partitions\('customers', \['ann'\]\)"),
        ],
    )
    def test_a_partition_that_does_not_exist(self, run: Any, instance: Instance, parts: Any, key: str, what: str) -> None:
        with pytest.raises(PartitionNotFoundError, match=what.replace("|", r"\|")):
            run(asset(partitions_def=parts, name="a")(lambda: 1), partition_key=key)

        assert instance.get_runs() == []

    @pytest.mark.semantics(37)
    @pytest.mark.parametrize(
        ("start", "end", "what"),
        [
            ("2024-03-01", "2024-02-28", "ends before it starts"),
            ("2024-02-28", "2025-01-01", "there is no partition '2025-01-01'"),
        ],
    )
    def test_a_range_that_does_not_exist(self, run: Any, start: str, end: str, what: str) -> None:
        with pytest.raises(PartitionNotFoundError, match=what):
            run(orders, partition_key_range=PartitionKeyRange(start, end))

    @pytest.mark.semantics(37)
    @pytest.mark.parametrize(
        ("options", "what"),
        [
            ({}, r"asset 'orders' has daily partitions .*no partition is given \(.*\.py:\d+\).*the last one is '2024-03-03'"),
            ({"partition_key": datetime(2024, 2, 29, tzinfo=UTC)}, "partition_key is .*, not a string"),
            ({"partition_key_range": ("2024-02-28", "2024-03-01")}, "not a PartitionKeyRange of two strings"),
            ({"partition_key_range": PartitionKeyRange(1, 2)}, "not a PartitionKeyRange of two strings"),
            ({"partition_key": "2024-02-29", "partition_key_range": LEAP_WEEKEND}, "are both given"),
        ],
        ids=["none", "a_time", "a_tuple", "numbers", "both"],
    )
    def test_a_call_that_says_it_wrongly(self, run: Any, instance: Instance, options: Any, what: str) -> None:
        with pytest.raises(InvalidInvocationError, match=what):
            run(orders, rates, **options)

        assert instance.get_runs() == []

    @pytest.mark.semantics(37)
    @pytest.mark.parametrize("options", [{"partition_key": "x"}, {"partition_key_range": LEAP_WEEKEND}], ids=["key", "range"])
    def test_a_partition_where_nothing_is_partitioned(self, run: Any, options: Any) -> None:
        with pytest.raises(InvalidInvocationError, match="no selected asset is partitioned"):
            run(rates, SourceAsset("orders", partitions_def=DAYS), **options)

    @pytest.mark.semantics(37)
    def test_assets_that_are_partitioned_otherwise(self, run: Any) -> None:
        other = days_of(REGIONS, AllPartitionMapping(), "other")

        with pytest.raises(
            InvalidSelectionError, match=r"asset 'orders' \(.*\) has daily .* and asset 'other' \(.*\) has static"
        ):
            run(orders, other, partition_key="2024-02-29")

        assert run(orders, other, partition_key="2024-02-29", selection="orders").success


class TestRange:
    @pytest.mark.semantics(37)
    @pytest.mark.parametrize("policy", [None, BackfillPolicy.single_run(), BackfillPolicy.multi_run(3)], ids=str)
    def test_a_range_is_made_at_once(self, run: Any, slices: Any, instance: Instance, policy: Any) -> None:
        told: list[Any] = []

        @asset(partitions_def=DAYS, backfill_policy=policy)
        def bills(context: AssetExecutionContext, orders: Any) -> Any:
            told.append((context.partition_keys, context.has_partition_key, context.has_partition_key_range))
            told.append((context.partition_key_range, context.partition_time_window.duration))
            return orders

        result = run(orders, bills, rates, partition_key_range=LEAP_WEEKEND)
        days = ("2024-02-28", "2024-02-29", "2024-03-01")

        assert told == [(days, False, True), (LEAP_WEEKEND, timedelta(days=3))]
        assert sorted(slices.written) == [("bills", days), ("orders", days), ("rates", ())]
        assert slices.read == [("orders", days)]
        assert instance.get_materialized_partitions("bills") == set(days)
        assert [event.partition for event in result.get_asset_materialization_events() if event.partition] == [*days, *days]
        assert result.asset_value("orders").keys() == set(days)
        assert instance.get_runs()[0].tags == {
            "warehouse_assets/partition_range_start": "2024-02-28",
            "warehouse_assets/partition_range_end": "2024-03-01",
        }

    @pytest.mark.semantics(37)
    def test_a_range_of_multi_partitions_is_one_along_each_dimension(self, run: Any, slices: Any) -> None:
        @asset(partitions_def=BOTH)
        def sales() -> int:
            return 1

        run(sales, partition_key_range=PartitionKeyRange("2024-02-28|eu", "2024-02-29|us"))

        assert slices.written == [("sales", ("2024-02-28|eu", "2024-02-28|us", "2024-02-29|eu", "2024-02-29|us"))]

    @pytest.mark.semantics(20)
    def test_there_is_no_one_key_in_a_range(self, run: Any) -> None:
        @asset(partitions_def=DAYS)
        def a(context: AssetExecutionContext) -> str:
            return context.partition_key

        with pytest.raises(PartitionNotFoundError, match=r"asset 'a' has 3 partitions here, not one\. Ask for partition_keys"):
            run(a, partition_key_range=LEAP_WEEKEND)

    @pytest.mark.semantics(37)
    def test_a_function_is_not_given_more_than_its_policy_allows(self, run: Any) -> None:
        few = days_of(DAYS, backfill_policy=BackfillPolicy.multi_run(2))

        with pytest.raises(InvalidInvocationError, match=r"'bills' makes at most 2 partitions .* the range has 3 \(.*\.py:"):
            run(orders, few, partition_key_range=LEAP_WEEKEND)


class TestDynamicPartitions:
    @pytest.mark.semantics(37)
    def test_they_are_those_of_the_instance(self, run: Any, slices: Any, instance: Instance) -> None:
        @asset(partitions_def=CUSTOMERS)
        def letters(context: AssetExecutionContext) -> str:
            return context.partition_key

        @asset
        def archive(letters: Any) -> Any:
            return letters

        instance.add_dynamic_partitions("customers", ["bob", "ann"])
        run(letters, archive, partition_key="ann")
        instance.delete_dynamic_partition("customers", "bob")
        run(letters, archive, partition_key="ann")

        assert [keys for name, keys in slices.read if name == "letters"] == [("bob", "ann"), ("ann",)]

    @pytest.mark.semantics(37)
    def test_a_run_may_add_some_that_it_then_needs(self, run: Any, slices: Any) -> None:
        @asset
        def customers(context: AssetExecutionContext) -> None:
            context.instance.add_dynamic_partitions("customers", ["carl"])

        @asset(deps=[customers])
        def archive(letters: Any) -> Any:
            return letters

        slices.slices[AssetKey("letters")] = {"carl": "dear Carl"}
        result = run(SourceAsset("letters", partitions_def=CUSTOMERS), customers, archive)

        assert result.asset_value("archive") == {"carl": "dear Carl"}

    @pytest.mark.semantics(37)
    def test_where_there_are_none_nothing_is_loaded(self, run: Any, slices: Any) -> None:
        @asset
        def archive(letters: Any) -> Any:
            return letters

        result = run(SourceAsset("letters", partitions_def=CUSTOMERS), archive)

        assert (slices.read, result.asset_value("archive")) == ([("letters", ())], None)


class TestLoading:
    @pytest.fixture
    def definitions(self, slices: Any, instance: Instance) -> Definitions:
        definitions = Definitions([orders, rates], resources={"io_manager": slices})
        for day in ("2024-02-28", "2024-02-29"):
            assert definitions.materialize(partition_key=day, instance=instance).success
        return definitions

    @pytest.mark.semantics(35)
    def test_one_partition_or_all_of_them(self, definitions: Definitions, slices: Any) -> None:
        with definitions.get_asset_value_loader() as loader:
            one = loader.load_asset_value("orders", partition_key="2024-02-29")
        whole = definitions.load_asset_value("orders")

        assert one == {"2024-02-29": ["2024-02-29"]}
        assert whole == {"2024-02-28": ["2024-02-28"], "2024-02-29": ["2024-02-29"]}
        assert slices.inputs[-1].partition_keys == tuple(DAYS.get_partition_keys())
        assert definitions.load_asset_value("rates") == 2

    @pytest.mark.semantics(35)
    @pytest.mark.parametrize(
        ("key", "partition", "error", "what"),
        [
            ("orders", "2024-02-30", PartitionNotFoundError, "there is no partition '2024-02-30'"),
            ("rates", "2024-02-29", InvalidInvocationError, "asset 'rates' is not partitioned"),
        ],
    )
    def test_a_partition_that_is_not_there(
        self, definitions: Definitions, key: str, partition: str, error: Any, what: str
    ) -> None:
        with pytest.raises(error, match=what):
            definitions.load_asset_value(key, partition_key=partition)

    @pytest.mark.semantics(27)
    def test_a_result_gives_what_the_run_made(self, definitions: Definitions, instance: Instance) -> None:
        result = definitions.materialize("orders", partition_key="2024-02-29", instance=instance)

        assert result.asset_value("orders") == result.output_for_node("orders") == {"2024-02-29": ["2024-02-29"]}
        assert result.asset_value("orders", partition_key="2024-02-28") == {"2024-02-28": ["2024-02-28"]}

    @pytest.mark.semantics(20)
    def test_a_function_loads_any_partition(self, run: Any, definitions: Definitions) -> None:
        told = []

        @asset
        def report(context: AssetExecutionContext) -> None:
            told.append(context.load_asset_value("orders", partition_key="2024-02-28"))
            told.append(context.load_asset_value("orders"))

        run(SourceAsset("orders", partitions_def=DAYS), report)

        assert [sorted(value) for value in told] == [["2024-02-28"], ["2024-02-28", "2024-02-29"]]

    @pytest.mark.semantics(35)
    def test_dynamic_partitions_are_looked_up_in_the_record_of_the_project(
        self, slices: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("WAREHOUSE_ASSETS_HOME", str(tmp_path))
        with Instance.local(tmp_path) as instance:
            instance.add_dynamic_partitions("customers", ["ann"])
        slices.slices[AssetKey("letters")] = {"ann": "dear Ann"}
        source = SourceAsset("letters", partitions_def=CUSTOMERS)

        assert Definitions([source], resources={"io_manager": slices}).load_asset_value("letters") == {"ann": "dear Ann"}


@pytest.mark.semantics(44)
def test_a_manager_is_asked_before_anything_runs(run: Any, slices: Any, instance: Instance) -> None:
    def check_asset(key: AssetKey, metadata: Any, partitions_def: Any) -> None:
        if partitions_def is not None and "partition_expr" not in metadata:
            raise InvalidDefinitionError(f"no column for {key.to_user_string()}")

    slices.check_asset = check_asset
    assets = [orders, bills, rates, SourceAsset("raw", partitions_def=DAYS)]

    with pytest.raises(ExceptionGroup) as caught:
        run(*assets, partition_key="2024-02-29")
    with pytest.raises(ExceptionGroup) as declared:
        Definitions(assets, resources={"io_manager": slices})

    assert sorted(str(fault) for fault in caught.value.exceptions) == [
        "no column for bills",
        "no column for orders",
        "no column for raw",
    ]
    assert len(declared.value.exceptions) == 3
    assert instance.get_runs() == []
