"""What people may call things, and where they declared them."""

from __future__ import annotations

import keyword
import re
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from types import CodeType, FrameType
from typing import Any, TypeVar

from warehouse_assets.errors import InvalidDefinitionError, InvalidDefinitionsError

__all__ = ["Faults", "Place", "caller_frame", "caller_place", "collecting"]

T = TypeVar("T")

_PACKAGE = __name__.partition(".")[0]
_NAME = re.compile(r"[\w.\-]+")
_RESERVED = {"context", "config"}
_TAG_KEY = re.compile(r"([\w.\-]{1,63}/)?[\w.\-]{1,63}")
_TAG_VALUE = re.compile(r"[\w.\-]{0,63}")
_OWNER = re.compile(r"team:[\w .\-]+|[^@\s]+@[^@\s]+\.[^@\s]+")


class Place:
    """Where something was declared: a file and a line, shown as `folder/file.py:12`."""

    __slots__ = ("file", "line")

    def __init__(self, file: str, line: int) -> None:
        self.file = file
        self.line = line

    @classmethod
    def of(cls, code: CodeType) -> Place:
        """The place of a function."""
        return cls(code.co_filename, code.co_firstlineno)

    def __str__(self) -> str:
        return f"{self.file}:{self.line}"

    def __repr__(self) -> str:
        return f"Place({str(self)!r})"


def caller_frame() -> FrameType:
    """The first frame up the stack that is not in this package: where a person declares something."""
    frame = sys._getframe(1)
    while frame.f_back is not None and frame.f_globals.get("__name__", "").partition(".")[0] == _PACKAGE:
        frame = frame.f_back
    return frame


def caller_place() -> Place:
    """The place where a person declares something."""
    frame = caller_frame()
    return Place(frame.f_code.co_filename, frame.f_lineno)


_collected: ContextVar[list[InvalidDefinitionError] | None] = ContextVar("faults of the modules being loaded", default=None)


@contextmanager
def collecting() -> Iterator[list[InvalidDefinitionError]]:
    """While the block lasts, faulty declarations add to this list, and raise nothing."""
    found: list[InvalidDefinitionError] = []
    before = _collected.set(found)
    try:
        yield found
    finally:
        _collected.reset(before)


class Faults:
    """Collects what is wrong with one or many declarations, to raise it all at once."""

    __slots__ = ("errors", "prefix", "where")

    def __init__(self, prefix: str = "", where: Place | None = None) -> None:
        self.prefix = prefix
        self.where = where
        self.errors: list[InvalidDefinitionError] = []

    def add(self, message: str, *, hint: str | None = None, where: Place | None = None) -> None:
        """Note one fault."""
        place = where or self.where
        self.errors.append(
            InvalidDefinitionError(self.prefix + message, where=str(place) if place is not None else None, hint=hint)
        )

    def attempt(self, build: Callable[..., T], *args: Any, **kwargs: Any) -> T | None:
        """What `build` gives for these arguments; None where the declaration is faulty, which is noted."""
        try:
            return build(*args, **kwargs)
        except InvalidDefinitionsError as error:
            self.errors += error.exceptions  # type: ignore[arg-type]
        except InvalidDefinitionError as error:
            self.errors.append(error)
        return None

    def raise_any(self, what: str = "the declaration") -> None:
        """Raise what was noted: one fault as itself, several as a group."""
        if len(self.errors) == 1:
            raise self.errors[0]
        if self.errors:
            raise InvalidDefinitionsError(f"{len(self.errors)} faults in {what}", self.errors)

    def settle(self, what: str = "the declaration") -> None:
        """Raise what was noted; but while a module is loaded, leave it to the report of all that is wrong there.

        Then what is declared goes on with what is right in it.
        """
        collected = _collected.get()
        if collected is None:
            self.raise_any(what)
        else:
            collected += self.errors
            self.errors = []

    def check_name(self, name: str, what: str = "name") -> None:
        """A name is letters of any alphabet, digits, "_", "-" and ".", and no word that means something else here."""
        if not isinstance(name, str) or not _NAME.fullmatch(name):
            self.add(
                f"the {what} {name!r} is not allowed",
                hint='Names are letters, digits, "_", "-" and "."; a key with other text is given as an AssetKey.',
            )
        elif keyword.iskeyword(name) or name in _RESERVED:
            self.add(f"the {what} {name!r} is reserved", hint="Choose another name.")

    def check_identifier(self, name: str, what: str) -> None:
        """The name of an op, a graph or one of their outputs: one that Python code can use."""
        if not isinstance(name, str) or not name.isidentifier() or keyword.iskeyword(name) or name in _RESERVED:
            self.add(
                f"the {what} {name!r} is not allowed", hint='It is letters, digits and "_", and no word with a meaning here.'
            )

    def check_segments(self, segments: Iterable[str], what: str) -> None:
        """The segments of a key or prefix that was given as text."""
        for segment in segments:
            if not _NAME.fullmatch(segment):
                self.add(
                    f"the {what} segment {segment!r} is not allowed",
                    hint='Segments are letters, digits, "_", "-" and "."; a key with other text is given as an AssetKey.',
                )

    def check_tags(self, tags: Mapping[str, str]) -> None:
        """Tags are short names with short values, both text."""
        for name, value in tags.items():
            if not isinstance(name, str) or not _TAG_KEY.fullmatch(name):
                self.add(f"the tag {name!r} is not allowed", hint='Tag names are at most 63 letters, digits, "_", "-" and ".".')
            elif not isinstance(value, str) or not _TAG_VALUE.fullmatch(value):
                self.add(
                    f"the tag {name!r} has the value {value!r}, which is not allowed",
                    hint='Tag values are at most 63 letters, digits, "_", "-" and ".".',
                )

    def check_owners(self, owners: Iterable[str]) -> None:
        """An owner is an e-mail address or `team:name`."""
        for owner in owners:
            if not isinstance(owner, str) or not _OWNER.fullmatch(owner):
                self.add(f"the owner {owner!r} is not allowed", hint="Give an e-mail address, or 'team:' and a name.")

    def check_data_version(self, data_version: str) -> None:
        """How the data version is found may be said; a version itself comes with the data."""
        if data_version != "content":
            self.add(
                f"the data_version {data_version!r} is not allowed",
                hint='It is "content"; give a version itself as Output(value, data_version=…) or MaterializeResult(data_version=…).',
            )

    def check_kinds(self, kinds: Iterable[str]) -> None:
        """A kind is a name, such as `polars` or `sql`."""
        for kind in kinds:
            if not isinstance(kind, str) or not _NAME.fullmatch(kind):
                self.add(f"the kind {kind!r} is not allowed", hint='Kinds are letters, digits, "_", "-" and ".".')
