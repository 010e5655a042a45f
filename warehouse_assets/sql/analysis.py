"""Reading SQL: its statements, the tables that they name, and where in the text. Loads sqlglot, so it is imported when used."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from functools import lru_cache
from typing import Any

import sqlglot
from sqlglot import exp
from sqlglot.dialects.dialect import Dialect
from sqlglot.errors import ParseError, TokenError

from warehouse_assets.errors import InvalidSQLError
from warehouse_assets.sql.references import Script, TableReference, replace_tables

__all__ = ["TableReference", "parsed", "read_script", "replace_tables", "table_references", "token_spans"]

_MISSING = re.compile(r"Required keyword: '\w+' missing for <class '[\w.]*\.(\w+)'>")


def _said(fault: re.Match[str]) -> str:
    """What people understand of a node without one of its parts.

    >>> _MISSING.sub(_said, "Required keyword: 'this' missing for <class 'sqlglot.expressions.query.Where'>")
    'a part of WHERE is missing here'
    """
    words = re.sub(r"(?<=[a-z])(?=[A-Z])", " ", fault[1]).upper()
    return f"a part of {words} is missing here"


_SETTINGS = {"SET", "RESET", "PRAGMA", "LOAD", "INSTALL"}
_PREPARING = "Before the query there may be SET, and CREATE TEMP TABLE, VIEW or MACRO; it is the last statement."


def table_references(text: str, dialect: str = "duckdb") -> list[TableReference]:
    """Each place where the one query in `text` names a stored table; common table expressions are not stored tables.

    Raises InvalidSQLError where the text is not SQL, holds several statements, or is not a query.
    """
    script = read_script(text, dialect)
    if len(script.statements) != 1:
        raise InvalidSQLError(f"it holds {len(script.statements)} statements, where one query is expected")
    return [*script.references]


def read_script(text: str, dialect: str = "duckdb") -> Script:
    """The statements in `text`, of which the last is a query, and each place where one names a stored table.

    What a statement makes for those after it, a temporary table for example, is no stored table.
    Raises InvalidSQLError where the text is not SQL, has no query at its end, or changes what is stored.
    """
    statements = parsed(text, dialect)
    if not statements:
        raise InvalidSQLError("it holds no statement", hint="Write a SELECT; the table is made from it.")
    made: set[str] = set()
    references: list[TableReference] = []
    for number, (span, statement) in enumerate(statements, 1):
        is_query = isinstance(statement, (exp.Query, exp.Values, exp.Pivot))
        if statement is None and number < len(statements):
            continue
        target = None if is_query or statement is None else _prepared(statement, made)
        if is_query == (number < len(statements)) or (target is None and not is_query):
            raise _misplaced(text, span, statement, number, len(statements))
        for table in statement.find_all(exp.Table) if statement is not None else ():
            is_known = table is target or _is_common_table_expression(table) or (_local_name(table) in made)
            if not is_known and (reference := _reference(text, table)) is not None:
                references.append(reference)
        if target is not None:
            made.add(target.name.casefold())
    references.sort(key=lambda reference: reference.start)
    return Script(tuple(references), tuple(span for span, _ in statements))


@lru_cache(maxsize=256)
def parsed(text: str, dialect: str) -> tuple[tuple[tuple[int, int], exp.Expr | None], ...]:
    """The span of each statement, and its syntax, which is not to be changed; None for a setting, whatever it sets.

    Raises InvalidSQLError where the text is not SQL.
    """
    return tuple(_parsed(text, dialect))


def _parsed(text: str, dialect: str) -> Iterator[tuple[tuple[int, int], exp.Expr | None]]:
    try:
        language = Dialect.get_or_raise(dialect)
        for tokens in _split(language.tokenize(text)):
            span = (tokens[0].start, tokens[-1].end + 1)
            if tokens[0].text.upper() in _SETTINGS:
                yield span, None
            else:
                [statement] = language.parser().parse(tokens, text)
                yield span, statement
    except ParseError as error:
        fault = error.errors[0] if error.errors else {}
        position = None
        if fault.get("line") and fault.get("col"):  # which is that of its end
            position = (int(fault["line"]), int(fault["col"]) - len(fault.get("highlight") or " ") + 1)
        raise InvalidSQLError(_MISSING.sub(_said, str(fault.get("description") or error)), position=position) from None
    except TokenError as error:
        raise InvalidSQLError(f"it cannot be read: {error}") from None
    except RecursionError:
        raise InvalidSQLError("it is nested too deeply to be read") from None
    except ValueError as error:
        raise InvalidSQLError(str(error)) from None


def _split(tokens: Sequence[Any]) -> Iterator[list[Any]]:
    """The tokens of each statement."""
    chunk: list[Any] = []
    for token in tokens:
        if token.token_type.name != "SEMICOLON":
            chunk.append(token)
        elif chunk:
            yield chunk
            chunk = []
    if chunk:
        yield chunk


def _prepared(statement: exp.Expr, made: set[str]) -> exp.Table | None:
    """What a statement before the query makes or changes, if that is gone with the connection."""
    target = statement.find(exp.Table) if isinstance(statement, (exp.Create, exp.DML, exp.Drop, exp.Alter)) else None
    if target is None:
        return None
    if isinstance(statement, exp.Create):
        is_code = statement.args.get("kind") in ("MACRO", "FUNCTION")
        return target if is_code or statement.find(exp.TemporaryProperty) is not None else None
    return target if _local_name(target) in made else None


def _local_name(table: exp.Table) -> str | None:
    """The name of a table that may have been made before in the same text."""
    return table.name.casefold() if table.db.casefold() in ("", "temp", "pg_temp") and not table.catalog else None


def _misplaced(text: str, span: tuple[int, int], statement: exp.Expr | None, number: int, count: int) -> InvalidSQLError:
    is_query = isinstance(statement, exp.Query)
    if count == 1:
        is_sql = statement is None or not isinstance(statement, (exp.Condition, exp.Alias))
        what = f"it is {statement.key.upper() if statement is not None else text[slice(*span)].split()[0].upper()}"
        hint = "Return the SELECT alone; the table is made from it."
        return InvalidSQLError(f"{what}, not a query" if is_sql else "it is no query", hint=hint)
    fault = "is no query" if number == count else "does nothing for the query" if is_query else "changes what is stored"
    words = " ".join(text[slice(*span)].split()[:2])
    position = (text.count("\n", 0, span[0]) + 1, span[0] - text.rfind("\n", 0, span[0]))
    what = f"it holds {count} statements, of which number {number}, {words!r}, {fault}"
    return InvalidSQLError(what, hint=_PREPARING, position=position)


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


def token_spans(text: str, dialect: str = "duckdb") -> Iterator[tuple[int, int]]:
    """The span of each token, end excluded; a literal or a quoted name is one token, a comment is none."""
    try:
        tokens = sqlglot.tokenize(text, dialect=dialect)
    except TokenError as error:
        raise InvalidSQLError(f"it cannot be read: {error}") from None
    return ((token.start, token.end + 1) for token in tokens)
