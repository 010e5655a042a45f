"""What the contexts of a write and of a read say alike of partitions."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from warehouse_assets.keys import AssetKey

if TYPE_CHECKING:
    from warehouse_assets.partitions.clock import TimeWindow
    from warehouse_assets.partitions.definition import PartitionKeyRange

__all__ = ["ContextPartitions"]


class ContextPartitions:
    """The partitions of an asset that are written or read: exactly `partition_keys`, where there is a `partitions_def`.

    Questions that have no answer, such as for the one key where there are several, are a PartitionNotFoundError.
    """

    __slots__ = ()

    asset_key: AssetKey
    partition_keys: Sequence[str]
    partitions_def: Any

    @property
    def has_asset_partitions(self) -> bool:
        """Whether the asset is partitioned: then `partition_keys` are the partitions that are meant, which may be none."""
        return self.partitions_def is not None

    @property
    def has_partition_key(self) -> bool:
        """Whether exactly one partition is meant."""
        return len(self.partition_keys) == 1

    @property
    def partition_key(self) -> str:
        """The one partition that is meant."""
        from warehouse_assets.partitions.chosen import only_key

        return only_key(self.partitions_def, self.partition_keys, self._owner)

    asset_partition_key = partition_key

    @property
    def asset_partition_keys(self) -> Sequence[str]:
        """The partitions that are meant."""
        return self.partition_keys

    @property
    def asset_partition_key_range(self) -> PartitionKeyRange:
        """The first and the last of the partitions that are meant."""
        from warehouse_assets.partitions.chosen import key_range

        return key_range(self.partitions_def, self.partition_keys, self._owner)

    @property
    def asset_partitions_def(self) -> Any:
        """How the asset is partitioned."""
        from warehouse_assets.partitions.chosen import partitioned

        return partitioned(self.partitions_def, self._owner)

    @property
    def asset_partitions_time_window(self) -> TimeWindow:
        """The time that the partitions cover, which have to be windows that follow each other."""
        from warehouse_assets.partitions.chosen import time_window

        return time_window(self.partitions_def, self.partition_keys, self._owner)

    @property
    def _owner(self) -> str:
        return f"asset {self.asset_key.to_user_string()!r}"
