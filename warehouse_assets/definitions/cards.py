"""Definitions as notebooks show them: a card of what was said of an asset."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from warehouse_assets.definitions.specs import DEFAULT_GROUP, AssetSpec
from warehouse_assets.html import card
from warehouse_assets.keys import user_strings

if TYPE_CHECKING:
    from warehouse_assets.definitions.assets import AssetsDefinition
    from warehouse_assets.definitions.source import SourceAsset

__all__ = ["definition_card", "source_card"]


def definition_card(definition: AssetsDefinition) -> str:
    """One card for an asset, or for all the assets that one function makes."""
    specs = definition.specs
    made_from = definition.dependency_keys - definition.keys
    rest = {"made from": user_strings(made_from), "partitions": specs[0].partitions_def, "declared": definition.place}
    if len(specs) == 1:
        manager = definition.io_manager_key_for(specs[0].key) if specs[0].io_manager_key or definition.io_manager_def else None
        return card(user_strings(definition.keys), {**_facts(specs), "kept by": manager, **rest}, specs[0].description)
    return card(definition.node_name, {"makes": user_strings(definition.keys), **_facts(specs), **rest}, specs[0].description)


def source_card(source: SourceAsset) -> str:
    """A card for a table that something else fills."""
    spec = source.spec
    facts = {**_facts([spec]), "loaded by": source.io_manager_key, "partitions": spec.partitions_def, "declared": spec.place}
    return card(f"{spec.key.to_user_string()} (source)", facts, spec.description)


def _facts(specs: Iterable[AssetSpec]) -> dict[str, Any]:
    given = list(specs)
    return {
        "group": _listed(spec.group_name or DEFAULT_GROUP for spec in given),
        "kinds": _listed(kind for spec in given for kind in sorted(spec.kinds)),
        "owners": _listed(owner for spec in given for owner in spec.owners),
        "tags": _listed(f"{name}={value}" if value else name for spec in given for name, value in spec.tags.items()),
        "code version": _listed(spec.code_version for spec in given if spec.code_version is not None),
    }


def _listed(values: Iterable[str]) -> str:
    return ", ".join(dict.fromkeys(values))
