from __future__ import annotations

from typing import Any

import pytest

from warehouse_assets import AssetKey, SourceAsset, asset
from warehouse_assets.errors import InvalidSelectionError
from warehouse_assets.execution.plan import Plan
from warehouse_assets.graph.asset_graph import AssetGraph


def made(key: Any, *deps: str) -> Any:
    return asset(key=key, deps=deps)(lambda: None)


def test_a_plan_holds_what_is_selected_and_its_order() -> None:
    graph = AssetGraph.build([made("c", "b"), made("b", "a"), made("a", "source"), SourceAsset("source"), made("d", "c")])

    plan = Plan.build(graph, {AssetKey("d"), AssetKey("b"), AssetKey("a")})

    assert [(step.key, step.upstream, step.downstream) for step in plan.steps if step.key != "d"] == [
        ("a", (), [plan.steps[[step.key for step in plan.steps].index("b")].index]),
        ("b", (0,), []),
    ]
    assert {key.to_user_string() for key in plan.asset_keys} == {"a", "b", "d"}


def test_steps_are_named_by_their_escaped_keys() -> None:
    graph = AssetGraph.build([made(AssetKey(["a/b", "c"])), made("a/b/c")])

    assert {step.key for step in Plan.build(graph, graph.executable_keys).steps} == {"a\\/b/c", "a/b/c"}


@pytest.mark.semantics(14)
def test_a_source_cannot_be_planned() -> None:
    graph = AssetGraph.build([SourceAsset("a")])

    with pytest.raises(InvalidSelectionError, match="'a' is filled by something else"):
        Plan.build(graph, {AssetKey("a")})
