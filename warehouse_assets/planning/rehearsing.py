"""The tables of a plan: what their stores have, and what they would make of new ones, tried without rows."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import ExitStack
from typing import Any

from warehouse_assets.errors import TableNotFoundError, WarehouseAssetsError
from warehouse_assets.events import error_line
from warehouse_assets.execution.tables import StoredTables
from warehouse_assets.graph.asset_graph import AssetNode
from warehouse_assets.graph.partitions import readable_tables
from warehouse_assets.graph.requirements import input_manager_key
from warehouse_assets.io_manager.contexts import InputContext, TableSource
from warehouse_assets.io_manager.powers import Rehearsal, RehearsesWrites
from warehouse_assets.keys import AssetKey
from warehouse_assets.tables import TableSchema

__all__ = ["RehearsedTables", "UnknownColumnsError"]


class UnknownColumnsError(Exception):
    """Why the columns of a table are not known."""


class RehearsedTables:
    """Tables without rows, each in a rehearsal of its own store; what is stored is looked at when it is first asked for.

    `partition_key` is the partition that partitioned assets would be made for, if one was chosen.
    """

    def __init__(self, stored: StoredTables, partition_key: str | None = None) -> None:
        self._stored = stored
        self._graph = stored.graph
        self._partition_key = partition_key
        self._stack = ExitStack()
        self._rehearsals: dict[str, Rehearsal | UnknownColumnsError] = {}
        self._known: dict[AssetKey, TableSchema | UnknownColumnsError | None] = {}
        self._there: set[AssetKey] = set()
        self._written: dict[AssetKey, Any] = {}
        self._lost: dict[AssetKey, str] = {}

    def __enter__(self) -> RehearsedTables:
        return self

    def __exit__(self, *raised: object) -> None:
        self._stack.close()

    def stored(self, key: AssetKey) -> TableSchema | None:
        """The columns of the stored table, None where there is none; UnknownColumnsError where its store does not tell them."""
        if key not in self._known:
            self._known[key] = self._recalled(key)
        known = self._known[key]
        if isinstance(known, UnknownColumnsError):
            raise known
        if known is not None:
            self._there.add(key)
        return known

    def recall(self, key: AssetKey, without: Collection[str] = ()) -> None:
        """Let a table be what is stored, but for some columns."""
        self._rehearsal(key).recall(self._reading(key), without)

    def lose(self, key: AssetKey, why: str) -> None:
        """Say of a table why nobody knows the columns that it will have."""
        self._lost[key] = why

    def promised(self, key: AssetKey) -> Any:
        """A frame without rows that has the columns which an asset promises; None where those are not told."""
        return self._rehearsal(key).promised(self._stored.output_context(key, partition_keys=()))

    def write(self, key: AssetKey, value: Any) -> TableSchema:
        """The columns of a table once `value` is written to it; it has them from now on. Raises what the write would raise."""
        node = self._graph.nodes[key]
        readable = readable_tables(self._graph.bindings, node)
        sources = _Sources(readable, self._source)
        context = self._stored.output_context(key, sources=sources, partition_keys=self._made(key))
        if key in readable and key not in self._there and self.stored(key) is None:
            self._begin(key)
        columns = self._rehearsal(key).write(context, value)
        self._there.add(key)
        self._written[key] = value
        return columns

    def _begin(self, key: AssetKey) -> None:
        """Let a table that is not there yet have the columns that it promises, since its asset reads it."""
        if (promised := self.promised(key)) is not None:
            self._rehearsal(key).write(self._stored.output_context(key, partition_keys=self._made(key)), promised)
            self._there.add(key)

    def restore(self, key: AssetKey) -> None:
        """Let a table that was recalled have again what was written to it; where that fails, nobody knows what it has."""
        try:
            self.recall(key)
            self.write(key, self._written[key])
        except Exception as error:  # noqa: BLE001 - whatever a store raises
            self.lose(key, f"{key.to_user_string()}: {error_line(error)}")

    def argument(self, node: AssetNode, argument: str, key: AssetKey) -> Any:
        """What an argument of the function of `node` is filled with, without its rows."""
        assert node.definition is not None
        if input_manager_key(self._graph.nodes[key], node.definition, argument) != self._graph.nodes[key].io_manager_key:
            raise UnknownColumnsError(f"its argument {argument!r} is loaded by an I/O manager of its own")
        declared = node.definition.ins.get(argument)
        source = self._source(key, node.definition.function.annotation(argument), declared.metadata if declared else None)
        return source.io_manager.load_input(source.context)

    def _source(self, key: AssetKey, type_hint: Any = None, metadata: Mapping[str, Any] | None = None) -> TableSource:
        if key in self._lost:
            raise UnknownColumnsError(self._lost[key])
        if key not in self._there and self.stored(key) is None:
            raise UnknownColumnsError(f"{key.to_user_string()} is not there yet, and its columns are not known")
        context = self._stored.input_context(key, type_hint=type_hint, metadata=metadata, partition_keys=())
        context.partitions_def = context.upstream_output.partitions_def = None  # there is one table, whatever the partition
        return TableSource(self._rehearsal(key).io_manager, context)

    def _rehearsal(self, key: AssetKey) -> Rehearsal:
        name = self._graph.nodes[key].io_manager_key
        if name not in self._rehearsals:
            self._rehearsals[name] = self._started(name)
        rehearsal = self._rehearsals[name]
        if isinstance(rehearsal, UnknownColumnsError):
            raise rehearsal
        return rehearsal

    def _started(self, name: str) -> Rehearsal | UnknownColumnsError:
        try:
            manager = self._stored.manager(name)
            if not isinstance(manager, RehearsesWrites):
                return UnknownColumnsError(f"its I/O manager {type(manager).__name__} tells no columns before a write")
            return self._stack.enter_context(manager.rehearsal())
        except Exception as error:  # noqa: BLE001 - a store that cannot be reached: a plan says so, and goes on
            what = error.message if isinstance(error, WarehouseAssetsError) else error_line(error)
            return UnknownColumnsError(f"the I/O manager {name!r}: {what}")

    def _recalled(self, key: AssetKey) -> TableSchema | UnknownColumnsError | None:
        try:
            return self._rehearsal(key).recall(self._reading(key))
        except UnknownColumnsError as error:
            return error
        except TableNotFoundError:
            return None
        except WarehouseAssetsError as error:
            return UnknownColumnsError(error.message)
        except Exception as error:  # noqa: BLE001 - whatever a store raises
            return UnknownColumnsError(error_line(error))

    def _reading(self, key: AssetKey) -> InputContext:
        """The stored table; of a partitioned one, as it is beside the partition that would be made."""
        if self._graph.nodes[key].spec.partitions_def is None:
            return self._stored.input_context(key)
        made = set(self._made(key))
        others = sorted(self._stored.instance.get_materialized_partitions(key) - made)
        return self._stored.input_context(key, partition_keys=[*others, *made][:1])

    def _made(self, key: AssetKey) -> tuple[str, ...]:
        """The partition that a write would be of: the one that was chosen, or the last one."""
        if self._graph.nodes[key].spec.partitions_def is None:
            return ()
        keys = self._stored.partition_keys(key)
        if not keys:
            raise UnknownColumnsError("it has no partitions yet")
        chosen = self._partition_key
        return (chosen if chosen is not None and chosen in keys else keys[-1],)


class _Sources(Mapping[AssetKey, TableSource]):
    """The tables that SQL may read, each made ready when it does."""

    def __init__(self, keys: Collection[AssetKey], get: Callable[[AssetKey], TableSource]) -> None:
        self._keys = dict.fromkeys(keys)
        self._get = get

    def __getitem__(self, key: AssetKey) -> TableSource:
        if key not in self._keys:
            raise KeyError(key)
        return self._get(key)

    def __iter__(self) -> Iterator[AssetKey]:
        return iter(self._keys)

    def __len__(self) -> int:
        return len(self._keys)
