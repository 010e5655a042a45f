"""The duty that records how fresh tables are: each change of it once, as the evaluation of a check that needs no function."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING
from uuid import uuid4

from warehouse_assets.events import AssetCheckEvaluation, AssetCheckSeverity, Event
from warehouse_assets.execution.freshness import asset_freshness
from warehouse_assets.graph.freshness import Freshness
from warehouse_assets.keys import AssetKey
from warehouse_assets.metadata import MetadataValue

if TYPE_CHECKING:
    from warehouse_assets.graph.asset_graph import AssetGraph
    from warehouse_assets.instance import Instance

__all__ = ["FRESHNESS_CHECK", "FreshnessDuty", "record_freshness"]

FRESHNESS_CHECK = "freshness_policy"

_LEASE_SECONDS = 60.0


def record_freshness(graph: AssetGraph, instance: Instance, now: float) -> list[AssetCheckEvaluation]:
    """Record which tables have become fresh or old since that was last recorded.

    It is an evaluation of a check, which passes or not: an observation would itself look like news of the table. Nothing is recorded
    of tables that were never made.
    """
    found = {key: fresh for key, fresh in asset_freshness(graph, instance, now).items() if fresh.state != "UNKNOWN"}
    known = instance.event_log.get_latest("ASSET_CHECK_EVALUATION", found, check_name=FRESHNESS_CHECK)
    before = {key: _state_of(event) for key, event in known.items()}
    changed = [_evaluation(key, fresh) for key, fresh in found.items() if before.get(key) != fresh.state]
    instance.store_events(
        Event("ASSET_CHECK_EVALUATION", "", now, message=change.description, data=change) for change in changed
    )
    return changed


def _evaluation(key: AssetKey, fresh: Freshness) -> AssetCheckEvaluation:
    severity = AssetCheckSeverity.WARN if fresh.state == "WARN" else AssetCheckSeverity.ERROR
    metadata = {"state": fresh.state}
    if fresh.latest is not None:
        metadata["latest"] = MetadataValue.timestamp(fresh.latest)  # type: ignore[assignment]
    return AssetCheckEvaluation(key, FRESHNESS_CHECK, fresh.state == "PASS", severity, False, fresh.reason, metadata)  # type: ignore[arg-type]


def _state_of(event: Event) -> str | None:
    evaluation = event.asset_check_evaluation
    return None if evaluation is None or "state" not in evaluation.metadata else str(evaluation.metadata["state"].value)


class FreshnessDuty:
    """The part of the daemon that records how fresh tables are, at least `interval` seconds apart.

    `graphs` gives the graphs of all code locations by name. Of several daemons one at a time does it for a location.
    """

    def __init__(
        self, instance: Instance, graphs: Callable[[], Iterable[tuple[str, AssetGraph]]], interval: float = 30
    ) -> None:
        self._instance, self._graphs, self._interval = instance, graphs, interval
        self._owner = uuid4().hex
        self._next = float("-inf")

    def round(self, now: float) -> None:
        """Record what has changed, where it is time to."""
        if now < self._next:
            return
        self._next = now + self._interval
        for name, graph in self._graphs():
            if not any(node.spec.freshness_policy is not None for node in graph):
                continue
            if self._instance.event_log.take_lease(f"freshness:{name}", self._owner, now, _LEASE_SECONDS):
                record_freshness(graph, self._instance, now)
