"""The text of modules, parsed: which piece of it a function, a class or a constant of a running program comes from."""

from __future__ import annotations

import ast
import linecache
import warnings
from collections.abc import Iterator
from types import CodeType, FunctionType
from typing import Any, TypeAlias

__all__ = ["FunctionNode", "Source", "names_of", "nested"]

FunctionNode: TypeAlias = "ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda"

_FUNCTIONS = (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda)
_parsed: dict[str, tuple[list[str], Source | None]] = {}


class Source:
    """One module: its functions by line, its classes by qualified name, and what its top level binds each name to."""

    def __init__(self, text: str, filename: str) -> None:
        tree = ast.parse(text, filename)
        self.functions: dict[int, list[FunctionNode]] = {}
        self.classes: dict[str, list[ast.ClassDef]] = {}
        self.bindings: dict[str, list[ast.stmt]] = {}
        self._codes: dict[int, list[CodeType]] = {}
        self._file(tree)
        self._bind(tree.body)
        for code in nested(compile(tree, filename, "exec", dont_inherit=True)):
            self._codes.setdefault(code.co_firstlineno, []).append(code)

    @classmethod
    def of(cls, filename: str, scope: dict[str, Any]) -> Source | None:
        """The module with this file, whose globals are `scope`; None where there is no text, or no text of Python."""
        linecache.checkcache(filename)
        lines = linecache.getlines(filename, scope)
        known = _parsed.get(filename)
        if known is None or (known[0] is not lines and known[0] != lines):
            known = _parsed[filename] = (lines, cls._read("".join(lines), filename) if lines else None)
        return known[1]

    @classmethod
    def _read(cls, text: str, filename: str) -> Source | None:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # they were given when the module was imported
            try:
                return cls(text, filename)
            except (SyntaxError, ValueError, RecursionError, MemoryError):
                return None

    @classmethod
    def function(cls, fn: FunctionType) -> FunctionNode | None:
        """The declaration of a function; None where there is no text, or one that the function was not compiled from.

        The text may have been edited since the module was imported: then it is not what runs.
        """
        code = fn.__code__
        source = cls.of(code.co_filename, fn.__globals__)
        if source is None or code not in source._codes.get(code.co_firstlineno, ()):
            return None
        nodes = source.functions.get(code.co_firstlineno, ())
        if code.co_name != "<lambda>":
            return next((node for node in nodes if getattr(node, "name", None) == code.co_name), None)
        spans = set(code.co_positions())
        return next((node for node in nodes if isinstance(node, ast.Lambda) and _span(node.body) in spans), None)

    def names_in(self, node: ast.ClassDef) -> set[str]:
        """The names that a class looks up in its module: those of its code, and of what stands around it."""
        around = (*node.bases, *node.decorator_list, *(keyword.value for keyword in node.keywords))
        names = {part.id for expression in around for part in ast.walk(expression) if isinstance(part, ast.Name)}
        line = min((node.lineno, *(decorator.lineno for decorator in node.decorator_list)))
        for code in self._codes.get(line, ()):
            if code.co_name == node.name:
                names |= names_of(code)
        return names

    def _file(self, tree: ast.Module) -> None:
        pending: list[tuple[ast.AST, str]] = [(tree, "")]
        while pending:
            node, prefix = pending.pop()
            if isinstance(node, _FUNCTIONS):
                decorators = getattr(node, "decorator_list", ())
                line = min((node.lineno, *(decorator.lineno for decorator in decorators)))
                self.functions.setdefault(line, []).append(node)
                prefix += f"{getattr(node, 'name', '<lambda>')}.<locals>."
            elif isinstance(node, ast.ClassDef):
                self.classes.setdefault(prefix + node.name, []).append(node)
                prefix += f"{node.name}."
            pending += ((child, prefix) for child in ast.iter_child_nodes(node))

    def _bind(self, statements: list[ast.stmt]) -> None:
        pending = statements[::-1]
        while pending:
            statement = pending.pop()
            match statement:
                case ast.Assign(targets=targets):
                    names = [node.id for target in targets for node in ast.walk(target) if isinstance(node, ast.Name)]
                case ast.AnnAssign(target=ast.Name(id=name)) | ast.AugAssign(target=ast.Name(id=name)):
                    names = [name]
                case ast.ImportFrom(names=aliases):
                    names = [alias.asname or alias.name for alias in aliases]
                case _:
                    names = []
            for name in names:
                self.bindings.setdefault(name, []).append(statement)
            for block in ("finalbody", "orelse", "handlers", "body"):
                if not isinstance(statement, (*_FUNCTIONS, ast.ClassDef)):
                    pending += getattr(statement, block, [])[::-1]


def names_of(code: CodeType) -> set[str]:
    """The names of globals and attributes in compiled code, and in the code inside of it."""
    return {name for one in nested(code) for name in one.co_names}


def nested(code: CodeType) -> Iterator[CodeType]:
    """Compiled code, and the code inside of it."""
    pending = [code]
    while pending:
        code = pending.pop()
        yield code
        pending += (constant for constant in code.co_consts if isinstance(constant, CodeType))


def _span(node: ast.expr) -> tuple[int | None, ...]:
    return node.lineno, node.end_lineno, node.col_offset, node.end_col_offset
