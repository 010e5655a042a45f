"""`DynamicPartitionsDefinition`: partitions that are added while the system runs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from warehouse_assets.errors import InvalidDefinitionError, InvalidInvocationError
from warehouse_assets.partitions.definition import DynamicPartitionsStore, PartitionsDefinition

__all__ = ["DynamicPartitionsDefinition"]


@dataclass(frozen=True)
class DynamicPartitionsDefinition(PartitionsDefinition):
    """Partitions whose keys a store remembers under `name`; definitions of one name share them.

    Asking for the keys without a `dynamic_partitions_store` is an InvalidInvocationError.
    """

    name: str

    def __post_init__(self) -> None:
        if not isinstance(self.name, str) or not self.name:
            raise InvalidDefinitionError(f"the name of dynamic partitions is not a non-empty string: {self.name!r}")

    def __str__(self) -> str:
        return f"dynamic partitions {self.name!r}"

    def get_partition_keys(
        self, current_time: datetime | None = None, dynamic_partitions_store: DynamicPartitionsStore | None = None
    ) -> Sequence[str]:
        if dynamic_partitions_store is None:
            raise InvalidInvocationError(
                f"the keys of {self} are not known", hint="Give the instance as dynamic_partitions_store, which remembers them."
            )
        return tuple(dynamic_partitions_store.get_dynamic_partitions(self.name))

    def _hint(
        self, partition_key: str, current_time: datetime | None, dynamic_partitions_store: DynamicPartitionsStore | None
    ) -> str:
        close = super()._hint(partition_key, current_time, dynamic_partitions_store)
        return close or f"Add it with instance.add_dynamic_partitions({self.name!r}, [{partition_key!r}])."
