"""Whether a table that is staged is what its asset promises, before it is published."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from io_managers.column_contract import ColumnContract
from io_managers.frames import FrameType
from warehouse_assets.io_manager import InputContext, OutputContext, QueriesSQL, TableSource
from warehouse_assets.sql import SQL
from warehouse_assets.tables import Table, TableName, TableSlice

if TYPE_CHECKING:
    import polars as pl

__all__ = ["check_staged"]


def check_staged(contract: ColumnContract, staged: Any, context: OutputContext, name: TableName, *, told: bool) -> None:
    """Raise ColumnContractError where the columns or the NULLs of a staged table are not as promised.

    No row is read but to count NULLs, and that only where a column may have none; columns that the frame `told` are right.
    """
    if not told:
        contract.check_types(_types(staged, context, name))
    if required := contract.required:
        contract.check_nulls(_nulls(required, staged, context, name))


def _types(staged: Any, context: OutputContext, name: TableName) -> dict[str, pl.DataType]:
    """The columns of the table that were written, without the times of a snapshot."""
    lazy = staged.read(_reading(context, whole=True), TableSlice(name, None, (), limit=0), FrameType.LAZY)
    mode = context.table_options.mode
    times = (mode.valid_from, mode.valid_to) if mode.kind == "snapshot" else ()
    return {column: dtype for column, dtype in lazy.collect_schema().items() if column not in times}


def _nulls(columns: list[str], staged: Any, context: OutputContext, name: TableName) -> dict[str, int]:
    """How many NULLs each of the columns has, among the rows of the partitions that were written."""
    reading, manager, quote = _reading(context), staged.manager, staged.quote
    if isinstance(staged, QueriesSQL):
        counts = (f"count(*) - count({quote(column)})" for column in columns)
        text = ", ".join(counts).replace("{", "{{").replace("}", "}}")
        sql = SQL(f"select {text} from {{table}}", table=Table(context.asset_key))
        with staged.query(sql, {context.asset_key: TableSource(manager, reading)}) as reader:
            row = reader.read_all()
        return {column: int(row.column(index)[0].as_py()) for index, column in enumerate(columns)}
    found = dict.fromkeys(columns, 0)
    partitions = manager.filters(reading, context)
    with staged.read(reading, TableSlice(name, tuple(columns), partitions), FrameType.READER) as reader:
        for batch in reader:
            for column in columns:
                found[column] += batch.column(column).null_count
    return found


def _reading(context: OutputContext, *, whole: bool = False) -> InputContext:
    """The context in which the table is read that is written."""
    return InputContext(
        context.asset_key,
        upstream_output=context,
        partitions_def=None if whole else context.partitions_def,
        partition_keys=() if whole else context.partition_keys,
    )
