"""Backfills: many partitions of many assets, made in runs of their own, upstream before downstream.

What is to be made is worked out when one is started, and kept in its body. `Backfills.advance` is one round of it; any number of
daemons may do the same round, of which the record takes the first.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, TypeAlias

from warehouse_assets.automation.backfill_body import BACKFILL_TAG, BackfillBody, read_targets, written_targets
from warehouse_assets.automation.backfill_plan import BackfillPlan, Unit
from warehouse_assets.automation.backfill_state import (
    CANCELED,
    DONE,
    FAILED,
    BackfillState,
    read_statuses,
    written_statuses,
)
from warehouse_assets.automation.backfill_targets import Targets, narrowed
from warehouse_assets.automation.reruns import retry_key, retry_of
from warehouse_assets.automation_records import Backfill, BackfillStatus
from warehouse_assets.errors import WarehouseAssetsError
from warehouse_assets.events import RunRecord, RunStatus, error_line
from warehouse_assets.graph.partition_links import Partition, PartitionLinks
from warehouse_assets.instance.event_log import RunFilter
from warehouse_assets.keys import AssetKey

if TYPE_CHECKING:
    from warehouse_assets.graph.asset_graph import AssetGraph
    from warehouse_assets.instance import Instance

__all__ = ["ACTIVE", "Backfills", "MakeRun", "links_of", "run_tags", "unmade"]

ACTIVE: tuple[BackfillStatus, ...] = ("REQUESTED", "STARTED", "CANCELING")
UNFINISHED: tuple[RunStatus, ...] = ("QUEUED", "STARTING", "STARTED", "CANCELING")
ROOM = 50
RETRY_GRACE = 600.0  # seconds within which the daemon tries a failed run again, where its tags ask for that

_ENDS: Mapping[RunStatus, int] = {"SUCCESS": DONE, "FAILURE": FAILED, "CANCELED": CANCELED}

MakeRun: TypeAlias = Callable[[Unit, BackfillBody, Mapping[str, str], str], RunRecord]
"""Makes the record of a queued run: of a unit, as the body says, with these tags and this run key."""


@dataclass(slots=True)
class _Loaded:
    """A backfill as this process knows it: the state is that of the version that is stored, unless `version` is another."""

    version: int
    state: BackfillState


class Backfills:
    """The backfills of the assets of one graph; one without a limit of its own has at most `room` runs that are queued or running."""

    def __init__(self, graph: AssetGraph, instance: Instance, make_run: MakeRun, *, room: int = ROOM) -> None:
        self._graph = graph
        self._instance = instance
        self._make_run = make_run
        self._room = room
        self._loaded: dict[str, _Loaded] = {}

    def advance(self, backfill: Backfill, now: float) -> Backfill:
        """Note how its runs went, and ask for those that can begin now; the backfill as it is then.

        Where another process was first, it is as that one left it.
        """
        if backfill.status not in ACTIVE:
            self._loaded.pop(backfill.backfill_id, None)
            return backfill
        if backfill.status == "CANCELING":
            ended = ended_if_idle(self._instance, backfill, now)
            return backfill if ended is None else self._store(ended)
        try:
            return self._advance(backfill, now)
        except WarehouseAssetsError as error:
            body = replace(BackfillBody.of(backfill), error=error_line(error))
            return self._store(replace(backfill, status="FAILED", ended=now, body=body.to_json()))

    def _advance(self, backfill: Backfill, now: float) -> Backfill:
        body = BackfillBody.of(backfill)
        loaded = self._loaded.get(backfill.backfill_id)
        if loaded is None or loaded.version != backfill.version:
            state, body = self._load(backfill, body)
            if state is None:
                return backfill
        else:
            state = loaded.state
        changed = self._note_ends(backfill, body, state, now)
        begun = state.next((body.max_runs or self._room) - len(state.open))
        runs = [self._run(backfill, body, state.plan.unit(index)) for index in begun]
        status: BackfillStatus = "STARTED"
        if state.is_over:
            status = "COMPLETED" if state.is_complete else "FAILED"
        if not (changed or begun or status != backfill.status):
            self._loaded[backfill.backfill_id] = _Loaded(backfill.version, state)
            return backfill
        told = replace(body, statuses=written_statuses(state.statuses), progress=progress_of(state, body))
        ended = None if status == "STARTED" else now
        self._loaded[backfill.backfill_id] = _Loaded(backfill.version + 1, state)
        return self._store(replace(backfill, status=status, ended=ended, body=told.to_json()), runs)

    def _load(self, backfill: Backfill, body: BackfillBody) -> tuple[BackfillState | None, BackfillBody]:
        """The state that is stored, or that of a new plan of what is not made yet, where there is none, or the code has changed.

        No state while runs of another plan go on.
        """
        links = links_of(self._graph, self._instance, backfill)
        targets = read_targets(body.targets, self._graph, links)
        if body.plan is not None:
            plan = BackfillPlan(self._graph, targets, links)
            if plan.digest == body.plan:
                return BackfillState(plan, read_statuses(body.statuses)), body
        if unfinished_runs(self._instance, backfill.backfill_id, limit=1):
            return None, body
        left = unmade(self._graph, self._instance, targets, body.after) if body.attempt or body.plan else targets
        before = {name: body.made_before.get(name, 0) for name in (key.to_user_string() for key in targets)}
        for key, partitions in targets.items():
            before[key.to_user_string()] += len(partitions) - len(left.get(key, ()))
        plan = BackfillPlan(self._graph, left, links)
        attempt = body.attempt + (body.plan is not None)
        made = replace(
            body,
            targets=written_targets(left, links),
            plan=plan.digest,
            attempt=attempt,
            made_before={**body.made_before, **before},
            error=None,
        )
        return BackfillState(plan), made

    def _note_ends(self, backfill: Backfill, body: BackfillBody, state: BackfillState, now: float) -> bool:
        """Whether runs have ended since; a run that is not in the record any more has failed."""
        by_key = {_run_key(backfill, body, state.plan.unit(index)): index for index in state.open}
        statuses = self._statuses(list(by_key), now)
        ended = [(index, _ENDS.get(statuses.get(key, "FAILURE"))) for key, index in by_key.items()]
        for index, status in ended:
            if status is not None:
                state.ended(index, status)
        return any(status is not None for _, status in ended)

    def _statuses(self, run_keys: Sequence[str], now: float) -> dict[str, RunStatus]:
        """How the runs of these keys went: where one failed and is tried again, how that went."""
        found: dict[str, RunStatus] = {}
        retries: dict[str, str] = {}
        for run in self._instance.event_log.get_runs(RunFilter(run_keys=run_keys)) if run_keys else ():
            key = str(run.run_key)
            found[key] = run.status
            if retry_of(run, (), now) is not None:
                retries[retry_key(run)] = key
                if now - (run.ended or now) < RETRY_GRACE:
                    found[key] = "QUEUED"  # or will be
        found.update({retries[key]: status for key, status in (self._statuses(list(retries), now) if retries else {}).items()})
        return found

    def _run(self, backfill: Backfill, body: BackfillBody, unit: Unit) -> RunRecord:
        return self._make_run(unit, body, run_tags(backfill, body), _run_key(backfill, body, unit))

    def _store(self, backfill: Backfill, runs: Sequence[RunRecord] = ()) -> Backfill:
        if self._instance.event_log.put_backfill(backfill, runs):
            return replace(backfill, version=backfill.version + 1)
        self._loaded.pop(backfill.backfill_id, None)
        return self._instance.event_log.get_backfill(backfill.backfill_id) or backfill


def links_of(graph: AssetGraph, instance: Instance, backfill: Backfill) -> PartitionLinks:
    """The partitions there were when the backfill was asked for."""
    return PartitionLinks(graph, instance, datetime.fromtimestamp(backfill.created, UTC))


def run_tags(backfill: Backfill, body: BackfillBody) -> Mapping[str, str]:
    """The tags of its runs."""
    return {**body.tags, BACKFILL_TAG: backfill.backfill_id}


def _run_key(backfill: Backfill, body: BackfillBody, unit: Unit) -> str:
    return f"backfill:{backfill.backfill_id}:{body.attempt}:{unit.name}"


def unfinished_runs(instance: Instance, backfill_id: str, limit: int | None = None) -> list[RunRecord]:
    """Its runs that are queued or running."""
    return instance.event_log.get_runs(RunFilter(UNFINISHED, tags={BACKFILL_TAG: backfill_id}), limit=limit)


def ended_if_idle(instance: Instance, backfill: Backfill, now: float) -> Backfill | None:
    """A backfill that is to be canceled as it is once it is; None while one of its runs goes on."""
    if unfinished_runs(instance, backfill.backfill_id, limit=1):
        return None
    body = BackfillBody.of(backfill)
    body = replace(body, progress={name: _given_up(counts) for name, counts in body.progress.items()})
    return replace(backfill, status="CANCELED", ended=now, body=body.to_json())


def _given_up(counts: Mapping[str, int]) -> dict[str, int]:
    open_ = counts["waiting"] + counts["in_progress"]
    return {**counts, "waiting": 0, "in_progress": 0, "canceled": counts["canceled"] + open_}


def progress_of(state: BackfillState, body: BackfillBody) -> dict[str, dict[str, int]]:
    """How far each asset is, over all attempts."""
    found = {name: dict(counts) for names, counts in state.progress() for name in names}
    for name, made in body.made_before.items():
        counts = found.setdefault(name, dict.fromkeys(next(iter(found.values()), {"requested": 0, "done": 0}), 0))
        counts["requested"] += made
        counts["done"] += made
    return found


def unmade(graph: AssetGraph, instance: Instance, targets: Targets, after: int) -> Targets:
    """Those of the partitions that were not materialized since the event `after`; all that one function makes at once go together."""
    left: dict[AssetKey, set[Partition]] = {}
    for key, partitions in targets.items():
        found = instance.event_log.get_partitions("ASSET_MATERIALIZATION", key)
        made: set[Partition] = {partition for partition, event in found.items() if event > after}
        latest = instance.get_latest_materialization_event(key) if graph.nodes[key].spec.partitions_def is None else None
        if latest is not None and (latest.storage_id or 0) > after:
            made.add(None)
        left[key] = set(partitions) - made
    for key in targets:
        definition = graph.nodes[key].definition
        if definition is not None and len(definition.keys) > 1 and not definition.can_subset:
            left[key] = set().union(*(left.get(other, ()) for other in definition.keys))
    return narrowed(targets, left)
