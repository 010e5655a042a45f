"""What the context of a function says of partitions: those that it makes, and those that it is given."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from warehouse_assets.errors import InvalidInvocationError
from warehouse_assets.io_manager.partitions import ContextPartitions
from warehouse_assets.keys import AssetKey, CoercibleToAssetKey

if TYPE_CHECKING:
    from warehouse_assets.definitions.assets import AssetsDefinition
    from warehouse_assets.execution.partitions import ChosenPartitions
    from warehouse_assets.execution.session import RunSession
    from warehouse_assets.partitions.clock import TimeWindow
    from warehouse_assets.partitions.definition import PartitionKeyRange

__all__ = ["AssetPartitions", "PartitionContext"]


@dataclass(frozen=True, slots=True)
class AssetPartitions(ContextPartitions):
    """Partitions of one asset, and what the asset is called in an error."""

    owner: str
    partition_keys: Sequence[str]
    partitions_def: Any

    @property
    def _owner(self) -> str:
        return self.owner

    @property
    def keys(self) -> Sequence[str]:
        """The partitions; PartitionNotFoundError for what is not partitioned."""
        from warehouse_assets.partitions.chosen import partitioned

        partitioned(self.partitions_def, self._owner)
        return self.partition_keys


class PartitionContext:
    """The partitions of a step; a question that has no answer, such as of an asset without any, is a PartitionNotFoundError.

    An output is meant by its name, which may be left out for the only one. An input is meant by its argument, or by the key of a
    dependency.
    """

    __slots__ = ()

    assets_def: AssetsDefinition
    _partitions: ChosenPartitions | None
    _selected: tuple[AssetKey, ...]
    _session: RunSession | None

    @abstractmethod
    def asset_key_for_output(self, output_name: str = "result") -> AssetKey:
        """The asset that an output makes."""

    @property
    def has_partition_key(self) -> bool:
        """Whether one partition is made."""
        return self._partitions is not None and len(self._partitions.keys) == 1

    @property
    def has_partition_key_range(self) -> bool:
        """Whether the partitions of a range are made, all at once."""
        return self._partitions is not None and self._partitions.is_range

    @property
    def partition_key(self) -> str:
        """The one partition that is made."""
        return self._made().partition_key

    @property
    def partition_keys(self) -> Sequence[str]:
        """The partitions that are made, in their order."""
        return self._made().keys

    @property
    def partition_key_range(self) -> PartitionKeyRange:
        """The first and the last of the partitions that are made."""
        return self._made().asset_partition_key_range

    @property
    def partition_time_window(self) -> TimeWindow:
        """The time that the partitions cover that are made, which have to be windows that follow each other."""
        return self._made().asset_partitions_time_window

    def asset_partitions_def_for_output(self, output_name: str = "result") -> Any:
        """How the asset of an output is partitioned."""
        return self._made(output_name).asset_partitions_def

    def asset_partition_key_for_output(self, output_name: str = "result") -> str:
        """The one partition of an output that is made."""
        return self._made(output_name).partition_key

    def asset_partition_keys_for_output(self, output_name: str = "result") -> Sequence[str]:
        """The partitions of an output that are made."""
        return self._made(output_name).keys

    def asset_partition_key_range_for_output(self, output_name: str = "result") -> PartitionKeyRange:
        """The first and the last of the partitions of an output that are made."""
        return self._made(output_name).asset_partition_key_range

    def asset_partitions_time_window_for_output(self, output_name: str = "result") -> TimeWindow:
        """The time that the partitions of an output cover that are made."""
        return self._made(output_name).asset_partitions_time_window

    def asset_partitions_def_for_input(self, input_name: CoercibleToAssetKey) -> Any:
        """How the asset of an input is partitioned."""
        return self._given(input_name).asset_partitions_def

    def asset_partition_key_for_input(self, input_name: CoercibleToAssetKey) -> str:
        """The one partition that an input is made of."""
        return self._given(input_name).partition_key

    def asset_partition_keys_for_input(self, input_name: CoercibleToAssetKey) -> Sequence[str]:
        """The partitions that an input is made of, which may be none."""
        return self._given(input_name).keys

    def asset_partition_key_range_for_input(self, input_name: CoercibleToAssetKey) -> PartitionKeyRange:
        """The first and the last of the partitions that an input is made of."""
        return self._given(input_name).asset_partition_key_range

    def asset_partitions_time_window_for_input(self, input_name: CoercibleToAssetKey) -> TimeWindow:
        """The time that the partitions cover that an input is made of."""
        return self._given(input_name).asset_partitions_time_window

    def _made(self, output_name: str | None = None) -> AssetPartitions:
        """What is made of an output; all outputs of a step are partitioned alike, and an op that is called alone has no asset."""
        if output_name is None or (output_name == "result" and len(self._selected) == 1):
            keys = self._selected[:1]
        else:
            keys = (self.asset_key_for_output(output_name),)
        owner = f"asset {keys[0].to_user_string()!r}" if keys else "what is called"
        if self._partitions is None:
            return AssetPartitions(owner, (), None)
        return AssetPartitions(owner, self._partitions.keys, self._partitions.partitions_def)

    def _given(self, name: CoercibleToAssetKey) -> AssetPartitions:
        """What is given by an input."""
        session = self._session
        if session is None:
            raise InvalidInvocationError("this context was built by hand and belongs to no run")
        bound = session.graph.bindings[self.assets_def]
        if isinstance(name, str) and name in bound:
            key = bound[name]
            keys = session.partitions.for_argument(self.assets_def, self._selected, name, key)
        else:
            key = AssetKey.coerce(name)
            child = next((one for one in self._selected if key in session.graph.nodes[one].parents), None)
            if child is None:
                raise InvalidInvocationError(f"{self.assets_def.node_name!r} has no input {name!r}; it has {sorted(bound)}")
            keys = session.partitions.for_table(self._selected, child, key)
        owner = f"asset {key.to_user_string()!r}"
        return AssetPartitions(owner, keys, session.graph.nodes[key].spec.partitions_def)
