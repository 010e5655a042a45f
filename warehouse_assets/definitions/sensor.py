"""`SensorDefinition` and `@sensor`: runs that user code asks for when it finds a reason."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence, Set
from dataclasses import dataclass, replace
from enum import Enum
from typing import TYPE_CHECKING, Any

from warehouse_assets.definitions.functions import UserFunction
from warehouse_assets.definitions.naming import Faults, caller_place
from warehouse_assets.definitions.run_requests import RunRequest, SkipReason, Target, called, requested, resource_arguments
from warehouse_assets.errors import InvalidInvocationError

if TYPE_CHECKING:
    from warehouse_assets.definitions.automation_contexts import SensorEvaluationContext

__all__ = ["DefaultSensorStatus", "SensorAnswer", "SensorDefinition", "SensorResult", "sensor"]


class DefaultSensorStatus(Enum):
    """Whether a sensor is on before anybody has switched it."""

    RUNNING = "RUNNING"
    STOPPED = "STOPPED"


@dataclass(frozen=True)
class SensorResult:
    """All that the function of a sensor may answer with, at once.

    `cursor` is kept for the next evaluation, as by `context.update_cursor`; `dynamic_partitions_requests` are done before the runs.

    >>> SensorResult([RunRequest("a.csv")], cursor="a.csv").cursor
    'a.csv'
    """

    run_requests: Sequence[RunRequest] = ()
    skip_reason: SkipReason | str | None = None
    cursor: str | None = None
    dynamic_partitions_requests: Sequence[Any] = ()

    def __post_init__(self) -> None:
        if self.run_requests and self.skip_reason is not None:
            raise InvalidInvocationError("a SensorResult has both run_requests and a skip_reason", hint="Give one of them.")


@dataclass(frozen=True, slots=True)
class SensorAnswer:
    """What an evaluation of a sensor led to."""

    run_requests: tuple[RunRequest, ...] = ()
    skip_message: str | None = None
    cursor: str | None = None
    dynamic_partitions_requests: tuple[Any, ...] = ()


class SensorDefinition:
    """A function that is called again and again, at least `minimum_interval_seconds` apart, and asks for runs of a job or of assets.

    Its runs are of `target` (a job or a selection of assets), or of the job, one of `jobs`, that each request names. It is off until it is
    switched on, unless `default_status` says otherwise. Most people write `@sensor`.
    """

    def __init__(
        self,
        name: str | None = None,
        evaluation_fn: Callable[..., Any] | None = None,
        *,
        job: Any = None,
        job_name: str | None = None,
        jobs: Sequence[Any] | None = None,
        target: Any = None,
        minimum_interval_seconds: float = 30,
        default_status: DefaultSensorStatus = DefaultSensorStatus.STOPPED,
        description: str | None = None,
        tags: Mapping[str, str] | None = None,
        required_resource_keys: Set[str] = frozenset(),
        metadata: Mapping[str, Any] | None = None,
    ) -> None:
        self.function = UserFunction(evaluation_fn) if evaluation_fn is not None else None
        self.place = self.function.place if self.function is not None else caller_place()
        self.name = name or (self.function.name if self.function is not None else "")
        faults = Faults(f"sensor {self.name!r}: ", self.place)
        faults.check_identifier(self.name, "name")
        if self.function is None:
            faults.add("it has no function", hint="Give evaluation_fn=, or write @sensor.")
        else:
            self.function.check(faults)
        self.target = Target.of(faults, job=job, job_name=job_name, target=target)
        given = (Target.of(faults, job=one) for one in jobs or ())
        self.jobs = tuple(one for one in given if one is not None)
        if not isinstance(minimum_interval_seconds, (int, float)) or minimum_interval_seconds < 0:
            faults.add(f"minimum_interval_seconds is {minimum_interval_seconds!r}", hint="Give a number of seconds.")
        faults.settle(f"sensor {self.name!r}")
        self.minimum_interval_seconds = minimum_interval_seconds
        self.default_status = DefaultSensorStatus(default_status)
        self.description = description or (self.function.description if self.function is not None else None)
        self.tags = dict(tags or {})
        self.required_resource_keys = frozenset(required_resource_keys) | resource_arguments(self.function)
        self.metadata = dict(metadata or {})

    def evaluate_tick(self, context: SensorEvaluationContext) -> SensorAnswer:
        """What the function answers: the runs that it asks for with the tags of the sensor added, or why there are none; and the cursor."""
        return self._answer(self._parts(context), context)

    def _parts(self, context: SensorEvaluationContext) -> Iterable[Any]:
        """What the function gives, part by part; a subclass may call it several times."""
        assert self.function is not None
        yield called(self, self.function, self._who, [context], {})

    def _answer(self, answers: Iterable[Any], context: SensorEvaluationContext) -> SensorAnswer:
        runs: list[RunRequest] = []
        skipped: list[SkipReason] = []
        dynamic: list[Any] = []
        for answer in answers:
            for part in self._flat(answer, context, dynamic):
                (runs if isinstance(part, RunRequest) else skipped).append(part)  # type: ignore[arg-type]
        message = None if runs else next((one.skip_message for one in skipped), None) or "it asked for no run"
        tagged = tuple(replace(run, tags={**self.tags, **run.tags}) for run in runs)
        return SensorAnswer(tagged, message, context.cursor, tuple(dynamic))

    def _flat(self, answer: Any, context: SensorEvaluationContext, dynamic: list[Any]) -> Iterable[RunRequest | SkipReason]:
        if isinstance(answer, SensorResult):
            if answer.cursor is not None:
                context.update_cursor(answer.cursor)
            dynamic += answer.dynamic_partitions_requests
            reason = answer.skip_reason
            yield from requested(answer.run_requests, self._who)
            if reason is not None:
                yield reason if isinstance(reason, SkipReason) else SkipReason(reason)
        elif isinstance(answer, Iterable) and not isinstance(answer, (str, bytes, Mapping)):
            for part in answer:
                yield from self._flat(part, context, dynamic)
        else:
            yield from requested(answer, self._who)

    @property
    def _who(self) -> str:
        return f"sensor {self.name!r}"

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """Call the function itself, with a context that `build_sensor_context` gives, and resources by name."""
        assert self.function is not None
        return called(self, self.function, self._who, args, kwargs)

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.name!r}>"


def sensor(*, name: str | None = None, **options: Any) -> Callable[[Callable[..., Any]], SensorDefinition]:
    """Declare a sensor by the function that is called again and again. Takes what SensorDefinition takes.

    It returns or yields RunRequest objects, a SkipReason or a SensorResult. It may take a context, whose `cursor` says how far it had
    come, and resources as arguments.

    >>> @sensor(target="group:landing", minimum_interval_seconds=60)
    ... def new_files(context):
    ...     for name in ["a.csv", "b.csv"]:
    ...         if name > (context.cursor or ""):
    ...             yield RunRequest(run_key=name)
    ...             context.update_cursor(name)
    >>> from warehouse_assets import build_sensor_context
    >>> new_files.evaluate_tick(build_sensor_context(cursor="a.csv")).run_requests[0].run_key
    'b.csv'
    """

    def declare(fn: Callable[..., Any]) -> SensorDefinition:
        return SensorDefinition(name, fn, **options)

    return declare
