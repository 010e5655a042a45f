"""Contexts of resources, writes and reads that are built by hand, to call resources and I/O managers directly in tests."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from warehouse_assets.errors import InvalidInvocationError
from warehouse_assets.execution.built_contexts import WithResources, built_resources, static_partitions
from warehouse_assets.io_manager.contexts import InputContext, OutputContext, TableSource, logger
from warehouse_assets.keys import AssetKey, CoercibleToAssetKey
from warehouse_assets.resources import InitResourceContext

__all__ = ["build_init_resource_context", "build_input_context", "build_output_context"]


class _BuiltInitContext(WithResources, InitResourceContext):
    """The context of a resource, without a run."""


class _BuiltOutputContext(WithResources, OutputContext):
    """The context of a write, without a run."""


class _BuiltInputContext(WithResources, InputContext):
    """The context of a read, without a run."""


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
    return _BuiltInitContext(logger, config, built_resources(resources, instance), None, instance)


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
        resources=built_resources(resources, instance),
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
        resources=built_resources(resources, instance),
        resource_config=resource_config,
        instance=instance,
        partition_keys=keys,
        partitions_def=partitions,
    )


def _partitions(key: str | None, keys: Sequence[str] | None, partitions_def: Any) -> tuple[Sequence[str], Any]:
    if key is not None and keys is not None:
        raise InvalidInvocationError("partition_key and partition_keys are both given", hint="Give one of them.")
    meant = (key,) if key is not None else tuple(keys or ())
    return meant, static_partitions(meant) if partitions_def is None and meant else partitions_def
