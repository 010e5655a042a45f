"""Runs, their events and what they printed, as lines for people and as JSON for programs."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict
from datetime import datetime
from typing import TYPE_CHECKING, Any

from warehouse_assets.events import LogEntry, event_data_to_json

if TYPE_CHECKING:
    from warehouse_assets.automation.runs import Printed, StepSummary
    from warehouse_assets.events import Event, RunRecord

__all__ = ["event_as_json", "line_of", "printed_lines", "run_as_json", "step_as_json"]

_WORDS = {
    "RUN_ENQUEUED": "the run waits",
    "RUN_STARTING": "the process of the run is started",
    "RUN_START": "the run began",
    "RUN_CANCELING": "the run is to stop",
    "RUN_SUCCESS": "the run succeeded",
    "RUN_FAILURE": "the run failed",
    "RUN_CANCELED": "the run was canceled",
    "STEP_START": "began",
    "STEP_SUCCESS": "succeeded",
    "STEP_FAILURE": "failed",
    "STEP_UP_FOR_RETRY": "failed, and is run again",
    "ASSET_MATERIALIZATION": "made",
    "ASSET_OBSERVATION": "observed",
    "ASSET_CHECK_EVALUATION": "checked",
}


def run_as_json(run: RunRecord) -> dict[str, Any]:
    """A run for programs; times are seconds since the epoch."""
    told = asdict(run)
    told["asset_keys"] = [key.to_user_string() for key in run.asset_keys]
    told["check_keys"] = None if run.check_keys is None else [key.to_user_string() for key in run.check_keys]
    return told


def step_as_json(step: StepSummary) -> dict[str, Any]:
    """A step for programs."""
    told = {name: getattr(step, name) for name in ("key", "status", "started", "ended", "attempts", "message")}
    return {**told, "error": event_data_to_json(step.error)}


def event_as_json(event: Event) -> dict[str, Any]:
    """An event for programs."""
    return {
        "id": event.storage_id,
        "type": event.event_type,
        "timestamp": event.timestamp,
        "step": event.step_key,
        "message": event.message,
        "data": event_data_to_json(event.data),
    }


def line_of(event: Event) -> str:
    """An event in a line, or more where its message or error has more: when, which step, what.

    >>> from warehouse_assets.events import Event
    >>> line_of(Event("STEP_FAILURE", "r1", 0.0, "orders", "ValueError: no rows"))[9:]
    'orders: failed: ValueError: no rows'
    """
    parts = [event.step_key] if event.step_key is not None else []
    if isinstance(event.data, LogEntry):
        parts.append(event.data.level.lower())
    elif event.event_type in _WORDS:
        parts.append(_told(event))
    if event.message:
        parts.append(event.message)
    at = datetime.fromtimestamp(event.timestamp).astimezone().strftime("%H:%M:%S")
    text = f"{at} {': '.join(parts)}"
    if event.error is not None and event.error.stack:
        text += "\n" + event.error.stack.rstrip()
    return text


def _told(event: Event) -> str:
    word = _WORDS[event.event_type]
    if event.asset_key is not None:
        word += f" {event.asset_key.to_user_string()}"
    if event.partition is not None:
        word += f", partition {event.partition}"
    if (evaluation := event.asset_check_evaluation) is not None:
        word += f": {evaluation.check_name} {'passed' if evaluation.passed else 'did not pass'}"
    return word


def printed_lines(item: Printed) -> Iterator[str]:
    """What was printed, each line behind the step that printed it.

    >>> from warehouse_assets.automation.runs import Printed
    >>> list(printed_lines(Printed("orders", "err", "one\\ntwo\\n")))
    ['orders | one', 'orders | two']
    """
    for line in item.text.splitlines():
        yield f"{item.step_key} | {line}" if item.step_key is not None else f"| {line}"
