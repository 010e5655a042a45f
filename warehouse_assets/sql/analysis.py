"""Reading SQL: the tables that a query names, and where in its text it names them. Loads sqlglot, so it is imported when used."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import sqlglot
from sqlglot import exp
from sqlglot.errors import ParseError, TokenError

from warehouse_assets.errors import InvalidSQLError
from warehouse_assets.tables import quote_identifier

__all__ = ["TableReference", "replace_tables", "table_references", "token_spans"]


@dataclass(frozen=True, slots=True)
class TableReference:
    """A place where a query names a table: the parts of the name, and the span of text (end excluded) that holds it.

    `line` and `column` count from 1. `alias` is whether the query gives the table a name of its own there.
    """

    parts: tuple[str, ...]
    start: int
    end: int
    line: int
    alias: bool
    column: int = 1


def table_references(text: str, dialect: str = "duckdb") -> list[TableReference]:
    """Each place where the one query in `text` names a stored table; common table expressions are not stored tables.

    Raises InvalidSQLError where the text is not SQL, holds several statements, or is not a query.
    """
    query = _parse_query(text, dialect)
    references = [
        reference
        for table in query.find_all(exp.Table)
        if not _is_common_table_expression(table) and (reference := _reference(text, table)) is not None
    ]
    return sorted(references, key=lambda reference: reference.start)


def _parse_query(text: str, dialect: str) -> exp.Expr:
    try:
        statements = [statement for statement in sqlglot.parse(text, dialect=dialect) if statement is not None]
    except ParseError as error:
        raise _fault(error, text) from None
    except TokenError as error:
        raise InvalidSQLError(f"it cannot be read: {error}") from None
    if len(statements) != 1:
        what = f"{len(statements)} statements" if statements else "no statement"
        raise InvalidSQLError(f"it holds {what}, where one query is expected")
    query = statements[0]
    if not isinstance(query, (exp.Query, exp.Values)) and not (isinstance(query, exp.Pivot) or query.key == "pivot"):
        raise InvalidSQLError(
            f"it is {query.key.upper()}, not a query", hint="Return the SELECT alone; the table is made from it."
        )
    return query


def _fault(error: ParseError, text: str) -> InvalidSQLError:
    """The error for text that is not SQL, whose `position` is where that shows."""
    fault = error.errors[0] if error.errors else {}
    said = str(fault.get("description") or error)
    if fault.get("line") is None or fault.get("col") is None:
        return InvalidSQLError(said)
    line, column = int(fault["line"]), int(fault["col"]) - len(fault.get("highlight") or " ") + 1  # which it tells the end of
    found = InvalidSQLError(f"line {line}, column {column}: {said}")
    found.position = sum(map(len, text.splitlines(keepends=True)[: line - 1])) + column - 1
    return found


def _reference(text: str, table: exp.Table) -> TableReference | None:
    identifiers = [part for part in table.parts if isinstance(part, exp.Identifier)]
    if not identifiers or len(identifiers) != len(table.parts):
        return None  # a table function
    first, last = identifiers[0].meta, identifiers[-1].meta
    if "start" not in first:
        raise InvalidSQLError(f"the place of the table {table.name!r} in it cannot be found")
    start, end = int(first["start"]), int(last["end"]) + 1
    return TableReference(
        parts=tuple(identifier.name for identifier in identifiers),
        start=start,
        end=end,
        line=text.count("\n", 0, start) + 1,
        alias=bool(table.alias),
        column=start - text.rfind("\n", 0, start),
    )


def _is_common_table_expression(table: exp.Table) -> bool:
    if table.args.get("db"):
        return False
    name = table.name.casefold()
    below: exp.Expr = table
    above = table.parent
    cte_below: exp.Expr | None = None
    while above is not None:
        if isinstance(below, exp.CTE):
            cte_below = below
        if isinstance(above, exp.With):
            seen = _visible_before(above, cte_below)
            if name in seen:
                return True
        else:
            with_ = above.args.get("with_") or above.args.get("with")
            if isinstance(with_, exp.With) and with_ is not below and name in _visible_before(with_, None):
                return True
        below, above = above, above.parent
    return False


def _visible_before(with_: exp.With, stop: exp.Expr | None) -> set[str]:
    """The names that the expressions of a WITH give: all, or those before `stop`, which sees itself only when recursive."""
    names: set[str] = set()
    for cte in with_.expressions:
        name = cte.alias.casefold()
        if cte is stop:
            return names | {name} if with_.recursive else names
        names.add(name)
    return names


def replace_tables(text: str, replacements: Iterable[tuple[TableReference, str]]) -> str:
    """`text` with each reference replaced by a SQL expression, under its old name where it has no alias."""
    pieces: list[str] = []
    position = 0
    for reference, replacement in sorted(replacements, key=lambda pair: pair[0].start):
        old = text[reference.start : reference.end]
        if replacement == ".".join(quote_identifier(part) for part in reference.parts):
            new = old
        elif reference.alias:
            new = replacement
        else:
            new = f"{replacement} as {quote_identifier(reference.parts[-1])}"
        pieces += (text[position : reference.start], new)
        position = reference.end
    return "".join((*pieces, text[position:]))


def token_spans(text: str, dialect: str = "duckdb") -> Iterator[tuple[int, int]]:
    """The span of each token, end excluded; a literal or a quoted name is one token, a comment is none."""
    try:
        tokens = sqlglot.tokenize(text, dialect=dialect)
    except TokenError as error:
        raise InvalidSQLError(f"it cannot be read: {error}") from None
    return ((token.start, token.end + 1) for token in tokens)
