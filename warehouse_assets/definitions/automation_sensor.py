"""`AutomationConditionSensorDefinition`: what evaluates the automation conditions of some assets, and can be turned on and off."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from warehouse_assets.definitions.naming import Faults, Place, caller_place

__all__ = ["DEFAULT_AUTOMATION_SENSOR", "AutomationConditionSensorDefinition"]

DEFAULT_AUTOMATION_SENSOR = "default_automation_condition_sensor"


@dataclass(frozen=True, eq=False)
class AutomationConditionSensorDefinition:
    """Evaluates the automation conditions of the assets of `target`, a selection, every so many seconds.

    Assets that no such sensor is for have the one that is called "default_automation_condition_sensor". Runs that it asks for have
    the `run_tags`. Raises InvalidDefinitionError for a name that is not allowed.

    >>> AutomationConditionSensorDefinition("marts", "group:marts").minimum_interval_seconds
    30
    """

    name: str
    target: Any = "*"
    minimum_interval_seconds: float = 30
    run_tags: Mapping[str, str] = field(default_factory=dict)
    default_status: Literal["RUNNING", "STOPPED"] = "STOPPED"
    description: str | None = None
    place: Place | None = field(default=None, repr=False)

    def __post_init__(self) -> None:
        place = self.place or caller_place()
        object.__setattr__(self, "place", place)
        faults = Faults(f"sensor {self.name!r}: ", place)
        faults.check_identifier(self.name, "name")
        if self.default_status not in ("RUNNING", "STOPPED"):
            faults.add(f"the default_status is {self.default_status!r}", hint='It is "RUNNING" or "STOPPED".')
        faults.settle(f"sensor {self.name!r}")
