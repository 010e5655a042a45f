"""One text for all ways to write a query. Loads sqlglot, so it is imported when used."""

from __future__ import annotations

import sqlglot
from sqlglot.errors import SqlglotError

from warehouse_assets.sql.composition import PLACEHOLDER

__all__ = ["canonical"]


def canonical(template: str, dialect: str = "duckdb", *, pretty: bool = False) -> str:
    """The query without comments and formatting, its keywords in capitals; text that is no SQL is left as it is.

    A `pretty` one has a line for each part.

    >>> canonical("select a  -- of all\\nfrom {t} where a<>1")
    'SELECT a FROM "{t}" WHERE a <> 1'
    """
    text = PLACEHOLDER.sub(lambda match: f'"{match[0]}"', template)
    try:
        statements = sqlglot.parse(text, dialect=dialect)
        texts = [statement.sql(dialect, comments=False, pretty=pretty) for statement in statements if statement is not None]
        return (";\n" if pretty else "; ").join(texts)
    except (SqlglotError, RecursionError):
        return template
