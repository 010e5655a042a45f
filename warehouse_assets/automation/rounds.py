"""What the daemon has the process of a code location do, round by round: all that needs the code."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import asdict
from functools import cache
from typing import TYPE_CHECKING, Any

import msgspec

from warehouse_assets.events import CodeLocation, ErrorInfo, error_line

if TYPE_CHECKING:
    from warehouse_assets.automation.conditions import ConditionSensor
    from warehouse_assets.code_location.definitions import Definitions
    from warehouse_assets.instance import Instance

__all__ = ["DUTIES", "EVALUATION_SECONDS", "Round", "Rounded", "do_round", "within"]

DUTIES = ("schedules and sensors", "automation conditions", "freshness", "backfills")
EVALUATION_SECONDS = 60.0  # of the automation conditions of one sensor
_OVERDUE = 75  # the exit code of a process in which one took longer

_turn = threading.Lock()


class Round(msgspec.Struct, frozen=True):
    """The round of a duty, at a time in seconds since the epoch; `location` has the fields of a CodeLocation."""

    duty: str
    now: float
    location: Mapping[str, str | None]
    seconds: float = EVALUATION_SECONDS

    @classmethod
    def of(cls, duty: str, now: float, location: CodeLocation, seconds: float = EVALUATION_SECONDS) -> Round:
        """A round for this location."""
        return cls(duty, now, asdict(location), seconds)


class Rounded(msgspec.Struct, frozen=True):
    """What is to be told of a round: of what came of it and of those before, and what went wrong with it."""

    said: tuple[str, ...] = ()
    fault: str | None = None


def do_round(definitions: Definitions, request: Round) -> Rounded:
    """Do the round of a duty in this process."""
    try:
        with _turn:
            duties = _duties(definitions, CodeLocation(**request.location), request.seconds)  # type: ignore[arg-type]
        duties.rounds[request.duty](request.now)
    except Exception as error:  # noqa: BLE001 - the record may be out of reach, or the code raise
        return Rounded(fault=error_line(error))
    said = tuple(duties.said)
    del duties.said[: len(said)]
    return Rounded(said)


class _Duties:
    """The duties of one code location, which remember what they evaluated for as long as its process lives."""

    def __init__(self, definitions: Definitions, location: CodeLocation, seconds: float) -> None:
        from warehouse_assets.automation.backfill_runs import BackfillDuty
        from warehouse_assets.automation.conditions import condition_sensors
        from warehouse_assets.automation.evaluators import Evaluators
        from warehouse_assets.automation.freshness import FreshnessDuty
        from warehouse_assets.automation.instigators import InstigatorDuty, instigators_of
        from warehouse_assets.instance import Instance

        instance = Instance.get()
        self.said: list[str] = []
        found = list(instigators_of(definitions, location))
        sensors = condition_sensors(definitions, location, instance)

        def evaluate(now: float) -> None:
            for sensor in sensors:
                within(seconds, lambda: sensor.round(now), lambda: _overdue(sensor, instance, now, seconds))  # noqa: B023

        instigators = InstigatorDuty(instance, lambda: found, Evaluators(instance), say=self.said.append)
        self.rounds: dict[str, Callable[[float], Any]] = {
            "schedules and sensors": instigators.round,
            "automation conditions": evaluate,
            "freshness": FreshnessDuty(instance, lambda: [(location.name, definitions.graph)]).round,
            "backfills": BackfillDuty(instance, lambda _: definitions, of=location, say=self.said.append).round,
        }


_duties = cache(_Duties)


def within(seconds: float, call: Callable[[], Any], otherwise: Callable[[], Any]) -> None:
    """Call a function; where it takes longer, call `otherwise`, from another thread."""
    timer = threading.Timer(seconds, otherwise)
    timer.daemon = True
    timer.start()
    try:
        call()
    finally:
        timer.cancel()


def _overdue(sensor: ConditionSensor, instance: Instance, now: float, seconds: float) -> None:
    """Record that an evaluation did not come to an end, and end the process with it: a thread cannot be stopped."""
    from warehouse_assets.automation_records import Tick

    state = sensor.state
    error = ErrorInfo("EvaluationError", f"the conditions of {sensor.origin!r} were not evaluated within {seconds:g} s")
    tick = Tick(sensor.origin, "automation", now, "FAILURE", now, time.time(), error=error)
    try:
        instance.event_log.commit_tick(tick, state)
    finally:
        os._exit(_OVERDUE)
