"""Runs of ranges, of dynamic partitions and of those that are refused, and what is loaded of them."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from tests.execution.sliced import BOTH, CUSTOMERS, DAYS, LEAP_WEEKEND, REGIONS, bills, days_of, orders, rates
from warehouse_assets import (
    AllPartitionMapping,
    AssetExecutionContext,
    AssetKey,
    BackfillPolicy,
    Definitions,
    Instance,
    PartitionKeyRange,
    SourceAsset,
    asset,
)
from warehouse_assets.errors import (
    InvalidDefinitionError,
    InvalidInvocationError,
    InvalidSelectionError,
    PartitionNotFoundError,
)


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
