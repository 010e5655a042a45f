"""The assets that SQL reads: each table that it names is matched with the asset, or the source, whose table it is."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

from warehouse_assets.definitions.naming import Faults
from warehouse_assets.definitions.specs import AssetSpec
from warehouse_assets.errors import InvalidDefinitionError, InvalidSQLError, close_matches
from warehouse_assets.graph.asset_graph import AssetNode
from warehouse_assets.io_manager.powers import NamesTables
from warehouse_assets.keys import AssetKey, user_strings
from warehouse_assets.sql.known import learn
from warehouse_assets.sql.names import KnownTables, is_engine_name, is_file_name
from warehouse_assets.tables import SQLNaming, placed_key

if TYPE_CHECKING:
    from warehouse_assets.sql.references import TableReference

__all__ = ["SQLTables", "UnknownTables", "manager_of", "naming_of"]

UnknownTables: TypeAlias = Literal["source", "error"]


class SQLTables:
    """Finds the assets whose tables SQL reads, among `nodes`, as the I/O managers among `resources` call them.

    A table that is none of them becomes a source where `unknown` says so, and is a fault where not.
    """

    def __init__(
        self, nodes: Mapping[AssetKey, AssetNode], resources: Mapping[str, Any], unknown: UnknownTables, faults: Faults
    ) -> None:
        self.sources: dict[AssetKey, AssetNode] = {}
        self._nodes = nodes
        self._resources = resources
        self._unknown = unknown
        self._faults = faults
        self._known: dict[SQLNaming, KnownTables] = {}
        self._namings: dict[tuple[str, int], SQLNaming] = {}
        self._strange: dict[tuple[str, ...], list[tuple[AssetNode, TableReference]]] = {}

    def read(self) -> Mapping[AssetKey, Mapping[tuple[str, ...], AssetKey]]:
        """The assets that each asset which is known by its SQL reads, by the names that its SQL has for their tables."""
        nodes = [node for node in self._nodes.values() if node.sql is not None]
        self._learn(nodes)
        found = {node.key: dict(self._read_by(node)) for node in nodes}
        for places in self._strange.values():
            self._refuse(places)
        return found

    def _learn(self, nodes: Iterable[AssetNode]) -> None:
        """Read what all of them say, which is faster than one by one."""
        queries = []
        for node in nodes:
            if node.sql is not None and not node.sql.bindings:
                root = node.sql.origin.root if node.sql.origin is not None else None
                queries.append((node.sql.dialect or self._naming(node).dialect, node.sql.template, root))
        learn(queries)

    def _read_by(self, node: AssetNode) -> Iterator[tuple[tuple[str, ...], AssetKey]]:
        assert node.sql is not None
        naming = self._naming(node)
        try:
            references = node.sql.references(naming.dialect)
        except InvalidSQLError as error:
            fault = node.sql.placed(error, f"the SQL of asset {node.key.to_user_string()!r}")
            self._faults.errors.append(InvalidDefinitionError(fault.message, where=fault.where or node.place, hint=fault.hint))
            return
        known = self._known_by(naming)
        for reference in references:
            told = node.sql.meant.get(reference.parts)
            meant = [told] if told is not None and told in self._nodes else known.meant(reference.parts, node.key)
            if meant == [node.key] and node.spec.partitions_def is None:
                self._refuse_own(node, reference)
            elif len(meant) == 1:
                yield reference.parts, meant[0]
            elif meant:
                self._say_ambiguous(node, reference, meant)
            elif not (is_file_name(reference.parts) or is_engine_name(reference.parts)):
                parts = reference.parts
                for default, count in ((naming.default_catalog, 3), (naming.default_schema, 2)):
                    parts = parts[1:] if len(parts) == count and parts[0] == default else parts
                if self._unknown == "source":
                    yield reference.parts, self._source(AssetKey(parts), node, reference)
                else:
                    self._strange.setdefault(tuple(part.casefold() for part in parts), []).append((node, reference))

    def _naming(self, node: AssetNode) -> SQLNaming:
        """How the manager of an asset calls tables; each is asked once."""
        place = (node.io_manager_key, id(node.io_manager_def))
        if place not in self._namings:
            self._namings[place] = naming_of(node, self._resources)
        return self._namings[place]

    def _known_by(self, naming: SQLNaming) -> KnownTables:
        if naming not in self._known:
            schema, catalog = naming.default_schema, naming.default_catalog
            self._known[naming] = KnownTables(
                self._nodes, schema, catalog, lambda key: placed_key(key, self._nodes[key].spec.metadata)
            )
        return self._known[naming]

    def _source(self, key: AssetKey, node: AssetNode, reference: TableReference) -> AssetKey:
        """The source that an unknown table becomes: a table of the store that the SQL runs in; names are told apart without case."""
        folded = AssetKey([segment.casefold() for segment in key.path])
        if folded not in self.sources:
            spec = AssetSpec(key, io_manager_key=node.io_manager_key, place=node.spec.place)
            self.sources[folded] = AssetNode(key, spec, is_stub=True)
        source = self.sources[folded]
        if source.io_manager_key != node.io_manager_key:
            self._add(
                node,
                reference,
                f"its SQL reads the table {'.'.join(reference.parts)!r}, which is no asset, in the store {node.io_manager_key!r}, "
                f"and other SQL in {source.io_manager_key!r}",
                f'Declare where it is: SourceAsset("{source.key.to_user_string()}", io_manager_key=…).',
            )
        return source.key

    def _say_ambiguous(self, node: AssetNode, reference: TableReference, meant: Iterable[AssetKey]) -> None:
        example = ".".join(min(meant).path)
        self._add(
            node,
            reference,
            f"its SQL reads the table {'.'.join(reference.parts)!r}, which may be several assets: {user_strings(meant)}",
            f"Say which with the schema: {example}.",
        )

    def _refuse_own(self, node: AssetNode, reference: TableReference) -> None:
        self._add(
            node,
            reference,
            f"its SQL reads {'.'.join(reference.parts)!r}, which is its own table",
            "Only a partitioned asset can, of earlier partitions; or name the schema of the table that is meant.",
        )

    def _refuse(self, places: list[tuple[AssetNode, TableReference]]) -> None:
        """Note a table that is no asset, once for all that read it."""
        node, reference = places[0]
        more = len(places) - 1
        name = "/".join(reference.parts)
        self._add(
            node,
            reference,
            f"its SQL reads the table {'.'.join(reference.parts)!r}, which is no asset"
            + (f"; so {'do' if more > 1 else 'does'} {more} other place{'s' if more > 1 else ''}" if more else ""),
            close_matches(name, [key.to_user_string() for key in self._nodes if key != node.key])
            or f'Declare it as SourceAsset("{name}"), or all such tables as sources with unknown_tables="source".',
        )

    def _add(self, node: AssetNode, reference: TableReference, message: str, hint: str) -> None:
        origin = node.sql.origin if node.sql is not None else None
        if origin is None:
            where, message = node.place, f"{message} (line {reference.line}, column {reference.column} of it)"
        else:
            where = origin.place(reference.line, reference.column)
        what = f"asset {node.key.to_user_string()!r}: {message}"
        self._faults.errors.append(InvalidDefinitionError(what, where=where, hint=hint))


def manager_of(node: AssetNode, resources: Mapping[str, Any]) -> Any:
    """The manager that holds the table of an asset, as it was given, before it starts; None for one that is not known yet."""
    manager = node.io_manager_def or resources.get(node.io_manager_key)
    if manager is None and node.definition is not None:
        manager = node.definition.resource_defs.get(node.io_manager_key)
    return manager


def naming_of(node: AssetNode, resources: Mapping[str, Any]) -> SQLNaming:
    """How the manager of an asset calls tables, as far as that is known before it starts."""
    manager = manager_of(node, resources)
    if not isinstance(manager, NamesTables):
        return SQLNaming()
    try:
        return manager.sql_naming()
    except Exception:  # noqa: BLE001 - a manager that cannot tell before it starts, by a variable that is not set for example
        return SQLNaming()
