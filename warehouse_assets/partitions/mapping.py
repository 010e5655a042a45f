"""`PartitionMapping`: which partitions of an upstream table the partitions of a downstream table are made from."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime

from warehouse_assets.errors import InvalidDefinitionError
from warehouse_assets.partitions.definition import DynamicPartitionsStore, PartitionsDefinition

__all__ = [
    "AllPartitionMapping",
    "IdentityPartitionMapping",
    "LastPartitionMapping",
    "PartitionMapping",
    "PartitionsPair",
    "SpecificPartitionsPartitionMapping",
    "StaticPartitionMapping",
    "UpstreamPartitions",
]


@dataclass(frozen=True)
class PartitionsPair:
    """The partitions of two tables that a mapping stands between, at one time; None for a table that has none."""

    upstream: PartitionsDefinition | None
    downstream: PartitionsDefinition | None
    current_time: datetime = field(default_factory=lambda: datetime.now(UTC))
    dynamic_partitions_store: DynamicPartitionsStore | None = None

    def of(self, upstream: PartitionsDefinition | None, downstream: PartitionsDefinition | None) -> PartitionsPair:
        """Another pair, at the same time."""
        return PartitionsPair(upstream, downstream, self.current_time, self.dynamic_partitions_store)

    def keys_of(self, partitions_def: PartitionsDefinition | None) -> Sequence[str]:
        """The keys of all partitions of one side, or of one of its dimensions."""
        if partitions_def is None:
            return ()
        return partitions_def.get_partition_keys(self.current_time, self.dynamic_partitions_store)

    def existing(self, partitions_def: PartitionsDefinition | None, keys: Collection[str]) -> tuple[str, ...]:
        """Those of the keys, each once, whose partitions there are."""
        if partitions_def is None:
            return ()
        if len(keys) == 1:  # a definition may know a shorter way for one
            return tuple(
                key for key in keys if partitions_def.has_partition_key(key, self.current_time, self.dynamic_partitions_store)
            )
        known = set(self.keys_of(partitions_def))
        return tuple(key for key in dict.fromkeys(keys) if key in known)


@dataclass(frozen=True, slots=True)
class UpstreamPartitions:
    """What downstream partitions are made from: upstream partitions, and those that they need but that do not exist."""

    keys: tuple[str, ...]
    nonexistent: tuple[str, ...] = ()

    @classmethod
    def split(cls, keys: Collection[str], pair: PartitionsPair) -> UpstreamPartitions:
        """Upstream keys, divided into those that exist and those that do not."""
        existing = pair.existing(pair.upstream, keys)
        missing = dict.fromkeys(keys)
        for key in existing:
            del missing[key]
        return cls(existing, tuple(missing))


class PartitionMapping(ABC):
    """Which upstream partitions a downstream partition is made from, and which downstream partitions follow from an upstream one.

    A mapping of one's own says both, for keys of partitions that exist; the answers hold each key once.
    """

    @property
    def looks_back(self) -> bool:
        """Whether a table may depend on itself through it: each partition on earlier ones only, and the first on nothing."""
        return False

    def validate(self, upstream: PartitionsDefinition | None, downstream: PartitionsDefinition | None) -> None:  # noqa: B027
        """Raise an InvalidDefinitionError when it cannot stand between partitions of these kinds."""

    @abstractmethod
    def get_upstream_keys(self, downstream_keys: Sequence[str], pair: PartitionsPair) -> UpstreamPartitions:
        """The upstream partitions that these downstream partitions are made from."""

    def get_upstream_keys_of_each(self, downstream_keys: Sequence[str], pair: PartitionsPair) -> dict[str, UpstreamPartitions]:
        """The same for each downstream partition by itself, where a mapping may know a shorter way for many.

        Equal answers had better be one object: what follows from it is then found once.
        """
        return {key: self.get_upstream_keys([key], pair) for key in downstream_keys}

    @abstractmethod
    def get_downstream_keys(self, upstream_keys: Sequence[str], pair: PartitionsPair) -> Sequence[str]:
        """The existing downstream partitions that are made from any of these upstream partitions."""


@dataclass(frozen=True, slots=True)
class IdentityPartitionMapping(PartitionMapping):
    """Each partition is made from the one of the same key."""

    def validate(self, upstream: PartitionsDefinition | None, downstream: PartitionsDefinition | None) -> None:
        """Both tables have partitions."""
        for side, partitions_def in (("upstream", upstream), ("downstream", downstream)):
            if partitions_def is None:
                raise InvalidDefinitionError(f"an identity partition mapping has no {side} partitions")

    def get_upstream_keys(self, downstream_keys: Sequence[str], pair: PartitionsPair) -> UpstreamPartitions:
        return UpstreamPartitions.split(downstream_keys, pair)

    def get_upstream_keys_of_each(self, downstream_keys: Sequence[str], pair: PartitionsPair) -> dict[str, UpstreamPartitions]:
        existing = set(pair.existing(pair.upstream, downstream_keys))
        return {
            key: UpstreamPartitions((key,)) if key in existing else UpstreamPartitions((), (key,)) for key in downstream_keys
        }

    def get_downstream_keys(self, upstream_keys: Sequence[str], pair: PartitionsPair) -> Sequence[str]:
        return pair.existing(pair.downstream, upstream_keys)


class _OneAnswerMapping(PartitionMapping):
    """All downstream partitions are made from the same upstream partitions."""

    __slots__ = ()

    def get_upstream_keys_of_each(self, downstream_keys: Sequence[str], pair: PartitionsPair) -> dict[str, UpstreamPartitions]:
        return dict.fromkeys(downstream_keys, self.get_upstream_keys(downstream_keys, pair)) if downstream_keys else {}


@dataclass(frozen=True, slots=True)
class AllPartitionMapping(_OneAnswerMapping):
    """Each partition, or a table without partitions, is made from all upstream partitions."""

    def get_upstream_keys(self, downstream_keys: Sequence[str], pair: PartitionsPair) -> UpstreamPartitions:
        return UpstreamPartitions(tuple(pair.keys_of(pair.upstream)))

    def get_downstream_keys(self, upstream_keys: Sequence[str], pair: PartitionsPair) -> Sequence[str]:
        return pair.keys_of(pair.downstream) if upstream_keys else ()


@dataclass(frozen=True, slots=True)
class LastPartitionMapping(_OneAnswerMapping):
    """Each partition, or a table without partitions, is made from the last upstream partition."""

    def get_upstream_keys(self, downstream_keys: Sequence[str], pair: PartitionsPair) -> UpstreamPartitions:
        last = self._last(pair)
        return UpstreamPartitions(() if last is None else (last,))

    def get_downstream_keys(self, upstream_keys: Sequence[str], pair: PartitionsPair) -> Sequence[str]:
        return pair.keys_of(pair.downstream) if self._last(pair) in upstream_keys else ()

    def _last(self, pair: PartitionsPair) -> str | None:
        if pair.upstream is None:
            return None
        return pair.upstream.get_last_partition_key(pair.current_time, pair.dynamic_partitions_store)


@dataclass(frozen=True, slots=True)
class SpecificPartitionsPartitionMapping(_OneAnswerMapping):
    """Each partition, or a table without partitions, is made from these upstream partitions."""

    partition_keys: Sequence[str]

    def __post_init__(self) -> None:
        object.__setattr__(self, "partition_keys", tuple(self.partition_keys))

    def get_upstream_keys(self, downstream_keys: Sequence[str], pair: PartitionsPair) -> UpstreamPartitions:
        return UpstreamPartitions.split(self.partition_keys, pair)

    def get_downstream_keys(self, upstream_keys: Sequence[str], pair: PartitionsPair) -> Sequence[str]:
        return pair.keys_of(pair.downstream) if set(self.partition_keys).intersection(upstream_keys) else ()


@dataclass(frozen=True, slots=True)
class StaticPartitionMapping(PartitionMapping):
    """Upstream keys, each with the downstream key or keys that are made from it; others have nothing to do with each other.

    >>> mapping = StaticPartitionMapping({"de": "eu", "fr": "eu", "us": ["us", "world"]})
    >>> mapping.downstream_partition_keys_by_upstream_partition_key["de"]
    ('eu',)
    """

    downstream_partition_keys_by_upstream_partition_key: Mapping[str, str | Collection[str]] = field(hash=False)

    def __post_init__(self) -> None:
        given = self.downstream_partition_keys_by_upstream_partition_key
        links = {key: (to,) if isinstance(to, str) else tuple(dict.fromkeys(to)) for key, to in given.items()}
        object.__setattr__(self, "downstream_partition_keys_by_upstream_partition_key", links)

    def validate(self, upstream: PartitionsDefinition | None, downstream: PartitionsDefinition | None) -> None:
        """Both tables have partitions, and those that are static have the keys that are named."""
        from warehouse_assets.partitions.static import StaticPartitionsDefinition

        links = self.downstream_partition_keys_by_upstream_partition_key
        named = (("upstream", upstream, list(links)), ("downstream", downstream, [key for to in links.values() for key in to]))
        for side, partitions_def, keys in named:
            if partitions_def is None:
                raise InvalidDefinitionError(f"a static partition mapping has no {side} partitions")
            if isinstance(partitions_def, StaticPartitionsDefinition):
                for key in keys:
                    partitions_def.validate_partition_key(key)

    def get_upstream_keys(self, downstream_keys: Sequence[str], pair: PartitionsPair) -> UpstreamPartitions:
        wanted = set(downstream_keys)
        links = self.downstream_partition_keys_by_upstream_partition_key
        return UpstreamPartitions.split([key for key, to in links.items() if wanted.intersection(to)], pair)

    def get_upstream_keys_of_each(self, downstream_keys: Sequence[str], pair: PartitionsPair) -> dict[str, UpstreamPartitions]:
        links = self.downstream_partition_keys_by_upstream_partition_key
        existing = set(pair.existing(pair.upstream, links))
        found: dict[str, tuple[list[str], list[str]]] = {key: ([], []) for key in downstream_keys}
        for upstream, to in links.items():
            for key in found.keys() & to:
                found[key][upstream not in existing].append(upstream)
        return {key: UpstreamPartitions(tuple(there), tuple(missing)) for key, (there, missing) in found.items()}

    def get_downstream_keys(self, upstream_keys: Sequence[str], pair: PartitionsPair) -> Sequence[str]:
        links = self.downstream_partition_keys_by_upstream_partition_key
        return pair.existing(pair.downstream, [to for key in dict.fromkeys(upstream_keys) for to in links.get(key, ())])
