from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import pytest

from warehouse_assets import (
    AssetCheckExecutionContext,
    AssetCheckFailedError,
    AssetCheckKey,
    AssetCheckResult,
    AssetCheckSeverity,
    AssetCheckSpec,
    AssetExecutionContext,
    AssetIn,
    AssetKey,
    AssetOut,
    AssetSelection,
    Config,
    Definitions,
    InputContext,
    Instance,
    MaterializeResult,
    Output,
    OutputContext,
    PartitionKeyRange,
    RetryPolicy,
    RetryRequested,
    StaticPartitionsDefinition,
    ThreadExecutor,
    asset,
    asset_check,
    define_asset_job,
    graph_asset,
    materialize,
    materialize_to_memory,
    multi_asset,
    multi_asset_check,
    op,
)
from warehouse_assets.errors import InvalidConfigError, InvalidOutputError, InvalidSelectionError, ResourceError
from warehouse_assets.execution.run import RunResult

pytestmark = pytest.mark.semantics(36)

WARN = AssetCheckSeverity.WARN


class StagedValue:
    """A value that only its checks see."""

    def __init__(self, value: Any) -> None:
        self.value = value
        self.reads: list[InputContext] = []

    def load_input(self, context: InputContext) -> Any:
        self.reads.append(context)
        return self.value


@pytest.fixture
def staging(new_manager: Any) -> Any:
    """A manager in memory that shows a value before it is published."""

    class StagingManager(new_manager):
        @contextmanager
        def stage(self, context: OutputContext, obj: Any) -> Iterator[StagedValue]:
            yield StagedValue(obj)
            self.handle_output(context, obj)
            context.add_output_metadata({"row_count": len(obj)})

    return StagingManager()


@asset
def orders() -> list[int]:
    return [1, 2, 2]


@asset
def report(orders: list[int]) -> int:
    return len(orders)


def seen(result: RunResult) -> dict[str, bool]:
    return {e.asset_check_key.to_user_string(): e.passed for e in result.get_asset_check_evaluations()}


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
