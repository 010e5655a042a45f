"""Every numbered behaviour that is built so far has a test that says so by `@pytest.mark.semantics(number)`."""

from __future__ import annotations

import ast
from pathlib import Path

BUILT = {*range(1, 32), *range(34, 46)}


def numbers(file: Path) -> set[int]:
    """The numbers that the tests of a file show, on their functions, classes, parameters or the module."""
    return {
        argument.value
        for node in ast.walk(ast.parse(file.read_text()))
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr == "semantics"
        for argument in node.args
        if isinstance(argument, ast.Constant) and isinstance(argument.value, int)
    }


def test_every_behaviour_that_is_built_has_a_test() -> None:
    folders = (Path(__file__).parent, Path(__file__).parents[1] / "warehouse_assets" / "testing")
    shown = {number for folder in folders for file in folder.rglob("*.py") for number in numbers(file)}

    assert shown & BUILT == BUILT
