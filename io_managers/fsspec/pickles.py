"""`Pickles`: any Python value as one file. `FsspecIOManager` keeps what is no table with it."""

from __future__ import annotations

import pickle
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, ExitStack, suppress
from typing import Any, BinaryIO

from io_managers.asset_files import AssetFiles
from io_managers.cloud import ReplacedError
from io_managers.files import Files
from io_managers.values import MissingValueError, ValueIOManager
from warehouse_assets.errors import UnsupportedTypeError
from warehouse_assets.io_manager import InputContext, OutputContext, Rehearsal
from warehouse_assets.keys import AssetKey

__all__ = ["Pickles"]

SUFFIX = ".pickle"
REPLACED_TRIES = 10


class Pickles(ValueIOManager):
    """Keeps each value as a pickle file, one for each partition."""

    def __init__(self, files: Files) -> None:
        self._files = files

    @property
    def store_id(self) -> str:
        return f"pickle:{self._files.uri(self._files.root)}"

    def place_of(self, key: AssetKey, metadata: Mapping[str, Any]) -> str:
        """The URI of the file."""
        return self._files.uri(self._own(key).whole)

    def keep(self, context: OutputContext, values: Mapping[str | None, Any]) -> Mapping[str, Any]:
        own = self._own(context.asset_key)
        if None not in values and own.is_whole():
            raise own.without_partitions()
        with ExitStack() as stack:
            for partition, value in values.items():
                path = own.whole if partition is None else own.partition(context.partitions_def, partition)
                target = stack.enter_context(self._files.replacing(path, beside=own.whole))
                _dump(value, target, context.asset_key)
        if None in values:
            self._files.remove_folder(own.folder)
            return {"byte_size": self._files.size(own.whole), "uri": self._files.uri(own.whole)}
        return {"byte_size": sum(size for size, _ in own.partitions().values()), "uri": self._files.uri(own.folder)}

    def kept(self, context: InputContext, partition: str | None) -> Any:
        own = self._own(context.asset_key)
        if partition is not None and own.is_whole():
            raise own.without_partitions()
        path = own.whole if partition is None else own.partition(context.partitions_def, partition)
        try:
            return self._load(path)
        except FileNotFoundError:
            what = f"for partition {partition!r} there" if partition is not None else "there"
            raise MissingValueError(f"{what} is no file {self._files.uri(path)}") from None

    def kept_partitions(self, context: InputContext, staging: OutputContext | None) -> Iterator[Any]:
        own = self._own(context.asset_key)
        replaced = () if staging is None else own.meant(staging).values()
        return (self._load(path) for path in own.partitions() if path not in replaced)

    def drop(self, context: OutputContext) -> bool:
        """Remove the file, or those of the partitions that are meant; whether there was one."""
        return self._own(context.asset_key).drop(context)

    def rehearsal(self) -> AbstractContextManager[Rehearsal]:
        """Pickles of frames without rows, in a folder of their own."""
        from io_managers.fsspec.rehearsing import rehearsed

        return rehearsed(lambda folder: Pickles(Files(folder)))

    def _own(self, key: AssetKey) -> AssetFiles:
        return AssetFiles(self._files, key, SUFFIX)

    def _load(self, path: str) -> Any:
        for _ in range(REPLACED_TRIES):
            with suppress(ReplacedError), self._files.unchanged(path), self._files.open(path) as file:
                return pickle.load(file)
        with self._files.open(path) as file:
            return pickle.load(file)


def _dump(value: Any, target: str | BinaryIO, key: AssetKey) -> None:
    try:
        if isinstance(target, str):
            with open(target, "wb") as file:
                pickle.dump(value, file, pickle.HIGHEST_PROTOCOL)
        else:
            pickle.dump(value, target, pickle.HIGHEST_PROTOCOL)
    except (pickle.PicklingError, TypeError, AttributeError) as error:
        raise UnsupportedTypeError(
            f"the value of asset {key.to_user_string()!r}, of type {type(value).__qualname__}, cannot be pickled: {error}",
            hint="Return plain data, or give the asset an I/O manager that knows the type.",
        ) from error
