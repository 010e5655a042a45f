"""The functions that people write: which parameter is what, and what annotations mean.

Annotations are resolved when they are used, not when a function is declared, so `from __future__ import annotations`, names that
are defined further down, and imports under `if TYPE_CHECKING:` all work.
"""

from __future__ import annotations

import builtins
import functools
import inspect
import re
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import FunctionType
from typing import Any, Generic, Literal, TypeAlias, TypeVar

from warehouse_assets.definitions.naming import Faults, Place, caller_frame
from warehouse_assets.errors import InvalidDefinitionError

__all__ = ["Parameter", "Role", "UserFunction"]

T = TypeVar("T")

Role: TypeAlias = Literal["context", "config", "resource", "input"]

_MISSING = object()
_NOTHING: Mapping[str, Any] = {}
_WORD = re.compile(r"[^\W\d]\w*")
_POSITIONAL = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD, inspect.Parameter.KEYWORD_ONLY)


@dataclass(frozen=True, slots=True)
class Parameter:
    """One parameter of a user's function, and what it is filled with."""

    name: str
    role: Role
    has_default: bool


class _once(Generic[T]):
    """A property worked out once; `functools.cached_property` takes a lock at each first access until Python 3.12."""

    def __init__(self, work_out: Callable[[Any], T]) -> None:
        self.work_out = work_out
        self.__doc__ = work_out.__doc__

    def __set_name__(self, owner: type, name: str) -> None:
        self.name = name

    def __get__(self, instance: Any, owner: type | None = None) -> T:
        value = instance.__dict__[self.name] = self.work_out(instance)
        return value


class UserFunction:
    """A function that a person declared an asset, op or check with. What it says of itself is worked out on first use."""

    __slots__ = ("__dict__", "fn", "local_names", "place")

    def __init__(self, fn: Callable[..., Any]) -> None:
        self.fn = fn
        code = getattr(inspect.unwrap(fn), "__code__", None) if hasattr(fn, "__wrapped__") else getattr(fn, "__code__", None)
        self.place = Place.of(code) if code is not None else Place(getattr(fn, "__module__", "?"), 0)
        self.local_names = _local_names(fn) if "<locals>" in getattr(fn, "__qualname__", "") else _NOTHING

    @property
    def name(self) -> str:
        """The function's name."""
        return getattr(self.fn, "__name__", type(self.fn).__name__)

    @property
    def is_async(self) -> bool:
        """Whether calling the function gives a coroutine or an asynchronous generator, which nothing here would await."""
        code = getattr(self.fn, "__code__", None)
        return code is not None and bool(code.co_flags & (inspect.CO_COROUTINE | inspect.CO_ASYNC_GENERATOR))

    def check(self, faults: Faults) -> None:
        """Note what no function that people declare something with can be."""
        if self.is_async:
            faults.add("the function is asynchronous", hint="Declare it with def, and run what it awaits with asyncio.run.")

    @property
    def description(self) -> str | None:
        """The docstring, cleaned of its indentation."""
        doc = getattr(self.fn, "__doc__", None)
        return inspect.cleandoc(doc) if doc else None

    @property
    def names(self) -> list[str]:
        """The names of the parameters, in order; no annotation is resolved for them."""
        return [name for name, _ in self._signature[0]]

    @_once
    def parameters(self) -> tuple[Parameter, ...]:
        """The named parameters, in order."""
        found = []
        for index, (name, has_default) in enumerate(self._signature[0]):
            found.append(Parameter(name, self._role(name, first=index == 0), has_default))
        return tuple(found)

    @property
    def takes_any_keyword(self) -> bool:
        """Whether the function has a `**kwargs` parameter."""
        return self._signature[1]

    @_once
    def inputs(self) -> tuple[Parameter, ...]:
        """The parameters that are filled with the values of assets."""
        return tuple(parameter for parameter in self.parameters if parameter.role == "input")

    @_once
    def context_parameter(self) -> str | None:
        """The parameter that receives the context."""
        return next((parameter.name for parameter in self.parameters if parameter.role == "context"), None)

    @_once
    def config_parameter(self) -> tuple[str, Any] | None:
        """The parameter that receives the configuration, and the class of it (None: a plain dict)."""
        for parameter in self.parameters:
            if parameter.role == "config":
                annotation = self.annotation(parameter.name)
                return parameter.name, annotation if _parameter_kind(annotation) == "config" else None
        return None

    @_once
    def positional_only(self) -> tuple[str, ...]:
        """The parameters that cannot be given by name."""
        code = getattr(inspect.unwrap(self.fn), "__code__", None)
        return code.co_varnames[: code.co_posonlyargcount] if code is not None else ()

    @_once
    def resource_parameters(self) -> tuple[str, ...]:
        """The parameters that receive the resource of the same name."""
        return tuple(parameter.name for parameter in self.parameters if parameter.role == "resource")

    @_once
    def returns_nothing(self) -> bool:
        """Whether the function is annotated `-> None`."""
        annotation = self._annotations.get("return", _MISSING)
        return annotation is None or annotation == "None" or annotation is type(None)

    @_once
    def _signature(self) -> tuple[tuple[tuple[str, bool], ...], bool]:
        fn = self.fn
        if type(fn) is FunctionType and not hasattr(fn, "__wrapped__"):  # ten times as fast as inspect.signature
            code = fn.__code__
            positional, keyword_only = code.co_argcount, code.co_kwonlyargcount
            names = code.co_varnames[: positional + keyword_only]
            first_default = positional - len(fn.__defaults__ or ())
            defaults = fn.__kwdefaults__ or {}
            pairs = tuple((name, first_default <= i < positional or name in defaults) for i, name in enumerate(names))
            return pairs, bool(code.co_flags & inspect.CO_VARKEYWORDS)
        parameters = inspect.signature(fn).parameters.values()
        pairs = tuple((p.name, p.default is not p.empty) for p in parameters if p.kind in _POSITIONAL)
        return pairs, any(p.kind is p.VAR_KEYWORD for p in parameters)

    @_once
    def _annotations(self) -> dict[str, Any]:
        fn = inspect.unwrap(self.fn)
        if sys.version_info >= (3, 14):
            import annotationlib

            return annotationlib.get_annotations(fn, format=annotationlib.Format.FORWARDREF)
        return getattr(fn, "__annotations__", None) or {}

    def _role(self, name: str, *, first: bool) -> Role:
        if name not in self._annotations:
            if first and name in ("context", "_context", "_"):
                return "context"
            return "config" if name == "config" else "input"
        kind = _parameter_kind(self.annotation(name))
        if kind is not None:
            return kind
        if first and name in ("context", "_context", "_"):
            return "context"
        return "config" if name == "config" else "input"

    def annotation(self, name: str) -> Any:
        """What the parameter `name`, or "return", is annotated with, resolved; None where it has no annotation.

        Raises InvalidDefinitionError for an annotation that names nothing.
        """
        annotation = self._annotations.get(name)
        text = annotation if isinstance(annotation, str) else getattr(annotation, "__forward_arg__", None)
        if text is None:
            return annotation
        return self._evaluate(name, text)

    def _evaluate(self, name: str, text: str) -> Any:
        fn = inspect.unwrap(self.fn)
        closure = inspect.getclosurevars(fn).nonlocals if getattr(fn, "__closure__", None) else {}
        names = {**self.local_names, **closure}
        scope = getattr(fn, "__globals__", {})
        try:
            return eval(text, scope, names)
        except NameError:
            pass
        except Exception as error:  # noqa: BLE001 - whatever an annotation raises is a fault of the declaration
            raise self._unresolved(name, text, error) from None
        try:
            return eval(text, scope, {**_type_checking_imports(fn.__module__), **names})
        except Exception as error:  # noqa: BLE001
            raise self._unresolved(name, text, error) from None

    def _unresolved(self, name: str, text: str, error: Exception) -> InvalidDefinitionError:
        what = "the return annotation" if name == "return" else f"the annotation of {name!r}"
        return InvalidDefinitionError(
            f"{what} of {self.name!r} cannot be resolved: {text!r}: {error}",
            where=str(self.place),
            hint="Import what it names in the module, at the top or under `if TYPE_CHECKING:`.",
        )


def _local_names(fn: Callable[..., Any]) -> Mapping[str, Any]:
    """What the annotations of a nested function name in the function around it, which is not there to be asked later."""
    annotations = getattr(fn, "__annotations__", None) or {}
    texts = [text for text in annotations.values() if isinstance(text, str) and not hasattr(builtins, text)]
    if not texts:
        return _NOTHING
    around = caller_frame().f_locals
    return {name: around[name] for text in texts for name in _WORD.findall(text) if name in around}


def _parameter_kind(annotation: Any) -> Role | None:
    """What a class says it stands for as the annotation of a parameter, by its attribute `asset_parameter`."""
    return getattr(annotation, "asset_parameter", None) if isinstance(annotation, type) else None


@functools.cache
def _type_checking_imports(module_name: str) -> dict[str, Any]:
    """The names that a module imports under `if TYPE_CHECKING:`, imported for real."""
    import ast

    module = sys.modules.get(module_name)
    try:
        tree = ast.parse(inspect.getsource(module)) if module is not None else None
    except (OSError, TypeError, SyntaxError):
        tree = None
    if module is None or tree is None:
        return {}
    names: dict[str, Any] = {}
    for node in ast.walk(tree):
        if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.dump(node.test):
            for statement in node.body:
                if isinstance(statement, (ast.Import, ast.ImportFrom)):
                    _run_import(statement, names, module.__dict__)
    return names


def _run_import(statement: Any, names: dict[str, Any], module_globals: dict[str, Any]) -> None:
    import ast

    code = compile(ast.Module([statement], []), "<type checking import>", "exec")
    scope = {"__name__": module_globals.get("__name__"), "__package__": module_globals.get("__package__")}
    try:
        exec(code, scope)
    except ImportError:  # a package that is there for type checkers only
        return
    names.update({name: value for name, value in scope.items() if not name.startswith("__")})
