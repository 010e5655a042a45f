"""`StaticPartitionsDefinition`: partitions that are listed where they are declared."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property

from warehouse_assets.partitions.definition import DynamicPartitionsStore, PartitionsDefinition, checked_partition_keys

__all__ = ["StaticPartitionsDefinition"]


@dataclass(frozen=True)
class StaticPartitionsDefinition(PartitionsDefinition):
    """Partitions of the given keys, in the given order.

    >>> StaticPartitionsDefinition(["eu", "us"]).get_partition_keys()
    ('eu', 'us')
    """

    partition_keys: Sequence[str]

    def __post_init__(self) -> None:
        object.__setattr__(self, "partition_keys", checked_partition_keys(self.partition_keys, "static partitions"))

    def __str__(self) -> str:
        shown = [repr(key) for key in self.partition_keys[:3]]
        return f"static partitions {', '.join(shown)}{', …' if len(self.partition_keys) > 3 else ''}"

    @cached_property
    def _known(self) -> frozenset[str]:
        return frozenset(self.partition_keys)

    def get_partition_keys(
        self, current_time: datetime | None = None, dynamic_partitions_store: DynamicPartitionsStore | None = None
    ) -> Sequence[str]:
        return self.partition_keys

    def has_partition_key(
        self,
        partition_key: str,
        current_time: datetime | None = None,
        dynamic_partitions_store: DynamicPartitionsStore | None = None,
    ) -> bool:
        return partition_key in self._known
