"""Checks that run beside their assets."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from tests.execution.checked import WARN, orders, report, seen
from warehouse_assets import (
    AssetCheckExecutionContext,
    AssetCheckKey,
    AssetCheckResult,
    AssetCheckSpec,
    AssetExecutionContext,
    AssetIn,
    AssetKey,
    AssetOut,
    AssetSelection,
    Config,
    Instance,
    Output,
    RetryPolicy,
    RetryRequested,
    ThreadExecutor,
    asset,
    asset_check,
    materialize,
    materialize_to_memory,
    multi_asset,
    multi_asset_check,
)
from warehouse_assets.errors import InvalidConfigError, InvalidOutputError, ResourceError
from warehouse_assets.execution.run import RunResult

pytestmark = pytest.mark.semantics(36)


class TestAlone:
    """Checks that do not block are steps of their own."""

    def test_a_check_runs_after_its_asset_and_is_recorded(self, store: Any, instance: Instance) -> None:
        @asset_check(asset=orders, description="Ids are unique.")
        def unique(orders: list[int]) -> AssetCheckResult:
            return AssetCheckResult(passed=False, severity=WARN, description="one id twice", metadata={"twice": 1})

        result = materialize([orders, unique], resources={"io_manager": store}, instance=instance)

        assert result.success
        assert result.steps() == ["orders", "orders:unique"]
        [evaluation] = result.get_asset_check_evaluations()
        assert (evaluation.asset_key, evaluation.check_name, evaluation.passed) == (AssetKey("orders"), "unique", False)
        assert (evaluation.severity, evaluation.blocking, evaluation.description) == (WARN, False, "one id twice")
        assert evaluation.metadata["twice"].value == 1
        assert instance.get_latest_asset_check_evaluation(AssetCheckKey(AssetKey("orders"), "unique")) == evaluation
        assert result.get_failed_asset_check_evaluations() == [evaluation]

    @pytest.mark.parametrize("verdict", [True, False])
    def test_true_and_false_are_results(self, verdict: bool) -> None:
        @asset_check(asset=orders)
        def unique() -> bool:
            return verdict

        result = materialize([orders, unique])

        assert (result.success, seen(result)) == (True, {"orders:unique": verdict})

    def test_an_argument_is_the_table_under_its_name_or_alone_as_annotated(self, store: Any) -> None:
        got: dict[str, Any] = {}

        @asset_check(asset=orders)
        def by_name(orders: list[int]) -> bool:
            got["by_name"] = orders
            return True

        @asset_check(asset=orders)
        def alone(rows: list[int]) -> bool:
            got["alone"] = rows
            return True

        @asset_check(asset=orders)
        def nothing(context: AssetCheckExecutionContext) -> bool:
            return True

        materialize([orders, by_name, alone, nothing], resources={"io_manager": store})

        assert got == {"by_name": [1, 2, 2], "alone": [1, 2, 2]}
        assert [(context.name, context.type_hint) for context in store.inputs] == [("orders", list[int]), ("rows", list[int])]

    def test_additional_inputs_and_dependencies_come_first(self, store: Any) -> None:
        @asset
        def customers() -> list[int]:
            return [1]

        @asset_check(asset=orders, additional_ins={"known": AssetIn("customers")}, additional_deps=[report])
        def relationship(orders: list[int], known: list[int]) -> AssetCheckResult:
            return AssetCheckResult(passed=set(orders) <= set(known), description=f"{sorted(set(orders) - set(known))}")

        result = materialize([relationship, customers, report, orders], resources={"io_manager": store})

        assert result.get_asset_check_evaluations()[0].description == "[2]"
        assert result.steps().index("orders:relationship") > result.steps().index("report")

    def test_other_arguments_are_looked_up_like_those_of_assets(self, store: Any) -> None:
        @asset(key_prefix="raw")
        def customers() -> list[int]:
            return [1]

        @asset_check(asset=orders)
        def relationship(orders: list[int], customers: list[int]) -> bool:
            return customers == [1]

        assert seen(materialize([relationship, customers, orders], resources={"io_manager": store})) == {
            "orders:relationship": True
        }

    def test_context_config_and_resources(self) -> None:
        class Limit(Config):
            most: int = 2

        @asset_check(asset=orders, required_resource_keys={"limit"})
        def few(context: AssetCheckExecutionContext, orders: list[int], config: Limit) -> AssetCheckResult:
            assert context.asset_key == AssetKey("orders")
            assert context.check_spec.name == "few"
            assert context.selected_asset_check_keys == {AssetCheckKey(AssetKey("orders"), "few")}
            assert context.run_id
            assert context.staged is None
            return AssetCheckResult(passed=len(orders) <= min(config.most, context.resources.limit))

        def run(most: int) -> RunResult:
            return materialize(
                [orders, few],
                resources={"limit": 5},
                run_config={"ops": {"orders:few": {"config": {"most": most}}}},
            )

        assert (seen(run(2)), seen(run(3))) == ({"orders:few": False}, {"orders:few": True})
        with pytest.raises(InvalidConfigError, match=r"check 'orders:few': field 'most': .*, not 'many'"):
            run("many")
        with pytest.raises(ResourceError, match="'limit' is required by check 'orders:few', and is not given"):
            materialize([orders, few])

    def test_resources_come_with_a_check(self) -> None:
        @asset_check(asset=orders, required_resource_keys={"limit"}, resource_defs={"limit": 3})
        def few(context: AssetCheckExecutionContext) -> bool:
            return context.resources.limit == 3

        assert seen(materialize([orders, few])) == {"orders:few": True}

    def test_what_raises_fails_its_step_and_has_not_passed(self) -> None:
        @asset_check(asset=orders)
        def broken() -> bool:
            raise ZeroDivisionError("no rows")

        @asset_check(asset=orders)
        def fine() -> bool:
            return True

        result = materialize([orders, report, broken, fine], raise_on_error=False)

        assert not result.success
        assert result.steps("failure") == ["orders:broken"]
        assert result.steps("success") == ["orders", "report", "orders:fine"]
        assert seen(result) == {"orders:broken": False, "orders:fine": True}
        assert result.get_failed_asset_check_evaluations()[0].description == "the check raised ZeroDivisionError: no rows"
        assert "in check 'orders:broken'" in result.failures["orders:broken"].__notes__[0]

    def test_a_check_is_evaluated_again_as_its_policy_says(self) -> None:
        attempts: list[int] = []

        @asset_check(asset=orders, retry_policy=RetryPolicy(max_retries=2))
        def flaky(context: AssetCheckExecutionContext) -> bool:
            attempts.append(context.retry_number)
            if len(attempts) < 3:
                raise RetryRequested(max_retries=5)
            return True

        assert seen(materialize([orders, flaky])) == {"orders:flaky": True}
        assert attempts == [0, 1, 2]

    def test_a_check_of_what_was_not_made_is_skipped(self) -> None:
        @asset(output_required=False)
        def maybe() -> Iterator[Output[int]]:
            yield from ()

        @asset_check(asset=maybe)
        def some() -> bool:
            return True

        result = materialize([maybe, some])

        assert (result.success, result.steps("skipped"), seen(result)) == (True, ["maybe:some"], {})

    def test_one_of_several_outputs_that_is_not_made_is_not_checked(self) -> None:
        @multi_asset(outs={"a": AssetOut(is_required=False), "b": AssetOut()})
        def both() -> Iterator[Output[int]]:
            yield Output(1, "b")

        @asset_check(asset="a")
        def of_a() -> bool:
            return True

        @asset_check(asset="b")
        def of_b() -> bool:
            return True

        result = materialize([both, of_a, of_b])

        assert (seen(result), result.steps("skipped")) == ({"b:of_b": True}, ["a:of_a"])

    def test_checks_run_in_threads_beside_what_is_downstream(self) -> None:
        @asset_check(asset=orders)
        def unique(orders: list[int]) -> bool:
            return False

        result = materialize([orders, report, unique], executor=ThreadExecutor(2))

        assert (result.success, seen(result), result.asset_value("report")) == (True, {"orders:unique": False}, 3)

    def test_in_memory_too(self) -> None:
        @asset_check(asset=orders)
        def unique(orders: list[int]) -> bool:
            return orders == [1, 2, 2]

        assert seen(materialize_to_memory([orders, unique])) == {"orders:unique": True}


class TestSeveral:
    def test_one_function_evaluates_checks_of_several_assets(self) -> None:
        @multi_asset_check(
            specs=[
                AssetCheckSpec("some", asset=orders),
                AssetCheckSpec("some", asset=report),
                AssetCheckSpec("odd", asset=report),
            ]
        )
        def checks(orders: list[int], report: int) -> Iterator[AssetCheckResult]:
            yield AssetCheckResult(passed=bool(orders), asset_key="orders")
            yield AssetCheckResult(passed=report > 0, check_name="some", asset_key="report")
            yield AssetCheckResult(passed=report % 2 == 1, check_name="odd")

        result = materialize([orders, report, checks])

        assert seen(result) == {"orders:some": True, "report:some": True, "report:odd": True}
        assert result.steps()[-1] == "checks"

    def test_those_that_can_be_are_evaluated_apart(self) -> None:
        calls: list[set[str]] = []

        @multi_asset_check(
            specs=[AssetCheckSpec(name, asset=key) for key in ("orders", "report") for name in ("a", "b")], can_subset=True
        )
        def checks(context: AssetCheckExecutionContext) -> Iterator[AssetCheckResult]:
            calls.append({key.to_user_string() for key in context.selected_asset_check_keys})
            for spec in context.check_specs:
                yield AssetCheckResult(passed=True, asset_key=spec.asset_key, check_name=spec.name)

        materialize([orders, report, checks], selection=AssetSelection.checks("orders:a", "report:b", "report:a"))

        assert calls == [{"orders:a"}, {"report:a", "report:b"}]

    def test_others_are_evaluated_together(self) -> None:
        @multi_asset_check(specs=[AssetCheckSpec("a", asset=orders), AssetCheckSpec("b", asset=orders)])
        def checks() -> list[AssetCheckResult]:
            return [AssetCheckResult(passed=True, check_name=name) for name in "ab"]

        materialize([orders, checks])

        assert seen(materialize([orders, checks], selection=AssetSelection.checks("orders:a"))) == {
            "orders:a": True,
            "orders:b": True,
        }

    @pytest.mark.parametrize(
        ("results", "message"),
        [
            ([], "gave no result for 'orders:a', 'orders:b'"),
            ([True], "gave a value of type bool. Return an AssetCheckResult"),
            ([None], "gave None"),
            ([AssetCheckResult(passed=True)], "gave a result that does not say which check it is of"),
            (
                [AssetCheckResult(passed=True, check_name="c")],
                "gave a result of the check 'c'. Declared are orders:a, orders:b",
            ),
            ([AssetCheckResult(passed=True, check_name="a", asset_key="x")], "gave a result of the check 'x:a'"),
            ([AssetCheckResult(passed=True, check_name="a")] * 2, "gave the result of 'orders:a' twice"),
        ],
        ids=["none", "bool", "null", "unnamed", "undeclared", "other asset", "twice"],
    )
    def test_results_that_do_not_fit(self, results: list[Any], message: str) -> None:
        @multi_asset_check(specs=[AssetCheckSpec("a", asset=orders), AssetCheckSpec("b", asset=orders)])
        def checks() -> Iterator[Any]:
            yield from results

        result = materialize([orders, checks], raise_on_error=False)

        assert isinstance(result.failures["checks"], InvalidOutputError)
        assert f"check 'checks' {message}" in str(result.failures["checks"])


def test_a_definition_that_runs_in_parts_is_checked_in_parts(staging: Any) -> None:
    @multi_asset(
        outs={"first": AssetOut(is_required=False), "last": AssetOut(is_required=False)},
        ins={"between": AssetIn("between")},
        internal_asset_deps={"first": [], "last": ["between"]},
        can_subset=True,
    )
    def ends(context: AssetExecutionContext, between: int = 0) -> Iterator[Output[list[int]]]:
        for name in context.selected_output_names:
            yield Output([1], name)

    @asset
    def between(first: list[int]) -> int:
        return len(first)

    @asset_check(asset="first", blocking=True)
    def some(first: list[int]) -> bool:
        return bool(first)

    @asset_check(asset="last")
    def late(last: list[int]) -> bool:
        return bool(last)

    result = materialize([ends, between, some, late], resources={"io_manager": staging})

    assert (result.steps(), seen(result)) == (
        ["ends", "between", "ends 2", "last:late"],
        {"first:some": True, "last:late": True},
    )
