"""The files of an asset: one for the whole value, or a folder with one for each partition."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from io_managers.files import Files, Stamp, encoded
from warehouse_assets.errors import TableError
from warehouse_assets.io_manager import InputContext, OutputContext
from warehouse_assets.keys import AssetKey

__all__ = ["AssetFiles", "partition_path"]

FOLDER = ".partitions"


def partition_path(partitions_def: Any, partition_key: str) -> str:
    """The relative folders of a partition, in the form that readers of Hive's folders know: no two partitions share one.

    They are called after the dimensions, with `partition` before that: where a column of the table has the very name of a
    folder, readers show what the folder says, a day for a time.

    >>> from warehouse_assets.partitions.static import StaticPartitionsDefinition
    >>> partition_path(StaticPartitionsDefinition(["a/b", "c"]), "a/b")
    'partition=a%2Fb'
    >>> from warehouse_assets.partitions.multi import MultiPartitionsDefinition
    >>> names = StaticPartitionsDefinition(["eu", "us"])
    >>> partition_path(MultiPartitionsDefinition({"from": names, "to": names}), "eu|us")
    'partition_from=eu/partition_to=us'
    """
    from warehouse_assets.partitions.multi import MultiPartitionsDefinition

    if not isinstance(partitions_def, MultiPartitionsDefinition):
        return f"partition={encoded(partition_key)}"
    parts = partitions_def.get_partition_key_from_str(partition_key).keys_by_dimension
    return "/".join(f"partition_{encoded(dimension)}={encoded(part)}" for dimension, part in parts.items())


@dataclass(frozen=True)
class AssetFiles:
    """Where the files of one asset are; whichever it is kept as, a file or a folder, readers see the one of them that counts.

    That is the file, where there are both: whoever makes one of a folder removes the folder after that, and nothing is added to
    a folder beside a file.
    """

    files: Files
    key: AssetKey
    suffix: str

    @cached_property
    def whole(self) -> str:
        """The path of the file for an asset without partitions."""
        return self.files.path(self.key, self.suffix)

    @property
    def folder(self) -> str:
        """The path of the folder for an asset with partitions; folders of other keys hold no dot."""
        return self.whole + FOLDER

    def partition(self, partitions_def: Any, partition_key: str) -> str:
        """The path of the file of a partition."""
        return f"{self.folder}/{partition_path(partitions_def, partition_key)}/data{self.suffix}"

    def meant(self, context: InputContext | OutputContext) -> dict[str, str]:
        """The partitions that a write or a read is about, each with the path of its file."""
        return {key: self.partition(context.partitions_def, key) for key in context.partition_keys}

    def partitions(self) -> dict[str, Stamp]:
        """The files of all partitions that are stored, sorted by their paths."""
        return self.files.found(self.folder, self.suffix)

    def existing(self, paths: Collection[str]) -> list[str]:
        """Those of the paths of partitions that have a file; many are told by one listing."""
        if self.files.is_local or len(paths) < 2:
            return [path for path in paths if self.files.exists(path)]
        found = self.partitions()
        return [path for path in paths if path in found]

    def is_whole(self) -> bool:
        """Whether the asset is kept as one file."""
        return self.files.exists(self.whole)

    def without_partitions(self) -> TableError:
        """The error for partitions of an asset that is kept as one file, whose rows are of no partition, or of all."""
        return TableError(
            f"asset {self.key.to_user_string()!r} has partitions, and is kept without them, in {self.files.uri(self.whole)}",
            hint="Move that file away, and materialize the partitions.",
        )

    def without_whole(self) -> TableError:
        """The error for rows that are to be kept of an asset without partitions, whose rows are in the files of partitions."""
        return TableError(
            f"asset {self.key.to_user_string()!r} keeps the rows it has, and has them in partitions, in {self.files.uri(self.folder)}",
            hint="Move that folder away, or write the whole table once in the mode replace.",
        )

    def drop(self, context: OutputContext) -> bool:
        """Remove the file and the folder, or the files of the partitions that are meant; whether there was one."""
        if context.partitions_def is not None:
            return sum(self.files.remove(path) for path in self.meant(context).values()) > 0
        removed = self.files.remove(self.whole)
        return self.files.remove_folder(self.folder) or removed
