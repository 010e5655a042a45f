"""Runs that do again what another run did, or what it left undone; by hand, or as a policy says."""

from __future__ import annotations

import os
import time
from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING

from warehouse_assets.errors import InvalidInvocationError
from warehouse_assets.events import Event, EventType, RunRecord

if TYPE_CHECKING:
    from warehouse_assets.instance import Instance

__all__ = [
    "FROM_FAILURE_TAG",
    "MAX_RETRIES_TAG",
    "PARENT_RUN_TAG",
    "RETRY_NUMBER_TAG",
    "RETRY_STRATEGY_TAG",
    "ROOT_RUN_TAG",
    "done_steps",
    "rerun",
    "rerun_of",
    "retry_of",
]

PARENT_RUN_TAG = "warehouse_assets/parent_run_id"
ROOT_RUN_TAG = "warehouse_assets/root_run_id"
FROM_FAILURE_TAG = "warehouse_assets/from_failure"
MAX_RETRIES_TAG = "warehouse_assets/max_retries"
RETRY_STRATEGY_TAG = "warehouse_assets/retry_strategy"
RETRY_NUMBER_TAG = "warehouse_assets/retry_number"
_OVER = ("SUCCESS", "FAILURE", "CANCELED")
_DONE: tuple[EventType, ...] = ("STEP_SUCCESS", "STEP_UP_TO_DATE")
_OF_ONE_RUN = (PARENT_RUN_TAG, ROOT_RUN_TAG, FROM_FAILURE_TAG, RETRY_NUMBER_TAG)


def rerun_of(
    run: RunRecord,
    events: Iterable[Event] = (),
    *,
    from_failure: bool = False,
    tags: Mapping[str, str] | None = None,
    run_key: str | None = None,
    now: float | None = None,
) -> RunRecord:
    """The record of a run that does again what `run` was to do; with `from_failure` only what it left undone, as its `events` tell.

    It has the tags of `run`, and says which that was, and which was the first.
    """
    own = {name: value for name, value in run.tags.items() if name not in _OF_ONE_RUN}
    own |= {PARENT_RUN_TAG: run.run_id, ROOT_RUN_TAG: run.tags.get(ROOT_RUN_TAG, run.run_id)}
    keys = run.asset_keys
    if from_failure:
        own[FROM_FAILURE_TAG] = "true"
        told = list(events)
        done = {event.step_key for event in told if event.event_type in _DONE}
        made = {event.asset_key for event in told if event.asset_materialization is not None and event.step_key in done}
        # a step of several assets is left to the run itself, which knows whether it can make some of them
        keys = tuple(key for key in keys if not (key in made and key.to_escaped_string() in done))
    return replace(
        run,
        run_id=os.urandom(8).hex(),
        status="QUEUED",
        created=time.time() if now is None else now,
        started=None,
        ended=None,
        heartbeat=None,
        tags={**own, **(tags or {})},
        asset_keys=keys,
        run_key=run_key,
    )


def rerun(instance: Instance, run_id: str, *, from_failure: bool = False, tags: Mapping[str, str] | None = None) -> RunRecord:
    """Have a run that is over done again, or what it left undone; the new run waits to be started.

    InvalidInvocationError for a run that goes on, that left nothing undone, or that names no code which another process could run.
    """
    run = instance.get_run_record(run_id)
    if run.status not in _OVER:
        raise InvalidInvocationError(f"run {run_id!r} goes on", hint="Cancel it first.")
    if from_failure and run.status == "SUCCESS":
        raise InvalidInvocationError(f"run {run_id!r} left nothing undone", hint="Run all of it again.")
    if run.location is None:
        raise InvalidInvocationError(
            f"run {run_id!r} names no code location, so no other process can run it",
            hint="Runs that are started by `wa materialize`, submitted, or asked for by a daemon do.",
        )
    events = instance.get_event_records(run_id=run_id) if from_failure else ()
    (added,) = instance.event_log.add_runs([rerun_of(run, events, from_failure=from_failure, tags=tags)])
    return added


def retry_of(run: RunRecord, events: Iterable[Event], now: float) -> RunRecord | None:
    """The run by which a failed run is tried once more, where its tags ask for that; its run key lets several daemons add it once.

    `warehouse_assets/max_retries` says how often, `warehouse_assets/retry_strategy` how: FROM_FAILURE, or ALL_STEPS.
    """
    number = _number(run.tags.get(RETRY_NUMBER_TAG)) + 1
    if run.status != "FAILURE" or run.location is None or number > _number(run.tags.get(MAX_RETRIES_TAG)):
        return None
    from_failure = run.tags.get(RETRY_STRATEGY_TAG, "FROM_FAILURE") != "ALL_STEPS"
    tags = {RETRY_NUMBER_TAG: str(number)}
    return rerun_of(run, events, from_failure=from_failure, tags=tags, run_key=retry_key(run), now=now)


def retry_key(run: RunRecord) -> str:
    """The run key of the retry of a run."""
    return f"retry:{run.run_id}"


def done_steps(instance: Instance, run: RunRecord) -> set[str]:
    """The keys of the steps that the runs which `run` goes on from have done."""
    done: set[str] = set()
    while run.tags.get(FROM_FAILURE_TAG) == "true" and (parent := instance.get_run_by_id(run.tags.get(PARENT_RUN_TAG, ""))):
        events = instance.get_event_records(run_id=parent.run_id, event_types=_DONE)
        done.update(event.step_key for event in events if event.step_key is not None)
        run = parent
    return done


def _number(text: str | None) -> int:
    return int(text) if text is not None and text.isascii() and text.isdigit() else 0
