"""`@op`: a function that is one piece of work inside of a graph, or makes assets by itself."""

from __future__ import annotations

from collections import namedtuple
from collections.abc import Callable, Generator, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, overload

from warehouse_assets.definitions.composition import Invocable, Node, OpOutput, Source, current_composition
from warehouse_assets.definitions.functions import UserFunction
from warehouse_assets.definitions.naming import Faults, Place
from warehouse_assets.definitions.outputs import NO_VALUE, Output

if TYPE_CHECKING:
    from warehouse_assets.definitions.policies import RetryPolicy

__all__ = ["In", "Nothing", "OpDefinition", "Out", "op"]


class Nothing:
    """Stands for no value: an `In(Nothing)` is only about order, an `Out(Nothing)` is not stored."""


@dataclass(frozen=True, slots=True)
class In:
    """What is said of one input of an op. `annotation` is what the parameter's annotation would be, or `Nothing`.

    `default_value` is taken where the input is not connected.
    """

    annotation: Any = None
    description: str | None = None
    default_value: Any = NO_VALUE
    metadata: Mapping[str, Any] = field(default_factory=dict)

    @property
    def is_nothing(self) -> bool:
        """Whether it is only about order."""
        return self.annotation is Nothing


@dataclass(frozen=True, slots=True)
class Out:
    """What is said of one output of an op; what is said of its storage counts where the output becomes an asset."""

    annotation: Any = None
    description: str | None = None
    is_required: bool = True
    io_manager_key: str | None = None
    metadata: Mapping[str, Any] = field(default_factory=dict)
    code_version: str | None = None

    @property
    def is_nothing(self) -> bool:
        """Whether it has no value."""
        return self.annotation is Nothing


@dataclass(frozen=True, eq=False)
class OpDefinition(Invocable):
    """An op: called inside of the function of a graph it becomes a part of the graph, called elsewhere it calls its function."""

    name: str
    function: UserFunction
    ins: Mapping[str, In]
    outs: Mapping[str, Out]
    description: str | None = None
    required_resource_keys: frozenset[str] = frozenset()
    retry_policy: RetryPolicy | None = None
    tags: Mapping[str, Any] = field(default_factory=dict)
    code_version: str | None = None
    pool: str | None = None

    @property
    def place(self) -> Place:
        """Where it was declared."""
        return self.function.place

    @property
    def input_names(self) -> tuple[str, ...]:
        return tuple(dict.fromkeys((*(parameter.name for parameter in self.function.inputs), *self.ins)))

    @property
    def optional_inputs(self) -> frozenset[str]:
        defaults = {parameter.name for parameter in self.function.inputs if parameter.has_default}
        return frozenset(
            defaults | {name for name, given in self.ins.items() if given.is_nothing or given.default_value is not NO_VALUE}
        )

    @property
    def output_names(self) -> tuple[str, ...]:
        return tuple(self.outs)

    @property
    def resource_keys(self) -> frozenset[str]:
        """The names of all resources that it uses."""
        return self.required_resource_keys | set(self.function.resource_parameters)

    def annotation(self, name: str) -> Any:
        """The type that the input `name` asks for, resolved; None where it asks for none."""
        given = self.ins[name].annotation if name in self.ins else None
        return given if given is not None else self.function.annotation(name)

    def with_retry_policy(self, retry_policy: RetryPolicy) -> OpDefinition:
        """The same op, run again as the policy says when it fails."""
        return replace(self, retry_policy=retry_policy)

    def nodes_as(self, name: str, inputs: Mapping[str, Source]) -> tuple[Sequence[Node], Sequence[OpOutput]]:
        return [Node(name, self, inputs)], [OpOutput(name, output) for output in self.outs]

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """Become a part of the graph that is being composed, and give its outputs; outside of one, call the function itself.

        Then inputs are given by position or name, `config` and resources by name, and a context first, as to an asset.
        """
        composition = current_composition()
        if composition is not None:
            return composition.add(self, self.name, args, kwargs)
        from warehouse_assets.definitions.invocation import invoke, is_inside_graph

        defaults = {name: given.default_value for name, given in self.ins.items() if given.default_value is not NO_VALUE}
        values = {name: value for name, value in kwargs.items() if name not in self.ins or not self.ins[name].is_nothing}
        keys = self.required_resource_keys if self.function.context_parameter is not None else ()
        result = invoke(self, self.function, f"op {self.name!r}", args, values, resource_keys=keys, defaults=defaults)
        return self._handed_over(result) if is_inside_graph() else result

    def _handed_over(self, result: Any) -> Any:
        """What the function gave, as the next op of a graph gets it: the value, or a named tuple of several."""
        if isinstance(result, Generator):
            made = {item.output_name: item.value for item in result if isinstance(item, Output)}
            result = tuple(made.get(name) for name in self.outs) if len(self.outs) > 1 else next(iter(made.values()), None)
        if len(self.outs) > 1 and isinstance(result, (tuple, list)):
            several: Any = namedtuple(self.name, self.output_names)  # type: ignore[misc]
            return several(*(item.value if isinstance(item, Output) else item for item in result))
        return result.value if isinstance(result, Output) else result

    def __repr__(self) -> str:
        return f"OpDefinition({self.name!r})"


@overload
def op(fn: Callable[..., Any], /) -> OpDefinition: ...
@overload
def op(
    *,
    name: str | None = None,
    description: str | None = None,
    ins: Mapping[str, In] | None = None,
    out: Out | Mapping[str, Out] | None = None,
    required_resource_keys: Iterable[str] | None = None,
    retry_policy: RetryPolicy | None = None,
    tags: Mapping[str, Any] | None = None,
    code_version: str | None = None,
    pool: str | None = None,
) -> Callable[[Callable[..., Any]], OpDefinition]: ...


def op(fn: Callable[..., Any] | None = None, /, **options: Any) -> Any:
    """Declare a piece of work by its function: the parameters are the inputs, what it returns or yields are the outputs.

    One output unless `out` names several: then the function returns a tuple with a value for each, or yields
    `Output(value, name)`. A first parameter `context`, a `Config` and resources are filled as they are for an asset.

    >>> @op
    ... def double(x):
    ...     return 2 * x
    >>> double(4)
    8

    Raises InvalidDefinitionError, or a group of them, for a declaration that cannot be meant.
    """
    return (lambda fn: _build(fn, **options)) if fn is None else _build(fn)


def _build(
    fn: Callable[..., Any],
    *,
    name: str | None = None,
    description: str | None = None,
    ins: Mapping[str, Any] | None = None,
    out: Out | Mapping[str, Any] | None = None,
    required_resource_keys: Iterable[str] | None = None,
    retry_policy: RetryPolicy | None = None,
    tags: Mapping[str, Any] | None = None,
    code_version: str | None = None,
    pool: str | None = None,
) -> OpDefinition:
    function = UserFunction(fn)
    own = name if name is not None else function.name
    faults = Faults(f"op {own!r}: ", function.place)
    faults.check_identifier(own, "name")
    function.check(faults)
    outs = out if isinstance(out, Mapping) else {"result": out or Out(Nothing if function.returns_nothing else None)}
    for output, declared in outs.items():
        faults.check_identifier(output, "output")
        if not isinstance(declared, Out):
            faults.add(f"the output {output!r} is {declared!r}, not an Out", hint="Write Out(…).")
    names = set(function.names)
    for argument, given in (ins or {}).items():
        if not isinstance(given, In):
            faults.add(f"the input {argument!r} is {given!r}, not an In", hint="Write In(…).")
        elif argument not in names and not given.is_nothing and not function.takes_any_keyword:
            faults.add(f"ins names {argument!r}, which is no argument of the function", hint=f"It has {sorted(names)}.")
    faults.settle(f"op {own!r}")
    return OpDefinition(
        own,
        function,
        {argument: given for argument, given in (ins or {}).items() if isinstance(given, In)},
        {output: declared for output, declared in outs.items() if isinstance(declared, Out)},
        description if description is not None else function.description,
        frozenset(required_resource_keys or ()),
        retry_policy,
        dict(tags or {}),
        code_version,
        pool,
    )
