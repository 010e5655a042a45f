from __future__ import annotations

from typing import Any

import pytest

from warehouse_assets import (
    AssetCheckKey,
    AssetCheckResult,
    AssetCheckSpec,
    AssetKey,
    AssetSelection,
    MaterializeResult,
    asset,
    asset_check,
)
from warehouse_assets.errors import InvalidDefinitionError, InvalidSelectionError
from warehouse_assets.graph.asset_graph import AssetGraph
from warehouse_assets.graph.selection import select_checks, select_executable

pytestmark = pytest.mark.semantics(31, 36)

ODD = AssetKey(["a/b", 'q"u\\ote: x'])


@asset(group_name="staging")
def orders() -> int:
    return 1


@asset(group_name="marts", check_specs=[AssetCheckSpec("own", asset="report")])
def report(orders: int) -> MaterializeResult[int]:
    return MaterializeResult(value=orders, check_results=[AssetCheckResult(passed=True)])


@asset(key=ODD)
def odd() -> int:
    return 1


def check(of: Any, name: str) -> Any:
    return asset_check(asset=of, name=name)(lambda: True)


UNIQUE = check(orders, "unique")
GRAPH = AssetGraph.build([orders, report, odd, UNIQUE, check(report, "some"), check(ODD, "some")])
ALL = {"orders:unique", "report:own", "report:some", f"{ODD.to_user_string()}:some"}

SELECTED: dict[str, tuple[set[str], set[str]]] = {
    "orders": ({"orders"}, {"orders:unique"}),
    "orders+": ({"orders", "report"}, {"orders:unique", "report:own", "report:some"}),
    "roots(orders or report)": ({"orders"}, {"orders:unique"}),
    "checks(*)": (set(), ALL),
    "checks(group:marts)": (set(), {"report:own", "report:some"}),
    'check:"report:some"': (set(), {"report:some"}),
    'check:"orders:unique" or report': ({"report"}, {"orders:unique", "report:own", "report:some"}),
    "without_checks(*)": ({"orders", "report", ODD.to_user_string()}, set()),
    "without_checks(orders) or report": ({"orders", "report"}, {"report:own", "report:some"}),
    'group:marts and not check:"report:own"': ({"report"}, {"report:some"}),
    'group:marts and check:"report:own"': (set(), {"report:own"}),
    "checks(* and not report)": (set(), {"orders:unique", f"{ODD.to_user_string()}:some"}),
}


@pytest.mark.parametrize("text", SELECTED)
def test_what_the_string_form_selects_and_that_it_round_trips(text: str) -> None:
    selection = AssetSelection.from_string(text)

    found = (
        {key.to_user_string() for key in selection.resolve(GRAPH)},
        {key.to_user_string() for key in selection.resolve_checks(GRAPH)},
    )

    assert found == SELECTED[text]
    assert AssetSelection.from_string(str(selection)) == selection


@pytest.mark.parametrize(
    ("selection", "text"),
    [
        (AssetSelection.checks(UNIQUE), 'check:"orders:unique"'),
        (
            AssetSelection.checks("report:some", AssetCheckKey(AssetKey("report"), "own")),
            'check:"report:some" or check:"report:own"',
        ),
        (AssetSelection.checks(), "not *"),
        (AssetSelection.checks_for_assets(orders, "report"), "checks(key:orders or key:report)"),
        (AssetSelection.all_asset_checks(), "checks(*)"),
        (AssetSelection.assets(orders).without_checks(), "without_checks(key:orders)"),
        (AssetSelection.checks(AssetCheckKey(ODD, "some")), r'check:"a\\/b/q\"u\\\\ote: x:some"'),
    ],
    ids=["definition", "keys", "none", "of assets", "all", "without", "odd"],
)
def test_selections_are_objects_too(selection: AssetSelection, text: str) -> None:
    assert str(selection) == text
    assert AssetSelection.from_string(text).resolve_checks(GRAPH) == selection.resolve_checks(GRAPH)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('check:"orders:uniqe"', "there is no check 'orders:uniqe'. Did you mean 'orders:unique'?"),
        ('check:"orders"', "column 7: 'orders' is not the key of a check. Write 'schema/table:check'."),
        ("check:orders:unique", "column 7: the value of 'check' is missing. Write check:\"schema/table:name\"."),
        ("checks(orders", 'column 14: ")" is missing'),
    ],
    ids=["unknown", "no name", "bare", "open"],
)
def test_mistakes(text: str, message: str) -> None:
    with pytest.raises(InvalidSelectionError) as info:
        AssetSelection.from_string(text).resolve_checks(GRAPH)

    assert message in str(info.value)


def test_the_key_of_a_check_is_text_too() -> None:
    key = AssetCheckKey(ODD, "some")

    assert AssetCheckKey.from_escaped_string(key.to_escaped_string()) == key
    assert min([AssetCheckKey("b", "a"), AssetCheckKey("a", "b")]).to_user_string() == "a:b"
    with pytest.raises(InvalidDefinitionError, match="is not the key of a check"):
        AssetCheckKey.from_escaped_string(":a")


def test_what_a_run_makes_and_evaluates() -> None:
    assert select_executable(GRAPH, "checks(*)") == set()
    assert select_checks(GRAPH, None) == set(GRAPH.checks)
    assert select_checks(AssetGraph.build([orders]), "orders") == set()
    with pytest.raises(InvalidSelectionError, match="holds only checks that the functions of their assets evaluate"):
        select_executable(GRAPH, 'check:"report:own"')
    with pytest.raises(InvalidSelectionError, match="holds no asset"):
        select_executable(GRAPH, "not *")
