"""`@asset`: a function that makes one table."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence, Set
from typing import TYPE_CHECKING, Any, Literal, overload

from warehouse_assets.definitions.assets import AssetOutput, AssetsDefinition
from warehouse_assets.definitions.functions import UserFunction
from warehouse_assets.definitions.naming import Faults, caller_place
from warehouse_assets.definitions.partitioning import check_backfill_policy
from warehouse_assets.definitions.specs import AssetIn, AssetSpec, CoercibleToDep
from warehouse_assets.errors import InvalidDefinitionError
from warehouse_assets.keys import AssetKey, CoercibleToAssetKey, CoercibleToKeyPrefix, key_prefix_segments

if TYPE_CHECKING:
    from warehouse_assets.definitions.check_specs import AssetCheckSpec
    from warehouse_assets.definitions.policies import RetryPolicy
    from warehouse_assets.sql.value import SQL
    from warehouse_assets.table_options import TableOptions

__all__ = ["asset"]


@overload
def asset(fn: Callable[..., Any], /) -> AssetsDefinition: ...
@overload
def asset(
    *,
    name: str | None = None,
    key_prefix: CoercibleToKeyPrefix | None = None,
    key: CoercibleToAssetKey | None = None,
    ins: Mapping[str, AssetIn | CoercibleToAssetKey] | None = None,
    deps: Iterable[CoercibleToDep] | None = None,
    metadata: Mapping[str, Any] | None = None,
    tags: Mapping[str, str] | None = None,
    owners: Sequence[str] | None = None,
    kinds: Iterable[str] | None = None,
    description: str | None = None,
    required_resource_keys: Iterable[str] | None = None,
    io_manager_key: str | None = None,
    io_manager_def: Any = None,
    resource_defs: Mapping[str, Any] | None = None,
    partitions_def: Any = None,
    table: TableOptions | None = None,
    group_name: str | None = None,
    output_required: bool = True,
    automation_condition: Any = None,
    freshness_policy: Any = None,
    backfill_policy: Any = None,
    retry_policy: RetryPolicy | None = None,
    code_version: str | None = None,
    data_version: Literal["content"] | None = None,
    check_specs: Sequence[AssetCheckSpec] | None = None,
    op_tags: Mapping[str, Any] | None = None,
    pool: str | None = None,
) -> Callable[[Callable[..., Any]], AssetsDefinition]: ...


def asset(fn: Callable[..., Any] | None = None, /, **options: Any) -> Any:
    """Declare a table by the function that makes it: its arguments are the tables it is made from.

    The key is the function's name, after `key_prefix`; or `name`, or `key`. What the function returns is stored by the I/O
    manager of the name `io_manager_key`; a function annotated `-> None` stores nothing. An argument is filled with the asset of
    its name, or as `ins` says; `deps` are tables that must be there before, and are not loaded. The docstring is the description.
    `table` says how its table is written: replaced, or added to, sorted, with which columns.
    A `code_version` says when the table has to be made again, "auto" follows the code of the function itself; with the
    `data_version` "content" a table of the same rows counts as the same.

    >>> @asset(key_prefix="staging", group_name="staging")
    ... def orders(raw_orders):
    ...     '''Orders without the cancelled ones.'''
    ...     return raw_orders
    >>> orders.key, orders.dependency_keys
    (AssetKey(['staging', 'orders']), {AssetKey(['raw_orders'])})

    Raises InvalidDefinitionError, or a group of them, for a declaration that cannot be meant.
    """
    if fn is not None:
        if not callable(fn):
            raise InvalidDefinitionError(
                f"@asset takes keyword arguments only, not {fn!r}", where=str(caller_place()), hint="Write @asset(name=…)."
            )
        return build_asset(UserFunction(fn))

    def decorate(fn: Callable[..., Any]) -> AssetsDefinition:
        return build_asset(UserFunction(fn), **options)

    return decorate


def build_asset(
    function: UserFunction,
    *,
    name: str | None = None,
    key_prefix: CoercibleToKeyPrefix | None = None,
    key: CoercibleToAssetKey | None = None,
    ins: Mapping[str, AssetIn | CoercibleToAssetKey] | None = None,
    deps: Iterable[CoercibleToDep] | None = None,
    metadata: Mapping[str, Any] | None = None,
    tags: Mapping[str, str] | None = None,
    owners: Sequence[str] | None = None,
    kinds: Iterable[str] | None = None,
    description: str | None = None,
    required_resource_keys: Iterable[str] | None = None,
    io_manager_key: str | None = None,
    io_manager_def: Any = None,
    resource_defs: Mapping[str, Any] | None = None,
    partitions_def: Any = None,
    table: TableOptions | None = None,
    group_name: str | None = None,
    output_required: bool = True,
    automation_condition: Any = None,
    freshness_policy: Any = None,
    backfill_policy: Any = None,
    retry_policy: RetryPolicy | None = None,
    code_version: str | None = None,
    data_version: Literal["content"] | None = None,
    check_specs: Sequence[AssetCheckSpec] | None = None,
    op_tags: Mapping[str, Any] | None = None,
    pool: str | None = None,
    sql: SQL | None = None,
) -> AssetsDefinition:
    """The definition that `asset` declares by these options, of a function or of the SQL that it is known to return."""
    faults = Faults(f"asset {name or key or function.name!r}: ", function.place)
    asset_key = declared_key(function, name, key_prefix, key, faults)
    function.check(faults)
    bound = bind_ins(ins, function, faults) if ins else {}
    if io_manager_key is not None and io_manager_def is not None:
        faults.add("io_manager_key and io_manager_def are both given", hint="Give one of them.")
    if backfill_policy is not None:
        check_backfill_policy(backfill_policy, faults)
    checks = own_checks(check_specs, {asset_key}, faults) if check_specs else ()
    spec = faults.attempt(
        AssetSpec,
        asset_key,
        deps=deps,
        description=description if description is not None else function.description,
        metadata=metadata,
        tags=tags,
        owners=owners,
        kinds=kinds,
        group_name=group_name,
        code_version=code_version,
        data_version=data_version,
        skippable=not output_required,
        automation_condition=automation_condition,
        freshness_policy=freshness_policy,
        partitions_def=partitions_def,
        io_manager_key=io_manager_key,
        table=table,
        place=function.place,
    )
    if spec is None or faults.errors:
        faults.settle(f"asset {asset_key.to_user_string()!r}")
        spec = spec or AssetSpec(asset_key, place=function.place)
    stored = not function.returns_nothing
    return AssetsDefinition(
        function=function,
        outputs={"result": AssetOutput("result", spec, output_required, stored)},
        node_name="__".join(asset_key.path),
        ins=bound,
        required_resource_keys=frozenset(required_resource_keys or ()),
        resource_defs=resource_defs or {},
        io_manager_def=io_manager_def,
        retry_policy=retry_policy,
        backfill_policy=backfill_policy,
        check_specs=checks,
        op_tags=op_tags or {},
        pool=pool,
        sql=sql,
    )


def declared_key(
    function: UserFunction,
    name: str | None,
    key_prefix: CoercibleToKeyPrefix | None,
    key: CoercibleToAssetKey | None,
    faults: Faults,
) -> AssetKey:
    """The key of the asset that a function makes: its name after `key_prefix`, or `name`, or `key`."""
    if key is not None:
        if name is not None or key_prefix is not None:
            faults.add("key is given together with name or key_prefix", hint="Give either.")
        given = AssetKey.coerce(key)
        if not isinstance(key, AssetKey):
            faults.check_segments(given.path, "key")
        return given
    own = name if name is not None else function.name
    faults.check_name(own)
    if key_prefix is None and not faults.errors:
        return AssetKey.coerce(own)
    prefix = key_prefix_segments(key_prefix)
    faults.check_segments(prefix, "key_prefix")
    return AssetKey((*prefix, own or "?"))


def bind_ins(ins: Mapping[str, AssetIn | CoercibleToAssetKey], function: UserFunction, faults: Faults) -> Mapping[str, AssetIn]:
    """The declared inputs by argument; naming no argument of the function is a fault."""
    names = set(function.names)
    bound = {}
    for argument, value in ins.items():
        if argument not in names and not function.takes_any_keyword:
            faults.add(f"ins names {argument!r}, which is no argument of the function", hint=f"It has {sorted(names)}.")
            continue
        bound[argument] = value if isinstance(value, AssetIn) else AssetIn(key=value)
    return bound


def own_checks(check_specs: Iterable[Any], keys: Set[AssetKey], faults: Faults) -> tuple[AssetCheckSpec, ...]:
    """The checks that the function of these assets evaluates itself."""
    from warehouse_assets.definitions.check_specs import checked_specs

    return checked_specs(check_specs, keys, faults)
