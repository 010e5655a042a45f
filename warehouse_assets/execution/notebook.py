"""Runs as notebooks show them: the table of a result, and the progress of a run while it goes on."""

from __future__ import annotations

import sys
import time
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from importlib import import_module
from typing import TYPE_CHECKING, Any

from warehouse_assets.quantities import byte_text, count_text, seconds_text

if TYPE_CHECKING:
    from warehouse_assets.events import Event
    from warehouse_assets.execution.plan import Step
    from warehouse_assets.keys import AssetKey

__all__ = ["NotebookProgress", "progress_here", "result_table"]

COLUMNS = ("step", "status", "rows", "bytes", "time", "")
STATUSES = {
    "STEP_START": "running",
    "STEP_UP_FOR_RETRY": "waiting",
    "STEP_SUCCESS": "success",
    "STEP_UP_TO_DATE": "up to date",
    "STEP_FAILURE": "failure",
    "STEP_SKIPPED": "skipped",
}
SECONDS_BETWEEN = 0.1  # of two updates of the display, which take some milliseconds each
NAMED = 5


def result_table(headline: str, steps: Iterable[Step], statuses: Iterable[str], events: Sequence[Event]) -> str:
    """A row for each step: how it ended, the rows and bytes it wrote, how long it took, and what went wrong."""
    from warehouse_assets.html import note, table

    by_step: dict[str, list[Event]] = {}
    for event in events:
        if event.step_key is not None:
            by_step.setdefault(event.step_key, []).append(event)
    rows = [
        (step.key, status.replace("_", " "), *_measured(by_step.get(step.key, ())))
        for step, status in zip(steps, statuses, strict=True)
    ]
    return table(COLUMNS, rows, numeric=("rows", "bytes", "time")) + note(headline)


def _measured(events: Sequence[Event]) -> tuple[str, str, str, str]:
    moments = [event.timestamp for event in events if event.event_type in STATUSES]
    writes: dict[AssetKey, dict[str, Any]] = {}
    for event in events:
        if (made := event.asset_materialization) is not None:  # the partitions of one write were measured as a whole
            writes.setdefault(made.asset_key, {name: value.value for name, value in made.metadata.items()})
    rows = [write.get("partition_row_count", write.get("row_count")) for write in writes.values()]
    sizes = [write.get("byte_size") for write in writes.values()]
    said = next((event.message or "" for event in reversed(events) if event.event_type in STATUSES), "")
    started = any(event.event_type == "STEP_START" for event in events)
    took = seconds_text(moments[-1] - moments[0]) if started and moments else ""
    return count_text(_total(rows)), byte_text(_total(sizes)), took, said.removeprefix("skipped: ")


def _total(values: Iterable[Any]) -> int | None:
    numbers = [value for value in values if isinstance(value, int)]
    return sum(numbers) if numbers else None


def progress_here(steps: int) -> Sequence[Callable[[Event], None]]:
    """What shows the progress of a run of so many steps where Python serves a notebook; nothing anywhere else."""
    ipython = sys.modules.get("IPython")
    shell = ipython.get_ipython() if ipython is not None and hasattr(ipython, "get_ipython") else None
    return [NotebookProgress(steps, import_module("IPython.display").display)] if hasattr(shell, "kernel") else []


class NotebookProgress:
    """Listens to the events of a run, and keeps one display of how many steps are done, run and failed up to date.

    `display` is that of IPython. Where it fails, no more is shown, and the run goes on.
    """

    def __init__(self, steps: int, display: Callable[..., Any]) -> None:
        self.steps = steps
        self.statuses: dict[str, str] = {}
        self._display: Callable[..., Any] | None = display
        self._handle: Any = None
        self._shown = 0.0

    def __call__(self, event: Event) -> None:
        if event.event_type == "LOG" or self._display is None:
            return  # which may come from another thread than the one that displays
        if event.step_key is not None and event.event_type in STATUSES:
            self.statuses[event.step_key] = STATUSES[event.event_type]
        ended = event.event_type in ("RUN_SUCCESS", "RUN_FAILURE", "RUN_CANCELED")
        if ended or time.monotonic() >= self._shown + SECONDS_BETWEEN:
            try:
                self._show(self._display, "" if not ended else event.event_type.removeprefix("RUN_").lower())
            except Exception:  # noqa: BLE001 - that nothing can be shown is no reason to stop a run
                self._display = None

    def _show(self, display: Callable[..., Any], how: str) -> None:
        from warehouse_assets.html import progress

        counts = Counter(self.statuses.values())
        counts["success"] += counts["up to date"]
        words = self._words(counts, how)
        shown = {"text/html": progress(self.steps, counts, words), "text/plain": words}
        if self._handle is None:
            self._handle = display(shown, raw=True, display_id=True)
        else:
            self._handle.update(shown, raw=True)
        self._shown = time.monotonic()

    def _words(self, counts: Counter[str], how: str) -> str:
        others = "".join(f", {counts[status]} {word}" for status, word in _WORDS.items() if counts[status])
        running = [name for name, status in self.statuses.items() if status == "running"]
        more = f" and {len(running) - NAMED} more" if len(running) > NAMED else ""
        names = f": {', '.join(running[:NAMED])}{more}" if running and not how else ""
        return f"{how + ': ' if how else ''}{counts['success']} of {self.steps} steps done{others}{names}"


_WORDS = {"failure": "failed", "skipped": "skipped", "running": "running"}
