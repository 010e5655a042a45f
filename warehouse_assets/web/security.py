"""Who may ask, and what a page may load: checks before, and headers after, every answer."""

from __future__ import annotations

import hmac
import secrets
import threading
import time
from collections import deque
from contextlib import suppress
from http.cookies import CookieError, SimpleCookie
from typing import TYPE_CHECKING
from urllib.parse import parse_qs, urlsplit

from starlette.datastructures import Headers, MutableHeaders
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, RedirectResponse, Response

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Message, Receive, Scope, Send

    from warehouse_assets.web.settings import Settings

__all__ = ["CSRF_HEADER", "Guard", "Rate", "limited"]

CSRF_HEADER = "x-csrf-token"
COOKIE = "wa_session"
LOGIN = "/login"
SAFE = ("GET", "HEAD", "OPTIONS")
HEADERS = {
    "content-security-policy": "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; font-src 'self'; "
    "connect-src 'self'; worker-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
    "referrer-policy": "same-origin",
    "x-content-type-options": "nosniff",
    "x-frame-options": "DENY",
}
MOST_BYTES = 4_000_000  # of what is sent here
MOST_QUERY = 60_000  # characters, as programs and proxies take hardly more
DEAR, DEAR_SECONDS = 30, 10.0  # of the calls that cost much, so many in so many seconds


class Guard:
    """Refuses what comes from other sites, under another name, or without the token, before anything else sees it.

    A browser gives the token once, at `/login`, and keeps a cookie that says so; a program sends `Authorization: Bearer TOKEN`. What writes
    needs the header `X-CSRF-Token` with `csrf` beside the cookie, which only pages of this server know.
    """

    def __init__(self, app: ASGIApp, settings: Settings) -> None:
        self._app = app
        self._settings = settings
        self._secret = secrets.token_bytes(32)
        self._logins = Rate(20, 60.0)
        self.csrf = self._signed("csrf")

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Let a request through, or answer it."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return

        async def sending(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in HEADERS.items():
                    headers.setdefault(name, value)
                headers.setdefault("cache-control", "no-store")
            await send(message)

        scope["csrf"] = self.csrf
        receiving = _at_most(receive, MOST_BYTES)
        try:
            answer = await self._refusal(scope, receiving)
        except HTTPException as error:
            answer = _refused(error.status_code, str(error.detail))
        await (answer or self._app)(scope, receiving, sending)

    async def _refusal(self, scope: Scope, receive: Receive) -> Response | None:
        headers = Headers(scope=scope)
        host = headers.get("host", "")
        if _name(host) not in self._settings.allowed_hosts:
            return _refused(400, f"this server is not called {host!r}: start it with --allow-host to have it so")
        if scope["path"].startswith("/static/"):
            return None
        if (refusal := _odd(scope, headers)) is not None:
            return refusal
        writes = scope["method"] not in SAFE
        if writes and "origin" in headers and urlsplit(headers["origin"]).netloc.lower() != host.lower():
            return _refused(403, "what writes must come from a page of this server")
        if self._settings.token is not None and scope["path"] == LOGIN:
            return await self._login(Request(scope, receive))
        bearer = self._settings.token is not None and _same(headers.get("authorization", ""), f"Bearer {self._settings.token}")
        if self._settings.token is not None and not bearer and not self._knows(headers):
            if scope["path"].startswith("/api") or writes or "hx-request" in headers or scope["path"] == "/live":
                return _refused(401, "the token is missing: send it as `Authorization: Bearer TOKEN`")
            return RedirectResponse(LOGIN, 303)
        if writes and not bearer and not _same(headers.get(CSRF_HEADER, ""), self.csrf):
            return _refused(403, "the page is of an earlier start of this server: load it again")
        return None

    async def _login(self, request: Request) -> Response:
        """The page that asks for the token, and what it posts."""
        if request.method == "POST":
            given = parse_qs((await request.body())[:4096].decode(errors="replace")).get("token", [""])[0]
            if not self._logins.has_room():
                return HTMLResponse(_LOGIN.format(said="Too many tries. Wait a minute."), 429)
            if _same(given, self._settings.token or ""):
                answer = RedirectResponse("/", 303)
                answer.set_cookie(
                    COOKIE,
                    self._signed("session"),
                    httponly=True,
                    samesite="strict",
                    secure=request.url.scheme == "https",
                    max_age=30 * 86400,
                )
                return answer
            return HTMLResponse(_LOGIN.format(said="This is not the token."), 401)
        return HTMLResponse(_LOGIN.format(said=""))

    def _knows(self, headers: Headers) -> bool:
        cookies: SimpleCookie = SimpleCookie()
        with suppress(CookieError):
            cookies.load(headers.get("cookie", ""))
        return COOKIE in cookies and _same(cookies[COOKIE].value, self._signed("session"))

    def _signed(self, what: str) -> str:
        return hmac.new(self._secret, what.encode(), "sha256").hexdigest()


_LOGIN = (
    '<!doctype html><html lang="en"><meta charset="utf-8"><meta name="viewport" content="width=device-width">'
    '<title>Token · warehouse-assets</title><link rel="stylesheet" href="/static/wa.css"><main class="login"><h1>warehouse-assets</h1>'
    '<form method="post"><label for="token">Token</label><input id="token" name="token" type="password" autofocus required '
    'autocomplete="current-password"><button class="primary">Open</button></form><p role="alert">{said}</p>'
    "<p>It is what WAREHOUSE_ASSETS_WEB_TOKEN was set to when the server was started.</p></main></html>"
)


def _refused(status: int, why: str) -> Response:
    return JSONResponse({"error": why}, status)


_TOO_MUCH = f"more than {MOST_BYTES // 10**6} MB are not taken"


def _odd(scope: Scope, headers: Headers) -> Response | None:
    """What to say to a request that is too large, or that a page of another site makes behind a person's back."""
    if len(scope["query_string"]) > MOST_QUERY:
        return _refused(414, f"the address is longer than {MOST_QUERY:,} characters")
    length = headers.get("content-length", "0")
    if not length.isdigit() or int(length[:18]) > MOST_BYTES:
        return _refused(413, _TOO_MUCH)
    if headers.get("sec-fetch-site") == "cross-site" and headers.get("sec-fetch-mode", "navigate") != "navigate":
        return _refused(403, "only pages of this server ask it for more than a page")
    return None


def _at_most(receive: Receive, most: int) -> Receive:
    """What is received, up to so many bytes, and HTTPException 413 then: also where no length is told."""
    left = most

    async def receiving() -> Message:
        nonlocal left
        message = await receive()
        left -= len(message.get("body", b""))
        if left < 0:
            raise HTTPException(413, _TOO_MUCH)
        return message

    return receiving


def _same(given: str, wanted: str) -> bool:
    return hmac.compare_digest(given.encode(errors="replace"), wanted.encode())


def _name(host: str) -> str:
    """The name in a Host header, without its port."""
    host = host.lower()
    return host.partition("]")[0] + "]" if host.startswith("[") else host.rpartition(":")[0] or host


class Rate:
    """At most so many calls in so many seconds, whoever calls."""

    def __init__(self, calls: int = DEAR, seconds: float = DEAR_SECONDS) -> None:
        self._calls, self._seconds = calls, seconds
        self._times: deque[float] = deque()
        self._lock = threading.Lock()

    def has_room(self) -> bool:
        """Whether there is room for one more, which is counted."""
        with self._lock:
            now = time.monotonic()
            while self._times and self._times[0] < now - self._seconds:
                self._times.popleft()
            if len(self._times) >= self._calls:
                return False
            self._times.append(now)
            return True


def limited(request: Request) -> None:
    """What a call that costs much depends on: HTTPException 429 where there were too many of them in the last seconds."""
    rate: Rate = request.app.state.rate
    if not rate.has_room():
        raise HTTPException(429, "too many at once: try again in some seconds", {"Retry-After": f"{DEAR_SECONDS:.0f}"})
