"""`Starting`: answers from the first moment on, with a page that says that it starts, while the application behind it is made."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import TYPE_CHECKING

from starlette.applications import Starlette
from starlette.responses import HTMLResponse, JSONResponse
from starlette.routing import Mount

from warehouse_assets.web.files import Files
from warehouse_assets.web.rendering import templates

if TYPE_CHECKING:
    from fastapi import FastAPI
    from starlette.types import Receive, Scope, Send

    from warehouse_assets.web.settings import Settings

__all__ = ["Starting"]


class Starting:
    """An application for as long as another one is made in a thread, and then that one.

    A page is answered at once, by one that loads itself anew when there is more to see; all else waits. `error` is why there never will be, and
    `on_error` is called then.
    """

    def __init__(self, make: Callable[[], FastAPI], settings: Settings, on_error: Callable[[], object] = lambda: None) -> None:
        self.error: Exception | None = None
        self.on_error = on_error
        self._make = make
        self._settings = settings
        self._app: FastAPI | None = None
        self._is_over = asyncio.Event()
        self._ends = asyncio.Event()
        self._files = Starlette(routes=[Mount("/static", Files())])

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer, or have it answered."""
        if scope["type"] == "lifespan":
            await self._live(receive, send)
            return
        if not self._is_over.is_set():
            if scope["path"].startswith("/static/"):
                await self._files(scope, receive, send)
                return
            headers = dict(scope["headers"])
            if b"text/html" in headers.get(b"accept", b"") and b"hx-request" not in headers and scope["method"] == "GET":
                await self._page(scope)(scope, receive, send)
                return
            await self._is_over.wait()
        answer = self._app or JSONResponse({"error": f"the server cannot start: {self.error}"}, 503)
        await answer(scope, receive, send)

    def _page(self, scope: Scope) -> HTMLResponse:
        area = scope["path"].split("/")[1] or "home"
        page = templates().get_template("starting.html")
        return HTMLResponse(page.render(settings=self._settings, csrf=scope.get("csrf", ""), after="", area=area))

    async def _live(self, receive: Receive, send: Send) -> None:
        await receive()
        made = asyncio.create_task(self._begin())
        await send({"type": "lifespan.startup.complete"})
        await receive()
        self._ends.set()
        await made
        await send({"type": "lifespan.shutdown.complete"})

    async def _begin(self) -> None:
        try:
            app = await asyncio.to_thread(self._make)
            async with app.router.lifespan_context(app):
                self._app = app
                self._is_over.set()
                await self._ends.wait()
        except Exception as error:  # noqa: BLE001 - which who serves raises
            self.error = error
            self._is_over.set()
            self.on_error()
