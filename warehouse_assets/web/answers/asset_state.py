"""Whether one asset is missing, stale or fresh, why, and what makes it by itself."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import TYPE_CHECKING

import msgspec

from warehouse_assets.keys import AssetKey
from warehouse_assets.web.answers.asset_statuses import known_statuses, statuses_of, takes_long
from warehouse_assets.web.answers.record import the_instance

if TYPE_CHECKING:
    from warehouse_assets.code_location.definitions import Definitions
    from warehouse_assets.graph.asset_graph import AssetNode

__all__ = ["AssetNow", "Cause", "NowRequest", "Trigger", "asset_now"]


class NowRequest(msgspec.Struct, frozen=True, omit_defaults=True):
    """Which asset is asked about; with `quick` nothing that takes long is worked out."""

    key: tuple[str, ...]
    quick: bool = False


class Cause(msgspec.Struct, frozen=True):
    """One reason why an asset is stale: what changed, and that in words."""

    kind: str
    key: tuple[str, ...]
    text: str


class Trigger(msgspec.Struct, frozen=True, omit_defaults=True):
    """A job, schedule or sensor that makes the asset; `says` is how often a sensor looks, or the time zone of a schedule's `crons`."""

    kind: str
    name: str
    says: str | None = None
    job: str | None = None
    crons: tuple[str, ...] = ()


class AssetNow(msgspec.Struct, frozen=True, omit_defaults=True):
    """How an asset stands. `state` is None for what no run of its location makes; counts are those of its partitions; `is_pending` is whether they are not worked out yet, `is_behind` whether they may have changed since; `sensor` evaluates the condition."""

    state: str | None = None
    causes: tuple[Cause, ...] = ()
    missing: int = 0
    stale: int = 0
    fresh: int = 0
    freshness: str | None = None
    freshness_reason: str | None = None
    freshness_policy: str | None = None
    condition: str | None = None
    condition_text: str | None = None
    sensor: str | None = None
    triggers: tuple[Trigger, ...] = ()
    is_observable: bool = False
    is_pending: bool = False
    is_behind: bool = False


def asset_now(definitions: Definitions, request: NowRequest) -> AssetNow:
    """The state of one asset by the record of the project, and what runs it."""
    from warehouse_assets.execution.freshness import asset_freshness
    from warehouse_assets.graph.causes import cause_text
    from warehouse_assets.graph.staleness import overall_status

    graph, key = definitions.graph, AssetKey(request.key)
    node = graph[key]
    known = known_statuses(definitions, key) if node.is_executable else None
    pending = node.is_executable and known is None and request.quick and takes_long(definitions, key)
    if node.is_executable and known is None and not pending:
        known = statuses_of(definitions, key)
    status = overall_status(known.statuses) if known is not None else None
    age = asset_freshness(graph, the_instance(), time.time(), [key]).get(key)
    condition = node.spec.automation_condition
    counts = status.partitions if status is not None else None
    return AssetNow(
        state=status.state if status is not None else None,
        causes=tuple(Cause(one.kind, one.key.path, cause_text(one, key)) for one in status.causes)
        if status is not None
        else (),
        missing=counts.missing if counts is not None else 0,
        stale=counts.stale if counts is not None else 0,
        fresh=counts.fresh if counts is not None else 0,
        freshness=age.state if age is not None else None,
        freshness_reason=age.reason if age is not None else None,
        freshness_policy=_policy_text(node),
        condition=condition.name if condition is not None else None,
        condition_text=condition.text if condition is not None else None,
        sensor=_sensor(definitions, key) if condition is not None else None,
        triggers=tuple(_triggers(definitions, node)),
        is_pending=pending,
        is_behind=known is not None and known.is_behind,
        is_observable=node.source is not None and node.source.observe_function is not None,
    )


def _sensor(definitions: Definitions, key: AssetKey) -> str | None:
    """The sensor that evaluates the condition of an asset."""
    from warehouse_assets.automation.conditions import declared_sensors

    return next((one.name for one, keys in declared_sensors(definitions) if key in keys), None)


def _policy_text(node: AssetNode) -> str | None:
    from warehouse_assets.checks.freshness import age_text
    from warehouse_assets.definitions.freshness_policy import CronFreshnessPolicy, TimeWindowFreshnessPolicy

    policy = node.spec.freshness_policy
    if isinstance(policy, CronFreshnessPolicy):
        within = age_text(policy.lower_bound_delta)
        return f"made within {within} before each deadline of {policy.deadline_cron} ({policy.timezone})"
    if isinstance(policy, TimeWindowFreshnessPolicy):
        warns = f"; warns after {age_text(policy.warn_window)}" if policy.warn_window is not None else ""
        return f"no older than {age_text(policy.fail_window)}{warns}"
    return None


def _triggers(definitions: Definitions, node: AssetNode) -> Iterator[Trigger]:
    """The jobs that make the asset, and the schedules and sensors that run these, or the asset itself."""
    making = {job.name for job in definitions.jobs if node.key in definitions.get_job_def(job.name).asset_keys}
    for name in sorted(making):
        yield Trigger("job", name)
    for schedule in definitions.schedules:
        if _makes(definitions, schedule.target, node.key, making):
            crons = tuple(schedule.cron_schedules)
            yield Trigger("schedule", schedule.name, schedule.execution_timezone, _job_name(schedule.target), crons)
    for sensor in definitions.sensors:
        targets = [sensor.target, *sensor.jobs]
        if any(_makes(definitions, target, node.key, making) for target in targets if target is not None):
            yield Trigger("sensor", sensor.name, f"looks every {sensor.minimum_interval_seconds:g} s", _job_name(sensor.target))


def _job_name(target: object) -> str | None:
    return getattr(target, "job_name", None)


def _makes(definitions: Definitions, target: object, key: AssetKey, making: set[str]) -> bool:
    from warehouse_assets.errors import WarehouseAssetsError
    from warehouse_assets.graph.selection import select_executable

    if (name := _job_name(target)) is not None:
        return name in making
    selection = getattr(target, "selection", None)
    try:
        return selection is not None and key in select_executable(definitions.graph, selection)
    except WarehouseAssetsError:
        return False
