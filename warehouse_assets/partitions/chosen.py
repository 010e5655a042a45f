"""What can be said of the partitions that are written or read at once: the only one, their range, their window of time."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from warehouse_assets.errors import PartitionNotFoundError
from warehouse_assets.partitions.clock import TimeWindow
from warehouse_assets.partitions.definition import PartitionKeyRange, PartitionsDefinition
from warehouse_assets.partitions.multi import MultiPartitionsDefinition
from warehouse_assets.partitions.time_window import TimeWindowPartitionsDefinition

__all__ = ["key_range", "only_key", "partitioned", "time_window"]


def partitioned(partitions_def: Any, owner: str) -> PartitionsDefinition:
    """The definition, which is there; PartitionNotFoundError says of the `owner` that it is not partitioned."""
    if partitions_def is None:
        raise PartitionNotFoundError(f"{owner} is not partitioned", hint="Give it a partitions_def.")
    return partitions_def  # type: ignore[no-any-return]


def only_key(partitions_def: Any, keys: Sequence[str], owner: str) -> str:
    """The one key; PartitionNotFoundError where there is none, or more than one."""
    if len(keys) == 1:
        return keys[0]
    if not keys:
        partitioned(partitions_def, owner)
    found = f"{len(keys)} partitions" if keys else "no partition"
    raise PartitionNotFoundError(f"{owner} has {found} here, not one", hint="Ask for partition_keys." if keys else None)


def key_range(partitions_def: Any, keys: Sequence[str], owner: str) -> PartitionKeyRange:
    """The first and the last key; PartitionNotFoundError where there is none."""
    if not keys:
        only_key(partitions_def, keys, owner)  # says why not
    return PartitionKeyRange(keys[0], keys[-1])


def time_window(partitions_def: Any, keys: Sequence[str], owner: str) -> TimeWindow:
    """The time that the keys cover, along the dimension of time where there are several.

    PartitionNotFoundError for partitions that are not windows of time, or that do not follow each other.

    >>> from warehouse_assets.partitions.periodic import DailyPartitionsDefinition
    >>> days = DailyPartitionsDefinition("2024-03-01", timezone="Europe/Berlin")
    >>> time_window(days, ["2024-03-30", "2024-03-31"], "asset 'orders'").duration.total_seconds() / 3600
    47.0
    """
    windows, along = partitioned(partitions_def, owner), list(keys)
    if isinstance(windows, MultiPartitionsDefinition) and (dimension := windows.time_window_dimension) is not None:
        parts = (windows.get_partition_key_from_str(key).keys_by_dimension[dimension.name] for key in keys)
        windows, along = dimension.partitions_def, list(dict.fromkeys(parts))
    if not isinstance(windows, TimeWindowPartitionsDefinition):
        raise PartitionNotFoundError(f"the partitions of {owner} are not windows of time: it has {partitions_def}")
    spans = windows.spans(along)
    if len(spans) != 1:
        found = f"{len(keys)} partitions here that do not follow each other" if keys else "no partition here"
        raise PartitionNotFoundError(f"{owner} has {found}, and so no one window of time")
    return TimeWindow(*map(windows.clock.at, spans[0]))
