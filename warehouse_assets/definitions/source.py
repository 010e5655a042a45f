"""Tables that something else fills: `SourceAsset`."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, overload

from warehouse_assets.definitions.functions import UserFunction
from warehouse_assets.definitions.naming import Faults, Place
from warehouse_assets.definitions.specs import DEFAULT_IO_MANAGER_KEY, AssetSpec, replace_spec
from warehouse_assets.errors import InvalidInvocationError
from warehouse_assets.keys import AssetKey, CoercibleToAssetKey, CoercibleToKeyPrefix, key_prefix_segments

if TYPE_CHECKING:
    from warehouse_assets.table_options import TableOptions

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
        table: TableOptions | None = None,
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
            table=table,
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

    @classmethod
    def from_spec(cls, spec: AssetSpec) -> SourceAsset:
        """The source that a spec declares."""
        return cls._of(spec)

    def with_attributes(self, *, new_keys: Mapping[AssetKey, AssetKey]) -> SourceAsset:
        """A copy in which the key is replaced."""
        spec = replace_spec(self.spec, key=new_keys.get(self.key, self.key))
        return self._of(spec, self.io_manager_def, self.resource_defs, self.observe_function)

    def with_resource_defs(self, resource_defs: Mapping[str, Any]) -> SourceAsset:
        """A copy that brings these resources along, and no others."""
        return self._of(self.spec, self.io_manager_def, resource_defs, self.observe_function)

    @classmethod
    def _of(
        cls,
        spec: AssetSpec,
        io_manager_def: Any = None,
        resource_defs: Mapping[str, Any] | None = None,
        observe_function: UserFunction | None = None,
    ) -> SourceAsset:
        source: SourceAsset = object.__new__(cls)
        source.spec = spec
        source.io_manager_def = io_manager_def
        source.resource_defs = dict(resource_defs or {})
        source.observe_function = observe_function
        return source

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """Call the function that observes it, as an asset's function is called; InvalidInvocationError where there is none."""
        from warehouse_assets.definitions.invocation import invoke

        who = f"source {self.key.to_user_string()!r}"
        if self.observe_function is None:
            raise InvalidInvocationError(f"{who} has no function to call", where=str(self.spec.place))
        return invoke(self, self.observe_function, who, args, kwargs)

    def _repr_html_(self) -> str:
        from warehouse_assets.definitions.cards import source_card
        from warehouse_assets.html import drawn

        return drawn(self, lambda: source_card(self))

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
    table: TableOptions | None = None,
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
            faults = Faults(f"source {key!r}: ", function.place)
            faults.add("key is given together with name or key_prefix", hint="Give either.")
            faults.settle()
        own = AssetKey.coerce(key) if key is not None else AssetKey((*key_prefix_segments(key_prefix), name or function.name))
        return SourceAsset(own, observe_fn=fn, description=description or function.description, place=function.place, **options)

    return decorate if fn is None else decorate(fn)
