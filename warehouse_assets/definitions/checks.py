"""Asset checks: functions that say whether a table is as it should be."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence, Set
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, ClassVar

from warehouse_assets.definitions.asset import bind_ins
from warehouse_assets.definitions.check_specs import AssetCheckSpec, checked_specs
from warehouse_assets.definitions.functions import UserFunction
from warehouse_assets.definitions.naming import Faults, Place
from warehouse_assets.definitions.specs import AssetIn, CoercibleToDep
from warehouse_assets.keys import AssetCheckKey, AssetKey, CoercibleToAssetKey, CoercibleToKeyPrefix

if TYPE_CHECKING:
    from warehouse_assets.definitions.policies import RetryPolicy

__all__ = ["AssetChecksDefinition", "asset_check", "multi_asset_check", "prefixed"]


_NOTHING: Mapping[str, Any] = {}


@dataclass(frozen=True, slots=True, eq=False)
class AssetChecksDefinition:
    """One or more checks and the function that evaluates them. Calling it calls the function.

    `asset_argument` is the argument that is filled with the table that is checked, where the name of it does not say so. Checks
    with `reads_record` look at what was recorded of the table, so they run after it is published, blocking or not.
    """

    function: UserFunction
    specs: tuple[AssetCheckSpec, ...]
    node_name: str
    ins: Mapping[str, AssetIn] = field(default_factory=dict)
    required_resource_keys: Set[str] = frozenset()
    resource_defs: Mapping[str, Any] = field(default_factory=dict)
    retry_policy: RetryPolicy | None = None
    can_subset: bool = False
    reads_record: bool = False
    op_tags: Mapping[str, Any] = field(default_factory=dict)
    pool: str | None = None

    # A step runs a definition; this is what one says that makes no assets.
    outputs: ClassVar[Mapping[str, Any]] = _NOTHING
    keys: ClassVar[Set[AssetKey]] = frozenset()
    graph: ClassVar[None] = None
    partitions_def: ClassVar[None] = None
    backfill_policy: ClassVar[None] = None
    io_manager_def: ClassVar[None] = None

    @property
    def place(self) -> Place:
        """Where it was declared."""
        return self.function.place

    @property
    def check_keys(self) -> Set[AssetCheckKey]:
        """The keys of all its checks."""
        return {spec.key for spec in self.specs}

    @property
    def asset_keys(self) -> Set[AssetKey]:
        """The assets that are checked."""
        return {spec.asset_key for spec in self.specs}

    @property
    def arguments(self) -> Iterable[str]:
        """The names of all inputs: the function's parameters, and what `ins` adds for `**kwargs`."""
        return dict.fromkeys((*(parameter.name for parameter in self.function.inputs), *self.ins))

    def key_for_argument(self, argument: str) -> AssetKey | None:
        """The asset that an argument stands for; None where its name has to be looked up in the graph.

        That is what `ins` says; the checked asset, for an argument of its name, and for the only one that `ins` does not name.
        """
        if argument in self.ins:
            return self.ins[argument].key_for(argument)
        plain = [parameter.name for parameter in self.function.inputs if parameter.name not in self.ins]
        named = [key for key in self.asset_keys if key.path[-1] == argument]
        if len(self.asset_keys) == 1 and (named or len(plain) == 1):
            return next(iter(self.asset_keys))
        return named[0] if len(named) == 1 else None

    def with_keys(self, new_keys: Mapping[AssetKey, AssetKey]) -> AssetChecksDefinition:
        """The same checks with keys replaced: those of the checked assets, and those that are needed."""
        ins = dict(self.ins)
        for argument, given in ins.items():
            if (key := given.key_for(argument)) is not None and key in new_keys:
                ins[argument] = given.with_key(new_keys[key])
        return replace(self, specs=tuple(spec.with_keys(new_keys) for spec in self.specs), ins=ins)

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """Call the function itself, with inputs, context, config and resources as it declares them."""
        return self.function.fn(*args, **kwargs)

    def __repr__(self) -> str:
        return f"AssetChecksDefinition({', '.join(sorted(key.to_user_string() for key in self.check_keys))})"


def asset_check(
    *,
    asset: CoercibleToDep,
    name: str | None = None,
    description: str | None = None,
    blocking: bool = False,
    additional_ins: Mapping[str, AssetIn | CoercibleToAssetKey] | None = None,
    additional_deps: Iterable[CoercibleToDep] | None = None,
    required_resource_keys: Iterable[str] | None = None,
    resource_defs: Mapping[str, Any] | None = None,
    metadata: Mapping[str, Any] | None = None,
    retry_policy: RetryPolicy | None = None,
    op_tags: Mapping[str, Any] | None = None,
    pool: str | None = None,
) -> Callable[[Callable[..., Any]], AssetChecksDefinition]:
    """Declare a check of one asset by the function that evaluates it, which returns an AssetCheckResult or a bool.

    An argument of the asset's name, or the only one, is filled with its table, as it is annotated; without one nothing is
    loaded. `additional_ins` fills others. A `context`, a `Config` and resources are filled as they are for an asset.

    >>> @asset_check(asset="staging/orders", blocking=True)
    ... def has_rows(orders):
    ...     return len(orders) > 0
    >>> has_rows([1, 2])
    True

    Raises InvalidDefinitionError, or a group of them, for a declaration that cannot be meant.
    """

    def decorate(fn: Callable[..., Any]) -> AssetChecksDefinition:
        function = UserFunction(fn)
        own = name if name is not None else function.name
        faults = Faults(f"check {own!r}: ", function.place)
        function.check(faults)
        spec = faults.attempt(
            AssetCheckSpec,
            own,
            asset=asset,
            description=description if description is not None else function.description,
            additional_deps=additional_deps,
            blocking=blocking,
            metadata=metadata,
            place=function.place,
        )
        bound = bind_ins(additional_ins, function, faults) if additional_ins else {}
        if spec is not None and any(given.key_for(argument) == spec.asset_key for argument, given in bound.items()):
            faults.add("additional_ins names the asset that is checked", hint="Its table goes to an argument of its name.")
        faults.settle(f"check {own!r}")
        return AssetChecksDefinition(
            function,
            (spec,) if spec is not None else (),
            spec.key.to_escaped_string() if spec is not None else own,
            bound,
            frozenset(required_resource_keys or ()),
            resource_defs or {},
            retry_policy,
            op_tags=op_tags or {},
            pool=pool,
        )

    return decorate


def multi_asset_check(
    *,
    specs: Sequence[AssetCheckSpec],
    name: str | None = None,
    ins: Mapping[str, AssetIn | CoercibleToAssetKey] | None = None,
    can_subset: bool = False,
    required_resource_keys: Iterable[str] | None = None,
    resource_defs: Mapping[str, Any] | None = None,
    retry_policy: RetryPolicy | None = None,
    op_tags: Mapping[str, Any] | None = None,
    pool: str | None = None,
) -> Callable[[Callable[..., Any]], AssetChecksDefinition]:
    """Declare several checks by the one function that evaluates them: it yields an AssetCheckResult for each.

    Arguments are filled with the assets of their names. With `can_subset` it evaluates those that
    `context.selected_asset_check_keys` has.

    Raises InvalidDefinitionError, or a group of them, for a declaration that cannot be meant.
    """

    def decorate(fn: Callable[..., Any]) -> AssetChecksDefinition:
        function = UserFunction(fn)
        own = name if name is not None else function.name
        faults = Faults(f"checks {own!r}: ", function.place)
        faults.check_name(own)
        function.check(faults)
        bound = bind_ins(ins, function, faults) if ins else {}
        checked = checked_specs(specs, None, faults)
        if not specs:
            faults.add("it has no specs", hint="Give an AssetCheckSpec for each check.")
        faults.settle(f"checks {own!r}")
        return AssetChecksDefinition(
            function,
            checked,
            own,
            bound,
            frozenset(required_resource_keys or ()),
            resource_defs or {},
            retry_policy,
            can_subset,
            op_tags=op_tags or {},
            pool=pool,
        )

    return decorate


def prefixed(checks: AssetChecksDefinition, prefix: CoercibleToKeyPrefix | None) -> AssetChecksDefinition:
    """The same checks, of the assets whose keys have this prefix before those that were given."""
    return checks.with_keys({key: key.with_prefix(prefix) for key in checks.asset_keys}) if prefix else checks
