"""`RunRequest` and `SkipReason`: what the functions of schedules and sensors ask for, and the target that they ask it of."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from warehouse_assets.definitions.functions import UserFunction
from warehouse_assets.definitions.job import UnresolvedAssetJobDefinition
from warehouse_assets.definitions.naming import Faults
from warehouse_assets.errors import InvalidInvocationError
from warehouse_assets.keys import AssetKey, CoercibleToAssetKey

__all__ = [
    "AddDynamicPartitionsRequest",
    "DeleteDynamicPartitionsRequest",
    "RunRequest",
    "SkipReason",
    "Target",
    "called",
    "requested",
    "resource_arguments",
]


@dataclass(frozen=True)
class RunRequest:
    """A run that a schedule or sensor asks for.

    Of all requests of one schedule or sensor that have the same `run_key`, one is run, ever. `run_config`, `tags`, `partition_key` and
    `asset_selection` (keys of assets of the target) are those of the run; `job_name` says which of several jobs it is of.

    >>> RunRequest("2024-01-01.csv", tags={"file": "2024-01-01.csv"}).run_key
    '2024-01-01.csv'
    """

    run_key: str | None = None
    run_config: Any = None
    tags: Mapping[str, str] = field(default_factory=dict)
    job_name: str | None = None
    asset_selection: Sequence[CoercibleToAssetKey] | None = None
    partition_key: str | None = None

    def __post_init__(self) -> None:
        if self.run_key is not None and not isinstance(self.run_key, str):
            raise InvalidInvocationError(f"the run_key {self.run_key!r} of a RunRequest is not text")
        tags = dict(self.tags or {})
        for name, value in tags.items():
            if not (isinstance(name, str) and isinstance(value, str)):
                raise InvalidInvocationError(f"the tag {name!r} of a RunRequest has the value {value!r}", hint="Tags are text.")
        object.__setattr__(self, "tags", tags)
        if self.asset_selection is not None:
            object.__setattr__(self, "asset_selection", tuple(AssetKey.coerce(key) for key in self.asset_selection))


@dataclass(frozen=True, slots=True)
class SkipReason:
    """Why a schedule or sensor asks for no run this time.

    >>> SkipReason("no new files").skip_message
    'no new files'
    """

    skip_message: str | None = None


@dataclass(frozen=True, slots=True)
class Target:
    """What a schedule or sensor runs: a job, by itself or by its name, or a selection of assets."""

    job: UnresolvedAssetJobDefinition | None = None
    job_name: str | None = None
    selection: Any = None

    @classmethod
    def of(cls, faults: Faults, *, job: Any = None, job_name: str | None = None, target: Any = None) -> Target | None:
        """The one that is given, or None; a job may stand in any place."""
        given = [value for value in (job, job_name, target) if value is not None]
        if len(given) > 1:
            faults.add("several of job, job_name and target are given", hint="Give one of them.")
        if not given:
            return None
        if isinstance(given[0], UnresolvedAssetJobDefinition):
            return cls(given[0], given[0].name)
        if target is not None:
            return cls(selection=target)
        if not isinstance(given[0], str):
            faults.add(f"{given[0]!r} is no job", hint="Give what define_asset_job returned, or its name.")
            return None
        return cls(job_name=given[0])


@dataclass(frozen=True, slots=True)
class AddDynamicPartitionsRequest:
    """Keys that a sensor adds to the dynamic partitions of this name, before its runs."""

    partitions_def_name: str
    partition_keys: Sequence[str]


@dataclass(frozen=True, slots=True)
class DeleteDynamicPartitionsRequest:
    """Keys that a sensor takes from the dynamic partitions of this name."""

    partitions_def_name: str
    partition_keys: Sequence[str]


def resource_arguments(function: UserFunction | None) -> frozenset[str]:
    """The arguments of the function of a schedule or sensor that stand for resources: all but the context and those given in front."""
    if function is None:
        return frozenset()
    return frozenset(function.names) - {function.context_parameter, "asset_event"}


def called(definition: Any, function: UserFunction, who: str, args: Sequence[Any], kwargs: Mapping[str, Any]) -> Any:
    """Call the function of a schedule or sensor: the context first where it takes one, and resources by name, or those of the context."""
    given = list(args)
    values = dict(kwargs)
    context = values.pop(function.context_parameter, None) if function.context_parameter is not None else None
    if context is None and given and getattr(type(given[0]), "asset_parameter", None) == "context":
        context = given.pop(0)
    if function.context_parameter is not None:
        if context is None:
            raise InvalidInvocationError(f"{who} takes a context, and none is given", hint="Build one first.")
        given.insert(0, context)
    places = [name for name in function.names if name not in values]
    for name in places[len(given) :]:
        if (resource := getattr(getattr(context, "resources", None), name, None)) is not None:
            values[name] = resource
        elif name in definition.required_resource_keys and not _has_default(function, name):
            raise InvalidInvocationError(f"{who} needs the resource {name!r}", hint="Give it by name, or in the context.")
    return function.fn(*given, **values)


def _has_default(function: UserFunction, name: str) -> bool:
    return any(parameter.name == name and parameter.has_default for parameter in function.parameters)


def requested(answer: Any, who: str) -> Iterator[RunRequest | SkipReason]:
    """What a function asked for, one after the other: it returned or yielded requests, lists of them, or why it asks for none.

    InvalidInvocationError for anything else.
    """
    if answer is None:
        return
    if isinstance(answer, (RunRequest, SkipReason)):
        yield answer
    elif isinstance(answer, Iterable) and not isinstance(answer, (str, bytes, Mapping)):
        for part in answer:
            yield from requested(part, who)
    else:
        raise InvalidInvocationError(
            f"{who} gave {answer!r}", hint="It returns or yields RunRequest and SkipReason objects, or nothing."
        )
