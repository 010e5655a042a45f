"""Mappings along the dimensions of multi-partitions."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache, partial
from itertools import product
from typing import TypeAlias

from warehouse_assets.errors import InvalidDefinitionError, close_matches
from warehouse_assets.partitions.definition import PartitionsDefinition
from warehouse_assets.partitions.mapping import IdentityPartitionMapping, PartitionMapping, PartitionsPair, UpstreamPartitions
from warehouse_assets.partitions.multi import MultiPartitionKey, MultiPartitionsDefinition
from warehouse_assets.partitions.time_window import TimeWindowPartitionsDefinition
from warehouse_assets.partitions.time_window_mapping import TimeWindowPartitionMapping

__all__ = ["DimensionPartitionMapping", "MultiPartitionMapping", "MultiToSingleDimensionPartitionMapping"]

_Ask: TypeAlias = Callable[[str], UpstreamPartitions]
_ONLY = ""  # stands for the one dimension of partitions that are not multi-partitions


@dataclass(frozen=True, slots=True)
class DimensionPartitionMapping:
    """The downstream dimension that an upstream dimension is mapped to, and how."""

    dimension_name: str
    partition_mapping: PartitionMapping = field(default_factory=IdentityPartitionMapping)


class _DimensionsMapping(PartitionMapping):
    """Asks a mapping for each dimension that has one; along the others, everything belongs to everything."""

    __slots__ = ()

    def _links(
        self, upstream: PartitionsDefinition | None, downstream: PartitionsDefinition | None
    ) -> Mapping[str, DimensionPartitionMapping]:
        """By the upstream dimension."""
        raise NotImplementedError

    def validate(self, upstream: PartitionsDefinition | None, downstream: PartitionsDefinition | None) -> None:
        """Both tables have the dimensions that are mapped, with partitions that the mapping of each allows."""
        sources, targets = _dimensions(upstream), _dimensions(downstream)
        links = self._links(upstream, downstream)
        for name, link in links.items():
            link.partition_mapping.validate(
                _dimension(sources, name, "upstream"), _dimension(targets, link.dimension_name, "downstream")
            )
        if len({link.dimension_name for link in links.values()}) < len(links):
            raise InvalidDefinitionError("two upstream dimensions are mapped to one downstream dimension")

    def get_upstream_keys(self, downstream_keys: Sequence[str], pair: PartitionsPair) -> UpstreamPartitions:
        return self._upstream(pair).together(downstream_keys)

    def get_upstream_keys_of_each(self, downstream_keys: Sequence[str], pair: PartitionsPair) -> dict[str, UpstreamPartitions]:
        upstream = self._upstream(pair)
        return {key: upstream.of(upstream.asked(key)) for key in downstream_keys}

    def _upstream(self, pair: PartitionsPair) -> _Combined:
        upstream, downstream = _dimensions(pair.upstream), _dimensions(pair.downstream)
        asks: dict[str, tuple[str, _Ask]] = {}
        for name, link in self._links(pair.upstream, pair.downstream).items():
            dimensions = pair.of(upstream[name], downstream[link.dimension_name])
            asks[name] = (link.dimension_name, partial(_ask_upstream, link.partition_mapping, dimensions))
        return _Combined(pair.downstream, pair.upstream, asks, pair)

    def get_downstream_keys(self, upstream_keys: Sequence[str], pair: PartitionsPair) -> Sequence[str]:
        upstream, downstream = _dimensions(pair.upstream), _dimensions(pair.downstream)
        asks: dict[str, tuple[str, _Ask]] = {}
        for name, link in self._links(pair.upstream, pair.downstream).items():
            dimensions = pair.of(upstream[name], downstream[link.dimension_name])
            asks[link.dimension_name] = (name, partial(_ask_downstream, link.partition_mapping, dimensions))
        return _Combined(pair.upstream, pair.downstream, asks, pair).together(upstream_keys).keys


@dataclass(frozen=True, slots=True)
class MultiPartitionMapping(_DimensionsMapping):
    """Maps upstream dimensions to downstream dimensions; along one that is not named, everything belongs to everything.

    >>> yesterday = TimeWindowPartitionMapping(start_offset=-1, end_offset=-1)
    >>> mapping = MultiPartitionMapping(
    ...     {"day": DimensionPartitionMapping("day", yesterday), "region": DimensionPartitionMapping("region")}
    ... )
    >>> mapping.looks_back
    True
    """

    downstream_mappings_by_upstream_dimension: Mapping[str, DimensionPartitionMapping] = field(hash=False)

    @property
    def looks_back(self) -> bool:
        links = self.downstream_mappings_by_upstream_dimension
        return any(link.dimension_name == name and link.partition_mapping.looks_back for name, link in links.items())

    def validate(self, upstream: PartitionsDefinition | None, downstream: PartitionsDefinition | None) -> None:
        for side, partitions_def in (("upstream", upstream), ("downstream", downstream)):
            if not isinstance(partitions_def, MultiPartitionsDefinition):
                found = "none" if partitions_def is None else str(partitions_def)
                raise InvalidDefinitionError(f"a multi-partition mapping needs {side} multi-partitions, not {found}")
        _DimensionsMapping.validate(self, upstream, downstream)

    def _links(
        self, upstream: PartitionsDefinition | None, downstream: PartitionsDefinition | None
    ) -> Mapping[str, DimensionPartitionMapping]:
        return self.downstream_mappings_by_upstream_dimension


@dataclass(frozen=True, slots=True)
class MultiToSingleDimensionPartitionMapping(_DimensionsMapping):
    """Maps one dimension of multi-partitions, upstream or downstream, to partitions that have no dimensions.

    Without `partition_dimension_name` it is the one dimension with the same partitions, or else the one of time windows where
    the other table has time windows too. Keys are equal, and windows of time overlap.
    """

    partition_dimension_name: str | None = None

    def _links(
        self, upstream: PartitionsDefinition | None, downstream: PartitionsDefinition | None
    ) -> Mapping[str, DimensionPartitionMapping]:
        if isinstance(upstream, MultiPartitionsDefinition) and not isinstance(downstream, MultiPartitionsDefinition):
            name, mapping = self._link(upstream, downstream)
            return {name: DimensionPartitionMapping(_ONLY, mapping)}
        if isinstance(downstream, MultiPartitionsDefinition) and not isinstance(upstream, MultiPartitionsDefinition):
            name, mapping = self._link(downstream, upstream)
            return {_ONLY: DimensionPartitionMapping(name, mapping)}
        raise InvalidDefinitionError(
            "a mapping to a single dimension needs multi-partitions on one side, and others on the other"
        )

    def _link(self, multi: MultiPartitionsDefinition, single: PartitionsDefinition | None) -> tuple[str, PartitionMapping]:
        name = self.partition_dimension_name
        if name is None:
            equal = [dim.name for dim in multi.partitions_defs if dim.partitions_def == single]
            time = multi.time_window_dimension if isinstance(single, TimeWindowPartitionsDefinition) else None
            fitting = equal or ([time.name] if time else [])
            if len(fitting) != 1:
                found = f"the dimensions {' and '.join(map(repr, fitting))} fit" if fitting else "no dimension fits"
                hint = "Give a MultiToSingleDimensionPartitionMapping with the name of the dimension."
                raise InvalidDefinitionError(f"of {multi}, {found} {'none' if single is None else single}", hint=hint)
            name = fitting[0]
        found_def = _dimension(_dimensions(multi), name, "upstream or downstream")
        windows = isinstance(single, TimeWindowPartitionsDefinition) and isinstance(found_def, TimeWindowPartitionsDefinition)
        return name, TimeWindowPartitionMapping() if windows else IdentityPartitionMapping()


def _dimensions(partitions_def: PartitionsDefinition | None) -> Mapping[str, PartitionsDefinition]:
    if isinstance(partitions_def, MultiPartitionsDefinition):
        return {dim.name: dim.partitions_def for dim in partitions_def.partitions_defs}
    return {} if partitions_def is None else {_ONLY: partitions_def}


def _dimension(dimensions: Mapping[str, PartitionsDefinition], name: str, side: str) -> PartitionsDefinition:
    if name not in dimensions:
        hint = close_matches(name, list(dimensions))
        raise InvalidDefinitionError(f"a partition mapping names the dimension {name!r}, which the {side} lacks", hint=hint)
    return dimensions[name]


def _ask_upstream(mapping: PartitionMapping, pair: PartitionsPair, key: str) -> UpstreamPartitions:
    return mapping.get_upstream_keys([key], pair)


def _ask_downstream(mapping: PartitionMapping, pair: PartitionsPair, key: str) -> UpstreamPartitions:
    return UpstreamPartitions(tuple(mapping.get_downstream_keys([key], pair)))


class _Combined:
    """The keys of the target that belong to keys of the source, combined from those along each dimension.

    `asks` has, for a target dimension, the source dimension that it belongs to, and what answers for one key along it.
    """

    def __init__(
        self,
        source: PartitionsDefinition | None,
        target: PartitionsDefinition | None,
        asks: Mapping[str, tuple[str, _Ask]],
        pair: PartitionsPair,
    ) -> None:
        self._source = source
        self._names, places = tuple(_dimensions(target)), list(_dimensions(source))
        self._linked = [(name, places.index(place), cache(ask)) for name, (place, ask) in asks.items()]
        self._free = {
            name: UpstreamPartitions(tuple(pair.keys_of(d))) for name, d in _dimensions(target).items() if name not in asks
        }
        self._join = partial(MultiPartitionKey._of, self._names) if isinstance(target, MultiPartitionsDefinition) else "".join
        self.of = cache(self._of)

    def asked(self, key: str) -> tuple[str, ...]:
        """The parts of a source key along the dimensions that matter."""
        parts = _parts(self._source, key)
        return tuple(parts[place] for _, place, _ in self._linked)

    def together(self, keys: Sequence[str]) -> UpstreamPartitions:
        """What belongs to any of these keys."""
        answers = [self.of(parts) for parts in dict.fromkeys(map(self.asked, keys))]
        found = dict.fromkeys(key for answer in answers for key in answer.keys)
        missing = dict.fromkeys(key for answer in answers for key in answer.nonexistent if key not in found)
        return UpstreamPartitions(tuple(found), tuple(missing))

    def _of(self, parts: tuple[str, ...]) -> UpstreamPartitions:
        answers = self._free | {name: ask(part) for (name, _, ask), part in zip(self._linked, parts, strict=True)}
        along = [answers[name] for name in self._names]
        found = dict.fromkeys(map(self._join, product(*(answer.keys for answer in along))))
        if not any(answer.nonexistent for answer in along):
            return UpstreamPartitions(tuple(found))
        every = map(self._join, product(*((*answer.keys, *answer.nonexistent) for answer in along)))
        return UpstreamPartitions(tuple(found), tuple(key for key in every if key not in found))


def _parts(partitions_def: PartitionsDefinition | None, key: str) -> Sequence[str]:
    """A key's part along each dimension."""
    if isinstance(partitions_def, MultiPartitionsDefinition):
        return tuple(partitions_def.get_partition_key_from_str(key).keys_by_dimension.values())
    return (key,)
