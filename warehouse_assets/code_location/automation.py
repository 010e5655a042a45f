"""The schedules and sensors of a `Definitions`: which jobs come with them, and what is wrong with them."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping
from itertools import chain
from typing import TYPE_CHECKING, Any, TypeAlias

from warehouse_assets.definitions.naming import Faults, caller_place
from warehouse_assets.errors import WarehouseAssetsError, close_matches

if TYPE_CHECKING:
    from warehouse_assets.definitions.job import UnresolvedAssetJobDefinition
    from warehouse_assets.definitions.run_requests import Target
    from warehouse_assets.definitions.schedule import ScheduleDefinition
    from warehouse_assets.definitions.sensor import SensorDefinition
    from warehouse_assets.graph.asset_graph import AssetGraph

    Instigator: TypeAlias = ScheduleDefinition | SensorDefinition

__all__ = ["check_instigators", "jobs_with", "targets_of"]


def targets_of(instigator: Any) -> Iterator[Target]:
    """What a schedule or sensor may run; nothing, for what is neither."""
    if getattr(instigator, "target", None) is not None:
        yield instigator.target
    yield from getattr(instigator, "jobs", ())


def jobs_with(
    jobs: Iterable[UnresolvedAssetJobDefinition], instigators: Iterable[Instigator]
) -> tuple[UnresolvedAssetJobDefinition, ...]:
    """The jobs, and those that schedules and sensors bring along, each once."""
    brought = (target.job for one in instigators for target in targets_of(one) if target.job is not None)
    return tuple(dict.fromkeys(chain(jobs, brought)))


def check_instigators(
    schedules: Iterable[Any],
    sensors: Iterable[Any],
    faults: Faults,
    *,
    graph: AssetGraph | None,
    jobs: Collection[str],
    resources: Mapping[str, Any],
) -> tuple[dict[str, ScheduleDefinition], dict[str, SensorDefinition]]:
    """Schedules and sensors by name; what they run has to be there, and the resources they take, and no two share a name.

    Without a graph, which could not be built, selections are not looked up.
    """
    from warehouse_assets.definitions.schedule import ScheduleDefinition
    from warehouse_assets.definitions.sensor import SensorDefinition

    kinds: list[tuple[type[Any], str, Iterable[Any], dict[str, Any]]] = [
        (ScheduleDefinition, "schedule", schedules, {}),
        (SensorDefinition, "sensor", sensors, {}),
    ]
    known: dict[str, Any] = {}
    for kind, word, given, found in kinds:
        for one in given:
            if not isinstance(one, kind):
                faults.add(f"{one!r} is not a {word}", hint=f"Write @{word}, or {kind.__name__}(…).", where=caller_place())
                continue
            if (other := known.setdefault(one.name, one)) is not one:
                places = f"{other.place} and {one.place}"
                faults.add(f"{word} {one.name!r} has the name of another schedule or sensor: {places}", where=one.place)
                continue
            found[one.name] = one
            _check_one(one, f"{word} {one.name!r}", faults, graph, jobs, resources)
    return kinds[0][3], kinds[1][3]


def _check_one(
    one: Any, who: str, faults: Faults, graph: AssetGraph | None, jobs: Collection[str], resources: Mapping[str, Any]
) -> None:
    for target in targets_of(one):
        if target.job_name is not None and target.job_name not in jobs:
            hint = close_matches(target.job_name, list(jobs)) or f"There are {', '.join(map(repr, sorted(jobs))) or 'none'}."
            faults.add(f"{who} runs the job {target.job_name!r}, which there is not", hint=hint, where=one.place)
        elif target.selection is not None and graph is not None:
            from warehouse_assets.graph.selection import select_executable

            try:
                select_executable(graph, target.selection)
            except WarehouseAssetsError as error:
                faults.add(f"{who}: {error.message}", hint=error.hint, where=one.place)
    defaults = {p.name for p in one.function.parameters if p.has_default} if one.function is not None else set()
    for name in sorted(one.required_resource_keys - set(resources) - defaults):
        hint = close_matches(name, list(resources)) or "Give it in Definitions(resources=…)."
        faults.add(f"{who} needs the resource {name!r}, which is not given", hint=hint, where=one.place)
