"""`AssetsDefinition`: one or more assets and the function that makes them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence, Set
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from warehouse_assets.definitions.functions import UserFunction
from warehouse_assets.definitions.naming import Place
from warehouse_assets.definitions.specs import DEFAULT_GROUP, DEFAULT_IO_MANAGER_KEY, AssetDep, AssetIn, AssetSpec, replace_spec
from warehouse_assets.errors import InvalidDefinitionError
from warehouse_assets.keys import AssetKey

if TYPE_CHECKING:
    from warehouse_assets.definitions.check_specs import AssetCheckSpec
    from warehouse_assets.definitions.graphs import GraphDefinition
    from warehouse_assets.definitions.ops import OpDefinition
    from warehouse_assets.definitions.policies import RetryPolicy
    from warehouse_assets.definitions.source import SourceAsset
    from warehouse_assets.sql.value import SQL

__all__ = ["AssetOutput", "AssetsDefinition"]

_NOTHING: Mapping[str, Any] = {}


@dataclass(frozen=True, slots=True)
class AssetOutput:
    """One output of a definition: the asset it makes, whether it has to, and what the asset is made from.

    `stored` is whether the I/O manager is called: not for a function annotated `-> None`. `inputs` are the arguments that it is
    made from (None: all of the definition), `internal_deps` the keys of the same definition.
    """

    name: str
    spec: AssetSpec
    is_required: bool = True
    stored: bool = True
    internal_deps: frozenset[AssetKey] = frozenset()
    inputs: frozenset[str] | None = None


class AssetsDefinition:
    """One or more assets and the function that makes them, as `@asset` and its relatives build it.

    Shows itself by `key` and `keys`, `specs`, `dependency_keys`, and by mappings such as `metadata_by_key`. Calling it calls the
    function. One with a `graph` runs the ops of it instead. `sql` is the query that its one table is made by, where that is known
    before anything runs: not that of a function which returns SQL.
    """

    __slots__ = (
        "_by_key",
        "backfill_policy",
        "can_subset",
        "check_specs",
        "function",
        "graph",
        "ins",
        "io_manager_def",
        "node_name",
        "op_tags",
        "outputs",
        "pool",
        "required_resource_keys",
        "resource_defs",
        "retry_policy",
        "sql",
    )

    def __init__(
        self,
        *,
        function: UserFunction,
        outputs: Mapping[str, AssetOutput],
        node_name: str,
        ins: Mapping[str, AssetIn] = _NOTHING,
        required_resource_keys: Set[str] = frozenset(),
        resource_defs: Mapping[str, Any] = _NOTHING,
        io_manager_def: Any = None,
        retry_policy: RetryPolicy | None = None,
        backfill_policy: Any = None,
        check_specs: Sequence[AssetCheckSpec] = (),
        op_tags: Mapping[str, Any] = _NOTHING,
        pool: str | None = None,
        can_subset: bool = False,
        graph: GraphDefinition | None = None,
        sql: SQL | None = None,
    ) -> None:
        self.function = function
        self.outputs = outputs
        self.node_name = node_name
        self.ins = ins
        self.required_resource_keys = required_resource_keys
        self.resource_defs = resource_defs
        self.io_manager_def = io_manager_def
        self.retry_policy = retry_policy
        self.backfill_policy = backfill_policy
        self.check_specs = check_specs
        self.op_tags = op_tags
        self.pool = pool
        self.can_subset = can_subset
        self.graph = graph
        self.sql = sql
        self._by_key = {output.spec.key: output for output in outputs.values()}

    @classmethod
    def from_graph(cls, graph_def: GraphDefinition, **options: Any) -> AssetsDefinition:
        """The assets that a graph makes, one for each of its outputs, from those of the names of its inputs.

        `keys_by_input_name` and `keys_by_output_name` give other keys, `key_prefix` stands before those of the outputs. With
        `can_subset` a selection of the assets runs only the ops that it needs. The other options are those of `assets_from`.
        """
        from warehouse_assets.definitions.graph_assets import assets_from

        return assets_from(graph_def, **options)

    @classmethod
    def from_op(cls, op_def: OpDefinition, **options: Any) -> AssetsDefinition:
        """The assets that an op makes, one for each of its outputs. Takes what `from_graph` takes."""
        from warehouse_assets.definitions.graph_assets import assets_from

        return assets_from(op_def, **options)

    # what it is

    @property
    def key(self) -> AssetKey:
        """The key of the one asset; InvalidDefinitionError where there are several."""
        if len(self._by_key) != 1:
            raise InvalidDefinitionError(
                f"{self.node_name!r} has {len(self._by_key)} keys, not one", where=str(self.place), hint="Use its keys."
            )
        return next(iter(self._by_key))

    @property
    def keys(self) -> Set[AssetKey]:
        """The keys of all its assets."""
        return self._by_key.keys()

    @property
    def place(self) -> Place:
        """Where it was declared."""
        return self.function.place

    @property
    def specs(self) -> Sequence[AssetSpec]:
        """The spec of each of its assets, with the dependencies that are explicit."""
        return [output.spec for output in self.outputs.values()]

    def get_asset_spec(self, key: AssetKey | None = None) -> AssetSpec:
        """The spec of one of its assets."""
        return self._by_key[key or self.key].spec

    def output_for(self, key: AssetKey) -> AssetOutput:
        """The output that makes the asset `key`."""
        return self._by_key[key]

    def key_for_argument(self, argument: str) -> AssetKey | None:
        """The key that an argument is bound to by `ins`; None where its name has to be looked up in the graph."""
        declared = self.ins.get(argument)
        return declared.key_for(argument) if declared is not None else None

    @property
    def arguments(self) -> Iterable[str]:
        """The names of all inputs: the function's parameters, and what `ins` adds for `**kwargs`."""
        return dict.fromkeys((*(parameter.name for parameter in self.function.inputs), *self.ins))

    @property
    def dependency_keys(self) -> Set[AssetKey]:
        """The keys it depends on; an argument whose key is not given stands for the key of its name."""
        return {key for keys in self.asset_deps.values() for key in keys}

    @property
    def asset_deps(self) -> Mapping[AssetKey, Set[AssetKey]]:
        """The keys that each of its assets depends on, those of the same definition included."""
        by_argument = {name: self.key_for_argument(name) or AssetKey(name) for name in self.arguments}
        return {
            key: {
                *(dep.asset_key for dep in output.spec.deps),
                *(by_argument[name] for name in by_argument if output.inputs is None or name in output.inputs),
                *output.internal_deps,
            }
            for key, output in self._by_key.items()
        }

    @property
    def partitions_def(self) -> Any:
        """How its assets are partitioned, which is one way for all of them; None where they are not."""
        return next(iter(self.outputs.values())).spec.partitions_def

    @property
    def group_names_by_key(self) -> Mapping[AssetKey, str]:
        """The group of each asset: "default" where none was given."""
        return {key: output.spec.group_name or DEFAULT_GROUP for key, output in self._by_key.items()}

    @property
    def metadata_by_key(self) -> Mapping[AssetKey, Mapping[str, Any]]:
        """The metadata of each asset's definition."""
        return {key: output.spec.metadata for key, output in self._by_key.items()}

    @property
    def descriptions_by_key(self) -> Mapping[AssetKey, str | None]:
        """The description of each asset."""
        return {key: output.spec.description for key, output in self._by_key.items()}

    @property
    def code_versions_by_key(self) -> Mapping[AssetKey, str | None]:
        """The code version of each asset."""
        return {key: output.spec.code_version for key, output in self._by_key.items()}

    @property
    def tags_by_key(self) -> Mapping[AssetKey, Mapping[str, str]]:
        """The tags of each asset."""
        return {key: output.spec.tags for key, output in self._by_key.items()}

    def io_manager_key_for(self, key: AssetKey) -> str:
        """The name of the I/O manager that stores the asset `key`; one given by `io_manager_def` has a name of its own."""
        if self.io_manager_def is not None:
            return f"{self.node_name}__io_manager"
        return self._by_key[key].spec.io_manager_key or DEFAULT_IO_MANAGER_KEY

    # what can be made of it

    def map_specs(self, change: Callable[[AssetSpec], AssetSpec]) -> AssetsDefinition:
        """A copy with each spec changed; the internal dependencies follow changed keys."""
        changed = {name: change(output.spec) for name, output in self.outputs.items()}
        renamed = {self.outputs[name].spec.key: spec.key for name, spec in changed.items()}
        outputs = {}
        for name, output in self.outputs.items():
            internal = frozenset(renamed.get(key, key) for key in output.internal_deps)
            outputs[name] = replace(output, spec=changed[name], internal_deps=internal)
        return self._copy(outputs=outputs, check_specs=[spec.with_keys(renamed) for spec in self.check_specs])

    def with_attributes(self, *, new_keys: Mapping[AssetKey, AssetKey], group_name: str | None = None) -> AssetsDefinition:
        """A copy in which keys are replaced, its own and those it depends on, or which is in another group."""

        def change(spec: AssetSpec) -> AssetSpec:
            deps = tuple(AssetDep(new_keys.get(d.asset_key, d.asset_key), d.partition_mapping) for d in spec.deps)
            key = new_keys.get(spec.key, spec.key)
            return replace_spec(spec, key=key, deps=deps, group_name=group_name or spec.group_name)

        ins = dict(self.ins)
        for argument in self.arguments:
            old = self.key_for_argument(argument) or AssetKey(argument)
            if old in new_keys:
                ins[argument] = ins.get(argument, AssetIn()).with_key(new_keys[old])
        checks = [spec.with_keys(new_keys) for spec in self.check_specs]
        return self.map_specs(change)._copy(ins=ins, check_specs=checks)

    def with_io_manager(self, manager: Any, ins: Mapping[str, AssetIn]) -> AssetsDefinition:
        """A copy whose tables are held by `manager`, whichever was declared, and whose arguments are bound by `ins`."""
        return self._copy(io_manager_def=manager, ins=ins)

    def with_sql(self, sql: SQL | None) -> AssetsDefinition:
        """A copy that is made by this query: its own for example, of which more is known."""
        return self._copy(sql=sql)

    def with_resource_defs(self, resource_defs: Mapping[str, Any]) -> AssetsDefinition:
        """A copy that brings these resources along, and no others."""
        return self._copy(resource_defs=resource_defs)

    def _copy(self, **changes: Any) -> AssetsDefinition:
        values = {name: getattr(self, name) for name in self.__slots__ if name != "_by_key"}
        return type(self)(**{**values, **changes})

    def to_source_asset(self, key: AssetKey | str | None = None) -> SourceAsset:
        """The same table, as one that something else fills: it carries key, metadata, manager, description and partitions."""
        from warehouse_assets.definitions.source import SourceAsset

        spec = self.get_asset_spec(AssetKey.coerce(key) if key is not None else None)
        return SourceAsset(
            spec.key,
            metadata=spec.metadata,
            io_manager_key=spec.io_manager_key,
            io_manager_def=self.io_manager_def,
            description=spec.description,
            partitions_def=spec.partitions_def,
            group_name=spec.group_name,
            tags=spec.tags,
            place=spec.place,
        )

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """Call the function itself: inputs by position or name, `config` and resources by name, a context first.

        What is not given comes from the context, which `build_asset_context` builds. What the function returns is given back as it
        is, a generator too. A graph hands the values of its ops over in the same way.
        Raises InvalidInvocationError where a context, resource or input is missing.
        """
        from warehouse_assets.definitions.invocation import invoke

        single = len(self.outputs) == 1
        who = f"asset {self.key.to_user_string()!r}" if single else repr(self.node_name)
        keys = self.required_resource_keys if self.graph is None and self.function.context_parameter is not None else ()
        return invoke(self, self.function, who, args, kwargs, resource_keys=keys, is_graph=self.graph is not None)

    def _repr_html_(self) -> str:
        from warehouse_assets.definitions.cards import definition_card
        from warehouse_assets.html import drawn

        return drawn(self, lambda: definition_card(self))

    def __repr__(self) -> str:
        return f"AssetsDefinition({', '.join(sorted(key.to_user_string() for key in self.keys))})"
