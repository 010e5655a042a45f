"""OpenTelemetry: a span for a run, and one in it for each attempt at a step, in which the spans of user code are."""

from __future__ import annotations

from collections.abc import Generator, Iterable, Sequence
from contextlib import contextmanager
from typing import Any

from warehouse_assets._version import __version__
from warehouse_assets.errors import ExtraRequiredError
from warehouse_assets.events import AssetMaterialization, Event, error_line
from warehouse_assets.keys import AssetKey
from warehouse_assets.telemetry.trace_context import context_of
from warehouse_assets.telemetry.watched import WatchedRun, measured

try:
    from opentelemetry import context as contexts
    from opentelemetry import trace
except ImportError:
    raise ExtraRequiredError.of("opentelemetry-api", "opentelemetry", "telling OpenTelemetry of runs") from None

__all__ = ["RunSpans"]

_ENDS = {"RUN_SUCCESS": "success", "RUN_FAILURE": "failure", "RUN_CANCELED": "canceled"}
_NOTED = {"STEP_SKIPPED": "skipped", "STEP_UP_FOR_RETRY": "up for retry"}


class RunSpans:
    """A listener that has a span for a run, current in the thread that leads it; `step` is current while a step runs."""

    def __init__(self, watched: WatchedRun, provider: Any = None) -> None:
        self._watched = watched
        self._tracer = trace.get_tracer("warehouse_assets", __version__, provider)
        self._span: trace.Span = trace.INVALID_SPAN
        self._token: Any = None

    def __call__(self, event: Event) -> None:
        if event.event_type == "RUN_START":
            self._begin()
        elif event.event_type in _ENDS:
            self._end(event)
        elif event.event_type in _NOTED:
            said = {"step": event.step_key or "", "message": event.message or ""}
            self._span.add_event(_NOTED[event.event_type], said)

    def _begin(self) -> None:
        run = self._watched.run
        attributes = {
            "warehouse_assets.run_id": run.run_id,
            "warehouse_assets.job_name": run.job_name,
            "warehouse_assets.asset_keys": [key.to_user_string() for key in run.asset_keys],
            "warehouse_assets.partition": self._watched.partition,
        }
        self._span = self._tracer.start_span(f"run {self._watched.name}", context_of(run.tags), attributes=_present(attributes))
        self._token = contexts.attach(trace.set_span_in_context(self._span))

    def _end(self, event: Event) -> None:
        if event.event_type == "RUN_FAILURE":
            self._span.set_status(trace.StatusCode.ERROR, event.message)
        self._span.set_attribute("warehouse_assets.status", _ENDS[event.event_type])
        self._span.end()
        if self._token is not None:
            contexts.detach(self._token)
            self._token = None

    @contextmanager
    def step(self, key: str, asset_keys: Sequence[AssetKey], attempt: int) -> Generator[StepSpan]:
        """The span of an attempt at a step, current while the block lasts."""
        attributes = {
            "warehouse_assets.run_id": self._watched.run.run_id,
            "warehouse_assets.step_key": key,
            "warehouse_assets.asset_keys": [asset_key.to_user_string() for asset_key in asset_keys],
            "warehouse_assets.partition": self._watched.partition,
            "warehouse_assets.attempt": attempt,
        }
        inside = trace.set_span_in_context(self._span)
        with self._tracer.start_as_current_span(key, inside, attributes=_present(attributes)) as span:
            yield StepSpan(span)


class StepSpan:
    """The span of an attempt at a step, which is told how it ended."""

    def __init__(self, span: trace.Span) -> None:
        self._span = span

    def ended(self, status: str, error: BaseException | None, events: Iterable[Event]) -> None:
        """Note how it ended, with which exception, and what was written."""
        if error is not None:
            self._span.record_exception(error)
            self._span.set_status(trace.StatusCode.ERROR, error_line(error))
        self._span.set_attribute("warehouse_assets.status", status)
        for name, number in _written(events).items():
            self._span.set_attribute(f"warehouse_assets.{name}", number)


def _written(events: Iterable[Event]) -> dict[str, int]:
    """The rows and bytes of all tables that were written, each once: the partitions of one write were measured as a whole."""
    made: dict[AssetKey, AssetMaterialization] = {}
    for event in events:
        if (found := event.asset_materialization) is not None:
            made.setdefault(found.asset_key, found)
    totals: dict[str, int] = {}
    for each in made.values():
        for name in ("row_count", "partition_row_count", "byte_size"):
            if (number := measured(each.metadata, name)) is not None:
                totals[name] = totals.get(name, 0) + number
    return totals


def _present(attributes: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in attributes.items() if value is not None}
