from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from warehouse_assets import (
    AssetExecutionContext,
    AssetKey,
    AssetOut,
    AssetSpec,
    Config,
    MaterializeResult,
    Output,
    SourceAsset,
    asset,
    materialize,
    multi_asset,
)
from warehouse_assets.errors import InvalidDefinitionError, InvalidSelectionError
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


def parts_around(*, can_subset: bool = True) -> list[Any]:
    """A definition of `a` and `c`, with `b` between them."""

    @multi_asset(
        outs={"a": AssetOut(is_required=False), "c": AssetOut(is_required=False)},
        internal_asset_deps={"a": [], "c": ["b"]},
        deps=["b"],
        can_subset=can_subset,
    )
    def around(context: AssetExecutionContext) -> Iterator[Output[str]]:
        for name in sorted(context.selected_output_names):
            yield Output(f"{name} of {len(context.selected_output_names)}", name)

    return [around, asset(name="b", deps=["a"])(lambda: "b")]


@pytest.mark.semantics(16)
def test_a_definition_runs_in_parts_where_another_stands_between_its_assets() -> None:
    graph = AssetGraph.build(parts_around())

    steps = Plan.build(graph, graph.executable_keys).steps

    assert [(step.key, step.upstream, step.downstream) for step in steps] == [
        ("around", (), [1]),
        ("b", (0,), [2]),
        ("around 2", (1,), []),
    ]


@pytest.mark.semantics(16)
def test_each_part_makes_its_own_assets_and_all_are_found_in_the_result(store: Any) -> None:
    result = materialize(parts_around(), resources={"io_manager": store})

    assert store.stored == ["a", "b", "c"]
    assert result.output_for_node("around", "c") == "c of 1"
    assert [made.asset_key.path[0] for made in result.asset_materializations_for_node("around")] == ["a", "c"]
    assert [made.asset_key.path[0] for made in result.asset_materializations_for_node("around 2")] == ["c"]


def test_all_parts_have_the_same_configuration() -> None:
    seen = []

    class Size(Config):
        rows: int

    @multi_asset(specs=[AssetSpec("a"), AssetSpec("c", deps=["b"])], can_subset=True)
    def around(context: AssetExecutionContext, config: Size) -> Any:
        seen.append(config.rows)
        return MaterializeResult(asset_key=next(iter(context.selected_asset_keys)))

    materialize([around, made("b", "a")], run_config={"ops": {"a": {"config": {"rows": 3}}}})

    assert seen == [3, 3]


def test_what_a_part_leaves_out_stops_the_next_part(store: Any) -> None:
    @multi_asset(
        outs={"a": AssetOut(is_required=False), "c": AssetOut(is_required=False)},
        internal_asset_deps={"a": [], "c": ["b"]},
        deps=["b"],
        can_subset=True,
    )
    def around() -> Iterator[Output[int]]:
        yield from ()

    result = materialize([around, made("b", "a")], resources={"io_manager": store})

    assert (result.steps("no_output"), result.steps("skipped")) == (["around"], ["b", "around 2"])


def test_only_what_is_in_the_circle_is_taken_apart() -> None:
    beside = multi_asset(specs=[AssetSpec("x"), AssetSpec("y", deps=["c"])], can_subset=True, name="beside")(lambda: None)
    graph = AssetGraph.build([beside, *parts_around()])

    assert [step.key for step in Plan.build(graph, graph.executable_keys).steps] == ["around", "b", "around 2", "beside"]


def test_two_definitions_in_each_other_run_in_as_few_parts_as_they_can() -> None:
    first = multi_asset(specs=[AssetSpec("a1"), AssetSpec("a2", deps=["b2"])], can_subset=True, name="first")(lambda: None)
    second = multi_asset(specs=[AssetSpec("b1", deps=["a1"]), AssetSpec("b2")], can_subset=True, name="second")(lambda: None)
    graph = AssetGraph.build([first, second])

    steps = Plan.build(graph, graph.executable_keys).steps

    assert len(steps) == 3
    assert {key.to_user_string() for step in steps for key in step.asset_keys} == {"a1", "a2", "b1", "b2"}


def test_an_argument_that_comes_later_needs_a_default(store: Any) -> None:
    outs = {"a": AssetOut(is_required=False), "c": AssetOut(is_required=False)}

    def declared(fn: Any) -> Any:
        return multi_asset(outs=outs, internal_asset_deps={"a": [], "c": ["b"]}, can_subset=True, name="around")(fn)

    def with_default(context: AssetExecutionContext, b: int | None = None) -> Iterator[Output[Any]]:
        for name in context.selected_output_names:
            yield Output((name, b), name)

    between = asset(name="b")(lambda a: 2)

    materialize([declared(with_default), between], resources={"io_manager": store})

    assert [store.values[AssetKey(name)] for name in "ac"] == [("a", None), ("c", 2)]
    with pytest.raises(
        InvalidDefinitionError, match=r"before its argument 'b' is made .*test_plan\.py:\d+\). Give the argument a"
    ):
        materialize([declared(lambda context, b: None), between], resources={"io_manager": store})


def test_definitions_that_need_each_other_as_a_whole_are_an_error() -> None:
    with pytest.raises(InvalidDefinitionError, match=r"need each other: .*can_subset=True"):
        materialize(parts_around(can_subset=False))
