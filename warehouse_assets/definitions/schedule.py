"""`ScheduleDefinition` and `@schedule`: runs at the times of a clock."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence, Set
from dataclasses import replace
from datetime import datetime
from enum import Enum
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

from warehouse_assets.definitions.functions import UserFunction
from warehouse_assets.definitions.naming import Faults, caller_place
from warehouse_assets.definitions.run_requests import RunRequest, SkipReason, Target, called, requested, resource_arguments
from warehouse_assets.errors import InvalidDefinitionError

if TYPE_CHECKING:
    from warehouse_assets.definitions.automation_contexts import ScheduleEvaluationContext
    from warehouse_assets.partitions.ticks import Ticks

__all__ = ["DefaultScheduleStatus", "MissedTicks", "ScheduleDefinition", "schedule"]

MissedTicks: TypeAlias = Literal["latest", "all", "skip"]


class DefaultScheduleStatus(Enum):
    """Whether a schedule is on before anybody has switched it."""

    RUNNING = "RUNNING"
    STOPPED = "STOPPED"


class ScheduleDefinition:
    """A job, or a selection of assets, that is run whenever a cron schedule of five fields fires.

    `cron_schedule` may be several, by the clock of `execution_timezone` (UTC unless given): a time that the clock jumps over in spring
    comes when it has jumped, and one that it shows twice in autumn comes once, unless the schedule is one of every hour or more often.
    `run_config` and `tags` are those of each run. `missed` says what becomes of ticks that passed while nothing ran: the "latest" of
    them is made up for, or "all" of them, or none ("skip"). It is off until it is switched on, unless `default_status` says otherwise.

    >>> nightly = ScheduleDefinition("nightly", cron_schedule="30 4 * * *", target="group:marts", execution_timezone="Europe/Berlin")
    >>> next(nightly.times(datetime.fromisoformat("2024-03-30T12:00:00+01:00"))).isoformat()
    '2024-03-31T04:30:00+02:00'

    Raises InvalidDefinitionError, or a group of them, for a schedule or time zone that there is not.
    """

    def __init__(
        self,
        name: str | None = None,
        *,
        cron_schedule: str | Sequence[str],
        job: Any = None,
        job_name: str | None = None,
        target: Any = None,
        run_config: Any = None,
        tags: Mapping[str, str] | None = None,
        execution_timezone: str | None = None,
        default_status: DefaultScheduleStatus = DefaultScheduleStatus.STOPPED,
        description: str | None = None,
        missed: MissedTicks = "latest",
        required_resource_keys: Set[str] = frozenset(),
        metadata: Mapping[str, Any] | None = None,
        function: UserFunction | None = None,
    ) -> None:
        self.place = function.place if function is not None else caller_place()
        faults = Faults(f"schedule {name!r}: " if name else "schedule: ", self.place)
        found = Target.of(faults, job=job, job_name=job_name, target=target)
        self.name = name or (f"{found.job_name}_schedule" if found is not None and found.job_name else "")
        faults.check_identifier(self.name, "name")
        if found is None and not faults.errors and function is None:
            faults.add("it runs nothing", hint="Give target=, job= or job_name=.")
        self.target = found
        self.cron_schedules = (cron_schedule,) if isinstance(cron_schedule, str) else tuple(cron_schedule)
        self.execution_timezone = execution_timezone or "UTC"
        if not self.cron_schedules:
            faults.add("it has no cron schedule")
        for one in self.cron_schedules:
            try:
                self._ticks_of(one)
            except InvalidDefinitionError as error:
                faults.add(error.message, hint=error.hint)
        if missed not in ("latest", "all", "skip"):
            faults.add(f"missed is {missed!r}", hint='It is "latest", "all" or "skip".')
        faults.settle(f"schedule {self.name!r}")
        self.run_config = run_config
        self.tags = dict(tags or {})
        self.default_status = DefaultScheduleStatus(default_status)
        self.description = description
        self.missed: MissedTicks = missed
        self.required_resource_keys = frozenset(required_resource_keys) | resource_arguments(function)
        self.metadata = dict(metadata or {})
        self.function = function

    def _ticks_of(self, cron_schedule: str) -> Ticks:
        from warehouse_assets.partitions.cron import ticks_of

        return ticks_of(cron_schedule, self.execution_timezone)

    def ticks_between(self, start: float, stop: float) -> Iterator[int]:
        """The moments (whole seconds since the epoch) at which it fires, after `start` and not after `stop`, each once."""
        from heapq import merge
        from math import floor

        last = None
        first, end = floor(start) + 1, floor(stop) + 1
        for tick in merge(*(self._ticks_of(one).between(first, end) for one in self.cron_schedules)):
            if tick != last:
                yield tick
            last = tick

    def times(self, after: datetime) -> Iterator[datetime]:
        """The local times at which it fires after a time, without end."""
        moment = int(after.timestamp() // 1)
        while True:
            moment = min(self._ticks_of(one).ceil(moment + 1) for one in self.cron_schedules)
            yield self.local_time(moment)

    def local_time(self, moment: float) -> datetime:
        """A moment by the clock of its time zone."""
        from warehouse_assets.partitions.clock import clock_of

        return clock_of(self.execution_timezone).at(int(moment))

    def evaluate_tick(self, context: ScheduleEvaluationContext) -> list[RunRequest] | SkipReason:
        """The runs that it asks for at the time of the context, or why it asks for none.

        What a request says nothing of is as the schedule says: its configuration; and the tags of both.
        """
        if self.function is None:
            asked: list[RunRequest | SkipReason] = [RunRequest()]
        else:
            answer = called(self, self.function, f"schedule {self.name!r}", [context], {})
            config = isinstance(answer, Mapping)
            asked = [RunRequest(run_config=answer)] if config else list(requested(answer, f"schedule {self.name!r}"))
        runs = [part for part in asked if isinstance(part, RunRequest)]
        if not runs:
            reasons = [part for part in asked if isinstance(part, SkipReason)]
            return reasons[0] if reasons else SkipReason("it asked for no run")
        return [
            replace(
                run,
                run_config=run.run_config if run.run_config is not None else self.run_config,
                tags={**self.tags, **run.tags},
            )
            for run in runs
        ]

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """Call the function itself, with a context that `build_schedule_context` gives, and resources by name."""
        if self.function is None:
            raise TypeError(f"schedule {self.name!r} has no function to call")
        return called(self, self.function, f"schedule {self.name!r}", args, kwargs)

    def __repr__(self) -> str:
        return f"<ScheduleDefinition {self.name!r}: {' and '.join(self.cron_schedules)} ({self.execution_timezone})>"


def schedule(
    cron_schedule: str | Sequence[str],
    *,
    name: str | None = None,
    job: Any = None,
    job_name: str | None = None,
    target: Any = None,
    tags: Mapping[str, str] | None = None,
    execution_timezone: str | None = None,
    default_status: DefaultScheduleStatus = DefaultScheduleStatus.STOPPED,
    description: str | None = None,
    missed: MissedTicks = "latest",
    required_resource_keys: Set[str] = frozenset(),
    metadata: Mapping[str, Any] | None = None,
) -> Callable[[Callable[..., Any]], ScheduleDefinition]:
    """Declare a schedule whose function says, at each tick, which runs there are to be.

    It returns or yields a RunRequest or several, the configuration of one run as a dict, or a SkipReason. It may take a context, and
    resources as arguments. The other arguments are those of ScheduleDefinition.

    >>> @schedule("0 6 * * 1-5", target="group:marts", execution_timezone="Europe/Berlin")
    ... def weekdays(context):
    ...     return RunRequest(tags={"day": f"{context.scheduled_execution_time:%A}"})
    >>> weekdays
    <ScheduleDefinition 'weekdays': 0 6 * * 1-5 (Europe/Berlin)>
    """

    def declare(fn: Callable[..., Any]) -> ScheduleDefinition:
        function = UserFunction(fn)
        return ScheduleDefinition(
            name or function.name,
            cron_schedule=cron_schedule,
            job=job,
            job_name=job_name,
            target=target,
            tags=tags,
            execution_timezone=execution_timezone,
            default_status=default_status,
            description=description or function.description,
            missed=missed,
            required_resource_keys=required_resource_keys,
            metadata=metadata,
            function=function,
        )

    return declare
