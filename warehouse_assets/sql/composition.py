"""What goes into SQL beside values: names, parts of queries, and templates of Python that hold them."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from enum import Enum
from itertools import zip_longest
from pathlib import PurePath
from typing import Any

from warehouse_assets.errors import InvalidSQLError
from warehouse_assets.keys import AssetKey
from warehouse_assets.tables import quote_identifier

__all__ = ["PLACEHOLDER", "Identifier", "bindable", "is_template", "of_template"]

PLACEHOLDER = re.compile(r"\{([^\W\d]\w*)\}")

_TO_LIST = ("tolist", "to_list", "to_pylist")  # of numpy and pandas, of polars, of Arrow


@dataclass(frozen=True, init=False)
class Identifier:
    """A name in SQL, of a column for example, that is put in quoted; of several parts, with dots between them.

    >>> print(Identifier("orders", "the day"))
    "orders"."the day"

    Raises InvalidSQLError for a part that is empty or no text.
    """

    parts: tuple[str, ...]

    def __init__(self, *parts: str) -> None:
        if not parts or not all(isinstance(part, str) and part and "\0" not in part for part in parts):
            raise InvalidSQLError(f"Identifier is made from names, not from {parts!r}", hint='Write Identifier("column").')
        object.__setattr__(self, "parts", parts)

    def __str__(self) -> str:
        return ".".join(map(quote_identifier, self.parts))


def is_template(value: Any) -> bool:
    """Whether a value is a template string."""
    return type(value).__module__ == "string.templatelib" and hasattr(value, "interpolations")


def bindable(name: str, value: Any) -> Any:
    """A value as databases take it: the number in a numpy scalar, the value of an Enum, a path as text, a set or an array as a list.

    Raises InvalidSQLError for what no database has a value for.
    """
    if isinstance(value, Enum):
        return bindable(name, value.value)
    if type(value).__module__ == "numpy" and hasattr(value, "item") and getattr(value, "ndim", None) == 0:
        return value.item()
    if isinstance(value, PurePath):
        return str(value)
    if isinstance(value, (set, frozenset, range)):
        return list(value)
    if hasattr(type(value), "columns"):
        raise InvalidSQLError(
            f"{name!r} is a frame, which is no value in SQL", hint="Return it from an asset, and name the table of that."
        )
    if (to_list := next(filter(None, (getattr(value, name, None) for name in _TO_LIST)), None)) is not None:
        return to_list()
    if isinstance(value, (Iterator, type, AssetKey)) or callable(value):
        hint = "Write Table(key) for a table." if isinstance(value, AssetKey) else "Give the value itself, or a list of values."
        raise InvalidSQLError(f"{name!r} is {value!r}, which is no value in SQL", hint=hint)
    return value


def of_template(template: Any) -> tuple[str, dict[str, Any]]:
    """The text and the values of a template string, `t"select {x}"`, as SQL takes them.

    Raises InvalidSQLError for a conversion or a format, which would paste text.
    """
    pieces: list[str] = []
    values: dict[str, Any] = {}
    for text, part in zip_longest(template.strings, template.interpolations):
        pieces.append(text)
        if part is None:
            continue
        if part.conversion or part.format_spec:
            raise InvalidSQLError(
                f"the place {{{part.expression}}} has a format, and values are bound as they are", hint="Leave the format out."
            )
        name = part.expression if part.expression.isidentifier() else f"value_{len(values) + 1}"
        while (name in values and values[name] is not part.value) or any(f"{{{name}}}" in text for text in template.strings):
            name += "_"
        values[name] = part.value
        pieces.append(f"{{{name}}}")
    return "".join(pieces), values
