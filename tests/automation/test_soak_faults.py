"""That no fault is found after a soak says something, as those that there could be are found."""

from __future__ import annotations

from dataclasses import replace

import pytest

from tests.soak.faults import STEPS, faults_of
from warehouse_assets import Instance
from warehouse_assets.automation.reruns import PARENT_RUN_TAG, ROOT_RUN_TAG
from warehouse_assets.automation_records import InstigatorState, Tick
from warehouse_assets.events import Event, EventType, RunRecord

pytestmark = pytest.mark.semantics(32)

ORIGIN = "shop:arrivals"


def ask(instance: Instance, *numbers: int) -> None:
    """A tick that asks for runs, called by their numbers."""
    log = instance.event_log
    state = log.get_instigator(ORIGIN) or InstigatorState(ORIGIN, "sensor", "RUNNING")
    runs = [RunRecord(f"r{number}", "QUEUED", created=0.0, run_key=f"{ORIGIN}:{number}") for number in numbers]
    tick = Tick(ORIGIN, "sensor", 0.0, "SUCCESS", 0.0, 0.0)
    log.commit_tick(tick, replace(state, cursor=str(max(numbers) - 1)), runs)


def tell(instance: Instance, run_id: str, *events: EventType, steps: set[str] = STEPS) -> None:
    """A run that starts, does steps, and comes to these events."""
    done = [Event("STEP_SUCCESS", run_id, 0.0, step_key=step) for step in sorted(steps)]
    instance.store_events([Event("RUN_START", run_id, 0.0), *done, *(Event(kind, run_id, 0.0) for kind in events)])


@pytest.fixture
def sound(instance: Instance) -> Instance:
    """Two runs that were asked for, of which the second was tried again."""
    ask(instance, 1, 2)
    tell(instance, "r1", "RUN_SUCCESS")
    tell(instance, "r2", "RUN_FAILURE", steps={"orders"})
    tags = {PARENT_RUN_TAG: "r2", ROOT_RUN_TAG: "r2"}
    instance.event_log.add_runs([RunRecord("r2b", "QUEUED", created=0.0, tags=tags, run_key="retry:r2")])
    tell(instance, "r2b", "RUN_SUCCESS", steps={"totals"})
    return instance


def test_a_sound_record_has_no_faults(sound: Instance) -> None:
    assert faults_of(sound, ["r1 orders", "r1 totals", "r2 orders", "r2b totals"]) == []


def test_a_step_that_is_done_twice_is_found(sound: Instance) -> None:
    assert faults_of(sound, ["r1 orders", "r1 totals", "r1 orders"]) == ["orders was made 2 times in run r1"]


def test_a_run_that_is_lost_is_found(sound: Instance) -> None:
    ask(sound, 4)
    tell(sound, "r4", "RUN_SUCCESS")

    assert faults_of(sound, []) == ["the sensor asked for [1, 2, 4]", "the sensor stands at 3 and asked for 3"]


def test_a_run_that_is_not_tried_again_is_found(sound: Instance) -> None:
    ask(sound, 3)
    tell(sound, "r3", "RUN_FAILURE")

    assert faults_of(sound, []) == ["run r3 (shop:arrivals:3): it and its retries ended so: ['FAILURE']"]


def test_a_run_that_goes_on_after_its_end_is_found(sound: Instance) -> None:
    sound.store_events([Event("STEP_SUCCESS", "r1", 0.0, step_key="orders")])

    assert faults_of(sound, []) == [
        "run r1: goes on after its end: ['STEP_SUCCESS']",
        "run r1: has 2 STEP_SUCCESS of orders",
        "run r1 (shop:arrivals:1): it and its retries did {'orders': 2, 'totals': 1}",
    ]


def test_a_run_that_starts_or_ends_twice_is_found(sound: Instance) -> None:
    tell(sound, "r1", "RUN_FAILURE", steps=set())

    assert faults_of(sound, [])[:2] == ["run r1: started twice", "run r1: has the ends ['RUN_SUCCESS', 'RUN_FAILURE']"]


def test_a_run_of_no_tick_is_found(sound: Instance) -> None:
    sound.event_log.add_runs([RunRecord("stray", "QUEUED", created=0.0)])
    tell(sound, "stray", "RUN_SUCCESS")

    assert faults_of(sound, []) == ["run stray (None) is of no tick"]
