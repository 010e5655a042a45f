"""A batch of events as the rows that a database keeps of it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from warehouse_assets.events import Event
from warehouse_assets.instance.codec import event_body, key_text
from warehouse_assets.instance.event_log import filed_as, run_changes

__all__ = ["Batch"]


@dataclass(frozen=True, slots=True)
class Batch:
    """The rows of events: run, type, timestamp, asset and body.

    `latest` tells which of them, counted from 0, is the latest of an asset under a name and of a partition, which is empty for the
    asset as a whole; `changes` what becomes of the records of runs, in order.
    """

    rows: list[tuple[str, str, float, str | None, str]] = field(default_factory=list)
    latest: dict[tuple[str, str, str], int] = field(default_factory=dict)
    changes: list[tuple[str, Mapping[str, Any]]] = field(default_factory=list)

    @classmethod
    def of(cls, events: Iterable[Event]) -> Batch:
        """The rows of these events."""
        batch = cls()
        for position, event in enumerate(events):
            key = None
            if (asset_key := event.asset_key) is not None:
                key = key_text(asset_key)
                for name in filed_as(event):
                    batch.latest[key, name, ""] = position
                    if event.partition:
                        batch.latest[key, name, event.partition] = position
            if change := run_changes(event):
                batch.changes.append((event.run_id, change))
            batch.rows.append((event.run_id, event.event_type, event.timestamp, key, event_body(event)))
        return batch
