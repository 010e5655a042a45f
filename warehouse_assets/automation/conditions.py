"""The duty that evaluates automation conditions: one sensor at a time, each evaluation recorded once with the runs it asks for."""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import replace
from functools import cached_property
from typing import TYPE_CHECKING, Any

from warehouse_assets.automation.condition_cursor import ConditionCursor, Subset
from warehouse_assets.automation.condition_evaluation import Evaluation, evaluate_conditions
from warehouse_assets.automation.condition_record import Snapshot, Watched, read_snapshot
from warehouse_assets.automation.submission import run_for
from warehouse_assets.automation_records import InstigatorState, Tick
from warehouse_assets.definitions.automation_sensor import DEFAULT_AUTOMATION_SENSOR, AutomationConditionSensorDefinition
from warehouse_assets.errors import InvalidSelectionError, WarehouseAssetsError, close_matches
from warehouse_assets.events import CodeLocation, ErrorInfo, RunRecord
from warehouse_assets.graph.partition_links import Partition
from warehouse_assets.keys import AssetKey

if TYPE_CHECKING:
    from warehouse_assets.code_location.definitions import Definitions
    from warehouse_assets.graph.asset_graph import AssetGraph
    from warehouse_assets.instance import Instance

__all__ = [
    "SENSOR_TAG",
    "ConditionDuty",
    "ConditionSensor",
    "condition_sensors",
    "declared_sensors",
    "runs_wanted",
    "sensor_of",
]

_READ_AGAIN = 300.0  # seconds, after which what was made is read anew: what is wiped leaves no event

SENSOR_TAG = "warehouse_assets/sensor_name"


class ConditionSensor:
    """Evaluates the conditions of the assets of one sensor.

    It may be asked by any number of daemons: an evaluation is stored only where nobody stored another since its cursor was read.
    """

    def __init__(
        self,
        declared: AutomationConditionSensorDefinition,
        definitions: Definitions,
        location: CodeLocation,
        instance: Instance,
        keys: Collection[AssetKey],
    ) -> None:
        self.declared = declared
        self.origin = f"{location.name}:{declared.name}"
        self.keys = frozenset(keys)
        self._definitions, self._location, self._instance = definitions, location, instance
        self._kept: tuple[int, ConditionCursor] | None = None
        self._next = self._read_until = float("-inf")
        self._last: Snapshot | None = None

    @cached_property
    def watched(self) -> Watched:
        """The assets whose conditions it evaluates, and what these ask of."""
        return Watched.of(self._definitions.graph, self.keys)

    @property
    def state(self) -> InstigatorState:
        """Where it stands."""
        stored = self._instance.event_log.get_instigator(self.origin)
        return stored or InstigatorState(self.origin, "automation", self.declared.default_status.value)

    def round(self, now: float) -> Tick | None:
        """Evaluate, where it is on and its interval has passed; the tick that was recorded, where there was anything to record."""
        if now < self._next:
            return None
        state = self.state
        if state.status != "RUNNING":
            self._kept = None
            return None
        self._next = now + self.declared.minimum_interval_seconds
        started = time.time()
        try:
            evaluation = self.evaluate(now, state)
        except Exception as error:  # noqa: BLE001 - what is declared in one place must not stop what is declared in others
            return self._commit(
                Tick(self.origin, "automation", now, "FAILURE", now, _ended(now, started), error=ErrorInfo.of(error)), state
            )
        if evaluation.is_quiet:
            self._kept = state.version, evaluation.cursor
            return None
        runs, fault = self._runs(evaluation, state)
        tick = Tick(
            self.origin,
            "automation",
            scheduled=now,
            status="FAILURE" if fault is not None else "SUCCESS" if runs else "SKIPPED",
            started=now,
            ended=_ended(now, started),
            skip_message=None if runs or fault is not None else "No condition is true.",
            error=fault,
        )
        cursor = evaluation.cursor.to_json(self._definitions.graph)
        stored = self._commit(tick, replace(state, cursor=cursor, last_scheduled=now), runs)
        self._kept = (state.version + 1, evaluation.cursor) if stored is not None else None
        return stored

    def evaluate(self, now: float, state: InstigatorState | None = None, *, explain: Collection[AssetKey] = ()) -> Evaluation:
        """What the conditions ask for now; nothing is stored."""
        cursor = self._cursor(state or self.state)
        known = self._last if self._read_until > now else None
        snapshot = read_snapshot(self.watched, self._instance, cursor, now, known)
        if known is None:
            self._read_until = now + _READ_AGAIN
        self._last = snapshot
        return evaluate_conditions(self.watched, snapshot, cursor, store=self._instance, explain=explain)

    def _cursor(self, state: InstigatorState) -> ConditionCursor:
        """What the last evaluation kept; quiet ones since then have moved it on in this process."""
        if self._kept is not None and self._kept[0] == state.version:
            return self._kept[1]
        return ConditionCursor.from_json(state.cursor, self._definitions.graph)

    def _runs(self, evaluation: Evaluation, state: InstigatorState) -> tuple[list[RunRecord], ErrorInfo | None]:
        """The runs that make what is requested; what cannot run is told, and does not keep the rest from running."""
        runs, faults = [], []
        for number, (keys, partition) in enumerate(runs_wanted(self._definitions.graph, evaluation.requested)):
            try:
                run = run_for(
                    self._definitions,
                    self._location,
                    selection=list(keys),
                    partition_key=partition,
                    tags={**self.declared.tags, SENSOR_TAG: self.declared.name},
                    run_key=f"{self.origin}:{state.version + 1}:{number}",
                    instance=self._instance,
                )
            except (WarehouseAssetsError, ExceptionGroup) as error:
                faults.append(error)
            else:
                runs.append(run)
        if not faults:
            return runs, None
        return runs, ErrorInfo.of(
            faults[0] if len(faults) == 1 else ExceptionGroup(f"{len(faults)} runs cannot be made", faults)
        )

    def _commit(self, tick: Tick, state: InstigatorState, runs: Sequence[RunRecord] = ()) -> Tick | None:
        return self._instance.event_log.commit_tick(tick, state, runs)


def _ended(now: float, started: float) -> float:
    return now + time.time() - started


def runs_wanted(graph: AssetGraph, requested: Mapping[AssetKey, Subset]) -> Iterable[tuple[tuple[AssetKey, ...], Partition]]:
    """The assets of each run, and the partition that it makes of them, in the order of the graph and of the partitions.

    Assets go in one run where they have the same partitions, and are requested for the same one.
    """
    definitions: list[Any] = []
    runs: dict[tuple[int, Partition], list[AssetKey]] = {}
    for key, subset in requested.items():
        partitions_def = graph[key].spec.partitions_def
        if partitions_def not in definitions:
            definitions.append(partitions_def)
        for partition in sorted(subset, key=str):
            runs.setdefault((definitions.index(partitions_def), partition), []).append(key)
    return [(tuple(keys), partition) for (_, partition), keys in runs.items()]


def declared_sensors(definitions: Definitions) -> list[tuple[AutomationConditionSensorDefinition, set[AssetKey]]]:
    """The sensors of a code location that evaluate conditions, with their assets: those declared, and one by default for what is left."""
    from warehouse_assets.graph.selection import AssetSelection

    graph = definitions.graph
    left = {node.key for node in graph if node.spec.automation_condition is not None and node.is_executable}
    found = []
    for one in definitions.sensors:
        if isinstance(one, AutomationConditionSensorDefinition):
            keys = left & AssetSelection.of(one.selection).resolve(graph)
            left -= keys
            found.append((one, keys))
    if left:
        found.append((AutomationConditionSensorDefinition(DEFAULT_AUTOMATION_SENSOR), left))
    return found


def condition_sensors(definitions: Definitions, location: CodeLocation, instance: Instance) -> list[ConditionSensor]:
    """The same, that can be evaluated."""
    return [ConditionSensor(one, definitions, location, instance, keys) for one, keys in declared_sensors(definitions)]


class ConditionDuty:
    """The part of the daemon that evaluates the conditions of code locations; `sensors` gives those of all that are loaded now."""

    def __init__(self, sensors: Callable[[], Iterable[ConditionSensor]]) -> None:
        self._sensors = sensors

    def round(self, now: float) -> None:
        """Evaluate each sensor that is due; what goes wrong with one is recorded as its tick."""
        for sensor in self._sensors():
            sensor.round(now)


def sensor_of(key: AssetKey, sensors: Iterable[ConditionSensor], graph: AssetGraph) -> ConditionSensor:
    """The sensor that evaluates the condition of an asset; InvalidSelectionError for one that has none."""
    for sensor in sensors:
        if key in sensor.keys:
            return sensor
    having = [node.key.to_user_string() for node in graph if node.spec.automation_condition is not None]
    name = key.to_user_string()
    hint = close_matches(name, having) or "Give it one: @asset(automation_condition=AutomationCondition.eager())."
    raise InvalidSelectionError(f"the asset {name!r} has no automation condition", hint=hint)
