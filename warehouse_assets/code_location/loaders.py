"""Lists of the assets that modules and packages declare, for a `Definitions`."""

from __future__ import annotations

import importlib
import inspect
import pkgutil
import sys
from collections.abc import Iterable, Iterator
from types import ModuleType
from typing import Any

from warehouse_assets.code_location.loading import assets_in, checks_in
from warehouse_assets.definitions.assets import AssetsDefinition
from warehouse_assets.definitions.checks import AssetChecksDefinition, prefixed
from warehouse_assets.definitions.naming import Faults, caller_place
from warehouse_assets.definitions.source import SourceAsset
from warehouse_assets.definitions.specs import AssetSpec, replace_spec
from warehouse_assets.errors import InvalidDefinitionError
from warehouse_assets.keys import AssetKey, CoercibleToKeyPrefix, user_strings

__all__ = [
    "load_asset_checks_from_current_module",
    "load_asset_checks_from_modules",
    "load_asset_checks_from_package_module",
    "load_asset_checks_from_package_name",
    "load_assets_from_current_module",
    "load_assets_from_modules",
    "load_assets_from_package_module",
    "load_assets_from_package_name",
]


def load_assets_from_modules(
    modules: Iterable[ModuleType],
    group_name: str | None = None,
    key_prefix: CoercibleToKeyPrefix | None = None,
    *,
    source_key_prefix: CoercibleToKeyPrefix | None = None,
) -> list[AssetsDefinition | SourceAsset | AssetSpec]:
    """The assets and sources at the top level of these modules, each once.

    `key_prefix` is put before the keys of the assets and `source_key_prefix` before those of the sources; dependencies between
    them follow. `group_name` is the group of all assets; InvalidDefinitionError where one has a group already.
    """
    found = list({id(item): item for module in modules for item in assets_in(module)}.values())
    assets = [item for item in found if isinstance(item, AssetsDefinition)]
    if group_name is not None:
        taken = {key for item in assets for key in item.keys if item.get_asset_spec(key).group_name not in (None, group_name)}
        if taken:
            faults = Faults(where=caller_place())
            faults.add(
                f"group name already exists on assets {user_strings(taken)}",
                hint=f"Leave out group_name={group_name!r}, or the groups of the assets.",
            )
            faults.settle()
    new_keys: dict[AssetKey, AssetKey] = {}
    for item in found:
        prefix = key_prefix if isinstance(item, AssetsDefinition) else source_key_prefix
        keys: Iterable[AssetKey] = item.keys if isinstance(item, AssetsDefinition) else [item.key]
        new_keys |= {key: key.with_prefix(prefix) for key in keys}
    return [_changed(item, new_keys, group_name) for item in found]


def _changed(item: Any, new_keys: dict[AssetKey, AssetKey], group_name: str | None) -> Any:
    if isinstance(item, AssetsDefinition):
        return item.with_attributes(new_keys=new_keys, group_name=group_name)
    if isinstance(item, SourceAsset):
        return item.with_attributes(new_keys=new_keys)
    return replace_spec(item, key=new_keys[item.key])


def load_assets_from_current_module(**options: Any) -> list[AssetsDefinition | SourceAsset | AssetSpec]:
    """The assets of the module that calls this, declared above the call. Takes what `load_assets_from_modules` takes."""
    return load_assets_from_modules([_calling_module("load_assets_from_current_module")], **options)


def _calling_module(function: str) -> ModuleType:
    """The module of the code that called the function of this name, which called this."""
    frame = inspect.currentframe()
    for _ in range(2):
        frame = frame.f_back if frame is not None else None
    module = sys.modules.get(frame.f_globals["__name__"]) if frame is not None else None
    if module is None:
        raise InvalidDefinitionError(f"{function} is called outside of any module")
    return module


def load_assets_from_package_module(
    package_module: ModuleType, **options: Any
) -> list[AssetsDefinition | SourceAsset | AssetSpec]:
    """The assets of a package and of all modules below it. Takes what `load_assets_from_modules` takes."""
    return load_assets_from_modules(_with_submodules(package_module), **options)


def load_assets_from_package_name(package_name: str, **options: Any) -> list[AssetsDefinition | SourceAsset | AssetSpec]:
    """The assets of the package of this name, and of all modules below it. Takes what `load_assets_from_modules` takes."""
    return load_assets_from_package_module(importlib.import_module(package_name), **options)


def load_asset_checks_from_modules(
    modules: Iterable[ModuleType], *, asset_key_prefix: CoercibleToKeyPrefix | None = None
) -> list[AssetChecksDefinition]:
    """The checks at the top level of these modules, each once; `asset_key_prefix` is put before the keys of their assets."""
    found = {id(check): check for module in modules for check in checks_in(module)}.values()
    return [prefixed(check, asset_key_prefix) for check in found]


def load_asset_checks_from_current_module(**options: Any) -> list[AssetChecksDefinition]:
    """The checks of the module that calls this, declared above the call. Takes what `load_asset_checks_from_modules` takes."""
    return load_asset_checks_from_modules([_calling_module("load_asset_checks_from_current_module")], **options)


def load_asset_checks_from_package_module(package_module: ModuleType, **options: Any) -> list[AssetChecksDefinition]:
    """The checks of a package and of all modules below it. Takes what `load_asset_checks_from_modules` takes."""
    return load_asset_checks_from_modules(_with_submodules(package_module), **options)


def load_asset_checks_from_package_name(package_name: str, **options: Any) -> list[AssetChecksDefinition]:
    """The checks of the package of this name, and of all below it. Takes what `load_asset_checks_from_modules` takes."""
    return load_asset_checks_from_package_module(importlib.import_module(package_name), **options)


def _with_submodules(package: ModuleType) -> Iterator[ModuleType]:
    yield package
    for info in pkgutil.walk_packages(getattr(package, "__path__", ()), package.__name__ + "."):
        yield importlib.import_module(info.name)
