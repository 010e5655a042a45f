"""`FreshnessPolicy`: how old a table may become, or by when it has to be made again."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from typing import Any

from warehouse_assets.definitions.naming import Faults, caller_place
from warehouse_assets.errors import InvalidDefinitionError

__all__ = ["CronFreshnessPolicy", "FreshnessPolicy", "TimeWindowFreshnessPolicy"]

_NONE = dt.timedelta(0)


@dataclass(frozen=True, slots=True)
class FreshnessPolicy:
    """How old a table may become: use `FreshnessPolicy.time_window(…)` or `FreshnessPolicy.cron(…)`.

    >>> from datetime import timedelta
    >>> FreshnessPolicy.time_window(fail_window=timedelta(hours=24), warn_window=timedelta(hours=12)).warn_window
    datetime.timedelta(seconds=43200)
    """

    @staticmethod
    def time_window(fail_window: dt.timedelta, warn_window: dt.timedelta | None = None) -> TimeWindowFreshnessPolicy:
        """A table must have been made within the last `fail_window`, and better within the last `warn_window`."""
        return TimeWindowFreshnessPolicy(fail_window, warn_window)

    @staticmethod
    def cron(deadline_cron: str, lower_bound_delta: dt.timedelta, timezone: str = "UTC") -> CronFreshnessPolicy:
        """At each tick of a cron schedule a table must have been made within `lower_bound_delta` before the tick.

        Where it was not, it fails until it is made.
        """
        return CronFreshnessPolicy(deadline_cron, lower_bound_delta, timezone)


@dataclass(frozen=True, slots=True)
class TimeWindowFreshnessPolicy(FreshnessPolicy):
    """A table must have been made within a time that ends now."""

    fail_window: dt.timedelta
    warn_window: dt.timedelta | None = None

    def __post_init__(self) -> None:
        faults = Faults("the freshness policy: ", caller_place())
        sound = _check_delta("fail_window", self.fail_window, faults)
        if self.warn_window is not None:
            sound = _check_delta("warn_window", self.warn_window, faults) and sound
            if sound and self.warn_window >= self.fail_window:
                what = f"the warn_window of {self.warn_window} is not shorter than the fail_window of {self.fail_window}"
                faults.add(what, hint="It warns before it fails.")
        faults.raise_any("the freshness policy")


@dataclass(frozen=True, slots=True)
class CronFreshnessPolicy(FreshnessPolicy):
    """A table must have been made by each tick of a cron schedule."""

    deadline_cron: str
    lower_bound_delta: dt.timedelta
    timezone: str = "UTC"

    def __post_init__(self) -> None:
        from warehouse_assets.partitions.cron import ticks_of

        faults = Faults("the freshness policy: ", caller_place())
        _check_delta("lower_bound_delta", self.lower_bound_delta, faults)
        try:
            ticks_of(self.deadline_cron, self.timezone)
        except (InvalidDefinitionError, AttributeError, TypeError) as error:
            message = getattr(error, "message", f"the cron schedule {self.deadline_cron!r} cannot be used")
            faults.add(message, hint=getattr(error, "hint", None))
        faults.raise_any("the freshness policy")


def _check_delta(name: str, delta: Any, faults: Faults) -> bool:
    if isinstance(delta, dt.timedelta) and delta > _NONE:
        return True
    faults.add(f"the {name} is {delta!r}", hint="Write timedelta(hours=…).")
    return False
