"""What is known of a text of SQL once it was read: where it names tables, and the statements that it consists of."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from warehouse_assets.tables import quote_identifier

__all__ = ["Script", "TableReference", "replace_tables"]


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


@dataclass(frozen=True, slots=True)
class Script:
    """A text of SQL that ends with a query: the places where it names stored tables, in their order, and its statements.

    `statements` has the span of text (end excluded) of each, without the semicolon. Those before the query prepare what it reads:
    temporary tables and views, macros, and settings.
    """

    references: tuple[TableReference, ...]
    statements: tuple[tuple[int, int], ...]


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
