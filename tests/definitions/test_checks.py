from __future__ import annotations

from typing import Any

import pytest

from warehouse_assets import (
    AssetCheckResult,
    AssetCheckSpec,
    AssetIn,
    AssetKey,
    AssetOut,
    Definitions,
    MaterializeResult,
    SourceAsset,
    asset,
    asset_check,
    graph_asset,
    multi_asset,
    multi_asset_check,
    op,
)
from warehouse_assets.errors import InvalidDefinitionError, InvalidDefinitionsError, InvalidOutputError

pytestmark = pytest.mark.semantics(36)


@asset(key_prefix="staging")
def orders() -> list[int]:
    return [1]


@asset
def report(orders: list[int]) -> int:
    return len(orders)


def test_a_check_shows_itself() -> None:
    @asset_check(asset=orders, blocking=True, additional_deps=[report], metadata={"level": 1})
    def unique(orders: list[int]) -> bool:
        """Ids are unique."""
        return len(set(orders)) == len(orders)

    [spec] = unique.specs
    assert (spec.name, spec.asset_key, spec.blocking) == ("unique", AssetKey(["staging", "orders"]), True)
    assert (spec.description, spec.metadata["level"].value) == ("Ids are unique.", 1)
    assert [dep.asset_key for dep in spec.additional_deps] == [AssetKey("report")]
    assert spec.key.to_user_string() == "staging/orders:unique"
    assert str(spec.place).endswith(f"test_checks.py:{unique.place.line}")
    assert repr(unique) == "AssetChecksDefinition(staging/orders:unique)"


@pytest.mark.parametrize(
    "asset_",
    [orders, "staging/orders", ["staging", "orders"], AssetKey(["staging", "orders"]), SourceAsset("staging/orders")],
    ids=repr,
)
def test_the_asset_is_given_in_any_form(asset_: Any) -> None:
    assert AssetCheckSpec("unique", asset=asset_).asset_key == AssetKey(["staging", "orders"])


def test_calling_a_check_calls_its_function() -> None:
    @asset_check(asset=orders, name="another")
    def unique(orders: list[int], limit: int = 3) -> AssetCheckResult:
        return AssetCheckResult(passed=len(orders) < limit)

    assert unique([1, 2]) == AssetCheckResult(passed=True)
    assert unique([1, 2], limit=1).passed is False
    assert [spec.name for spec in unique.specs] == ["another"]


def test_any_kind_of_truth_is_a_verdict_and_nothing_else() -> None:
    import numpy as np

    assert AssetCheckResult(passed=np.bool_(True)).passed is True
    for passed in (1, None, "yes", np.int64(1)):
        with pytest.raises(InvalidOutputError, match=r"passed is .*, and has to be True or False"):
            AssetCheckResult(passed=passed)
    with pytest.raises(InvalidOutputError, match="the severity is 'WARN'"):
        AssetCheckResult(passed=True, severity="WARN")


def declared(**options: Any) -> Any:
    @asset_check(**{"asset": orders, **options})
    def check(orders: list[int]) -> bool:
        return True

    return check


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"name": "not good"}, "check 'not good': the name 'not good' is not allowed"),
        ({"name": "a:b"}, "the name 'a:b' is not allowed"),
        ({"name": "class"}, "the name 'class' is reserved"),
        ({"asset": 3}, "3 is not a dependency"),
        ({"asset": "a//b"}, "has an empty segment"),
        ({"additional_deps": [orders]}, "additional_deps names the asset that is checked"),
        ({"additional_deps": "report"}, "deps is 'report', not a list"),
        ({"additional_ins": {"nothing": AssetIn("report")}}, "ins names 'nothing', which is no argument of the function"),
        ({"additional_ins": {"orders": AssetIn("staging/orders")}}, "additional_ins names the asset that is checked"),
    ],
    ids=["space", "colon", "keyword", "no asset", "empty segment", "itself", "no list", "no argument", "itself loaded"],
)
def test_what_cannot_be_meant_is_said_with_its_place(options: dict[str, Any], message: str) -> None:
    with pytest.raises(InvalidDefinitionError, match=message) as info:
        declared(**options)

    assert "test_checks.py:" in str(info.value)


def test_all_that_is_wrong_is_said_at_once() -> None:
    with pytest.raises(InvalidDefinitionsError) as info:
        declared(name="not good", additional_ins={"nothing": "report"})

    assert len(info.value.exceptions) == 2


def test_a_function_that_nobody_awaits_is_refused() -> None:
    with pytest.raises(InvalidDefinitionError, match="the function is asynchronous"):

        @asset_check(asset=orders)
        async def check() -> bool:
            return True


def test_a_check_is_of_one_asset() -> None:
    @multi_asset(outs={"a": AssetOut(), "b": AssetOut()})
    def both() -> Any: ...

    with pytest.raises(InvalidDefinitionError, match=r"a check is of one asset, and .* stands for 2"):
        declared(asset=both)


@pytest.mark.parametrize(
    ("specs", "message"),
    [
        ([], "it has no specs"),
        (["unique"], "the check spec 'unique' is not an AssetCheckSpec"),
        ([AssetCheckSpec("a", asset="x")] * 2, "the check 'x:a' is declared twice"),
    ],
    ids=["none", "text", "twice"],
)
def test_faulty_specs_of_several_checks(specs: list[Any], message: str) -> None:
    with pytest.raises(InvalidDefinitionError, match=f"checks 'several': {message}"):

        @multi_asset_check(specs=specs)
        def several() -> Any: ...


def test_the_checks_of_an_asset_itself_are_of_that_asset() -> None:
    other = AssetCheckSpec("a", asset="other")
    message = r"the check 'a' is of 'other', which is not made here \(.*\)\. Made is "
    with pytest.raises(InvalidDefinitionError, match=message + "'one'"):

        @asset(check_specs=[other])
        def one() -> Any: ...

    with pytest.raises(InvalidDefinitionError, match=message + "'x', 'y'"):

        @multi_asset(outs={"x": AssetOut(), "y": AssetOut()}, check_specs=[other])
        def two() -> Any: ...

    @op
    def build() -> int:
        return 1

    with pytest.raises(InvalidDefinitionError, match=message + "'three'"):

        @graph_asset(check_specs=[other])
        def three() -> Any:
            return build()


def faults_of(*checks: Any, assets: Any = (orders, report)) -> str:
    with pytest.raises(InvalidDefinitionError) as info:
        Definitions(assets, asset_checks=checks)
    assert "test_checks.py:" in str(info.value)
    return str(info.value)


def test_checks_of_assets_that_are_not_there() -> None:
    text = faults_of(declared(asset="staging/order"), declared(name="other", additional_deps=["reports"]))

    assert "2 faults in the definitions" in text
    assert "check 'staging/order:check' is of the asset 'staging/order', which is not there" in text
    assert "Did you mean 'staging/orders'?" in text
    assert "check 'staging/orders:other' needs the asset 'reports', which is not there" in text


def test_an_argument_that_stands_for_nothing() -> None:
    @asset_check(asset=orders)
    def check(orders: list[int], reports: int) -> bool:
        return True

    text = faults_of(check)

    assert "check 'staging/orders:check': the argument 'reports' stands for the asset 'reports', which is not there" in text


def test_the_same_check_twice() -> None:
    text = faults_of(declared(), declared())

    assert text.startswith("check 'staging/orders:check' is defined twice: ")
    assert text.count("test_checks.py:") == 2


def test_the_same_object_twice_is_once() -> None:
    check = declared()

    assert len(Definitions([orders, check], asset_checks=[check]).graph.checks) == 1


def test_a_check_of_a_function_and_one_of_the_asset_itself_of_one_name() -> None:
    @asset(check_specs=[AssetCheckSpec("check", asset="own")])
    def own() -> MaterializeResult[int]:
        return MaterializeResult(value=1, check_results=[AssetCheckResult(passed=True)])

    assert "check 'own:check' is defined twice" in faults_of(declared(asset="own"), assets=[own, orders])


def test_a_blocking_check_cannot_need_what_is_made_from_its_asset() -> None:
    text = faults_of(declared(blocking=True, additional_deps=[report]))

    assert "check 'staging/orders:check' runs before its asset is published, and needs what is made after it" in text
    assert Definitions([orders, report], asset_checks=[declared(additional_deps=[report])]).graph.checks


def test_blocking_checks_cannot_need_each_other() -> None:
    @asset
    def one() -> int:
        return 1

    @asset
    def two() -> int:
        return 2

    text = faults_of(
        declared(asset="one", blocking=True, additional_deps=["two"]),
        declared(asset="two", blocking=True, additional_deps=["one"]),
        assets=[one, two, orders],
    )

    assert "needs what is made after it: " in text


def test_checks_that_are_evaluated_together_wait_for_each_other() -> None:
    @multi_asset_check(specs=[AssetCheckSpec("a", asset=orders, blocking=True), AssetCheckSpec("a", asset=report)])
    def several() -> Any: ...

    assert "check 'staging/orders:a' runs before its asset is published" in faults_of(several)


def test_what_is_no_check_is_refused() -> None:
    with pytest.raises(InvalidDefinitionError, match=r"is not an asset .*Decorate the function with @asset"):
        Definitions([orders], asset_checks=[lambda: True])


def test_definitions_are_merged_with_their_checks() -> None:
    check = declared()
    merged = Definitions.merge(Definitions([orders], asset_checks=[check]), Definitions([report, orders], asset_checks=[check]))

    assert [key.to_user_string() for key in merged.graph.checks] == ["staging/orders:check"]
