"""The instance: what remembers every run and every table that was made, in memory or in a file."""

from __future__ import annotations

from warehouse_assets.instance.event_log import EventFilter, EventLog, RunFilter
from warehouse_assets.instance.instance import Instance
from warehouse_assets.instance.memory import MemoryEventLog

__all__ = ["EventFilter", "EventLog", "Instance", "MemoryEventLog", "RunFilter"]
