"""The stored tables of a graph, as I/O managers load them: for the steps of a run, for a notebook, and for SQL."""

from __future__ import annotations

import logging
from collections import ChainMap
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from warehouse_assets.errors import InvalidInvocationError, ResourceError, TableNotFoundError
from warehouse_assets.execution.partitions import ProjectRecord, checked_partition_key
from warehouse_assets.execution.resources import ResourcePool, Resources
from warehouse_assets.graph.asset_graph import AssetGraph, AssetNode
from warehouse_assets.io_manager.base import IOManager
from warehouse_assets.io_manager.contexts import InputContext, OutputContext, TableSource, logger
from warehouse_assets.io_manager.powers import OpensReadOnly, QueriesSQL
from warehouse_assets.io_manager.registry import io_manager_from_uri
from warehouse_assets.keys import AssetKey
from warehouse_assets.sql.names import resolve_table
from warehouse_assets.sql.value import SQL

if TYPE_CHECKING:
    from warehouse_assets.execution.table_versions import AsOf

__all__ = ["NO_RESOURCES", "StoredTables", "part_asked_for"]

NO_RESOURCES = Resources({})

_NOTHING: Mapping[Any, Any] = {}


def part_asked_for(columns: Iterable[str] | None, where: str | None, limit: int | None) -> dict[str, Any]:
    """The part of a table that a person asks for, as an input has it in its metadata."""
    given = {"columns": None if columns is None else list(columns), "where": where, "limit": limit}
    return {name: value for name, value in given.items() if value is not None}


class StoredTables:
    """Finds the manager of each asset of a graph, and says to it what it is asked for."""

    def __init__(
        self,
        graph: AssetGraph,
        pool: ResourcePool,
        *,
        run_id: str | None = None,
        instance: Any = None,
        log: logging.Logger = logger,
        reads_only: bool = False,
    ) -> None:
        self.graph = graph
        self.pool = pool
        self.run_id = run_id
        self.instance = instance
        self.log = log
        self._read_only: dict[str, IOManager] | None = {} if reads_only else None

    def manager_of(self, key: AssetKey) -> IOManager:
        """The manager that holds the table of an asset."""
        return self.manager(self.graph.nodes[key].io_manager_key)

    def manager(self, name: str) -> IOManager:
        """The manager of this name; ResourceError for a resource that is none."""
        if self._read_only is not None and name in self._read_only:
            return self._read_only[name]
        manager = self.pool.get(name)
        if not isinstance(manager, IOManager):
            raise ResourceError(
                f"the resource {name!r} is used as an I/O manager, and is of type {type(manager).__qualname__}",
                hint="Give an object of a class derived from IOManager.",
            )
        if self._read_only is not None:
            manager = manager.opened_read_only() if isinstance(manager, OpensReadOnly) else manager
            self._read_only[name] = manager
        return manager

    def partition_keys(self, key: AssetKey, partition_key: str | None = None) -> Sequence[str]:
        """One partition of an asset, which has to exist, or all there are; none where it is not partitioned."""
        partitions_def = self.graph.nodes[key].spec.partitions_def
        store = self.instance if self.instance is not None else ProjectRecord()
        if partitions_def is None:
            if partition_key is not None:
                raise InvalidInvocationError(
                    f"partition_key is {partition_key!r}, and asset {key.to_user_string()!r} is not partitioned"
                )
            return ()
        if partition_key is not None:
            return (checked_partition_key(partitions_def, partition_key, store),)
        return tuple(partitions_def.get_partition_keys(None, store))

    def output_context(
        self,
        key: AssetKey,
        *,
        step_key: str | None = None,
        sources: Mapping[AssetKey, TableSource] | None = None,
        partition_keys: Sequence[str] | None = None,
    ) -> OutputContext:
        """What the manager is told of the write of an asset: of these partitions, or of all there are."""
        node = self.graph.nodes[key]
        return OutputContext(
            key,
            name=node.output.name if node.output is not None else "result",
            step_key=step_key,
            run_id=self.run_id,
            definition_metadata=node.spec.metadata,
            resources=NO_RESOURCES,
            log=self.log,
            instance=self.instance,
            partition_keys=self.partition_keys(key) if partition_keys is None else partition_keys,
            partitions_def=node.spec.partitions_def,
            version=node.spec.code_version,
            sources=sources or {},
        )

    def input_context(
        self,
        key: AssetKey,
        *,
        step_key: str | None = None,
        argument: str | None = None,
        type_hint: Any = None,
        metadata: Mapping[str, Any] | None = None,
        partition_keys: Sequence[str] | None = None,
        table_version: str | None = None,
    ) -> InputContext:
        """What the manager is told of the read of an asset: of these partitions, or of all there are."""
        keys = self.partition_keys(key) if partition_keys is None else partition_keys
        return InputContext(
            key,
            name=argument,
            step_key=step_key,
            run_id=self.run_id,
            type_hint=type_hint,
            metadata=self._asked_of(key, metadata or {}),
            table_version=table_version,
            upstream_output=self.output_context(key, partition_keys=keys),
            resources=NO_RESOURCES,
            log=self.log,
            instance=self.instance,
            partition_keys=keys,
            partitions_def=self.graph.nodes[key].spec.partitions_def,
            made_by=_made_by(self.graph.nodes[key]),
        )

    def _asked_of(self, key: AssetKey, metadata: Mapping[str, Any]) -> Mapping[str, Any]:
        """What is to be read of a table: as the reader says, and as its source says."""
        node = self.graph.nodes[key]
        if node.definition is not None or not node.spec.metadata:
            return metadata
        return {**{name: node.spec.metadata[name] for name in ("where", "limit") if name in node.spec.metadata}, **metadata}

    def load(
        self,
        key: AssetKey,
        as_type: Any = None,
        *,
        metadata: Mapping[str, Any] | None = None,
        partition_key: str | None = None,
        partition_keys: Sequence[str] | None = None,
        as_of: AsOf | None = None,
    ) -> Any:
        """The stored value of an asset, as `as_type`: of one partition, of several, or the whole; now, or `as_of` then.

        TableNotFoundError for a key that is not in the graph, or a version that is not kept, PartitionNotFoundError for a
        partition that does not exist.
        """
        if key not in self.graph:
            raise TableNotFoundError(f"there is no asset {key.to_user_string()!r}", hint=self.graph.unknown_key_error(key))
        keys = self.partition_keys(key, partition_key) if partition_keys is None else partition_keys
        version = None
        if as_of is not None:
            from warehouse_assets.execution.table_versions import version_as_of

            version = version_as_of(self, key, as_of, self.instance)
        context = self.input_context(key, type_hint=as_type, metadata=metadata, partition_keys=keys, table_version=version)
        return self.manager_of(key).load_input(context)

    def sources(
        self,
        keys: Iterable[AssetKey],
        *,
        step_key: str | None = None,
        partition_keys: Callable[[AssetKey], Sequence[str]] | None = None,
    ) -> Mapping[AssetKey, TableSource]:
        """Assets as tables that SQL can read, of the partitions that `partition_keys` gives, or of all.

        Each manager is started when its table is asked for.
        """
        return _Sources(self, dict.fromkeys(keys), step_key, partition_keys or self.partition_keys)

    @contextmanager
    def query(self, sql: SQL, instead: Mapping[AssetKey, TableSource] = _NOTHING) -> Iterator[Any]:
        """The answer to SQL over any of the assets, as a `pyarrow.RecordBatchReader` that is open inside the block.

        It runs in the store of its tables where that answers SQL, and on an embedded DuckDB otherwise. What is given in `instead`
        is read in place of the stored table, and asked first: a staged table for example, which nobody else sees.
        """
        engine = self.engine_of(sql, instead)
        with engine.query(sql, ChainMap(dict(instead), self.sources(self.graph.nodes))) as reader:  # type: ignore[arg-type]
            yield reader

    def engine_of(self, sql: SQL, instead: Mapping[AssetKey, TableSource] = _NOTHING) -> QueriesSQL:
        """What answers `query`."""
        keys = list(self.graph.nodes)
        used = {key for parts in sql.tables() if (key := resolve_table(parts, keys)) is not None}
        managers = [instead[key].io_manager if key in instead else self.manager_of(key) for key in used]
        managers.sort(key=lambda manager: not any(manager is source.io_manager for source in instead.values()))
        engines: list[QueriesSQL] = [manager for manager in managers if isinstance(manager, QueriesSQL)]
        if self._read_only is not None:  # and others are brought to one that does not write either
            engines = [engine for engine in engines if isinstance(engine, OpensReadOnly)]
        engine = engines[0] if engines else io_manager_from_uri("duckdb://")
        if not isinstance(engine, QueriesSQL):
            raise ResourceError(f"the I/O manager {type(engine).__name__} that is registered for duckdb:// answers no SQL")
        return engine


class _Sources(Mapping[AssetKey, TableSource]):
    __slots__ = ("_keys", "_partition_keys", "_step_key", "_tables")

    def __init__(
        self,
        tables: StoredTables,
        keys: Mapping[AssetKey, None],
        step_key: str | None,
        partition_keys: Callable[[AssetKey], Sequence[str]],
    ) -> None:
        self._tables = tables
        self._keys = keys
        self._step_key = step_key
        self._partition_keys = partition_keys

    def __getitem__(self, key: AssetKey) -> TableSource:
        if key not in self._keys:
            raise KeyError(key)
        context = self._tables.input_context(key, step_key=self._step_key, partition_keys=self._partition_keys(key))
        return TableSource(self._tables.manager_of(key), context)

    def __iter__(self) -> Iterator[AssetKey]:
        return iter(self._keys)

    def __len__(self) -> int:
        return len(self._keys)


def _made_by(node: AssetNode) -> str:
    name = node.key.to_user_string()
    if node.definition is not None:
        return f"asset {name!r} ({node.place}), which has to be materialized first"
    return f"source {name!r} ({node.place}), which something else fills"
