"""What the record says of versions, of tables and of their partitions, and the version of several partitions together."""

from __future__ import annotations

import math
from bisect import bisect_right
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from hashlib import blake2b
from operator import itemgetter

from warehouse_assets.events import CODE_VERSION_TAG, DATA_VERSION_TAG, INPUT_DATA_VERSION_TAG, Event
from warehouse_assets.graph.partition_links import Partition
from warehouse_assets.keys import AssetKey

__all__ = ["INITIAL", "LatestVersions", "Recorded", "digest"]

INITIAL = "INITIAL"  # the data version of a table that nothing was ever recorded of


@dataclass(frozen=True, slots=True)
class Recorded:
    """What an event says of versions: that of the data, and what it was made from.

    `inputs` are the data versions of what the asset was made from; None where that is not known, as of a table that something
    else made. `storage_id` orders what was recorded; that of a run under way comes last.
    """

    data_version: str
    code_version: str | None = None
    inputs: Mapping[AssetKey, str] | None = None
    storage_id: float = math.inf

    @classmethod
    def of(cls, event: Event) -> Recorded:
        """What a materialization or observation says. One without a data version is a version of its own."""
        tags = event.data.tags if event.asset_key is not None else {}  # type: ignore[union-attr]
        storage_id = math.inf if event.storage_id is None else event.storage_id
        version, code = tags.get(DATA_VERSION_TAG), tags.get(CODE_VERSION_TAG)
        if version is None:
            return cls(f"event {event.storage_id}", code, None, storage_id)
        if not event.run_id:
            return cls(version, code, None, storage_id)
        inputs = {_key_of(tag): value for tag, value in tags.items() if tag.startswith(INPUT_DATA_VERSION_TAG)}
        return cls(version, code, inputs, storage_id)


@lru_cache(maxsize=65_536)
def _key_of(tag: str) -> AssetKey:
    return AssetKey.from_escaped_string(tag.removeprefix(INPUT_DATA_VERSION_TAG))


class LatestVersions:
    """What was last recorded of each partition of each table; of one that is not partitioned, of its only one, None.

    What was recorded of the whole of a partitioned source holds for all its partitions.
    """

    def __init__(self, found: Mapping[AssetKey, Mapping[Partition, Recorded]]) -> None:
        self._found = {key: dict(partitions) for key, partitions in found.items()}
        self._together: dict[AssetKey, tuple[Sequence[Partition], Recorded | None]] = {}  # the last answer for each table
        self._later: dict[AssetKey, tuple[Sequence[Partition], list[Partition], list[float]]] = {}

    def get(self, key: AssetKey, partition: Partition = None) -> Recorded | None:
        """What was last recorded of one partition, or None."""
        partitions = self._found.get(key)
        if partitions is None:
            return None
        found = partitions.get(partition)
        if partition is not None and (whole := partitions.get(None)) is not None:
            return whole if found is None or found.storage_id < whole.storage_id else found
        return found

    def record(self, key: AssetKey, partition: Partition, recorded: Recorded) -> None:
        """Take up what a run makes."""
        self._found.setdefault(key, {})[partition] = recorded
        if self._together:
            self._together.pop(key, None)

    def together(self, key: AssetKey, partitions: Sequence[Partition], own: Partition) -> Recorded | None:
        """What the partition `own` of another table is made from, as one version; None where nothing was recorded of it.

        The partition of the same key, or a table that is not partitioned, has the version of its data. That of others is a hash of
        their keys and versions, so that other partitions are other data; those of which nothing was recorded are passed over.
        """
        if len(partitions) == 1 and partitions[0] in (own, None):
            return self.get(key, partitions[0])
        last = self._together.get(key)
        if last is None or last[0] is not partitions:
            last = self._together[key] = (partitions, self._combined(key, partitions))
        return last[1]

    def later(self, key: AssetKey, partitions: Sequence[Partition], than: float) -> tuple[Sequence[Partition], int]:
        """Those of these partitions of which something was recorded, in that order, and the place from which on it was later."""
        last = self._later.get(key)
        if last is None or last[0] is not partitions:
            found = [(recorded.storage_id, name) for name in partitions if (recorded := self.get(key, name)) is not None]
            found.sort(key=itemgetter(0))
            last = self._later[key] = (partitions, [name for _, name in found], [storage_id for storage_id, _ in found])
        return last[1], bisect_right(last[2], than)

    def _combined(self, key: AssetKey, partitions: Iterable[Partition]) -> Recorded | None:
        found = [(partition, recorded) for partition in partitions if (recorded := self.get(key, partition)) is not None]
        if not found:
            return None
        versions = sorted((str(partition), recorded.data_version) for partition, recorded in found)
        return Recorded(digest(versions), storage_id=max(recorded.storage_id for _, recorded in found))


def digest(value: object) -> str:
    """A short text that differs where the values do."""
    return blake2b(repr(value).encode("utf-8", "surrogatepass"), digest_size=16).hexdigest()
