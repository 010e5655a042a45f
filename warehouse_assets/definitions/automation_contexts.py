"""The contexts that the functions of schedules and sensors receive."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Any, ClassVar

from warehouse_assets.errors import InvalidInvocationError

if TYPE_CHECKING:
    from logging import Logger

    from warehouse_assets.events import Event, RunRecord

__all__ = ["RunStatusSensorContext", "ScheduleEvaluationContext", "SensorEvaluationContext"]


class _EvaluationContext:
    """What they share: the record, the resources and a log."""

    asset_parameter: ClassVar[str] = "context"

    def __init__(self, *, instance: Any = None, resources: Any = None, definitions: Any = None) -> None:
        self._instance = instance
        self.resources = resources
        self.definitions = definitions

    @property
    def instance(self) -> Any:
        """The record of runs and tables; InvalidInvocationError where a context was built without one."""
        if self._instance is None:
            raise InvalidInvocationError(
                "the context was built without an instance", hint="Give Instance.ephemeral() to it, in a test."
            )
        return self._instance

    @property
    def log(self) -> Logger:
        """A logger of the standard library."""
        import logging

        return logging.getLogger("warehouse_assets.automation")


class ScheduleEvaluationContext(_EvaluationContext):
    """What the function of a schedule may ask: for which time it is called, and what was recorded."""

    def __init__(self, *, scheduled_execution_time: datetime | None = None, **shared: Any) -> None:
        super().__init__(**shared)
        self._scheduled_execution_time = scheduled_execution_time

    @property
    def scheduled_execution_time(self) -> datetime:
        """The time that the tick stands for, in the time zone of the schedule; it may be evaluated later."""
        if self._scheduled_execution_time is None:
            raise InvalidInvocationError(
                "the context was built without a time", hint="Give build_schedule_context(scheduled_execution_time=…)."
            )
        return self._scheduled_execution_time


class SensorEvaluationContext(_EvaluationContext):
    """What the function of a sensor may ask: how far it had come, and what was recorded since.

    `cursor` is the text that an earlier evaluation left, or None; `update_cursor` keeps another for the next, if this one ends well.
    `last_tick_completion_time` is when the last one was (seconds since the epoch).
    """

    def __init__(self, *, cursor: str | None = None, last_tick_time: float | None = None, **shared: Any) -> None:
        super().__init__(**shared)
        self._cursor = cursor
        self.last_tick_completion_time = last_tick_time

    @property
    def cursor(self) -> str | None:
        """The cursor, as it was left or last updated."""
        return self._cursor

    def update_cursor(self, cursor: str | None) -> None:
        """Keep this text for the next evaluation; it is not kept where the evaluation fails."""
        if cursor is not None and not isinstance(cursor, str):
            raise InvalidInvocationError(f"the cursor {cursor!r} is not text", hint="Write it with str() or json.dumps().")
        self._cursor = cursor


class RunStatusSensorContext(SensorEvaluationContext):
    """What the function of a run-status sensor may ask beside: the run, and the event that changed its status."""

    def __init__(self, *, run: RunRecord, event: Event, **shared: Any) -> None:
        super().__init__(**shared)
        self.run = run
        self.event = event

    @property
    def run_record(self) -> RunRecord:
        """The run, as `run`."""
        return self.run

    @property
    def failure_event(self) -> Event:
        """The event that the run failed with, as `event`."""
        return self.event
