"""The code version of each asset: as it was given, or worked out from its code."""

from __future__ import annotations

from hashlib import blake2b
from typing import TYPE_CHECKING, Any

from warehouse_assets.definitions.outputs import NO_VALUE
from warehouse_assets.definitions.specs import AUTO

if TYPE_CHECKING:
    from warehouse_assets.definitions.assets import AssetsDefinition
    from warehouse_assets.definitions.functions import UserFunction
    from warehouse_assets.definitions.ops import OpDefinition
    from warehouse_assets.graph.asset_graph import AssetNode
    from warehouse_assets.graph.code.reading import Reader

__all__ = ["CodeVersions"]


class CodeVersions:
    """Tells the code versions of assets; what several of them share is read once.

    Make a new one for each question: a notebook may have defined a function anew since the last.
    """

    def __init__(self) -> None:
        self._readers: dict[str, Reader] = {}

    def __call__(self, node: AssetNode) -> str | None:
        """The code version of an asset, None where it has none."""
        version = node.spec.code_version
        if version != AUTO or node.definition is None or node.output is None:
            return version
        return self._worked_out(node.definition, node.output.name)

    def _worked_out(self, definition: AssetsDefinition, output: str) -> str:
        if definition.sql is not None:
            return _digest(self._reader(""), definition.sql)
        reader = self._reader(str(getattr(definition.function.fn, "__module__", "?")).partition(".")[0])
        if definition.graph is None:
            return _digest(reader, _made_by(definition.function))
        graph = definition.graph
        work = [(node.name, repr(sorted(node.inputs.items())), _work_of(node.op)) for node in graph.nodes_for([output])]
        return _digest(reader, [*work, repr(graph.outputs[output])])

    def _reader(self, root: str) -> Reader:
        from warehouse_assets.graph.code.reading import Reader

        if root not in self._readers:
            self._readers[root] = Reader(root)
        return self._readers[root]


def _made_by(function: UserFunction) -> Any:
    """A function, and the class of its configuration, whose defaults count like code."""
    config = function.config_parameter
    return (function.fn, config[1]) if config is not None else function.fn


def _work_of(op: OpDefinition) -> Any:
    if op.code_version not in (None, AUTO):
        return op.code_version
    defaults = {name: given.default_value for name, given in op.ins.items() if given.default_value is not NO_VALUE}
    return _made_by(op.function), defaults


def _digest(reader: Reader, value: Any) -> str:
    """One hash of a value and all that it uses, in the order in which they are met; what uses itself is met once."""
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
    return digest.hexdigest()
