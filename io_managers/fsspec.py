"""`FsspecIOManager`: any Python value as one file, in any file system that fsspec knows. The default I/O manager."""

from __future__ import annotations

import pickle
from collections.abc import Mapping, Sequence
from functools import cached_property
from typing import Any, Self

from pydantic import Field

from io_managers.files import Files, partition_folder
from io_managers.slices import keys_by_dimension
from io_managers.values import ValueStore
from warehouse_assets.errors import TableNotFoundError, UnsupportedTypeError
from warehouse_assets.io_manager import ConfigurableIOManager, InputContext, OutputContext
from warehouse_assets.keys import AssetKey
from warehouse_assets.metadata import IntMetadataValue, MetadataValue, TextMetadataValue

__all__ = ["FsspecIOManager"]

SUFFIX = ".pickle"


class FsspecIOManager(ValueStore, ConfigurableIOManager):
    """Keeps each value as a pickle file under `base_path`, a folder or a URL such as `s3://bucket/prefix`.

    `storage_options` go to the file system. Lazy frames and streams are read once and kept whole, and come back as the frame that
    an annotation asks for. A partition is a file of its own, `table.pickle/partition=2024-01-01/data.pickle`. Load only what you or people you trust have stored: reading a pickle can run any code.
    """

    base_path: str
    storage_options: Mapping[str, Any] = Field(default_factory=dict, repr=False)

    @classmethod
    def from_uri(cls, uri: str) -> Self:
        """The manager for files under the URL `uri`."""
        return cls(base_path=uri)

    @cached_property
    def _files(self) -> Files:
        return Files(self.base_path, self.storage_options)

    @property
    def store_id(self) -> str:
        return f"pickle:{self._files.uri(self._files.root)}"

    def place_of(self, key: AssetKey, metadata: Mapping[str, Any]) -> str:
        """The URI of the file."""
        return self._files.uri(self._files.path(key, SUFFIX))

    def drop(self, context: OutputContext) -> bool:
        """Remove the file, or those of all partitions; whether there was one."""
        return self._files.remove(self._files.path(context.asset_key, SUFFIX))

    def _put(self, context: OutputContext, partition: str | None, value: Any) -> Mapping[str, MetadataValue]:
        path = self._path(context, partition)
        with self._files.replacing(path) as target:
            try:
                if isinstance(target, str):
                    with open(target, "wb") as file:
                        pickle.dump(value, file, pickle.HIGHEST_PROTOCOL)
                else:
                    pickle.dump(value, target, pickle.HIGHEST_PROTOCOL)
            except (pickle.PicklingError, TypeError, AttributeError) as error:
                raise UnsupportedTypeError(
                    f"the value of asset {context.asset_key.to_user_string()!r}, of type {type(value).__qualname__}, "
                    f"cannot be pickled: {error}",
                    hint="Return plain data, or give the asset an I/O manager that knows the type.",
                ) from error
        return {
            "byte_size": IntMetadataValue(self._files.size(path)),
            "uri": TextMetadataValue(self._files.uri(path)),
        }

    def _get(self, context: InputContext, partition: str | None) -> Any:
        try:
            with self._files.open(self._path(context, partition)) as file:
                return pickle.load(file)
        except (FileNotFoundError, IsADirectoryError) as error:
            raise LookupError(str(error)) from None

    def _stored(self, context: InputContext) -> Sequence[str]:
        return self._files.within(self._files.path(context.asset_key, SUFFIX), SUFFIX)

    def _missing(self, context: InputContext, partition: str | None) -> TableNotFoundError:
        key = context.asset_key.to_user_string()
        return TableNotFoundError(
            f"there is no file {self._files.uri(self._path(context, partition))}; it should come from "
            f"{context.made_by or f'asset {key!r}'}",
            hint="Materialize it first, or check that both use the same base path.",
        )

    def _path(self, context: InputContext | OutputContext, partition: str | None) -> str:
        path = self._files.path(context.asset_key, SUFFIX)
        if partition is None:
            return path
        if context.partitions_def is None:  # as `_stored` names them
            return partition
        return f"{path}/{partition_folder(keys_by_dimension(context.partitions_def, partition))}/data{SUFFIX}"
