"""`materialize`: make assets from Python. What a run needs is loaded when the first one starts, not when this is imported."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from typing import TYPE_CHECKING, Any

from warehouse_assets.definitions.specs import AssetIn
from warehouse_assets.graph.asset_graph import AnyAsset, AssetGraph
from warehouse_assets.io_manager.registry import io_manager_from_uri
from warehouse_assets.keys import AssetCheckKey, AssetKey

if TYPE_CHECKING:
    from warehouse_assets.definitions.assets import AssetsDefinition
    from warehouse_assets.execution.executors import Executor
    from warehouse_assets.execution.run import RunResult
    from warehouse_assets.execution.run_config import CoercibleToRunConfig
    from warehouse_assets.graph.selection import CoercibleToAssetSelection
    from warehouse_assets.graph.sql_tables import UnknownTables
    from warehouse_assets.instance import Instance
    from warehouse_assets.io_manager.base import IOManager
    from warehouse_assets.partitions.definition import PartitionKeyRange

__all__ = ["materialize", "materialize_to_memory"]


def materialize(
    assets: AnyAsset | Iterable[AnyAsset],
    *,
    run_config: CoercibleToRunConfig = None,
    instance: Instance | None = None,
    resources: Mapping[str, Any] | None = None,
    partition_key: str | None = None,
    partition_key_range: PartitionKeyRange | None = None,
    selection: CoercibleToAssetSelection | None = None,
    tags: Mapping[str, str] | None = None,
    raise_on_error: bool = True,
    executor: Executor | None = None,
    only_stale: bool = False,
    unknown_tables: UnknownTables = "error",
) -> RunResult:
    """Make these assets, or the `selection` of them, in the order of their dependencies.

    Checks among them are evaluated with their assets. Sources are loaded and never run. Without an `instance` the record is kept in memory, and what the default I/O
    manager stores is removed with it. An error of user code is raised as itself, with the asset in a note, after everything that
    does not depend on it was made; with `raise_on_error=False` it is in the result. With `only_stale` just
    those are made that are missing, or whose code or inputs changed since. A table that SQL reads and that is not among the assets is an
    error, or, with `unknown_tables` "source", one that is there already.

    Partitioned assets are made for `partition_key`, or for all partitions of a `partition_key_range` at once: each function is
    called once, and asks for `context.partition_keys`. They have to be partitioned alike; others are made as ever.

    >>> from warehouse_assets import asset, materialize
    >>> @asset
    ... def one():
    ...     return 1
    >>> materialize([one]).asset_value("one")
    1
    """
    from warehouse_assets.execution.run import execute_run

    graph = AssetGraph.build(assets, resources=resources or {}, unknown_tables=unknown_tables)
    return execute_run(
        graph,
        _selected(graph, selection),
        checks=_checks(graph, selection),
        resources=resources or {},
        run_config=run_config,
        instance=instance,
        tags=tags or {},
        partition_key=partition_key,
        partition_key_range=partition_key_range,
        raise_on_error=raise_on_error,
        executor=executor,
        only_stale=only_stale,
    )


def materialize_to_memory(assets: AnyAsset | Iterable[AnyAsset], **options: Any) -> RunResult:
    """Make these assets without storing them: every table is kept in memory, whichever manager its asset names.

    Takes what `materialize` takes. Sources are still loaded by their own managers.
    """
    told = {name: options[name] for name in ("resources", "unknown_tables") if options.get(name)}
    graph = AssetGraph.build(assets, **told)
    memory = io_manager_from_uri("memory://")
    kept: list[AnyAsset] = [_kept_by(memory, definition, graph) for definition in graph.bindings]
    kept += graph.check_definitions
    known = (node for node in graph if not (node.is_executable or (node.is_stub and node.spec.io_manager_key is None)))
    kept += [node.source or node.spec for node in known]
    return materialize(kept, **options)


def _kept_by(manager: IOManager, definition: AssetsDefinition, graph: AssetGraph) -> AssetsDefinition:
    ins = dict(definition.ins)
    for argument, key in graph.bindings[definition].items():
        if argument in ins and graph.nodes[key].is_executable:
            given = ins[argument]
            ins[argument] = AssetIn(key, metadata=given.metadata, partition_mapping=given.partition_mapping)
    if definition.sql is not None:
        definition = definition.with_sql(graph.nodes[definition.key].sql)
    return definition.with_io_manager(manager, ins)


def _selected(graph: AssetGraph, selection: CoercibleToAssetSelection | None) -> Collection[AssetKey]:
    if selection is None:
        return set(graph.executable_keys)
    from warehouse_assets.graph.selection import select_executable

    return select_executable(graph, selection)


def _checks(graph: AssetGraph, selection: CoercibleToAssetSelection | None) -> Collection[AssetCheckKey] | None:
    if selection is None or not graph.checks:
        return None
    from warehouse_assets.graph.selection import select_checks

    return select_checks(graph, selection)
