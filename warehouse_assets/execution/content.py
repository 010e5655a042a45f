"""The data version "content": a fingerprint of what is stored, the same for the same rows in any order.

A table is read once, by the SQL of its store or by an embedded DuckDB: each row becomes 128 bits, and the bits of all rows are added
up, so that memory does not grow with the table, and a row that is there twice counts twice. The columns go by name.
"""

from __future__ import annotations

from collections.abc import Iterable
from hashlib import blake2b
from typing import TYPE_CHECKING, Any

from warehouse_assets.errors import InvalidOutputError, ResourceError
from warehouse_assets.io_manager.base import IOManager
from warehouse_assets.io_manager.contexts import TableSource
from warehouse_assets.io_manager.powers import QueriesSQL, ScansInDuckDB
from warehouse_assets.io_manager.registry import io_manager_from_uri
from warehouse_assets.sql.value import SQL
from warehouse_assets.tables import Table, quote_identifier

if TYPE_CHECKING:
    from warehouse_assets.execution.tables import StoredTables
    from warehouse_assets.io_manager.contexts import InputContext, OutputContext

__all__ = ["content_version"]


def content_version(tables: StoredTables, told: OutputContext, partition: str | None = None) -> str:
    """The fingerprint of what was just written: of the table, of one partition of it, or of a value that is no table."""
    key = told.asset_key
    manager = tables.manager_of(key)
    context = tables.input_context(key, step_key=told.step_key)
    context.partition_keys, context.partitions_def = (() if partition is None else (partition,)), told.partitions_def
    if not isinstance(manager, (QueriesSQL, ScansInDuckDB)):
        value = manager.load_input(context)
        if not hasattr(value, "__arrow_c_stream__"):
            return _digest(_pickled(value, key.to_user_string()))
        manager = _Held(value)
    return _of_table(TableSource(manager, context))


def _of_table(source: TableSource) -> str:
    engine = source.io_manager if isinstance(source.io_manager, QueriesSQL) else io_manager_from_uri("duckdb://")
    if not isinstance(engine, QueriesSQL):
        raise ResourceError(f"the I/O manager {type(engine).__name__} that is registered for duckdb:// answers no SQL")
    sources, table = {source.asset_key: source}, str(Table(source.asset_key))
    with engine.query(SQL(f"select * from {table} limit 0"), sources) as reader:
        columns = sorted((field.name, _kind(field.type)) for field in reader.schema)
    row = ", ".join(quote_identifier(name) for name, _ in columns)
    query = f"""
        select count(*)::varchar as n, sum((h >> 64)::ubigint)::varchar as high, sum((h & {2**64 - 1}::uhugeint)::ubigint)::varchar as low
        from (select md5_number(json_array({row})::varchar) as h from {table}) as hashed
    """
    with engine.query(SQL(query), sources) as reader:
        sums = reader.read_all().to_pylist()
    return _digest(repr((columns, sums)).encode("utf-8", "surrogatepass"))


def _kind(dtype: Any) -> str:
    """What sort of values a column has; how wide they are differs from store to store."""
    name = str(dtype)
    if name.startswith("dictionary"):
        return _kind(dtype.value_type)
    if inner := [dtype.field(i) for i in range(dtype.num_fields)]:
        form = "list" if "list" in name.partition("<")[0] else name.partition("<")[0]
        return f"{form}<{', '.join(f'{_kind(field.type)} {field.name}' if form == 'struct' else _kind(field.type) for field in inner)}>"
    for kind, beginnings in _KINDS.items():
        if name.startswith(beginnings):
            return kind + (" with zone" if "tz=" in name else "")
    return name


_KINDS = {
    "integer": ("int", "uint"),
    "float": ("float", "double", "halffloat"),
    "text": ("string", "large_string", "utf8"),
    "bytes": ("binary", "large_binary", "fixed_size_binary"),
    "decimal": ("decimal",),
    "date": ("date",),
    "time": ("time32", "time64"),
    "timestamp": ("timestamp",),
}


class _Held(IOManager):
    """A frame that is in memory, as SQL can read it."""

    def __init__(self, frame: Any) -> None:
        self.frame = frame

    def handle_output(self, context: OutputContext, obj: Any) -> Iterable[Any] | None:
        raise NotImplementedError

    def load_input(self, context: InputContext) -> Any:
        return context.type_hint.from_stream(self.frame)  # a RecordBatchReader is what the engine asks for


def _pickled(value: Any, name: str) -> bytes:
    import pickle

    try:
        return pickle.dumps(value, protocol=5)
    except Exception as error:
        raise InvalidOutputError(
            f"the content of asset {name!r} cannot be told: a value of type {type(value).__qualname__} cannot be pickled: {error}",
            hint="Give its version as Output(value, data_version=…).",
        ) from error


def _digest(content: bytes) -> str:
    return blake2b(content, digest_size=16).hexdigest()
