"""The status of all partitions of an asset, remembered for a while where it takes long to work out."""

from __future__ import annotations

import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from warehouse_assets.graph.staleness import AssetStatus
from warehouse_assets.keys import AssetKey
from warehouse_assets.web.answers.record import the_instance

if TYPE_CHECKING:
    from warehouse_assets.code_location.definitions import Definitions
    from warehouse_assets.graph.partition_links import Partition

__all__ = ["Known", "known_statuses", "statuses_of", "takes_long"]

MANY = 5_000  # partitions, those upstream among them, of which a page does not wait for the states
_KEPT = 8
_SECONDS = 30.0  # after which time alone may have changed an answer
_PATIENCE = 10.0  # how many times as long as it took, an answer that takes long is given again, whatever was recorded meanwhile


@dataclass(frozen=True, slots=True)
class Known:
    """The status of each partition. `is_behind` is whether something was recorded since, so that it is worth to ask again soon."""

    statuses: Mapping[Partition, AssetStatus]
    is_behind: bool


@dataclass(frozen=True, slots=True)
class _Kept:
    statuses: Mapping[Partition, AssetStatus]
    last_event: int
    taken: float
    patience: float

    def given(self) -> Known | None:
        is_behind, age = self.last_event != _last_event(), time.monotonic() - self.taken
        return Known(self.statuses, is_behind) if age < (self.patience if is_behind else _SECONDS) else None


_known: dict[tuple[int, AssetKey], _Kept] = {}
_working: dict[tuple[int, AssetKey], threading.Lock] = {}


def takes_long(definitions: Definitions, key: AssetKey) -> bool:
    """Whether there are so many partitions that a page shows something before it knows their states."""
    graph = definitions.graph
    found = [graph[one].spec.partitions_def for one in (key, *graph.upstream([key]))]
    total = 0
    for partitions_def in found:
        total += partitions_def.get_num_partitions(None, the_instance()) if partitions_def is not None else 0
        if total > MANY:
            return True
    return False


def known_statuses(definitions: Definitions, key: AssetKey) -> Known | None:
    """The statuses, if they are remembered."""
    kept = _known.get((id(definitions), key))
    return kept.given() if kept is not None else None


def statuses_of(definitions: Definitions, key: AssetKey) -> Known:
    """The status of each partition of an asset that a run can make, or of its only one; several that ask at once wait for one answer."""
    name = id(definitions), key
    with _working.setdefault(name, threading.Lock()):
        if (remembered := known_statuses(definitions, key)) is not None:
            return remembered
        begun, last_event = time.monotonic(), _last_event()
        statuses = _worked_out(definitions, key)
        ended = time.monotonic()
        patience = _PATIENCE * (ended - begun) if takes_long(definitions, key) else 0.0
        _known[name] = _Kept(statuses, last_event, ended, patience)
        while len(_known) > _KEPT:
            _known.pop(next(iter(_known)), None)
        return Known(statuses, is_behind=False)


def _last_event() -> int:
    last = the_instance().event_log.get_events(limit=1, ascending=False)
    return (last[0].storage_id or 0) if last else 0


def _worked_out(definitions: Definitions, key: AssetKey) -> Mapping[Partition, AssetStatus]:
    from warehouse_assets.execution.recorded_versions import latest_versions
    from warehouse_assets.graph.code.versions import CodeVersions
    from warehouse_assets.graph.partition_links import PartitionLinks
    from warehouse_assets.graph.staleness import partition_statuses

    graph, instance = definitions.graph, the_instance()
    links = PartitionLinks(graph, instance)
    needed = links.upstream({key: links.partitions(key)})
    latest = latest_versions(graph, instance, needed.keys())
    found = partition_statuses(graph, latest, links, needed, CodeVersions(graph.resources))[key]
    return {name: found[name] for name in links.partitions(key)}
