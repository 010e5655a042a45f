"""`PartitionsDefinition`: which slices a table has, and the rules for what they are called."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import islice
from typing import Protocol, runtime_checkable

from warehouse_assets.errors import InvalidDefinitionError, PartitionNotFoundError, close_matches

__all__ = ["DynamicPartitionsStore", "PartitionKeyRange", "PartitionsDefinition", "checked_partition_keys"]

_UNUSABLE = ("...", "\a", "\b", "\f", "\n", "\r", "\t", "\v", "\0")
_SUGGEST_FROM = 5_000


@runtime_checkable
class DynamicPartitionsStore(Protocol):
    """What remembers the keys of dynamic partitions; an instance is one."""

    def get_dynamic_partitions(self, partitions_def_name: str) -> Sequence[str]:
        """The keys added so far to the dynamic partitions of this name, in the order in which they were added."""
        ...


@dataclass(frozen=True, slots=True)
class PartitionKeyRange:
    """The partitions from `start` to `end`, both included, in the order of their definition."""

    start: str
    end: str


class PartitionsDefinition(ABC):
    """The slices that a table is made and loaded in, each with a key that is a non-empty text.

    Which partitions there are may depend on the time (`current_time`, by default now) and on what was added so far
    (`dynamic_partitions_store`); a definition that needs neither ignores them.
    """

    @abstractmethod
    def get_partition_keys(
        self, current_time: datetime | None = None, dynamic_partitions_store: DynamicPartitionsStore | None = None
    ) -> Sequence[str]:
        """The keys of all partitions, in their order."""

    def has_partition_key(
        self,
        partition_key: str,
        current_time: datetime | None = None,
        dynamic_partitions_store: DynamicPartitionsStore | None = None,
    ) -> bool:
        """Whether there is a partition of this key."""
        return partition_key in self.get_partition_keys(current_time, dynamic_partitions_store)

    def validate_partition_key(
        self,
        partition_key: str,
        current_time: datetime | None = None,
        dynamic_partitions_store: DynamicPartitionsStore | None = None,
    ) -> None:
        """Raise PartitionNotFoundError, with what may have been meant, when there is no partition of this key."""
        if not self.has_partition_key(partition_key, current_time, dynamic_partitions_store):
            hint = self._hint(partition_key, current_time, dynamic_partitions_store)
            raise PartitionNotFoundError(f"there is no partition {partition_key!r} in {self}", hint=hint)

    def get_num_partitions(
        self, current_time: datetime | None = None, dynamic_partitions_store: DynamicPartitionsStore | None = None
    ) -> int:
        """How many partitions there are."""
        return len(self.get_partition_keys(current_time, dynamic_partitions_store))

    def get_first_partition_key(
        self, current_time: datetime | None = None, dynamic_partitions_store: DynamicPartitionsStore | None = None
    ) -> str | None:
        """The key of the first partition; None where there is none yet."""
        return next(iter(self.get_partition_keys(current_time, dynamic_partitions_store)), None)

    def get_last_partition_key(
        self, current_time: datetime | None = None, dynamic_partitions_store: DynamicPartitionsStore | None = None
    ) -> str | None:
        """The key of the last partition; None where there is none yet."""
        return next(reversed(self.get_partition_keys(current_time, dynamic_partitions_store)), None)

    def get_partition_keys_in_range(
        self,
        partition_key_range: PartitionKeyRange,
        current_time: datetime | None = None,
        dynamic_partitions_store: DynamicPartitionsStore | None = None,
    ) -> Sequence[str]:
        """The keys from one end of the range to the other, both included; each must exist, the start not after the end."""
        keys = self.get_partition_keys(current_time, dynamic_partitions_store)
        for key in (partition_key_range.start, partition_key_range.end):
            self.validate_partition_key(key, current_time, dynamic_partitions_store)
        found = keys[keys.index(partition_key_range.start) : keys.index(partition_key_range.end) + 1]
        return found or self._refuse_range(partition_key_range)

    def _refuse_range(self, partition_key_range: PartitionKeyRange) -> Sequence[str]:
        start, end = partition_key_range.start, partition_key_range.end
        raise PartitionNotFoundError(
            f"the range from {start!r} to {end!r} ends before it starts in {self}", hint="Swap its ends."
        )

    def _hint(
        self, partition_key: str, current_time: datetime | None, dynamic_partitions_store: DynamicPartitionsStore | None
    ) -> str | None:
        """What may have been meant by a key that does not exist."""
        keys = self.get_partition_keys(current_time, dynamic_partitions_store)
        return close_matches(partition_key, list(islice(keys, _SUGGEST_FROM)))


def checked_partition_keys(keys: Iterable[str], what: str) -> tuple[str, ...]:
    """The keys as a tuple, when each can be one and none comes twice; `what` names their owner in the error.

    A key is a non-empty text without control characters, and without "..." (which stands between the ends of a range).

    >>> checked_partition_keys(["a", "b"], "partitions")
    ('a', 'b')
    """
    if isinstance(keys, str):
        raise InvalidDefinitionError(f"the keys of {what} are one string, {keys!r}", hint="Give a list of strings.")
    checked = tuple(keys)
    for key in checked:
        if not isinstance(key, str) or not key:
            raise InvalidDefinitionError(f"{what} have a key that is not a non-empty string: {key!r}")
        if found := next((text for text in _UNUSABLE if text in key), None):
            raise InvalidDefinitionError(f"{what} have the key {key!r}, which holds {found!r}")
    if len(set(checked)) < len(checked):
        seen: set[str] = set()
        twice = next(key for key in checked if key in seen or seen.add(key))  # type: ignore[func-returns-value]
        raise InvalidDefinitionError(f"{what} have the key {twice!r} twice")
    return checked
