"""What is told of a run whose process cannot tell it any more."""

from __future__ import annotations

from typing import Any

from warehouse_assets.events import Event, RunRecord
from warehouse_assets.telemetry.settings import telemetry_wanted
from warehouse_assets.telemetry.watched import WatchedRun

__all__ = ["tell_of_lost_run"]


def tell_of_lost_run(run: RunRecord, event: Event) -> None:
    """Tell OpenLineage how a run ended that began, and whose process died. Its steps stay as they were told last."""
    wanted = telemetry_wanted(lasting=True).openlineage
    if not wanted or run.started is None:
        return
    from warehouse_assets.telemetry.openlineage import LineageEvents, delivery_by

    nothing: Any = None  # of its graph only its steps would tell
    LineageEvents(WatchedRun(run, nothing, {}, lambda _: None), delivery_by(wanted))(event)
