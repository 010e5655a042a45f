"""`with_resources`: assets and sources that bring the resources they need along."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from warehouse_assets.definitions.assets import AssetsDefinition
from warehouse_assets.definitions.naming import Faults
from warehouse_assets.definitions.source import SourceAsset
from warehouse_assets.definitions.specs import DEFAULT_IO_MANAGER_KEY, AssetSpec
from warehouse_assets.errors import InvalidConfigError, close_matches
from warehouse_assets.execution.run_config import configured_resource
from warehouse_assets.keys import user_strings

__all__ = ["with_resources"]


def with_resources(
    definitions: Iterable[AssetsDefinition | SourceAsset | AssetSpec],
    resource_defs: Mapping[str, Any],
    resource_config_by_key: Mapping[str, Any] | None = None,
) -> list[AssetsDefinition | SourceAsset]:
    """Copies of assets and sources that bring those of the resources along which they need, I/O managers among them.

    What they bring already stays, and must not be given with another value. `resource_config_by_key` configures the resources, as
    run configuration does: `{"db": {"config": {"url": …}}}`. A spec becomes a source.

    >>> from warehouse_assets import asset, materialize
    >>> @asset(required_resource_keys={"rate"})
    ... def price(context):
    ...     return context.resources.rate
    >>> materialize(with_resources([price], {"rate": 3})).asset_value("price")
    3

    Raises InvalidDefinitionError, or a group of all faults: conflicting resources, and missing ones.
    """
    faults = Faults()
    given = dict(resource_defs)
    for name, entry in (resource_config_by_key or {}).items():
        try:
            config = entry.get("config", entry) if isinstance(entry, Mapping) else entry
            given[name] = configured_resource(name, given, config)
        except InvalidConfigError as error:
            faults.add(error.message, hint=error.hint)
    bound = [_bound(item, given, faults) for item in definitions]
    faults.settle("the resources of the assets")
    return bound


def _bound(definition: Any, given: Mapping[str, Any], faults: Faults) -> Any:
    item: Any = SourceAsset.from_spec(definition) if isinstance(definition, AssetSpec) else definition
    if not isinstance(item, (AssetsDefinition, SourceAsset)):
        faults.add(f"{item!r} is not an asset", hint="Give assets, SourceAssets or AssetSpecs.")
        return item
    own = dict(item.resource_defs)
    noted = _faults_of(item)
    pending = list(_needed(item))
    for name in pending:
        if name in own and name in given and own[name] is not given[name] and own[name] != given[name]:
            noted.add(f"brings the resource {name!r} with another value", hint="Give one of them.")
        elif name in given:
            own[name] = given[name]
        elif name not in own and name != DEFAULT_IO_MANAGER_KEY:
            noted.add(f"needs the resource {name!r}, which is not given", hint=close_matches(name, list(given)))
        further = getattr(own.get(name), "required_resource_keys", ())
        pending += [other for other in further if other not in pending]
    faults.errors += noted.errors
    return item.with_resource_defs(own)


def _faults_of(item: AssetsDefinition | SourceAsset) -> Faults:
    if isinstance(item, SourceAsset):
        return Faults(f"source {item.key.to_user_string()!r} ", item.spec.place)
    return Faults(f"asset {user_strings(item.keys)!r} ", item.place)


def _needed(item: AssetsDefinition | SourceAsset) -> Iterator[str]:
    """The names of the resources that an asset or source needs, those of its I/O managers included."""
    if isinstance(item, SourceAsset):
        if item.io_manager_def is None:
            yield item.io_manager_key
        if item.observe_function is not None:
            yield from item.observe_function.resource_parameters
        return
    yield from dict.fromkeys((*item.required_resource_keys, *item.function.resource_parameters))
    if item.io_manager_def is None:
        yield from dict.fromkeys(item.io_manager_key_for(output.spec.key) for output in item.outputs.values() if output.stored)
    for declared in item.ins.values():
        if declared.input_manager_key is not None:
            yield declared.input_manager_key
