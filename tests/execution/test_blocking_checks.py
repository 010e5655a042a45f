"""Checks that stop what is downstream, and those that the function of an asset evaluates itself."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import pytest

from tests.execution.checked import WARN, orders, report, seen
from warehouse_assets import (
    AssetCheckExecutionContext,
    AssetCheckFailedError,
    AssetCheckResult,
    AssetCheckSpec,
    AssetKey,
    AssetOut,
    AssetSelection,
    Config,
    Definitions,
    Instance,
    MaterializeResult,
    Output,
    RetryPolicy,
    asset,
    asset_check,
    graph_asset,
    materialize,
    multi_asset,
    multi_asset_check,
    op,
)
from warehouse_assets.errors import InvalidConfigError, InvalidOutputError

pytestmark = pytest.mark.semantics(36)


class TestBlocking:
    """Blocking checks see the table before anybody else does."""

    def test_a_faulty_table_is_not_published(self, staging: Any, instance: Instance) -> None:
        staging.values[AssetKey("orders")] = "the old table"

        @asset_check(asset=orders, blocking=True)
        def unique(context: AssetCheckExecutionContext, orders: list[int]) -> AssetCheckResult:
            assert context.staged is not None
            assert orders == [1, 2, 2]
            return AssetCheckResult(passed=False, description="2 twice", metadata={"sample": [2]})

        result = materialize(
            [orders, report, unique], resources={"io_manager": staging}, instance=instance, raise_on_error=False
        )

        assert staging.values == {AssetKey("orders"): "the old table"}
        assert (result.steps("failure"), result.steps("skipped")) == (["orders"], ["report"])
        error = result.failures["orders"]
        assert isinstance(error, AssetCheckFailedError)
        assert str(error) == (
            "asset 'orders' failed the blocking check 'unique': 2 twice. The stored table is as it was before."
        )
        assert result.get_asset_materialization_events() == []
        [evaluation] = result.get_asset_check_evaluations()
        assert (evaluation.passed, evaluation.blocking, evaluation.metadata["sample"].value) == (False, True, [2])
        assert instance.get_latest_materialization_event("orders") is None

    def test_a_good_table_is(self, staging: Any) -> None:
        @asset_check(asset=orders, blocking=True)
        def some(orders: list[int]) -> bool:
            return len(orders) > 0

        result = materialize([orders, report, some], resources={"io_manager": staging})

        assert staging.values[AssetKey("report")] == 3
        assert result.steps() == ["orders", "report"]
        assert result.asset_materializations_for_node("orders")[0].metadata["row_count"].value == 3
        assert seen(result) == {"orders:some": True}

    def test_a_warning_blocks_nothing(self, staging: Any) -> None:
        @asset_check(asset=orders, blocking=True)
        def some() -> AssetCheckResult:
            return AssetCheckResult(passed=False, severity=WARN)

        assert materialize([orders, report, some], resources={"io_manager": staging}).success

    def test_without_a_stage_what_is_downstream_is_stopped_all_the_same(self, store: Any) -> None:
        @asset_check(asset=orders, blocking=True)
        def unique(orders: list[int]) -> bool:
            return len(orders) == len(set(orders))

        result = materialize([orders, report, unique], resources={"io_manager": store}, raise_on_error=False)

        assert store.stored == ["orders"]
        assert (result.steps("failure"), result.steps("skipped")) == (["orders"], ["report"])
        assert "It is stored already, and what depends on it is not made" in str(result.failures["orders"])
        assert [event.asset_key for event in result.get_asset_materialization_events()] == [AssetKey("orders")]

    def test_what_a_function_stored_itself_is_checked_after(self) -> None:
        written: list[str] = []

        @asset
        def itself() -> None:
            written.append("itself")

        @asset(deps=[itself])
        def after() -> MaterializeResult[Any]:
            return MaterializeResult()

        @asset_check(asset=itself, blocking=True)
        def good() -> bool:
            return not written

        @asset_check(asset=after, blocking=True)
        def late() -> bool:
            return False

        result = materialize([itself, after, good, late], raise_on_error=False)
        alone = materialize([itself, after, late], raise_on_error=False)

        assert (result.steps("failure"), result.steps("skipped")) == (["itself"], ["after"])
        assert alone.steps("failure") == ["after"]

    def test_a_check_that_raises_blocks(self, staging: Any) -> None:
        @asset_check(asset=orders, blocking=True)
        def broken() -> bool:
            raise ZeroDivisionError("no rows")

        result = materialize([orders, broken], resources={"io_manager": staging}, raise_on_error=False)

        assert (staging.stored, seen(result)) == ([], {"orders:broken": False})
        error = result.failures["orders"]
        assert isinstance(error, ZeroDivisionError)
        assert error.__notes__[0].startswith("in check 'orders:broken'")

    def test_all_are_evaluated_and_named(self, staging: Any) -> None:
        @multi_asset_check(
            specs=[AssetCheckSpec("a", asset=orders, blocking=True), AssetCheckSpec("b", asset=orders)], can_subset=True
        )
        def both(context: AssetCheckExecutionContext) -> Iterator[AssetCheckResult]:
            assert context.staged is not None
            for name in "ab":
                yield AssetCheckResult(passed=False, check_name=name)

        @asset_check(asset=orders, blocking=True)
        def c() -> AssetCheckResult:
            return AssetCheckResult(passed=False, description="too few")

        with pytest.raises(AssetCheckFailedError, match=r"asset 'orders' failed 2 blocking checks: 'a'; 'c': too few"):
            materialize([orders, both, c], resources={"io_manager": staging})

    def test_what_it_needs_is_made_before(self, staging: Any) -> None:
        @asset
        def customers() -> list[int]:
            return [1, 2]

        @asset_check(asset=orders, blocking=True)
        def relationship(orders: list[int], customers: list[int]) -> bool:
            return set(orders) <= set(customers)

        result = materialize([orders, relationship, report, customers], resources={"io_manager": staging})

        assert result.steps() == ["customers", "orders", "report"]

    def test_config_goes_to_it_by_its_name(self, staging: Any) -> None:
        class Limit(Config):
            most: int

        @asset_check(asset=orders, blocking=True)
        def few(orders: list[int], config: Limit) -> bool:
            return len(orders) <= config.most

        config = {"ops": {"orders:few": {"config": {"most": 3}}}}

        assert materialize([orders, few], resources={"io_manager": staging}, run_config=config).success
        with pytest.raises(InvalidConfigError, match="check 'orders:few': missing field 'most'"):
            materialize([orders, few], resources={"io_manager": staging})

    def test_one_of_several_tables_is_kept_back(self, staging: Any) -> None:
        @multi_asset(outs={"a": AssetOut(), "b": AssetOut(is_required=False)})
        def both() -> Iterator[Output[list[int]]]:
            yield Output([1], "a")
            yield Output([], "b")

        @asset_check(asset="b", blocking=True)
        def some(b: list[int]) -> bool:
            return bool(b)

        @asset
        def after(b: list[int]) -> int:
            return len(b)

        result = materialize([both, some, after], resources={"io_manager": staging}, raise_on_error=False)

        assert (staging.stored, result.steps("skipped")) == (["a"], ["after"])

    def test_across_several_assets_it_runs_after_them_and_before_what_is_downstream(self, staging: Any) -> None:
        @asset
        def customers() -> list[int]:
            return [1]

        @multi_asset_check(
            specs=[AssetCheckSpec("match", asset=orders, blocking=True), AssetCheckSpec("match", asset=customers)]
        )
        def match(orders: list[int], customers: list[int]) -> Iterator[AssetCheckResult]:
            for key in ("orders", "customers"):
                yield AssetCheckResult(passed=set(orders) == set(customers), asset_key=key)

        result = materialize([orders, customers, report, match], resources={"io_manager": staging}, raise_on_error=False)

        assert staging.stored == ["orders", "customers"]
        assert (result.steps("failure"), result.steps("skipped")) == (["match"], ["report"])
        assert "failed the blocking check 'match'. What depends on it is not made." in str(result.failures["match"])

    def test_alone_it_stops_what_is_downstream_of_the_stored_table(self, staging: Any) -> None:
        staging.values[AssetKey("orders")] = []

        @asset_check(asset=orders, blocking=True)
        def some(orders: list[int]) -> bool:
            return bool(orders)

        definitions = Definitions([orders, report], asset_checks=[some], resources={"io_manager": staging})
        selection = AssetSelection.checks(some) | AssetSelection.assets(report)

        result = definitions.materialize(selection, raise_on_error=False)

        assert (result.steps("failure"), result.steps("skipped")) == (["orders:some"], ["report"])
        assert result.events[-2].message == "skipped: orders:some did not pass"

    def test_it_is_evaluated_again_with_its_asset(self, staging: Any) -> None:
        made: list[int] = []

        @asset(retry_policy=RetryPolicy(max_retries=1))
        def growing() -> list[int]:
            made.append(1)
            return list(made)

        @asset_check(asset=growing, blocking=True)
        def two(growing: list[int]) -> bool:
            return len(growing) == 2

        result = materialize([growing, two], resources={"io_manager": staging})

        assert [evaluation.passed for evaluation in result.get_asset_check_evaluations()] == [False, True]


class TestOwn:
    """Checks that the function of an asset evaluates itself."""

    @staticmethod
    def declared(*results: Any, blocking: bool = False, names: Mapping[str, bool] | None = None) -> Any:
        @asset(check_specs=[AssetCheckSpec(name, asset="own", blocking=blocking) for name in names or ("some",)])
        def own() -> Iterator[Any]:
            yield from results

        return own

    def test_results_are_yielded_or_part_of_a_result(self) -> None:
        result = AssetCheckResult(passed=True, metadata={"rows": 1})
        yielded = materialize([self.declared(result, Output(1))])

        @asset(check_specs=[AssetCheckSpec("some", asset="own")])
        def own() -> MaterializeResult[int]:
            return MaterializeResult(value=1, check_results=[result])

        for run in (yielded, materialize([own])):
            [evaluation] = run.get_asset_check_evaluations()
            assert (evaluation.asset_check_key.to_user_string(), evaluation.passed) == ("own:some", True)
            assert evaluation.metadata["rows"].value == 1
            assert run.steps() == ["own"]

    def test_a_value_that_failed_is_not_stored(self, store: Any) -> None:
        value = MaterializeResult(value=1, check_results=[AssetCheckResult(passed=False, description="empty")])
        for pieces in ([value], [AssetCheckResult(passed=False, description="empty"), Output(1)]):
            own = self.declared(*pieces, blocking=True)
            with pytest.raises(
                AssetCheckFailedError, match=r"'own' failed the blocking check 'some': empty. The stored table is"
            ):
                materialize([own], resources={"io_manager": store})

        assert store.stored == []

    def test_one_that_fails_after_it_was_stored_stops_what_is_downstream(self, store: Any) -> None:
        own = self.declared(Output(1), AssetCheckResult(passed=False), blocking=True)

        @asset(deps=[own])
        def after() -> None: ...

        result = materialize([own, after], resources={"io_manager": store}, raise_on_error=False)

        assert (store.stored, result.steps("skipped")) == (["own"], ["after"])
        assert "It is stored already" in str(result.failures["own"])

    def test_one_without_a_value_stops_what_is_downstream(self) -> None:
        own = self.declared(MaterializeResult(check_results=[AssetCheckResult(passed=False)]), blocking=True)

        with pytest.raises(AssetCheckFailedError, match="What depends on it is not made"):
            materialize([own])

    def test_a_failed_one_that_does_not_block_is_recorded(self) -> None:
        assert seen(materialize([self.declared(AssetCheckResult(passed=False), Output(1))])) == {"own:some": False}

    @pytest.mark.parametrize(
        ("results", "message"),
        [
            ([], "asset 'own' gave no result for 'own:some'"),
            ([AssetCheckResult(passed=True, check_name="other")], "gave a result of the check 'other'. Declared are own:some"),
            ([AssetCheckResult(passed=True)] * 2, "asset 'own' gave the result of 'own:some' twice"),
            ([MaterializeResult(check_results=[True])], "asset 'own' gave True as the result of a check"),
        ],
        ids=["missing", "undeclared", "twice", "no result"],
    )
    def test_results_that_do_not_fit(self, results: list[Any], message: str) -> None:
        with pytest.raises(InvalidOutputError, match=message):
            materialize([self.declared(*results, Output(1))])

    def test_each_asset_of_several_has_its_own(self) -> None:
        @multi_asset(
            outs={"a": AssetOut(), "b": AssetOut(is_required=False)},
            check_specs=[AssetCheckSpec("some", asset="a"), AssetCheckSpec("some", asset="b")],
            can_subset=True,
        )
        def both() -> Iterator[Any]:
            yield MaterializeResult(asset_key="a", value=1, check_results=[AssetCheckResult(passed=True)])

        assert seen(materialize([both])) == {"a:some": True}

    def test_an_op_of_a_graph_gives_them(self) -> None:
        @op
        def build() -> Iterator[Any]:
            yield AssetCheckResult(passed=False, check_name="some")
            yield Output(1)

        @graph_asset(check_specs=[AssetCheckSpec("some", asset="built", blocking=True)])
        def built() -> Any:
            return build()

        with pytest.raises(AssetCheckFailedError, match="'built' failed the blocking check 'some'"):
            materialize([built])

    def test_what_they_need_is_made_before(self) -> None:
        @asset(check_specs=[AssetCheckSpec("some", asset="own", additional_deps=["other"])])
        def own() -> MaterializeResult[int]:
            return MaterializeResult(value=1, check_results=[AssetCheckResult(passed=True)])

        @asset
        def other() -> int:
            return 1

        assert materialize([own, other]).steps() == ["other", "own"]
