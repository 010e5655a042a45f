"""Definitions of several assets, built by hand: what runs them is there, the decorators that declare them come later."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from warehouse_assets import AssetKey, AssetsDefinition, AssetSpec, MaterializeResult, Output, asset, materialize
from warehouse_assets.definitions.assets import AssetOutput
from warehouse_assets.definitions.functions import UserFunction
from warehouse_assets.errors import InvalidDefinitionError, InvalidOutputError, InvalidSelectionError


def several(fn: Callable[..., Any], *names: str, can_subset: bool = False, **options: Any) -> AssetsDefinition:
    outputs = {name: AssetOutput(name, AssetSpec(["x", name]), **options) for name in names}
    return AssetsDefinition(function=UserFunction(fn), outputs=outputs, node_name="several", can_subset=can_subset)


def values(store: Any) -> dict[str, Any]:
    return {key.to_user_string(): value for key, value in store.values.items()}


@pytest.mark.parametrize(
    "given",
    [
        lambda: (1, 2),
        lambda: [Output(2, "b"), Output(1, "a")],
        lambda: (MaterializeResult(asset_key="x/a", value=1), 2),
        lambda: iter_of(Output(1, "a"), MaterializeResult(asset_key="x/b", value=2)),
    ],
    ids=["values", "outputs", "mixed", "yielded"],
)
def test_several_assets_are_stored(given: Any, store: Any) -> None:
    result = materialize([several(given, "a", "b")], resources={"io_manager": store})

    assert values(store) == {"x/a": 1, "x/b": 2}
    assert (result.output_for_node("several", "b"), result.steps()) == (2, ["several"])


def iter_of(*items: Any) -> Any:
    yield from items


def test_they_have_keys_and_no_single_one() -> None:
    declared = several(lambda: None, "a", "b")

    assert (declared.keys, len(declared.specs)) == ({AssetKey(["x", "a"]), AssetKey(["x", "b"])}, 2)
    with pytest.raises(InvalidDefinitionError, match="'several' has 2 keys, not one"):
        declared.key  # noqa: B018


@pytest.mark.parametrize(
    ("given", "message"),
    [
        (lambda: 1, "has 2 outputs, and one value was returned"),
        (lambda: (1, 2, 3), "has 2 outputs, and a tuple of 3 was returned"),
        (lambda: iter_of(Output(1, "a")), "gave no value for x/b"),
        (lambda: iter_of(MaterializeResult(value=1)), "makes several assets, and a result does not say which it is of"),
    ],
    ids=["one", "three", "missing", "unnamed"],
)
def test_what_does_not_fit_the_outputs_is_an_error(given: Any, message: str, store: Any) -> None:
    with pytest.raises(InvalidOutputError, match=message):
        materialize([several(given, "a", "b")], resources={"io_manager": store})


def test_a_partial_selection_is_an_error_unless_it_is_allowed(store: Any) -> None:
    with pytest.raises(InvalidSelectionError, match="'several' makes all its assets or none, and the selection lacks x/b"):
        materialize([several(lambda: (1, 2), "a", "b")], selection="x/a", resources={"io_manager": store})


def test_a_subset_makes_what_is_selected(store: Any) -> None:
    def fn(context) -> Any:
        for name in context.selected_output_names:
            yield Output(name, name)

    result = materialize([several(fn, "a", "b", can_subset=True)], selection="x/b", resources={"io_manager": store})

    assert (values(store), result.steps()) == ({"x/b": "b"}, ["several"])


def test_what_is_not_selected_may_not_be_yielded(store: Any) -> None:
    declared = several(lambda: iter_of(Output(1, "a"), Output(2, "b")), "a", "b", can_subset=True)

    with pytest.raises(InvalidOutputError, match="gave 'x/b', which is not selected"):
        materialize([declared], selection="x/a", resources={"io_manager": store})


def test_definitions_that_need_each_other_are_an_error(store: Any) -> None:
    outputs = {
        "a": AssetOutput("a", AssetSpec(["x", "a"]), internal_deps=frozenset()),
        "c": AssetOutput("c", AssetSpec(["x", "c"], deps=["b"]), internal_deps=frozenset()),
    }
    first = AssetsDefinition(function=UserFunction(lambda: (1, 2)), outputs=outputs, node_name="first")
    second = asset(name="b", deps=["x/a"])(lambda: 1)

    with pytest.raises(InvalidDefinitionError, match="need each other: "):
        materialize([first, second], resources={"io_manager": store})
