"""What is checked, where an asset is declared, of when it is to be made. Nothing here is asked of assets that say nothing of it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from warehouse_assets.definitions.naming import Faults

__all__ = ["check_automation"]


def check_automation(condition: Any, policy: Any, faults: Faults) -> None:
    """An `automation_condition` and a `freshness_policy` are such, where they are given."""
    if condition is not None:
        from warehouse_assets.definitions.automation_condition import AutomationCondition

        if not isinstance(condition, AutomationCondition):
            hint = "Give for example AutomationCondition.eager()."
            faults.add(f"automation_condition is {condition!r}, not an AutomationCondition", hint=hint)
    if policy is not None:
        from warehouse_assets.definitions.freshness_policy import CronFreshnessPolicy, TimeWindowFreshnessPolicy

        if not isinstance(policy, (CronFreshnessPolicy, TimeWindowFreshnessPolicy)):
            hint = "Give for example FreshnessPolicy.time_window(fail_window=timedelta(hours=24))."
            faults.add(f"freshness_policy is {policy!r}, not a FreshnessPolicy", hint=hint)
