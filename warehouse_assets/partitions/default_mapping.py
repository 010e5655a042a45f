"""The mapping between two tables for which none is declared."""

from __future__ import annotations

from warehouse_assets.partitions.definition import PartitionsDefinition
from warehouse_assets.partitions.mapping import AllPartitionMapping, IdentityPartitionMapping, PartitionMapping
from warehouse_assets.partitions.multi import MultiPartitionsDefinition
from warehouse_assets.partitions.multi_mapping import (
    DimensionPartitionMapping,
    MultiPartitionMapping,
    MultiToSingleDimensionPartitionMapping,
)
from warehouse_assets.partitions.time_window import TimeWindowPartitionsDefinition
from warehouse_assets.partitions.time_window_mapping import TimeWindowPartitionMapping

__all__ = ["default_partition_mapping"]


def default_partition_mapping(
    upstream: PartitionsDefinition | None, downstream: PartitionsDefinition | None
) -> PartitionMapping:
    """How partitions of these kinds belong together: by overlapping time, by dimensions of one name, or by equal keys.

    Where one of the tables has no partitions, everything belongs to everything.

    >>> from warehouse_assets.partitions.periodic import DailyPartitionsDefinition, HourlyPartitionsDefinition
    >>> default_partition_mapping(HourlyPartitionsDefinition("2024-01-01"), DailyPartitionsDefinition("2024-01-01"))
    TimeWindowPartitionMapping(start_offset=0, end_offset=0, allow_nonexistent_upstream_partitions=False)
    """
    if upstream is None or downstream is None:
        return AllPartitionMapping()
    if isinstance(upstream, TimeWindowPartitionsDefinition) and isinstance(downstream, TimeWindowPartitionsDefinition):
        return TimeWindowPartitionMapping()
    kinds = (isinstance(upstream, MultiPartitionsDefinition), isinstance(downstream, MultiPartitionsDefinition))
    if upstream == downstream or not any(kinds):
        return IdentityPartitionMapping()
    if all(kinds):
        return _by_dimension_names(upstream, downstream)  # type: ignore[arg-type]
    return MultiToSingleDimensionPartitionMapping()


def _by_dimension_names(upstream: MultiPartitionsDefinition, downstream: MultiPartitionsDefinition) -> MultiPartitionMapping:
    targets = {dim.name: dim.partitions_def for dim in downstream.partitions_defs}
    return MultiPartitionMapping(
        {
            dim.name: DimensionPartitionMapping(dim.name, default_partition_mapping(dim.partitions_def, targets[dim.name]))
            for dim in upstream.partitions_defs
            if dim.name in targets
        }
    )
