"""Passwords in addresses, such as errors and code may hold: no answer shows them, whichever page or value they are part of."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from starlette.datastructures import Headers, MutableHeaders

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Message, Receive, Scope, Send

__all__ = ["Masking", "without_passwords"]

_PASSWORD = re.compile(rb"(?<=://)([^\s/@\"'<>\\:]*):[^\s/@\"'<>\\]+@")
_HIDDEN = "\\1:•••@".encode()
_MASKED = ("text/html", "text/plain", "application/json")
_ROWS = ("/api/sql", "/-/rows")  # which are values of tables, and told as they are


def without_passwords(body: bytes) -> bytes:
    """The text with dots in place of each password in an address.

    >>> without_passwords(b"no answer from postgresql://me:hush@host/db, see https://example.org").decode()
    'no answer from postgresql://me:•••@host/db, see https://example.org'
    """
    return _PASSWORD.sub(_HIDDEN, body) if b"@" in body and b"://" in body else body


class Masking:
    """Has pages and values of the API go out without the passwords of addresses."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer, and look at each piece of what is answered."""
        path = scope.get("path", "")
        if scope["type"] != "http" or path.startswith(_ROWS[:1]) or path.endswith(_ROWS[1:]):
            await self._app(scope, receive, send)
            return
        begun: Message | None = None
        is_text = False

        async def sending(message: Message) -> None:
            nonlocal begun, is_text
            if message["type"] == "http.response.start":
                is_text = Headers(raw=message["headers"]).get("content-type", "").startswith(_MASKED)
                if is_text:  # to be sent once its length is known
                    begun = message
                    return
            elif is_text and message["type"] == "http.response.body":
                message = {**message, "body": without_passwords(message.get("body", b""))}
                if begun is not None:
                    if not message.get("more_body") and scope["method"] != "HEAD":
                        MutableHeaders(scope=begun)["content-length"] = str(len(message["body"]))
                    await send(begun)
                    begun = None
            await send(message)

        await self._app(scope, receive, sending)
