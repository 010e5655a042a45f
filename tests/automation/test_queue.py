from __future__ import annotations

from typing import Any

import pytest

from warehouse_assets import Instance
from warehouse_assets.automation.processes import RunProcesses
from warehouse_assets.automation.queue import PRIORITY_TAG, QueueSettings, RunQueue, TagLimit, runs_to_start
from warehouse_assets.errors import InvalidConfigError
from warehouse_assets.events import CodeLocation, RunRecord

SHOP = CodeLocation("shop", "shop.py", "/nowhere")


def run(name: str, status: Any = "QUEUED", **tags: str) -> RunRecord:
    return RunRecord(name, status, created=0.0, tags=tags, location=SHOP)


def ids(runs: list[RunRecord]) -> str:
    return " ".join(run.run_id for run in runs)


def urgent(name: str, priority: str) -> RunRecord:
    return RunRecord(name, "QUEUED", created=0.0, tags={PRIORITY_TAG: priority}, location=SHOP)


@pytest.mark.parametrize(
    ("running", "places", "started"),
    [(0, 10, "a b c"), (0, 2, "a b"), (1, 2, "a"), (2, 2, ""), (3, 2, ""), (0, 0, "")],
    ids=["all", "two", "one_left", "full", "over", "none"],
)
def test_no_more_run_at_once_than_there_are_places(running: int, places: int, started: str) -> None:
    others = [run(f"other_{number}", "STARTED") for number in range(running)]

    assert ids(runs_to_start([run("a"), run("b"), run("c")], others, QueueSettings(places))) == started


def test_higher_priorities_start_first_and_equals_in_the_order_they_came() -> None:
    waiting = [run("a"), urgent("b", "-1"), urgent("c", "5"), urgent("d", "much"), urgent("e", "5"), urgent("f", " 7 ")]

    assert ids(runs_to_start(waiting, [], QueueSettings())) == "f c e a d b"


@pytest.mark.parametrize(
    ("limit", "started"),
    [
        (TagLimit("team", 1), "a d"),
        (TagLimit("team", 2, value="shop"), "a b c d"),
        (TagLimit("team", 1, value="shop"), "a c d"),
        (TagLimit("team", 1, per_value=True), "a c d"),
        (TagLimit("team", 0), "d"),
        (TagLimit("other", 0), "a b c d"),
    ],
    ids=["key", "value_of_two", "value", "each_value", "none", "other_key"],
)
def test_limits_by_tag_hold_runs_back_and_let_others_pass(limit: TagLimit, started: str) -> None:
    waiting = [run("a", team="shop"), run("b", team="shop"), run("c", team="bank"), run("d")]

    assert ids(runs_to_start(waiting, [], QueueSettings(tag_limits=(limit,)))) == started


def test_runs_that_run_count_for_limits_by_tag() -> None:
    settings = QueueSettings(tag_limits=(TagLimit("team", 2), TagLimit("team", 1, per_value=True)))
    running = [run("x", "CANCELING", team="shop")]

    assert ids(runs_to_start([run("a", team="shop"), run("b", team="bank"), run("c", team="post")], running, settings)) == "b"


def test_settings_are_read_from_a_table() -> None:
    table = {"max_concurrent_runs": 3, "tag_limits": [{"key": "team", "limit": 1, "value": "shop"}]}

    assert QueueSettings.of(table) == QueueSettings(3, (TagLimit("team", 1, "shop"),))


@pytest.mark.parametrize(
    ("table", "message"),
    [
        ({"max_runs": 3}, "'max_runs'"),
        ({"max_concurrent_run": 3}, "Did you mean 'max_concurrent_runs'"),
        ({"max_concurrent_runs": "3"}, "of the type int"),
        ({"max_concurrent_runs": True}, "of the type int"),
        ({"max_concurrent_runs": -1}, "not below 0"),
        ({"tag_limits": [{"key": "team"}]}, "a key and a limit"),
        ({"tag_limits": ["team"]}, "is a table"),
        ({"pools": {"warehouse": "2"}}, "of the type int"),
    ],
    ids=["unknown", "slip", "text", "flag", "below_0", "no_limit", "no_table", "pool"],
)
def test_settings_that_cannot_be_meant_are_refused(table: Any, message: str) -> None:
    with pytest.raises(InvalidConfigError, match=message):
        QueueSettings.of(table)


class Started(RunProcesses):
    """Remembers what was to be started."""

    def __init__(self) -> None:
        self.ids: list[str] = []

    def start(self, run: RunRecord, now: float) -> None:
        self.ids.append(run.run_id)


def test_one_of_two_daemons_starts_each_run_once() -> None:
    instance = Instance.ephemeral()
    instance.event_log.add_runs([run("a"), run("b"), run("c"), RunRecord("elsewhere", "QUEUED", created=0.0)])
    first, second = Started(), Started()
    daemons = [RunQueue(instance, first, QueueSettings(2)), RunQueue(instance, second, QueueSettings(2))]

    for now in (0.0, 5.0):
        for daemon in daemons:
            daemon.round(now)

    assert (first.ids, second.ids) == (["a", "b"], [])  # the places are taken
    assert [instance.get_run_record(name).status for name in ("a", "c", "elsewhere")] == ["STARTING", "QUEUED", "QUEUED"]


def test_limits_of_pools_are_set_by_the_daemon() -> None:
    instance = Instance.ephemeral()
    RunQueue(instance, Started(), QueueSettings.of({"pools": {"warehouse": 2}})).round(0.0)

    assert instance.event_log.get_pool_limits() == {"warehouse": 2}
