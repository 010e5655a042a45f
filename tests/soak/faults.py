"""What a record of runs must not show, whatever was killed while it was made."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import pairwise

from warehouse_assets import Instance
from warehouse_assets.automation.reruns import ROOT_RUN_TAG
from warehouse_assets.events import Event, RunRecord

STEPS = {"orders", "totals"}
ENDS = {"RUN_SUCCESS": "SUCCESS", "RUN_FAILURE": "FAILURE", "RUN_CANCELED": "CANCELED"}


def faults_of(instance: Instance, witness: Iterable[str]) -> list[str]:
    """All faults, one line each; `witness` are the lines `RUN_ID ASSET` that the assets wrote as they were made."""
    runs = instance.get_runs()
    events: dict[str, list[Event]] = defaultdict(list)
    for event in instance.get_event_records():
        events[event.run_id].append(event)
    chains: dict[str, list[RunRecord]] = defaultdict(list)
    for run in runs[::-1]:
        chains[run.tags.get(ROOT_RUN_TAG, run.run_id)].append(run)
    found = [
        f"the record has events of run {run_id}, which it does not have" for run_id in events.keys() - {r.run_id for r in runs}
    ]
    found += [
        f"{line.split()[1]} was made {times} times in run {line.split()[0]}"
        for line, times in Counter(witness).items()
        if times > 1
    ]
    for run in runs:
        found += (f"run {run.run_id}: {fault}" for fault in _of_run(run, events[run.run_id]))
    for chain in chains.values():
        found += (f"run {chain[0].run_id} ({chain[0].run_key}): {fault}" for fault in _of_chain(chain, events))
    found += _of_ticks(instance, [chain[0] for chain in chains.values()])
    found += (f"run {slot.run_id} holds a place in {slot.pool}" for slot in instance.event_log.get_slots())
    return found


def _of_run(run: RunRecord, events: Sequence[Event]) -> Iterator[str]:
    """It waits, starts at most once, ends once, and is silent then; its record says what its events say."""
    kinds = [event.event_type for event in events]
    ends = [kind for kind in kinds if kind in ENDS]
    if kinds[:1] != ["RUN_ENQUEUED"]:
        yield f"begins with {kinds[:1]}"
    if kinds.count("RUN_START") > 1:
        yield "started twice"
    if len(ends) != 1:
        yield f"has the ends {ends}"
    elif kinds[-1] != ends[0]:
        yield f"goes on after its end: {kinds[kinds.index(ends[0]) + 1 :]}"
    elif ENDS[ends[0]] != run.status:
        yield f"is {run.status}, and its events end with {ends[0]}"
    steps = Counter((event.event_type, event.step_key) for event in events if event.step_key is not None)
    yield from (
        f"has {times} {kind} of {step}" for (kind, step), times in steps.items() if kind.startswith("STEP_") and times > 1
    )


def _of_chain(chain: Sequence[RunRecord], events: Mapping[str, Sequence[Event]]) -> Iterator[str]:
    """A run and its retries: each but the last failed, the last succeeded, and together they did each step once."""
    statuses = [run.status for run in chain]
    if statuses != ["FAILURE"] * (len(chain) - 1) + ["SUCCESS"]:
        yield f"it and its retries ended so: {statuses}"
    done = Counter(e.step_key for run in chain for e in events[run.run_id] if e.event_type == "STEP_SUCCESS")
    if done != Counter(STEPS):
        yield f"it and its retries did {dict(done)}"


def _of_ticks(instance: Instance, asked: Sequence[RunRecord]) -> Iterator[str]:
    """Each run is of one tick and each tick that fell due has its run, without a hole."""
    ticks = instance.event_log.get_ticks()
    of_ticks = Counter(run_id for tick in ticks for run_id in tick.run_ids)
    yield from (f"run {run_id} is of {times} ticks" for run_id, times in of_ticks.items() if times > 1)
    yield from (f"run {run.run_id} ({run.run_key}) is of no tick" for run in asked if run.run_id not in of_ticks)
    yield from (
        f"tick {tick.tick_id} asked for a run that is lost" for tick in ticks if set(tick.run_ids) - {r.run_id for r in asked}
    )
    keys = [(run.run_key or "").split(":") for run in asked]
    numbers = sorted(int(key[-1]) for key in keys if key[1:2] == ["arrivals"])
    if numbers != list(range(1, len(numbers) + 1)):
        yield f"the sensor asked for {numbers}"
    minutes = sorted(int(key[-1]) for key in keys if key[1:2] == ["every_minute"])
    if any(after - before != 60 for before, after in pairwise(minutes)):
        yield f"the schedule ran at {minutes}"
    cursor = instance.event_log.get_instigator("shop:arrivals")
    if cursor is not None and numbers and cursor.cursor != str(len(numbers) - 1):
        yield f"the sensor stands at {cursor.cursor} and asked for {len(numbers)}"
