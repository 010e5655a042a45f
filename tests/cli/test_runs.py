"""`wa runs`: what it shows of runs, and what it has done with them."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from warehouse_assets import Instance

FAULTY = """
import sys
from warehouse_assets import AssetExecutionContext, asset

@asset
def orders(context: AssetExecutionContext) -> int:
    context.log.info("reading")
    print("hello")
    return 1

@asset
def fails(orders: int) -> None:
    print("oh", file=sys.stderr)
    raise ValueError("no rows")

@asset(deps=[fails])
def after() -> None: ...
"""


@pytest.fixture
def shop(project: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (project / "faulty.py").write_text(FAULTY)
    monkeypatch.setenv("PYTHONPATH", str(Path(__file__).parents[2]))
    return project


def ids(text: str) -> list[str]:
    return re.findall(r"\b[0-9a-f]{16}\b", text)


def test_a_run_in_a_process_of_its_own_is_followed_shown_and_done_again(shop: Path, wa: Callable[..., Any]) -> None:
    started = wa("runs", "submit", "-m", "faulty.py", "--tag", "team=shop", "--now")
    run_id = ids(started.out)[0]

    followed = wa("runs", "logs", "-f", run_id[:8])
    shown = wa("runs", "show", run_id, "--json")
    told = json.loads(shown.out)
    again = wa("runs", "rerun", run_id, "--from-failure")
    (waiting,) = json.loads(wa("runs", "list", "--status", "queued", "--json").out)

    assert (started.code, followed.code, shown.code, again.code) == (0, 0, 0, 0)
    lines = [re.sub(r"^\d\d:\d\d:\d\d ", "", line) for line in followed.out.splitlines()]
    for line in ("orders: info: reading", "orders | hello", "fails | oh", "fails: failed: ValueError: no rows"):
        assert line in lines
    assert "the run failed: 1 of 3 steps failed, 1 were skipped" in lines
    assert [(step["key"], step["status"]) for step in told["steps"]] == [
        ("orders", "success"),
        ("fails", "failure"),
        ("after", "skipped"),
    ]
    assert (told["status"], told["tags"], told["location"]["module"]) == ("FAILURE", {"team": "shop"}, "faulty.py")
    assert (waiting["run_id"], waiting["asset_keys"]) == (ids(again.out)[0], ["fails", "after"])
    assert waiting["tags"]["warehouse_assets/parent_run_id"] == run_id


def test_a_run_that_waits_is_canceled(shop: Path, wa: Callable[..., Any]) -> None:
    run_id = ids(wa("runs", "submit", "-m", "faulty.py", "-s", "orders").out)[0]

    assert wa("runs", "cancel", run_id).out == f"Run {run_id} is canceled.\n"
    assert wa("runs", "cancel", run_id).out == f"Run {run_id} is over already.\n"
    with Instance.get(shop) as instance:
        assert instance.get_run_record(run_id).status == "CANCELED"


def test_what_a_run_printed_is_pruned_with_it(shop: Path, wa: Callable[..., Any]) -> None:
    run_id = ids(wa("runs", "submit", "-m", "faulty.py", "-s", "orders").out)[0]
    with Instance.get(shop) as instance:
        logs = instance.folder / "logs"
        for name in (run_id, "gone"):
            (logs / name).mkdir(parents=True)

        instance.prune(timedelta(days=1))

        assert [folder.name for folder in logs.iterdir()] == [run_id]


@pytest.mark.parametrize(
    ("args", "message"),
    [
        (("show", "zzz"), "no run 'zzz'"),
        (("logs", "../../x"), "no run '../../x'"),
        (("submit", "-m", "faulty.py", "-s", "order"), "order"),
        (("submit", "-m", "faulty.py", "--partition", "x"), "no selected asset is partitioned"),
        (("submit", "-m", "faulty.py", "--tag", "team"), "no NAME=VALUE"),
        (("list", "--status", "running"), "'running' is not one of"),
    ],
    ids=["show", "logs", "asset", "partition", "tag", "status"],
)
def test_what_cannot_be_meant_is_refused(shop: Path, wa: Callable[..., Any], args: Any, message: str) -> None:
    result = wa("runs", *args)

    assert result.code != 0
    assert message in result.err


def test_a_run_of_materialize_can_be_done_again(shop: Path, wa: Callable[..., Any]) -> None:
    wa("materialize", "-m", "faulty.py", "-s", "orders")
    (run,) = json.loads(wa("runs", "list", "--json").out)

    assert wa("runs", "rerun", run["run_id"]).code == 0
    assert run["location"]["working_directory"] == str(shop)
    assert run["heartbeat"] is not None


def test_pools_are_limited_and_shown(project: Path, wa: Callable[..., Any]) -> None:
    def run(*args: str) -> str:
        answer = wa("instance", "pool", *args)
        return str(answer.out + answer.err)

    run("warehouse", "2")
    with Instance.get(project) as instance:
        instance.event_log.claim_slot("warehouse", 2, "r1", "orders", 0.0)
    shown = json.loads(run("--json"))
    after = json.loads(run("warehouse", "--unset", "--json"))

    held = {"pool": "warehouse", "run_id": "r1", "step_key": "orders", "claimed": 0.0}
    assert shown == [{"pool": "warehouse", "limit": 2, "held": [held]}]
    assert after == [{"pool": "warehouse", "limit": None, "held": [held]}]
    assert "--unset goes with" in run("--unset")
