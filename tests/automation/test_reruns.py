from __future__ import annotations

from typing import Any

import pytest

from warehouse_assets import (
    AssetExecutionContext,
    AssetKey,
    AssetOut,
    Config,
    Definitions,
    Instance,
    Output,
    asset,
    multi_asset,
)
from warehouse_assets.automation.reruns import (
    FROM_FAILURE_TAG,
    MAX_RETRIES_TAG,
    PARENT_RUN_TAG,
    RETRY_NUMBER_TAG,
    RETRY_STRATEGY_TAG,
    ROOT_RUN_TAG,
    done_steps,
    rerun,
    retry_of,
)
from warehouse_assets.automation.submission import execute_recorded, run_for
from warehouse_assets.errors import InvalidInvocationError, RunNotFoundError
from warehouse_assets.events import CodeLocation, RunRecord

SHOP = CodeLocation("shop", "shop.py", "/nowhere")
BROKEN: set[str] = set()
CALLED: list[str] = []


def called(name: str) -> None:
    CALLED.append(name)
    if name in BROKEN:
        raise ValueError(name)


class Size(Config):
    rows: int = 1


@asset
def early(config: Size) -> None:
    called("early")


@multi_asset(outs={"left": AssetOut(is_required=False), "right": AssetOut(is_required=False)}, deps=[early])
def pair() -> Any:
    called("pair")
    yield Output(1, "right")


@asset(deps=["right"])
def late(context: AssetExecutionContext) -> None:
    called("late")


@asset(deps=[late])
def last() -> None:
    called("last")


DEFINITIONS = Definitions([early, pair, late, last])


@pytest.fixture
def instance() -> Instance:
    BROKEN.clear()
    CALLED.clear()
    return Instance.ephemeral()


def add(instance: Instance, **options: Any) -> RunRecord:
    (run,) = instance.event_log.add_runs([run_for(DEFINITIONS, SHOP, instance=instance, **options)])
    return run


def execute(instance: Instance, run: RunRecord) -> list[str]:
    """Run what waits, as the process of the run does; the functions that it called."""
    CALLED.clear()
    execute_recorded(DEFINITIONS, run, instance=instance, done=done_steps(instance, run), raise_on_error=False)
    return list(CALLED)


def test_a_run_is_done_again_as_a_whole(instance: Instance) -> None:
    first = add(instance, tags={"team": "shop"}, run_config={"ops": {"early": {"config": {"rows": 2}}}})
    execute(instance, first)

    again = rerun(instance, first.run_id)

    assert (again.tags, again.config, again.asset_keys) == (
        {"team": "shop", PARENT_RUN_TAG: first.run_id, ROOT_RUN_TAG: first.run_id},
        first.config,
        first.asset_keys,
    )
    assert execute(instance, again) == ["early", "pair", "late", "last"]


def test_what_a_run_left_undone_is_done_and_nothing_else(instance: Instance) -> None:
    BROKEN.add("late")
    first = add(instance, run_config={"ops": {"early": {"config": {"rows": 2}}}})
    assert execute(instance, first) == ["early", "pair", "late"]

    second = rerun(instance, first.run_id, from_failure=True)
    assert execute(instance, second) == ["late"]
    BROKEN.clear()
    third = rerun(instance, second.run_id, from_failure=True)

    assert execute(instance, third) == ["late", "last"]
    assert (third.tags[PARENT_RUN_TAG], third.tags[ROOT_RUN_TAG]) == (second.run_id, first.run_id)
    assert AssetKey("early") not in second.asset_keys
    assert instance.get_run_record(third.run_id).status == "SUCCESS"


@pytest.mark.parametrize(
    ("from_failure", "message"), [(True, "left nothing undone"), (False, "names no code location")], ids=["whole", "nowhere"]
)
def test_what_cannot_be_done_again_is_refused(instance: Instance, from_failure: bool, message: str) -> None:
    instance.event_log.add_run(RunRecord("r1", "SUCCESS", created=0.0))

    with pytest.raises(InvalidInvocationError, match=message):
        rerun(instance, "r1", from_failure=from_failure)


def test_a_run_that_goes_on_or_is_unknown_is_not_done_again(instance: Instance) -> None:
    with pytest.raises(InvalidInvocationError, match="goes on"):
        rerun(instance, add(instance).run_id)
    with pytest.raises(RunNotFoundError):
        rerun(instance, "gone")


@pytest.mark.parametrize(
    ("tags", "retried"),
    [
        ({}, False),
        ({MAX_RETRIES_TAG: "2"}, True),
        ({MAX_RETRIES_TAG: "2", RETRY_NUMBER_TAG: "1"}, True),
        ({MAX_RETRIES_TAG: "2", RETRY_NUMBER_TAG: "2"}, False),
        ({MAX_RETRIES_TAG: "many"}, False),
        ({MAX_RETRIES_TAG: "-1"}, False),
    ],
    ids=["unasked", "first", "second", "no_more", "no_number", "below_0"],
)
def test_a_run_is_retried_as_often_as_its_tags_say(tags: dict[str, str], retried: bool) -> None:
    run = RunRecord("r1", "FAILURE", created=0.0, tags=tags, location=SHOP)

    assert (retry_of(run, (), now=1.0) is not None) == retried


@pytest.mark.parametrize(
    ("strategy", "marked"), [(None, True), ("FROM_FAILURE", True), ("ALL_STEPS", False)], ids=["default", "failure", "all"]
)
def test_a_retry_follows_its_strategy(strategy: str | None, marked: bool) -> None:
    tags = {MAX_RETRIES_TAG: "1"} | ({RETRY_STRATEGY_TAG: strategy} if strategy else {})
    retry = retry_of(RunRecord("r1", "FAILURE", created=0.0, tags=tags, location=SHOP), (), now=1.0)

    assert retry is not None
    assert (FROM_FAILURE_TAG in retry.tags, retry.run_key, retry.tags[RETRY_NUMBER_TAG]) == (marked, "retry:r1", "1")
