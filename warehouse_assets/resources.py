"""Resources: what assets need beside tables, given by name to a run, set up before it and torn down after it.

Anything can be a resource. What needs set-up or tear-down derives from `Resource`, or from `ConfigurableResource` in
`config.py` when people configure it; `@resource` makes one from a function.
"""

from __future__ import annotations

import inspect
import os
from collections.abc import Callable, Generator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, overload

from warehouse_assets.errors import InvalidInvocationError, ResourceError

if TYPE_CHECKING:
    import logging

__all__ = ["EnvVar", "InitResourceContext", "Resource", "ResourceDefinition", "resource"]


class EnvVar(str):
    """The value of an environment variable, read when a run starts, never on import.

    Stands for a string field of a configurable resource; `EnvVar.int("PORT")` stands for a number.

    >>> EnvVar("PASSWORD")
    EnvVar('PASSWORD')
    """

    __slots__ = ("convert",)

    convert: Callable[[str], Any]

    def __new__(cls, name: str, convert: Callable[[str], Any] = str) -> EnvVar:
        self = super().__new__(cls, name)
        self.convert = convert
        return self

    @classmethod
    def int(cls, name: str) -> EnvVar:
        """A whole number read from the variable `name`."""
        return cls(name, int)

    @property
    def name(self) -> str:
        """The name of the variable."""
        return str.__str__(self)

    def get_value(self, default: str | None = None) -> Any:
        """The variable's value now; ResourceError when it is not set and there is no default."""
        text = os.environ.get(self.name, default)
        if text is None:
            raise ResourceError(f"the environment variable {self.name!r} is not set")
        try:
            return self.convert(text)
        except ValueError:
            kind = getattr(self.convert, "__name__", "the declared type")
            raise ResourceError(f"the environment variable {self.name!r} does not hold a value of type {kind}") from None

    def __repr__(self) -> str:
        return f"EnvVar({self.name!r})"

    def __reduce__(self) -> tuple[Any, ...]:
        return EnvVar, (self.name, self.convert)


@dataclass(slots=True)
class InitResourceContext:
    """What a resource knows while it is set up: its configuration, the resources it requires, and the run, if there is one."""

    log: logging.Logger
    resource_config: Any = None
    resources: Any = None
    run_id: str | None = None
    instance: Any = None
    resource_name: str | None = None


class Resource:
    """A resource with hooks around a run. `resolve` gives the object that the run uses: itself, or a copy made for the run."""

    def resolve(self) -> Resource:
        """The resource with all environment variables read; called when the run starts."""
        return self

    def create_resource(self, context: InitResourceContext) -> Any:
        """The object that assets receive; the resource itself unless overridden."""
        return self

    def setup_for_execution(self, context: InitResourceContext) -> None:
        """Called before the first step that may need the resource."""

    def teardown_after_execution(self, context: InitResourceContext) -> None:
        """Called after the last step, whether the run succeeded or not."""

    @contextmanager
    def yield_for_execution(self, context: InitResourceContext) -> Generator[Any]:
        """The resource for the length of a run: set-up before, tear-down after."""
        self.setup_for_execution(context)
        try:
            yield self.create_resource(context)
        finally:
            self.teardown_after_execution(context)


@dataclass(frozen=True)
class ResourceDefinition(Resource):
    """A resource made by a function of the context: what it returns, or yields once around the run."""

    resource_fn: Callable[..., Any]
    config_schema: Any = None
    required_resource_keys: frozenset[str] = frozenset()
    description: str | None = None
    config: Mapping[str, Any] = field(default_factory=dict, repr=False)

    def configured(self, config: Mapping[str, Any]) -> ResourceDefinition:
        """The same resource with its configuration fixed."""
        return type(self)(self.resource_fn, self.config_schema, self.required_resource_keys, self.description, dict(config))

    def __call__(self, context: InitResourceContext | None = None) -> Any:
        """The resource that the function makes, or, where it yields one, a context manager of it.

        Raises InvalidInvocationError where the function takes a context, and none is given; `build_init_resource_context` builds one.
        """
        made = self._made(context)
        return contextmanager(lambda: made)() if inspect.isgenerator(made) else made

    def _made(self, context: InitResourceContext | None) -> Any:
        if not inspect.signature(self.resource_fn).parameters:
            return self.resource_fn()
        if context is None:
            raise InvalidInvocationError(
                f"the resource {self.resource_fn.__name__!r} takes a context, and none is given",
                hint="Give build_init_resource_context().",
            )
        if context.resource_config is None:
            context.resource_config = self.config
        return self.resource_fn(context)

    @contextmanager
    def yield_for_execution(self, context: InitResourceContext) -> Generator[Any]:
        made = self._made(context)
        if inspect.isgenerator(made):
            yield from _around(made)
        elif (
            hasattr(made, "__enter__")
            and hasattr(made, "__exit__")
            and inspect.isgeneratorfunction(getattr(self.resource_fn, "__wrapped__", None))
        ):
            with made as value:
                yield value
        else:
            yield made


def _around(generator: Generator[Any, Any, Any]) -> Generator[Any]:
    with contextmanager(lambda: generator)() as value:
        yield value


@overload
def resource(fn: Callable[..., Any], /) -> ResourceDefinition: ...
@overload
def resource(
    *, config_schema: Any = None, required_resource_keys: set[str] | None = None, description: str | None = None
) -> Callable[[Callable[..., Any]], ResourceDefinition]: ...


def resource(
    fn: Callable[..., Any] | None = None,
    /,
    *,
    config_schema: Any = None,
    required_resource_keys: set[str] | None = None,
    description: str | None = None,
) -> Any:
    """Make a resource from a function that takes the context, or nothing, and returns the resource or yields it once.

    >>> @resource
    ... def greeting():
    ...     return "hello"
    """

    def decorate(fn: Callable[..., Any]) -> ResourceDefinition:
        return ResourceDefinition(fn, config_schema, frozenset(required_resource_keys or ()), description or fn.__doc__)

    return decorate if fn is None else decorate(fn)
