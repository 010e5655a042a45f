"""How ops become a graph: its function is called once, with stand-ins for values, and each call of an op is noted."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections import namedtuple
from collections.abc import Iterator, Mapping, Sequence
from contextvars import ContextVar
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeAlias

from warehouse_assets.definitions.naming import Faults, caller_place
from warehouse_assets.errors import InvalidInvocationError, WarehouseAssetsError, close_matches

if TYPE_CHECKING:
    from warehouse_assets.definitions.functions import UserFunction
    from warehouse_assets.definitions.ops import OpDefinition

__all__ = [
    "Aliased",
    "Composition",
    "GraphInput",
    "Invocable",
    "Node",
    "OpOutput",
    "Source",
    "compose",
    "current_composition",
    "moved",
]


@dataclass(frozen=True, slots=True)
class GraphInput:
    """Stands for the value of an input of the graph."""

    name: str


@dataclass(frozen=True, slots=True)
class OpOutput:
    """Stands for the value of an output of an op: `node` is the op's name in the graph."""

    node: str
    name: str


Source: TypeAlias = "OpOutput | GraphInput | tuple[OpOutput | GraphInput, ...]"


@dataclass(frozen=True, eq=False, slots=True)
class Node:
    """One use of an op in a graph, and where its inputs come from; the name of one inside of another graph is `inner.op`."""

    name: str
    op: OpDefinition
    inputs: Mapping[str, Source]

    @property
    def sources(self) -> Iterator[OpOutput | GraphInput]:
        """All that goes in, one by one."""
        for source in self.inputs.values():
            yield from source if isinstance(source, tuple) else (source,)


def moved(source: Source, prefix: str, inputs: Mapping[str, Source]) -> Source | None:
    """Where a value comes from when its graph becomes a part of another, which calls it `prefix` and gives it these inputs."""
    if isinstance(source, tuple):
        found = [moved(one, prefix, inputs) for one in source]
        return tuple(part for one in found if one is not None for part in (one if isinstance(one, tuple) else (one,)))
    return inputs.get(source.name) if isinstance(source, GraphInput) else OpOutput(f"{prefix}.{source.node}", source.name)


class Invocable(ABC):
    """What can be called inside of the function of a graph: an op, or another graph."""

    name: str

    @property
    @abstractmethod
    def input_names(self) -> Sequence[str]:
        """The names of its inputs, in the order in which they can be given."""

    @property
    @abstractmethod
    def output_names(self) -> Sequence[str]:
        """The names of its outputs."""

    @property
    def optional_inputs(self) -> frozenset[str]:
        """The inputs that need not be connected."""
        return frozenset()

    @abstractmethod
    def nodes_as(self, name: str, inputs: Mapping[str, Source]) -> tuple[Sequence[Node], Sequence[OpOutput]]:
        """The nodes that it is made of when it is used as `name`, and its outputs."""

    def alias(self, name: str) -> Aliased:
        """The same, to be used in a graph under another name."""
        return Aliased(self, name)


@dataclass(frozen=True, slots=True)
class Aliased:
    """An op or graph with the name that its next use in a graph has."""

    definition: Invocable
    name: str

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """Use it in the graph that is being composed."""
        composition = current_composition()
        if composition is None:
            raise InvalidInvocationError(f"{self.name!r} is an alias, and only has a meaning inside of a @graph")
        return composition.add(self.definition, self.name, args, kwargs, renamed=True)


_current: ContextVar[Composition | None] = ContextVar("composition", default=None)


def current_composition() -> Composition | None:
    """The graph whose function is being called, if one is."""
    return _current.get()


class Composition:
    """The nodes of a graph, as its function calls one after the other; what is wrong with a call is noted with its line."""

    def __init__(self, inputs: Sequence[str], faults: Faults) -> None:
        self.inputs = inputs
        self.faults = faults
        self.nodes: dict[str, Node] = {}
        self._names: set[str] = set()

    def add(
        self, definition: Invocable, name: str, args: Sequence[Any], kwargs: Mapping[str, Any], *, renamed: bool = False
    ) -> Any:
        """Note the use of an op or graph; gives its output, a named tuple of several, or None."""
        if renamed and name in self._names:
            self._fault(f"the name {name!r} is used twice", "Give each use an alias of its own.")
        own, number = name, 2
        while own in self._names:
            own, number = f"{name}_{number}", number + 1
        self._names.add(own)
        nodes, outputs = definition.nodes_as(own, self._bind(definition, own, args, kwargs))
        self.nodes.update((node.name, node) for node in nodes)
        if len(outputs) == 1:
            return outputs[0]
        several: Any = namedtuple(name, definition.output_names)  # type: ignore[misc]
        return several(*outputs) if outputs else None

    def knows(self, value: Any) -> bool:
        """Whether a value stands for an input or for the output of an op of this graph."""
        if isinstance(value, OpOutput):
            return value.node in self.nodes
        return isinstance(value, GraphInput) and value.name in self.inputs

    def _bind(self, definition: Invocable, name: str, args: Sequence[Any], kwargs: Mapping[str, Any]) -> dict[str, Source]:
        names = definition.input_names
        if len(args) > len(names):
            self._fault(f"{name!r} is given {len(args)} inputs, and has {len(names)}", f"They are {list(names)}.")
        given = dict(zip(names, args, strict=False))
        for argument, value in kwargs.items():
            if argument in given:
                self._fault(f"{name!r} is given its input {argument!r} twice", "Give it by position or by name.")
            elif argument not in names:
                self._fault(f"{name!r} has no input {argument!r}", close_matches(argument, names) or f"It has {list(names)}.")
            else:
                given[argument] = value
        for argument in names:
            if argument not in given and argument not in definition.optional_inputs:
                hint = "Give it the output of an op, or a default value."
                self._fault(f"the input {argument!r} of {name!r} is not connected", hint)
        sources = {argument: self._source(name, argument, value) for argument, value in given.items()}
        return {argument: source for argument, source in sources.items() if source is not None}

    def _source(self, name: str, argument: str, value: Any) -> Source | None:
        if self.knows(value):
            return value  # type: ignore[no-any-return]
        several = getattr(value, "_fields", None)  # what an op with several outputs gives, not yet taken apart
        if several is None and isinstance(value, (list, tuple)) and all(map(self.knows, value)):
            return tuple(value)
        what = f"the input {argument!r} of {name!r} is given"
        if several is not None:
            hint = f"It is one of {', '.join(several)}: choose it by name, as in `made.{several[0]}`."
            self._fault(f"{what} several outputs at once", hint)
        else:
            hint = "A graph connects ops; give a plain value by the configuration of the op, or as its default."
            self._fault(f"{what} {value!r}, which is no output of an op and no input of the graph", hint)
        return None

    def _fault(self, message: str, hint: str) -> None:
        self.faults.add(message, hint=hint, where=caller_place())


def compose(
    function: UserFunction, declared: Sequence[str] | None, faults: Faults
) -> tuple[Mapping[str, Node], Mapping[str, OpOutput]]:
    """Call the function of a graph, and give its nodes, each after all that it needs, and its outputs by name.

    `declared` are the names of the outputs (None: as the function names them). What is wrong is noted in `faults`; an exception of
    the function itself is raised as it is.
    """
    inputs = function.names
    composition = Composition(inputs, faults)
    values = {name: GraphInput(name) for name in inputs}
    positional = [values.pop(name) for name in function.positional_only]
    before = _current.set(composition)
    try:
        returned = function.fn(*positional, **values)
    except Exception as error:
        if not isinstance(error, WarehouseAssetsError):
            error.add_note(
                f"in the graph {function.name!r} ({function.place}), whose function connects ops and computes nothing"
            )
        raise
    finally:
        _current.reset(before)
    used = {source.name for node in composition.nodes.values() for source in node.sources if isinstance(source, GraphInput)}
    for name in inputs:
        if name not in used:
            faults.add(f"the input {name!r} goes into no op", hint="Remove it, or pass it on.")
    return composition.nodes, _named_outputs(returned, declared, composition)


def _named_outputs(returned: Any, declared: Sequence[str] | None, composition: Composition) -> dict[str, OpOutput]:
    faults = composition.faults
    named = _by_name(returned, declared, faults)
    for name in declared or ():
        if name not in named:
            faults.add(f"the output {name!r} is declared and not returned", hint=f"Return {{{name!r}: …}}.")
    for name, value in named.items():
        if declared is not None and name not in declared:
            faults.add(f"the output {name!r} is returned and not declared", hint=f"It has {list(declared)}.")
        elif not (isinstance(value, OpOutput) and composition.knows(value)):
            what = f"the output {name!r} is {value!r}, which is no output of an op of the graph"
            faults.add(what, hint="Return what an op gives.")
    return {name: value for name, value in named.items() if isinstance(value, OpOutput)}


def _by_name(returned: Any, declared: Sequence[str] | None, faults: Faults) -> dict[str, Any]:
    if returned is None:
        return {}
    if isinstance(returned, Mapping):
        return dict(returned)
    if not isinstance(returned, tuple):
        return {declared[0] if declared else "result": returned}
    names = declared if declared is not None else [getattr(value, "name", "?") for value in returned]
    if len(names) != len(returned) or len(set(names)) != len(names):
        hint = f"Its outputs are {list(declared)}." if declared is not None else "Return a dict, so that each has a name."
        faults.add(f"it returns {len(returned)} outputs, which cannot be told apart", hint=hint)
    return dict(zip(names, returned, strict=False))
