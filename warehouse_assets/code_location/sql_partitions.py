"""Partitions and partition mappings, as the header of a `.sql` file writes them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from warehouse_assets.errors import close_matches
from warehouse_assets.partitions.dynamic import DynamicPartitionsDefinition
from warehouse_assets.partitions.mapping import AllPartitionMapping, IdentityPartitionMapping, LastPartitionMapping
from warehouse_assets.partitions.multi import MultiPartitionsDefinition
from warehouse_assets.partitions.periodic import (
    DailyPartitionsDefinition,
    HourlyPartitionsDefinition,
    MonthlyPartitionsDefinition,
    WeeklyPartitionsDefinition,
)
from warehouse_assets.partitions.static import StaticPartitionsDefinition
from warehouse_assets.partitions.time_window import TimeWindowPartitionsDefinition
from warehouse_assets.partitions.time_window_mapping import TimeWindowPartitionMapping

if TYPE_CHECKING:
    from warehouse_assets.code_location.sql_headers import Header
    from warehouse_assets.partitions.definition import PartitionsDefinition
    from warehouse_assets.partitions.mapping import PartitionMapping

__all__ = ["mapping_of", "partitions_of"]

_PERIODS: Mapping[str, type[TimeWindowPartitionsDefinition]] = {
    "hourly": HourlyPartitionsDefinition,
    "daily": DailyPartitionsDefinition,
    "weekly": WeeklyPartitionsDefinition,
    "monthly": MonthlyPartitionsDefinition,
}
_KINDS = (*_PERIODS, "cron", "static", "dynamic", "multi")
_MAPPINGS: Mapping[str, Callable[[], PartitionMapping]] = {
    "all": AllPartitionMapping,
    "identity": IdentityPartitionMapping,
    "last": LastPartitionMapping,
}


def partitions_of(header: Header, path: Sequence[Any]) -> PartitionsDefinition | None:
    """The partitions that `{daily: 2024-01-01}`, `{static: [a, b]}` and the like stand for; None for a fault."""
    said = header.mapping(*path)
    if len(said) != 1 or next(iter(said)) not in _KINDS:
        guess = next((close for key in said if (close := close_matches(str(key), _KINDS))), None)
        header.add(
            path, f"the partitions are {dict(said)!r}", guess or f"Write one of {', '.join(_KINDS)}: {{daily: 2024-01-01}}."
        )
        return None
    [(kind, value)] = said.items()
    inner = [*path, kind]
    if kind == "static":
        return header.attempt(inner, StaticPartitionsDefinition, header.texts(*inner))
    if kind == "dynamic":
        return header.attempt(inner, DynamicPartitionsDefinition, name=header.text(*inner))
    if kind == "multi":
        found = {name: partitions_of(header, [*inner, name]) for name in header.mapping(*inner)}
        parts = {name: part for name, part in found.items() if part is not None}
        return header.attempt(inner, MultiPartitionsDefinition, parts) if len(parts) == len(found) else None
    given = dict(value) if isinstance(value, dict) else {"start": value}
    if kind in _PERIODS:
        renamed = {f"{name}_date" if name in ("start", "end") else name: each for name, each in given.items()}
        return header.called(inner, _PERIODS[kind], renamed)
    return header.called(inner, TimeWindowPartitionsDefinition, {"fmt": "%Y-%m-%d-%H:%M", **given})


def mapping_of(header: Header, path: Sequence[Any], said: Any) -> PartitionMapping | None:
    """The mapping that `all`, `last`, `identity` or the offsets of windows stand for; None where nothing is said, or a fault."""
    if said is None:
        return None
    if isinstance(said, str) and said in _MAPPINGS:
        return _MAPPINGS[said]()
    if isinstance(said, dict):
        return header.called(path, TimeWindowPartitionMapping, said)
    hint = f"It is one of {', '.join(_MAPPINGS)}, or {{start_offset: -1, end_offset: -1}}."
    header.add(path, f"the partition mapping is {said!r}", hint)
    return None
