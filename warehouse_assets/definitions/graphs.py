"""`@graph`: ops that hand values to each other."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, overload

from warehouse_assets.definitions.composition import (
    GraphInput,
    Invocable,
    Node,
    OpOutput,
    Source,
    compose,
    current_composition,
    moved,
)
from warehouse_assets.definitions.functions import UserFunction
from warehouse_assets.definitions.naming import Faults, Place

__all__ = ["GraphDefinition", "GraphIn", "GraphOut", "graph"]


@dataclass(frozen=True, slots=True)
class GraphIn:
    """What is said of one input of a graph."""

    description: str | None = None


@dataclass(frozen=True, slots=True)
class GraphOut:
    """What is said of one output of a graph."""

    description: str | None = None


@dataclass(frozen=True, eq=False)
class GraphDefinition(Invocable):
    """Ops and how they are connected. Called inside of another graph it becomes a part of it.

    `nodes` are in an order in which each stands after all that it needs; those of inner graphs are among them.
    """

    name: str
    function: UserFunction
    nodes: Mapping[str, Node]
    outputs: Mapping[str, OpOutput]
    description: str | None = None
    ins: Mapping[str, GraphIn] = field(default_factory=dict)
    outs: Mapping[str, GraphOut] = field(default_factory=dict)

    @property
    def place(self) -> Place:
        """Where it was declared."""
        return self.function.place

    @property
    def input_names(self) -> tuple[str, ...]:
        return tuple(self.function.names)

    @property
    def output_names(self) -> tuple[str, ...]:
        return tuple(self.outputs)

    @property
    def resource_keys(self) -> frozenset[str]:
        """The names of all resources that its ops use."""
        return frozenset().union(*(node.op.resource_keys for node in self.nodes.values()))

    def nodes_for(self, outputs: Collection[str]) -> Mapping[Node, Collection[str]]:
        """The nodes that these outputs need, in order, each with those of its own outputs that are needed."""
        wanted: dict[str, set[str]] = {}
        for name in outputs:
            wanted.setdefault(self.outputs[name].node, set()).add(self.outputs[name].name)
        for node in reversed([*self.nodes.values()]):
            for source in node.sources if node.name in wanted else ():
                if isinstance(source, OpOutput):
                    wanted.setdefault(source.node, set()).add(source.name)
        return {node: wanted[node.name] for node in self.nodes.values() if node.name in wanted}

    def inputs_for(self, output: str) -> frozenset[str]:
        """The inputs that an output is made from."""
        sources = (source for node in self.nodes_for([output]) for source in node.sources)
        return frozenset(source.name for source in sources if isinstance(source, GraphInput))

    def is_certain(self, output: str) -> bool:
        """Whether an output is always there: no op on the way to it may leave one out."""
        return all(node.op.outs[name].is_required for node, names in self.nodes_for([output]).items() for name in names)

    def dangling(self) -> list[str]:
        """The nodes of which nothing is used."""
        used = {source.node for node in self.nodes.values() for source in node.sources if isinstance(source, OpOutput)}
        used |= {output.node for output in self.outputs.values()}
        return [name for name in self.nodes if name not in used]

    def nodes_as(self, name: str, inputs: Mapping[str, Source]) -> tuple[Sequence[Node], Sequence[OpOutput]]:
        nodes = []
        for node in self.nodes.values():
            sources = {argument: moved(source, name, inputs) for argument, source in node.inputs.items()}
            known = {argument: source for argument, source in sources.items() if source is not None}
            nodes.append(Node(f"{name}.{node.name}", node.op, known))
        return nodes, [OpOutput(f"{name}.{output.node}", output.name) for output in self.outputs.values()]

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """Become a part of the graph that is being composed; outside of one, call the functions of its ops on these values."""
        composition = current_composition()
        if composition is not None:
            return composition.add(self, self.name, args, kwargs)
        from warehouse_assets.definitions.invocation import invoke

        return invoke(self, self.function, f"graph {self.name!r}", args, kwargs, is_graph=True)

    def __repr__(self) -> str:
        return f"GraphDefinition({self.name!r})"


@overload
def graph(fn: Callable[..., Any], /) -> GraphDefinition: ...
@overload
def graph(
    *,
    name: str | None = None,
    description: str | None = None,
    ins: Mapping[str, GraphIn] | None = None,
    out: GraphOut | Mapping[str, GraphOut] | None = None,
) -> Callable[[Callable[..., Any]], GraphDefinition]: ...


def graph(
    fn: Callable[..., Any] | None = None,
    /,
    *,
    name: str | None = None,
    description: str | None = None,
    ins: Mapping[str, GraphIn] | None = None,
    out: GraphOut | Mapping[str, GraphOut] | None = None,
) -> Any:
    """Declare ops that hand values to each other, by a function that calls them; it is called once, to see what is connected.

    Its parameters are the inputs of the graph. It returns what an op gave; for several outputs a dict of them, or a tuple in the
    order of `out`.

    >>> from warehouse_assets import op
    >>> @op
    ... def double(x):
    ...     return 2 * x
    >>> @graph
    ... def fourfold(x):
    ...     return double(double(x))
    >>> list(fourfold.nodes), fourfold.output_names
    (['double', 'double_2'], ('result',))

    Raises InvalidDefinitionError, or a group of them, for what cannot be meant.
    """

    def decorate(fn: Callable[..., Any]) -> GraphDefinition:
        function = UserFunction(fn)
        own = name if name is not None else function.name
        faults = Faults(f"graph {own!r}: ", function.place)
        faults.check_identifier(own, "name")
        declared = list(out) if isinstance(out, Mapping) else ["result"] if out is not None else None
        built = build_graph(own, function, declared, faults, description)
        for unknown in (ins or {}).keys() - set(built.input_names):
            faults.add(
                f"ins names {unknown!r}, which is no argument of the function", hint=f"It has {list(built.input_names)}."
            )
        faults.settle(f"graph {own!r}")
        outs = out if isinstance(out, Mapping) else dict.fromkeys(built.outputs, out or GraphOut())
        return GraphDefinition(own, function, built.nodes, built.outputs, built.description, dict(ins or {}), dict(outs))

    return decorate if fn is None else decorate(fn)


def build_graph(
    name: str, function: UserFunction, declared: Sequence[str] | None, faults: Faults, description: str | None = None
) -> GraphDefinition:
    """The graph that a function composes; what is wrong with it is noted in `faults`."""
    function.check(faults)
    for parameter in function.parameters:
        if parameter.role != "input":
            faults.add(f"its parameter {parameter.name!r} is no input", hint="Context, config and resources are for the ops.")
        elif parameter.has_default:
            faults.add(
                f"its parameter {parameter.name!r} has a default value", hint="Give the default to the parameter of the op."
            )
    for output in declared or ():
        faults.check_identifier(output, "output")
    nodes, outputs = compose(function, declared, faults)
    return GraphDefinition(name, function, nodes, outputs, description if description is not None else function.description)
