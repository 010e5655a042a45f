"""What is declared of tables, as the metadata that I/O managers find: how one is written, and which part of one is read."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from warehouse_assets.definitions.naming import Faults, caller_place
from warehouse_assets.errors import InvalidDefinitionError

__all__ = ["TABLE_OPTIONS", "part_of_table", "with_table_options"]

TABLE_OPTIONS = "table_options"


def part_of_table(columns: Sequence[str] | None, where: str | None, limit: int | None) -> dict[str, Any]:
    """The metadata of an input that reads a part of a table; InvalidDefinitionError, with the place, for what is none."""

    def refuse(what: str) -> InvalidDefinitionError:
        return InvalidDefinitionError(f"an AssetIn has {what}", where=str(caller_place()))

    if columns is not None and (isinstance(columns, str) or not all(isinstance(column, str) for column in columns)):
        raise refuse(f"columns={columns!r}, which is no list of column names")
    if where is not None and (not isinstance(where, str) or not where.strip()):
        raise refuse(f"where={where!r}, which is no SQL condition")
    if limit is not None and (type(limit) is not int or limit < 0):
        raise refuse(f"limit={limit!r}, which is no number of rows")
    given = {"columns": None if columns is None else list(columns), "where": where, "limit": limit}
    return {name: value for name, value in given.items() if value is not None}


def with_table_options(metadata: Mapping[str, Any] | None, table: Any, faults: Faults) -> Mapping[str, Any] | None:
    """The metadata of an asset whose table is written as `table` says; a fault where it is no TableOptions, or they contradict."""
    from warehouse_assets.table_options import TableOptions

    if not isinstance(table, TableOptions):
        faults.add(f"table is {table!r}, not TableOptions", hint='Write table=TableOptions(mode="append").')
        return metadata
    try:
        return table.in_metadata(metadata)
    except InvalidDefinitionError as error:
        faults.add(error.message)
        return metadata
