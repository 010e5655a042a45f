"""Whether a table is as fresh as its policy wants it. Pure: the policy, when the table was last made, and the time go in."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Literal, TypeAlias

from warehouse_assets.checks.freshness import age_text
from warehouse_assets.definitions.freshness_policy import CronFreshnessPolicy, TimeWindowFreshnessPolicy

__all__ = ["Freshness", "FreshnessState", "freshness_of"]

FreshnessState: TypeAlias = Literal["PASS", "WARN", "FAIL", "UNKNOWN"]


@dataclass(frozen=True, slots=True)
class Freshness:
    """Whether a table is fresh, and why; `latest` is when it was last made, in seconds since the epoch.

    UNKNOWN is what was never made.
    """

    state: FreshnessState
    reason: str
    latest: float | None = None


def freshness_of(policy: Any, latest: float | None, now: float) -> Freshness:
    """How fresh a table is that was last made at `latest`, by its policy.

    >>> policy = TimeWindowFreshnessPolicy(fail_window=timedelta(hours=2), warn_window=timedelta(hours=1))
    >>> freshness_of(policy, 0, now=4000)
    Freshness(state='WARN', reason='it was made more than 1 hour ago', latest=0)
    """
    if latest is None:
        return Freshness("UNKNOWN", "it was never made")
    if isinstance(policy, CronFreshnessPolicy):
        return _by_deadline(policy, latest, now)
    assert isinstance(policy, TimeWindowFreshnessPolicy)
    age = timedelta(seconds=max(0.0, now - latest))
    if age > policy.fail_window:
        return Freshness("FAIL", f"it was made more than {age_text(policy.fail_window)} ago", latest)
    if policy.warn_window is not None and age > policy.warn_window:
        return Freshness("WARN", f"it was made more than {age_text(policy.warn_window)} ago", latest)
    return Freshness("PASS", f"it was made within the last {age_text(policy.warn_window or policy.fail_window)}", latest)


def _by_deadline(policy: CronFreshnessPolicy, latest: float, now: float) -> Freshness:
    from warehouse_assets.partitions.cron import ticks_of

    ticks = ticks_of(policy.deadline_cron, policy.timezone)
    deadline = ticks.floor(int(now // 1))
    shown = f"{ticks.clock.at(deadline):%Y-%m-%d %H:%M} {policy.timezone}"
    delta = age_text(policy.lower_bound_delta)
    if latest >= deadline - policy.lower_bound_delta.total_seconds():
        when = "since" if latest > deadline else f"within {delta} before"
        return Freshness("PASS", f"it was made {when} the deadline of {shown}", latest)
    made = f"{datetime.fromtimestamp(latest, UTC):%Y-%m-%d %H:%M} UTC"
    return Freshness("FAIL", f"it was not made within {delta} before the deadline of {shown}, but at {made}", latest)
