"""Calling a definition directly, as tests and notebooks do: its function gets what is given, and what a context has.

A context is one of a run, or one that was built by hand; what is missing is said before the function is called.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from typing import TYPE_CHECKING, Any

from warehouse_assets.errors import InvalidInvocationError, close_matches

if TYPE_CHECKING:
    from warehouse_assets.definitions.functions import UserFunction

__all__ = ["config_object", "invoke", "is_inside_graph", "passing_on"]

_MISSING: Any = object()

_passed_on: ContextVar[Any] = ContextVar("context of the graph that is called", default=_MISSING)


@contextmanager
def passing_on(context: Any) -> Iterator[None]:
    """While the block lasts, a graph is called: its ops may use this context, or None, where they are given none."""
    before = _passed_on.set(context)
    try:
        yield
    finally:
        _passed_on.reset(before)


def is_inside_graph() -> bool:
    """Whether a graph is being called, so that ops hand their values to each other."""
    return _passed_on.get() is not _MISSING


def invoke(
    definition: Any,
    function: UserFunction,
    who: str,
    args: Sequence[Any],
    kwargs: Mapping[str, Any],
    *,
    resource_keys: Iterable[str] = (),
    defaults: Mapping[str, Any] | None = None,
    is_graph: bool = False,
) -> Any:
    """Call the function of a definition: inputs by position or name, configuration and resources by name or from the context.

    A context may come first, whether the function takes one or not; one that was built by hand learns what it is used for.
    Raises InvalidInvocationError for a missing context, resource or input, and for what the function does not take.
    """
    call = _Call(function, who, args, kwargs)
    bind = getattr(call.context, "bind", None)
    if bind is not None:
        bind(definition)
    values = {**(defaults or {}), **call.values(resource_keys, defaults or {})}
    positional = [values.pop(name) for name in function.positional_only if name in values]
    if not is_graph:
        return function.fn(*positional, **values)
    with passing_on(call.context):
        return function.fn(*positional, **values)


class _Call:
    """One direct call: what was given, sorted by what it is for."""

    def __init__(self, function: UserFunction, who: str, args: Sequence[Any], kwargs: Mapping[str, Any]) -> None:
        self.function = function
        self.who = who
        self.given = dict(kwargs)
        self.context = self.given.pop(function.context_parameter, None) if function.context_parameter is not None else None
        if self.context is None and args and getattr(type(args[0]), "asset_parameter", None) == "context":
            self.context, args = args[0], args[1:]
        self.config = getattr(self.context, "op_config", None)
        if self.context is None and is_inside_graph():
            self.context = _passed_on.get()  # whose configuration is that of the graph
        if self.context is None and function.context_parameter is not None:
            raise self._error("takes a context, and none is given", "Give build_asset_context() or build_op_context() first.")
        self._place(args)

    def _place(self, args: Sequence[Any]) -> None:
        """Positions are those of the inputs, or of all parameters where that is what fits."""
        named = [parameter for parameter in self.function.parameters if parameter.role != "context"]
        inputs = [parameter.name for parameter in named if parameter.role == "input"]
        everything = [parameter.name for parameter in named]
        for names in (inputs, everything):
            if len(args) <= len(names) and not self.given.keys() & set(names[: len(args)]):
                self.given.update(zip(names, args, strict=False))
                return
        if twice := self.given.keys() & set(everything[: len(args)]):
            raise self._error(f"is given {min(twice)!r} twice", "Give it by position or by name.")
        raise self._error(f"is given {len(args)} values by position, and takes {len(everything)}", f"They are {everything}.")

    def values(self, resource_keys: Iterable[str], defaults: Collection[str]) -> dict[str, Any]:
        """The arguments of the function by name, but for `defaults` that are not given."""
        function, values = self.function, dict(self.given)
        known = [name for name in function.names if name != function.context_parameter]
        for name in values.keys() - set(known) if not function.takes_any_keyword else ():
            raise self._error(f"has no argument {name!r}", close_matches(name, known) or f"It has {known}.")
        values.update(self._resources(resource_keys))
        if function.config_parameter is not None:
            values.update(self._config_values(function.config_parameter[0]))
        optional = {*defaults, *(parameter.name for parameter in function.inputs if parameter.has_default)}
        missing = [parameter.name for parameter in function.inputs if parameter.name not in {*values, *optional}]
        if missing:
            raise self._error(f"needs the input {', '.join(map(repr, missing))}", "Give it by position or by name.")
        if function.context_parameter is not None:
            values[function.context_parameter] = self.context
        return values

    def _config_values(self, name: str) -> Mapping[str, Any]:
        value = self.given.get(name, self.config)
        has_default = any(parameter.has_default for parameter in self.function.parameters if parameter.name == name)
        return {} if value is None and has_default else {name: config_object(self.function, value, self.who)}

    def _resources(self, resource_keys: Iterable[str]) -> Mapping[str, Any]:
        """The resources that were not given by name, from the context."""
        function = self.function
        optional = {parameter.name for parameter in function.parameters if parameter.has_default}
        held = getattr(self.context, "resources", None)
        found, missing = {}, []
        for name in dict.fromkeys((*function.resource_parameters, *resource_keys)):
            if name in self.given:
                continue
            value = getattr(held, name, _MISSING)
            if value is _MISSING:
                missing += [name] * (name not in optional)
            elif name in function.resource_parameters:
                found[name] = value
        if missing:
            names = ", ".join(map(repr, missing))
            by_name = f"Give it as {missing[0]}=…, or by " if missing[0] in function.resource_parameters else "Give it by "
            raise self._error(f"needs the resource {names}", f"{by_name}build_asset_context(resources={{{missing[0]!r}: …}}).")
        return found

    def _error(self, message: str, hint: str) -> InvalidInvocationError:
        return InvalidInvocationError(f"{self.who} {message}", where=str(self.function.place), hint=hint)


def config_object(function: UserFunction, value: Any, who: str) -> Any:
    """The configuration object that a function takes; None for one that takes none and is given none.

    Raises InvalidConfigError, naming the fields, for a value that does not fit.
    """
    parameter = function.config_parameter
    if parameter is None:
        return value
    cls = parameter[1]
    value = {} if value is None else value
    if cls is None:
        return dict(value) if isinstance(value, Mapping) else value
    if isinstance(value, cls):
        return value
    from pydantic import ValidationError

    from warehouse_assets.config import describe_validation_error
    from warehouse_assets.errors import InvalidConfigError

    try:
        return cls.model_validate(value.model_dump() if hasattr(value, "model_dump") else value)
    except ValidationError as error:
        what = describe_validation_error(error, known=cls.model_fields)
        raise InvalidConfigError(f"{who}: {what}") from None
