"""What people give to SQL, as a database takes it: names quoted its way, and values that it has."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date, time, timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID

from io_managers.sqlalchemy.dialect import Dialect, parameter_name
from warehouse_assets.errors import InvalidSQLError
from warehouse_assets.sql import PLACEHOLDER, SQL, Identifier
from warehouse_assets.tables import Table

__all__ = ["OwnNames"]

_OWN = re.compile(r"[$:]?\b(_wa_\w+_\d+)\b")
_IN = re.compile(r"\b(not\s+)?in\s*$", re.IGNORECASE)
_VALUES = (type(None), int, float, str, bytes, bytearray, memoryview, date, time, timedelta, Decimal, UUID)


class _Quoted(Identifier):
    """A name whose text is quoted as its database wants it."""

    def __init__(self, dialect: Dialect, *parts: str) -> None:
        super().__init__(*parts)
        object.__setattr__(self, "text", ".".join(map(dialect.quote, parts)))

    def __str__(self) -> str:
        return str(self.text)  # type: ignore[attr-defined]


class OwnNames:
    """Gives the parameters of SQL names that stand nowhere else in its text, and knows what they were called."""

    def __init__(self, dialect: Dialect) -> None:
        self._dialect = dialect
        self._given: dict[str, str] = {}

    def put_in(self, sql: SQL) -> SQL:
        """The same SQL, where `in {values}` has a parameter for each value of a list.

        Raises InvalidSQLError for a value that the database has not.
        """
        bindings: dict[str, Any] = {}
        names: dict[tuple[str, bool], str] = {}
        text = ""
        position = 0
        for place in PLACEHOLDER.finditer(sql.template):
            name = place[1]
            if name not in sql.bindings:
                continue
            text += sql.template[position : place.start()]
            position = place.end()
            value = sql.bindings[name]
            listed = _IN.search(text) if isinstance(value, (list, tuple)) else None
            if listed is not None and not value:
                text = text[: listed.start()] + self._dialect.among_none(negated=listed[1] is not None)
                continue
            kind = name, listed is not None
            if kind not in names:
                values = [(self._named(name), each) for each in (value if listed is not None else [value])]
                bindings |= {own: self._taken(name, each) for own, each in values}
                places = ", ".join(f"{{{own}}}" for own, _ in values)
                names[kind] = f"({places})" if listed is not None else places
            text += names[kind]
        return sql.rewritten(text + sql.template[position:], bindings)

    def stands_for(self, own: str, given: str) -> None:
        """Remember what a name of ours stands for."""
        self._given[own] = given

    @contextmanager
    def told_as_given(self) -> Iterator[None]:
        """Have what is wrong with the SQL said with the names that people gave."""
        try:
            yield
        except InvalidSQLError as error:
            for part in ("message", "excerpt", "hint"):
                if isinstance(said := getattr(error, part), str):
                    setattr(error, part, _OWN.sub(lambda own: self._given.get(own[1], own[0]), said))
            raise

    def _named(self, name: str) -> str:
        own = parameter_name(name if name.isascii() else "value")
        self._given[own] = f"{{{name}}}"
        return own

    def _taken(self, name: str, value: Any) -> Any:
        dialect = self._dialect
        if isinstance(value, SQL):
            return self.put_in(value)
        if isinstance(value, (Table, Identifier)):
            return _Quoted(dialect, *(value.asset_key.path if isinstance(value, Table) else value.parts))
        if isinstance(value, (list, tuple)):
            if dialect.has_arrays:
                return [self._taken(name, each) for each in value]
            raise InvalidSQLError(
                f"{name!r} is a list, which {dialect.name} takes after IN only",
                hint=f"Write in {{{name}}}, without parentheses.",
            )
        taken = dialect.given(value) if isinstance(value, _VALUES) else NotImplemented
        if taken is NotImplemented:
            raise InvalidSQLError(
                f"{name!r} is {value!r}, and {dialect.name} has no value of type {type(value).__qualname__}",
                hint="Give a number or text.",
            )
        return taken
