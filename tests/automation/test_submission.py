from __future__ import annotations

from typing import Any

import pytest

from warehouse_assets import Instance, PartitionKeyRange
from warehouse_assets.automation.submission import execute_recorded, run_for
from warehouse_assets.code_location.definitions import Definitions
from warehouse_assets.errors import (
    InvalidConfigError,
    InvalidInvocationError,
    InvalidSelectionError,
    PartitionNotFoundError,
    RunTakenError,
)
from warehouse_assets.events import CodeLocation

SHOP = CodeLocation("shop", "shop_of_runs.py", "/nowhere")


@pytest.fixture
def record() -> Instance:
    return Instance.ephemeral()


def test_a_run_of_a_job_is_recorded_with_what_the_job_says(definitions: Definitions, record: Instance) -> None:
    run = run_for(definitions, SHOP, job_name="nightly", tags={"why": "test"}, run_key="k", instance=record)

    assert (run.status, run.job_name, run.run_key, run.location) == ("QUEUED", "nightly", "k", SHOP)
    assert dict(run.tags) == {"team": "shop", "why": "test"}
    assert run.config == {"ops": {"orders": {"config": {"rows": 3}}}}
    assert [key.to_user_string() for key in run.asset_keys] == ["orders"]


def test_what_is_recorded_runs_under_its_own_id(definitions: Definitions, record: Instance) -> None:
    config = {"ops": {"orders": {"config": {"rows": 5}}}}
    (run,) = record.event_log.add_runs([run_for(definitions, SHOP, job_name="nightly", run_config=config, instance=record)])

    result = execute_recorded(definitions, run, instance=record)

    assert (result.run_id, result.asset_value("orders")) == (run.run_id, [1] * 5)
    assert [event.event_type for event in record.get_event_records(run_id=run.run_id)][:3] == [
        "RUN_ENQUEUED",
        "RUN_START",
        "STEP_START",
    ]
    assert record.get_run_record(run.run_id).status == "SUCCESS"


def test_a_run_that_somebody_has_is_not_run_again(definitions: Definitions, record: Instance) -> None:
    (run,) = record.event_log.add_runs([run_for(definitions, SHOP, job_name="nightly", instance=record)])
    execute_recorded(definitions, run, instance=record)
    before = record.get_event_records(run_id=run.run_id)

    with pytest.raises(RunTakenError, match="does not wait"):
        execute_recorded(definitions, run, instance=record)

    assert record.get_event_records(run_id=run.run_id) == before


@pytest.mark.parametrize(
    ("asked", "value"),
    [({"partition_key": "b"}, "b"), ({"partition_key_range": PartitionKeyRange("a", "b")}, "a,b")],
    ids=["one", "range"],
)
def test_partitions_are_recorded_and_made(definitions: Definitions, record: Instance, asked: Any, value: str) -> None:
    (run,) = record.event_log.add_runs([run_for(definitions, SHOP, selection="parts", instance=record, **asked)])

    execute_recorded(definitions, run, instance=record)

    assert record.get_materialized_partitions("parts") == set(value.split(","))


@pytest.mark.parametrize(
    ("asked", "error", "message"),
    [
        ({"selection": "order"}, InvalidSelectionError, "order"),
        ({"job_name": "nightli"}, InvalidSelectionError, "nightly"),
        ({"job_name": "nightly", "selection": "customers"}, InvalidSelectionError, "does not make customers"),
        ({"selection": "parts", "partition_key": "z"}, PartitionNotFoundError, "'z'"),
        ({"selection": "parts"}, InvalidInvocationError, "no partition is given"),
        ({"selection": "orders", "partition_key": "a"}, InvalidInvocationError, "no selected asset is partitioned"),
        ({"selection": "orders", "run_config": {"ops": {"order": {}}}}, InvalidConfigError, "'order'"),
        ({"selection": "orders", "run_config": {"ops": {"orders": {"config": {"rows": "x"}}}}}, InvalidConfigError, "rows"),
        ({"selection": "orders", "run_config": {"resources": {"db": {}}}}, InvalidConfigError, "may hold secrets"),
    ],
    ids=["asset", "job", "not_of_the_job", "partition", "no_partition", "unpartitioned", "config", "value", "resources"],
)
def test_what_cannot_run_is_refused_now(
    definitions: Definitions, record: Instance, asked: Any, error: type[Exception], message: str
) -> None:
    with pytest.raises(error, match=message):
        run_for(definitions, SHOP, instance=record, **asked)


def test_assets_that_are_gone_are_named(definitions: Definitions, record: Instance) -> None:
    (run,) = record.event_log.add_runs([run_for(definitions, SHOP, selection="orders", instance=record)])

    with pytest.raises(InvalidSelectionError, match="not there any more: orders"):
        execute_recorded(Definitions(), run, instance=record)
