from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from warehouse_assets import (
    AssetExecutionContext,
    BackfillPolicy,
    Config,
    Definitions,
    InProcessExecutor,
    Instance,
    PartitionKeyRange,
    StaticPartitionsDefinition,
    asset,
)
from warehouse_assets.automation.backfill_body import BACKFILL_TAG, BackfillBody
from warehouse_assets.automation.backfill_requests import (
    WhichPartitions,
    cancel_backfill,
    get_backfill,
    request_backfill,
    resume_backfill,
)
from warehouse_assets.automation.backfill_runs import BackfillDuty, make_backfill
from warehouse_assets.automation.backfill_runs import runs_of as made_by
from warehouse_assets.automation.backfills import Backfills
from warehouse_assets.automation.daemon import Daemon, duties_of
from warehouse_assets.automation.locations import location_of
from warehouse_assets.automation.monitoring import RunMonitoring
from warehouse_assets.automation.reruns import MAX_RETRIES_TAG
from warehouse_assets.automation.submission import execute_recorded
from warehouse_assets.automation_records import Backfill
from warehouse_assets.code_location.loading import load_definitions
from warehouse_assets.errors import InvalidInvocationError
from warehouse_assets.events import CodeLocation, Event, RunRecord

ROOT = Path(__file__).parents[2]
LETTERS = StaticPartitionsDefinition([*"abcd"])
PLACE = CodeLocation("shop", "shop.py", "/nowhere")


class Faulty(Config):
    key: str = ""


@asset(partitions_def=LETTERS)
def letters(context: AssetExecutionContext, config: Faulty) -> str:
    if context.partition_key == config.key:
        raise ValueError(f"no {config.key}")
    return context.partition_key.upper()


@asset(partitions_def=LETTERS, deps=[letters], backfill_policy=BackfillPolicy.single_run())
def words(context: AssetExecutionContext) -> dict[str, str]:
    return {key: key * 2 for key in context.partition_keys}


@asset(deps=[words])
def text() -> str:
    return "the end"


@pytest.fixture
def defs() -> Definitions:
    return Definitions([letters, words, text])


@pytest.fixture
def instance(tmp_path: Path) -> Iterator[Instance]:
    with Instance.local(tmp_path / "home") as instance:
        yield instance


def here(defs: Definitions, instance: Instance, which: WhichPartitions | None = None, **options: object) -> Backfill:
    return request_backfill(defs.graph, instance, None, which, now=time.time(), here=True, **options)  # type: ignore[arg-type]


def shown(run: RunRecord) -> tuple[str, str]:
    partitions = [value for name, value in sorted(run.tags.items(), reverse=True) if "partition" in name]
    return "+".join(key.to_user_string() for key in run.asset_keys), "...".join(partitions)


def runs_of(instance: Instance, backfill: Backfill) -> list[tuple[str, str, str]]:
    runs = instance.get_runs(tags={BACKFILL_TAG: backfill.backfill_id})
    return [(*shown(run), run.status) for run in reversed(runs)]


def test_it_is_made_here_one_run_after_the_other(defs: Definitions, instance: Instance) -> None:
    heard: list[str] = []
    which = WhichPartitions(key_range=PartitionKeyRange("b", "d"))

    done = make_backfill(defs, instance, here(defs, instance, which), told=lambda backfill: heard.append(backfill.status))

    assert (done.status, heard) == ("COMPLETED", ["STARTED"] * 5 + ["COMPLETED"])
    assert runs_of(instance, done) == [
        ("letters", "b", "SUCCESS"),
        ("letters", "c", "SUCCESS"),
        ("letters", "d", "SUCCESS"),
        ("words", "b...d", "SUCCESS"),
        ("text", "", "SUCCESS"),
    ]
    assert defs.load_asset_value("words", partition_key="c", instance=instance) == "cc"


def test_what_fails_can_be_resumed_with_other_code(defs: Definitions, instance: Instance) -> None:
    failed = make_backfill(defs, instance, here(defs, instance, run_config={"ops": {"letters": {"config": {"key": "c"}}}}))

    @asset(partitions_def=LETTERS, name="letters")
    def mended(context: AssetExecutionContext) -> str:
        return context.partition_key.upper()

    defs = Definitions([mended, words, text])
    body = BackfillBody.of(failed)
    instance.event_log.put_backfill(
        Backfill(
            failed.backfill_id, failed.status, failed.created, body={**failed.body, "run_config": {}}, version=failed.version
        )
    )
    done = make_backfill(defs, instance, resume_backfill(instance, failed.backfill_id, time.time(), here=True))

    assert (failed.status, body.progress["letters"]["failed"]) == ("FAILED", 1)
    assert runs_of(instance, done)[4:] == [
        ("letters", "c", "SUCCESS"),
        ("words", "a...d", "SUCCESS"),
        ("text", "", "SUCCESS"),
    ]
    assert (done.status, BackfillBody.of(done).counts["done"]) == ("COMPLETED", 9)


def test_a_backfill_that_is_interrupted_is_canceled_and_can_be_resumed(instance: Instance) -> None:
    stops = ["b"]

    @asset(partitions_def=LETTERS)
    def each(context: AssetExecutionContext) -> str:
        if context.partition_key in stops:
            raise KeyboardInterrupt
        return context.partition_key

    defs = Definitions([each])
    asked = here(defs, instance)
    with pytest.raises(KeyboardInterrupt):
        make_backfill(defs, instance, asked, executor=InProcessExecutor())
    canceled = get_backfill(instance, asked.backfill_id)
    stops.clear()

    done = make_backfill(defs, instance, resume_backfill(instance, asked.backfill_id, time.time(), here=True))

    assert (canceled.status, done.status) == ("CANCELED", "COMPLETED")
    assert [run[1:] for run in runs_of(instance, done)] == [
        ("a", "SUCCESS"),
        ("b", "CANCELED"),
        ("b", "SUCCESS"),
        ("c", "SUCCESS"),
        ("d", "SUCCESS"),
    ]


def test_a_process_that_is_gone_leaves_a_backfill_that_can_be_resumed(defs: Definitions, instance: Instance) -> None:
    asked = here(defs, instance)
    Backfills(defs.graph, instance, made_by(defs, instance), room=1).advance(asked, 1.0)  # and then it is killed
    with pytest.raises(InvalidInvocationError, match="goes on: started"):
        resume_backfill(instance, asked.backfill_id, time.time(), here=True)

    resumed = resume_backfill(instance, asked.backfill_id, time.time() + 3600, here=True)
    done = make_backfill(defs, instance, resumed)

    assert (done.status, [run[2] for run in runs_of(instance, done)]) == ("COMPLETED", ["FAILURE", *["SUCCESS"] * 6])


def test_the_daemon_asks_for_runs_that_others_make(defs: Definitions, instance: Instance) -> None:
    asked = request_backfill(
        defs.graph,
        instance,
        None,
        WhichPartitions(keys=["a", "d"]),
        now=1.0,
        location=PLACE,
        tags={"team": "sales"},
        max_runs=1,
    )
    duty = BackfillDuty(instance, {PLACE: defs}.__getitem__)

    made = []
    for now in range(10):
        duty.round(float(now))
        for run in instance.get_runs(statuses="QUEUED"):
            made.append((*shown(run), run.tags["team"], run.location))
            execute_recorded(defs, run, instance=instance)

    assert made == [
        (*run, "sales", PLACE) for run in [("letters", "a"), ("letters", "d"), ("words", "a"), ("words", "d"), ("text", "")]
    ]
    assert get_backfill(instance, asked.backfill_id).status == "COMPLETED"


def test_code_that_cannot_be_loaded_keeps_only_its_own_backfills_waiting(
    defs: Definitions, instance: Instance, caplog: pytest.LogCaptureFixture
) -> None:
    broken = CodeLocation("broken", "broken.py", "/nowhere")
    waiting = request_backfill(defs.graph, instance, now=1.0, location=broken)
    going = request_backfill(defs.graph, instance, now=1.0, location=PLACE)
    canceled = request_backfill(defs.graph, instance, now=1.0, location=broken)
    cancel_backfill(instance, canceled.backfill_id, 1.0)
    made_here = here(defs, instance)

    duty = BackfillDuty(instance, {PLACE: defs}.__getitem__)
    for now in (2.0, 3.0, 30.0):
        duty.round(now)

    statuses = [get_backfill(instance, each.backfill_id).status for each in (waiting, going, canceled, made_here)]
    assert statuses == ["REQUESTED", "STARTED", "CANCELED", "REQUESTED"]
    assert [record.getMessage().partition(": ")[0] for record in caplog.records] == [
        f"the backfill {waiting.backfill_id} waits"
    ]


def test_a_run_that_is_tried_again_has_not_failed_yet(defs: Definitions, instance: Instance) -> None:
    which = WhichPartitions(keys=["a"])
    tags = {MAX_RETRIES_TAG: "2"}
    asked = request_backfill(defs.graph, instance, "letters", which, now=1.0, location=PLACE, tags=tags)
    duty, monitoring = BackfillDuty(instance, {PLACE: defs}.__getitem__), RunMonitoring(instance)

    statuses = []
    for ends in ("RUN_FAILURE", "RUN_FAILURE", "RUN_SUCCESS"):
        duty.round(time.time())
        (run,) = instance.get_runs(statuses="QUEUED")
        instance.store_events([Event(ends, run.run_id, time.time())])
        duty.round(time.time())
        statuses.append(get_backfill(instance, asked.backfill_id).status)
        monitoring.round(time.time())

    assert statuses == ["STARTED", "STARTED", "COMPLETED"]


def test_a_configuration_that_cannot_be_is_the_reason_of_the_failure(defs: Definitions, instance: Instance) -> None:
    config = {"ops": {"letters": {"config": {"kee": "c"}}}}
    asked = request_backfill(defs.graph, instance, now=1.0, location=PLACE, run_config=config)

    BackfillDuty(instance, {PLACE: defs}.__getitem__).round(2.0)

    failed = get_backfill(instance, asked.backfill_id)
    assert (failed.status, instance.get_runs()) == ("FAILED", [])
    assert "kee" in (BackfillBody.of(failed).error or "")


def test_the_daemon_has_it_made_in_processes_of_their_own(tmp_path: Path, instance: Instance) -> None:
    (tmp_path / "parts.py").write_text(PARTS)
    place = location_of("parts.py", tmp_path)
    graph = load_definitions(place.module, tmp_path).graph
    asked = request_backfill(graph, instance, now=time.time(), location=place)
    duties, closing = duties_of(instance, [])  # of a location that the daemon does not know otherwise

    with Daemon(instance, duties, interval=0.05).on_close(*closing) as daemon:
        for _ in range(2_000):
            daemon.round()
            if get_backfill(instance, asked.backfill_id).ended is not None:
                break
            time.sleep(0.02)

    assert sorted(runs_of(instance, asked)) == [
        ("after", "", "SUCCESS"),
        ("parts", "a", "SUCCESS"),
        ("parts", "b", "SUCCESS"),
    ]
    assert get_backfill(instance, asked.backfill_id).status == "COMPLETED"


PARTS = """
from warehouse_assets import StaticPartitionsDefinition, asset

@asset(partitions_def=StaticPartitionsDefinition(["a", "b"]))
def parts() -> int:
    return 1

@asset(deps=[parts])
def after() -> int:
    return 2
"""

SHOP = """
import sys, time
from warehouse_assets import Definitions, Instance, StaticPartitionsDefinition, asset
from warehouse_assets.automation.backfill_runs import BackfillDuty

@asset(partitions_def=StaticPartitionsDefinition([f"p{number}" for number in range(30)]))
def many() -> None: ...

@asset(partitions_def=many.partitions_def, deps=[many])
def more() -> None: ...

defs = Definitions([many, more])
if __name__ == "__main__":
    with Instance.local(sys.argv[1]) as instance:
        duty = BackfillDuty(instance, lambda _: defs)
        print("ready", flush=True)
        while True:
            duty.round(time.time())
            time.sleep(0.005)
"""


def test_daemons_that_are_killed_at_any_moment_ask_for_each_run_once(tmp_path: Path, instance: Instance) -> None:
    (tmp_path / "shop.py").write_text(SHOP)
    scope: dict[str, Definitions] = {}
    exec(compile(SHOP, "shop.py", "exec"), {"__name__": "shop", **scope}, scope)
    asked = request_backfill(scope["defs"].graph, instance, now=time.time(), location=PLACE, max_runs=3)
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}

    def daemon() -> subprocess.Popen[str]:
        command = [sys.executable, str(tmp_path / "shop.py"), str(tmp_path / "home")]
        return subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, text=True)

    daemons = [daemon(), daemon()]
    try:
        assert [each.stdout and each.stdout.readline() for each in daemons] == ["ready\n", "ready\n"]
        for rounds in range(400):
            for run in instance.get_runs(statuses="QUEUED"):
                execute_recorded(scope["defs"], run, instance=instance)
            if rounds in (3, 8):
                daemons[0].send_signal(signal.SIGKILL)
                daemons.append(daemon())
                daemons.pop(0).communicate()
            if get_backfill(instance, asked.backfill_id).ended is not None:
                break
            time.sleep(0.02)
    finally:
        for each in daemons:
            each.kill()
            each.communicate()

    runs = runs_of(instance, asked)
    assert get_backfill(instance, asked.backfill_id).status == "COMPLETED"
    assert (len(runs), {run[1:] for run in runs}) == (30, {(f"p{number}", "SUCCESS") for number in range(30)})
