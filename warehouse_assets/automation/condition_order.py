"""Which came first, where a condition and what resets it became true between the same two evaluations."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from warehouse_assets.automation.condition_cursor import Subset
from warehouse_assets.definitions.automation_condition import AutomationCondition, CronTickPassed, DepsMatch, Fact, Not, Since
from warehouse_assets.graph.partition_links import Partition
from warehouse_assets.keys import AssetKey

if TYPE_CHECKING:
    from warehouse_assets.automation.condition_evaluation import Evaluator

__all__ = ["later_partitions"]

_NEVER = float("-inf")


def later_partitions(
    of: Evaluator, key: AssetKey, trigger: AutomationCondition, reset: AutomationCondition, both: Subset
) -> Subset:
    """Those of the partitions of which the trigger became true later than the reset; what has no time of its own comes first.

    A table upstream that is made right after its own, or a day that begins right before it, is not forgotten for that.
    """
    triggered, handled = _moments(of, trigger, key, both), _moments(of, reset, key, both)
    return frozenset(name for name in both if triggered.get(name, _NEVER) > handled.get(name, _NEVER))


def _moments(of: Evaluator, condition: AutomationCondition, key: AssetKey, asked: Subset) -> Mapping[Partition, float]:
    """When a condition last became true of these partitions, as far as that can be told."""
    if isinstance(condition, Not):
        return {}
    if isinstance(condition, CronTickPassed):
        tick = of.last_tick(condition)
        return dict.fromkeys(asked, tick) if tick is not None else {}
    if isinstance(condition, Fact):
        return _of_fact(of, condition, key, asked)
    found: dict[Partition, float] = {}
    if isinstance(condition, DepsMatch):
        for parent in of.deps(condition, key):
            upstream = _moments(of, condition.operand, parent, of.every(parent))
            links = of.links.inputs_from(key, parent, tuple(sorted(asked, key=str))) if upstream else {}
            for name, needed in links.items():
                if known := [upstream[one] for one in needed if one in upstream]:
                    found[name] = max(found.get(name, _NEVER), *known)
        return found
    for part in condition.parts[:1] if isinstance(condition, Since) else condition.parts:
        for name, moment in _moments(of, part, key, asked).items():
            found[name] = max(found.get(name, _NEVER), moment)
    return found


def _of_fact(of: Evaluator, condition: Fact, key: AssetKey, asked: Subset) -> Mapping[Partition, float]:
    if condition.fact == "newly_requested":
        requested = of.before.requested.get(key, ())
        return {name: of.before.time or _NEVER for name in asked if name in requested}
    if condition.fact == "will_be_requested":
        return dict.fromkeys(asked & of.requested.get(key, frozenset()), of.snapshot.now)
    updated = of.snapshot.updated.get(key) if condition.fact == "newly_updated" else None
    if not updated:
        return {}
    whole = updated[None].timestamp if None in updated else _NEVER
    each = {name: max(updated[name].timestamp if name in updated else _NEVER, whole) for name in asked}
    return {name: moment for name, moment in each.items() if moment > _NEVER}
