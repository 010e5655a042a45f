"""What is said of an asset apart from how it is made: `AssetSpec`, `AssetDep`, `AssetIn`."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, TypeAlias

from warehouse_assets.definitions.automating import check_automation
from warehouse_assets.definitions.naming import Faults, Place, caller_place
from warehouse_assets.definitions.partitioning import check_partition_mapping, check_partitions
from warehouse_assets.definitions.table_parts import TABLE_OPTIONS, part_of_table, with_table_options
from warehouse_assets.errors import InvalidDefinitionError
from warehouse_assets.keys import AssetKey, CoercibleToAssetKey, CoercibleToKeyPrefix, key_prefix_segments

if TYPE_CHECKING:
    from warehouse_assets.table_options import TableOptions

__all__ = ["AUTO", "DEFAULT_GROUP", "DEFAULT_IO_MANAGER_KEY", "AssetDep", "AssetIn", "AssetSpec", "CoercibleToDep"]

DEFAULT_GROUP = "default"
DEFAULT_IO_MANAGER_KEY = "io_manager"
AUTO = "auto"  # the code version that is worked out from the code

_NOTHING: Mapping[str, Any] = {}

CoercibleToDep: TypeAlias = Any  # AssetDep, AssetKey, str, sequence of str, AssetSpec, SourceAsset, AssetsDefinition


@dataclass(frozen=True, slots=True)
class AssetDep:
    """A dependency that is only about order and partitions: nothing is loaded."""

    asset_key: AssetKey
    partition_mapping: Any = None

    def __init__(self, asset: CoercibleToDep, partition_mapping: Any = None) -> None:
        keys = dep_keys(asset)
        if len(keys) != 1:
            what = f"an AssetDep is about one asset, and {asset!r} stands for {len(keys)}"
            raise InvalidDefinitionError(what, where=str(caller_place()))
        if partition_mapping is not None:
            check_partition_mapping(partition_mapping, str(caller_place()))
        object.__setattr__(self, "asset_key", keys[0])
        object.__setattr__(self, "partition_mapping", partition_mapping)


@dataclass(frozen=True, slots=True)
class AssetIn:
    """How an argument of an asset's function is filled: from which key, as which part, by which manager.

    Give `key`, or `key_prefix` before the argument's own name. Only `columns` are loaded, of the rows for which the SQL condition
    `where` holds, and of these no more than `limit`; the metadata "columns", "where" and "limit" say the same.
    """

    key: AssetKey | None = None
    key_prefix: tuple[str, ...] = ()
    metadata: Mapping[str, Any] = field(default_factory=dict)
    input_manager_key: str | None = None
    partition_mapping: Any = None

    def __init__(
        self,
        key: CoercibleToAssetKey | None = None,
        *,
        key_prefix: CoercibleToKeyPrefix | None = None,
        columns: Sequence[str] | None = None,
        where: str | None = None,
        limit: int | None = None,
        metadata: Mapping[str, Any] | None = None,
        input_manager_key: str | None = None,
        partition_mapping: Any = None,
    ) -> None:
        if key is not None and key_prefix is not None:
            faults = Faults(where=caller_place())
            faults.add("an AssetIn takes key or key_prefix, not both")
            faults.settle()
        if partition_mapping is not None:
            check_partition_mapping(partition_mapping, str(caller_place()))
        values = {
            "key": AssetKey.coerce(key) if key is not None else None,
            "key_prefix": key_prefix_segments(key_prefix),
            "metadata": {**(metadata or {}), **part_of_table(columns, where, limit)},
            "input_manager_key": input_manager_key,
            "partition_mapping": partition_mapping,
        }
        for name, value in values.items():
            object.__setattr__(self, name, value)

    def with_key(self, key: AssetKey) -> AssetIn:
        """The same input, from another key."""
        return AssetIn(
            key,
            metadata=self.metadata,
            input_manager_key=self.input_manager_key,
            partition_mapping=self.partition_mapping,
        )

    def key_for(self, argument: str) -> AssetKey | None:
        """The key that is meant for this argument; None where the argument's name has to be looked up."""
        if self.key is not None:
            return self.key
        return AssetKey((*self.key_prefix, argument)) if self.key_prefix else None


@dataclass(frozen=True, slots=True)
class AssetSpec:
    """An asset as it is known to others: its key, what it depends on, and what people say about it.

    The `code_version` "auto" is worked out from the function that makes it; the `data_version` "content" from the stored table.
    What `table` says of how it is written becomes part of the metadata.
    """

    key: AssetKey
    deps: tuple[AssetDep, ...] = ()
    description: str | None = None
    metadata: Mapping[str, Any] = field(default_factory=dict)
    tags: Mapping[str, str] = field(default_factory=dict)
    owners: tuple[str, ...] = ()
    kinds: frozenset[str] = frozenset()
    group_name: str | None = None
    code_version: str | None = None
    data_version: str | None = None
    skippable: bool = False
    automation_condition: Any = None
    freshness_policy: Any = None
    partitions_def: Any = None
    io_manager_key: str | None = None
    place: Place | None = field(default=None, compare=False, repr=False)

    def __init__(
        self,
        key: CoercibleToAssetKey,
        *,
        deps: Iterable[CoercibleToDep] | None = None,
        description: str | None = None,
        metadata: Mapping[str, Any] | None = None,
        tags: Mapping[str, str] | None = None,
        owners: Sequence[str] | None = None,
        kinds: Iterable[str] | None = None,
        group_name: str | None = None,
        code_version: str | None = None,
        data_version: str | None = None,
        skippable: bool = False,
        automation_condition: Any = None,
        freshness_policy: Any = None,
        partitions_def: Any = None,
        io_manager_key: str | None = None,
        table: TableOptions | None = None,
        place: Place | None = None,
    ) -> None:
        place = place or caller_place()
        asset_key = AssetKey.coerce(key)
        faults = Faults(f"asset {asset_key.to_user_string()!r}: ", place)
        if group_name is not None:
            faults.check_name(group_name, "group name")
        if tags:
            faults.check_tags(tags)
        if owners:
            faults.check_owners(owners)
        if kinds:
            faults.check_kinds(kinds)
        if table is not None:
            metadata = with_table_options(metadata, table, faults)
        if partitions_def is not None and not check_partitions(partitions_def, metadata or {}, faults):
            partitions_def = None
        if data_version is not None:
            faults.check_data_version(data_version)
        if automation_condition is not None or freshness_policy is not None:
            check_automation(automation_condition, freshness_policy, faults)
        put = object.__setattr__
        put(self, "key", asset_key)
        put(self, "deps", normalize_deps(deps, faults) if deps else ())
        put(self, "description", description)
        put(self, "metadata", dict(metadata) if metadata else _NOTHING)
        put(self, "tags", dict(tags) if tags else _NOTHING)
        put(self, "owners", tuple(owners) if owners else ())
        put(self, "kinds", frozenset(kinds) if kinds else frozenset())
        put(self, "group_name", group_name)
        put(self, "code_version", str(code_version) if code_version is not None else None)
        put(self, "data_version", data_version)
        put(self, "skippable", skippable)
        put(self, "automation_condition", automation_condition)
        put(self, "freshness_policy", freshness_policy)
        put(self, "partitions_def", partitions_def)
        put(self, "io_manager_key", io_manager_key)
        put(self, "place", place)
        if faults.errors:
            faults.settle(f"asset {asset_key.to_user_string()!r}")

    @property
    def table(self) -> TableOptions | None:
        """How its table is written, where that was declared; it is part of the metadata."""
        return self.metadata.get(TABLE_OPTIONS)

    def with_io_manager_key(self, io_manager_key: str) -> AssetSpec:
        """The same asset, loaded by the manager of this name."""
        return self.replace_attributes(io_manager_key=io_manager_key)

    def replace_attributes(self, **attributes: Any) -> AssetSpec:
        """A copy with some attributes replaced, checked like a new one."""
        values = {name: getattr(self, name) for name in self.__slots__}
        return AssetSpec(**{**values, **attributes})


def _plain_dep(key: AssetKey) -> AssetDep:
    dep = object.__new__(AssetDep)
    object.__setattr__(dep, "asset_key", key)
    object.__setattr__(dep, "partition_mapping", None)
    return dep


def dep_keys(dep: CoercibleToDep) -> Sequence[AssetKey]:
    """The keys that a dependency stands for: one for most, all of them for a multi-asset."""
    if isinstance(dep, (AssetKey, str, list, tuple)):
        return (AssetKey.coerce(dep),)
    if isinstance(dep, AssetDep):
        return (dep.asset_key,)
    keys = getattr(dep, "keys", None)
    if keys is not None and not callable(keys):
        return tuple(keys)
    key = getattr(dep, "key", None)
    if isinstance(key, AssetKey):
        return (key,)
    raise InvalidDefinitionError(
        f"{dep!r} is not a dependency", hint="Give an asset, a source, an AssetSpec, an AssetDep, an AssetKey or a string."
    )


def normalize_deps(deps: Iterable[CoercibleToDep], faults: Faults) -> tuple[AssetDep, ...]:
    """Each dependency once; two that say different things of one asset are a fault."""
    if isinstance(deps, (str, AssetKey)):
        faults.add(f"deps is {deps!r}, not a list", hint=f"Write deps=[{deps!r}].")
        return ()
    found: dict[AssetKey, AssetDep] = {}
    for dep in deps:
        try:
            expanded = [dep] if isinstance(dep, AssetDep) else [_plain_dep(key) for key in dep_keys(dep)]
        except InvalidDefinitionError as error:
            faults.add(error.message, hint=error.hint)
            continue
        for new in expanded:
            if found.setdefault(new.asset_key, new).partition_mapping != new.partition_mapping:
                name = new.asset_key.to_user_string()
                faults.add(f"the dependency on {name!r} is given twice, with different partition mappings")
    return tuple(found.values())


def with_deps(spec: AssetSpec, deps: Iterable[AssetDep]) -> AssetSpec:
    """The same asset with further dependencies."""
    return replace_spec(spec, deps=(*spec.deps, *deps))


def replace_spec(spec: AssetSpec, **attributes: Any) -> AssetSpec:
    """A copy of a spec that was checked before, without checking it again."""
    copy = object.__new__(AssetSpec)
    for name in AssetSpec.__slots__:
        object.__setattr__(copy, name, attributes[name] if name in attributes else getattr(spec, name))
    return copy
