"""The steps of a run as bars over time."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from warehouse_assets.automation.runs import StepSummary

if TYPE_CHECKING:
    from warehouse_assets.web.views.runs import RunView

__all__ = ["Bar", "Timeline", "timeline"]

WIDTH = 1000.0
SHOWN = 1500
TICKS = 5
_ROUND = (
    0.001,
    0.002,
    0.005,
    0.01,
    0.02,
    0.05,
    0.1,
    0.2,
    0.5,
    1,
    2,
    5,
    10,
    15,
    30,
    60,
    120,
    300,
    600,
    900,
    1800,
    3600,
    7200,
    14400,
    28800,
    86400,
)


@dataclass(frozen=True, slots=True)
class Bar:
    """One step: where its bar begins and how wide it is, in thousandths of the whole."""

    step: StepSummary
    begin: float
    width: float
    seconds: float


@dataclass(frozen=True, slots=True)
class Timeline:
    """The bars of a run in the order in which they began, over `seconds`; `ticks` are moments with their places."""

    bars: Sequence[Bar]
    seconds: float
    ticks: Sequence[tuple[float, float]]
    hidden: int


def timeline(view: RunView, now: float | None = None) -> Timeline:
    """The timeline of a run; one that goes on ends now."""
    run, now = view.row.run, time.time() if now is None else now
    started = [step.started for step in view.steps if step.started is not None]
    begin = min([*started, run.started or now])
    ended = [step.ended for step in view.steps if step.ended is not None]
    end = max([*ended, run.ended or now, begin])
    whole = max(end - begin, 1e-3)
    bars = []
    for step in view.steps[:SHOWN]:
        first = step.started if step.started is not None else step.ended or begin
        last = step.ended if step.ended is not None else end
        bars.append(
            Bar(step, (first - begin) / whole * WIDTH, max((last - first) / whole * WIDTH, 2.0), max(last - first, 0.0))
        )
    pace = next((each for each in _ROUND if whole / each <= TICKS), 86400.0 * 7)
    ticks = [(number * pace, number * pace / whole * WIDTH) for number in range(int(whole / pace) + 1)]
    return Timeline(bars, whole, ticks, max(0, len(view.steps) - SHOWN))
