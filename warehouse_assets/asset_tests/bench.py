"""`check_asset`: one asset, run in memory on given tables, and compared with what it should make."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from typing import Any

import polars as pl

from warehouse_assets.asset_tests.difference import Comparison, as_frame, difference, is_frame
from warehouse_assets.code_location.definitions import Definitions
from warehouse_assets.definitions.assets import AssetsDefinition
from warehouse_assets.definitions.source import SourceAsset
from warehouse_assets.definitions.specs import AssetDep, AssetIn, AssetSpec, dep_keys, replace_spec
from warehouse_assets.errors import InvalidInvocationError, InvalidSelectionError
from warehouse_assets.execution.run import execute_run
from warehouse_assets.execution.run_config import RunConfig
from warehouse_assets.graph.asset_graph import AnyAsset, AssetGraph, suggest_keys
from warehouse_assets.io_manager.base import IOManager
from warehouse_assets.io_manager.contexts import InputContext, OutputContext
from warehouse_assets.io_manager.registry import io_manager_from_uri
from warehouse_assets.keys import AssetKey, CoercibleToAssetKey, user_strings
from warehouse_assets.sql.partitions import with_partition
from warehouse_assets.sql.value import SQL

__all__ = ["check_asset"]


def check_asset(
    defs: Definitions | AnyAsset | Iterable[AnyAsset],
    key: CoercibleToAssetKey | AssetsDefinition,
    *,
    given: Mapping[Any, Any] | None = None,
    expect: Any,
    resources: Mapping[str, Any] | None = None,
    config: Any = None,
    partition_key: str | None = None,
    by: str | Sequence[str] | None = None,
    check_order: bool = False,
    check_types: bool = True,
    rel_tol: float = 1e-9,
    abs_tol: float = 1e-12,
    partial: bool = False,
) -> None:
    """Run one asset on the tables that are `given`, by key, and raise AssertionError where it does not make `expect`.

    Nothing else runs, and nothing is stored outside of memory; SQL runs on an embedded DuckDB. Tables are frames of any library,
    or dicts of lists; what is given arrives as the asset's annotations ask for it. Of a multi-asset, `expect` is a dict with a
    table for each asset that is looked at. `resources` replace those of the definitions, `config` is that of the asset.

    The order of columns makes no difference, nor does that of rows unless `check_order`. Types count where `expect` has types, which
    a dict of lists has not; `check_types=False` leaves them aside. Floats may differ by `rel_tol` or `abs_tol`. Rows are told apart
    `by` these columns, or the first one that can, to show which cells differ. With `partial`, columns that are not expected are left
    aside.

    >>> from warehouse_assets import SQL, asset
    >>> @asset(key_prefix="marts", deps=["raw/orders"])
    ... def revenue():
    ...     return SQL("select sum(amount) as total from raw.orders")
    >>> check_asset(revenue, "marts/revenue", given={"raw/orders": {"amount": [1, 2]}}, expect={"total": [3]})

    Raises InvalidInvocationError where an input is not given, or what is given is no input, and what the asset itself raises.
    """
    __tracebackhide__ = True
    if isinstance(defs, Definitions):
        graph, own = defs.graph, defs.resources
    else:
        graph, own = _graph_of(_flat([defs]), given or {}), {}
    definition, expected = _expected(graph, key, expect)
    bench = _Bench(definition, _tables(graph, definition, given or {}))
    execute_run(
        bench.graph(graph, resources or {}),
        _selected(definition, expected),
        resources={**own, **(resources or {})},
        run_config=RunConfig({definition.node_name: config} if config is not None else {}),
        tags={},
        partition_key=partition_key,
    )
    comparison = Comparison([by] if isinstance(by, str) else by, check_order, check_types, rel_tol, abs_tol, partial)
    for asset_key, table in expected.items():
        _compare(asset_key, bench, table, comparison)


def _graph_of(assets: Iterable[Any], given: Mapping[Any, Any]) -> AssetGraph:
    """The graph of assets that stand alone: what they are made from is known by what is given, or else by their arguments."""
    found = list(assets)
    known = {key for item in found for key in dep_keys(item)}
    upstream = {key for name in given for key in dep_keys(name)} - known
    names = {key.path[-1] for key in known | upstream}
    for definition in (item for item in found if isinstance(item, AssetsDefinition)):
        for parameter in definition.function.inputs:
            wanted = definition.key_for_argument(parameter.name)
            if wanted is not None or not (parameter.has_default or parameter.name in names):
                upstream.add(wanted or AssetKey(parameter.name))
    return AssetGraph.build([*found, *map(AssetSpec, sorted(upstream - known))])


def _flat(items: Any) -> Iterator[Any]:
    for item in items:
        if isinstance(item, Iterable) and not isinstance(item, str):
            yield from _flat(item)
        else:
            yield item


def _expected(graph: AssetGraph, key: Any, expect: Any) -> tuple[AssetsDefinition, Mapping[AssetKey, Any]]:
    """The definition that is run, and what each asset that is looked at should be."""
    keys = dep_keys(key)
    for one in keys:
        if one not in graph:
            raise InvalidSelectionError(f"there is no asset {one.to_user_string()!r}", hint=suggest_keys(one, graph.nodes))
    definition = graph.nodes[keys[0]].definition
    if definition is None:
        raise InvalidInvocationError(f"{keys[0].to_user_string()!r} is filled by something else, and cannot be run")
    expected = {keys[0]: expect}
    if len(definition.outputs) > 1 and isinstance(expect, Mapping) and not is_frame(expect):
        by_name = {output.name: output.spec.key for output in definition.outputs.values()}
        expected = {by_name[name] if name in by_name else AssetKey.coerce(name): table for name, table in expect.items()}
    elif len(keys) > 1:
        raise InvalidInvocationError(
            f"{definition.node_name!r} makes several assets, and one table is expected",
            hint="Give expect={key: table}, or the key of the asset that is meant.",
        )
    for one in expected:
        if one not in definition.keys:
            hint = f"It makes {user_strings(definition.keys)}."
            raise InvalidInvocationError(f"{definition.node_name!r} does not make {one.to_user_string()!r}", hint=hint)
        if not definition.output_for(one).stored:
            raise InvalidInvocationError(
                f"asset {one.to_user_string()!r} stores nothing, so there is no table to compare",
                where=str(definition.place),
                hint="Call it instead, and look at what it did; or let it return its table.",
            )
    return definition, expected


def _selected(definition: AssetsDefinition, expected: Collection[AssetKey]) -> set[AssetKey]:
    """The assets that run: all of the definition, or, where it can run in part, those expected and what they are made from."""
    if not definition.can_subset:
        return set(definition.keys)
    selected = list(expected)
    for key in selected:
        selected += [other for other in definition.output_for(key).internal_deps if other not in selected]
    return set(selected)


def _tables(graph: AssetGraph, definition: AssetsDefinition, given: Mapping[Any, Any]) -> dict[AssetKey, Any]:
    """What is given, by the key that it is meant for; all that is missing, or no input, is said at once."""
    parents = {parent for key in definition.keys for parent in graph.nodes[key].parents} - definition.keys
    bound = graph.bindings[definition]
    optional = {parameter.name for parameter in definition.function.inputs if parameter.has_default}
    tables = {}
    faults = []
    for name, table in given.items():
        for key in dep_keys(name):
            ending = [other for other in parents if other.path[-1:] == key.path]
            meant = key if key in parents or key in bound.values() else ending[0] if len(ending) == 1 else None
            if meant is None:
                faults.append(f"{key.to_user_string()!r} is given, and is no input of it")
            else:
                tables[meant] = as_frame(table) if is_frame(table) else table
    missing = [key for argument, key in bound.items() if key not in tables and argument not in optional]
    faults += [f"the input {key.to_user_string()!r} is not given" for key in dict.fromkeys(missing)]
    if faults:
        what = f"Its inputs are {user_strings(parents)}." if parents else "It has no inputs."
        raise InvalidInvocationError(
            f"asset {user_strings(definition.keys)!r}: {'; '.join(faults)}", where=str(definition.place), hint=what
        )
    return tables


class _Bench(IOManager):
    """Gives what is given, whole, and keeps what is made, both in memory."""

    def __init__(self, definition: AssetsDefinition, tables: Mapping[AssetKey, Any]) -> None:
        self.definition = definition
        self._given = io_manager_from_uri("memory://")
        self._made = io_manager_from_uri("memory://")
        self.keys = set(tables)
        self.made: set[AssetKey] = set()
        for key, table in tables.items():
            self._given.handle_output(OutputContext(key), table)

    @property
    def store_id(self) -> str:
        """This object and no other."""
        return f"check_asset:{id(self)}"

    def run_sql(self, context: OutputContext, sql: Any) -> Any:
        """Make a table from SQL, on an embedded DuckDB."""
        return self.handle_output(context, sql)

    def handle_output(self, context: OutputContext, obj: Any) -> None:
        made = with_partition(obj, context) if isinstance(obj, SQL) else obj
        self._made.handle_output(OutputContext(context.asset_key, sources=context.sources, log=context.log), made)
        self.made.add(context.asset_key)

    def load_input(self, context: InputContext) -> Any:
        if context.asset_key not in self.keys:
            key, who = context.asset_key.to_user_string(), user_strings(self.definition.keys)
            raise InvalidInvocationError(
                f"asset {who!r} reads {key!r}, which is not given", hint=f"Give it as given={{{key!r}: …}}."
            )
        upstream = OutputContext(context.asset_key, definition_metadata=context.upstream_output.definition_metadata)
        return self._given.load_input(
            InputContext(context.asset_key, type_hint=context.type_hint, metadata=context.metadata, upstream_output=upstream)
        )

    def value(self, key: AssetKey) -> Any:
        """What the asset made."""
        return self._made.load_input(InputContext(key))

    def graph(self, around: AssetGraph, replaced: Collection[str]) -> AssetGraph:
        """The definition alone, with all that it is made from as sources that are kept here."""
        definition = self.definition
        ins = {}
        for argument, key in around.bindings[definition].items():
            declared = definition.ins.get(argument, AssetIn())
            mapping = declared.partition_mapping if key in definition.keys else None
            ins[argument] = AssetIn(key, metadata=declared.metadata, partition_mapping=mapping)
        kept = {name: value for name, value in definition.resource_defs.items() if name not in replaced}
        alone = definition.map_specs(lambda spec: replace_spec(spec, deps=tuple(_plain_deps(spec))))
        parents = {parent for key in definition.keys for parent in around.nodes[key].parents} - definition.keys
        bound = around.bindings[definition].values()
        sources = [
            SourceAsset(key, metadata=around.nodes[key].spec.metadata, io_manager_def=self)
            for key in sorted(parents)
            if key in self.keys or key not in bound
        ]
        if definition.sql is not None:
            alone = alone.with_sql(around.nodes[definition.key].sql)  # which knows what its names mean in their store
        return AssetGraph.build([alone.with_resource_defs(kept).with_io_manager(self, ins), *sources])


def _plain_deps(spec: AssetSpec) -> Iterator[AssetDep]:
    """The dependencies of an asset as of sources without partitions."""
    for dep in spec.deps:
        yield dep if dep.asset_key == spec.key else AssetDep(dep.asset_key)


def _compare(key: AssetKey, bench: _Bench, expect: Any, comparison: Comparison) -> None:
    __tracebackhide__ = True
    name = key.to_user_string()
    if key not in bench.made:
        raise AssertionError(f"asset {name!r} gave no table to compare: it left its output out, or stored the table itself")
    made = bench.value(key)
    if isinstance(made, Mapping) or not is_frame(made):
        if made != expect:
            raise AssertionError(f"asset {name!r} is not as expected\n  made      {made!r}\n  expected  {expect!r}")
    elif not is_frame(expect):
        raise InvalidInvocationError(
            f"asset {name!r} makes a table, and a value of type {type(expect).__qualname__} is expected",
            hint="Expect a frame, or a dict of equally long lists.",
        )
    elif lines := _difference(as_frame(made), expect, comparison):
        raise AssertionError("\n".join([f"asset {name!r} is not as expected", *lines]))


def _difference(made: pl.DataFrame, expect: Any, comparison: Comparison) -> list[str]:
    expected = as_frame(expect)
    if comparison.partial:
        made = made.select(name for name in made.columns if name in expected.columns) if expected.width else made
        expected = expected if expected.width else made.clear()
    return difference(made, expected, comparison.without_types(isinstance(expect, Mapping)))
