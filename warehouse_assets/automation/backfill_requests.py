"""Asking for backfills: which partitions are meant, what is wrong with that, and what is to become of one later."""

from __future__ import annotations

import os
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from warehouse_assets.automation.backfill_body import BackfillBody, written_targets
from warehouse_assets.automation.backfill_plan import BackfillPlan
from warehouse_assets.automation.backfill_state import BackfillState, written_statuses
from warehouse_assets.automation.backfill_targets import Targets, anchor_of, mapped_targets, narrowed
from warehouse_assets.automation.backfills import (
    ACTIVE,
    UNFINISHED,
    MakeRun,
    ended_if_idle,
    links_of,
    progress_of,
    run_tags,
    unfinished_runs,
    unmade,
)
from warehouse_assets.automation_records import Backfill
from warehouse_assets.errors import (
    InvalidConfigError,
    InvalidInvocationError,
    InvalidSelectionError,
    PartitionNotFoundError,
    RunNotFoundError,
    close_matches,
)
from warehouse_assets.events import (
    PARTITION_RANGE_END_TAG,
    PARTITION_RANGE_START_TAG,
    PARTITION_TAG,
    CodeLocation,
    Event,
)
from warehouse_assets.execution.heartbeat import have_it_look, is_gone
from warehouse_assets.execution.partitions import checked_partition_key
from warehouse_assets.execution.plan import Plan
from warehouse_assets.execution.run_config import RunConfig, configurable_names
from warehouse_assets.graph.partition_links import WHOLE, Partition, PartitionLinks
from warehouse_assets.graph.selection import CoercibleToAssetSelection, select_executable
from warehouse_assets.keys import AssetKey, CoercibleToAssetKey
from warehouse_assets.partitions.definition import PartitionKeyRange

if TYPE_CHECKING:
    from warehouse_assets.graph.asset_graph import AssetGraph
    from warehouse_assets.instance import Instance

__all__ = ["WhichPartitions", "cancel_backfill", "get_backfill", "request_backfill", "resume_backfill"]


@dataclass(frozen=True, slots=True)
class WhichPartitions:
    """Which partitions: those of `keys` and in `key_range`, or all where neither is given.

    They are those of the asset `of`, by default of the partitioned asset that stands first. Of these only what is `missing`, or what
    `failed` the last time, where that is asked for.
    """

    keys: Sequence[str] = ()
    key_range: PartitionKeyRange | None = None
    of: CoercibleToAssetKey | None = None
    missing: bool = False
    failed: bool = False


def request_backfill(
    graph: AssetGraph,
    instance: Instance,
    selection: CoercibleToAssetSelection | None = None,
    which: WhichPartitions | None = None,
    *,
    now: float,
    location: CodeLocation | None = None,
    max_runs: int | None = None,
    run_config: Mapping[str, Any] | None = None,
    tags: Mapping[str, str] | None = None,
    here: bool = False,
    make_run: MakeRun | None = None,
) -> Backfill:
    """Ask for a backfill of the selected assets, or of all: the record keeps it, and the daemon makes it, unless it is made `here`.

    At most `max_runs` of its runs are queued or running at once. InvalidSelectionError or PartitionNotFoundError for what cannot be meant, and
    where there is nothing to make; with `make_run` also what keeps its runs from being made, such as their configuration.
    """
    if max_runs is not None and max_runs < 1:
        raise InvalidInvocationError(f"max_runs is {max_runs}, below 1")
    selected = set(graph.executable_keys) if selection is None else select_executable(graph, selection)
    last = instance.event_log.get_events(limit=1, ascending=False)
    body = BackfillBody(
        location=location,
        max_runs=max_runs,
        run_config=run_config or {},
        tags=tags or {},
        after=(last[0].storage_id or 0) if last else 0,
        here=here,
    )
    asked = Backfill(os.urandom(4).hex(), "REQUESTED", now)
    links = links_of(graph, instance, asked)
    targets = _targets(graph, instance, selected, which or WhichPartitions(), links)
    plan = BackfillPlan(graph, targets, links)
    _check_config(graph, targets, body.run_config)
    if make_run is not None:
        for stage in plan.stages:
            make_run(plan.unit(stage.first), body, run_tags(asked, body), "")
    state = BackfillState(plan)
    body = replace(body, targets=written_targets(targets, links), plan=plan.digest, statuses=written_statuses(state.statuses))
    asked = replace(asked, body=replace(body, progress=progress_of(state, body)).to_json())
    if not instance.event_log.put_backfill(asked):
        raise InvalidInvocationError(f"there is a backfill {asked.backfill_id!r} already")
    return replace(asked, version=1)


def get_backfill(instance: Instance, backfill_id: str) -> Backfill:
    """The backfill of this id, or the only one whose id begins so; RunNotFoundError where there is none."""
    if (found := instance.event_log.get_backfill(backfill_id)) is not None:
        return found
    matching = [each for each in instance.event_log.get_backfills() if backfill_id and each.backfill_id.startswith(backfill_id)]
    if len(matching) == 1:
        return matching[0]
    what = "no backfill" if not matching else f"more than one backfill ({len(matching)})"
    raise RunNotFoundError(f"{what} with the id {backfill_id!r} is recorded", hint="`wa backfill list` shows those there are.")


def cancel_backfill(instance: Instance, backfill_id: str, now: float) -> Backfill:
    """Have no further run of it begin, take those back that are queued, and stop those that go on.

    It is canceled once the last has stopped.
    """
    while True:
        backfill = get_backfill(instance, backfill_id)
        if backfill.status not in ACTIVE:
            raise InvalidInvocationError(f"the backfill {backfill.backfill_id} is over: {backfill.status.lower()}")
        if backfill.status == "CANCELING" or instance.event_log.put_backfill(replace(backfill, status="CANCELING")):
            break
    for run in unfinished_runs(instance, backfill.backfill_id):
        _cancel_run(instance, run.run_id, now)
    backfill = get_backfill(instance, backfill.backfill_id)
    if (ended := ended_if_idle(instance, backfill, now)) is not None and instance.event_log.put_backfill(ended):
        return replace(ended, version=ended.version + 1)
    return backfill


def resume_backfill(instance: Instance, backfill_id: str, now: float, *, here: bool = False) -> Backfill:
    """Have it go on with what failed, was canceled or was not reached: what was made stays as it is.

    One that a process made which is gone can be resumed too.
    """
    backfill = get_backfill(instance, backfill_id)
    body = BackfillBody.of(backfill)
    if backfill.status == "COMPLETED":
        raise InvalidInvocationError(f"the backfill {backfill.backfill_id} is complete: nothing is left to make")
    if backfill.status in ACTIVE:
        if not body.here or not all(is_gone(run, now) for run in unfinished_runs(instance, backfill.backfill_id)):
            what = f"the backfill {backfill.backfill_id} goes on: {backfill.status.lower()}"
            raise InvalidInvocationError(what, hint="Cancel it first.")
        for run in unfinished_runs(instance, backfill.backfill_id):
            lost = Event("RUN_FAILURE", run.run_id, now, message="the process that made it is gone")
            instance.event_log.store_events_if(run.run_id, UNFINISHED, [lost])
    body = replace(body, plan=None, statuses="", attempt=body.attempt + 1, here=here, error=None)
    asked = replace(backfill, status="REQUESTED", ended=None, body=body.to_json())
    if not instance.event_log.put_backfill(asked):
        raise InvalidInvocationError(f"the backfill {backfill.backfill_id} was changed meanwhile", hint="Try again.")
    return replace(asked, version=asked.version + 1)


def _cancel_run(instance: Instance, run_id: str, now: float) -> None:
    message = "its backfill was canceled"
    if not instance.event_log.store_events_if(run_id, ["QUEUED"], [Event("RUN_CANCELED", run_id, now, message=message)]):
        canceling = [Event("RUN_CANCELING", run_id, now, message=message)]
        if instance.event_log.store_events_if(run_id, ["STARTING", "STARTED"], canceling):
            have_it_look(instance, run_id)


def _targets(
    graph: AssetGraph, instance: Instance, selected: Collection[AssetKey], which: WhichPartitions, links: PartitionLinks
) -> Targets:
    if which.keys or which.key_range is not None:
        anchor = anchor_of(graph, selected, None if which.of is None else AssetKey.coerce(which.of))
        keys = _keys_of(graph, anchor, which, links)
        targets = mapped_targets(graph, selected, links, anchor, keys)
    else:
        targets = {key: links.partitions(key) for key in graph.order if key in selected}
    if which.missing:
        targets = unmade(graph, instance, targets, -1)
    if which.failed:
        targets = narrowed(targets, _failed(graph, instance, targets, links))
    targets = {key: partitions for key, partitions in targets.items() if partitions}
    if not targets:
        only = " that is missing" if which.missing else " that failed" if which.failed else ""
        raise InvalidSelectionError(f"there is no partition{only} to make of the selected assets")
    return targets


def _check_config(graph: AssetGraph, targets: Targets, run_config: Mapping[str, Any]) -> None:
    """Each run takes what is of its assets, so what is of none would go unnoticed."""
    configured = RunConfig.of(run_config).ops
    known = configurable_names(Plan.build(graph, targets.keys())) if configured else {}
    for name in configured:
        if name not in known:
            hint = close_matches(name, list(known))
            raise InvalidConfigError(f"it configures {name!r}, which is no asset of the backfill", hint=hint)


def _keys_of(graph: AssetGraph, anchor: AssetKey, which: WhichPartitions, links: PartitionLinks) -> Sequence[Partition]:
    """The keys that are given, in the order of the partitions."""
    partitions_def = graph.nodes[anchor].spec.partitions_def
    wanted: set[Partition] = {checked_partition_key(partitions_def, key, links.store) for key in which.keys}
    if which.key_range is not None:
        wanted.update(partitions_def.get_partition_keys_in_range(which.key_range, links.current_time, links.store))
    return tuple(key for key in links.partitions(anchor) if key in wanted)


def _failed(graph: AssetGraph, instance: Instance, targets: Targets, links: PartitionLinks) -> dict[AssetKey, set[Partition]]:
    """The partitions that a run failed to make, and that were not made since it began."""
    failed: dict[AssetKey, dict[Partition, float]] = {key: {} for key in targets}
    for run in instance.get_runs(statuses=["FAILURE", "CANCELED"]):  # the last one first
        for key in failed.keys() & set(run.asset_keys):
            for partition in _partitions_of(graph, key, run.tags, links):
                failed[key].setdefault(partition, run.created)
    found: dict[AssetKey, set[Partition]] = {}
    for key, begun in failed.items():
        if None in begun:
            latest = instance.get_latest_materialization_event(key)
            made: dict[Partition, float] = {None: latest.timestamp} if latest is not None else {}
        else:
            names = [name for name in begun if name is not None]
            events = instance.event_log.get_latest_by_partition("ASSET_MATERIALIZATION", [key], names).get(key, {})
            made = {name: event.timestamp for name, event in events.items()}
        found[key] = {partition for partition, since in begun.items() if made.get(partition, float("-inf")) < since}
    return found


def _partitions_of(graph: AssetGraph, key: AssetKey, tags: Mapping[str, str], links: PartitionLinks) -> Sequence[Partition]:
    """The partitions of an asset that a run with these tags was to make."""
    partitions_def = graph.nodes[key].spec.partitions_def
    if partitions_def is None:
        return WHOLE
    if PARTITION_TAG in tags:
        return (tags[PARTITION_TAG],)
    if PARTITION_RANGE_START_TAG not in tags:
        return ()
    ends = PartitionKeyRange(tags[PARTITION_RANGE_START_TAG], tags[PARTITION_RANGE_END_TAG])
    try:
        return partitions_def.get_partition_keys_in_range(ends, links.current_time, links.store)  # type: ignore[no-any-return]
    except PartitionNotFoundError:  # it is partitioned otherwise now
        return ()
