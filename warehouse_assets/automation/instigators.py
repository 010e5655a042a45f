"""`InstigatorDuty`: the part of the daemon that evaluates schedules and sensors when they are due."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, TypeAlias

from warehouse_assets.automation.conditions import declared_sensors
from warehouse_assets.automation.evaluation import TickAnswer, TickRequest, origin_of
from warehouse_assets.automation.schedules import due_ticks
from warehouse_assets.automation_records import InstigatorKind, InstigatorState, Tick, TickStatus
from warehouse_assets.definitions.automation_sensor import AutomationConditionSensorDefinition
from warehouse_assets.definitions.schedule import ScheduleDefinition
from warehouse_assets.definitions.sensor import SensorDefinition
from warehouse_assets.events import CodeLocation, error_line

if TYPE_CHECKING:
    from warehouse_assets.code_location.definitions import Definitions
    from warehouse_assets.instance import Instance

__all__ = ["Evaluate", "Instigator", "InstigatorDuty", "instigators_of", "started", "stopped"]

logger = logging.getLogger(__name__)

Evaluate: TypeAlias = Callable[[CodeLocation, TickRequest], TickAnswer]


@dataclass(frozen=True, slots=True)
class Instigator:
    """A schedule or sensor of a code location."""

    declared: ScheduleDefinition | SensorDefinition
    location: CodeLocation

    @property
    def kind(self) -> InstigatorKind:
        """What it is: "automation" where it evaluates automation conditions."""
        if isinstance(self.declared, AutomationConditionSensorDefinition):
            return "automation"
        return "schedule" if isinstance(self.declared, ScheduleDefinition) else "sensor"

    @property
    def origin(self) -> str:
        """Its name in the whole workspace."""
        return origin_of(self.location, self.declared.name)

    def state(self, instance: Instance) -> InstigatorState:
        """Where it stands; as declared, where nobody has switched or evaluated it."""
        stored = instance.event_log.get_instigator(self.origin)
        return stored or InstigatorState(self.origin, self.kind, self.declared.default_status.value)


def instigators_of(definitions: Definitions, location: CodeLocation) -> Iterator[Instigator]:
    """The schedules and sensors of a code location, and what evaluates its automation conditions."""
    yield from (Instigator(one, location) for one in definitions.schedules)
    sensors = (one for one in definitions.sensors if not isinstance(one, AutomationConditionSensorDefinition))
    yield from (Instigator(one, location) for one in sensors)
    yield from (Instigator(one, location) for one, _ in declared_sensors(definitions))


def started(instance: Instance, instigator: Instigator, now: float) -> bool:
    """Switch it on: a schedule begins with the ticks after `now`. False where it was on, or somebody else was faster."""
    state = instigator.state(instance)
    if state.status == "RUNNING" and state.version:
        return False
    last = now if instigator.kind == "schedule" else state.last_scheduled
    return instance.event_log.set_instigator(replace(state, status="RUNNING", last_scheduled=last))


def stopped(instance: Instance, instigator: Instigator) -> bool:
    """Switch it off; runs that wait or go on are left alone. False where it was off, or somebody else was faster."""
    state = instigator.state(instance)
    if state.status == "STOPPED":
        return False
    return instance.event_log.set_instigator(replace(state, status="STOPPED"))


class InstigatorDuty:
    """Evaluates schedules and sensors, several at once, so that one that hangs holds up none but itself.

    Any number of daemons may do so: what an evaluation asks for is stored with the state that it was made from, or not at all.
    """

    def __init__(
        self,
        instance: Instance,
        instigators: Callable[[], Iterable[Instigator]],
        evaluate: Evaluate,
        *,
        clock: Callable[[], float] = time.time,
        at_once: int = 8,
        say: Callable[[str], None] = logger.info,
    ) -> None:
        self._instance = instance
        self._instigators = instigators
        self._evaluate = evaluate
        self._clock = clock
        self._say = say
        self._pool = ThreadPoolExecutor(at_once, thread_name_prefix="evaluation")
        self._under_way: dict[str, Future[None]] = {}
        self._looked: dict[str, float] = {}

    def round(self, now: float) -> None:
        """Begin to evaluate what is due and not being evaluated."""
        self._under_way = {origin: future for origin, future in self._under_way.items() if not future.done()}
        states = {state.origin: state for state in self._instance.event_log.get_instigators()}
        for one in self._instigators():
            if one.kind == "automation" or one.origin in self._under_way:
                continue
            state = states.get(one.origin) or one.state(self._instance)
            if state.status == "RUNNING" and self._is_due(one, state, now):
                self._under_way[one.origin] = self._pool.submit(self._attempt, one, state, now)

    def wait(self) -> None:
        """Wait for the evaluations that are under way."""
        for future in self._under_way.values():
            future.result()

    def close(self) -> None:
        """Begin no more evaluations; those under way are not waited for."""
        self._pool.shutdown(wait=False, cancel_futures=True)

    def _is_due(self, one: Instigator, state: InstigatorState, now: float) -> bool:
        if isinstance(one.declared, ScheduleDefinition):
            return state.last_scheduled is None or any(True for _ in one.declared.ticks_between(state.last_scheduled, now))
        last = max(state.last_scheduled or 0.0, self._looked.get(one.origin, 0.0))
        return last > now or now - last >= one.declared.minimum_interval_seconds  # the clock may have been set back

    def _attempt(self, one: Instigator, state: InstigatorState, now: float) -> None:
        try:
            if isinstance(one.declared, ScheduleDefinition):
                self._evaluate_schedule(one, one.declared, state, now)
            else:
                self._looked[one.origin] = now
                self._evaluate_sensor(one, state, now)
        except Exception as error:
            logger.warning("%s %s: %s", one.kind, one.origin, error_line(error), exc_info=error)

    def _evaluate_schedule(self, one: Instigator, schedule: ScheduleDefinition, state: InstigatorState, now: float) -> None:
        if state.last_scheduled is None:  # on since it was declared: it begins now
            self._instance.event_log.set_instigator(replace(state, last_scheduled=now))
            return
        due = due_ticks(schedule, state.last_scheduled, now)
        if due.until is not None:
            text = f"{due.passed} {'tick was' if due.passed == 1 else 'ticks were'} missed"
            self._commit(one, replace(state, last_scheduled=due.until), float(due.until), TickAnswer(skip_message=text), now)
            return
        for moment in due.ticks:
            answer = self._evaluate(one.location, TickRequest("schedule", schedule.name, moment))
            state = replace(state, last_scheduled=float(moment))
            if not self._commit(one, state, float(moment), answer, self._clock()):
                return
            state = replace(state, version=state.version + 1)

    def _evaluate_sensor(self, one: Instigator, state: InstigatorState, now: float) -> None:
        request = TickRequest("sensor", one.declared.name, now, state.cursor, state.last_scheduled)
        answer = self._evaluate(one.location, request)
        if answer.error is None:
            state = replace(state, cursor=answer.cursor)
        self._commit(one, replace(state, last_scheduled=now), now, answer, self._clock())

    def _commit(self, one: Instigator, state: InstigatorState, scheduled: float, answer: TickAnswer, now: float) -> bool:
        """Store what an evaluation led to; false where another daemon, or somebody who switched it, was faster."""
        status: TickStatus = "FAILURE" if answer.error is not None else "SUCCESS" if answer.runs else "SKIPPED"
        tick = Tick(
            state.origin,
            one.kind,
            scheduled,
            status,
            started=now,
            ended=self._clock(),
            skip_message=answer.skip_message,
            error=answer.error,
            cursor=state.cursor,
        )
        stored = self._instance.event_log.commit_tick(tick, state, answer.runs)
        if stored is not None and (told := _told(stored)):
            self._say(f"{one.kind} {one.origin}: {told}")
        return stored is not None


def _told(tick: Tick) -> str | None:
    """A tick in a line, where people want to hear of it."""
    if tick.error is not None:
        return f"failed: {tick.error.cls_name}: {tick.error.message.partition(chr(10))[0]}"
    if tick.run_ids:
        return f"{len(tick.run_ids)} {'run' if len(tick.run_ids) == 1 else 'runs'}: {', '.join(tick.run_ids[:5])}"
    return None
