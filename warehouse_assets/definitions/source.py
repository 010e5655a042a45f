"""Tables that something else fills: `SourceAsset`."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, overload

from warehouse_assets.definitions.functions import UserFunction
from warehouse_assets.definitions.naming import Place
from warehouse_assets.definitions.specs import DEFAULT_IO_MANAGER_KEY, AssetSpec, replace_spec
from warehouse_assets.errors import InvalidDefinitionError
from warehouse_assets.keys import AssetKey, CoercibleToAssetKey, CoercibleToKeyPrefix, key_prefix_segments

__all__ = ["SourceAsset", "observable_source_asset"]


class SourceAsset:
    """A table that exists already, filled by something else: assets load it, nothing here makes it.

    >>> SourceAsset("raw/orders").key
    AssetKey(['raw', 'orders'])
    """

    __slots__ = ("io_manager_def", "observe_function", "resource_defs", "spec")

    def __init__(
        self,
        key: CoercibleToAssetKey,
        *,
        metadata: Mapping[str, Any] | None = None,
        io_manager_key: str | None = None,
        io_manager_def: Any = None,
        description: str | None = None,
        partitions_def: Any = None,
        group_name: str | None = None,
        tags: Mapping[str, str] | None = None,
        resource_defs: Mapping[str, Any] | None = None,
        observe_fn: Callable[..., Any] | None = None,
        place: Place | None = None,
    ) -> None:
        self.spec = AssetSpec(
            key,
            metadata=metadata,
            io_manager_key=io_manager_key,
            description=description,
            partitions_def=partitions_def,
            group_name=group_name,
            tags=tags,
            place=place,
        )
        self.io_manager_def = io_manager_def
        self.resource_defs = dict(resource_defs or {})
        self.observe_function = UserFunction(observe_fn) if observe_fn is not None else None

    @property
    def key(self) -> AssetKey:
        """The table's key."""
        return self.spec.key

    @property
    def metadata(self) -> Mapping[str, Any]:
        """What is said of the table, for the I/O manager among others."""
        return self.spec.metadata

    @property
    def description(self) -> str | None:
        """What the table is, for people."""
        return self.spec.description

    @property
    def group_name(self) -> str | None:
        """The group, as it was given."""
        return self.spec.group_name

    @property
    def io_manager_key(self) -> str:
        """The name of the I/O manager that loads the table; one given by `io_manager_def` has a name of its own."""
        if self.io_manager_def is not None:
            return f"{'__'.join(self.key.path)}__io_manager"
        return self.spec.io_manager_key or DEFAULT_IO_MANAGER_KEY

    @property
    def partitions_def(self) -> Any:
        """How the table is partitioned."""
        return self.spec.partitions_def

    def with_attributes(self, *, new_keys: Mapping[AssetKey, AssetKey]) -> SourceAsset:
        """A copy in which the key is replaced."""
        copy: SourceAsset = object.__new__(SourceAsset)
        copy.spec = replace_spec(self.spec, key=new_keys.get(self.key, self.key))
        copy.io_manager_def = self.io_manager_def
        copy.resource_defs = self.resource_defs
        copy.observe_function = self.observe_function
        return copy

    def __repr__(self) -> str:
        return f"SourceAsset({self.key.to_user_string()!r})"


@overload
def observable_source_asset(fn: Callable[..., Any], /) -> SourceAsset: ...
@overload
def observable_source_asset(
    *,
    key: CoercibleToAssetKey | None = None,
    name: str | None = None,
    key_prefix: CoercibleToKeyPrefix | None = None,
    metadata: Mapping[str, Any] | None = None,
    io_manager_key: str | None = None,
    io_manager_def: Any = None,
    description: str | None = None,
    partitions_def: Any = None,
    group_name: str | None = None,
    tags: Mapping[str, str] | None = None,
    resource_defs: Mapping[str, Any] | None = None,
) -> Callable[[Callable[..., Any]], SourceAsset]: ...


def observable_source_asset(
    fn: Callable[..., Any] | None = None,
    /,
    *,
    key: CoercibleToAssetKey | None = None,
    name: str | None = None,
    key_prefix: CoercibleToKeyPrefix | None = None,
    description: str | None = None,
    **options: Any,
) -> Any:
    """Declare a source by a function that looks at it: what it returns, a DataVersion or ObserveResult, is recorded by `observe`.

    >>> from warehouse_assets import DataVersion
    >>> @observable_source_asset(key_prefix="raw")
    ... def orders():
    ...     return DataVersion("2024-05-01")
    >>> orders.key
    AssetKey(['raw', 'orders'])
    """

    def decorate(fn: Callable[..., Any]) -> SourceAsset:
        function = UserFunction(fn)
        if key is not None and (name is not None or key_prefix is not None):
            raise InvalidDefinitionError(
                f"source {key!r}: key is given together with name or key_prefix", where=str(function.place)
            )
        own = AssetKey.coerce(key) if key is not None else AssetKey((*key_prefix_segments(key_prefix), name or function.name))
        return SourceAsset(own, observe_fn=fn, description=description or function.description, place=function.place, **options)

    return decorate if fn is None else decorate(fn)
