"""When a table is made by itself and how old it may become, as the header of a `.sql` file writes it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from warehouse_assets.code_location.sql_checks import age_of
from warehouse_assets.definitions.automation_condition import AutomationCondition
from warehouse_assets.definitions.freshness_policy import FreshnessPolicy
from warehouse_assets.errors import close_matches

if TYPE_CHECKING:
    from warehouse_assets.code_location.sql_headers import Header

__all__ = ["automation_of"]

_CONDITIONS = ("eager", "on_missing", "on_cron")
_POLICIES: Mapping[str, tuple[Callable[..., FreshnessPolicy], tuple[str, ...]]] = {
    "time_window": (FreshnessPolicy.time_window, ("fail_window", "warn_window")),
    "cron": (FreshnessPolicy.cron, ("lower_bound_delta",)),
}


def automation_of(header: Header) -> dict[str, Any]:
    """The condition and the policy that a header says, as `sql_asset` takes them."""
    found: dict[str, Any] = {}
    if "automation_condition" in header:
        found["automation_condition"] = _condition(header)
    if "freshness_policy" in header:
        found["freshness_policy"] = _policy(header)
    return found


def _condition(header: Header) -> AutomationCondition | None:
    """`eager`, `on_missing`, or `{on_cron: 0 7 * * *}`; None for a fault."""
    said, path = header.get("automation_condition"), ["automation_condition"]
    if said in ("eager", "on_missing"):
        return AutomationCondition.eager() if said == "eager" else AutomationCondition.on_missing()
    if isinstance(said, dict) and [*said] == ["on_cron"]:
        value = said["on_cron"]
        given = value if isinstance(value, dict) else {"cron_schedule": value}
        return header.called([*path, "on_cron"], AutomationCondition.on_cron, given)
    names = [str(name) for name in said] if isinstance(said, dict) else [str(said)]
    guess = next((close for name in names if (close := close_matches(name, _CONDITIONS))), None)
    header.add(path, f"the automation condition is {said!r}", guess or 'Write eager, on_missing or {on_cron: "0 7 * * *"}.')
    return None


def _policy(header: Header) -> FreshnessPolicy | None:
    """`{time_window: {fail_window: 24h}}` or `{cron: {deadline_cron: 0 9 * * *, lower_bound_delta: 4h}}`; None for a fault."""
    path = ["freshness_policy"]
    said = header.mapping(*path)
    kind = next(iter(said), "")
    if len(said) != 1 or kind not in _POLICIES or not isinstance(said[kind], dict):
        header.add(path, f"the freshness policy is {dict(said)!r}", "Write {time_window: {fail_window: 24h}}.")
        return None
    make, ages = _POLICIES[kind]
    given = {name: age_of(header, [*path, kind, name], value) if name in ages else value for name, value in said[kind].items()}
    if any(name in ages and age is None for name, age in given.items()):
        return None
    return header.called([*path, kind], make, given)
