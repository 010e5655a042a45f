"""One evaluation of all automation conditions. Pure: the graph, what the record says, and what the last evaluation kept go in; what is
requested, what is kept, and why, comes out."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from warehouse_assets.automation.condition_cursor import NONE, ConditionCursor, StateKey, Subset
from warehouse_assets.automation.condition_order import later_partitions
from warehouse_assets.automation.condition_record import Snapshot, Watched
from warehouse_assets.definitions.automation_condition import (
    And,
    AutomationCondition,
    ChecksMatch,
    CronTickPassed,
    DepsMatch,
    Fact,
    InLatestTimeWindow,
    NewlyTrue,
    Not,
    Or,
    Since,
)
from warehouse_assets.graph.partition_links import Partition, PartitionLinks
from warehouse_assets.keys import AssetCheckKey, AssetKey

if TYPE_CHECKING:
    from warehouse_assets.partitions.definition import DynamicPartitionsStore, PartitionsDefinition

__all__ = ["ConditionResult", "Evaluation", "evaluate_conditions"]

_WHOLE: Subset = frozenset((None,))


@dataclass(slots=True)
class ConditionResult:
    """What came out of a condition, or a part of one: of which of the partitions it was asked of it is true, and why.

    `subject` is what it was asked of: the asset, one upstream of it, or a check.
    """

    name: str
    subject: str
    asked: Subset
    true: Subset = NONE
    parts: list[ConditionResult] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Evaluation:
    """What came out: the partitions that are requested of each asset in the order of the graph (None: of an asset without any).

    `is_quiet` is whether nothing has happened that the next evaluation would have to know. `results` tells why, of the assets that
    this was asked for.
    """

    requested: Mapping[AssetKey, Subset]
    cursor: ConditionCursor
    is_quiet: bool
    results: Mapping[AssetKey, ConditionResult]


def evaluate_conditions(
    watched: Watched,
    snapshot: Snapshot,
    cursor: ConditionCursor,
    *,
    store: DynamicPartitionsStore | None = None,
    explain: Collection[AssetKey] = (),
) -> Evaluation:
    """Evaluate the conditions of all watched assets, each after those of what it is made from; `store` knows the dynamic partitions."""
    return Evaluator(watched, snapshot, cursor, store).run(explain)


class Evaluator:
    """Evaluates each condition by the rule of its kind; one that remembers is evaluated once, of all partitions."""

    def __init__(
        self, watched: Watched, snapshot: Snapshot, cursor: ConditionCursor, store: DynamicPartitionsStore | None
    ) -> None:
        self.watched, self.graph, self.snapshot, self.before = watched, watched.graph, snapshot, cursor
        self.moment = datetime.fromtimestamp(snapshot.now, UTC)
        self.links = PartitionLinks(watched.graph, store, self.moment)
        self.requested: dict[AssetKey, Subset] = {}
        self.true: dict[StateKey, Subset] = {}
        self.versions: dict[StateKey, Mapping[Partition, str]] = {}
        self.root: AssetKey | None = None
        self.is_new = False
        self._every: dict[int, Subset] = {}
        self._ticked: dict[str, int | None] = {}
        self._selected: dict[int, Collection[AssetKey]] = {}
        self._parts: list[ConditionResult] | None = None
        self._checks: dict[AssetKey, list[AssetCheckKey]] | None = None
        self._code_versions: Callable[[Any], str | None] | None = None

    def run(self, explain: Collection[AssetKey]) -> Evaluation:
        """Evaluate all conditions, and tell why of these assets."""
        known: dict[str, set[AssetKey]] = defaultdict(set)
        results: dict[AssetKey, ConditionResult] = {}
        for key, condition in self.watched.conditions.items():
            digest = condition.digest
            known[digest].add(key)
            self.root, self.is_new = key, key not in self.before.known.get(digest, NONE)
            self._parts = [] if key in explain else None
            found = self.evaluate(condition, key, self.every(key))
            if self._parts is not None:
                results[key] = self._parts[0]
            if found:
                self._request(key, found)
        order = {key: self.requested[key] for key in self.graph.order if key in self.requested} if self.requested else {}
        cursor = ConditionCursor(
            self.snapshot.now,
            self.snapshot.last_id,
            {digest: frozenset(keys) for digest, keys in known.items()},
            order,
            {state: subset for state, subset in self.true.items() if subset},
            self.versions,
            self.snapshot.observed,
        )
        quiet = (
            not self.snapshot.updated
            and not any(tick is not None for tick in self._ticked.values())
            and cursor.knows_as_much(self.before)
        )
        return Evaluation(order, cursor, quiet and not order, results)

    def _request(self, key: AssetKey, found: Subset) -> None:
        """A function that makes all of its assets or none is asked for all of them."""
        definition = self.graph[key].definition
        together = (key,) if definition is None or definition.can_subset else definition.keys
        for each in together:
            self.requested[each] = self.requested.get(each, NONE) | found

    @property
    def explains(self) -> bool:
        """Whether it is to be told why."""
        return self._parts is not None

    def every(self, key: AssetKey) -> Subset:
        """All partitions of an asset."""
        partitions_def = self.graph[key].spec.partitions_def
        if partitions_def is None:
            return _WHOLE
        if id(partitions_def) not in self._every:
            self._every[id(partitions_def)] = frozenset(self.links.partitions(key))
        return self._every[id(partitions_def)]

    def evaluate(self, condition: AutomationCondition, key: AssetKey, asked: Subset) -> Subset:
        """Of which of the partitions that are asked for a condition is true."""
        rule = _RULES[type(condition)]
        if self._parts is None:
            return rule(self, condition, key, asked)
        result = ConditionResult(condition.name, key.to_user_string(), asked)
        outer, self._parts = self._parts, result.parts
        result.true = rule(self, condition, key, asked)
        self._parts = outer
        outer.append(result)
        return result.true

    def state_of(self, condition: AutomationCondition, key: AssetKey) -> StateKey:
        """What a condition remembers of an asset is shared by all that are made from it, unless it asks of these too."""
        return condition.digest, key, self.root if key != self.root and condition.asks_of_the_root else None

    def ticked(self, condition: CronTickPassed) -> bool:
        """Whether a schedule ticked since the last evaluation; there was none before the first."""
        return self.last_tick(condition) is not None

    def last_tick(self, condition: CronTickPassed) -> int | None:
        """The last tick of a schedule since the last evaluation."""
        if condition.text not in self._ticked:
            from warehouse_assets.partitions.cron import ticks_of

            last = self.before.time
            tick = ticks_of(condition.cron_schedule, condition.cron_timezone).floor(int(self.snapshot.now // 1))
            self._ticked[condition.text] = tick if last is not None and tick > last else None
        return self._ticked[condition.text]

    def deps(self, condition: DepsMatch, key: AssetKey) -> Sequence[AssetKey]:
        """The tables that a condition asks of."""
        parents = self.links.parents(key)
        if condition.allowed:
            parents = [parent for parent in parents if all(parent in self._resolved(one) for one in condition.allowed)]
        if condition.ignored:
            parents = [parent for parent in parents if not any(parent in self._resolved(one) for one in condition.ignored)]
        return parents

    def checks(self, key: AssetKey) -> Sequence[AssetCheckKey]:
        """The checks of an asset."""
        if self._checks is None:
            self._checks = defaultdict(list)
            for check in self.graph.checks:
                self._checks[check.asset_key].append(check)
        return self._checks.get(key, ())

    def _resolved(self, selection: Any) -> Collection[AssetKey]:
        if id(selection) not in self._selected:
            from warehouse_assets.graph.selection import AssetSelection

            self._selected[id(selection)] = AssetSelection.of(selection).resolve(self.graph)
        return self._selected[id(selection)]

    def code_version(self, key: AssetKey) -> str | None:
        """What the code of an asset is now."""
        if self._code_versions is None:
            from warehouse_assets.graph.code.versions import CodeVersions

            self._code_versions = CodeVersions()
        return self._code_versions(self.graph[key])

    def in_the_run_of_the_root(self, key: AssetKey) -> bool:
        """Whether one run can make both this asset and the one that is decided about, partition by partition."""
        if self.root is None or key == self.root:
            return False
        mine, its = self.graph[key].spec.partitions_def, self.graph[self.root].spec.partitions_def
        if mine != its or mine is None:
            return mine is None and its is None
        if key not in self.links.parents(self.root):
            return True
        sample = tuple(self.every(self.root))[:3]
        return all(tuple(found) == (name,) for name, found in self.links.inputs_from(self.root, key, sample).items())


def _and(of: Evaluator, condition: Any, key: AssetKey, asked: Subset) -> Subset:
    found = asked
    for operand in condition.operands:
        if of.explains:  # of each what it is by itself
            found &= of.evaluate(operand, key, asked)
        elif found or operand.remembers:
            found &= of.evaluate(operand, key, found)
    return found


def _or(of: Evaluator, condition: Any, key: AssetKey, asked: Subset) -> Subset:
    found = NONE
    for operand in condition.operands:
        found |= of.evaluate(operand, key, asked)
    return found


def _not(of: Evaluator, condition: Any, key: AssetKey, asked: Subset) -> Subset:
    return asked - of.evaluate(condition.operand, key, asked)


def _since(of: Evaluator, condition: Any, key: AssetKey, asked: Subset) -> Subset:
    state = of.state_of(condition, key)
    if state not in of.true:
        every = of.every(key)
        triggered, reset = of.evaluate(condition.trigger, key, every), of.evaluate(condition.reset, key, every)
        if (both := triggered & reset) and not of.is_new:
            reset -= later_partitions(of, key, condition.trigger, condition.reset, both)
        of.true[state] = (triggered | (of.before.true.get(state, NONE) & every)) - reset
    return asked & of.true[state]


def _newly_true(of: Evaluator, condition: Any, key: AssetKey, asked: Subset) -> Subset:
    state = of.state_of(condition, key)
    if state not in of.true:
        of.true[state] = of.evaluate(condition.operand, key, of.every(key))
    return (asked & of.true[state]) - of.before.true.get(state, NONE)


def _deps_match(of: Evaluator, condition: Any, key: AssetKey, asked: Subset) -> Subset:
    found = NONE if condition.quantifier == "any" else asked
    operand, only_news = condition.operand, condition.operand.is_of_news and not condition.remembers and not of.explains
    for parent in of.deps(condition, key):
        nothing = only_news and parent not in of.snapshot.updated and parent not in of.requested
        true = NONE if nothing else of.evaluate(operand, parent, of.every(parent))
        if condition.quantifier == "any":
            found |= _downstream(of, key, parent, asked - found, true)
        else:
            found &= _downstream(of, key, parent, found, true, of_none=True)
    return found


def _downstream(of: Evaluator, key: AssetKey, parent: AssetKey, asked: Subset, true: Subset, of_none: bool = False) -> Subset:
    """Those of the partitions of an asset that are made from any of these of its parent; or from `of_none` at all."""
    if not asked or (not true and not of_none):
        return NONE
    if asked is _WHOLE and of.graph[parent].spec.partitions_def is None:
        return asked if true else NONE
    links = of.links.inputs_from(key, parent, tuple(sorted(asked, key=str)))
    return frozenset(name for name, needed in links.items() if (of_none and not needed) or not true.isdisjoint(needed))


def _checks_match(of: Evaluator, condition: Any, key: AssetKey, asked: Subset) -> Subset:
    checks = [check for check in of.checks(key) if of.graph.checks[check].spec.blocking or not condition.blocking_only]
    answers = [_of_check(of, condition.operand, check, asked) for check in checks]
    return asked if (any if condition.quantifier == "any" else all)(answers) else NONE


def _of_check(of: Evaluator, condition: AutomationCondition, check: AssetCheckKey, asked: Subset) -> bool:
    """Whether a condition is true of a check; what it asks of a table it asks of the one that is checked."""
    if isinstance(condition, Fact) and condition.fact in ("check_passed", "check_failed"):
        passed = of.snapshot.checks.get(check)
        true = passed is not None and passed == (condition.fact == "check_passed")
        if of._parts is not None:
            of._parts.append(ConditionResult(condition.name, str(check), asked, asked if true else NONE))
        return true
    if isinstance(condition, Not):
        return not _of_check(of, condition.operand, check, asked)
    if isinstance(condition, (And, Or)):
        answers = [_of_check(of, operand, check, asked) for operand in condition.operands]
        return all(answers) if isinstance(condition, And) else any(answers)
    return bool(of.evaluate(condition, check.asset_key, of.every(check.asset_key)))


def _ticked(of: Evaluator, condition: Any, key: AssetKey, asked: Subset) -> Subset:
    return asked if of.ticked(condition) else NONE


def _in_latest_window(of: Evaluator, condition: Any, key: AssetKey, asked: Subset) -> Subset:
    partitions_def = of.graph[key].spec.partitions_def
    return asked if partitions_def is None else asked & _latest(of, partitions_def, key, condition.lookback_delta)


def _latest(of: Evaluator, partitions_def: PartitionsDefinition, key: AssetKey, lookback: timedelta | None) -> Subset:
    from warehouse_assets.partitions.multi import MultiPartitionsDefinition
    from warehouse_assets.partitions.time_window import TimeWindowPartitionsDefinition

    if isinstance(partitions_def, TimeWindowPartitionsDefinition):
        return frozenset(_last_windows(partitions_def, of.moment, lookback))
    if isinstance(partitions_def, MultiPartitionsDefinition):
        time = [d for d in partitions_def.partitions_defs if isinstance(d.partitions_def, TimeWindowPartitionsDefinition)]
        if time:
            late = frozenset(_last_windows(time[0].partitions_def, of.moment, lookback))
            return frozenset(
                name
                for name in of.every(key)
                if partitions_def.get_partition_key_from_str(str(name)).keys_by_dimension[time[0].name] in late
            )
    return of.every(key)


def _last_windows(partitions_def: Any, now: datetime, lookback: timedelta | None) -> Sequence[str]:
    stop = partitions_def.stop(now)
    last = partitions_def.ticks.floor(stop - 1)
    start = last if lookback is None else min(last, partitions_def.ticks.ceil(stop - int(lookback.total_seconds())))
    found: Sequence[str] = partitions_def.keys_between(max(start, partitions_def.first), stop)
    return found


def _fact(of: Evaluator, condition: Any, key: AssetKey, asked: Subset) -> Subset:
    return _FACTS[condition.fact](of, condition, key, asked)


def _missing(of: Evaluator, condition: Any, key: AssetKey, asked: Subset) -> Subset:
    if not of.graph[key].is_executable:
        return NONE
    made = of.snapshot.made.get(key)
    return asked if made is None else asked.difference(made)


def _newly_updated(of: Evaluator, condition: Any, key: AssetKey, asked: Subset) -> Subset:
    updated = of.snapshot.updated.get(key)
    if updated is None:
        return NONE
    return (
        asked if None in updated else asked.intersection(updated)
    )  # None: what was made as a whole is made in all its partitions


def _with_root(of: Evaluator, condition: Any, key: AssetKey, asked: Subset) -> Subset:
    updated = of.snapshot.updated.get(key)
    if updated is None:
        return NONE
    assets = of.snapshot.assets_of_runs
    found = {name for name, update in updated.items() if of.root in assets.get(update.run_id, ())}
    return asked if None in found else asked.intersection(found)


def _will_be_requested(of: Evaluator, condition: Any, key: AssetKey, asked: Subset) -> Subset:
    requested = of.requested.get(key)
    return asked & requested if requested and of.in_the_run_of_the_root(key) else NONE


def _code_version_changed(of: Evaluator, condition: Any, key: AssetKey, asked: Subset) -> Subset:
    now = of.code_version(key)
    state = of.state_of(condition, key)
    before = of.before.versions.get(state)
    of.versions[state] = {None: now or ""}
    return asked if before is not None and before != of.versions[state] else NONE


def _data_version_changed(of: Evaluator, condition: Any, key: AssetKey, asked: Subset) -> Subset:
    latest = of.snapshot.versions
    assert latest is not None
    every = ((name, latest.get(key, name)) for name in of.every(key))
    state = of.state_of(condition, key)
    before = of.before.versions.get(state)
    now = of.versions[state] = {name: recorded.data_version for name, recorded in every if recorded is not None}
    if before is None:
        return NONE
    return asked.intersection(name for name, version in now.items() if before.get(name) != version)


def _known_of(subsets: str) -> Callable[[Evaluator, Any, AssetKey, Subset], Subset]:
    def rule(of: Evaluator, condition: Any, key: AssetKey, asked: Subset) -> Subset:
        known: Mapping[AssetKey, Subset] = getattr(of.snapshot, subsets)
        return asked & known.get(key, NONE)

    return rule


_FACTS: Mapping[str, Callable[[Evaluator, Any, AssetKey, Subset], Subset]] = {
    "missing": _missing,
    "execution_in_progress": _known_of("in_progress"),
    "backfill_in_progress": _known_of("in_backfills"),
    "execution_failed": _known_of("failed"),
    "newly_updated": _newly_updated,
    "newly_requested": lambda of, _, key, asked: asked & of.before.requested.get(key, NONE),
    "code_version_changed": _code_version_changed,
    "data_version_changed": _data_version_changed,
    "will_be_requested": _will_be_requested,
    "initial_evaluation": lambda of, _, key, asked: asked if of.is_new else NONE,
    "executed_with_root_target": _with_root,
    "check_passed": lambda *_: NONE,
    "check_failed": lambda *_: NONE,
}

_RULES: Mapping[type[AutomationCondition], Callable[[Evaluator, Any, AssetKey, Subset], Subset]] = {
    And: _and,
    ChecksMatch: _checks_match,
    CronTickPassed: _ticked,
    DepsMatch: _deps_match,
    Fact: _fact,
    InLatestTimeWindow: _in_latest_window,
    NewlyTrue: _newly_true,
    Not: _not,
    Or: _or,
    Since: _since,
}
