"""`InMemoryIOManager`: values kept in a dict, for tests and notebooks."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Self

from io_managers.frames import row_count
from io_managers.values import MissingValueError, ValueIOManager
from warehouse_assets.errors import TableError
from warehouse_assets.io_manager.contexts import InputContext, OutputContext
from warehouse_assets.keys import AssetKey

__all__ = ["InMemoryIOManager"]


class InMemoryIOManager(ValueIOManager):
    """Keeps the values of assets in memory as long as the manager itself: `values` by key, `partitions` by key and partition.

    Lazy frames and streams are read once and kept whole, and come back as the frame that an annotation asks for.
    """

    def __init__(self) -> None:
        self.values: dict[AssetKey, Any] = {}
        self.partitions: dict[AssetKey, dict[str, Any]] = {}

    @classmethod
    def from_uri(cls, uri: str) -> Self:
        """A new memory; the URI is `memory://`."""
        return cls()

    @property
    def store_id(self) -> str:
        """This memory and no other."""
        return f"memory:{id(self)}"

    def keep(self, context: OutputContext, values: Mapping[str | None, Any]) -> Mapping[str, Any]:
        key = context.asset_key
        if None in values:
            self.values[key] = values[None]
            self.partitions.pop(key, None)
            return {}
        if key in self.values:
            raise _without_partitions(key)
        partitions = self.partitions.setdefault(key, {})
        partitions.update((partition, value) for partition, value in values.items() if partition is not None)
        rows = [row_count(value) for value in partitions.values()]
        return {} if None in rows else {"row_count": sum(rows)}

    def kept(self, context: InputContext, partition: str | None) -> Any:
        key = context.asset_key
        if partition is not None and key in self.values:
            raise _without_partitions(key)
        try:
            return self.partitions[key][partition] if partition is not None else self.values[key]
        except KeyError:
            what = f"partition {partition!r} of " if partition is not None else ""
            raise MissingValueError(f"nothing is kept in memory for {what}asset {key.to_user_string()!r}") from None

    def kept_partitions(self, context: InputContext, staging: OutputContext | None) -> Iterable[Any]:
        replaced = () if staging is None else staging.partition_keys
        return [value for key, value in self.partitions.get(context.asset_key, {}).items() if key not in replaced]

    def drop(self, context: OutputContext) -> bool:
        """Forget the value, or the partitions that are meant; whether there was one."""
        key = context.asset_key
        if context.partitions_def is None:
            found = key in self.values or key in self.partitions
            self.values.pop(key, None)
            self.partitions.pop(key, None)
            return found
        kept = self.partitions.get(key, {})
        return sum(kept.pop(partition, self) is not self for partition in context.partition_keys) > 0


def _without_partitions(key: AssetKey) -> TableError:
    return TableError(
        f"asset {key.to_user_string()!r} has partitions, and is kept in memory without them",
        hint="Drop it, or take a new manager, and materialize the partitions.",
    )
