"""Sensors of what is recorded: `@asset_sensor` for materializations of an asset, `@run_status_sensor` for how runs go."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any

from warehouse_assets.definitions.automation_contexts import RunStatusSensorContext, SensorEvaluationContext
from warehouse_assets.definitions.naming import Faults
from warehouse_assets.definitions.run_requests import called
from warehouse_assets.definitions.sensor import SensorDefinition
from warehouse_assets.events import Event, EventType, RunStatus
from warehouse_assets.keys import AssetKey, CoercibleToAssetKey

__all__ = [
    "AssetSensorDefinition",
    "RunStatusSensorDefinition",
    "asset_sensor",
    "run_failure_sensor",
    "run_status_sensor",
]

_AT_ONCE = 50  # events an evaluation; what is left comes with the next
_EVENTS: dict[RunStatus, EventType] = {
    "QUEUED": "RUN_ENQUEUED",
    "STARTING": "RUN_STARTING",
    "STARTED": "RUN_START",
    "CANCELING": "RUN_CANCELING",
    "SUCCESS": "RUN_SUCCESS",
    "FAILURE": "RUN_FAILURE",
    "CANCELED": "RUN_CANCELED",
}


class AssetSensorDefinition(SensorDefinition):
    """A sensor whose function is called once for each new materialization of an asset. Most people write `@asset_sensor`."""

    def __init__(self, asset_key: CoercibleToAssetKey, name: str | None, fn: Callable[..., Any], **options: Any) -> None:
        super().__init__(name, fn, **options)
        self.asset_key = AssetKey.coerce(asset_key)

    def _parts(self, context: SensorEvaluationContext) -> Iterable[Any]:
        assert self.function is not None
        for event in self._new_events(context):
            args = [context, event] if "asset_event" in self.function.names or len(self.function.names) > 1 else [context]
            yield called(self, self.function, self._who, args, {})
            context.update_cursor(str(event.storage_id))

    def _new_events(self, context: SensorEvaluationContext) -> Sequence[Event]:
        def ask(**more: Any) -> list[Event]:
            found: list[Event] = context.instance.get_event_records(
                asset_key=self.asset_key, event_types="ASSET_MATERIALIZATION", **more
            )
            return found

        if context.cursor is None:
            return ask(limit=1, ascending=False)  # what was made before anybody looked counts as one
        return ask(after=int(context.cursor), limit=_AT_ONCE)


class RunStatusSensorDefinition(SensorDefinition):
    """A sensor whose function is called once for each run that comes to a status. Most people write `@run_status_sensor`.

    It begins with what happens after its first evaluation. `monitored_jobs` are the jobs whose runs it looks at, all runs unless given.
    """

    def __init__(
        self,
        run_status: RunStatus,
        name: str | None,
        fn: Callable[..., Any],
        *,
        monitored_jobs: Iterable[Any] | None = None,
        request_job: Any = None,
        **options: Any,
    ) -> None:
        if request_job is not None:
            options["job"] = request_job
        super().__init__(name, fn, **options)
        faults = Faults(f"sensor {self.name!r}: ", self.place)
        if run_status not in _EVENTS:
            faults.add(f"the run_status is {run_status!r}", hint=f"It is one of {', '.join(_EVENTS)}.")
        faults.settle(f"sensor {self.name!r}")
        self.run_status = run_status
        names = (job if isinstance(job, str) else job.name for job in monitored_jobs or ())
        self.monitored_jobs = frozenset(names) if monitored_jobs is not None else None

    def _parts(self, context: SensorEvaluationContext) -> Iterable[Any]:
        assert self.function is not None
        if context.cursor is None:
            last: list[Event] = context.instance.get_event_records(limit=1, ascending=False)
            context.update_cursor(str((last[0].storage_id or 0) if last else 0))
            return
        kinds = (_EVENTS[self.run_status],)
        events: list[Event] = context.instance.get_event_records(event_types=kinds, after=int(context.cursor), limit=_AT_ONCE)
        for event in events:
            run = context.instance.get_run_by_id(event.run_id)
            if run is not None and (self.monitored_jobs is None or run.job_name in self.monitored_jobs):
                seen = RunStatusSensorContext(
                    run=run,
                    event=event,
                    instance=context.instance,
                    resources=context.resources,
                    definitions=context.definitions,
                    cursor=context.cursor,
                )
                yield called(self, self.function, self._who, [seen], {})
            context.update_cursor(str(event.storage_id))


def asset_sensor(
    asset_key: CoercibleToAssetKey, *, name: str | None = None, **options: Any
) -> Callable[[Callable[..., Any]], AssetSensorDefinition]:
    """Declare a sensor by the function that is called with the event of each new materialization of an asset.

    It takes a context and the event, and answers as the function of a sensor does. Takes what SensorDefinition takes.

    >>> from warehouse_assets import RunRequest
    >>> @asset_sensor("staging/orders", target="marts/daily")
    ... def after_orders(context, asset_event):
    ...     return RunRequest(partition_key=asset_event.partition)
    >>> after_orders.asset_key
    AssetKey(['staging', 'orders'])
    """

    def declare(fn: Callable[..., Any]) -> AssetSensorDefinition:
        return AssetSensorDefinition(asset_key, name, fn, **options)

    return declare


def run_status_sensor(
    run_status: RunStatus, *, name: str | None = None, **options: Any
) -> Callable[[Callable[..., Any]], RunStatusSensorDefinition]:
    """Declare a sensor by the function that is called with each run that comes to a status, such as "SUCCESS".

    Its context has the `run` and the `event`; it answers as the function of a sensor does, or does something by itself.

    >>> @run_status_sensor("SUCCESS", monitored_jobs=["nightly"])
    ... def tell(context):
    ...     print(context.run.run_id)
    >>> tell
    <RunStatusSensorDefinition 'tell'>
    """

    def declare(fn: Callable[..., Any]) -> RunStatusSensorDefinition:
        return RunStatusSensorDefinition(run_status, name, fn, **options)

    return declare


def run_failure_sensor(fn: Callable[..., Any] | None = None, *, name: str | None = None, **options: Any) -> Any:
    """Declare a sensor by the function that is called with each run that failed. Takes what `run_status_sensor` takes.

    >>> @run_failure_sensor
    ... def alarm(context):
    ...     print(context.failure_event.message)
    >>> alarm.run_status
    'FAILURE'
    """
    declare = run_status_sensor("FAILURE", name=name, **options)
    return declare if fn is None else declare(fn)
