"""What an I/O manager is told of a write and of a read."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from warehouse_assets.errors import InvalidMetadataError
from warehouse_assets.io_manager.partitions import ContextPartitions
from warehouse_assets.keys import AssetKey
from warehouse_assets.metadata import MetadataValue, normalize_metadata

if TYPE_CHECKING:
    from warehouse_assets.io_manager.base import IOManager
    from warehouse_assets.io_manager.powers import StagedTable
    from warehouse_assets.table_options import TableOptions

__all__ = ["InputContext", "OutputContext", "TableSource", "logger"]

logger = logging.getLogger("warehouse_assets")

_NOTHING: Mapping[Any, Any] = {}


class OutputContext(ContextPartitions):
    """What an I/O manager knows of the output it stores, and what it can say about it.

    `definition_metadata` is the asset's own metadata.
    `sources` are the tables that a SQL output may read, by the key of their asset: those the asset depends on.
    """

    __slots__ = (
        "_metadata",
        "asset_key",
        "definition_metadata",
        "instance",
        "log",
        "name",
        "partition_keys",
        "partitions_def",
        "resource_config",
        "resources",
        "run_id",
        "sources",
        "step_key",
        "version",
    )

    def __init__(
        self,
        asset_key: AssetKey,
        *,
        name: str = "result",
        step_key: str | None = None,
        run_id: str | None = None,
        definition_metadata: Mapping[str, Any] = _NOTHING,
        resources: Any = None,
        resource_config: Any = None,
        log: logging.Logger = logger,
        instance: Any = None,
        partition_keys: Sequence[str] = (),
        partitions_def: Any = None,
        version: str | None = None,
        sources: Mapping[AssetKey, TableSource] = _NOTHING,
    ) -> None:
        self.asset_key = asset_key
        self.name = name
        self.step_key = step_key
        self.run_id = run_id
        self.definition_metadata = definition_metadata
        self.resources = resources
        self.resource_config = resource_config
        self.log = log
        self.instance = instance
        self.partition_keys = partition_keys
        self.partitions_def = partitions_def
        self.version = version
        self.sources = sources
        self._metadata: dict[str, MetadataValue] = {}

    def add_output_metadata(self, metadata: Mapping[str, Any]) -> None:
        """Record metadata with this write; InvalidMetadataError when a key was set before, or a value cannot be recorded."""
        new = normalize_metadata(metadata)
        if twice := new.keys() & self._metadata.keys():
            raise InvalidMetadataError(
                f"the I/O manager of asset {self.asset_key.to_user_string()!r} set the metadata {sorted(twice)} twice"
            )
        self._metadata.update(new)

    @property
    def table_options(self) -> TableOptions:
        """How the table of the asset is to be written."""
        from warehouse_assets.table_options import TableOptions

        return TableOptions.of(self.definition_metadata)

    @property
    def output_metadata(self) -> Mapping[str, MetadataValue]:
        """What was recorded so far."""
        return self._metadata


class InputContext(ContextPartitions):
    """What an I/O manager knows of the input it loads.

    `asset_key` is the asset to load, `name` the argument it is for, `type_hint` what the argument's annotation asks for (None:
    the manager's own choice), `metadata` what `AssetIn` says, `upstream_output` the write that made the asset, as far as it is
    known: its `definition_metadata` is the metadata of the asset or source. `made_by` says what should have made the table.
    `table_version` is the version of the table to read, as its store names it; None for the present one.
    """

    __slots__ = (
        "asset_key",
        "instance",
        "log",
        "made_by",
        "metadata",
        "name",
        "partition_keys",
        "partitions_def",
        "resource_config",
        "resources",
        "run_id",
        "step_key",
        "table_version",
        "type_hint",
        "upstream_output",
    )

    def __init__(
        self,
        asset_key: AssetKey,
        *,
        name: str | None = None,
        step_key: str | None = None,
        run_id: str | None = None,
        type_hint: Any = None,
        metadata: Mapping[str, Any] = _NOTHING,
        upstream_output: OutputContext | None = None,
        resources: Any = None,
        resource_config: Any = None,
        log: logging.Logger = logger,
        instance: Any = None,
        partition_keys: Sequence[str] = (),
        partitions_def: Any = None,
        made_by: str | None = None,
        table_version: str | None = None,
    ) -> None:
        self.asset_key = asset_key
        self.name = name
        self.step_key = step_key
        self.run_id = run_id
        self.type_hint = type_hint
        self.metadata = metadata
        self.upstream_output = upstream_output or OutputContext(asset_key, resources=resources, log=log)
        self.resources = resources
        self.resource_config = resource_config
        self.log = log
        self.instance = instance
        self.partition_keys = partition_keys
        self.partitions_def = partitions_def
        self.made_by = made_by
        self.table_version = table_version

    @property
    def definition_metadata(self) -> Mapping[str, Any]:
        """The metadata that `AssetIn` gave for this input."""
        return self.metadata

    @property
    def columns(self) -> tuple[str, ...] | None:
        """The columns to read, from `AssetIn(metadata={"columns": […]})` or the source's metadata; None for all."""
        columns = self.metadata.get("columns") or self.upstream_output.definition_metadata.get("columns")
        if not isinstance(columns, (list, tuple)) or not all(isinstance(column, str) for column in columns):
            if columns is None:
                return None
            raise self._refused("columns", columns, "a list of column names")
        return tuple(columns)

    @property
    def where(self) -> str | None:
        """The SQL condition that the rows to read fulfil, from `AssetIn(where=…)` or the source's metadata."""
        where = self.metadata.get("where")
        if where is None or (isinstance(where, str) and where.strip()):
            return where
        raise self._refused("where", where, "a SQL condition")

    @property
    def limit(self) -> int | None:
        """The most rows to read, from `AssetIn(limit=…)` or the source's metadata."""
        limit = self.metadata.get("limit")
        if limit is None or (type(limit) is int and limit >= 0):
            return limit
        raise self._refused("limit", limit, "a number of rows")

    def _refused(self, name: str, value: Any, wanted: str) -> InvalidMetadataError:
        of = self.asset_key.to_user_string()
        return InvalidMetadataError(f'the metadata "{name}" of asset {of!r} is not {wanted}: {value!r}')


@dataclass(frozen=True, slots=True)
class TableSource:
    """A table that SQL can read: the manager that holds it, or where it is staged, and the context to load it with."""

    io_manager: IOManager | StagedTable
    context: InputContext

    @property
    def asset_key(self) -> AssetKey:
        """The asset that the table belongs to."""
        return self.context.asset_key
