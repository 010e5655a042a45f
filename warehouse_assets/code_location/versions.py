"""Versions for all assets of a project that say nothing of them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from warehouse_assets.definitions.assets import AssetsDefinition
from warehouse_assets.definitions.naming import Faults
from warehouse_assets.definitions.specs import AssetSpec, replace_spec

__all__ = ["with_versions"]


def with_versions(assets: Iterable[Any], code_version: str | None, data_version: str | None) -> tuple[Any, ...]:
    """The same declarations, in which assets without a code version, or a way to find their data version, have these."""
    faults = Faults()
    if data_version is not None:
        faults.check_data_version(data_version)
    faults.raise_any()
    versions = {"code_version": code_version, "data_version": data_version}
    return tuple(_changed(assets, {name: version for name, version in versions.items() if version is not None}, {}))


def _changed(assets: Iterable[Any], versions: dict[str, str], known: dict[int, AssetsDefinition]) -> Iterator[Any]:
    """A definition that is there twice is still one afterwards."""

    def change(spec: AssetSpec) -> AssetSpec:
        return replace_spec(spec, **{name: value for name, value in versions.items() if getattr(spec, name) is None})

    for item in assets:
        if isinstance(item, AssetsDefinition):
            if id(item) not in known:
                known[id(item)] = item.map_specs(change)
            yield known[id(item)]
        elif isinstance(item, Iterable) and not isinstance(item, str):
            yield tuple(_changed(item, versions, known))
        else:
            yield item
