from __future__ import annotations

import threading
import time
from pathlib import Path
from typing import Any

import pytest

from warehouse_assets import (
    AssetExecutionContext,
    InProcessExecutor,
    Instance,
    RetryPolicy,
    ThreadExecutor,
    asset,
    graph_asset,
    materialize,
    op,
)
from warehouse_assets.events import RunRecord
from warehouse_assets.execution import pools


class Crowd:
    """Counts how many are in at once."""

    def __init__(self) -> None:
        self.inside = 0
        self.most = 0
        self.lock = threading.Lock()

    def __enter__(self) -> None:
        with self.lock:
            self.inside += 1
            self.most = max(self.most, self.inside)
        time.sleep(0.01)

    def __exit__(self, *_: object) -> None:
        with self.lock:
            self.inside -= 1


def members(crowd: Crowd, count: int, pool: str | None = "warehouse") -> list[Any]:
    def member(number: int) -> Any:
        @asset(name=f"member_{number}", pool=pool)
        def enter() -> None:
            with crowd:
                pass

        return enter

    return [member(number) for number in range(count)]


@pytest.fixture
def instance() -> Instance:
    return Instance.ephemeral()


@pytest.mark.parametrize("limit", [1, 2], ids="at_most_{}".format)
def test_a_pool_holds_no_more_steps_than_its_limit(instance: Instance, limit: int) -> None:
    crowd = Crowd()
    instance.event_log.set_pool_limit("warehouse", limit)

    result = materialize(members(crowd, 6), instance=instance, executor=ThreadExecutor(4))

    assert (result.success, crowd.most, instance.event_log.get_slots()) == (True, limit, [])


def test_runs_share_a_pool(instance: Instance, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pools, "LOOK_AGAIN_SECONDS", 0.005)
    crowd = Crowd()
    instance.event_log.set_pool_limit("warehouse", 1)
    runs = [threading.Thread(target=materialize, args=(members(crowd, 3),), kwargs={"instance": instance}) for _ in range(3)]
    for run in runs:
        run.start()
    for run in runs:
        run.join()

    assert (crowd.most, [run.status for run in instance.get_runs()]) == (1, ["SUCCESS"] * 3)


def test_a_step_that_waits_says_so_once_and_others_run_meanwhile(instance: Instance) -> None:
    released = threading.Event()

    @asset(pool="warehouse")
    def first() -> None:
        assert released.wait(30)

    @asset(pool="warehouse")
    def second() -> None: ...

    @asset
    def release() -> None:
        released.set()

    instance.event_log.set_pool_limit("warehouse", 1)
    result = materialize([first, second, release], instance=instance, executor=ThreadExecutor(2))

    assert result.success
    assert [event.message for event in result.events if event.event_type == "LOG"] == [
        f"waiting for a place in the pool 'warehouse', which holds 1: first of run {result.run_id}"
    ]


def test_a_pool_without_a_limit_holds_any_number(instance: Instance) -> None:
    together = threading.Barrier(3, timeout=30)

    def meet(name: str) -> Any:
        return asset(name=name, pool="warehouse")(lambda: together.wait() and None)

    assert materialize([meet(name) for name in "abc"], instance=instance, executor=ThreadExecutor(3)).success


def test_a_place_is_given_back_between_attempts_and_by_a_step_that_fails(instance: Instance) -> None:
    held: list[int] = []

    @asset(pool="warehouse", retry_policy=RetryPolicy(max_retries=1))
    def fails(context: AssetExecutionContext) -> None:
        held.append(len(context.instance.event_log.get_slots("warehouse")))
        raise ValueError

    instance.event_log.set_pool_limit("warehouse", 1)
    materialize([fails], instance=instance, raise_on_error=False)

    assert (held, instance.event_log.get_slots()) == ([1, 1], [])


@pytest.mark.parametrize("executor", [InProcessExecutor(), ThreadExecutor(2)], ids=["in_process", "threads"])
@pytest.mark.parametrize("status", ["SUCCESS", "STARTED"], ids=["ended", "gone"])
def test_places_of_runs_that_are_over_or_gone_are_taken_over(instance: Instance, executor: Any, status: Any) -> None:
    log = instance.event_log
    log.set_pool_limit("warehouse", 1)
    log.add_run(RunRecord("dead", status, created=1.0, started=2.0, heartbeat=3.0))
    log.claim_slot("warehouse", 1, "dead", "step", 3.0)

    assert materialize(members(Crowd(), 2), instance=instance, executor=executor).success
    assert log.get_slots() == []


def test_ops_of_a_graph_take_places_for_themselves(instance: Instance, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pools, "LOOK_AGAIN_SECONDS", 0.005)
    crowd = Crowd()

    @op(pool="warehouse")
    def enter() -> int:
        with crowd:
            return 1

    def made(name: str) -> Any:
        return graph_asset(name=name)(lambda: enter())

    instance.event_log.set_pool_limit("warehouse", 1)
    result = materialize([made(name) for name in "abcd"], instance=instance, executor=ThreadExecutor(4))

    assert (result.asset_value("a"), crowd.most, instance.event_log.get_slots()) == (1, 1, [])


def test_a_run_with_pools_tells_that_it_lives(tmp_path: Path) -> None:
    with Instance.local(tmp_path) as instance:
        materialize(members(Crowd(), 1), instance=instance)
        materialize(members(Crowd(), 1, pool=None), instance=instance)
        without, pooled = instance.get_runs()

        assert (without.heartbeat, pooled.heartbeat is not None) == (None, True)
