"""Contexts that are built by hand, to call functions, resources and I/O managers directly in tests and notebooks.

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
from warehouse_assets.io_manager.contexts import InputContext, OutputContext, TableSource, logger
from warehouse_assets.keys import AssetKey, CoercibleToAssetKey, user_strings
from warehouse_assets.metadata import normalize_metadata
from warehouse_assets.resources import InitResourceContext

if TYPE_CHECKING:
    from warehouse_assets.partitions.definition import PartitionKeyRange

__all__ = [
    "DirectExecutionContext",
    "build_asset_context",
    "build_init_resource_context",
    "build_input_context",
    "build_op_context",
    "build_output_context",
]


def _built(definitions: Mapping[str, Any] | None, instance: Any) -> Resources:
    pool = ResourcePool(definitions or {}, instance=instance)
    resources = LazyResources(pool)
    weakref.finalize(resources, pool.close)
    return resources


class _WithResources:
    """What all these contexts share: they can be used in a `with` block."""

    resources: Any

    def __enter__(self) -> Self:
        self.resources._start()
        return self

    def __exit__(self, *_: object) -> None:
        self.resources._close()


class DirectExecutionContext(_WithResources, AssetExecutionContext):
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
            resources=_built(resources, instance),
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
            return ChosenPartitions(_static((asked,)), (asked,))
        if partitions_def is not None:
            keys = partitions_def.get_partition_keys_in_range(asked, None, self.instance)
            return ChosenPartitions(partitions_def, tuple(keys), is_range=True)
        ends = tuple(dict.fromkeys((asked.start, asked.end)))
        return ChosenPartitions(_static(ends), ends, is_range=True)

    def _made(self, output_name: str = "result") -> AssetPartitions:
        if self._outputs is not None and output_name not in (*self._outputs, "result"):
            raise InvalidInvocationError(f"there is no output {output_name!r}; there are {list(self._outputs)}")
        key = self._selected[0] if self._selected else AssetKey(output_name)
        chosen = self._partitions
        return (
            AssetPartitions(key, chosen.keys, chosen.partitions_def) if chosen is not None else AssetPartitions(key, (), None)
        )

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


class _BuiltInitContext(_WithResources, InitResourceContext):
    """The context of a resource, without a run."""


class _BuiltOutputContext(_WithResources, OutputContext):
    """The context of a write, without a run."""


class _BuiltInputContext(_WithResources, InputContext):
    """The context of a read, without a run."""


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


def build_init_resource_context(
    config: Any = None,
    resources: Mapping[str, Any] | None = None,
    instance: Any = None,
) -> InitResourceContext:
    """A context to set a resource up with, or to call the function of a `@resource` with.

    >>> from warehouse_assets import resource
    >>> @resource
    ... def greeting(context):
    ...     return f"hello {context.resource_config['name']}"
    >>> greeting(build_init_resource_context(config={"name": "you"}))
    'hello you'
    """
    return _BuiltInitContext(logger, config, _built(resources, instance), None, instance)


def build_output_context(
    *,
    asset_key: CoercibleToAssetKey | None = None,
    name: str = "result",
    step_key: str | None = None,
    run_id: str | None = None,
    definition_metadata: Mapping[str, Any] | None = None,
    metadata: Mapping[str, Any] | None = None,
    resource_config: Any = None,
    resources: Mapping[str, Any] | None = None,
    instance: Any = None,
    partition_key: str | None = None,
    partition_keys: Sequence[str] | None = None,
    partitions_def: Any = None,
    version: str | None = None,
    sources: Mapping[AssetKey, TableSource] | None = None,
) -> OutputContext:
    """A context to call the `handle_output` of an I/O manager with; `output_metadata` tells what it recorded.

    The asset is `asset_key`, or one called like the output. `definition_metadata` is the asset's metadata, and `metadata` another
    word for it. A `partition_key`, or several, are static partitions where no `partitions_def` says otherwise.
    """
    keys, partitions = _partitions(partition_key, partition_keys, partitions_def)
    return _BuiltOutputContext(
        AssetKey.coerce(asset_key if asset_key is not None else name),
        name=name,
        step_key=step_key,
        run_id=run_id,
        definition_metadata={**(metadata or {}), **(definition_metadata or {})},
        resources=_built(resources, instance),
        resource_config=resource_config,
        instance=instance,
        partition_keys=keys,
        partitions_def=partitions,
        version=version,
        sources=sources or {},
    )


def build_input_context(
    *,
    asset_key: CoercibleToAssetKey | None = None,
    name: str | None = None,
    step_key: str | None = None,
    run_id: str | None = None,
    type_hint: Any = None,
    definition_metadata: Mapping[str, Any] | None = None,
    metadata: Mapping[str, Any] | None = None,
    upstream_output: OutputContext | None = None,
    resource_config: Any = None,
    resources: Mapping[str, Any] | None = None,
    instance: Any = None,
    partition_key: str | None = None,
    partition_keys: Sequence[str] | None = None,
    partitions_def: Any = None,
) -> InputContext:
    """A context to call the `load_input` of an I/O manager with; `type_hint` is what the argument's annotation asks for.

    The asset is `asset_key`, or that of `upstream_output`, or one called like the argument. `definition_metadata` is what
    `AssetIn` says, and `metadata` another word for it; that of the asset itself belongs to `upstream_output`. A `partition_key`,
    or several, are static partitions where no `partitions_def` says otherwise.
    """
    own = asset_key if asset_key is not None else upstream_output.asset_key if upstream_output is not None else name
    if own is None:
        raise InvalidInvocationError("nothing says what is read", hint="Give asset_key, upstream_output or name.")
    keys, partitions = _partitions(partition_key, partition_keys, partitions_def)
    return _BuiltInputContext(
        AssetKey.coerce(own),
        name=name,
        step_key=step_key,
        run_id=run_id,
        type_hint=type_hint,
        metadata={**(metadata or {}), **(definition_metadata or {})},
        upstream_output=upstream_output,
        resources=_built(resources, instance),
        resource_config=resource_config,
        instance=instance,
        partition_keys=keys,
        partitions_def=partitions,
    )


def _partitions(key: str | None, keys: Sequence[str] | None, partitions_def: Any) -> tuple[Sequence[str], Any]:
    if key is not None and keys is not None:
        raise InvalidInvocationError("partition_key and partition_keys are both given", hint="Give one of them.")
    meant = (key,) if key is not None else tuple(keys or ())
    return meant, _static(meant) if partitions_def is None and meant else partitions_def


def _static(keys: Sequence[str]) -> Any:
    from warehouse_assets.partitions.static import StaticPartitionsDefinition

    return StaticPartitionsDefinition(keys)
