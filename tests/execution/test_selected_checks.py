"""Which checks a run evaluates: by selection, by partition, by job, and of what is stale."""

from __future__ import annotations

from typing import Any

import pytest

from tests.execution.checked import orders, report, seen
from warehouse_assets import (
    AssetCheckExecutionContext,
    AssetCheckKey,
    AssetCheckResult,
    AssetCheckSpec,
    AssetExecutionContext,
    AssetKey,
    AssetSelection,
    Definitions,
    Instance,
    MaterializeResult,
    PartitionKeyRange,
    StaticPartitionsDefinition,
    asset,
    asset_check,
    define_asset_job,
    materialize,
)
from warehouse_assets.errors import InvalidSelectionError

pytestmark = pytest.mark.semantics(36)


class TestSelected:
    @staticmethod
    def definitions(store: Any) -> Definitions:
        @asset_check(asset=orders)
        def some(orders: list[int]) -> bool:
            return bool(orders)

        @asset_check(asset=report)
        def odd(report: int) -> bool:
            return report % 2 == 1

        return Definitions([orders, report], asset_checks=[some, odd], resources={"io_manager": store})

    @pytest.mark.parametrize(
        ("selection", "steps"),
        [
            (None, ["orders", "orders:some", "report", "report:odd"]),
            ("orders", ["orders", "orders:some"]),
            (["orders"], ["orders", "orders:some"]),
            ("without_checks(*)", ["orders", "report"]),
            ("orders or checks(*)", ["orders", "orders:some", "report:odd"]),
            ('* and not check:"orders:some"', []),
        ],
        ids=["all", "asset", "list", "without", "with all", "not one"],
    )
    def test_selecting_an_asset_selects_its_checks(self, store: Any, selection: Any, steps: list[str]) -> None:
        store.values[AssetKey("report")] = 3

        result = self.definitions(store).materialize(selection)

        assert sorted(result.steps()) == (steps or ["orders", "report", "report:odd"])

    def test_checks_run_alone_on_stored_tables(self, store: Any) -> None:
        definitions = self.definitions(store)
        definitions.materialize(AssetSelection.all().without_checks())
        stored = list(store.stored)

        result = definitions.materialize(AssetSelection.all_asset_checks())

        assert seen(result) == {"orders:some": True, "report:odd": True}
        assert store.stored == stored

    def test_checks_of_the_function_of_an_asset_do_not_run_alone(self) -> None:
        @asset(check_specs=[AssetCheckSpec("some", asset="own")])
        def own() -> MaterializeResult[int]:
            return MaterializeResult(value=1, check_results=[AssetCheckResult(passed=True)])

        with pytest.raises(InvalidSelectionError, match="holds only checks that the functions of their assets evaluate"):
            materialize([own], selection=AssetSelection.checks("own:some"))
        assert seen(materialize([own], selection=AssetSelection.all().without_checks())) == {"own:some": True}


class TestPartitions:
    """The partitions that a run makes are those that are checked."""

    days = StaticPartitionsDefinition(["mon", "tue", "wed"])

    def test_a_check_reads_the_partitions_that_are_made_and_is_recorded_for_each(self, store: Any, instance: Instance) -> None:
        @asset(partitions_def=self.days)
        def sales(context: AssetExecutionContext) -> list[str]:
            return list(context.partition_keys)

        @asset_check(asset=sales)
        def some(context: AssetCheckExecutionContext, sales: list[str]) -> AssetCheckResult:
            return AssetCheckResult(passed=bool(sales), metadata={"checked": list(context.partition_keys)})

        result = materialize(
            [sales, some],
            resources={"io_manager": store},
            instance=instance,
            partition_key_range=PartitionKeyRange("mon", "tue"),
        )

        found = result.get_asset_check_evaluations()
        assert [evaluation.partition for evaluation in found] == ["mon", "tue"]
        assert found[0].metadata["checked"].value == ["mon", "tue"]
        assert list(store.inputs[0].partition_keys) == ["mon", "tue"]
        key = AssetCheckKey(AssetKey("sales"), "some")
        assert instance.get_latest_asset_check_evaluation(key, "mon") == found[0]

    def test_a_blocking_one_sees_the_partition_before_it_is_published(self, staging: Any) -> None:
        seen_keys: list[str] = []

        @asset(partitions_def=self.days)
        def sales() -> list[int]:
            return []

        @asset_check(asset=sales, blocking=True)
        def some(context: AssetCheckExecutionContext, sales: list[int]) -> bool:
            seen_keys.append(context.partition_key)
            return bool(sales)

        result = materialize([sales, some], resources={"io_manager": staging}, partition_key="wed", raise_on_error=False)

        assert (staging.stored, seen_keys) == ([], ["wed"])
        assert [evaluation.partition for evaluation in result.get_asset_check_evaluations()] == ["wed"]

    def test_an_asset_without_partitions_is_checked_as_a_whole_beside_them(self, store: Any) -> None:
        @asset(partitions_def=self.days)
        def sales() -> list[int]:
            return [1]

        @asset_check(asset=orders)
        def some(context: AssetCheckExecutionContext) -> bool:
            return not context.has_partition_key

        result = materialize([sales, orders, some], resources={"io_manager": store}, partition_key="mon")

        assert [(one.partition, one.passed) for one in result.get_asset_check_evaluations()] == [(None, True)]


class TestJobs:
    def test_a_job_evaluates_the_checks_of_its_selection(self, store: Any) -> None:
        @asset_check(asset=orders)
        def some() -> bool:
            return True

        definitions = Definitions(
            [orders, report],
            asset_checks=[some],
            jobs=[
                define_asset_job("all"),
                define_asset_job("bare", AssetSelection.all().without_checks()),
                define_asset_job("checks", AssetSelection.all_asset_checks()),
            ],
            resources={"io_manager": store},
        )

        steps = {name: definitions.get_job_def(name).execute_in_process().steps() for name in ("all", "bare", "checks")}

        assert steps == {"all": ["orders", "report", "orders:some"], "bare": ["orders", "report"], "checks": ["orders:some"]}
        part = definitions.get_job_def("all").execute_in_process(asset_selection="orders")
        assert part.steps() == ["orders", "orders:some"]


class TestStale:
    def test_what_is_fresh_is_not_checked_again(self, store: Any, instance: Instance) -> None:
        @asset(code_version="1")
        def made() -> int:
            return 1

        @asset_check(asset=made)
        def some() -> bool:
            return True

        runs = [
            materialize([made, some], resources={"io_manager": store}, instance=instance, only_stale=True) for _ in range(2)
        ]

        assert [result.steps() for result in runs] == [["made", "made:some"], []]
