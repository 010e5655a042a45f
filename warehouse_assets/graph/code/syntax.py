"""Syntax trees as text in which only what code does is left: no comments, docstrings, formatting or types of variables.

The text is our own, since that of `ast.dump` changes from one version of Python to the next.
"""

from __future__ import annotations

import ast
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any, TypeAlias

__all__ = ["Chain", "Syntax", "chain_of", "normalized"]

Chain: TypeAlias = tuple[str, ...]  # `a.b.c` as its parts

_LEFT_OUT = frozenset({"ctx", "kind", "type_comment", "type_params", "type_ignores"})
_BLOCKS = frozenset({"body", "orelse", "finalbody"})
_FUNCTIONS = (ast.FunctionDef, ast.AsyncFunctionDef)


@dataclass(slots=True)
class Syntax:
    """Normalized code: its text, the names it reads, each with what is asked of it, and what it imports itself.

    `imports` has, by the name that is bound, a module with the dots before it, and the name taken from there, if one is.
    """

    text: str = ""
    names: dict[str, set[Chain]] = field(default_factory=dict)
    imports: dict[str, tuple[str, str | None]] = field(default_factory=dict)


def normalized(
    root: ast.AST,
    *,
    keeps_decorator: Callable[[ast.expr], bool] = lambda decorator: True,
    replaced: Callable[[ast.Call], str | None] = lambda call: None,
) -> Syntax:
    """The code under `root`, without the defaults of its own parameters if it is a function: those are values.

    `replaced` may give other text for the first argument of a call.
    """
    return _Writer(root, keeps_decorator, replaced).write()


def chain_of(node: ast.AST) -> Chain | None:
    """The parts of `a.b.c`; None for what is no name with attributes."""
    parts: list[str] = []
    while isinstance(node, ast.Attribute):
        parts.append(node.attr)
        node = node.value
    return (node.id, *reversed(parts)) if isinstance(node, ast.Name) else None


class _Writer:
    """Writes one tree; with a stack of its own, since a sum of a thousand terms is nested a thousand deep."""

    def __init__(
        self, root: ast.AST, keeps_decorator: Callable[[ast.expr], bool], replaced: Callable[[ast.Call], str | None]
    ) -> None:
        self.root = root
        self.keeps_decorator = keeps_decorator
        self.replaced = replaced
        self.syntax = Syntax()
        self.pending: list[tuple[Any, bool]] = [(root, False)]  # what is to be written, and whether right in a class

    def write(self) -> Syntax:
        written: list[str] = []
        while self.pending:
            item, in_class = self.pending.pop()
            if isinstance(item, str):
                written.append(item)
            else:
                self.pending += self._pieces(item, in_class)[::-1]
        self.syntax.text = "".join(written)
        return self.syntax

    def _pieces(self, node: ast.AST, in_class: bool) -> list[tuple[Any, bool]]:
        """A node as text, with the nodes inside of it still to be written."""
        self._note(node)
        if isinstance(node, ast.AnnAssign) and not in_class:
            if node.value is None:
                return []
            node = ast.Assign([node.target], node.value)
        inside = isinstance(node, ast.ClassDef) or (in_class and not isinstance(node, (*_FUNCTIONS, ast.Lambda)))
        pieces: list[tuple[Any, bool]] = []
        text = f"{type(node).__name__}("
        for name, value in self._fields(node):
            text += f"{name}=[" if isinstance(value, list) else f"{name}="
            for item in value if isinstance(value, list) else (value,):
                if isinstance(item, ast.AST) and item._fields:
                    pieces += ((text, False), (item, inside))
                    text = ","
                else:
                    text += f"{_leaf(item)},"
            text += "];" if isinstance(value, list) else ";"
        pieces.append((f"{text})", False))
        return pieces

    def _fields(self, node: ast.AST) -> Iterator[tuple[str, Any]]:
        for name, value in ast.iter_fields(node):
            if name in _LEFT_OUT or (value is None and not isinstance(node, ast.Constant)) or value == []:
                continue
            if isinstance(node, (*_FUNCTIONS, ast.arg)) and name in ("returns", "annotation"):
                continue
            if isinstance(node, ast.Constant):
                yield name, _Text(f"{type(value).__name__} {value!r}")
            elif name in _BLOCKS and isinstance(value, list):
                yield name, [statement for statement in value if not _does_nothing(statement)]
            elif name == "decorator_list":
                yield name, [decorator for decorator in value if self.keeps_decorator(decorator)]
            elif isinstance(node, ast.Call) and name == "args" and (text := self.replaced(node)) is not None:
                yield name, [_Text(text), *value[1:]]
            elif isinstance(node, ast.arguments) and node is getattr(self.root, "args", None) and "defaults" in name:
                continue
            else:
                yield name, value

    def _note(self, node: ast.AST) -> None:
        if isinstance(node, ast.Attribute) and (chain := chain_of(node)):
            self.syntax.names.setdefault(chain[0], set()).add(chain[1:])
        elif isinstance(node, ast.Name) and isinstance(node.ctx, ast.Load):
            self.syntax.names.setdefault(node.id, set())
        elif isinstance(node, ast.Import):
            for alias in node.names:
                bound = alias.asname or alias.name.partition(".")[0]
                self.syntax.imports[bound] = (alias.name if alias.asname else bound, None)
        elif isinstance(node, ast.ImportFrom):
            for alias in node.names:
                self.syntax.imports[alias.asname or alias.name] = ("." * node.level + (node.module or ""), alias.name)


class _Text(str):
    """Text that is written as it is."""

    __slots__ = ()


def _leaf(value: Any) -> str:
    if isinstance(value, ast.AST):
        return type(value).__name__  # an operator
    return value if isinstance(value, _Text) else repr(value)


def _does_nothing(statement: ast.stmt) -> bool:
    """Whether it is a docstring, another constant, `...` or `pass`."""
    return isinstance(statement, ast.Pass) or (isinstance(statement, ast.Expr) and isinstance(statement.value, ast.Constant))
