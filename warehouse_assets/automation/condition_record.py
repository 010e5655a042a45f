"""What automation conditions ask of the record, read in a number of queries that does not grow with the assets."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Set
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING, TypeAlias

from warehouse_assets.automation.backfill_body import BackfillBody, read_targets
from warehouse_assets.automation.backfills import ACTIVE
from warehouse_assets.automation.condition_cursor import NONE, ConditionCursor, Subset
from warehouse_assets.definitions.automation_condition import AutomationCondition, DepsMatch, Fact
from warehouse_assets.errors import InvalidSelectionError, PartitionNotFoundError
from warehouse_assets.events import (
    DATA_VERSION_TAG,
    PARTITION_RANGE_END_TAG,
    PARTITION_RANGE_START_TAG,
    PARTITION_TAG,
    Event,
    RunRecord,
    RunStatus,
)
from warehouse_assets.graph.partition_links import Partition, PartitionLinks
from warehouse_assets.instance.event_log import Mark
from warehouse_assets.keys import AssetCheckKey, AssetKey

if TYPE_CHECKING:
    from warehouse_assets.graph.asset_graph import AssetGraph
    from warehouse_assets.graph.versions import LatestVersions
    from warehouse_assets.instance import Instance

__all__ = ["OPEN", "Snapshot", "Watched", "read_snapshot"]

OPEN: tuple[RunStatus, ...] = ("QUEUED", "STARTING", "STARTED", "CANCELING")

_AT_ONCE = 10_000  # events that are read in one query
_RUNS = 1_000  # runs that are read in one query
_FAILURES = 1_000  # failed runs that are remembered

Subsets: TypeAlias = Mapping[AssetKey, Subset]
Marks: TypeAlias = "Mapping[AssetKey, Mapping[Partition, Mark]]"


@dataclass(frozen=True, slots=True)
class Watched:
    """The assets that have conditions, in the order of the graph, and all that these conditions ask of."""

    graph: AssetGraph
    conditions: Mapping[AssetKey, AutomationCondition]
    keys: frozenset[AssetKey]
    parts: tuple[AutomationCondition, ...]

    @classmethod
    def of(cls, graph: AssetGraph, only: Set[AssetKey] | None = None) -> Watched:
        """Those of a graph, or of some of its assets."""
        conditions = {
            node.key: node.spec.automation_condition
            for node in graph
            if node.spec.automation_condition is not None and node.is_executable and (only is None or node.key in only)
        }
        distinct = {id(condition): condition for condition in conditions.values()}.values()
        depth = max(map(_depth, distinct), default=0)
        keys = frozenset((*conditions, *graph.upstream(conditions, depth)))
        parts = {part.digest: part for condition in distinct for part in condition.walk()}
        return cls(graph, conditions, keys, tuple(parts.values()))

    def asks(self, *facts: str) -> bool:
        """Whether any condition asks for one of these facts."""
        return any(isinstance(part, Fact) and part.fact in facts for part in self.parts)


def _depth(condition: AutomationCondition) -> int:
    below = max(map(_depth, condition.parts), default=0)
    return below + 1 if isinstance(condition, DepsMatch) else below


@dataclass(frozen=True, slots=True)
class Snapshot:
    """What the record says at one time, `now`, up to the event `last_id`.

    `made` has where the last materialization of each partition is, and of the whole (None); `updated` of those that were made since
    the cursor; `assets_of_runs` what the runs of these were to make. `failed` is what the last run that was to make it did not.
    """

    now: float
    last_id: int
    made: Marks = field(default_factory=dict)
    updated: Marks = field(default_factory=dict)
    assets_of_runs: Mapping[str, frozenset[AssetKey]] = field(default_factory=dict)
    in_progress: Subsets = field(default_factory=dict)
    in_backfills: Subsets = field(default_factory=dict)
    failed: Subsets = field(default_factory=dict)
    checks: Mapping[AssetCheckKey, bool] = field(default_factory=dict)
    versions: LatestVersions | None = None
    observed: Mapping[AssetKey, Mapping[Partition, str]] = field(default_factory=dict)


def read_snapshot(
    watched: Watched, instance: Instance, cursor: ConditionCursor, now: float, last: Snapshot | None = None
) -> Snapshot:
    """What there is to know for the evaluation after the one that left `cursor`.

    Where the `last` snapshot is that of the same cursor, what was made is known from it and from what happened since; what was wiped is not.
    """
    log, graph, moment = instance.event_log, watched.graph, datetime.fromtimestamp(now, UTC)
    # before all else: of what ends in the meantime it is better to think that it is under way than that it was never begun
    under_way = instance.get_runs(statuses=OPEN) if watched.asks("execution_in_progress") else []
    newest = log.get_events(limit=1, ascending=False)
    last_id = max([cursor.last_id or 0, *(event.storage_id or 0 for event in newest)])
    updated, observed = _news(watched, _events(instance, cursor.last_id, last_id), cursor.observed)
    if last is not None and last.last_id == cursor.last_id:
        new = {key: {**last.made.get(key, {}), **marks} for key, marks in updated.items() if graph[key].is_executable}
        made: Marks = {**last.made, **new} if new else last.made
    else:
        made = log.get_latest_marks("ASSET_MATERIALIZATION", watched.keys)
    versions, lost, checks, backfills = None, [], {}, {}
    if watched.asks("execution_failed"):
        lost = instance.get_runs(statuses="FAILURE", limit=_FAILURES)
    if watched.asks("backfill_in_progress"):
        backfills = _in_backfills(watched, made, instance, moment)
    if watched.asks("check_passed", "check_failed"):
        found = log.get_latest_check_events(watched.keys)
        checks = {key: check.passed for key, event in found.items() if (check := event.asset_check_evaluation) is not None}
    if watched.asks("data_version_changed"):
        from warehouse_assets.execution.recorded_versions import latest_versions

        versions = latest_versions(graph, instance, watched.keys)
    return Snapshot(
        now,
        last_id,
        made,
        updated,
        assets_of_runs=_assets_of_runs(watched, instance, updated),
        in_progress=_targets(under_way, watched, made, instance, moment),
        in_backfills=backfills,
        failed=_targets(lost, watched, made, instance, moment),
        checks=checks,
        versions=versions,
        observed=observed,
    )


def _assets_of_runs(watched: Watched, instance: Instance, updated: Marks) -> dict[str, frozenset[AssetKey]]:
    if not updated or not watched.asks("executed_with_root_target"):
        return {}
    ids = sorted({mark.run_id for marks in updated.values() for mark in marks.values() if mark.run_id})
    pages = (instance.get_runs(run_ids=ids[start : start + _RUNS]) for start in range(0, len(ids), _RUNS))
    return {run.run_id: frozenset(run.asset_keys) for page in pages for run in page}


def _events(instance: Instance, after: int | None, last_id: int) -> Iterator[Event]:
    """The materializations and observations since the last evaluation; none where there was none."""
    while after is not None and after < last_id:
        page = instance.get_event_records(
            event_types=("ASSET_MATERIALIZATION", "ASSET_OBSERVATION"), after=after, before=last_id + 1, limit=_AT_ONCE
        )
        yield from page
        after = page[-1].storage_id if len(page) == _AT_ONCE else None


def _news(
    watched: Watched, events: Iterable[Event], observed: Mapping[AssetKey, Mapping[Partition, str]]
) -> tuple[dict[AssetKey, dict[Partition, Mark]], dict[AssetKey, dict[Partition, str]]]:
    """What was made, and the versions of what something else fills, as last observed."""
    updated: dict[AssetKey, dict[Partition, Mark]] = {}
    seen = {key: dict(versions) for key, versions in observed.items()}
    for event in events:
        key = event.asset_key
        if key not in watched.keys or key is None:
            continue
        if event.event_type == "ASSET_OBSERVATION":
            version = event.data.tags.get(DATA_VERSION_TAG)  # type: ignore[union-attr]
            known = seen.setdefault(key, {})
            if watched.graph[key].is_executable or version is None or known.get(event.partition) == version:
                continue
            known[event.partition] = version
        updated.setdefault(key, {})[event.partition] = Mark(event.storage_id or 0, event.run_id, event.timestamp)
    return updated, {key: versions for key, versions in seen.items() if versions}


def _targets(
    runs: Iterable[RunRecord],
    watched: Watched,
    marks: Marks,
    instance: Instance,
    now: datetime,
) -> dict[AssetKey, Subset]:
    """What runs are to make and have not made yet; of those that have ended, what nobody has made since either."""
    found: dict[AssetKey, Subset] = {}
    for run in runs:
        for key in run.asset_keys:
            if key not in watched.keys:
                continue
            known = marks.get(key, {})
            left = (part for part in _partitions_of(run, key, watched.graph, instance, now) if _is_left(run, known.get(part)))
            found[key] = found.get(key, NONE).union(left)
    return found


def _is_left(run: RunRecord, mark: Mark | None) -> bool:
    return mark is None or (mark.run_id != run.run_id and (run.ended is None or mark.timestamp < run.ended))


def _partitions_of(run: RunRecord, key: AssetKey, graph: AssetGraph, instance: Instance, now: datetime) -> Iterable[Partition]:
    """The partitions of an asset that a run is to make: those that its tags name, else all of them."""
    partitions_def = graph[key].spec.partitions_def
    if partitions_def is None:
        return (None,)
    if (one := run.tags.get(PARTITION_TAG)) is not None:
        return (one,)
    keys = tuple(partitions_def.get_partition_keys(now, instance))
    ends = run.tags.get(PARTITION_RANGE_START_TAG), run.tags.get(PARTITION_RANGE_END_TAG)
    if None in ends:
        return keys
    places = [keys.index(end) for end in ends if end in keys]
    return keys[places[0] : places[1] + 1] if len(places) == 2 else ()


def _in_backfills(watched: Watched, marks: Marks, instance: Instance, now: datetime) -> dict[AssetKey, Subset]:
    """What backfills are to make and have not made yet; those of other code locations have assets that are not there."""
    active = instance.event_log.get_backfills(statuses=ACTIVE)
    links = PartitionLinks(watched.graph, instance, now)
    found: dict[AssetKey, Subset] = {}
    for body in map(BackfillBody.of, active):
        try:
            targets = read_targets(body.targets, watched.graph, links)
        except (InvalidSelectionError, PartitionNotFoundError):
            continue
        for key in watched.keys & targets.keys():
            made = marks.get(key, {})
            left = (name for name in targets[key] if name not in made or made[name].storage_id <= body.after)
            found[key] = found.get(key, NONE).union(left)
    return found
