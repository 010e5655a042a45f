"""The timeline of a run: what happened to its steps since it was last asked, for pages that draw it as it grows."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from warehouse_assets.events import EventType, RunRecord
from warehouse_assets.instance.event_log import EventFilter
from warehouse_assets.web.views.runs import OVER, step_names

if TYPE_CHECKING:
    from warehouse_assets.web.site import Site

__all__ = ["StepChange", "Timeline", "timeline"]

AT_ONCE = 10_000
WORDS = 300
_BECOMES: Mapping[EventType, str] = {
    "STEP_START": "running",
    "STEP_SUCCESS": "success",
    "STEP_FAILURE": "failure",
    "STEP_SKIPPED": "skipped",
    "STEP_UP_TO_DATE": "fresh",
    "STEP_UP_FOR_RETRY": "retrying",
}


@dataclass(frozen=True, slots=True)
class StepChange:
    """What a step became, when, and what was said of it."""

    step: str
    status: str
    at: float
    message: str = ""


@dataclass(frozen=True, slots=True)
class Timeline:
    """Changes of the steps of a run in their order. `last` is the event to ask after next, and `more` whether there is more already.

    `planned` are the steps that it is to have, told at the beginning. Times are seconds since the epoch, `now` that of the server.
    """

    status: str
    over: bool
    began: float | None
    ended: float | None
    now: float
    planned: Sequence[str]
    changes: Sequence[StepChange]
    last: int
    more: bool


def timeline(site: Site, run: RunRecord, after: int | None = None) -> Timeline:
    """What happened to the steps of a run after an event, or from its beginning."""
    where = EventFilter(run_id=run.run_id, event_types=tuple(_BECOMES), after=after)
    events = site.instance.event_log.get_events(where, limit=AT_ONCE)
    changes = [
        StepChange(
            event.step_key or "",
            _BECOMES[event.event_type],
            event.timestamp,
            (event.message or "")[:WORDS] if event.event_type not in ("STEP_START", "STEP_SUCCESS") else "",
        )
        for event in events
    ]
    last = (events[-1].storage_id or 0) if events else after or 0
    planned = [] if after else step_names(run)
    return Timeline(
        run.status, run.status in OVER, run.started, run.ended, time.time(), planned, changes, last, len(events) == AT_ONCE
    )
