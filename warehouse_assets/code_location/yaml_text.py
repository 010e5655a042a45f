"""YAML as people write it beside SQL: dates and `yes` are text, and a key that is there twice is an error."""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import cache
from typing import Any

import yaml  # type: ignore[import-untyped]

from warehouse_assets.errors import InvalidDefinitionError

__all__ = ["line_of", "read_yaml"]

_Base: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


class _Loader(_Base):  # type: ignore[misc]
    """The types of JSON, and no others."""

    yaml_implicit_resolvers: dict[str, list[tuple[str, re.Pattern[str]]]] = {}

    def construct_mapping(self, node: Any, deep: bool = False) -> Any:
        known: set[str] = set()
        for key, _ in node.value:
            if str(key.value) in known:
                raise yaml.constructor.ConstructorError(None, None, f"{key.value!r} is there twice", key.start_mark)
            known.add(str(key.value))
        return super().construct_mapping(node, deep=deep)


for _tag, _pattern, _first in (
    ("bool", "true|True|TRUE|false|False|FALSE", "tTfF"),
    ("int", r"[-+]?[0-9]+", "-+0123456789"),
    ("float", r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?", "-+0123456789."),
    ("null", "~|null|Null|NULL|", "~nN\0"),
):
    _firsts = ["" if char == "\0" else char for char in _first]
    _Loader.add_implicit_resolver(f"tag:yaml.org,2002:{_tag}", re.compile(rf"^(?:{_pattern})$"), _firsts)


def read_yaml(text: str, file: str, line: int) -> dict[str, Any]:
    """The mapping that a text is, which begins on this line of a file.

    Raises InvalidDefinitionError, with its place, for what is no YAML, or no mapping.
    """
    try:
        values = yaml.load(text, Loader=_Loader)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        where = f"{file}:{line + mark.line}:{mark.column + 1}" if mark is not None else f"{file}:{line}"
        what = f"the YAML cannot be read: {error.problem or error.context}"
        raise InvalidDefinitionError(what, where=where, hint="Text with a colon or a special character needs quotes.") from None
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        raise InvalidDefinitionError(f"the YAML cannot be read: {error}", where=f"{file}:{line}") from None
    if values is None:
        return {}
    if not isinstance(values, dict):
        hint = "Write key: value, each on a line."
        raise InvalidDefinitionError(f"the YAML is {values!r}, not a mapping", where=f"{file}:{line}", hint=hint)
    return values


def line_of(text: str, path: Sequence[Any]) -> int:
    """The line, counted from 0, of the key or the item in `text` that `path` leads to; of the last one that is there."""
    node, line = _composed(text), 0
    for step in path:
        if isinstance(node, yaml.MappingNode):
            pair = next(((key, value) for key, value in node.value if key.value == str(step)), None)
            if pair is None:
                break
            line, node = pair[0].start_mark.line, pair[1]
        elif isinstance(node, yaml.SequenceNode) and isinstance(step, int) and step < len(node.value):
            node = node.value[step]
            line = node.start_mark.line
        else:
            break
    return line


@cache
def _composed(text: str) -> Any:
    return yaml.compose(text, Loader=_Loader)
