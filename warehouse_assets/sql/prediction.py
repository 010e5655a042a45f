"""Queries whose columns nobody can tell before they run. Loads sqlglot, so it is imported when used."""

from __future__ import annotations

import sqlglot
from sqlglot import exp
from sqlglot.errors import SqlglotError

__all__ = ["told_by_rows"]


def told_by_rows(text: str, dialect: str = "duckdb") -> str | None:
    """Why the columns of a query depend on its rows, or on statements that come before it; None where they do not.

    >>> told_by_rows("pivot sales on year using sum(amount)")
    'it makes a column of each value that it pivots on'
    >>> told_by_rows("pivot sales on year in (2024, 2025) using sum(amount)")
    """
    try:
        statements = [statement for statement in sqlglot.parse(text, dialect=dialect) if statement is not None]
    except (SqlglotError, RecursionError):
        return None  # the engine will say what is wrong with it
    if len(statements) > 1:
        return "it is several statements, which would have to run"
    for pivot in (pivot for statement in statements for pivot in statement.find_all(exp.Pivot)):
        if not pivot.args.get("unpivot") and not all(_has_values(part) for part in _pivoted_on(pivot)):
            return "it makes a column of each value that it pivots on"
    return None


def _pivoted_on(pivot: exp.Pivot) -> list[exp.Expr]:
    """What it makes columns of, in the form of DuckDB or in that of the standard."""
    return pivot.args.get("fields") or ([] if pivot.args.get("field") else pivot.expressions)


def _has_values(part: exp.Expr) -> bool:
    return (
        isinstance(part, exp.In)
        and bool(part.expressions)
        and not any(isinstance(each, exp.PivotAny) for each in part.expressions)
    )
