"""OpenLineage: a run, each of its steps, and the checks of each, as events for catalogs of data."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from functools import lru_cache
from typing import Any

from warehouse_assets.errors import ExtraRequiredError
from warehouse_assets.events import Event, EventType
from warehouse_assets.io_manager.powers import NamesTables
from warehouse_assets.keys import AssetKey
from warehouse_assets.telemetry.datasets import DatasetName, dataset_name
from warehouse_assets.telemetry.delivery import Delivery
from warehouse_assets.telemetry.watched import WatchedRun

try:  # here and not by the thread that sends, which cannot import all of it once the process ends
    from warehouse_assets.telemetry.run_events import RunEvents, State, ToldStep
except ImportError:
    raise ExtraRequiredError.of("openlineage-python", "openlineage", "telling OpenLineage of runs") from None

__all__ = ["NAMESPACE_VARIABLE", "LineageEvents", "delivery_by"]

NAMESPACE_VARIABLE = "OPENLINEAGE_NAMESPACE"
NAMESPACE = "warehouse-assets"

_RUN_STATES: dict[EventType, State] = {
    "RUN_START": "START",
    "RUN_SUCCESS": "COMPLETE",
    "RUN_FAILURE": "FAIL",
    "RUN_CANCELED": "ABORT",
}
_STEP_STATES: dict[EventType, State] = {
    "STEP_SUCCESS": "COMPLETE",
    "STEP_UP_TO_DATE": "COMPLETE",
    "STEP_FAILURE": "FAIL",
}


@lru_cache(maxsize=1)
def _own_delivery() -> Delivery:
    return Delivery("OpenLineage events", _connect)


def delivery_by(client: Any) -> Delivery:
    """What sends events by a client, or, where that is true, by the one that OpenLineage's own configuration gives."""
    return _own_delivery() if client is True else _delivery_of(client)


@lru_cache(maxsize=8)
def _delivery_of(client: Any) -> Delivery:
    return Delivery("OpenLineage events", lambda: client.emit)


def _connect() -> Callable[[Any], None]:
    from openlineage.client import OpenLineageClient

    return OpenLineageClient().emit


class LineageEvents:
    """A listener that tells OpenLineage of a run; the events are made and sent by another thread."""

    def __init__(self, watched: WatchedRun, delivery: Delivery) -> None:
        self._watched = watched
        self._delivery = delivery
        self._open: dict[str, list[Event]] = {}
        self._namespace = os.environ.get(NAMESPACE_VARIABLE) or NAMESPACE
        self._events = RunEvents(watched, self._namespace)

    def __call__(self, event: Event) -> None:
        try:
            self._take(event)
        except Exception as error:  # noqa: BLE001 - a place that cannot be told is no reason for a run to fail
            self._delivery.complain(error)

    def _take(self, event: Event) -> None:
        step = event.step_key
        if step is None:
            if state := _RUN_STATES.get(event.event_type):
                self._tell_run(state, event)
        elif event.event_type == "STEP_START":
            if step not in self._open:  # and not another attempt
                self._open[step] = []
                self._tell_step("START", event, step, ())
        elif state := _STEP_STATES.get(event.event_type):
            self._tell_step(state, event, step, self._open.pop(step, ()))
        elif event.data is not None and step in self._open:
            self._open[step].append(event)

    def _tell_run(self, state: State, event: Event) -> None:
        for key in list(self._open):  # which were running as it ended
            self._tell_step("ABORT", event, key, self._open.pop(key))
        self._delivery.put(lambda: self._events.of_run(state, event))

    def _tell_step(self, state: State, event: Event, key: str, events: Sequence[Event]) -> None:
        graph = self._watched.graph
        written = self._watched.makes.get(key, ())
        checked = [found.asset_key for each in events if (found := each.asset_check_evaluation) is not None]
        read = dict.fromkeys(parent for made in written for parent in graph.nodes[made].parents if parent not in written)
        read.update(dict.fromkeys(other for other in checked if other not in written))
        manager = self._watched.manager(written[0]) if written else None
        told = ToldStep(
            state,
            event,
            key,
            {other: self._name(other) for other in read},
            {other: self._name(other) for other in written},
            manager.sql_naming().dialect if isinstance(manager, NamesTables) else None,
            events,
        )
        self._delivery.put(lambda: self._events.of_step(told))

    def _name(self, key: AssetKey) -> DatasetName:
        node = self._watched.graph.nodes.get(key)
        if node is None:
            return DatasetName(self._namespace, key.to_user_string())
        manager = None if node.is_stub and node.spec.io_manager_key is None else self._watched.manager(key)
        return dataset_name(manager, key, node.spec.metadata, self._namespace)
