"""The code version of each asset: as it was given, or worked out from its code."""

from __future__ import annotations

import re
from collections.abc import Mapping
from hashlib import blake2b
from inspect import unwrap
from typing import TYPE_CHECKING, Any

from warehouse_assets.definitions.outputs import NO_VALUE
from warehouse_assets.definitions.specs import AUTO
from warehouse_assets.graph.sql_tables import manager_of
from warehouse_assets.io_manager.powers import CallsFunctions

if TYPE_CHECKING:
    from warehouse_assets.definitions.assets import AssetsDefinition
    from warehouse_assets.definitions.functions import UserFunction
    from warehouse_assets.definitions.ops import OpDefinition
    from warehouse_assets.graph.asset_graph import AssetNode
    from warehouse_assets.graph.code.reading import Reader

__all__ = ["CodeVersions"]

_NOTHING: Mapping[str, Any] = {}


class CodeVersions:
    """Tells the code versions of assets, whose I/O managers are among `resources`; what several of them share is read once.

    Make a new one for each question: a notebook may have defined a function anew since the last.
    """

    def __init__(self, resources: Mapping[str, Any] = _NOTHING) -> None:
        self._resources = resources
        self._readers: dict[str, Reader] = {}
        self._functions: dict[int, tuple[Any, Mapping[str, Any]]] = {}

    def __call__(self, node: AssetNode) -> str | None:
        """The code version of an asset, None where it has none."""
        version = node.spec.code_version
        if version != AUTO or node.definition is None or node.output is None:
            return version
        return self._digest(*self._work(node.definition, node.output.name), self._callable_from(node))

    def _work(self, definition: AssetsDefinition, output: str) -> tuple[Reader, Any]:
        """All that makes an output, and what reads it."""
        if definition.sql is not None:
            return self._reader(""), definition.sql
        reader = self._reader_of(definition.function.fn)
        if definition.graph is None:
            return reader, _made_by(definition.function)
        graph = definition.graph
        work = [(node.name, repr(sorted(node.inputs.items())), _work_of(node.op)) for node in graph.nodes_for([output])]
        return reader, [*work, repr(graph.outputs[output])]

    def _callable_from(self, node: AssetNode) -> Mapping[str, Any]:
        """The Python functions that the SQL of an asset may call, by their names there."""
        manager = manager_of(node, self._resources)
        if id(manager) not in self._functions:
            functions = manager.sql_functions() if isinstance(manager, CallsFunctions) else {}
            self._functions[id(manager)] = manager, functions  # it is kept, and its id with it
        return self._functions[id(manager)][1]

    def _reader(self, root: str) -> Reader:
        from warehouse_assets.graph.code.reading import Reader

        if root not in self._readers:
            self._readers[root] = Reader(root)
        return self._readers[root]

    def _reader_of(self, function: Any) -> Reader:
        return self._reader(str(getattr(function, "__module__", "?")).partition(".")[0])

    def _digest(self, reader: Reader, value: Any, functions: Mapping[str, Any] = _NOTHING) -> str:
        """One hash of a value and all that it uses, in the order in which they are met; what uses itself is met once.

        Of the functions those count whose names stand in a text among that.
        """
        numbers: dict[int, int] = {}
        found: list[Any] = []

        def number(used: Any) -> int:
            key = id(reader.piece(used))
            if key not in numbers:
                numbers[key] = len(numbers)
                found.append(used)
            return numbers[key]

        number(value)
        digest = blake2b(digest_size=8)
        for used in found:
            piece = reader.piece(used)
            digest.update(piece.text.encode("utf-8", "surrogatepass"))
            digest.update(repr([number(further) for further in piece.uses]).encode())
        if functions:
            words = {word for used in found for word in re.findall(r"\w+", reader.piece(used).text.casefold())}
            for name in sorted(words & functions.keys()):
                digest.update(self._digest(self._reader_of(unwrap(functions[name])), functions[name]).encode())
        return digest.hexdigest()


def _made_by(function: UserFunction) -> Any:
    """A function, and the class of its configuration, whose defaults count like code."""
    config = function.config_parameter
    return (function.fn, config[1]) if config is not None else function.fn


def _work_of(op: OpDefinition) -> Any:
    if op.code_version not in (None, AUTO):
        return op.code_version
    defaults = {name: given.default_value for name, given in op.ins.items() if given.default_value is not NO_VALUE}
    return _made_by(op.function), defaults
