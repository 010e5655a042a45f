from __future__ import annotations

import time
from collections.abc import Callable
from itertools import pairwise
from typing import Any

import pytest

from warehouse_assets import (
    Backoff,
    Failure,
    Instance,
    MetadataValue,
    RetryPolicy,
    RetryRequested,
    RunResult,
    ThreadExecutor,
    asset,
    materialize,
)


def fails(times: int, error: Exception) -> tuple[list[float], Callable[..., int]]:
    """A function that raises `error` so many times, and the moments at which it was called."""
    calls: list[float] = []

    def fn(context: Any) -> int:
        calls.append(time.monotonic())
        if len(calls) <= times:
            raise error
        return int(context.retry_number)

    return calls, fn


def events(instance: Instance, run: RunResult) -> list[str]:
    return [event.event_type for event in instance.get_event_records(run_id=run.run_id) if event.step_key]


@pytest.mark.semantics(21)
def test_a_step_runs_again_as_its_policy_says(executor: Any, instance: Instance, store: Any) -> None:
    calls, fn = fails(2, ValueError("busy"))

    run = materialize(
        [asset(name="a", retry_policy=RetryPolicy(max_retries=2))(fn)],
        resources={"io_manager": store},
        instance=instance,
        executor=executor,
    )

    assert (len(calls), run.asset_value("a"), run.success) == (3, 2, True)
    assert events(instance, run) == [
        *["STEP_START", "STEP_UP_FOR_RETRY"] * 2,
        "STEP_START",
        "ASSET_MATERIALIZATION",
        "STEP_SUCCESS",
    ]
    retries = instance.get_event_records(event_types="STEP_UP_FOR_RETRY")
    assert [event.message for event in retries] == ["ValueError: busy; attempt 2 in 0 s", "ValueError: busy; attempt 3 in 0 s"]


@pytest.mark.semantics(21)
def test_a_step_that_fails_more_often_than_that_has_failed(executor: Any, store: Any) -> None:
    calls, fn = fails(9, ValueError("busy"))
    after = asset(name="after", deps=["a"])(value)

    run = materialize(
        [asset(name="a", retry_policy=RetryPolicy(max_retries=2))(fn), after],
        resources={"io_manager": store},
        executor=executor,
        raise_on_error=False,
    )

    assert (len(calls), run.steps("failure"), run.steps("skipped")) == (3, ["a"], ["after"])


def value() -> int:
    return 1


@pytest.mark.semantics(21)
def test_the_delay_is_kept_and_grows(executor: Any, store: Any) -> None:
    calls, fn = fails(2, ValueError("busy"))
    policy = RetryPolicy(max_retries=2, delay=0.05, backoff=Backoff.LINEAR)

    materialize([asset(name="a", retry_policy=policy)(fn)], resources={"io_manager": store}, executor=executor)

    waited = [later - earlier for earlier, later in pairwise(calls)]
    assert [wait >= least for wait, least in zip(waited, [0.05, 0.1], strict=True)] == [True, True]


@pytest.mark.semantics(21)
def test_others_run_while_a_step_waits_for_its_retry(executor: Any, store: Any) -> None:
    calls, fn = fails(1, ValueError("busy"))
    others: list[float] = []

    def note() -> int:
        others.append(time.monotonic())
        return 1

    assets = [
        asset(name="a", retry_policy=RetryPolicy(delay=0.4))(fn),
        asset(name="b")(note),
        asset(name="c", deps=["b"])(note),
    ]

    materialize(assets, resources={"io_manager": store}, executor=executor)

    assert max(others) < calls[1]


@pytest.mark.semantics(21)
@pytest.mark.parametrize(("most", "calls_made", "success"), [(1, 2, False), (2, 3, True)])
def test_a_function_may_request_its_retries(most: int, calls_made: int, success: bool, executor: Any, store: Any) -> None:
    calls, fn = fails(2, RetryRequested(max_retries=most, seconds_to_wait=0.001))

    run = materialize([asset(name="a")(fn)], resources={"io_manager": store}, executor=executor, raise_on_error=False)

    assert (len(calls), run.success) == (calls_made, success)


@pytest.mark.semantics(21)
def test_a_failure_is_recorded_with_its_description_and_metadata(instance: Instance, store: Any) -> None:
    calls, fn = fails(1, Failure("no rows", metadata={"rows": 0}))

    with pytest.raises(Failure, match="no rows"):
        materialize([asset(name="a")(fn)], resources={"io_manager": store}, instance=instance)
    (event,) = instance.get_event_records(event_types="STEP_FAILURE")

    assert (event.message, len(calls)) == ("Failure: no rows", 1)
    assert event.error is not None
    assert (event.error.cls_name, event.error.metadata) == ("Failure", {"rows": MetadataValue.int(0)})
    assert "in asset 'a' (" in event.error.stack


@pytest.mark.semantics(21)
@pytest.mark.parametrize(("allow", "calls_made"), [(True, 2), (False, 1)])
def test_a_failure_may_forbid_retries(allow: bool, calls_made: int, store: Any) -> None:
    calls, fn = fails(1, Failure("no rows", allow_retries=allow))

    materialize([asset(name="a", retry_policy=RetryPolicy())(fn)], resources={"io_manager": store}, raise_on_error=False)

    assert len(calls) == calls_made


@pytest.mark.semantics(21)
def test_a_step_that_waits_takes_no_workers_place(store: Any) -> None:
    _calls, fn = fails(1, ValueError("busy"))
    assets = [asset(name="a", retry_policy=RetryPolicy(delay=0.3))(fn), asset(name="b", deps=["z"])(value)]

    run = materialize(assets, resources={"io_manager": store}, executor=ThreadExecutor(1))

    assert (store.stored, run.success) == (["b", "a"], True)
