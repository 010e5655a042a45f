"""Which write modes a store keeps, and whether it keeps earlier versions."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

from warehouse_assets.errors import InvalidDefinitionError
from warehouse_assets.io_manager import KeepsVersions
from warehouse_assets.keys import AssetKey
from warehouse_assets.table_options import TableOptions, WriteMode

__all__ = ["check_mode", "check_versions", "keeps_rows"]


def check_mode(key: AssetKey, options: TableOptions, partitions_def: Any, kept: Collection[str]) -> None:
    """Raise InvalidDefinitionError for a write mode that a store does not keep, or that does not go with the partitions."""
    mode, whose = options.mode, f"asset {key.to_user_string()!r}"
    is_partition = mode.kind == "delete_insert" and not mode.key
    if is_partition and partitions_def is None:
        raise InvalidDefinitionError(
            f'{whose} has the mode "delete_insert", which replaces a partition, and no partitions',
            hint='Write mode=delete_insert(by="column"), or give a partitions_def.',
        )
    if mode.kind == "snapshot" and partitions_def is not None:
        raise InvalidDefinitionError(
            f"{whose} is a snapshot, which is of a whole table, and has partitions", hint="Use upsert(key=…)."
        )
    if not is_partition and mode.kind not in kept:
        known = ", ".join(sorted(kept))
        raise InvalidDefinitionError(f"{whose} has the mode {mode}, which its store does not keep", hint=f"It keeps {known}.")


def check_versions(key: AssetKey, options: TableOptions, manager: object) -> None:
    """Raise InvalidDefinitionError for `keep_versions` in a store that keeps no earlier states of its tables."""
    if options.keep_versions is not None and not isinstance(manager, KeepsVersions):
        raise InvalidDefinitionError(
            f"asset {key.to_user_string()!r} has keep_versions, and its store keeps no earlier versions of its tables",
            hint="DuckDB, Parquet, Delta Lake and Iceberg do.",
        )


def keeps_rows(mode: WriteMode) -> bool:
    """Whether a write in this mode looks at the rows that are there; others replace the table, or the partition."""
    return mode.kind != "replace" and (mode.kind != "delete_insert" or bool(mode.key))
