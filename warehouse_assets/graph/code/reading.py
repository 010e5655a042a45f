"""What a function, and all that it uses of the same project, is made of: as text, piece by piece.

Code is a project's own unless it belongs to Python, to an installed distribution, or to this package: such code counts by its name.
"""

from __future__ import annotations

import ast
import builtins
import dataclasses
import datetime as dt
import decimal
import enum
import fractions
import functools
import importlib.util
import pathlib
import re
import sys
import uuid
from collections.abc import Callable, Iterable, Mapping
from types import BuiltinFunctionType, CodeType, FunctionType, MethodType, ModuleType
from typing import Any, NamedTuple

from warehouse_assets.definitions.assets import AssetsDefinition
from warehouse_assets.definitions.graphs import GraphDefinition
from warehouse_assets.definitions.ops import OpDefinition
from warehouse_assets.graph.code.source import Source, names_of, nested
from warehouse_assets.graph.code.syntax import Chain, Syntax, chain_of, normalized
from warehouse_assets.sql.value import SQL

__all__ = ["Piece", "Reader"]

_SCALARS = (type(None), bool, int, float, complex, str, bytes, type(Ellipsis), type(NotImplemented))
_TOLD_BY_REPR = (
    decimal.Decimal,
    dt.date,
    dt.time,
    dt.timedelta,
    dt.tzinfo,
    fractions.Fraction,
    pathlib.PurePath,
    range,
    re.Pattern,
    slice,
    uuid.UUID,
)
_INSTALLED = {"site-packages", "dist-packages"}
_THIS = {"warehouse_assets", "io_managers"}
_MISSING = object()


class Piece(NamedTuple):
    """Something that counts: its text, in which a NUL stands for each of the further pieces that it uses."""

    text: str
    uses: tuple[Any, ...]


class _Global(NamedTuple):
    """A name at the top level of a module, bound to what is neither code nor a plain value."""

    module: str
    name: str


class Reader:
    """Describes objects by what their code says and does; each is looked at once."""

    def __init__(self, root: str) -> None:
        self._root = root  # the package of the assets, which is the project's own also where it is installed
        self._pieces: dict[Any, tuple[Any, Piece]] = {}
        self._own: dict[str, bool] = {}

    def piece(self, value: Any) -> Piece:
        """The piece that a value is."""
        key = value if isinstance(value, _Global) else id(value)
        if key not in self._pieces:
            text = _Text(self)
            self._describe(value, text)
            self._pieces[key] = value, Piece("".join(text.parts), tuple(text.uses))  # the value is kept, and its id with it
        return self._pieces[key][1]

    def is_own(self, module_name: str) -> bool:
        """Whether the code of a module counts."""
        if module_name not in self._own:
            self._own[module_name] = self._is_own(module_name)
        return self._own[module_name]

    def _is_own(self, module_name: str) -> bool:
        top = module_name.partition(".")[0]
        if (top in sys.stdlib_module_names and top != "__main__") or (top in _THIS and top != self._root):
            return False
        if top == self._root:
            return True
        module = sys.modules.get(module_name)
        file = getattr(module, "__file__", None)
        if module is None:
            try:
                spec = importlib.util.find_spec(module_name)
            except (ImportError, ValueError, AttributeError):
                return False
            file = spec.origin if spec is not None else None
            if file is None:
                return False
        return file is None or not _INSTALLED & {*pathlib.Path(file).parts}

    def _describe(self, value: Any, text: _Text) -> None:
        if isinstance(value, _Global):
            self._global(value, text)
        elif isinstance(value, FunctionType):
            self._function(value, text)
        elif isinstance(value, type):
            self._class(value, text)
        elif isinstance(value, (AssetsDefinition, OpDefinition, GraphDefinition)):
            sql = getattr(value, "sql", None)
            text.put("definition", value.function.fn if sql is None else sql)
        elif isinstance(value, MethodType):
            text.put("method", value.__func__, value.__self__)
        elif isinstance(value, functools.partial):
            text.put("partial", value.func, value.args, value.keywords)
        elif isinstance(value, enum.Enum):
            text.put(f"member {value.name}", type(value), value.value)
        elif isinstance(value, Mapping):
            text.put("mapping", *(item for pair in value.items() for item in pair))
        elif isinstance(value, (set, frozenset)):
            text.put(f"set {sorted(map(_scalar, value))}")
        elif isinstance(value, (list, tuple)):
            text.put("sequence", *value)
        elif isinstance(value, _TOLD_BY_REPR):
            text.put(f"{type(value).__qualname__} {value!r}")
        elif (wrapped := getattr(value, "__dict__", {}).get("__wrapped__")) is not None:  # of functools.cache, for example
            text.put("wrapped", type(value), wrapped)
        else:
            self._instance(value, text)

    def _instance(self, value: Any, text: _Text) -> None:
        """An object of a class: its class, and what it holds where that is known to be data."""
        cls = type(value)
        text.put("instance", cls)
        if isinstance(value, SQL):
            root = value.origin.root if value.origin is not None else None
            text.put(_canonical(value.template, value.dialect, root), value.bindings)
        elif dataclasses.is_dataclass(cls):
            for field in dataclasses.fields(value):
                if field.compare:
                    text.put(field.name, getattr(value, field.name, None))
        elif hasattr(cls, "model_fields") or self.is_own(cls.__module__):
            for name, held in sorted(getattr(value, "__dict__", {}).items()):
                text.put(name, held)

    # functions and classes

    def _function(self, fn: FunctionType, text: _Text) -> None:
        scope = fn.__globals__
        closure = dict(zip(fn.__code__.co_freevars, fn.__closure__ or (), strict=True))
        cells = {name: _contents(cell) for name, cell in closure.items()}
        if not self.is_own(str(scope.get("__name__", "?"))):
            text.put(f"function {fn.__module__}.{fn.__qualname__}", *filter(callable, cells.values()))
            return
        node = Source.function(fn)
        if node is None:
            text.put(f"code {_code_text(fn.__code__, fn.__doc__)}")
            asked: set[Chain] = {(name,) for name in names_of(fn.__code__)}
            syntax = Syntax(names=dict.fromkeys((*names_of(fn.__code__), *cells), asked))
        else:
            syntax = self._normalized(node, lambda name: cells.get(name, scope.get(name, _MISSING)))
            text.put(syntax.text)
        text.put("defaults", fn.__defaults__, fn.__kwdefaults__)
        known = {*names_of(fn.__code__), *cells, *syntax.imports}
        for name in sorted(syntax.names.keys() & known):
            if name in syntax.imports:
                value = self._imported(*syntax.imports[name], scope)
            else:
                value = cells.get(name, _MISSING)
            if value is _MISSING and name not in syntax.imports:
                self._top_level(name, syntax.names[name], scope, text)
            elif value is not _MISSING:
                self._used(name, value, syntax.names[name], text)

    def _class(self, cls: type, text: _Text) -> None:
        if not self.is_own(cls.__module__):
            text.put(f"class {cls.__module__}.{cls.__qualname__}")
            return
        module = sys.modules.get(cls.__module__)
        scope: dict[str, Any] = vars(module) if module is not None else {}
        file = getattr(module, "__file__", None)
        source = Source.of(file, scope) if file else None
        nodes = source.classes.get(cls.__qualname__, []) if source is not None else []
        if not nodes:
            text.put(f"class {cls.__qualname__}", *cls.__bases__)
            for name, value in sorted(vars(cls).items()):
                if isinstance(value, (FunctionType, *_SCALARS)) and name not in ("__doc__", "__module__"):
                    text.put(name, value)
        for node in nodes:
            syntax = self._normalized(node, lambda name: scope.get(name, _MISSING))
            known = source.names_in(node) if source is not None else set()
            syntax.names = {name: asked for name, asked in syntax.names.items() if name in known}
            self._syntax(syntax, scope, text)

    def _normalized(self, node: ast.AST, look_up: Callable[[str], Any]) -> Syntax:
        def value_of(node: ast.expr) -> Any:
            chain = chain_of(node)
            value = look_up(chain[0]) if chain else _MISSING
            for part in chain[1:] if chain else ():
                value = getattr(value, part, _MISSING)
            return value

        def keeps(decorator: ast.expr) -> bool:
            value = value_of(decorator.func if isinstance(decorator, ast.Call) else decorator)
            while isinstance(value, functools.partial):
                value = value.func
            return str(getattr(value, "__module__", "")).partition(".")[0] not in _THIS

        def replaced(call: ast.Call) -> str | None:
            chain = chain_of(call.func)
            if not (chain and chain[-1] == "SQL" and call.args and value_of(call.func) in (SQL, _MISSING)):
                return None
            first = call.args[0]
            template = first.value if isinstance(first, ast.Constant) else value_of(first)
            return f"SQL {_canonical(template)!r}" if isinstance(template, str) else None

        return normalized(node, keeps_decorator=keeps, replaced=replaced)

    def _syntax(self, syntax: Syntax, scope: Mapping[str, Any], text: _Text) -> None:
        text.put(syntax.text)
        for name in sorted(syntax.names):
            self._top_level(name, syntax.names[name], scope, text)

    # names

    def _top_level(self, name: str, asked: Iterable[Chain], scope: Mapping[str, Any], text: _Text) -> None:
        """A name of a module."""
        value = scope.get(name, _MISSING)
        if value is not _MISSING:
            is_code = isinstance(value, (FunctionType, type, ModuleType, AssetsDefinition, OpDefinition, GraphDefinition))
            if is_code or _is_plain(value) or "__name__" not in scope:
                self._used(name, value, asked, text)
            else:
                text.put(name, _Global(scope["__name__"], name))
        elif not hasattr(builtins, name):
            text.put(f"{name} is missing")

    def _used(self, name: str, value: Any, asked: Iterable[Chain], text: _Text) -> None:
        """A value under a name; of a module of the project, what is asked of it."""
        if not isinstance(value, ModuleType):
            text.put(name, value)
            return
        for chain in sorted(asked):
            found: Any = value
            rest = [*chain]
            while rest and isinstance(found, ModuleType) and self.is_own(found.__name__):
                scope, attribute = vars(found), rest.pop(0)
                found = scope.get(attribute, _MISSING)
                if found is not _MISSING and not isinstance(found, ModuleType):
                    self._top_level(attribute, (), scope, text)

    def _imported(self, module: str, name: str | None, scope: Mapping[str, Any]) -> Any:
        """What an import inside of a function gives: of the project, since other code counts by its name."""
        try:
            full = importlib.util.resolve_name(module, scope.get("__package__")) if module.startswith(".") else module
            if not self.is_own(full):
                return _MISSING
            found = importlib.import_module(full)
            if name is None:
                return found
            return getattr(found, name) if hasattr(found, name) else importlib.import_module(f"{full}.{name}")
        except Exception:  # noqa: BLE001 - whatever a module raises, it raises it again where it is used
            return _MISSING

    def _global(self, at: _Global, text: _Text) -> None:
        """A constant by the statement that makes it, so that a cache that fills up is still the same; else by its value."""
        module = sys.modules.get(at.module)
        scope: dict[str, Any] = vars(module) if module is not None else {}
        file = getattr(module, "__file__", None)
        source = Source.of(file, scope) if file and self.is_own(at.module) else None
        statements = source.bindings.get(at.name, []) if source is not None else []
        if not statements:
            text.put("value", scope.get(at.name))
        for statement in statements:
            if isinstance(statement, ast.ImportFrom):
                self._imported_constant(at, statement, scope, text)
            else:
                syntax = self._normalized(_bound(statement), lambda name: scope.get(name, _MISSING))
                syntax.names.pop(at.name, None)
                self._syntax(syntax, scope, text)

    def _imported_constant(self, at: _Global, statement: ast.ImportFrom, scope: Mapping[str, Any], text: _Text) -> None:
        origin = next(alias.name for alias in statement.names if (alias.asname or alias.name) == at.name)
        name = "." * statement.level + (statement.module or "")
        full = importlib.util.resolve_name(name, scope.get("__package__")) if statement.level else name
        text.put(origin, _Global(full, origin) if self.is_own(full) and full in sys.modules else full)


class _Text:
    """The text of a piece while it is written."""

    def __init__(self, reader: Reader) -> None:
        self.reader = reader
        self.parts: list[str] = []
        self.uses: list[Any] = []

    def put(self, label: str, *values: Any) -> None:
        self.parts.append(f"{label!r}(")
        for value in values:
            if type(value) is tuple:  # two that are equal may be one object or two
                self.put("tuple", *value)
            elif isinstance(value, _SCALARS):
                self.parts.append(_scalar(value))
            elif isinstance(value, ModuleType):
                self.parts.append(f"module {value.__name__}")
            elif isinstance(value, BuiltinFunctionType):
                self.parts.append(f"builtin {value.__module__}.{value.__qualname__}")
            elif value is not _MISSING:
                self.parts.append("\0")
                self.uses.append(value)
            self.parts.append(",")
        self.parts.append(")")


def _scalar(value: Any) -> str:
    told = isinstance(value, (*_SCALARS, *_TOLD_BY_REPR, enum.Enum))
    return f"{type(value).__name__} {value!r}" if told else f"a {type(value).__qualname__}"


def _is_plain(value: Any) -> bool:
    return isinstance(value, _SCALARS) or (type(value) is tuple and all(map(_is_plain, value)))


def _bound(statement: ast.stmt) -> ast.AST:
    """What a statement gives a name: the value where it is that simple, and which name does not matter."""
    targets = statement.targets if isinstance(statement, ast.Assign) else [getattr(statement, "target", None)]
    is_plain = all(isinstance(target, ast.Name) for target in targets) and not isinstance(statement, ast.AugAssign)
    value: ast.AST | None = getattr(statement, "value", None)
    return value if is_plain and value is not None else statement


def _contents(cell: Any) -> Any:
    try:
        return cell.cell_contents
    except ValueError:  # not filled yet
        return _MISSING


def _canonical(template: str, dialect: str | None = None, root: str | None = None) -> str:
    """The canonical form of a query; one from a folder of files, `root`, is worked out once for as long as it stays as it is."""
    from warehouse_assets.sql.known import remembered_of

    dialect = dialect or "duckdb"
    remembered = remembered_of(root) if root is not None else None
    known = remembered.canonical(dialect, template) if remembered is not None else None
    if known is not None:
        return known
    from warehouse_assets.sql.canonical import canonical

    form = canonical(template, dialect)
    if remembered is not None:
        remembered.add_canonical(dialect, template, form)
    return form


def _code_text(code: CodeType, doc: str | None) -> str:
    """Compiled code as text, for a function that has no text any more."""
    parts = []
    for one in nested(code):
        constants = [constant for constant in one.co_consts if not isinstance(constant, CodeType) and constant != doc]
        told = [sorted(map(repr, c)) if isinstance(c, frozenset) else repr(c) for c in constants]
        parts.append(f"{one.co_code.hex()} {told} {one.co_names} {one.co_varnames} {one.co_freevars} {one.co_flags}")
    return "\n".join(parts)
