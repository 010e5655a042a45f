from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from warehouse_assets import (
    AssetExecutionContext,
    AssetIn,
    AssetOut,
    AssetSpec,
    Instance,
    MaterializeResult,
    Output,
    asset,
    materialize,
    multi_asset,
)
from warehouse_assets.errors import InvalidInvocationError, InvalidOutputError, InvalidSelectionError

TWO = {"a": AssetOut("x"), "b": AssetOut("x")}
OPTIONAL = {name: AssetOut("x", is_required=False) for name in "abc"}


def values(store: Any) -> dict[str, Any]:
    return {key.to_user_string(): value for key, value in store.values.items()}


@pytest.mark.semantics(15)
def test_its_assets_are_stored_and_loaded_like_others(executor: Any, store: Any) -> None:
    @asset
    def orders() -> list[int]:
        return [1, -1, 2]

    @multi_asset(outs=TWO)
    def parts(orders: list[int]) -> tuple[list[int], list[int]]:
        return [n for n in orders if n > 0], [n for n in orders if n <= 0]

    @asset(ins={"good": AssetIn("x/a"), "bad": AssetIn("x/b")})
    def counts(good: list[int], bad: list[int]) -> tuple[int, int]:
        return len(good), len(bad)

    result = materialize([counts, parts, orders], resources={"io_manager": store}, executor=executor)

    assert result.asset_value("counts") == (2, 1)
    assert result.steps() == ["orders", "parts", "counts"]


@pytest.mark.semantics(15)
def test_each_goes_to_its_own_manager_with_what_is_said_of_it(new_manager: Any, instance: Instance) -> None:
    lake, house = new_manager(), new_manager()
    outs = {"a": AssetOut("x", io_manager_key="lake", metadata={"m": 1}), "b": AssetOut(code_version="7")}

    @multi_asset(outs=outs)
    def parts(context: AssetExecutionContext) -> Iterator[Output[int]]:
        context.add_output_metadata({"by": "context"}, output_name="a")
        yield Output(1, "a", metadata={"rows": 1})
        yield Output(2, "b", data_version="v2")

    materialize([parts], resources={"lake": lake, "io_manager": house}, instance=instance)

    assert (values(lake), values(house), lake.outputs[0].definition_metadata) == ({"x/a": 1}, {"b": 2}, {"m": 1})
    a, b = (instance.get_latest_materialization_event(key).asset_materialization for key in ("x/a", "b"))
    assert {name: value.value for name, value in a.metadata.items()} == {"rows": 1, "by": "context"}
    assert sorted(b.tags.values()) == ["7", "v2"]


@pytest.mark.semantics(15)
def test_a_tuple_has_the_order_of_the_outs_whatever_depends_on_what(store: Any) -> None:
    @multi_asset(outs=TWO, internal_asset_deps={"a": ["x/b"]})
    def parts() -> tuple[str, str]:
        return "first", "second"

    materialize([parts], resources={"io_manager": store})

    assert (values(store), store.stored) == ({"x/a": "first", "x/b": "second"}, ["x/b", "x/a"])


@pytest.mark.semantics(15, 22)
@pytest.mark.parametrize(
    "given",
    [
        lambda: (Output(1), Output(2)),
        lambda: (MaterializeResult(value=1), MaterializeResult(value=2)),
        lambda: (Output(2, "b"), Output(1, "a")),
        lambda: [1, 2],
    ],
    ids=["unnamed", "results", "named", "list"],
)
def test_what_a_tuple_holds_is_of_its_place_unless_it_says_otherwise(given: Callable[[], Any], store: Any) -> None:
    materialize([multi_asset(outs=TWO, name="parts")(given)], resources={"io_manager": store})

    assert values(store) == {"x/a": 1, "x/b": 2}


@pytest.mark.semantics(15)
@pytest.mark.parametrize(
    "given",
    [lambda: 1, lambda: Output(1), lambda: iter_of(Output(1)), lambda: Output(1, "only")],
    ids=["value", "output", "yielded", "named"],
)
def test_one_out_needs_no_name(given: Callable[[], Any], store: Any) -> None:
    materialize([multi_asset(outs={"only": AssetOut()}, name="one")(given)], resources={"io_manager": store})

    assert values(store) == {"only": 1}


def iter_of(*items: Any) -> Iterator[Any]:
    yield from items


@pytest.mark.semantics(15)
def test_with_specs_the_function_stores_and_says_what_it_made(store: Any) -> None:
    @multi_asset(specs=[AssetSpec("a"), AssetSpec("b", deps=["a"])])
    def tables() -> Iterator[MaterializeResult[Any]]:
        yield MaterializeResult(asset_key="a", metadata={"rows": 1})
        yield MaterializeResult(asset_key="b")

    result = materialize([tables], resources={"io_manager": store})

    assert [event.asset_key.to_user_string() for event in result.get_asset_materialization_events()] == ["a", "b"]
    assert store.stored == []


@pytest.mark.semantics(15)
def test_with_specs_a_function_that_returns_nothing_made_them_all(store: Any) -> None:
    @multi_asset(specs=[AssetSpec("a"), AssetSpec("b")])
    def tables() -> None:
        pass

    result = materialize([tables], resources={"io_manager": store})

    assert (len(result.get_asset_materialization_events()), result.asset_value("a")) == (2, None)


@pytest.mark.semantics(15)
def test_with_specs_a_value_that_is_given_is_stored(store: Any) -> None:
    @multi_asset(specs=[AssetSpec("a"), AssetSpec("b", io_manager_key="io_manager")])
    def tables() -> Any:
        return MaterializeResult(value=1), 2

    result = materialize([tables], resources={"io_manager": store})

    assert (result.asset_value("a"), result.asset_value("b")) == (1, 2)


@pytest.mark.semantics(16)
@pytest.mark.parametrize("selection", ["x/a", "x/c", 'key:"x/*"', "x/b or x/a"])
def test_a_subset_runs_what_is_selected(selection: str, executor: Any, store: Any) -> None:
    asked = []

    @multi_asset(outs=OPTIONAL, can_subset=True)
    def parts(context: AssetExecutionContext) -> Iterator[Output[str]]:
        asked.append({context.asset_key_for_output(name) for name in context.selected_output_names})
        for name in sorted(context.selected_output_names):
            yield Output(name, name)

    result = materialize([parts], selection=selection, resources={"io_manager": store}, executor=executor)

    assert set(store.values) == {event.asset_key for event in result.get_asset_materialization_events()} == asked[0]


@pytest.mark.semantics(16)
def test_the_context_says_which_assets_are_selected(store: Any) -> None:
    seen = []

    @multi_asset(specs=[AssetSpec("a"), AssetSpec("b")], can_subset=True)
    def tables(context: AssetExecutionContext) -> Iterator[MaterializeResult[Any]]:
        seen.append({key.to_user_string() for key in context.selected_asset_keys})
        yield MaterializeResult()

    materialize([tables], selection="b", resources={"io_manager": store})

    assert seen == [{"b"}]


@pytest.mark.semantics(16)
def test_a_partial_selection_of_what_runs_as_a_whole_is_an_error(store: Any) -> None:
    parts = multi_asset(outs=TWO, name="parts")(lambda: (1, 2))

    with pytest.raises(InvalidSelectionError, match="'parts' makes all its assets or none, and the selection lacks x/b"):
        materialize([parts], selection="x/a", resources={"io_manager": store})


@pytest.mark.semantics(16)
@pytest.mark.parametrize(
    ("given", "selection", "message"),
    [
        (lambda: iter_of(Output(1, "a"), Output(2, "b")), "x/a", "gave 'x/b', which is not selected"),
        (lambda: iter_of(MaterializeResult(asset_key="x/b")), "x/a", "gave 'x/b', which is not selected"),
        (lambda: iter_of(Output(2, "b"), Output(1, "a")), None, "gave 'x/b' before 'x/a', which it depends on"),
        (lambda: iter_of(Output(2, "b")), None, "gave 'x/b' before 'x/a', which it depends on"),
        (lambda: iter_of(Output(2, "z")), None, "has no output 'z'; it has \\['a', 'b', 'c'\\]"),
        (lambda: iter_of(Output(2)), None, "has no output 'result'"),
        (lambda: iter_of(Output(1, "a"), Output(1, "a")), None, "gave 'x/a' twice"),
        (lambda: 1, None, "has 3 outputs, and one value was returned"),
        (lambda: 1, "x/a", "has 3 outputs, 1 of them selected, and one value was returned"),
        (lambda: (1, 2), None, "has 3 outputs, and a tuple of 2 was returned"),
        (lambda: iter_of(3), None, "yields a value of type int. Yield Output\\(value\\)"),
    ],
    ids=[
        "unselected",
        "unselected result",
        "too early",
        "too early for ever",
        "unknown",
        "unnamed",
        "twice",
        "one value",
        "one value of a subset",
        "two values",
        "plain",
    ],
)
def test_what_a_function_may_not_give(given: Callable[[], Any], selection: str | None, message: str, store: Any) -> None:
    parts = multi_asset(outs=OPTIONAL, can_subset=True, internal_asset_deps={"b": ["x/a"]}, name="parts")(given)

    with pytest.raises(InvalidOutputError, match=message):
        materialize([parts], selection=selection, resources={"io_manager": store})


@pytest.mark.semantics(16)
def test_a_dependency_that_is_not_selected_is_not_waited_for(store: Any) -> None:
    parts = multi_asset(outs=OPTIONAL, can_subset=True, internal_asset_deps={"b": ["x/a"]}, name="parts")(
        lambda: iter_of(Output(2, "b"))
    )

    materialize([parts], selection="x/b", resources={"io_manager": store})

    assert values(store) == {"x/b": 2}


@pytest.mark.semantics(16)
def test_a_required_out_that_is_missing_is_an_error(store: Any) -> None:
    parts = multi_asset(outs=TWO, name="parts")(lambda: iter_of(Output(1, "a")))

    with pytest.raises(InvalidOutputError, match="gave no value for x/b"):
        materialize([parts], resources={"io_manager": store})


@pytest.mark.semantics(16, 22)
def test_what_depends_on_an_out_that_was_left_out_is_skipped_and_nothing_else(executor: Any, store: Any) -> None:
    parts = multi_asset(outs=OPTIONAL, name="parts")(lambda: iter_of(Output(1, "a"), Output(3, "c")))
    of_a = asset(name="of_a", deps=["x/a"])(lambda: 1)
    of_b = asset(name="of_b", deps=["x/b"])(lambda: 2)
    of_both = asset(name="of_both", deps=["of_a", "of_b"])(lambda: 3)

    result = materialize([parts, of_a, of_b, of_both], resources={"io_manager": store}, executor=executor)

    ends = {event.step_key: event.message for event in result.events if event.event_type == "STEP_SUCCESS"}
    skips = {event.step_key: event.message for event in result.events if event.event_type == "STEP_SKIPPED"}
    assert ends == {"parts": "no output for x/b", "of_a": None}
    assert skips == dict.fromkeys(["of_b", "of_both"], "skipped: parts made no x/b")


@pytest.mark.semantics(15)
def test_a_context_names_the_outs_there_are(store: Any) -> None:
    @multi_asset(outs=TWO)
    def parts(context: AssetExecutionContext) -> Any:
        return context.asset_key_for_output("z")

    with pytest.raises(InvalidInvocationError, match="'parts' has no output 'z'; it has \\['a', 'b'\\]"):
        materialize([parts], resources={"io_manager": store})
