"""`AssetKey`: the name of an asset, one or more segments, of which the last two are a table and its schema."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, TypeAlias

from warehouse_assets.errors import InvalidDefinitionError

__all__ = ["AssetCheckKey", "AssetKey", "CoercibleToAssetKey", "CoercibleToKeyPrefix", "key_prefix_segments"]

CoercibleToKeyPrefix: TypeAlias = "str | Sequence[str]"
CoercibleToAssetKey: TypeAlias = "AssetKey | str | Sequence[str]"

_ESCAPED_SEGMENT = re.compile(r"(?:[^/\\]|\\.)+", re.DOTALL)


class AssetKey:
    """The name of an asset: one or more non-empty segments of any text.

    A string is one segment here; everywhere else in the API a string stands for its segments, split on "/".

    >>> AssetKey(["staging", "orders"]).to_user_string()
    'staging/orders'
    >>> AssetKey("a/b").path
    ('a/b',)
    """

    __slots__ = ("_hash", "path")

    path: tuple[str, ...]

    def __init__(self, path: str | Sequence[str]) -> None:
        segments = (path,) if isinstance(path, str) else tuple(path)
        for segment in segments:
            if not isinstance(segment, str) or not segment:
                raise InvalidDefinitionError(f"asset key {path!r} has a segment that is not a non-empty string: {segment!r}")
        if not segments:
            raise InvalidDefinitionError("an asset key needs at least one segment")
        object.__setattr__(self, "path", segments)
        object.__setattr__(self, "_hash", hash(segments))

    def __setattr__(self, name: str, value: Any) -> None:
        raise AttributeError("an AssetKey cannot be changed")

    def __eq__(self, other: object) -> bool:
        return isinstance(other, AssetKey) and self.path == other.path

    def __lt__(self, other: AssetKey) -> bool:
        return self.path < other.path

    def __hash__(self) -> int:
        return self._hash  # type: ignore[attr-defined,no-any-return]

    def __repr__(self) -> str:
        return f"AssetKey({list(self.path)!r})"

    def __reduce__(self) -> tuple[type[AssetKey], tuple[tuple[str, ...]]]:
        return AssetKey, (self.path,)

    @classmethod
    def coerce(cls, value: CoercibleToAssetKey) -> AssetKey:
        """The key meant by `value`: a key itself, a string of segments joined by "/", or a sequence of segments.

        >>> AssetKey.coerce("staging/orders") == AssetKey.coerce(["staging", "orders"])
        True
        """
        if isinstance(value, AssetKey):
            return value
        if isinstance(value, str):
            return _key_of(value)
        if isinstance(value, (list, tuple)):
            return cls(value)
        raise InvalidDefinitionError(
            f"{value!r} is not an asset key", hint="Give a string such as 'schema/table', a list of segments, or an AssetKey."
        )

    @classmethod
    def from_user_string(cls, text: str) -> AssetKey:
        """The key whose segments `text` joins with "/"; a segment that itself holds "/" needs the escaped form.

        >>> AssetKey.from_user_string("raw/orders").path
        ('raw', 'orders')
        """
        segments = text.split("/")
        if not all(segments):
            raise InvalidDefinitionError(
                f"asset key {text!r} has an empty segment", hint='Segments are joined by single "/" characters.'
            )
        return cls(segments)

    def to_user_string(self) -> str:
        """The segments joined with "/", for people to read."""
        return "/".join(self.path)

    def to_escaped_string(self) -> str:
        r"""The segments joined with "/", with "\" before each "/" and "\" inside one: no two keys share it.

        >>> print(AssetKey(["a/b", "c"]).to_escaped_string())
        a\/b/c
        """
        text = "/".join(self.path)
        if "\\" not in text and text.count("/") < len(self.path):
            return text
        return "/".join(segment.replace("\\", "\\\\").replace("/", "\\/") for segment in self.path)

    @classmethod
    def from_escaped_string(cls, text: str) -> AssetKey:
        r"""The key that `to_escaped_string` wrote.

        >>> AssetKey.from_escaped_string(r"a\/b/c").path
        ('a/b', 'c')
        """
        segments = _ESCAPED_SEGMENT.findall(text)
        if "/".join(segments) != text:
            raise InvalidDefinitionError(f"{text!r} is not an escaped asset key")
        return cls([re.sub(r"\\(.)", r"\1", segment, flags=re.DOTALL) for segment in segments])

    def has_prefix(self, prefix: CoercibleToKeyPrefix) -> bool:
        """Whether the key begins with the segments of `prefix`."""
        segments = key_prefix_segments(prefix)
        return self.path[: len(segments)] == segments

    def with_prefix(self, prefix: CoercibleToKeyPrefix | None) -> AssetKey:
        """The key with the segments of `prefix` before its own."""
        return AssetKey((*key_prefix_segments(prefix), *self.path)) if prefix else self


@dataclass(frozen=True, slots=True, order=True)
class AssetCheckKey:
    """The name of a check: the asset that is checked, and the name of the check among those of the asset.

    >>> AssetCheckKey(AssetKey(["staging", "orders"]), "unique").to_user_string()
    'staging/orders:unique'
    """

    asset_key: AssetKey
    name: str

    def __post_init__(self) -> None:
        object.__setattr__(self, "asset_key", AssetKey.coerce(self.asset_key))

    def to_user_string(self) -> str:
        """The key of the asset and the name, for people to read."""
        return f"{self.asset_key.to_user_string()}:{self.name}"

    def to_escaped_string(self) -> str:
        """The escaped key of the asset, ":" and the name, which holds no ":": no two checks share it."""
        return f"{self.asset_key.to_escaped_string()}:{self.name}"

    @classmethod
    def from_escaped_string(cls, text: str) -> AssetCheckKey:
        """The key that `to_escaped_string` wrote."""
        key, colon, name = text.rpartition(":")
        if not (key and colon and name):
            raise InvalidDefinitionError(f"{text!r} is not the key of a check", hint="Write 'schema/table:check'.")
        return cls(AssetKey.from_escaped_string(key), name)


@lru_cache(maxsize=65_536)
def _key_of(text: str) -> AssetKey:
    """The key that a string stands for: one object, however often a table is named, which dicts find without comparing."""
    return AssetKey.from_user_string(text)


def key_prefix_segments(prefix: CoercibleToKeyPrefix | None) -> tuple[str, ...]:
    """The segments of a key prefix given as a string (split on "/"), a sequence of segments, or None."""
    if not prefix:
        return ()
    return AssetKey.coerce(prefix).path


def user_strings(keys: Iterable[AssetKey]) -> str:
    """Keys as people read them, sorted, in one line."""
    return ", ".join(sorted(key.to_user_string() for key in keys))
