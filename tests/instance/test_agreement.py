"""Whatever is done in whatever order, the event logs in databases answer like the one in memory."""

from __future__ import annotations

import tempfile
from contextlib import closing
from dataclasses import replace
from itertools import count
from pathlib import Path
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from warehouse_assets.errors import InstanceError
from warehouse_assets.events import (
    DATA_VERSION_TAG,
    AssetCheckEvaluation,
    AssetMaterialization,
    AssetObservation,
    Event,
    RunRecord,
)
from warehouse_assets.instance import EventFilter, EventLog, MemoryEventLog, RunFilter
from warehouse_assets.instance.postgresql import PostgreSQLEventLog
from warehouse_assets.instance.sqlite import SqliteEventLog
from warehouse_assets.keys import AssetKey

KEYS = [AssetKey(path) for path in (["a"], ["a", "b"], ["a/b"])]
RUNS = ["", "r1", "r2"]
PARTITIONS = ["mon", "tue"]
CHECKS = ["unique", "mon"]

runs = st.sampled_from(RUNS)
keys = st.sampled_from(KEYS)
times = st.floats(0, 100)
partitions = st.sampled_from([None, *PARTITIONS])
run_events = st.builds(Event, st.sampled_from(["RUN_START", "RUN_SUCCESS", "RUN_FAILURE", "LOG"]), runs, times)
made = st.builds(AssetMaterialization, keys, partition=partitions)
versions = st.sampled_from([{}, {DATA_VERSION_TAG: "1"}])
seen = st.builds(AssetObservation, keys, partition=partitions, tags=versions)
checked = st.builds(AssetCheckEvaluation, keys, st.sampled_from(CHECKS), st.booleans(), partition=partitions)
asset_events = (
    st.builds(Event, st.just("ASSET_MATERIALIZATION"), runs, times, data=made)
    | st.builds(Event, st.just("ASSET_OBSERVATION"), runs, times, data=seen)
    | st.builds(Event, st.just("ASSET_CHECK_EVALUATION"), runs, times, data=checked)
)
actions = st.lists(
    st.tuples(st.just("store_events"), st.lists(run_events | asset_events, max_size=4))
    | st.tuples(st.just("add_run"), st.builds(RunRecord, runs, st.just("QUEUED"), times))
    | st.tuples(st.just("wipe"), st.lists(keys, max_size=2))
    | st.tuples(st.sampled_from(["prune", "would_prune"]), times)
    | st.tuples(st.sampled_from(["add_dynamic_partitions", "delete_dynamic_partition"]), st.sampled_from(PARTITIONS)),
    max_size=12,
)


def told(log: EventLog, question: EventFilter) -> list[Any]:
    kinds = ("ASSET_MATERIALIZATION", "ASSET_OBSERVATION", "ASSET_CHECK_EVALUATION")
    return [
        log.get_events(),
        log.get_events(question, limit=3),
        log.get_events(question, limit=3, ascending=False),
        log.get_runs(),
        log.get_runs(RunFilter(["QUEUED", "SUCCESS"]), limit=1),
        [list(log.get_latest(kind, KEYS, partition).items()) for kind in kinds for partition in (None, *PARTITIONS)],
        [list(log.get_latest(kinds[2], KEYS, partition, name).items()) for name in CHECKS for partition in (None, "mon")],
        [log.get_latest_by_partition(kind, KEYS, partitions) for kind in kinds for partitions in (None, ["tue", "wed"], [])],
        [log.get_partitions(kind, key) for kind in kinds for key in KEYS],
        [list(log.get_latest(kinds[1], KEYS, partition, versioned=True).items()) for partition in (None, *PARTITIONS)],
        log.get_latest_by_partition(kinds[1], KEYS, versioned=True),
        log.get_dynamic_partitions("days"),
        replace(log.info(), kind="memory", place="", version=None, byte_size=None),
    ]


questions = st.builds(
    EventFilter,
    st.none() | runs,
    st.none() | keys,
    st.sets(st.sampled_from(["RUN_START", "ASSET_MATERIALIZATION"])),
    st.none() | st.integers(0, 9),
    st.none() | st.integers(0, 9),
)


def agree(log: EventLog, actions: list[tuple[str, Any]], question: EventFilter) -> None:
    memory = MemoryEventLog()
    for name, argument in actions:
        outcomes = [outcome(each, name, argument) for each in (log, memory)]

        assert outcomes[0] == outcomes[1]

    assert told(log, question) == told(memory, question)


@settings(max_examples=50, deadline=None)
@given(actions, questions)
def test_sqlite_agrees_with_memory(actions: list[tuple[str, Any]], question: EventFilter) -> None:
    with tempfile.TemporaryDirectory() as folder, closing(SqliteEventLog(Path(folder) / "record.db")) as sqlite:
        agree(sqlite, actions, question)


schemas = count()


@settings(max_examples=20, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(actions, questions)
def test_postgresql_agrees_with_memory(postgres: Any, actions: list[tuple[str, Any]], question: EventFilter) -> None:
    with closing(PostgreSQLEventLog(postgres.url, schema=f"record{next(schemas)}")) as postgresql:
        agree(postgresql, actions, question)


def outcome(log: EventLog, name: str, argument: Any) -> Any:
    try:
        if name == "add_dynamic_partitions":
            log.add_dynamic_partitions("days", [argument])
        elif name == "delete_dynamic_partition":
            log.delete_dynamic_partition("days", argument)
        elif name == "would_prune":
            return log.prune(argument, dry_run=True)
        else:
            return getattr(log, name)(argument)
    except InstanceError as error:
        return str(error)
    return None
