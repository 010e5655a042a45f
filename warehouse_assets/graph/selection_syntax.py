"""The string form of selections, and its parser, which names the column of a mistake.

selection  = and-part { "or" and-part }
and-part   = not-part { "and" not-part }
not-part   = "not" not-part | around
around     = [ [number] "+" ] atom [ "+" [number] ]
atom       = "(" selection ")" | call "(" selection ")" | [attribute ":"] value | "*"
call       = "roots" | "sinks" | "checks" | "without_checks"
attribute  = "key" | "prefix" | "group" | "owner" | "kind" | "tag" | "check"
value      = a word of letters, digits and _ - . / * ? = @ \\, or text in double quotes; a backslash keeps the next sign
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial

from warehouse_assets.errors import InvalidDefinitionError, InvalidSelectionError, close_matches
from warehouse_assets.graph import selection as s
from warehouse_assets.graph.check_selection import CheckKeys, ChecksOf, WithoutChecks
from warehouse_assets.keys import AssetCheckKey, AssetKey

__all__ = ["BARE_WORD", "parse_selection"]

BARE_WORD = re.compile(r"[\w.\-/*?=@\\]+")
_LITERAL = re.compile(rf"(?:[^\\{re.escape(s.WILDCARDS)}]|\\.)*", re.DOTALL)
_ATTRIBUTES = ("key", "prefix", "group", "owner", "kind", "tag", "check")
_CALLS = ("roots", "sinks", "checks", "without_checks")
_TOKEN = re.compile(
    r"""\s*(?:(?P<quoted>"(?:[^"\\]|\\.)*")|(?P<attribute>[A-Za-z_]+)(?=:):|(?P<symbol>[()+])|(?P<word>[\w.\-/*?=@\\]+))""",
    re.DOTALL,
)


@dataclass(frozen=True, slots=True)
class _Token:
    kind: str
    text: str
    column: int


def parse_selection(text: str) -> s.AssetSelection:
    """The selection that `text` means.

    >>> parse_selection("+staging/orders+2")
    Around(inner=Keys(of_keys=(AssetKey(['staging', 'orders']),)), up=-1, down=2)

    Raises InvalidSelectionError, which names the column of the mistake.
    """
    return _Parser(text).parse()


class _Parser:
    def __init__(self, text: str) -> None:
        self.text = text
        self.tokens = list(self._tokenize())
        self.position = 0

    def _tokenize(self) -> Iterator[_Token]:
        position = 0
        end = len(self.text.rstrip())
        while position < end:
            match = _TOKEN.match(self.text, position)
            if match is None:
                stripped = position + len(self.text[position:]) - len(self.text[position:].lstrip())
                raise self._error(f"{self.text[stripped]!r} means nothing here", stripped)
            kind = match.lastgroup or ""
            yield _Token(kind, match[kind], match.start(kind))
            position = match.end()

    def _error(self, what: str, column: int | None = None, hint: str | None = None) -> InvalidSelectionError:
        if column is None:
            column = self.tokens[self.position].column if self.position < len(self.tokens) else len(self.text)
        return InvalidSelectionError(f"selection {self.text!r}, column {column + 1}: {what}", hint=hint)

    def parse(self) -> s.AssetSelection:
        if not self.tokens:
            raise self._error("it is empty", 0)
        selection = self._or()
        if self.position < len(self.tokens):
            raise self._error(f"{self.tokens[self.position].text!r} is not expected", hint='Join parts with "and" or "or".')
        return selection

    def _peek(self, text: str) -> bool:
        if self.position >= len(self.tokens):
            return False
        token = self.tokens[self.position]
        return token.kind in ("word", "symbol") and token.text.lower() == text

    def _accept(self, text: str) -> bool:
        if self._peek(text):
            self.position += 1
            return True
        return False

    def _or(self) -> s.AssetSelection:
        parts = [self._and()]
        while self._accept("or"):
            parts.append(self._and())
        return parts[0] if len(parts) == 1 else s.Either(tuple(parts))

    def _and(self) -> s.AssetSelection:
        parts = [self._not()]
        while self._accept("and"):
            parts.append(self._not())
        return parts[0] if len(parts) == 1 else s.Both(tuple(parts))

    def _not(self) -> s.AssetSelection:
        if self._accept("not"):
            return s.Not(self._not())
        return self._around()

    def _around(self) -> s.AssetSelection:
        up = down = 0
        following = self.tokens[self.position + 1] if self.position + 1 < len(self.tokens) else None
        number = self._number() if following is not None and following.text == "+" and following.kind == "symbol" else None
        if self._accept("+"):
            up = -1 if number is None else number
        elif number is not None:
            self.position -= 1
        atom = self._atom()
        if self._accept("+"):
            number = self._number()
            down = -1 if number is None else number
        return s.Around(atom, up, down) if up or down else atom

    def _number(self) -> int | None:
        if self.position < len(self.tokens) and self.tokens[self.position].text.isdecimal():
            self.position += 1
            return int(self.tokens[self.position - 1].text)
        return None

    def _atom(self) -> s.AssetSelection:
        if self.position >= len(self.tokens):
            raise self._error("something is missing here")
        token = self.tokens[self.position]
        if token.kind == "word" and token.text in _CALLS and self._is_call():
            self.position += 2
            inner = self._closed()
            return {"checks": ChecksOf, "without_checks": WithoutChecks}.get(token.text, partial(s.Ends, token.text))(inner)
        if self._accept("("):
            return self._closed()
        if token.kind == "attribute":
            return self._attribute(token)
        if token.kind == "symbol" or (token.kind == "word" and token.text.lower() in ("and", "or")):
            raise self._error(f"{token.text!r} is not expected")
        self.position += 1
        if token.kind == "word" and token.text == "*":
            return s.Everything()
        return self._key(token)

    def _is_call(self) -> bool:
        following = self.tokens[self.position + 1 : self.position + 2]
        return bool(following) and following[0].text == "(" and following[0].kind == "symbol"

    def _closed(self) -> s.AssetSelection:
        inner = self._or()
        if not self._accept(")"):
            raise self._error('")" is missing')
        return inner

    def _attribute(self, token: _Token) -> s.AssetSelection:
        name = token.text.lower()
        if name not in _ATTRIBUTES:
            hint = close_matches(name, _ATTRIBUTES) or f"Known are {', '.join(_ATTRIBUTES)}."
            raise self._error(f"{token.text!r} is no attribute", token.column, hint)
        self.position += 1
        if self.position >= len(self.tokens) or self.tokens[self.position].kind not in ("word", "quoted"):
            example = 'Write check:"schema/table:name".' if name == "check" else None
            raise self._error(f"the value of {name!r} is missing", hint=example)
        value = self.tokens[self.position]
        self.position += 1
        if name == "key":
            return self._key(value)
        text = _unquoted(value)
        if name == "check":
            return CheckKeys((self._check_key(text, value.column),))
        if name == "prefix":
            return s.Prefix(self._segments(text, value.column) if text else ())
        return s.Attribute(name, text)

    def _key(self, token: _Token) -> s.AssetSelection:
        text = _unquoted(token)
        return s.Keys((AssetKey(self._segments(text, token.column)),)) if _LITERAL.fullmatch(text) else s.Pattern(text)

    def _check_key(self, text: str, column: int) -> AssetCheckKey:
        try:
            return AssetCheckKey.from_escaped_string(text)
        except InvalidDefinitionError as error:
            raise self._error(error.message, column, error.hint) from None

    def _segments(self, text: str, column: int) -> tuple[str, ...]:
        try:
            return AssetKey.from_escaped_string(text).path
        except InvalidDefinitionError as error:
            raise self._error(error.message, column) from None


def _unquoted(token: _Token) -> str:
    return re.sub(r"\\(.)", r"\1", token.text[1:-1], flags=re.DOTALL) if token.kind == "quoted" else token.text
