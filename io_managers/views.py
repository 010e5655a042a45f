"""Views in place of tables: which assets can be one, and what their queries can read."""

from __future__ import annotations

import copy
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

from warehouse_assets.errors import InvalidDefinitionError, InvalidSQLError, TableError, UnsupportedTypeError
from warehouse_assets.io_manager import InputContext, OutputContext, TableSource
from warehouse_assets.keys import AssetKey
from warehouse_assets.sql import SQL
from warehouse_assets.table_options import TableOptions
from warehouse_assets.tables import TableName

__all__ = ["check_view", "foreign_view", "is_view", "refuse_frame", "refuse_values", "seen_by_view", "unreadable_view"]

MARK = "made by warehouse-assets"  # the comment of the views that may be replaced

_TABLE = 'With materialized="table" it can.'


def is_view(context: OutputContext) -> bool:
    """Whether a view is to be made."""
    return context.table_options.materialized == "view"


def check_view(key: AssetKey, options: TableOptions, partitions_def: Any, *, keeps_views: bool) -> None:
    """Raise InvalidDefinitionError for a view that a store does not keep, or that has partitions."""
    if options.materialized != "view":
        return
    whose = f"asset {key.to_user_string()!r} is a view"
    if not keeps_views:
        raise InvalidDefinitionError(
            f"{whose}, and its store keeps tables only", hint='Write materialized="table". DuckDB and SQL databases keep views.'
        )
    if partitions_def is not None:
        raise InvalidDefinitionError(
            f"{whose}, which holds no rows, and has partitions", hint='Write materialized="table", or leave the partitions out.'
        )


def refuse_frame(context: OutputContext, obj: Any) -> None:
    """Raise UnsupportedTypeError for a view that is given anything but a query."""
    if is_view(context) and not isinstance(obj, SQL):
        raise UnsupportedTypeError(
            f"asset {context.asset_key.to_user_string()!r} is a view, which is made of SQL, and got a {type(obj).__qualname__}",
            hint=f"Return SQL(…). {_TABLE}",
        )


def seen_by_view(
    context: OutputContext, in_place: Callable[[TableSource], tuple[str, Mapping[str, Any]] | None]
) -> Callable[[TableSource], tuple[str, Mapping[str, Any]] | None]:
    """`in_place` for the query of a view: it gives whole tables of the same store; InvalidSQLError for any other."""
    whose = f"asset {context.asset_key.to_user_string()!r} is a view, and its SQL reads"

    def found(source: TableSource) -> tuple[str, Mapping[str, Any]]:
        what = repr(source.asset_key.to_user_string())
        if source.asset_key == context.asset_key:
            raise InvalidSQLError(f"{whose} the view itself")
        if (rows := in_place(_whole(source, f"{whose} {what}"))) is None:
            raise InvalidSQLError(f"{whose} {what}, which lives in another store, where it cannot see it", hint=_TABLE)
        return rows

    return found


def refuse_values(context: OutputContext, parameters: Mapping[str, Any], statements: int = 1) -> None:
    """Raise InvalidSQLError for the query of a view that has bound values, or statements before it, which a view does not keep."""
    whose = f"asset {context.asset_key.to_user_string()!r} is a view, which keeps one query"
    if parameters:
        raise InvalidSQLError(f"{whose} and no bound values, and its SQL has some", hint=f"Write them in the SQL. {_TABLE}")
    if statements > 1:
        raise InvalidSQLError(f"{whose}, and its SQL holds {statements} statements", hint=_TABLE)


def foreign_view(name: TableName, store: str, quoted: str) -> TableError:
    """The error for a view that somebody else made where the table of an asset is to be."""
    return TableError(f"{name} in {store} is a view, not a table", hint=f"Drop it first: drop view {quoted}")


def unreadable_view(context: InputContext, name: TableName, said: str) -> TableError:
    """The error for a view whose query fails, since what it reads is gone or has other columns."""
    key = context.asset_key.to_user_string()
    return TableError(
        f"the view {name} of asset {key!r} cannot be read: {said.partition(chr(10) * 2)[0]}",
        hint="What it reads was changed or dropped. Materialize it again, with SQL that fits.",
    )


def _whole(source: TableSource, reads: str) -> TableSource:
    """The whole table, of which all partitions are meant; InvalidSQLError where some are."""
    context = source.context
    if context.partitions_def is None:
        return source
    if set(context.partitions_def.get_partition_keys(None, context.instance)) - set(context.partition_keys):
        raise InvalidSQLError(f"{reads}, some partitions of it, and a view reads whole tables", hint=_TABLE)
    context = copy.copy(context)
    context.partitions_def, context.partition_keys = None, ()
    return replace(source, context=context)
