"""The ready-made checks of a table, as the header of its `.sql` file lists them."""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from warehouse_assets import checks
from warehouse_assets.errors import close_matches
from warehouse_assets.events import AssetCheckSeverity
from warehouse_assets.keys import AssetKey

if TYPE_CHECKING:
    from warehouse_assets.code_location.sql_headers import Header
    from warehouse_assets.definitions.checks import AssetChecksDefinition

__all__ = ["age_of", "checks_of"]

_NAMES = tuple(name for name in checks.__all__ if name != "HistoryBand")
_OPTIONS = ("blocking", "severity", "sample")  # of those that take the last options of column_checks
_UNITS = {"s": "seconds", "min": "minutes", "h": "hours", "d": "days", "w": "weeks"}
_AGE = re.compile(r"\s*(\d+(?:\.\d+)?)\s*(s|min|h|d|w)\s*")


def checks_of(header: Header, key: AssetKey) -> Iterator[AssetChecksDefinition]:
    """The checks that a header lists: names of `warehouse_assets.checks`, each with its arguments."""
    listed = header.get("checks")
    if not isinstance(listed, list):
        header.add(["checks"], f"the checks are {listed!r}, not a list", "Write each as - not_null: [id].")
        return
    for index, item in enumerate(listed):
        path = ["checks", index]
        if isinstance(item, str):
            item = {item: {}}
        if not isinstance(item, dict) or len(item) != 1:
            header.add(path, f"a check is {item!r}", "Write each as - not_null: [id].")
            continue
        [(name, said)] = item.items()
        if name not in _NAMES:
            hint = close_matches(str(name), _NAMES) or f"There are {', '.join(_NAMES)}."
            header.add([*path, name], f"there is no check {name!r}", hint)
            continue
        inner = [*path, name]
        given = dict(_arguments(header, inner, said)) if isinstance(said, dict) else {}
        arguments = (key.to_user_string(),) if isinstance(said, dict) else (key.to_user_string(), said)
        definition = header.called(inner, getattr(checks, name), given, *arguments, options=_OPTIONS)
        if definition is not None:
            definition.function.place = header.sections["checks"].place(path)
            yield definition


def _arguments(header: Header, path: Sequence[Any], said: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    """The arguments by name, those that are no types of YAML among them."""
    for name, value in said.items():
        inner = [*path, name]
        if name == "history" and isinstance(value, dict):
            yield name, header.called(inner, checks.HistoryBand, value)
        elif name == "max_age":
            yield name, age_of(header, inner, value)
        elif name == "severity":
            yield name, header.attempt(inner, lambda text: AssetCheckSeverity(str(text).upper()), value)
        else:
            yield name, value


def age_of(header: Header, path: Sequence[Any], value: Any) -> dt.timedelta | None:
    """The duration that a text such as "36h" stands for; None for a fault."""
    match = _AGE.fullmatch(value) if isinstance(value, str) else None
    if match is None:
        header.add(path, f"{path[-1]} is {value!r}", f"Write a number and one of {', '.join(_UNITS)}: 36h.")
        return None
    return dt.timedelta(**{_UNITS[match[2]]: float(match[1])})
