"""What happened to an asset: its materializations and observations, as a page lists, plots and compares them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from warehouse_assets.errors import InvalidSelectionError
from warehouse_assets.events import (
    CODE_VERSION_TAG,
    DATA_VERSION_TAG,
    INPUT_DATA_VERSION_TAG,
    AssetMaterialization,
    Event,
    EventType,
)
from warehouse_assets.instance.event_log import EventFilter
from warehouse_assets.keys import AssetKey
from warehouse_assets.metadata import MetadataValue
from warehouse_assets.web.views.asset_metadata import (
    OWN_TAB,
    ShownMetadata,
    Unit,
    is_number,
    label_of,
    number_text,
    shown_metadata,
    shown_value,
    unit_of,
)
from warehouse_assets.web.views.asset_schema import ColumnChange, changes_between, schema_of

if TYPE_CHECKING:
    from warehouse_assets.instance import Instance

__all__ = [
    "AssetEvent",
    "Comparison",
    "Difference",
    "EventPage",
    "Series",
    "compared",
    "event_of",
    "event_page",
    "events_of",
    "series_of",
    "told",
]

KINDS: tuple[EventType, ...] = ("ASSET_MATERIALIZATION", "ASSET_OBSERVATION")
PAGE = 50
_STARTS: tuple[EventType, ...] = ("STEP_START",)
_READ = 5_000  # events that are looked through for one partition
_PLOTTED = 2_000
MINUS = "\N{MINUS SIGN}"


@dataclass(frozen=True, slots=True)
class AssetEvent:
    """A materialization or observation. `rows_change` is by how much it differs from the one before, seconds how long its step took."""

    event_id: int
    kind: str
    timestamp: float
    run_id: str
    step_key: str | None
    partition: str | None
    description: str | None
    rows: int | None
    rows_change: int | None
    byte_size: int | None
    seconds: float | None
    code_version: str | None
    data_version: str | None
    inputs: tuple[tuple[AssetKey, str], ...]
    tags: tuple[tuple[str, str], ...]
    metadata: Mapping[str, MetadataValue]

    @property
    def shown(self) -> list[ShownMetadata]:
        """Its metadata but for what has a tab of its own."""
        return shown_metadata(self.metadata, without=OWN_TAB)

    @property
    def shown_all(self) -> list[ShownMetadata]:
        """All of its metadata."""
        return shown_metadata(self.metadata)


@dataclass(frozen=True, slots=True)
class EventPage:
    """Some events, the latest first; `older` is the id before which there are more."""

    events: tuple[AssetEvent, ...]
    older: int | None = None
    looked_through: int = 0


@dataclass(frozen=True, slots=True)
class Series:
    """One number over time: the moments in seconds since the epoch, oldest first, the values, and the ids of the events."""

    name: str
    label: str
    times: tuple[float, ...]
    values: tuple[float, ...]
    event_ids: tuple[int, ...]

    @property
    def unit(self) -> Unit:
        """What the numbers count."""
        return unit_of(self.name, max(self.values, key=abs))


@dataclass(frozen=True, slots=True)
class Difference:
    """One line of a comparison: same, changed, added or removed; `change` is the difference of numbers in words."""

    name: str
    what: str
    old: ShownMetadata | None
    new: ShownMetadata | None
    change: str = ""


@dataclass(frozen=True, slots=True)
class Comparison:
    """Two events side by side, the earlier one first."""

    old: AssetEvent
    new: AssetEvent
    metadata: tuple[Difference, ...]
    tags: tuple[tuple[str, str, str], ...]
    columns: tuple[ColumnChange, ...]
    same_columns: bool


def events_of(instance: Instance, key: AssetKey, kinds: Iterable[EventType] = KINDS, limit: int = PAGE) -> list[Event]:
    """The latest events of an asset, the last one first."""
    return instance.event_log.get_events(EventFilter(None, key, tuple(kinds)), limit=limit, ascending=False)


def event_page(
    instance: Instance,
    key: AssetKey,
    *,
    kind: str | None = None,
    partition: str | None = None,
    before: int | None = None,
    limit: int = PAGE,
) -> EventPage:
    """A page of events; of one partition those among the latest 5,000."""
    kinds = tuple(one for one in KINDS if kind is None or one == kind) or KINDS
    where = EventFilter(None, key, kinds, None, before)
    found = instance.event_log.get_events(where, limit=limit + 1 if partition is None else _READ, ascending=False)
    looked_through = len(found) if partition is not None else 0
    if partition is not None:
        found = [event for event in found if event.partition == partition][: limit + 1]
        found = found or ([] if before is not None else _latest_of(instance, key, partition, kinds))
    shown = list(told(instance, found))[:limit]
    return EventPage(tuple(shown), shown[-1].event_id if len(found) > limit else None, looked_through)


def _latest_of(instance: Instance, key: AssetKey, partition: str, kinds: Iterable[EventType]) -> list[Event]:
    """The latest events of a partition, where they are too old to be come upon."""
    found = (instance.event_log.get_latest(kind, [key], partition).get(key) for kind in kinds)
    return sorted((event for event in found if event is not None), key=lambda event: -(event.storage_id or 0))


def told(instance: Instance, events: Sequence[Event]) -> Iterator[AssetEvent]:
    """Events as pages show them; the latest is first, so that the one after it is the one before."""
    for place, event in enumerate(events):
        made = event.data
        if isinstance(made, AssetMaterialization):
            rows = _whole(made, "row_count")
            earlier = next(
                (
                    _whole(other.data, "row_count")
                    for other in events[place + 1 :]
                    if isinstance(other.data, AssetMaterialization)
                ),
                None,
            )
            change = rows - earlier if rows is not None and earlier is not None else None
            yield _told(event, made, change, _seconds(instance, event))


def _told(event: Event, made: AssetMaterialization, change: int | None, seconds: float | None) -> AssetEvent:
    known = (CODE_VERSION_TAG, DATA_VERSION_TAG)
    inputs = {
        name.removeprefix(INPUT_DATA_VERSION_TAG): text
        for name, text in made.tags.items()
        if name.startswith(INPUT_DATA_VERSION_TAG)
    }
    return AssetEvent(
        event.storage_id or 0,
        "observation" if event.event_type == "ASSET_OBSERVATION" else "materialization",
        event.timestamp,
        event.run_id,
        event.step_key,
        made.partition,
        made.description,
        _whole(made, "row_count"),
        change,
        _whole(made, "byte_size"),
        seconds,
        made.tags.get(CODE_VERSION_TAG),
        made.tags.get(DATA_VERSION_TAG),
        tuple((AssetKey.from_escaped_string(name), text) for name, text in inputs.items()),
        tuple(
            (name, text)
            for name, text in made.tags.items()
            if name not in known and not name.startswith(INPUT_DATA_VERSION_TAG)
        ),
        made.metadata,
    )


def _whole(made: AssetMaterialization, name: str) -> int | None:
    value = made.metadata.get(name)
    return value.value if value is not None and value.kind == "int" else None


def _seconds(instance: Instance, event: Event) -> float | None:
    """How long the step took until the event, from where it started, which is not far before it in the record."""
    if not event.run_id or event.step_key is None or event.storage_id is None:
        return None
    where = EventFilter(event.run_id, None, _STARTS, None, event.storage_id)
    starts = instance.event_log.get_events(where, limit=64, ascending=False)
    start = next((one.timestamp for one in starts if one.step_key == event.step_key), None)
    return None if start is None else max(0.0, event.timestamp - start)


def series_of(events: Sequence[Event]) -> list[Series]:
    """Each number in the metadata of events over time; events are given with the latest first."""
    points: dict[str, list[tuple[float, float, int]]] = {}
    for event in reversed(events[:_PLOTTED]):
        if isinstance(event.data, AssetMaterialization):
            for name, value in event.data.metadata.items():
                if is_number(value):
                    points.setdefault(name, []).append((event.timestamp, float(value.value), event.storage_id or 0))
    first = ("row_count", "byte_size", "partition_row_count")
    names = sorted(points, key=lambda name: (first.index(name) if name in first else len(first), name))
    return [Series(name, label_of(name), *map(tuple, zip(*points[name], strict=True))) for name in names]


def compared(instance: Instance, key: AssetKey, ids: Sequence[int]) -> Comparison:
    """Two events of an asset side by side; InvalidSelectionError where there are no such two."""
    found: list[Event] = []
    for one in sorted(set(ids))[:2]:
        where = EventFilter(None, key, KINDS, one - 1, one + 1)
        found += instance.event_log.get_events(where, limit=1)
    if len(found) != 2:
        raise InvalidSelectionError(
            f"of asset {key.to_user_string()!r} there are no two events to compare with these ids",
            hint="Choose two from its activity.",
        )
    old, new = (next(told(instance, [event])) for event in found)
    before, after = (schema_of(event) for event in found)
    return Comparison(
        old,
        new,
        tuple(_differences(old.metadata, new.metadata)),
        tuple(_tag_differences(found)),
        changes_between(before, after) if before is not None and after is not None else (),
        before == after,
    )


def _differences(old: Mapping[str, MetadataValue], new: Mapping[str, MetadataValue]) -> Iterator[Difference]:
    order = [one.name for one in shown_metadata({**new, **old}, without=("column_schema",))]
    for name in order:
        before, after = old.get(name), new.get(name)
        what = "same" if before == after else "added" if before is None else "removed" if after is None else "changed"
        yield Difference(
            label_of(name),
            what,
            shown_value(name, before) if before is not None else None,
            shown_value(name, after) if after is not None else None,
            _change_text(name, before, after),
        )


def _change_text(name: str, old: MetadataValue | None, new: MetadataValue | None) -> str:
    if old is None or new is None or not (is_number(old) and is_number(new)) or old.value == new.value:
        return ""
    change = new.value - old.value
    text = number_text(abs(change), unit_of(name, new.value))
    sign = "+" if change > 0 else MINUS
    share = f" ({sign}{abs(change / old.value):.1%})" if old.value else ""
    return f"{sign}{text}{share}"


def _tag_differences(events: Sequence[Event]) -> Iterator[tuple[str, str, str]]:
    """The tags in which two events differ."""
    old, new = (event.data.tags if isinstance(event.data, AssetMaterialization) else {} for event in events)
    for name in sorted({*old, *new}):
        if old.get(name) != new.get(name):
            label = (
                name.removeprefix(INPUT_DATA_VERSION_TAG)
                if name.startswith(INPUT_DATA_VERSION_TAG)
                else name.removeprefix("warehouse_assets/")
            )
            made_from = "made from " if name.startswith(INPUT_DATA_VERSION_TAG) else ""
            yield made_from + label.replace("_", " " if not made_from else "_"), old.get(name, ""), new.get(name, "")


def event_of(instance: Instance, key: AssetKey, event_id: int) -> AssetEvent:
    """One event of an asset; InvalidSelectionError where there is none of this id."""
    found = instance.event_log.get_events(EventFilter(None, key, KINDS, event_id - 1, event_id + 1), limit=1)
    if not found:
        raise InvalidSelectionError(f"asset {key.to_user_string()!r} has no event {event_id}")
    return next(told(instance, found))
