"""Snapshots of an Iceberg table that are not kept: which they are, and which files only they have."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import suppress
from typing import TYPE_CHECKING

from io_managers.iceberg.table import IcebergSnapshot
from io_managers.lakehouse.files import local_path

if TYPE_CHECKING:
    from pyiceberg.manifest import ManifestFile
    from pyiceberg.table import Table, Transaction
    from pyiceberg.table.snapshots import Snapshot

__all__ = ["expire", "remove_expired"]


def expire(transaction: Transaction, base: IcebergSnapshot, keep: int) -> None:
    """Make it a part of the transaction, which makes a snapshot, that the last `keep` of them stay, and those with names of their own."""
    from pyiceberg.table.update.snapshot import ExpireSnapshots

    named = {ref.snapshot_id for ref in transaction.table_metadata.refs.values()}
    versions = [int(version.version) for version in base.versions()]
    if old := {*versions[: max(0, len(versions) + 1 - keep)]} - named:
        ExpireSnapshots(transaction).by_ids([*old]).commit()


def remove_expired(before: list[Snapshot], table: Table) -> None:
    """Remove the files in the folder of a table that only snapshots have which it had `before`.

    A file that cannot be removed is one that nobody reads, like those of a process that was killed.
    """
    stay = {snapshot.snapshot_id for snapshot in table.snapshots()}
    gone = [snapshot for snapshot in before if snapshot.snapshot_id not in stay]
    if not gone or table.properties.get("gc.enabled", "true").lower() == "false":
        return
    folder = table.location().rstrip("/") + "/"
    places: list[str] = []
    with suppress(OSError):
        places += (place for place in _expired(gone, table) if place.startswith(folder))
    for place in places:
        with suppress(OSError):
            os.remove(local) if (local := local_path(place)) else table.io.delete(place)


def _expired(gone: list[Snapshot], after: Table) -> Iterator[str]:
    """The data files, and then the files that tell of them."""
    kept = _manifests(after.snapshots(), after)
    dead = {path: manifest for path, manifest in _manifests(gone, after).items() if path not in kept}
    files = {entry.data_file.file_path for each in dead.values() for entry in each.fetch_manifest_entry(after.io, False)}
    if files:
        files -= {entry.data_file.file_path for each in kept.values() for entry in each.fetch_manifest_entry(after.io)}
    yield from files
    yield from dead
    yield from (snapshot.manifest_list for snapshot in gone)


def _manifests(snapshots: list[Snapshot], table: Table) -> dict[str, ManifestFile]:
    return {manifest.manifest_path: manifest for snapshot in snapshots for manifest in snapshot.manifests(table.io)}
