"""Which partitions a run makes, and which partitions of other tables it makes them from."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from warehouse_assets.errors import InvalidInvocationError, InvalidSelectionError, PartitionNotFoundError
from warehouse_assets.events import PARTITION_RANGE_END_TAG, PARTITION_RANGE_START_TAG, PARTITION_TAG
from warehouse_assets.execution.outputs import name_of
from warehouse_assets.graph.partitions import argument_mapping, depends_on_itself, edge_mappings

if TYPE_CHECKING:
    from collections.abc import Mapping

    from warehouse_assets.definitions.assets import AssetsDefinition
    from warehouse_assets.execution.plan import Plan, Step
    from warehouse_assets.graph.asset_graph import AssetGraph
    from warehouse_assets.keys import AssetKey
    from warehouse_assets.partitions.definition import DynamicPartitionsStore, PartitionKeyRange, PartitionsDefinition
    from warehouse_assets.partitions.mapping import PartitionMapping

__all__ = ["ChosenPartitions", "ProjectRecord", "RunPartitions", "checked_partition_key", "choose_partitions"]


@dataclass(frozen=True, slots=True)
class ChosenPartitions:
    """The partitions that all partitioned assets of a run are made for: one, or those of a range."""

    partitions_def: PartitionsDefinition
    keys: tuple[str, ...]
    is_range: bool = False

    @property
    def tags(self) -> Mapping[str, str]:
        """What the record of the run says of them."""
        if not self.is_range:
            return {PARTITION_TAG: self.keys[0]}
        return {PARTITION_RANGE_START_TAG: self.keys[0], PARTITION_RANGE_END_TAG: self.keys[-1]}


class RunPartitions:
    """The partitions that one run makes and needs, all as of the time at which it began.

    `store` knows the dynamic partitions, which the run itself may add to.
    """

    __slots__ = ("_narrowed", "chosen", "current_time", "graph", "store")

    def __init__(
        self, graph: AssetGraph, chosen: ChosenPartitions | None = None, store: DynamicPartitionsStore | None = None
    ) -> None:
        self.graph = graph
        self.chosen = chosen
        self._narrowed: dict[AssetsDefinition, ChosenPartitions] = {}
        self.store = store
        self.current_time = datetime.now(UTC)

    def of(self, definition: AssetsDefinition) -> ChosenPartitions | None:
        """The partitions that a definition's assets are made for; None where they are not partitioned."""
        if self.chosen is None or definition.partitions_def is None:
            return None
        return self._narrowed.get(definition, self.chosen)

    def narrow(self, definition: AssetsDefinition, keys: Collection[str]) -> None:
        """Make a definition's assets for the shortest range that has these keys: a function that is called once wants a whole one."""
        if self.chosen is not None and self.chosen.is_range:
            places = [place for place, key in enumerate(self.chosen.keys) if key in keys]
            self._narrowed[definition] = replace(self.chosen, keys=self.chosen.keys[places[0] : places[-1] + 1])

    def made(self, definition: AssetsDefinition) -> tuple[str, ...]:
        """The keys of these partitions; none where they are not partitioned."""
        chosen = self.of(definition)
        return chosen.keys if chosen is not None else ()

    def for_argument(
        self, definition: AssetsDefinition, selected: Sequence[AssetKey], argument: str, key: AssetKey
    ) -> Sequence[str]:
        """The partitions of the asset `key` that an argument is filled with; none where it is not partitioned.

        `selected` are the assets that are made at once. PartitionNotFoundError for partitions that are needed and do not exist;
        where an asset is made from itself, there is nothing before the first.
        """
        if self.graph.nodes[key].spec.partitions_def is None:
            return ()
        return self._upstream(selected, [argument_mapping(self.graph.nodes, definition, argument, key)], key)

    def for_table(self, selected: Sequence[AssetKey], child: AssetKey, key: AssetKey) -> Sequence[str]:
        """The same of a table `key` as a whole, which `child`, one of the `selected` assets, depends on."""
        nodes = self.graph.nodes
        if nodes[key].spec.partitions_def is None:
            return ()
        return self._upstream(selected, edge_mappings(nodes, self.graph.bindings, nodes[child], key), key)

    def _upstream(self, selected: Sequence[AssetKey], mappings: Iterable[PartitionMapping], key: AssetKey) -> Sequence[str]:
        from warehouse_assets.partitions.mapping import PartitionsPair

        nodes = self.graph.nodes
        downstream, definition = nodes[selected[0]].spec.partitions_def, nodes[selected[0]].definition
        made = self.made(definition) if definition is not None and downstream is not None else ()
        pair = PartitionsPair(nodes[key].spec.partitions_def, downstream, self.current_time, self.store)
        found = [mapping.get_upstream_keys(made, pair) for mapping in mappings]
        keys = dict.fromkeys(name for answer in found for name in answer.keys)
        if key in selected:
            here = frozenset(made)  # and so not there yet
            return tuple(name for name in keys if name not in here)
        if missing := [name for answer in found for name in answer.nonexistent]:
            raise _nonexistent(key, pair.upstream, missing, selected[0], made)
        return tuple(keys)


def choose_partitions(
    graph: AssetGraph,
    plan: Plan,
    partition_key: str | None,
    partition_key_range: PartitionKeyRange | None,
    store: DynamicPartitionsStore | None,
) -> ChosenPartitions | None:
    """The partitions that a run is asked for; None where no asset of its plan is partitioned.

    Raises PartitionNotFoundError for partitions that do not exist, and InvalidInvocationError or InvalidSelectionError where none
    are given, where they are of no use, or where the assets cannot be made for them in one run.
    """
    steps = [step for step in plan.steps if step.definition.partitions_def is not None]
    if partition_key is not None and partition_key_range is not None:
        raise InvalidInvocationError("partition_key and partition_key_range are both given", hint="Give one of them.")
    if not steps:
        for name, given in (("partition_key", partition_key), ("partition_key_range", partition_key_range)):
            if given is not None:
                raise InvalidInvocationError(f"{name} is {given!r}, and no selected asset is partitioned")
        return None
    partitions_def = _shared(steps)
    if partition_key_range is not None:
        keys = partitions_def.get_partition_keys_in_range(_checked_range(partition_key_range), None, store)
        _check_several(graph, steps, len(keys))
        return ChosenPartitions(partitions_def, tuple(keys), is_range=True)
    if partition_key is None:
        raise _none_given(steps[0], partitions_def, store)
    return ChosenPartitions(partitions_def, (checked_partition_key(partitions_def, partition_key, store),))


def checked_partition_key(partitions_def: Any, partition_key: str, store: DynamicPartitionsStore | None) -> str:
    """The key, which for multi-partitions knows its dimensions; PartitionNotFoundError where there is no such partition."""
    from warehouse_assets.partitions.multi import MultiPartitionsDefinition

    if not isinstance(partition_key, str):
        raise InvalidInvocationError(f"partition_key is {partition_key!r}, not a string")
    partitions_def.validate_partition_key(partition_key, None, store)
    if isinstance(partitions_def, MultiPartitionsDefinition):
        return partitions_def.get_partition_key_from_str(partition_key)
    return partition_key


class ProjectRecord:
    """The dynamic partitions in the record of the project, which is opened only when they are asked for."""

    def get_dynamic_partitions(self, partitions_def_name: str) -> Sequence[str]:
        """The keys of the dynamic partitions of this name."""
        from warehouse_assets.instance import Instance

        with Instance.get(create=False) as instance:
            return instance.get_dynamic_partitions(partitions_def_name)


def _shared(steps: Sequence[Step]) -> PartitionsDefinition:
    first = steps[0].definition
    for step in steps:
        other = step.definition
        if other.partitions_def != first.partitions_def:
            raise InvalidSelectionError(
                f"the selected assets are not partitioned alike: {name_of(steps[0])} ({first.place}) has "
                f"{first.partitions_def}, and {name_of(step)} ({other.place}) has {other.partitions_def}",
                hint="Materialize them in runs of their own, as `wa backfill start` does.",
            )
    return first.partitions_def  # type: ignore[no-any-return]


def _checked_range(given: Any) -> PartitionKeyRange:
    from warehouse_assets.partitions.definition import PartitionKeyRange

    if isinstance(given, PartitionKeyRange) and isinstance(given.start, str) and isinstance(given.end, str):
        return given
    raise InvalidInvocationError(
        f"partition_key_range is {given!r}, not a PartitionKeyRange of two strings",
        hint='Give for example PartitionKeyRange("2024-01-01", "2024-01-31").',
    )


def _check_several(graph: AssetGraph, steps: Sequence[Step], count: int) -> None:
    """A function is called once for a range, so it has to be one that can make so many partitions at once."""
    for step in steps:
        policy = step.definition.backfill_policy
        if policy is not None and policy.max_partitions_per_run is not None and count > policy.max_partitions_per_run:
            raise InvalidInvocationError(
                f"{name_of(step)} makes at most {policy.max_partitions_per_run} partitions in one run, and the range has {count}",
                where=str(step.definition.place),
                hint="Materialize it in several runs, as `wa backfill start` does, or give it BackfillPolicy.single_run() if its function can make them at once.",
            )
        if policy is None and count > 1 and _makes_itself(graph, step):
            raise InvalidInvocationError(
                f"{name_of(step)} makes each partition from those before it, and a range is made at once",
                where=str(step.definition.place),
                hint="Materialize its partitions one after the other, as `wa backfill start` does, or give it BackfillPolicy.single_run().",
            )


def _makes_itself(graph: AssetGraph, step: Step) -> bool:
    made = step.asset_keys
    if any(key in made for key in graph.bindings[step.definition].values()):
        return True
    return any(depends_on_itself(graph.bindings, graph.nodes[key]) for key in made)


def _none_given(
    step: Step, partitions_def: PartitionsDefinition, store: DynamicPartitionsStore | None
) -> InvalidInvocationError:
    last = partitions_def.get_last_partition_key(None, store)
    example = f"the last one is {last!r}" if last is not None else "there is none yet"
    return InvalidInvocationError(
        f"{name_of(step)} has {partitions_def}, and no partition is given",
        where=str(step.definition.place),
        hint=f"Give a partition_key (--partition on the command line) or a range; {example}.",
    )


def _nonexistent(
    key: AssetKey, partitions_def: Any, missing: Sequence[str], child: AssetKey, made: Sequence[str]
) -> PartitionNotFoundError:
    needed = f", for {_shown(made)}," if made else ""
    return PartitionNotFoundError(
        f"asset {child.to_user_string()!r} needs{needed} partitions of {key.to_user_string()!r} that do not exist: "
        f"{_shown(missing)}. It has {partitions_def}",
        hint="Give the dependency a partition mapping that does without them, or both assets partitions that fit.",
    )


def _shown(keys: Sequence[str]) -> str:
    more = f" and {len(keys) - 3} more" if len(keys) > 3 else ""
    return ", ".join(map(repr, keys[:3])) + more
