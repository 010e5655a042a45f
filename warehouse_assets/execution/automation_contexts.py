"""Contexts that are built by hand, to call the functions of schedules and sensors, or evaluate them, in tests and notebooks."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import TYPE_CHECKING, Any

from warehouse_assets.definitions.automation_contexts import ScheduleEvaluationContext, SensorEvaluationContext
from warehouse_assets.execution.built_contexts import built_resources

if TYPE_CHECKING:
    from warehouse_assets.instance import Instance

__all__ = ["build_schedule_context", "build_sensor_context"]


def build_schedule_context(
    *,
    scheduled_execution_time: datetime | None = None,
    instance: Instance | None = None,
    resources: Mapping[str, Any] | None = None,
    definitions: Any = None,
) -> ScheduleEvaluationContext:
    """A context for the function of a schedule, at a time; resources start when they are first asked for.

    >>> build_schedule_context(scheduled_execution_time=datetime(2024, 1, 1, 6)).scheduled_execution_time.hour
    6
    """
    return ScheduleEvaluationContext(
        scheduled_execution_time=scheduled_execution_time,
        instance=instance,
        resources=built_resources(resources, instance),
        definitions=definitions,
    )


def build_sensor_context(
    *,
    cursor: str | None = None,
    instance: Instance | None = None,
    resources: Mapping[str, Any] | None = None,
    last_tick_time: float | None = None,
    definitions: Any = None,
) -> SensorEvaluationContext:
    """A context for the function of a sensor, with the cursor that an earlier evaluation left.

    >>> build_sensor_context(cursor="a.csv").cursor
    'a.csv'
    """
    return SensorEvaluationContext(
        cursor=cursor,
        last_tick_time=last_tick_time,
        instance=instance,
        resources=built_resources(resources, instance),
        definitions=definitions,
    )
