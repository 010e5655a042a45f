"""Which functions can be asked for what they would return, without rows and without effects that anybody would miss."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Mapping
from typing import Any

from warehouse_assets.definitions.assets import AssetsDefinition
from warehouse_assets.errors import InvalidDefinitionError
from warehouse_assets.sql.value import SQL
from warehouse_assets.tables import Table

__all__ = ["answer_of", "why_not_asked"]


def why_not_asked(definition: AssetsDefinition) -> str | None:
    """Why the function of a definition is not called before a run; None where its annotations say that it only describes a table.

    That is one which takes LazyFrames and `Table`s, and nothing else, and returns a LazyFrame or SQL.
    """
    function = definition.function
    if definition.graph is not None:
        return "a graph of ops makes it"
    if len(definition.outputs) != 1:
        return "its function makes several assets"
    if function.returns_nothing:
        return "its function stores it by itself"
    try:
        returned = function.annotation("return")
        others = [parameter for parameter in function.parameters if parameter.role != "input"]
        taken = {parameter.name: function.annotation(parameter.name) for parameter in function.inputs}
    except InvalidDefinitionError as error:
        return error.message
    if not (returned is SQL or _is_lazy_frame(returned)):
        return "its function is not annotated to return a LazyFrame or SQL"
    if others:
        return (
            f"its function takes {'a context' if others[0].role == 'context' else f'the {others[0].role} {others[0].name!r}'}"
        )
    if function.takes_any_keyword:
        return "its function takes any argument"
    for name, annotation in taken.items():
        if not (annotation is Table or _is_lazy_frame(annotation)):
            return f"its argument {name!r} is not annotated as a LazyFrame or a Table"
    return None


def _is_lazy_frame(annotation: Any) -> bool:
    if not isinstance(annotation, type):
        return False
    return annotation.__name__ == "LazyFrame" and annotation.__module__.partition(".")[0] == "polars"


def answer_of(definition: AssetsDefinition, arguments: Mapping[str, Any]) -> Any:
    """What the function returns. What it prints goes to the standard error, so that it stays out of what programs read."""
    function = definition.function
    named = dict(arguments)
    positional = [named.pop(name) for name in function.positional_only]
    with contextlib.redirect_stdout(sys.stderr):
        return function.fn(*positional, **named)
