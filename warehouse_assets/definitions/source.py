"""Tables that something else fills: `SourceAsset`."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from warehouse_assets.definitions.functions import UserFunction
from warehouse_assets.definitions.naming import Place
from warehouse_assets.definitions.specs import DEFAULT_IO_MANAGER_KEY, AssetSpec, replace_spec
from warehouse_assets.keys import AssetKey, CoercibleToAssetKey, CoercibleToKeyPrefix

__all__ = ["SourceAsset"]


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

    def with_attributes(self, *, key_prefix: CoercibleToKeyPrefix | None = None, group_name: str | None = None) -> SourceAsset:
        """A copy with a prefix before the key, or in another group."""
        copy: SourceAsset = object.__new__(SourceAsset)
        copy.spec = replace_spec(
            self.spec, key=self.spec.key.with_prefix(key_prefix), group_name=group_name or self.spec.group_name
        )
        copy.io_manager_def = self.io_manager_def
        copy.resource_defs = self.resource_defs
        copy.observe_function = self.observe_function
        return copy

    def __repr__(self) -> str:
        return f"SourceAsset({self.key.to_user_string()!r})"
