"""The states of all assets of a code location, and which of them a selection means."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import msgspec

from warehouse_assets.web.answers.record import the_instance

if TYPE_CHECKING:
    from warehouse_assets.code_location.definitions import Definitions

__all__ = ["AssetState", "Selected", "Selection", "States", "select", "states"]


class AssetState(msgspec.Struct, frozen=True, omit_defaults=True):
    """How an asset stands: missing, stale or fresh, the partitions of each, why it is stale, and what its freshness policy says.

    `step` is the name of what makes it, where that makes others too.
    """

    key: tuple[str, ...]
    state: str | None = None
    missing: int = 0
    stale: int = 0
    fresh: int = 0
    cause: str = ""
    freshness: str | None = None
    step: str | None = None


class States(msgspec.Struct, frozen=True):
    """The states of assets."""

    assets: tuple[AssetState, ...]


class Selection(msgspec.Struct, frozen=True):
    """A selection, in selection syntax."""

    text: str


class Selected(msgspec.Struct, frozen=True):
    """The keys that a selection means."""

    keys: tuple[tuple[str, ...], ...]


def states(definitions: Definitions, request: None) -> States:
    """The state of each asset, by the record."""
    from warehouse_assets.execution.freshness import asset_freshness
    from warehouse_assets.execution.status import asset_statuses
    from warehouse_assets.graph.causes import cause_text

    graph, instance = definitions.graph, the_instance()
    found = asset_statuses(graph, graph.executable_keys, instance)
    ages = asset_freshness(graph, instance, time.time())
    told = []
    for key in dict.fromkeys((*found, *ages)):
        status, age, definition = found.get(key), ages.get(key), graph.nodes[key].definition
        counts = status.partitions if status is not None else None
        told.append(
            AssetState(
                key.path,
                status.state if status is not None else None,
                counts.missing if counts is not None else 0,
                counts.stale if counts is not None else 0,
                counts.fresh if counts is not None else 0,
                cause_text(status.causes[0]) if status is not None and status.causes else "",
                age.state if age is not None else None,
                definition.node_name if definition is not None and len(definition.outputs) > 1 else None,
            )
        )
    return States(tuple(told))


def select(definitions: Definitions, request: Selection) -> Selected:
    """The assets and sources that a selection means; InvalidSelectionError where it cannot be read."""
    from warehouse_assets.graph.selection import AssetSelection

    found = AssetSelection.of(request.text).resolve(definitions.graph)
    return Selected(tuple(key.path for key in definitions.graph.order if key in found))
