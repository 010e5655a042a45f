"""What an `AutomationCondition` can be made with: conditions ready for use, and the building blocks that they are made of."""

from __future__ import annotations

import datetime as dt
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

if TYPE_CHECKING:
    from warehouse_assets.definitions.automation_condition import AutomationCondition

__all__ = ["FactName", "Quantifier", "ReadyMadeConditions"]

FactName: TypeAlias = Literal[
    "missing",
    "execution_in_progress",
    "backfill_in_progress",
    "execution_failed",
    "newly_updated",
    "newly_requested",
    "code_version_changed",
    "data_version_changed",
    "will_be_requested",
    "initial_evaluation",
    "executed_with_root_target",
    "check_passed",
    "check_failed",
]
Quantifier: TypeAlias = Literal["any", "all"]


class ReadyMadeConditions:
    """The ways to make an `AutomationCondition`, which has them as its own."""

    # What there is ready made

    @classmethod
    @lru_cache(maxsize=1)
    def eager(cls) -> AutomationCondition:
        """Whenever a table that it is made from was made, or a partition of its own has come, once all of these are there.

        It waits for what is missing upstream, for runs of it, and for its own. Of time partitions it is the latest that is made.
        """
        wanted = (cls.newly_missing() | cls.any_deps_updated()).since_last_handled()
        return (
            cls.in_latest_time_window() & wanted & ~cls.any_deps_missing() & ~cls.any_deps_in_progress() & ~cls.in_progress()
        ).with_label("eager")

    @classmethod
    @lru_cache(maxsize=256)
    def on_cron(cls, cron_schedule: str, cron_timezone: str = "UTC") -> AutomationCondition:
        """Once for each tick of a cron schedule, when all that it is made from was made since that tick."""
        ticked = cls.cron_tick_passed(cron_schedule, cron_timezone)
        return (
            cls.in_latest_time_window()
            & ticked.since_last_handled()
            & cls.all_deps_updated_since_cron(cron_schedule, cron_timezone)
        ).with_label(f"on_cron({cron_schedule!r}, {cron_timezone!r})")

    @classmethod
    @lru_cache(maxsize=1)
    def on_missing(cls) -> AutomationCondition:
        """Once for each partition that comes, or asset that is wiped, as soon as all that it is made from is there.

        What was missing when the condition was first evaluated is left to people; see `since_last_handled`.
        """
        return (cls.in_latest_time_window() & cls.newly_missing().since_last_handled() & ~cls.any_deps_missing()).with_label(
            "on_missing"
        )

    # What is asked of the record

    @classmethod
    def missing(cls) -> AutomationCondition:
        """It was never made. What something else fills is never missing."""
        return _made("Fact", "missing")

    @classmethod
    def newly_missing(cls) -> AutomationCondition:
        """It is missing, and was not the time before."""
        return cls.missing().newly_true().with_label("newly_missing")

    @classmethod
    def in_progress(cls) -> AutomationCondition:
        """A run that is queued or under way is to make it, and so is a backfill."""
        either = cls.execution_in_progress() | cls.backfill_in_progress()
        return either.with_label("in_progress")

    @classmethod
    def execution_in_progress(cls) -> AutomationCondition:
        """A run that is queued or under way is to make it."""
        return _made("Fact", "execution_in_progress")

    @classmethod
    def backfill_in_progress(cls) -> AutomationCondition:
        """A backfill is to make it."""
        return _made("Fact", "backfill_in_progress")

    @classmethod
    def execution_failed(cls) -> AutomationCondition:
        """The last run that was to make it failed to."""
        return _made("Fact", "execution_failed")

    @classmethod
    def newly_updated(cls) -> AutomationCondition:
        """It was made since the time before; or, where something else fills it, was observed with another data version."""
        return _made("Fact", "newly_updated")

    @classmethod
    def newly_requested(cls) -> AutomationCondition:
        """A condition requested it the time before."""
        return _made("Fact", "newly_requested")

    @classmethod
    def code_version_changed(cls) -> AutomationCondition:
        """Its code version is another than the time before."""
        return _made("Fact", "code_version_changed")

    @classmethod
    def data_version_changed(cls) -> AutomationCondition:
        """Its data version is another than the time before."""
        return _made("Fact", "data_version_changed")

    @classmethod
    def initial_evaluation(cls) -> AutomationCondition:
        """The condition of the asset that is decided about is evaluated for the first time, or was changed."""
        return _made("Fact", "initial_evaluation")

    @classmethod
    def will_be_requested(cls) -> AutomationCondition:
        """It is requested in this same evaluation, in the run that would make the asset that is decided about."""
        return _made("Fact", "will_be_requested")

    @classmethod
    def executed_with_root_target(cls) -> AutomationCondition:
        """The run that last made it was to make the asset that is decided about too."""
        return _made("Fact", "executed_with_root_target")

    @classmethod
    def cron_tick_passed(cls, cron_schedule: str, cron_timezone: str = "UTC") -> AutomationCondition:
        """A cron schedule ticked since the time before, by the clock of a time zone."""
        return _made("CronTickPassed", cron_schedule, cron_timezone)

    @classmethod
    def in_latest_time_window(cls, lookback_delta: dt.timedelta | None = None) -> AutomationCondition:
        """It is of the last of its time windows, or of those that began within `lookback_delta` before the end of the last.

        Always true of what is not partitioned by time.
        """
        return _made("InLatestTimeWindow", lookback_delta)

    @classmethod
    def check_passed(cls) -> AutomationCondition:
        """Of a check: it passed the last time."""
        return _made("Fact", "check_passed")

    @classmethod
    def check_failed(cls) -> AutomationCondition:
        """Of a check: it did not pass the last time."""
        return _made("Fact", "check_failed")

    # What is asked of tables upstream, and of checks

    @classmethod
    def any_deps_match(cls, condition: AutomationCondition) -> AutomationCondition:
        """A condition is true of any of the tables that it is made from, of a partition that is mapped to it."""
        return _made("DepsMatch", "any", condition)

    @classmethod
    def all_deps_match(cls, condition: AutomationCondition) -> AutomationCondition:
        """A condition is true of all of the tables that it is made from, each of any partition that is mapped to it."""
        return _made("DepsMatch", "all", condition)

    @classmethod
    def any_deps_updated(cls) -> AutomationCondition:
        """Any of the tables that it is made from was made since the time before, or will be in the same run.

        A run that was to make this asset as well does not count.
        """
        alone = cls.newly_updated() & ~cls.executed_with_root_target()
        updated = alone | cls.will_be_requested()
        return cls.any_deps_match(updated).with_label("any_deps_updated")

    @classmethod
    def any_deps_missing(cls) -> AutomationCondition:
        """Any of the tables that it is made from is missing, and will not be made in the same run."""
        absent = cls.missing() & ~cls.will_be_requested()
        return cls.any_deps_match(absent).with_label("any_deps_missing")

    @classmethod
    def any_deps_in_progress(cls) -> AutomationCondition:
        """A run is about to make any of the tables that it is made from."""
        return cls.any_deps_match(cls.in_progress()).with_label("any_deps_in_progress")

    @classmethod
    def all_deps_updated_since_cron(cls, cron_schedule: str, cron_timezone: str = "UTC") -> AutomationCondition:
        """All of the tables that it is made from were made since the last tick of a cron schedule, or will be in the same run."""
        ticked = cls.cron_tick_passed(cron_schedule, cron_timezone)
        updated = cls.newly_updated().since(ticked) | cls.will_be_requested()
        return cls.all_deps_match(updated).with_label(f"all_deps_updated_since_cron({cron_schedule!r}, {cron_timezone!r})")

    @classmethod
    def any_checks_match(cls, condition: AutomationCondition, *, blocking_only: bool = False) -> AutomationCondition:
        """A condition such as `check_failed()` is true of any of its checks, or of those that block."""
        return _made("ChecksMatch", "any", condition, blocking_only)

    @classmethod
    def all_checks_match(cls, condition: AutomationCondition, *, blocking_only: bool = False) -> AutomationCondition:
        """A condition such as `check_passed()` is true of all of its checks, or of those that block."""
        return _made("ChecksMatch", "all", condition, blocking_only)

    @classmethod
    def all_deps_blocking_checks_passed(cls) -> AutomationCondition:
        """All blocking checks of the tables that it is made from passed the last time, or the tables will be in the same run."""
        passed = cls.all_checks_match(cls.check_passed(), blocking_only=True)
        good = passed | cls.will_be_requested()
        return cls.all_deps_match(good).with_label("all_deps_blocking_checks_passed")


def _made(kind: str, *parts: Any) -> AutomationCondition:
    """A condition of a kind; the kinds are conditions themselves, so their module is not there yet when this one is loaded."""
    from warehouse_assets.definitions import automation_condition

    made: AutomationCondition = getattr(automation_condition, kind)(*parts)
    return made
