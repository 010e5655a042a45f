"""`AutomationConditionSensorDefinition`: what evaluates the automation conditions of some assets, and can be turned on and off."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from warehouse_assets.definitions.naming import Faults, caller_place
from warehouse_assets.definitions.run_requests import SkipReason
from warehouse_assets.definitions.sensor import DefaultSensorStatus, SensorDefinition

__all__ = ["DEFAULT_AUTOMATION_SENSOR", "AutomationConditionSensorDefinition"]

DEFAULT_AUTOMATION_SENSOR = "default_automation_condition_sensor"


class AutomationConditionSensorDefinition(SensorDefinition):
    """Evaluates the automation conditions of the assets of `target`, a selection, at least `minimum_interval_seconds` apart.

    Assets that no such sensor is for have the one that is called "default_automation_condition_sensor". Runs that it asks for have
    the `run_tags`. It is off until it is switched on, unless `default_status` says otherwise.

    >>> AutomationConditionSensorDefinition("marts", "group:marts").minimum_interval_seconds
    30
    """

    def __init__(
        self,
        name: str,
        target: Any = "*",
        *,
        minimum_interval_seconds: float = 30,
        default_status: DefaultSensorStatus = DefaultSensorStatus.STOPPED,
        run_tags: Mapping[str, str] | None = None,
        description: str | None = None,
    ) -> None:
        place = caller_place()
        faults = Faults(f"sensor {name!r}: ", place)
        faults.check_identifier(name, "name")
        faults.settle(f"sensor {name!r}")
        super().__init__(
            name,
            _evaluated_elsewhere,
            target=target,
            minimum_interval_seconds=minimum_interval_seconds,
            default_status=default_status,
            description=description or "Evaluates automation conditions.",
            tags=run_tags,
        )
        self.place = place
        self.selection = target


def _evaluated_elsewhere() -> SkipReason:
    return SkipReason("conditions are evaluated by the daemon itself")
