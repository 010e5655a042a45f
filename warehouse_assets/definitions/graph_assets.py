"""Assets made by graphs and ops: `@graph_asset`, `@graph_multi_asset`, `AssetsDefinition.from_graph` and `from_op`."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Literal, overload

from warehouse_assets.definitions.asset import bind_ins, declared_key, own_checks
from warehouse_assets.definitions.assets import AssetOutput, AssetsDefinition
from warehouse_assets.definitions.functions import UserFunction
from warehouse_assets.definitions.graphs import GraphDefinition, build_graph
from warehouse_assets.definitions.multi_asset import AssetOut, OutputsBuilder, unmade
from warehouse_assets.definitions.naming import Faults, caller_place
from warehouse_assets.definitions.ops import OpDefinition, Out
from warehouse_assets.definitions.partitioning import check_backfill_policy
from warehouse_assets.definitions.specs import AssetDep, AssetIn, replace_spec
from warehouse_assets.keys import AssetKey, CoercibleToAssetKey, CoercibleToKeyPrefix

if TYPE_CHECKING:
    from warehouse_assets.definitions.check_specs import AssetCheckSpec

__all__ = ["assets_from", "graph_asset", "graph_multi_asset"]


@overload
def graph_asset(fn: Callable[..., Any], /) -> AssetsDefinition: ...
@overload
def graph_asset(
    *,
    name: str | None = None,
    key_prefix: CoercibleToKeyPrefix | None = None,
    key: CoercibleToAssetKey | None = None,
    ins: Mapping[str, AssetIn | CoercibleToAssetKey] | None = None,
    description: str | None = None,
    metadata: Mapping[str, Any] | None = None,
    tags: Mapping[str, str] | None = None,
    owners: Sequence[str] | None = None,
    kinds: Iterable[str] | None = None,
    group_name: str | None = None,
    code_version: str | None = None,
    data_version: Literal["content"] | None = None,
    automation_condition: Any = None,
    freshness_policy: Any = None,
    partitions_def: Any = None,
    backfill_policy: Any = None,
    resource_defs: Mapping[str, Any] | None = None,
    check_specs: Sequence[AssetCheckSpec] | None = None,
) -> Callable[[Callable[..., Any]], AssetsDefinition]: ...


def graph_asset(fn: Callable[..., Any] | None = None, /, **options: Any) -> Any:
    """Declare a table by a graph of ops: the arguments of the function are the tables it is made from.

    The ops run as one step, one after the other, and hand their values over in memory. What is returned is stored by the I/O
    manager that the `Out` of its op names.

    >>> from warehouse_assets import op
    >>> @op
    ... def without_gaps(rows):
    ...     return [row for row in rows if row is not None]
    >>> @graph_asset
    ... def orders(raw_orders):
    ...     return without_gaps(raw_orders)
    >>> orders.key, orders.dependency_keys
    (AssetKey(['orders']), {AssetKey(['raw_orders'])})

    Raises InvalidDefinitionError, or a group of them, for a declaration that cannot be meant.
    """
    return (lambda fn: _graph_asset(fn, **options)) if fn is None else _graph_asset(fn)


def _graph_asset(
    fn: Callable[..., Any],
    *,
    name: str | None = None,
    key_prefix: CoercibleToKeyPrefix | None = None,
    key: CoercibleToAssetKey | None = None,
    ins: Mapping[str, AssetIn | CoercibleToAssetKey] | None = None,
    partitions_def: Any = None,
    backfill_policy: Any = None,
    resource_defs: Mapping[str, Any] | None = None,
    check_specs: Sequence[AssetCheckSpec] | None = None,
    **attributes: Any,
) -> AssetsDefinition:
    function = UserFunction(fn)
    faults = Faults(f"graph asset {name or key or function.name!r}: ", function.place)
    own = declared_key(function, name, key_prefix, key, faults)
    graph = build_graph("__".join(own.path), function, ["result"], faults)
    _note_dangling(graph, faults)
    return _assets(
        graph,
        {"result": AssetOut(key=own, **attributes)},
        bind_ins(ins or {}, function, faults),
        faults,
        partitions_def=partitions_def,
        backfill_policy=backfill_policy,
        resource_defs=resource_defs or {},
        check_specs=check_specs or (),
    )


def graph_multi_asset(
    *,
    outs: Mapping[str, AssetOut],
    name: str | None = None,
    ins: Mapping[str, AssetIn | CoercibleToAssetKey] | None = None,
    group_name: str | None = None,
    can_subset: bool = False,
    partitions_def: Any = None,
    backfill_policy: Any = None,
    resource_defs: Mapping[str, Any] | None = None,
    check_specs: Sequence[AssetCheckSpec] | None = None,
) -> Callable[[Callable[..., Any]], AssetsDefinition]:
    """Declare several tables by one graph of ops, whose function returns a dict of them, or a tuple in the order of `outs`.

    With `can_subset` a selection of the tables runs only the ops that it needs.
    Raises InvalidDefinitionError, or a group of them, for a declaration that cannot be meant.
    """

    def decorate(fn: Callable[..., Any]) -> AssetsDefinition:
        function = UserFunction(fn)
        own = name if name is not None else function.name
        faults = Faults(f"graph multi-asset {own!r}: ", function.place)
        faults.check_name(own)
        graph = build_graph(own, function, list(outs), faults)
        _note_dangling(graph, faults)
        return _assets(
            graph,
            outs,
            bind_ins(ins or {}, function, faults),
            faults,
            group_name=group_name,
            can_subset=can_subset,
            partitions_def=partitions_def,
            backfill_policy=backfill_policy,
            resource_defs=resource_defs or {},
            check_specs=check_specs or (),
        )

    return decorate


def assets_from(
    node: GraphDefinition | OpDefinition,
    *,
    keys_by_input_name: Mapping[str, CoercibleToAssetKey] | None = None,
    keys_by_output_name: Mapping[str, CoercibleToAssetKey] | None = None,
    key_prefix: CoercibleToKeyPrefix | None = None,
    internal_asset_deps: Mapping[str, Iterable[CoercibleToAssetKey]] | None = None,
    can_subset: bool = False,
    group_name: str | None = None,
    group_names_by_output_name: Mapping[str, str | None] | None = None,
    descriptions_by_output_name: Mapping[str, str] | None = None,
    metadata_by_output_name: Mapping[str, Mapping[str, Any] | None] | None = None,
    tags_by_output_name: Mapping[str, Mapping[str, str] | None] | None = None,
    owners_by_output_name: Mapping[str, Sequence[str] | None] | None = None,
    code_versions_by_output_name: Mapping[str, str | None] | None = None,
    automation_conditions_by_output_name: Mapping[str, Any] | None = None,
    partitions_def: Any = None,
    partition_mappings: Mapping[str, Any] | None = None,
    backfill_policy: Any = None,
    resource_defs: Mapping[str, Any] | None = None,
    check_specs: Sequence[AssetCheckSpec] | None = None,
) -> AssetsDefinition:
    """The assets that a graph or an op makes, one for each of its outputs; what ends in `_by_output_name` is by their names.

    The key of an output is its name, or that of the graph or op where that has one output called "result".
    Raises InvalidDefinitionError, or a group of them, for what cannot be meant.
    """
    faults = Faults(f"assets from {node.name!r}: ", caller_place())
    by_output: dict[str, Mapping[str, Any]] = {
        "key": keys_by_output_name or {},
        "group_name": group_names_by_output_name or {},
        "description": descriptions_by_output_name or {},
        "metadata": metadata_by_output_name or {},
        "tags": tags_by_output_name or {},
        "owners": owners_by_output_name or {},
        "code_version": code_versions_by_output_name or {},
        "automation_condition": automation_conditions_by_output_name or {},
    }
    _check_names("output", node.output_names, *by_output.values(), faults=faults)
    _check_names("input", node.input_names, keys_by_input_name or {}, partition_mappings or {}, faults=faults)
    outs = {}
    for name in node.output_names:
        given = {what: values[name] for what, values in by_output.items() if name in values}
        own = node.name if node.output_names == ("result",) else name
        outs[name] = AssetOut(**{**given, "key": AssetKey.coerce(given.get("key", [own])).with_prefix(key_prefix)})
    ins = {
        name: AssetIn((keys_by_input_name or {}).get(name), partition_mapping=(partition_mappings or {}).get(name))
        for name in {**(keys_by_input_name or {}), **(partition_mappings or {})}
    }
    if isinstance(node, GraphDefinition):
        _note_dangling(node, faults)
    return _assets(
        node,
        outs,
        ins,
        faults,
        internal_asset_deps=internal_asset_deps or {},
        can_subset=can_subset,
        group_name=group_name,
        partitions_def=partitions_def,
        backfill_policy=backfill_policy,
        resource_defs=resource_defs or {},
        check_specs=check_specs or (),
    )


def _check_names(what: str, known: Sequence[str], *given: Mapping[str, Any], faults: Faults) -> None:
    for name in {name for values in given for name in values} - set(known):
        faults.add(f"there is no {what} {name!r}", hint=f"It has {list(known)}.")


def _assets(
    node: GraphDefinition | OpDefinition,
    outs: Mapping[str, AssetOut],
    ins: Mapping[str, AssetIn],
    faults: Faults,
    *,
    internal_asset_deps: Mapping[str, Iterable[CoercibleToAssetKey]] | None = None,
    can_subset: bool = False,
    group_name: str | None = None,
    partitions_def: Any = None,
    check_specs: Sequence[AssetCheckSpec] = (),
    **options: Any,
) -> AssetsDefinition:
    check_backfill_policy(options.get("backfill_policy"), faults)
    if not outs:
        faults.add("it has no outputs, and so makes no assets", hint="Let it return what its last op gives.")
    ordered = _inputs_about_order(node)
    given = {name: ins.get(name, AssetIn()) for name in ordered}
    deps = [AssetDep(one.key or AssetKey(name), one.partition_mapping) for name, one in given.items()]
    loaded = {name: given for name, given in ins.items() if name not in ordered}
    makers = _makers(node)
    builder = OutputsBuilder(faults, node.function, loaded, group_name, partitions_def)
    builder.add_outs(
        {name: out for name, out in outs.items() if name in makers},
        {name: not out.is_nothing for name, (_, out) in makers.items()},
        deps,
        internal_asset_deps or {},
        {name: _attributes(node, name, *maker) for name, maker in makers.items()},
    )
    checks = own_checks(check_specs, {out.spec.key for out in builder.outputs.values()}, faults) if check_specs else ()
    faults.settle(f"the assets of {node.name!r}")
    if isinstance(node, GraphDefinition):
        builder.outputs = {name: _of_graph(output, node, can_subset) for name, output in builder.outputs.items()}
        options |= {"graph": node, "required_resource_keys": node.resource_keys}
    else:
        builder.outputs = {name: _of_op(output, node) for name, output in builder.outputs.items()}
        options |= {"required_resource_keys": node.required_resource_keys, "retry_policy": node.retry_policy}
        options |= {"op_tags": node.tags, "pool": node.pool}
    return AssetsDefinition(
        function=node.function,
        outputs=builder.outputs or unmade(node.function),
        node_name=node.name,
        ins=loaded,
        check_specs=checks,
        can_subset=can_subset,
        **options,
    )


def _inputs_about_order(node: GraphDefinition | OpDefinition) -> list[str]:
    """The inputs of an op that are not loaded; those of a graph are known to the ops that they go into."""
    return [] if isinstance(node, GraphDefinition) else [name for name, given in node.ins.items() if given.is_nothing]


def _makers(node: GraphDefinition | OpDefinition) -> Mapping[str, tuple[OpDefinition, Out]]:
    """The op that makes each output, and what is said of it there."""
    if isinstance(node, OpDefinition):
        return {name: (node, out) for name, out in node.outs.items()}
    ops = {name: (node.nodes[output.node].op, output.name) for name, output in node.outputs.items()}
    return {name: (op, op.outs[output]) for name, (op, output) in ops.items()}


def _attributes(node: GraphDefinition | OpDefinition, name: str, op: OpDefinition, out: Out) -> Mapping[str, Any]:
    """What is said of an asset where its own declaration says nothing."""
    declared = node.outs.get(name)
    return {
        "description": (declared.description if declared is not None else None) or out.description or node.description,
        "io_manager_key": out.io_manager_key,
        "metadata": out.metadata,
        "code_version": out.code_version or op.code_version,
    }


def _of_graph(output: AssetOutput, graph: GraphDefinition, can_subset: bool) -> AssetOutput:
    required = output.is_required and graph.is_certain(output.name)
    inputs = graph.inputs_for(output.name) if can_subset and output.inputs is None else output.inputs
    return replace(output, is_required=required, inputs=inputs, spec=replace_spec(output.spec, skippable=not required))


def _of_op(output: AssetOutput, op: OpDefinition) -> AssetOutput:
    required = op.outs[output.name].is_required
    return replace(output, is_required=required, spec=replace_spec(output.spec, skippable=not required))


def _note_dangling(graph: GraphDefinition, faults: Faults) -> None:
    for name in graph.dangling():
        hint = "Return it, pass it to an op that needs it, or remove it."
        faults.add(f"nothing is made of what the op {name!r} gives", hint=hint, where=graph.place)
