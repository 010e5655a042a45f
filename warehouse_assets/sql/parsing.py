"""Statements as syntax trees, each text parsed once. Loads sqlglot."""

from __future__ import annotations

from functools import lru_cache

import sqlglot
from sqlglot import exp
from sqlglot.errors import ParseError, TokenError

from warehouse_assets.errors import InvalidSQLError

__all__ = ["parsed"]


@lru_cache(maxsize=256)
def parsed(text: str, dialect: str) -> tuple[exp.Expr, ...]:
    """The statements of a text, which are not to be changed; InvalidSQLError where it cannot be read."""
    try:
        return tuple(statement for statement in sqlglot.parse(text, dialect=dialect) if statement is not None)
    except ParseError as error:
        fault = error.errors[0] if error.errors else {}
        place = f"line {fault.get('line')}, column {fault.get('col')}: " if fault else ""
        raise InvalidSQLError(f"{place}{fault.get('description') or error}") from None
    except (TokenError, RecursionError) as error:
        raise InvalidSQLError(f"it cannot be read: {error}") from None
