r"""Keys of assets in addresses: each segment quoted by itself, so that it may hold anything.

Browsers take the segments `.` and `..` out of an address, and `/-/` parts a key from what is asked of it: a backslash before such
a segment, and before one that is that with backslashes, keeps them.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING
from urllib.parse import quote, unquote

from warehouse_assets.keys import AssetKey

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Receive, Scope, Send

__all__ = ["OneLine", "joined_keys", "key_from_path", "key_path", "split_keys"]

_SPECIAL = re.compile(r"\\*(\.{1,2}|-)")
_LISTED = re.compile(r"(?:[^,\\]|\\.)+|\\", re.DOTALL)


def key_path(key: AssetKey) -> str:
    r"""A key as a part of an address.

    >>> key_path(AssetKey(["shop", "a/b", ".."]))
    'shop/a%2Fb/%5C..'
    """
    return "/".join(quote(f"\\{one}" if _SPECIAL.fullmatch(one) else one, safe="") for one in key.path)


def key_from_path(text: str) -> AssetKey:
    """The key that `key_path` wrote; InvalidDefinitionError where there is none.

    >>> key_from_path("shop/a%2Fb/%5C..").path
    ('shop', 'a/b', '..')
    """
    found = [unquote(segment) for segment in text.split("/")]
    return AssetKey([one[1:] if one.startswith("\\") and _SPECIAL.fullmatch(one) else one for one in found])


def joined_keys(*keys: AssetKey) -> str:
    r"""Keys in one text, escaped, with commas between them and a backslash before a comma inside of one.

    >>> print(joined_keys(AssetKey(["shop", "a,b"]), AssetKey(["c/d"])))
    shop/a\,b,c\/d
    """
    return ",".join(key.to_escaped_string().replace(",", "\\,") for key in keys)


def split_keys(texts: list[str]) -> list[str]:
    r"""The escaped keys of texts that `joined_keys` wrote.

    >>> split_keys([r"shop/a\,b,c\/d", "e"])
    ['shop/a\\,b', 'c\\/d', 'e']
    """
    return [found for text in texts for found in _LISTED.findall(text)]


class OneLine:
    """Has routes find addresses that hold the end of a line, which only keys do: those are read from what was sent."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer it."""
        if scope["type"] == "http" and "\n" in scope["path"] and scope.get("raw_path"):
            scope = {**scope, "path": scope["path"].replace("\n", " ")}
        await self._app(scope, receive, send)
