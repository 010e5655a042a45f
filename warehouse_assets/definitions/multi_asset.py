"""`@multi_asset`: one function that makes several tables."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

from warehouse_assets.definitions.asset import bind_ins, own_checks
from warehouse_assets.definitions.assets import AssetOutput, AssetsDefinition
from warehouse_assets.definitions.functions import UserFunction
from warehouse_assets.definitions.naming import Faults, caller_place
from warehouse_assets.definitions.partitioning import (
    PARTITION_EXPR,
    check_backfill_policy,
    check_partition_expr,
    check_partitions,
    check_shared_partitions,
)
from warehouse_assets.definitions.specs import AssetDep, AssetIn, AssetSpec, CoercibleToDep, normalize_deps, replace_spec
from warehouse_assets.errors import InvalidDefinitionError
from warehouse_assets.keys import AssetKey, CoercibleToAssetKey, CoercibleToKeyPrefix, key_prefix_segments

if TYPE_CHECKING:
    from warehouse_assets.definitions.check_specs import AssetCheckSpec
    from warehouse_assets.definitions.policies import RetryPolicy
    from warehouse_assets.table_options import TableOptions

__all__ = ["AssetOut", "multi_asset"]


@dataclass(frozen=True, slots=True)
class AssetOut:
    """One of several tables that a function makes: what `@asset` says of the only one.

    The key is the name of the out, after `key_prefix`, unless `key` is given. One with `is_required=False` may be left out.
    """

    key: AssetKey | None = None
    key_prefix: tuple[str, ...] = ()
    is_required: bool = True
    attributes: Mapping[str, Any] = field(default_factory=dict)

    def __init__(
        self,
        key_prefix: CoercibleToKeyPrefix | None = None,
        key: CoercibleToAssetKey | None = None,
        *,
        description: str | None = None,
        is_required: bool = True,
        io_manager_key: str | None = None,
        metadata: Mapping[str, Any] | None = None,
        group_name: str | None = None,
        code_version: str | None = None,
        data_version: Literal["content"] | None = None,
        automation_condition: Any = None,
        freshness_policy: Any = None,
        partitions_def: Any = None,
        table: TableOptions | None = None,
        owners: Sequence[str] | None = None,
        tags: Mapping[str, str] | None = None,
        kinds: Iterable[str] | None = None,
    ) -> None:
        if key is not None and key_prefix is not None:
            faults = Faults(where=caller_place())
            faults.add("an AssetOut takes key or key_prefix, not both")
            faults.settle()
        attributes = {
            "description": description,
            "io_manager_key": io_manager_key,
            "metadata": metadata,
            "group_name": group_name,
            "code_version": code_version,
            "data_version": data_version,
            "automation_condition": automation_condition,
            "freshness_policy": freshness_policy,
            "partitions_def": partitions_def,
            "table": table,
            "owners": owners,
            "tags": tags,
            "kinds": kinds,
        }
        put = object.__setattr__
        put(self, "key", AssetKey.coerce(key) if key is not None else None)
        put(self, "key_prefix", key_prefix_segments(key_prefix))
        put(self, "is_required", is_required)
        put(self, "attributes", {name: value for name, value in attributes.items() if value is not None})

    @classmethod
    def from_spec(cls, spec: AssetSpec) -> AssetOut:
        """The out that makes the asset of a spec, its dependencies left aside."""
        names = (*_SPEC_ATTRIBUTES, "group_name", "code_version", "data_version", "io_manager_key")
        return cls(key=spec.key, is_required=not spec.skippable, **{name: getattr(spec, name) for name in names})

    def key_for(self, name: str) -> AssetKey:
        """The key of the out called `name`."""
        return self.key or AssetKey((*self.key_prefix, name))


_SPEC_ATTRIBUTES = (
    "description",
    "metadata",
    "automation_condition",
    "freshness_policy",
    "partitions_def",
    "owners",
    "tags",
    "kinds",
)


def multi_asset(
    *,
    outs: Mapping[str, AssetOut] | None = None,
    specs: Iterable[AssetSpec] | None = None,
    name: str | None = None,
    ins: Mapping[str, AssetIn | CoercibleToAssetKey] | None = None,
    deps: Iterable[CoercibleToDep] | None = None,
    internal_asset_deps: Mapping[str, Iterable[CoercibleToAssetKey]] | None = None,
    can_subset: bool = False,
    description: str | None = None,
    group_name: str | None = None,
    code_version: str | None = None,
    check_specs: Sequence[AssetCheckSpec] | None = None,
    partitions_def: Any = None,
    backfill_policy: Any = None,
    retry_policy: RetryPolicy | None = None,
    required_resource_keys: Iterable[str] | None = None,
    resource_defs: Mapping[str, Any] | None = None,
    op_tags: Mapping[str, Any] | None = None,
    pool: str | None = None,
) -> Callable[[Callable[..., Any]], AssetsDefinition]:
    """Declare several tables by the function that makes them, as `outs` by name or as `specs`.

    With `outs` it returns a tuple with a value for each, or yields `Output(value, name)`; each depends on all inputs unless
    `internal_asset_deps` gives, by its name, the keys that it depends on, which may be those of other outs. With `specs` it stores
    the tables itself, and may yield `MaterializeResult(asset_key=…)`. With `can_subset` it makes those that
    `context.selected_output_names` has.

    >>> from warehouse_assets import Output
    >>> @multi_asset(outs={"good": AssetOut(key_prefix="staging"), "bad": AssetOut(is_required=False)})
    ... def orders(raw_orders):
    ...     yield Output([order for order in raw_orders if order > 0], "good")
    >>> sorted(orders.keys)
    [AssetKey(['bad']), AssetKey(['staging', 'good'])]

    Raises InvalidDefinitionError, or a group of them, for a declaration that cannot be meant.
    """

    def decorate(fn: Callable[..., Any]) -> AssetsDefinition:
        function = UserFunction(fn)
        faults = Faults(f"multi-asset {name or function.name!r}: ", function.place)
        faults.check_name(name if name is not None else function.name)
        function.check(faults)
        check_backfill_policy(backfill_policy, faults)
        bound = bind_ins(ins, function, faults) if ins else {}
        builder = OutputsBuilder(faults, function, bound, group_name, partitions_def)
        spec_list = list(specs or ())
        if (outs is None) == (specs is None):
            faults.add(
                "it takes outs or specs, one of the two", hint="Write outs={'name': AssetOut()} or specs=[AssetSpec('key')]."
            )
        elif outs is not None:
            stored = dict.fromkeys(outs, not function.returns_nothing)
            defaults = {"description": description or function.description, "code_version": code_version}
            dep_list = normalize_deps(deps, faults) if deps else ()
            builder.add_outs(outs, stored, dep_list, internal_asset_deps or {}, dict.fromkeys(outs, defaults))
        else:
            if deps is not None or internal_asset_deps is not None:
                faults.add("deps and internal_asset_deps go with outs", hint="Write AssetSpec(key, deps=[…]).")
            builder.add_specs(spec_list, can_subset=can_subset, code_version=code_version)
        if not (outs or spec_list):
            faults.add("it makes no assets", hint="Give an out or a spec for each.")
        checks = own_checks(check_specs, {out.spec.key for out in builder.outputs.values()}, faults) if check_specs else ()
        faults.settle(f"multi-asset {name or function.name!r}")
        return AssetsDefinition(
            function=function,
            outputs=builder.outputs or unmade(function),
            node_name=name or function.name,
            ins=bound,
            required_resource_keys=frozenset(required_resource_keys or ()),
            resource_defs=resource_defs or {},
            retry_policy=retry_policy,
            backfill_policy=backfill_policy,
            check_specs=checks,
            op_tags=op_tags or {},
            pool=pool,
            can_subset=can_subset,
        )

    if callable(outs):
        raise InvalidDefinitionError("@multi_asset is used without arguments", hint="Write @multi_asset(outs={…}).")
    return decorate


def unmade(function: UserFunction) -> Mapping[str, AssetOutput]:
    """What stands for the outputs of a definition that is faulty and has none."""
    return {"result": AssetOutput("result", AssetSpec(AssetKey(function.name), place=function.place))}


class OutputsBuilder:
    """Works out the outputs of a definition of several assets, and notes what is wrong with them."""

    def __init__(
        self,
        faults: Faults,
        function: UserFunction,
        ins: Mapping[str, AssetIn],
        group_name: str | None = None,
        partitions_def: Any = None,
    ) -> None:
        self.faults = faults
        self.place = function.place
        self.group_name = group_name
        known = partitions_def is not None and check_partitions(partitions_def, {}, faults)
        self.partitions_def = partitions_def if known else None
        self.outputs: dict[str, AssetOutput] = {}
        self._keys: set[AssetKey] = set()
        arguments = dict.fromkeys((*function.names, *ins))
        self._argument_keys = {name: ins[name].key_for(name) if name in ins else None for name in arguments}

    def add_outs(
        self,
        outs: Mapping[str, Any],
        stored: Mapping[str, bool],
        deps: Sequence[AssetDep],
        internal_asset_deps: Mapping[str, Iterable[CoercibleToAssetKey]],
        defaults: Mapping[str, Mapping[str, Any]],
    ) -> None:
        """Outputs by name; each depends on all that goes in, or on the keys that `internal_asset_deps` gives for it.

        `stored` is whether each has a value, `defaults` are the attributes of each that the out does not have.
        """
        for name in internal_asset_deps.keys() - outs.keys():
            self.faults.add(f"internal_asset_deps names {name!r}, which is no out", hint=f"It has {sorted(outs)}.")
        own = {out.key_for(name) for name, out in outs.items() if isinstance(out, AssetOut)}
        for name, out in outs.items():
            if not isinstance(out, AssetOut):
                self.faults.add(f"the out {name!r} is {out!r}, not an AssetOut", hint="Write AssetOut(…).")
                continue
            if out.key is None:
                self.faults.check_name(name, "out")
                self.faults.check_segments(out.key_prefix, "key_prefix")
            spec = self._spec(out, name, {**defaults[name], **out.attributes}, deps)
            output = AssetOutput(name, spec, out.is_required, stored[name])
            if name in internal_asset_deps:
                output = self._narrowed(output, own, internal_asset_deps[name])
            self._add(output)
        self._check_shared_partitions()

    def add_specs(self, specs: Sequence[Any], *, can_subset: bool, code_version: str | None) -> None:
        """An output for each spec, named like its key; an argument that is among no spec's dependencies goes into all of them."""
        given = [spec for spec in specs if isinstance(spec, AssetSpec)]
        own = {spec.key for spec in given}
        deps = {spec.key: {dep.asset_key for dep in spec.deps} for spec in given}
        for_all = self._argument_keys.keys() - self._arguments_for(key for keys in deps.values() for key in keys)
        for wrong in (spec for spec in specs if not isinstance(spec, AssetSpec)):
            self.faults.add(f"the spec {wrong!r} is not an AssetSpec", hint="Write AssetSpec(key).")
        for spec in given:
            inputs = self._arguments_for(deps[spec.key]) | for_all
            name = "__".join(spec.key.path)
            while name in self.outputs:  # of another key
                name += "_"
            attributes = {"partitions_def": spec.partitions_def or self.partitions_def, "place": spec.place or self.place}
            if spec.code_version is None:
                attributes["code_version"] = code_version
            attributes["group_name"] = self._group(spec.group_name, name)
            required = not (can_subset or spec.skippable)
            internal = frozenset((deps[spec.key] & own) - {spec.key})
            stored = spec.io_manager_key is not None
            self._add(AssetOutput(name, replace_spec(spec, **attributes), required, stored, internal, inputs))
            if spec.partitions_def is None and self.partitions_def is not None and PARTITION_EXPR in spec.metadata:
                check_partition_expr(self.partitions_def, spec.metadata[PARTITION_EXPR], self.faults)
        self._check_shared_partitions()

    def _add(self, output: AssetOutput) -> None:
        key = output.spec.key
        if key in self._keys:
            self.faults.add(f"two outs have the key {key.to_user_string()!r}", hint="Give one of them another name or prefix.")
            return
        self._keys.add(key)
        self.outputs[output.name] = output

    def _check_shared_partitions(self) -> None:
        if not self.faults.errors:  # a faulty spec has lost its partitions
            check_shared_partitions((output.spec for output in self.outputs.values()), self.faults)

    def _spec(self, out: AssetOut, name: str, attributes: dict[str, Any], deps: Sequence[AssetDep]) -> AssetSpec:
        attributes["group_name"] = self._group(attributes.get("group_name"), name)
        key = out.key_for(name or "?")
        values = {"deps": deps, "partitions_def": self.partitions_def, "skippable": not out.is_required, "place": self.place}
        return self.faults.attempt(AssetSpec, key, **{**values, **attributes}) or AssetSpec(key, place=self.place)

    def _group(self, own: str | None, name: str) -> str | None:
        if own is not None and self.group_name is not None:
            self.faults.add(f"group_name is given for all assets and for {name!r} too", hint="Give it for all or for each.")
        return own or self.group_name

    def _narrowed(self, output: AssetOutput, own: set[AssetKey], given: Iterable[CoercibleToAssetKey]) -> AssetOutput:
        """The output with the dependencies that are given for it, and no others."""
        keys = {AssetKey.coerce(key) for key in given}
        deps = tuple(dep for dep in output.spec.deps if dep.asset_key in keys)
        inputs = self._arguments_for(keys)
        for key in sorted(keys - own - {dep.asset_key for dep in deps}):
            if self._arguments_for([key]):
                continue
            self.faults.add(
                f"internal_asset_deps of {output.name!r} names {key.to_user_string()!r}, which is no out, argument or dep",
                hint="Add it to ins or deps.",
            )
        if output.spec.key in keys:
            self.faults.add(f"internal_asset_deps of {output.name!r} names itself", hint="Leave it out.")
        spec = replace_spec(output.spec, deps=deps)
        return AssetOutput(output.name, spec, output.is_required, output.stored, frozenset(keys & own), inputs)

    def _arguments_for(self, keys: Iterable[AssetKey]) -> frozenset[str]:
        """The arguments that stand for one of these keys; one whose key has to be looked up stands for any of its name."""
        wanted = set(keys)
        names = {key.path[-1] for key in wanted}
        return frozenset(name for name, key in self._argument_keys.items() if key in wanted or (key is None and name in names))
