"""The runs of backfills: asked for by the daemon, which others run, or made here, one after the other."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from warehouse_assets.automation.backfill_body import BACKFILL_TAG, BackfillBody
from warehouse_assets.automation.backfill_plan import Unit
from warehouse_assets.automation.backfill_requests import WhichPartitions, cancel_backfill, get_backfill, request_backfill
from warehouse_assets.automation.backfills import ACTIVE, Backfills, MakeRun, ended_if_idle
from warehouse_assets.automation.submission import execute_recorded, run_for
from warehouse_assets.automation_records import Backfill
from warehouse_assets.errors import InvalidInvocationError, RunTakenError
from warehouse_assets.events import CodeLocation, ErrorInfo, Event, RunRecord, RunStatus, error_line
from warehouse_assets.execution.executors import ThreadExecutor
from warehouse_assets.execution.heartbeat import Heartbeat
from warehouse_assets.execution.plan import Plan
from warehouse_assets.execution.run_config import CoercibleToRunConfig, RunConfig, configurable_names
from warehouse_assets.graph.selection import AssetSelection, CoercibleToAssetSelection
from warehouse_assets.instance.event_log import RunFilter
from warehouse_assets.io_manager.contexts import logger

if TYPE_CHECKING:
    from warehouse_assets.code_location.definitions import Definitions
    from warehouse_assets.execution.executors import Executor
    from warehouse_assets.instance import Instance
    from warehouse_assets.keys import CoercibleToAssetKey
    from warehouse_assets.partitions.definition import PartitionKeyRange

__all__ = ["BackfillDuty", "backfill", "make_backfill", "runs_of"]

HERE = CodeLocation("", "", "")
_BEGUN: tuple[RunStatus, ...] = ("QUEUED", "STARTING")
SECONDS_BETWEEN = 15.0  # attempts at a backfill whose code cannot be loaded
PAUSE = 0.2  # seconds between looks at runs that another process has


def runs_of(definitions: Definitions, instance: Instance) -> MakeRun:
    """What makes the runs of the assets of these definitions, checked as the runs themselves would be."""

    def make(unit: Unit, body: BackfillBody, tags: Mapping[str, str], run_key: str) -> RunRecord:
        return run_for(
            definitions,
            body.location or HERE,
            selection=AssetSelection.assets(*unit.asset_keys),
            partition_key=unit.partition_key,
            partition_key_range=unit.partition_key_range,
            run_config=_config_of(definitions, unit, body),
            tags=tags,
            run_key=run_key,
            instance=instance,
        )

    return make


def _config_of(definitions: Definitions, unit: Unit, body: BackfillBody) -> RunConfig:
    """Those parts of the configuration of a backfill that are of assets of one of its runs."""
    config = RunConfig.of(body.run_config)
    if not config.ops:
        return config
    running = configurable_names(Plan.build(definitions.graph, unit.asset_keys))
    return replace(config, ops={name: value for name, value in config.ops.items() if name in running})


class BackfillDuty:
    """What the daemon does for backfills, round by round. `definitions_of` gives the assets of a code location, or raises.

    With `of`, it is for those of this location only.
    """

    def __init__(
        self,
        instance: Instance,
        definitions_of: Callable[[CodeLocation], Definitions],
        *,
        of: CodeLocation | None = None,
        say: Callable[[str], None] = logger.warning,
    ) -> None:
        self._instance = instance
        self._definitions_of = definitions_of
        self._of = of
        self._say = say
        self._known: dict[CodeLocation, tuple[Definitions, Backfills]] = {}
        self._faults: dict[str, str] = {}
        self._again: dict[str, float] = {}

    def round(self, now: float) -> None:
        """Have each backfill that is not over go on; one that cannot does not keep the others from it."""
        for backfill in self._instance.event_log.get_backfills(statuses=ACTIVE):
            if now < self._again.get(backfill.backfill_id, now):
                continue
            try:
                self._advance(backfill, now)
            except (Exception, SystemExit) as error:  # noqa: BLE001 - code that cannot be loaded now may be later
                self._tell(backfill.backfill_id, error)
                self._again[backfill.backfill_id] = now + SECONDS_BETWEEN
            else:
                self._faults.pop(backfill.backfill_id, None)

    def _advance(self, backfill: Backfill, now: float) -> None:
        if backfill.status == "CANCELING":  # for which the code is not needed
            if (ended := ended_if_idle(self._instance, backfill, now)) is not None:
                self._instance.event_log.put_backfill(ended)
            return
        body = BackfillBody.of(backfill)
        if not body.here and body.location is not None and self._of in (None, body.location):
            self._backfills(body.location).advance(backfill, now)

    def _tell(self, backfill_id: str, error: BaseException) -> None:
        """Say why one waits when it begins to, and not in every round."""
        text = error_line(error)
        if self._faults.get(backfill_id) != text:
            self._say(f"the backfill {backfill_id} waits: {text}")
            self._faults[backfill_id] = text

    def _backfills(self, location: CodeLocation) -> Backfills:
        definitions = self._definitions_of(location)
        known = self._known.get(location)
        if known is None or known[0] is not definitions:  # or loaded anew
            backfills = Backfills(definitions.graph, self._instance, runs_of(definitions, self._instance))
            known = self._known[location] = definitions, backfills
        return known[1]


def backfill(
    definitions: Definitions,
    selection: CoercibleToAssetSelection | None = None,
    *,
    partition_keys: Sequence[str] = (),
    partition_key_range: PartitionKeyRange | None = None,
    partitions_of: CoercibleToAssetKey | None = None,
    missing: bool = False,
    failed: bool = False,
    run_config: CoercibleToRunConfig = None,
    tags: Mapping[str, str] | None = None,
    instance: Instance | None = None,
    executor: Executor | None = None,
) -> Backfill:
    """Make many partitions of the selected assets, or of all, here, in runs of their own: upstream before downstream.

    The partitions are those of `partition_keys` and `partition_key_range`, or all where neither is given; of the asset `partitions_of`, by
    default of the first partitioned one, and those of other assets that go with them. Of these only what is `missing`, or what `failed` the last
    time, where that is asked for. Without an `instance` it is recorded in that of the project. Its status is COMPLETED
    when all was made, else FAILED.

    >>> from warehouse_assets import Definitions, Instance, StaticPartitionsDefinition, asset
    >>> @asset(partitions_def=StaticPartitionsDefinition(["eu", "us"]))
    ... def orders(context) -> None: ...
    >>> with Instance.ephemeral() as instance:
    ...     done = backfill(Definitions([orders]), instance=instance)
    >>> done.status, done.progress["orders"]["done"]
    ('COMPLETED', 2)
    """
    from warehouse_assets.instance import Instance

    record = instance if instance is not None else Instance.get()
    asked = request_backfill(
        definitions.graph,
        record,
        selection,
        WhichPartitions(partition_keys, partition_key_range, partitions_of, missing, failed),
        now=time.time(),
        run_config=RunConfig.of(run_config).to_dict(),
        tags=tags,
        here=True,
        make_run=runs_of(definitions, record),
    )
    return make_backfill(definitions, record, asked, executor=executor)


def make_backfill(
    definitions: Definitions,
    instance: Instance,
    backfill: Backfill,
    *,
    told: Callable[[Backfill], None] | None = None,
    executor: Executor | None = None,
) -> Backfill:
    """Make a backfill in this process, one run after the other, until it is over; `told` hears how far it is after each.

    Its runs use the `executor`, or that of the definitions. A Ctrl-C cancels it; it can be resumed.
    """
    if not BackfillBody.of(backfill).here:
        raise InvalidInvocationError(f"the backfill {backfill.backfill_id} is made by the daemon")
    make = runs_of(definitions, instance)
    taken = Backfills(
        definitions.graph, instance, lambda *asked: replace(make(*asked), status="STARTING"), room=1
    )  # and so not queued
    tagged = {BACKFILL_TAG: backfill.backfill_id}
    try:
        while True:
            backfill = taken.advance(get_backfill(instance, backfill.backfill_id), time.time())
            if told is not None:
                told(backfill)
            if backfill.ended is not None:
                return backfill
            runs = instance.event_log.get_runs(RunFilter(_BEGUN, tags=tagged))
            for run in runs:
                _execute(definitions, instance, run, executor or definitions.executor or ThreadExecutor())
            if not runs:
                time.sleep(PAUSE)
    except KeyboardInterrupt:
        if get_backfill(instance, backfill.backfill_id).status in ACTIVE:
            cancel_backfill(instance, backfill.backfill_id, time.time())
        raise


def _execute(definitions: Definitions, instance: Instance, run: RunRecord, executor: Executor) -> None:
    try:
        with Heartbeat(instance, run.run_id) as heartbeat:
            execute_recorded(definitions, run, instance=instance, heartbeat=heartbeat, raise_on_error=False, executor=executor)
    except RunTakenError:  # by another process that makes the same backfill, or canceled meanwhile
        return
    except Exception as error:  # noqa: BLE001 - a run that cannot start has failed, and the others may do
        failed = Event("RUN_FAILURE", run.run_id, time.time(), message=error_line(error), data=ErrorInfo.of(error))
        instance.event_log.store_events_if(run.run_id, _BEGUN, [failed])
