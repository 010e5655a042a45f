"""Which resources assets need, and whether what is given is enough: asked before anything runs."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from warehouse_assets.definitions.assets import AssetsDefinition
from warehouse_assets.definitions.source import SourceAsset
from warehouse_assets.definitions.specs import DEFAULT_IO_MANAGER_KEY
from warehouse_assets.errors import ResourceError, close_matches
from warehouse_assets.graph.asset_graph import AssetGraph, AssetNode

if TYPE_CHECKING:
    from warehouse_assets.definitions.checks import AssetChecksDefinition
    from warehouse_assets.graph.checks import CheckNode

__all__ = [
    "input_manager_key",
    "merge_resources",
    "missing_resources",
    "required_by_checks",
    "required_resources",
    "resources_and_conflicts",
]


def input_manager_key(node: AssetNode, definition: AssetsDefinition | AssetChecksDefinition, argument: str) -> str:
    """The manager that loads an argument: the one that `AssetIn` names, else the one that holds the table."""
    declared = definition.ins.get(argument)
    return (declared.input_manager_key if declared is not None else None) or node.io_manager_key


def required_resources(graph: AssetGraph, definitions: Iterable[AssetsDefinition]) -> dict[str, str]:
    """The names of all resources that these definitions need, each with one that needs it, for a message."""
    needed: dict[str, str] = {}
    for definition in definitions:
        who = f"asset {next(iter(definition.outputs.values())).spec.key.to_user_string()!r}"
        for name in (*definition.required_resource_keys, *definition.function.resource_parameters):
            needed.setdefault(name, f"is required by {who}")
        for output in definition.outputs.values():
            if output.stored:
                needed.setdefault(definition.io_manager_key_for(output.spec.key), f"is the I/O manager of {who}")
        for argument, key in graph.bindings[definition].items():
            manager = input_manager_key(graph.nodes[key], definition, argument)
            needed.setdefault(manager, f"is the I/O manager that loads {key.to_user_string()!r} for {who}")
    return needed


def required_by_checks(graph: AssetGraph, checks: Iterable[CheckNode]) -> dict[str, str]:
    """The names of all resources that these checks need, each with one that needs it, for a message."""
    needed: dict[str, str] = {}
    for check in checks:
        if (definition := check.definition) is None:
            continue
        who = f"check {check.key.to_user_string()!r}"
        for name in (*definition.required_resource_keys, *definition.function.resource_parameters):
            needed.setdefault(name, f"is required by {who}")
        for argument, key in (check.bindings or {}).items():
            manager = input_manager_key(graph.nodes[key], definition, argument)
            needed.setdefault(manager, f"is the I/O manager that loads {key.to_user_string()!r} for {who}")
    return needed


def merge_resources(
    graph: AssetGraph, given: Mapping[str, Any], nodes: Iterable[AssetNode], checks: Iterable[CheckNode] = ()
) -> dict[str, Any]:
    """The given resources and those that came with the assets and checks themselves.

    Raises ResourceError where two of them differ under one name.
    """
    merged, conflicts = resources_and_conflicts(given, nodes, checks)
    if conflicts:
        raise conflicts[0]
    return merged


def resources_and_conflicts(
    given: Mapping[str, Any], nodes: Iterable[AssetNode], checks: Iterable[CheckNode] = ()
) -> tuple[dict[str, Any], Sequence[ResourceError]]:
    """The given resources and those that came with assets and checks, and an error for each that differs under one name."""
    merged, conflicts = dict(given), list[ResourceError]()
    origin = dict.fromkeys(given, "the resources given")

    def add(own: Mapping[str, Any], who: str, place: str) -> None:
        for name, value in own.items():
            if name in merged and merged[name] is not value and merged[name] != value:
                message = f"the resource {name!r} is given twice, with different values: by {origin[name]} and by {who}"
                conflicts.append(ResourceError(message, where=place))
            merged.setdefault(name, value)
            origin.setdefault(name, who)

    for node in nodes:
        owner: AssetsDefinition | SourceAsset | None = node.definition or node.source
        if owner is None or not (owner.resource_defs or owner.io_manager_def):
            continue
        own = dict(owner.resource_defs)
        if owner.io_manager_def is not None:
            own[node.io_manager_key] = owner.io_manager_def
        add(own, f"asset {node.key.to_user_string()!r}", node.place)
    for check in checks:
        if check.definition is not None and check.definition.resource_defs:
            add(check.definition.resource_defs, f"check {check.key.to_user_string()!r}", str(check.definition.place))
    return merged, conflicts


def missing_resources(needed: Mapping[str, str], given: Mapping[str, Any]) -> list[str]:
    """A sentence for each resource that is needed and not given; the default I/O manager is always there."""
    return [
        f"the resource {name!r} {why}, and is not given. "
        + (close_matches(name, list(given)) or f"Given are {', '.join(map(repr, sorted(given))) or 'none'}.")
        for name, why in needed.items()
        if name not in given and name != DEFAULT_IO_MANAGER_KEY
    ]
