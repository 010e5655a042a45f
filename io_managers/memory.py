"""`InMemoryIOManager`: values kept in a dict, for tests and notebooks."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Self

from io_managers.values import ValueStore
from warehouse_assets.errors import TableNotFoundError
from warehouse_assets.io_manager.base import IOManager
from warehouse_assets.io_manager.contexts import InputContext, OutputContext
from warehouse_assets.keys import AssetKey
from warehouse_assets.metadata import MetadataValue

__all__ = ["InMemoryIOManager"]


class InMemoryIOManager(ValueStore, IOManager):
    """Keeps the values of assets in memory as long as the manager itself; `values` shows them by key, `partitions` by key and partition.

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

    def _put(self, context: OutputContext, partition: str | None, value: Any) -> Mapping[str, MetadataValue]:
        if partition is None:
            self.values[context.asset_key] = value
        else:
            self.partitions.setdefault(context.asset_key, {})[partition] = value
        return {}

    def _get(self, context: InputContext, partition: str | None) -> Any:
        return self.values[context.asset_key] if partition is None else self.partitions[context.asset_key][partition]

    def _stored(self, context: InputContext) -> Sequence[str]:
        return list(self.partitions.get(context.asset_key, ()))

    def _missing(self, context: InputContext, partition: str | None) -> TableNotFoundError:
        key = context.asset_key.to_user_string()
        what = f"asset {key!r}" if partition is None else f"the partition {partition!r} of asset {key!r}"
        return TableNotFoundError(
            f"nothing is kept in memory for {what}; it should come from {context.made_by or f'asset {key!r}'}",
            hint="Materialize it first, with the same I/O manager object.",
        )
