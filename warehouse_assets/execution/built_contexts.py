"""Contexts that are built by hand, to call the functions of assets and ops directly in tests and notebooks.

Their resources start when they are first asked for. In a `with` block they start with it and are torn down as it ends; else they
are torn down when the context is let go of, at the latest when Python ends.
"""

from __future__ import annotations

import weakref
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Self

from warehouse_assets.definitions.assets import AssetsDefinition
from warehouse_assets.definitions.ops import OpDefinition
from warehouse_assets.definitions.source import SourceAsset
from warehouse_assets.errors import InvalidInvocationError
from warehouse_assets.execution.context import AssetExecutionContext
from warehouse_assets.execution.partition_context import AssetPartitions
from warehouse_assets.execution.partitions import ChosenPartitions, checked_partition_key
from warehouse_assets.execution.resources import LazyResources, ResourcePool, Resources
from warehouse_assets.keys import AssetKey, CoercibleToAssetKey, user_strings
from warehouse_assets.metadata import normalize_metadata

if TYPE_CHECKING:
    from warehouse_assets.partitions.definition import PartitionKeyRange

__all__ = [
    "DirectExecutionContext",
    "WithResources",
    "build_asset_context",
    "build_op_context",
    "built_resources",
    "static_partitions",
]


def built_resources(definitions: Mapping[str, Any] | None, instance: Any) -> Resources:
    """Resources that start when they are first asked for, and are torn down when they are let go of."""
    pool = ResourcePool(definitions or {}, instance=instance)
    resources = LazyResources(pool)
    weakref.finalize(resources, pool.close)
    return resources


class WithResources:
    """What all these contexts share: they can be used in a `with` block."""

    resources: Any

    def __enter__(self) -> Self:
        self.resources._start()
        return self

    def __exit__(self, *_: object) -> None:
        self.resources._close()


class DirectExecutionContext(WithResources, AssetExecutionContext):
    """A context without a run. Which assets or outputs it is about, it learns from the definition that is called with it."""

    def __init__(
        self,
        *,
        resources: Mapping[str, Any] | None,
        op_config: Any,
        instance: Any,
        run_tags: Mapping[str, str] | None,
        partition_key: str | None,
        partition_key_range: PartitionKeyRange | None,
    ) -> None:
        if partition_key is not None and partition_key_range is not None:
            raise InvalidInvocationError("partition_key and partition_key_range are both given", hint="Give one of them.")
        super().__init__(
            assets_def=None,  # type: ignore[arg-type]
            selected=(),
            resources=built_resources(resources, instance),
            op_config=op_config,
        )
        self._instance = instance
        self._run_tags = dict(run_tags or {})
        self._asked = partition_key if partition_key is not None else partition_key_range
        self._partitions = self._chosen(None)
        self._outputs: tuple[str, ...] | None = None
        self._recorded: dict[str, dict[str, Any]] = {}

    def bind(self, definition: Any) -> None:
        """Say which asset, op or source is called with this context; of a graph, it is its ops."""
        if isinstance(definition, AssetsDefinition):
            self.assets_def, self._selected, self._outputs = definition, tuple(definition.keys), tuple(definition.outputs)
            if self._asked is not None and definition.partitions_def is None and definition.graph is None:
                who = f"asset {user_strings(definition.keys)!r}"
                raise InvalidInvocationError(f"the context has the partition {self._asked!r}, and {who} is not partitioned")
            self._partitions = self._chosen(definition.partitions_def)
        elif isinstance(definition, OpDefinition):
            self._outputs = definition.output_names
        elif isinstance(definition, SourceAsset):
            self._selected, self._outputs = (definition.key,), ()

    @property
    def instance(self) -> Any:
        """The instance that was given, or an empty one in memory."""
        if self._instance is None:
            from warehouse_assets.instance import Instance

            self._instance = Instance.ephemeral()
        return self._instance

    @property
    def run_tags(self) -> Mapping[str, str]:
        """The tags that were given."""
        return self._run_tags

    @property
    def selected_output_names(self) -> frozenset[str]:
        """All outputs of what is called."""
        return frozenset(self._outputs or ())

    def add_output_metadata(
        self, metadata: Mapping[str, Any], output_name: str | None = None, asset_key: CoercibleToAssetKey | None = None
    ) -> None:
        """Record metadata of an output, to be asked for by `get_output_metadata`."""
        normalize_metadata(metadata)
        if asset_key is not None:
            output_name = self._output_of(AssetKey.coerce(asset_key))
        elif output_name is None:
            output_name = self._only_output()
        elif self._outputs is not None and output_name not in self._outputs:
            raise InvalidInvocationError(f"there is no output {output_name!r}; there are {list(self._outputs)}")
        self._recorded.setdefault(output_name, {}).update(metadata)

    def get_output_metadata(self, output_name: str | None = None) -> Mapping[str, Any]:
        """The metadata that was recorded so far of an output, or of the only one, as it was given."""
        return self._recorded.get(output_name if output_name is not None else self._only_output(), {})

    def _chosen(self, partitions_def: Any) -> ChosenPartitions | None:
        """The partitions that were asked for, of an asset, or static ones where nothing is known of them."""
        asked = self._asked
        if asked is None:
            return ChosenPartitions(partitions_def, ()) if partitions_def is not None else None
        if isinstance(asked, str):
            if partitions_def is not None:
                return ChosenPartitions(partitions_def, (checked_partition_key(partitions_def, asked, self.instance),))
            return ChosenPartitions(static_partitions((asked,)), (asked,))
        if partitions_def is not None:
            keys = partitions_def.get_partition_keys_in_range(asked, None, self.instance)
            return ChosenPartitions(partitions_def, tuple(keys), is_range=True)
        ends = tuple(dict.fromkeys((asked.start, asked.end)))
        return ChosenPartitions(static_partitions(ends), ends, is_range=True)

    def _made(self, output_name: str | None = None) -> AssetPartitions:
        if self._outputs is not None and output_name not in (*self._outputs, "result", None):
            raise InvalidInvocationError(f"there is no output {output_name!r}; there are {list(self._outputs)}")
        owner = f"asset {self._selected[0].to_user_string()!r}" if self._selected else "what is called"
        chosen = self._partitions
        return AssetPartitions(owner, () if chosen is None else chosen.keys, None if chosen is None else chosen.partitions_def)

    def _only_output(self) -> str:
        if self._outputs is None:
            return "result"
        if len(self._outputs) != 1:
            raise InvalidInvocationError(f"there are {len(self._outputs)} outputs; say which one is meant")
        return self._outputs[0]

    def _output_of(self, key: AssetKey) -> str:
        if key not in self._selected or self.assets_def is None:
            raise InvalidInvocationError(f"asset {key.to_user_string()!r} is not made by what is called")
        return self.assets_def.output_for(key).name

    def _one_key(self) -> AssetKey:
        if not self._selected:
            raise InvalidInvocationError("this context is not about an asset", hint="Call an asset with it.")
        return super()._one_key()


def build_asset_context(
    *,
    resources: Mapping[str, Any] | None = None,
    asset_config: Any = None,
    instance: Any = None,
    run_tags: Mapping[str, str] | None = None,
    partition_key: str | None = None,
    partition_key_range: PartitionKeyRange | None = None,
) -> DirectExecutionContext:
    """A context to call an asset's function with. `asset_config` is its configuration: an object, or a plain dict.

    The partitions are those of the asset that is called; PartitionNotFoundError where it does not have them.

    >>> from warehouse_assets import AssetExecutionContext, asset
    >>> @asset(required_resource_keys={"rate"})
    ... def prices(context: AssetExecutionContext, usd):
    ...     context.add_output_metadata({"rows": len(usd)})
    ...     return [price * context.resources.rate for price in usd]
    >>> context = build_asset_context(resources={"rate": 2})
    >>> prices(context, usd=[1, 5]), context.get_output_metadata()
    ([2, 10], {'rows': 2})
    """
    return DirectExecutionContext(
        resources=resources,
        op_config=asset_config,
        instance=instance,
        run_tags=run_tags,
        partition_key=partition_key,
        partition_key_range=partition_key_range,
    )


def build_op_context(
    *,
    resources: Mapping[str, Any] | None = None,
    op_config: Any = None,
    config: Any = None,
    instance: Any = None,
    run_tags: Mapping[str, str] | None = None,
    partition_key: str | None = None,
    partition_key_range: PartitionKeyRange | None = None,
) -> DirectExecutionContext:
    """A context to call an op's function with. Its configuration is `op_config`, or `config`, which means the same."""
    if op_config is not None and config is not None:
        raise InvalidInvocationError("op_config and config are both given", hint="Give one of them.")
    return DirectExecutionContext(
        resources=resources,
        op_config=op_config if op_config is not None else config,
        instance=instance,
        run_tags=run_tags,
        partition_key=partition_key,
        partition_key_range=partition_key_range,
    )


def static_partitions(keys: Sequence[str]) -> Any:
    """Partitions of which nothing is known but their keys."""
    from warehouse_assets.partitions.static import StaticPartitionsDefinition

    return StaticPartitionsDefinition(keys)
