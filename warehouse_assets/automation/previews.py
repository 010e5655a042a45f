"""What people ask of schedules and sensors: which there are, how they stand, when they fire next, and what they would ask for now."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import islice
from typing import TYPE_CHECKING

from warehouse_assets.automation.instigators import Instigator, instigators_of
from warehouse_assets.automation_records import InstigatorKind, InstigatorStatus, Tick
from warehouse_assets.definitions.schedule import ScheduleDefinition
from warehouse_assets.errors import InvalidSelectionError, close_matches

if TYPE_CHECKING:
    from warehouse_assets.code_location.definitions import Definitions
    from warehouse_assets.events import CodeLocation
    from warehouse_assets.instance import Instance

KINDS: Mapping[str, tuple[InstigatorKind, ...]] = {"schedule": ("schedule",), "sensor": ("sensor", "automation")}

__all__ = ["InstigatorView", "next_times", "view_of", "views", "wanted"]


@dataclass(frozen=True, slots=True)
class InstigatorView:
    """A schedule or sensor as people see it; times are seconds since the epoch."""

    name: str
    origin: str
    kind: InstigatorKind
    status: InstigatorStatus
    description: str | None
    runs: str
    when: str
    cursor: str | None
    next_tick: float | None
    last_tick: Tick | None


def wanted(definitions: Definitions, location: CodeLocation, kind: InstigatorKind, name: str) -> Instigator:
    """The schedule or sensor of this name; InvalidSelectionError where there is none."""
    found = {one.declared.name: one for one in instigators_of(definitions, location) if one.kind in KINDS[kind]}
    if name not in found:
        hint = close_matches(name, list(found)) or f"There are {', '.join(map(repr, sorted(found))) or 'none'}."
        raise InvalidSelectionError(f"there is no {kind} {name!r}", hint=hint)
    return found[name]


def views(
    definitions: Definitions, location: CodeLocation, kind: InstigatorKind, instance: Instance, now: float
) -> list[InstigatorView]:
    """All schedules or all sensors of a code location, by name."""
    found = (one for one in instigators_of(definitions, location) if one.kind in KINDS[kind])
    return [view_of(one, instance, now) for one in sorted(found, key=lambda one: one.declared.name)]


def view_of(one: Instigator, instance: Instance, now: float) -> InstigatorView:
    """One of them."""
    declared, state = one.declared, one.state(instance)
    ticks = instance.event_log.get_ticks(one.origin, limit=1)
    if isinstance(declared, ScheduleDefinition):
        when = f"{' and '.join(declared.cron_schedules)} ({declared.execution_timezone})"
        times = next_times(declared, now, 1) if state.status == "RUNNING" else ()
    else:
        when, times = f"every {declared.minimum_interval_seconds:g} s", ()
    return InstigatorView(
        declared.name,
        one.origin,
        one.kind,
        state.status,
        declared.description,
        _runs(one),
        when,
        state.cursor,
        times[0].timestamp() if times else None,
        ticks[0] if ticks else None,
    )


def next_times(schedule: ScheduleDefinition, now: float, count: int) -> Sequence[datetime]:
    """The next local times at which a schedule fires."""
    return tuple(islice(schedule.times(datetime.fromtimestamp(now, UTC)), count))


def _runs(one: Instigator) -> str:
    targets: Iterable[str] = (
        f"job {target.job_name}" if target.job_name is not None else _selection(target.selection)
        for target in (one.declared.target, *getattr(one.declared, "jobs", ()))
        if target is not None
    )
    return ", ".join(targets) or "what it asks for"


def _selection(selection: object) -> str:
    if isinstance(selection, (list, tuple)):
        return ", ".join(map(_selection, selection))
    key = getattr(selection, "key", None)
    return key.to_user_string() if key is not None else str(selection)
