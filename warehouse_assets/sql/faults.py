"""Where a fault in SQL is: what an engine says of the statement it was given, as a place in the text that a person wrote."""

from __future__ import annotations

import linecache
import re
from bisect import bisect_right
from collections.abc import Iterator
from difflib import SequenceMatcher
from typing import TYPE_CHECKING

from warehouse_assets.errors import InvalidSQLError
from warehouse_assets.sql.origin import SQLOrigin

if TYPE_CHECKING:
    from warehouse_assets.keys import AssetKey
    from warehouse_assets.sql.value import SQL

__all__ = ["fault_in", "fault_said", "place_said"]

_CARET = re.compile(r"\n*LINE (?P<line>\d+): (?P<text>.*)\n(?P<indent> *)(?P<caret>\^+)")
_NEAR = re.compile(r"""near ["'](?P<near>.+?)["'](?: at line|: syntax error|$)""", re.DOTALL)
_NAME = re.compile(
    r"""(?:no such (?:column|table|function): |[Uu]nknown (?:column|table) '|FUNCTION |Referenced (?:column|table) "|with name )"""
    r"""(?P<name>[^\s'"]+)"""
)
_TOKEN = re.compile(r'"(?:[^"]|"")*"|\'(?:[^\']|\'\')*\'|`[^`]*`|\w+|\S')


def fault_in(
    sql: SQL, message: str, *, text: str | None = None, position: int | None = None, hint: str | None = None
) -> InvalidSQLError:
    """The error for a fault at a `position` of `text`, which an engine was given for the query `sql`.

    It names the file, the line and the column, as far as they are known, and shows the line.
    """
    found = None if text is None or position is None else _written_at(sql, text, position)
    if found is None:
        return InvalidSQLError(message, where=_declared(sql), hint=hint)
    query, at = found
    line, column = line_and_column(query.written, at)
    shown, marks = query.written.splitlines()[line - 1], len(_token_at(query.written, at))
    indent = re.sub(r"[^\t]", " ", shown[: column - 1])
    return InvalidSQLError(
        message, where=_place(query, line, column), hint=hint, excerpt=f"    {shown}\n    {indent}{'^' * marks}"
    )


def fault_said(sql: SQL, said: str, text: str, key: AssetKey | None = None) -> InvalidSQLError:
    """The error for what an engine says of `text`, which it was given for the query `sql` of the asset `key`."""
    message = f"the SQL{f' of asset {key.to_user_string()!r}' if key is not None else ''}: {_CARET.split(said)[0].rstrip()}"
    return fault_in(sql, message, text=text, position=position_said(said, text))


def place_said(sql: SQL, said: str, text: str) -> str | None:
    """The place that an engine means with what it says of `text`; None where it tells none."""
    position = position_said(said, text)
    return None if position is None else fault_in(sql, "", text=text, position=position).where


def position_said(said: str, text: str) -> int | None:
    """Where in `text` an engine found a fault: by the line that it shows with a caret, or by a name that is there once.

    >>> position_said("no such column\\n\\nLINE 1: create view v as select amonut\\n                                ^", "select amonut")
    7
    """
    if (shown := _CARET.search(said)) is not None:
        column = len(shown["indent"]) - len(f"LINE {shown['line']}: ")
        return _same_surroundings(text, shown["text"], column, int(shown["line"]))
    if (named := _NEAR.search(said) or _NAME.search(said)) is None:
        return None
    wanted = named.group(1)
    starts = [match.start() for match in re.finditer(re.escape(wanted), text) if _is_token(text, match)]
    if not starts and "." in wanted:
        return position_said(f"no such column: {wanted.rsplit('.', 1)[-1]}", text)
    return starts[0] if len(starts) == 1 else None


def _is_token(text: str, match: re.Match[str]) -> bool:
    before, after = text[: match.start()][-1:], text[match.end() :][:1]
    return not ((before.isalnum() or before == "_") and match[0][0].isalnum()) and not (
        (after.isalnum() or after == "_") and match[0][-1].isalnum()
    )


def _same_surroundings(text: str, shown: str, column: int, line: int) -> int | None:
    """The place in `text` that looks most like what is around a column of a line that is shown, which may be cut at its ends."""
    if not 0 <= column < len(shown):
        return None
    word = _token_at(shown, column)
    ahead, behind = shown[column:], shown[:column][::-1]
    likeness = {
        match.start(): _alike(ahead, text[match.start() :]) + _alike(behind, text[: match.start()][::-1])
        for match in re.finditer(re.escape(word), text)
    }
    best = [start for start, alike in likeness.items() if alike == max(likeness.values())]
    on_line = [start for start in best if text.count("\n", 0, start) + 1 == line]
    return next(iter(on_line or best), None)


def _alike(one: str, other: str) -> int:
    return next((index for index, (a, b) in enumerate(zip(one, other, strict=False)) if a != b), min(len(one), len(other)))


def _token_at(text: str, start: int) -> str:
    match = _TOKEN.match(text, start)
    return match[0].split("\n")[0] if match is not None else text[start : start + 1]


def line_and_column(text: str, position: int) -> tuple[int, int]:
    """Both counted from 1.

    >>> line_and_column("select a,\\n  b", 12)
    (2, 3)
    """
    return text.count("\n", 0, position) + 1, position - text.rfind("\n", 0, position)


def _written_at(sql: SQL, text: str, position: int) -> tuple[SQL, int] | None:
    """The query, or one that is part of it, and the place in it as written, that became this position of `text`."""
    tokens = [(match.start(), match[0]) for match in _TOKEN.finditer(text)]
    index = bisect_right([start for start, _ in tokens], position) - 1
    if index < 0:
        return None
    ends = []
    for query in _queries(sql):
        written = [(match.start(), match[0]) for match in _TOKEN.finditer(query.written)]
        blocks = SequenceMatcher(None, [t for _, t in tokens], [t for _, t in written], autojunk=False).get_matching_blocks()
        for start, same, size in blocks:
            if start <= index < start + size:
                return query, written[same + index - start][0]
        after = next((same for start, same, _ in blocks if start > index), len(written))
        if query is sql and 0 < after <= len(written):
            ends.append((query, written[min(after, len(written)) - 1][0]))
    return ends[0] if ends else None


def _queries(sql: SQL) -> Iterator[SQL]:
    from warehouse_assets.sql.value import SQL

    yield sql
    for value in sql.bindings.values():
        if isinstance(value, SQL):
            yield from _queries(value)


def _place(sql: SQL, line: int, column: int) -> str:
    if sql.origin is not None:
        return sql.origin.place(line, column)
    assert sql.made is not None
    file, made = sql.made
    source = "".join(linecache.getlines(file))
    literals = re.finditer(f"(?<=[\"'])(?:{re.escape(sql.written)})(?=[\"'])", source) if sql.written.strip() else ()
    starts = [match.start() for match in literals if source.count("\n", 0, match.start()) + 1 >= made]
    if not starts:
        return f"{file}:{made}, line {line} and column {column} of the text"
    first, before = line_and_column(source, starts[0])
    return SQLOrigin(file, first).place(line, column + (before - 1 if line == 1 else 0))


def _declared(sql: SQL) -> str | None:
    if sql.origin is not None:
        return f"{sql.origin.file}:{sql.origin.line}"
    return f"{sql.made[0]}:{sql.made[1]}" if sql.made is not None else None
