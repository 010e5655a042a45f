"""The tables that a plain query reads, found by its words alone, some twenty times as fast as by its whole syntax.

It knows a part of the language: common table expressions, subqueries, joins, set operations. Where anything else comes up, it says
that it does not know. A query whose syntax is faulty elsewhere is not noticed.
"""

from __future__ import annotations

import re
from collections.abc import Set
from typing import NamedTuple

from warehouse_assets.sql.references import Script, TableReference

__all__ = ["DIALECTS", "skim"]

DIALECTS = frozenset({"duckdb", "postgres"})

_TOKEN = re.compile(
    r"""
    (?P<comment>--[^\n]*|/\*(?:(?!/\*)[^*]|\*(?!/))*\*/)
    |(?P<value>'(?:[^']|'')*'|\d[\w.]*|\$\w+(?![\w$]))
    |::
    |(?P<quoted>"(?:[^"]|"")+")
    |(?P<word>[^\W\d]\w*(?!['$\w]))
    |(?P<mark>[()\[\]{},.;:])
    |(?P<strange>[^\W\d]\w*|['"`\\$?]|/\*|\*/)
    """,
    re.VERBOSE,
)

_BEGINNINGS = {"SELECT", "WITH", "FROM", "VALUES"}
_AFTER_TABLE = {
    *("WHERE", "GROUP", "HAVING", "ORDER", "LIMIT", "OFFSET", "WINDOW", "QUALIFY", "UNION", "INTERSECT", "EXCEPT", "SELECT"),
    *("JOIN", "INNER", "LEFT", "RIGHT", "FULL", "CROSS", "NATURAL", "ASOF", "POSITIONAL", "SEMI", "ANTI", "ON", "USING"),
}
_ENDS_FROM = {
    "WHERE",
    "GROUP",
    "HAVING",
    "ORDER",
    "LIMIT",
    "OFFSET",
    "WINDOW",
    "QUALIFY",
    "UNION",
    "INTERSECT",
    "EXCEPT",
    "SELECT",
}
_STRANGE = {
    *(
        "PIVOT",
        "UNPIVOT",
        "PIVOT_WIDER",
        "PIVOT_LONGER",
        "LATERAL",
        "TABLESAMPLE",
        "SAMPLE",
        "MATCH_RECOGNIZE",
        "INTO",
        "TABLE",
    ),
    *(
        "INSERT",
        "UPDATE",
        "DELETE",
        "MERGE",
        "SUMMARIZE",
        "DESCRIBE",
        "SHOW",
        "FOR",
        "FETCH",
        "ONLY",
        "FINAL",
        "APPLY",
        "CONNECT",
    ),
    *(
        "ROWS",
        "AT",
        "ORDINALITY",
        "VIEW",
        "MINUS",
        "FORCE",
        "IGNORE",
        "USE",
        "SET",
        "FORMAT",
        "SETTINGS",
        "PREWHERE",
        "STRAIGHT_JOIN",
    ),
}  # which are known in the place of an alias or a table only; ROWS and IGNORE are common in windows
_STRANGE_ANYWHERE = _STRANGE - {"ROWS", "AT", "IGNORE", "USE", "SET", "FORMAT", "VIEW", "FORCE", "SAMPLE", "FINAL", "SETTINGS"}
_OPEN = {"(": ")", "[": "]", "{": "}"}


class _Token(NamedTuple):
    kind: str
    text: str  # of a word in capitals
    start: int
    end: int


class _Unsure(Exception):
    """Something came up that is not known here."""


def skim(text: str) -> Script | None:
    """What `read_script` would give for a query of the dialects `DIALECTS`; None where that is not sure.

    >>> script = skim("with o as (select * from raw.orders) select * from o join lines l using (id)")
    >>> [reference.parts for reference in script.references]
    [('raw', 'orders'), ('lines',)]
    """
    try:
        tokens = _tokens(text)
        if not tokens or tokens[0].text not in ("SELECT", "WITH", "FROM"):
            return None
        skimmer = _Skimmer(text, tokens)
        if skimmer.query(0, frozenset()) != len(tokens):
            return None
    except (_Unsure, IndexError, RecursionError):
        return None
    references = sorted(skimmer.references, key=lambda reference: reference.start)
    return Script(tuple(references), ((tokens[0].start, tokens[-1].end),))


def _tokens(text: str) -> list[_Token]:
    tokens: list[_Token] = []
    for match in _TOKEN.finditer(text):
        kind = match.lastgroup
        if kind == "word":
            tokens.append(_Token(kind, match[0].upper(), *match.span()))
        elif kind == "strange":
            raise _Unsure
        elif kind is not None and kind != "comment":
            tokens.append(_Token(kind, match[0], *match.span()))
    while tokens and tokens[-1].text == ";":
        tokens.pop()
    return tokens


class _Skimmer:
    def __init__(self, text: str, tokens: list[_Token]) -> None:
        self.text = text
        self.tokens = tokens
        self.references: list[TableReference] = []

    def query(self, index: int, known: Set[str]) -> int:
        """Skim a query that begins at a token; the index of the token after it."""
        tokens = self.tokens
        if tokens[index].text == "WITH":
            index, known = self.common_tables(index + 1, known)
        if tokens[index].text not in _BEGINNINGS - {"WITH"} and tokens[index].text != "(":
            raise _Unsure
        in_from, in_condition = False, False
        while index < len(tokens):
            kind, text, _, _ = tokens[index]
            index += 1
            if kind == "mark":
                if text == "," and in_condition:
                    raise _Unsure
                if text == "," and in_from:
                    index = self.factor(index, known)
                elif text in _OPEN:
                    index = self.group(index, known)
                elif text in ")]}":
                    return index - 1
                elif text in ";:":
                    raise _Unsure
            elif kind == "word" and not (tokens[index - 2].text == "." and self.is_part(index - 1)):
                if text == "FROM":
                    if not (tokens[index - 2].text == "DISTINCT" and tokens[index - 3].text in ("IS", "NOT")):
                        index, in_from, in_condition = self.factor(index, known), True, False
                elif text == "JOIN":
                    if not in_from:
                        raise _Unsure
                    index = self.factor(index, known)
                elif text in _ENDS_FROM:
                    in_from, in_condition = False, text in ("WHERE", "HAVING", "QUALIFY")
                elif text in _STRANGE_ANYWHERE or text == "WITH":
                    raise _Unsure
        return index

    def is_part(self, index: int) -> bool:
        """Whether a word that has a dot before it is a part of a name, unlike the FROM of `t.* from t`."""
        return not self.text[self.tokens[index - 1].end : self.tokens[index].start].strip()

    def common_tables(self, index: int, known: Set[str]) -> tuple[int, Set[str]]:
        """Skim the expressions of a WITH, each of which sees those before it."""
        tokens = self.tokens
        recursive = tokens[index].text == "RECURSIVE"
        index += recursive
        while True:
            name = self.name(tokens[index])
            index += 1
            if tokens[index].text == "(":
                index = self.group(index + 1, known)
            if tokens[index].text != "AS":
                raise _Unsure
            index += 1
            while tokens[index].text in ("NOT", "MATERIALIZED"):
                index += 1
            if tokens[index].text != "(" or tokens[index + 1].text not in _BEGINNINGS:
                raise _Unsure
            index = self.closed(self.query(index + 1, known | {name} if recursive else known), ")")
            known = known | {name}
            if tokens[index].text != ",":
                return index, known
            index += 1

    def factor(self, index: int, known: Set[str]) -> int:
        """Skim what stands after FROM, JOIN or a comma between tables: a table, a subquery, or a call of a function."""
        tokens = self.tokens
        first = tokens[index]
        if first.text == "(":
            if tokens[index + 1].text not in _BEGINNINGS:
                raise _Unsure
            return self.group(index + 1, known)
        parts = [self.name(first)]
        index += 1
        while index + 1 < len(tokens) and tokens[index].text == ".":
            parts.append(self.name(tokens[index + 1]))
            index += 2
        after = tokens[index] if index < len(tokens) else None
        if after is not None and after.text == "(":
            return index
        if after is not None and (after.kind == "value" or after.text in _STRANGE or after.text in ("[", "{", ":", ".")):
            raise _Unsure
        if len(parts) > 1 or parts[0] not in known:
            self.add(first.start, tokens[index - 1].end, len(parts), after)
        return index

    def add(self, start: int, end: int, count: int, after: _Token | None) -> None:
        """Note a table that stands in this span of text."""
        names = [match[0] for match in _TOKEN.finditer(self.text, start, end) if match.lastgroup in ("word", "quoted")]
        parts = tuple(name[1:-1].replace('""', '"') if name[0] == '"' else name for name in names)
        if len(parts) != count:
            raise _Unsure
        has_alias = after is not None and (after.kind == "quoted" or (after.kind == "word" and after.text not in _AFTER_TABLE))
        line = self.text.count("\n", 0, start) + 1
        self.references.append(TableReference(parts, start, end, line, has_alias, start - self.text.rfind("\n", 0, start)))

    def name(self, token: _Token) -> str:
        """The name that a token is, in small letters, as common table expressions are told apart."""
        if token.kind == "quoted":
            return token.text[1:-1].replace('""', '"').casefold()
        if token.kind != "word" or token.text in _STRANGE or token.text in _AFTER_TABLE or token.text in _BEGINNINGS:
            raise _Unsure
        return self.text[token.start : token.end].casefold()

    def group(self, index: int, known: Set[str]) -> int:
        """Skim what is in parentheses, brackets or braces, the first token of which this is: a query, or anything else."""
        tokens = self.tokens
        closing = _OPEN[tokens[index - 1].text]
        if closing == ")" and tokens[index].text in _BEGINNINGS:
            before = tokens[index - 2] if index > 1 else None
            if (
                tokens[index].text == "FROM"
                and before is not None
                and before.kind == "word"
                and before.text not in ("FROM", "JOIN", "IN", "EXISTS")
            ):
                raise _Unsure  # trim(from x), for example
            return self.closed(self.query(index, known), closing)
        while tokens[index].text != closing:
            kind, text, _, _ = tokens[index]
            index += 1
            if kind == "mark" and text in _OPEN:
                index = self.group(index, known)
            elif (kind == "mark" and text in ")]};") or (
                kind == "word" and (text in ("SELECT", "WITH", "JOIN") or text in _STRANGE_ANYWHERE)
            ):
                raise _Unsure
        return index + 1

    def closed(self, index: int, closing: str) -> int:
        if self.tokens[index].text != closing:
            raise _Unsure
        return index + 1
