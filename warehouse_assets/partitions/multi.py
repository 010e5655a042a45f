"""`MultiPartitionsDefinition`: partitions along several dimensions, such as a day and a region."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import product

from warehouse_assets.errors import InvalidDefinitionError, PartitionNotFoundError, close_matches
from warehouse_assets.partitions.clock import TimeWindow
from warehouse_assets.partitions.definition import DynamicPartitionsStore, PartitionKeyRange, PartitionsDefinition
from warehouse_assets.partitions.static import StaticPartitionsDefinition
from warehouse_assets.partitions.time_window import TimeWindowPartitionsDefinition

__all__ = ["MultiPartitionKey", "MultiPartitionsDefinition", "PartitionDimensionDefinition"]

_JOINT = "|"
_UNUSABLE = "|,[]"


class MultiPartitionKey(str):
    """The key of a partition along several dimensions: a text of one key for each, joined by "|", by the dimensions' names.

    >>> key = MultiPartitionKey({"region": "eu", "day": "2024-01-01"})
    >>> str(key), key.keys_by_dimension
    ('2024-01-01|eu', {'day': '2024-01-01', 'region': 'eu'})
    """

    dimension_names: tuple[str, ...]

    def __new__(cls, keys_by_dimension: Mapping[str, str]) -> MultiPartitionKey:
        names = tuple(sorted(keys_by_dimension))
        return cls._of(names, tuple(keys_by_dimension[name] for name in names))

    @classmethod
    def _of(cls, names: tuple[str, ...], keys: tuple[str, ...]) -> MultiPartitionKey:
        for name, key in zip(names, keys, strict=True):
            if not key or _JOINT in key:
                raise InvalidDefinitionError(f"the key {key!r} of dimension {name!r} is empty, or holds {_JOINT!r}")
        joined = super().__new__(cls, _JOINT.join(keys))
        joined.dimension_names = names
        return joined

    def __getnewargs__(self) -> tuple[dict[str, str]]:  # type: ignore[override]
        return (self.keys_by_dimension,)

    @property
    def keys_by_dimension(self) -> dict[str, str]:
        """The key along each dimension."""
        return dict(zip(self.dimension_names, self.split(_JOINT), strict=True))


@dataclass(frozen=True, slots=True)
class PartitionDimensionDefinition:
    """One dimension: its name, and the partitions along it."""

    name: str
    partitions_def: PartitionsDefinition


@dataclass(frozen=True, init=False)
class MultiPartitionsDefinition(PartitionsDefinition):
    """A partition for each combination of the partitions along two or more dimensions, in the order of their names.

    >>> days = StaticPartitionsDefinition(["mon", "tue"])
    >>> MultiPartitionsDefinition({"day": days, "region": StaticPartitionsDefinition(["eu", "us"])}).get_partition_keys()
    ('mon|eu', 'mon|us', 'tue|eu', 'tue|us')
    """

    partitions_defs: tuple[PartitionDimensionDefinition, ...]

    def __init__(self, partitions_defs: Mapping[str, PartitionsDefinition]) -> None:
        if len(partitions_defs) < 2:
            raise InvalidDefinitionError(f"multi-partitions have {len(partitions_defs)} dimensions, not two or more")
        for name, partitions_def in partitions_defs.items():
            _check_dimension(name, partitions_def)
        dimensions = tuple(PartitionDimensionDefinition(name, partitions_defs[name]) for name in sorted(partitions_defs))
        object.__setattr__(self, "partitions_defs", dimensions)

    def __str__(self) -> str:
        return f"partitions by {' and '.join(self.partition_dimension_names)}"

    @property
    def partition_dimension_names(self) -> tuple[str, ...]:
        """The names of the dimensions, sorted."""
        return tuple(dimension.name for dimension in self.partitions_defs)

    @property
    def time_window_dimension(self) -> PartitionDimensionDefinition | None:
        """The one dimension of time windows; None where there is none, or more than one."""
        found = [dim for dim in self.partitions_defs if isinstance(dim.partitions_def, TimeWindowPartitionsDefinition)]
        return found[0] if len(found) == 1 else None

    def get_partitions_def_for_dimension(self, dimension_name: str) -> PartitionsDefinition:
        """The partitions along a dimension; LookupError for one that is not there."""
        for dimension in self.partitions_defs:
            if dimension.name == dimension_name:
                return dimension.partitions_def
        hint = close_matches(dimension_name, self.partition_dimension_names)
        raise PartitionNotFoundError(f"there is no dimension {dimension_name!r} in {self}", hint=hint)

    def get_partition_key_from_str(self, partition_key: str) -> MultiPartitionKey:
        """The key as one that knows its dimensions; PartitionNotFoundError when it has not one part for each."""
        parts = tuple(partition_key.split(_JOINT))
        if len(parts) != len(self.partitions_defs) or not all(parts):
            raise PartitionNotFoundError(f"there is no partition {partition_key!r} in {self}", hint=self._form)
        return MultiPartitionKey._of(self.partition_dimension_names, parts)

    def get_partition_keys(
        self, current_time: datetime | None = None, dynamic_partitions_store: DynamicPartitionsStore | None = None
    ) -> Sequence[str]:
        return self._product(
            dim.partitions_def.get_partition_keys(current_time, dynamic_partitions_store) for dim in self.partitions_defs
        )

    def has_partition_key(
        self,
        partition_key: str,
        current_time: datetime | None = None,
        dynamic_partitions_store: DynamicPartitionsStore | None = None,
    ) -> bool:
        parts = partition_key.split(_JOINT)
        return len(parts) == len(self.partitions_defs) and all(
            dim.partitions_def.has_partition_key(part, current_time, dynamic_partitions_store)
            for dim, part in zip(self.partitions_defs, parts, strict=True)
        )

    def get_num_partitions(
        self, current_time: datetime | None = None, dynamic_partitions_store: DynamicPartitionsStore | None = None
    ) -> int:
        return math.prod(
            dim.partitions_def.get_num_partitions(current_time, dynamic_partitions_store) for dim in self.partitions_defs
        )

    def get_first_partition_key(
        self, current_time: datetime | None = None, dynamic_partitions_store: DynamicPartitionsStore | None = None
    ) -> str | None:
        firsts = [
            dim.partitions_def.get_first_partition_key(current_time, dynamic_partitions_store) for dim in self.partitions_defs
        ]
        return self._corner(firsts)

    def get_last_partition_key(
        self, current_time: datetime | None = None, dynamic_partitions_store: DynamicPartitionsStore | None = None
    ) -> str | None:
        lasts = [
            dim.partitions_def.get_last_partition_key(current_time, dynamic_partitions_store) for dim in self.partitions_defs
        ]
        return self._corner(lasts)

    def get_partition_keys_in_range(
        self,
        partition_key_range: PartitionKeyRange,
        current_time: datetime | None = None,
        dynamic_partitions_store: DynamicPartitionsStore | None = None,
    ) -> Sequence[str]:
        """The combinations of the keys in the range along each dimension."""
        for key in (partition_key_range.start, partition_key_range.end):
            self.validate_partition_key(key, current_time, dynamic_partitions_store)
        ends = zip(partition_key_range.start.split(_JOINT), partition_key_range.end.split(_JOINT), strict=True)
        return self._product(
            dim.partitions_def.get_partition_keys_in_range(PartitionKeyRange(*pair), current_time, dynamic_partitions_store)
            for dim, pair in zip(self.partitions_defs, ends, strict=True)
        )

    def get_multipartition_keys_with_dimension_value(
        self,
        dimension_name: str,
        dimension_partition_key: str,
        current_time: datetime | None = None,
        dynamic_partitions_store: DynamicPartitionsStore | None = None,
    ) -> Sequence[str]:
        """The keys of the partitions that have this key along one dimension."""
        one = self.get_partitions_def_for_dimension(dimension_name)
        one.validate_partition_key(dimension_partition_key, current_time, dynamic_partitions_store)
        return self._product(
            (dimension_partition_key,)
            if dim.name == dimension_name
            else dim.partitions_def.get_partition_keys(current_time, dynamic_partitions_store)
            for dim in self.partitions_defs
        )

    def time_window_for_partition_key(self, partition_key: str) -> TimeWindow:
        """The window of a partition along the dimension of time; InvalidDefinitionError where there is not just one."""
        if (time := self.time_window_dimension) is None:
            raise InvalidDefinitionError(f"{self} do not have one dimension of time windows")
        key = self.get_partition_key_from_str(partition_key).keys_by_dimension[time.name]
        return time.partitions_def.time_window_for_partition_key(key)  # type: ignore[attr-defined,no-any-return]

    def _product(self, keys: Iterable[Sequence[str]]) -> tuple[MultiPartitionKey, ...]:
        names = self.partition_dimension_names
        return tuple(MultiPartitionKey._of(names, combination) for combination in product(*keys))

    def _corner(self, keys: Sequence[str | None]) -> str | None:
        found = tuple(key for key in keys if key is not None)
        return MultiPartitionKey._of(self.partition_dimension_names, found) if len(found) == len(keys) else None

    def _hint(
        self, partition_key: str, current_time: datetime | None, dynamic_partitions_store: DynamicPartitionsStore | None
    ) -> str | None:
        parts = partition_key.split(_JOINT)
        if len(parts) != len(self.partitions_defs):
            return self._form
        for dim, part in zip(self.partitions_defs, parts, strict=True):
            if not dim.partitions_def.has_partition_key(part, current_time, dynamic_partitions_store):
                hint = dim.partitions_def._hint(part, current_time, dynamic_partitions_store)
                return f"There is no {part!r} by {dim.name}, of {dim.partitions_def}. {hint or ''}".rstrip()
        return None

    @property
    def _form(self) -> str:
        return f"Keys have the form '{_JOINT.join(self.partition_dimension_names)}'."


def _check_dimension(name: str, partitions_def: PartitionsDefinition) -> None:
    if not isinstance(name, str) or not name:
        raise InvalidDefinitionError(f"the name of a dimension is not a non-empty string: {name!r}")
    if not isinstance(partitions_def, PartitionsDefinition) or isinstance(partitions_def, MultiPartitionsDefinition):
        hint = "Give time-window, static or dynamic partitions."
        raise InvalidDefinitionError(f"the partitions of dimension {name!r} cannot be {partitions_def}", hint=hint)
    if isinstance(partitions_def, StaticPartitionsDefinition):
        texts: Sequence[str] = partitions_def.partition_keys
    else:
        texts = [partitions_def.fmt] if isinstance(partitions_def, TimeWindowPartitionsDefinition) else []
    for text in texts:
        if found := next((character for character in _UNUSABLE if character in text), None):
            raise InvalidDefinitionError(f"dimension {name!r} has the key {text!r}, which holds {found!r}")
