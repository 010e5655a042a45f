"""SQL conditions, as people give them to read some rows of a table. Loads sqlglot, so it is imported when used."""

from __future__ import annotations

import sqlglot
from sqlglot import exp
from sqlglot.errors import SqlglotError

from warehouse_assets.errors import InvalidSQLError
from warehouse_assets.keys import AssetKey

__all__ = ["condition_text"]


def condition_text(where: str, key: AssetKey, dialect: str = "duckdb") -> str:
    """The condition as it can stand in a query over the table of the asset `key`; InvalidSQLError for what is not one condition.

    >>> print(condition_text("amount > 3 -- large ones", AssetKey("orders")))
    (
    amount > 3 -- large ones
    )
    """
    try:
        sqlglot.parse_one(where, dialect=dialect, into=exp.Condition)
    except (SqlglotError, RecursionError):
        raise InvalidSQLError(
            f"{where!r}, given to read some rows of asset {key.to_user_string()!r}, is no SQL condition",
            hint="Write what could follow WHERE.",
        ) from None
    return f"(\n{where}\n)"
