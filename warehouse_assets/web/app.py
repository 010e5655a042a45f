"""`create_app`: all pages and the API of one site, as an ASGI application."""

from __future__ import annotations

import asyncio
import importlib
import pkgutil
import threading
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from types import ModuleType
from typing import TYPE_CHECKING, Any

from fastapi import Depends, FastAPI, Request
from fastapi.exceptions import RequestValidationError
from pydantic import BaseModel
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.middleware.gzip import GZipMiddleware
from starlette.responses import JSONResponse, Response, StreamingResponse
from starlette.routing import BaseRoute, Match

from warehouse_assets._version import __version__
from warehouse_assets.errors import (
    InstanceError,
    InvalidInvocationError,
    InvalidSelectionError,
    LocationError,
    RunNotFoundError,
    WarehouseAssetsError,
)
from warehouse_assets.web import api, pages
from warehouse_assets.web.addresses import OneLine
from warehouse_assets.web.files import Files
from warehouse_assets.web.live import Live, log_position
from warehouse_assets.web.masking import Masking
from warehouse_assets.web.rendering import is_fragment, render
from warehouse_assets.web.security import Guard, Rate
from warehouse_assets.web.views import catalog, graph

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Receive, Scope, Send

    from warehouse_assets.web.site import Site

__all__ = ["create_app"]

GRAPH_SECONDS = 2.0


def create_app(site: Site, *, is_guarded: bool = False) -> FastAPI:
    """The application that serves a site; starting it begins to load the code locations. `is_guarded` where a `Guard` stands before it."""

    described = _Later("/api/", lambda: _api(app))

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        site.start()
        threading.Thread(target=_prepare, args=[site, described], daemon=True, name="preparing").start()
        yield

    app = FastAPI(
        title="warehouse-assets",
        lifespan=lifespan,
        openapi_url=None,
        middleware=[
            Middleware(OneLine),
            *([] if is_guarded else [Middleware(Guard, settings=site.settings)]),
            Middleware(GZipMiddleware, minimum_size=1000, compresslevel=5),
            Middleware(Masking),
        ],
        routes=[described],
        exception_handlers=_HANDLERS,
    )
    app.state.site, app.state.live, app.state.rate = site, Live(site), Rate()
    app.mount("/static", Files(), "static")
    app.add_api_route("/live", _live)
    for module in _modules(pages):
        app.include_router(module.router, dependencies=[Depends(_position)])
    return app


def _api(app: FastAPI) -> FastAPI:
    """The API of an application, with its description."""
    described = FastAPI(
        title="warehouse-assets",
        version=__version__,
        docs_url=None,
        redoc_url=None,
        openapi_url="/api/openapi.json",
        exception_handlers=_HANDLERS,
    )
    described.state = app.state
    for module in _modules(api):
        described.include_router(module.router, responses=_FAULTS)
    return described


def _prepare(site: Site, described: _Later) -> None:
    """Make what the first of many requests would wait for: the catalog first, as it is what people open, and the graph while they look at that."""
    catalog.prepare(site)
    described.make()
    time.sleep(GRAPH_SECONDS)
    graph.prepare(site)


class _Later(BaseRoute):
    """All below an address, by an application that is made when it is first needed: the first page does not wait for it."""

    def __init__(self, path: str, made: Callable[[], ASGIApp]) -> None:
        self._path = path
        self._made = made
        self._app: ASGIApp | None = None
        self._lock = threading.Lock()

    def make(self) -> ASGIApp:
        """The application."""
        with self._lock:
            if self._app is None:
                self._app = self._made()
            return self._app

    def matches(self, scope: Scope) -> tuple[Match, Scope]:
        """Everything below the address is there."""
        return (Match.FULL if scope["type"] == "http" and scope["path"].startswith(self._path) else Match.NONE), {}

    async def handle(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Have the application answer."""
        app = self._app if self._app is not None else await asyncio.to_thread(self.make)
        await app(scope, receive, send)


class Fault(BaseModel):
    """What was wrong, and what to do."""

    error: str
    hint: str | None = None


_FAULTS: dict[int | str, dict[str, Any]] = {
    422: {"model": Fault, "description": "What is asked cannot be read"},
    "default": {"model": Fault, "description": "What is asked cannot be done"},
}


def _modules(package: ModuleType) -> Iterator[ModuleType]:
    for found in sorted(pkgutil.iter_modules(package.__path__), key=lambda one: one.name):
        yield importlib.import_module(f"{package.__name__}.{found.name}")


def _position(request: Request) -> None:
    """Note, before a page looks at anything, what it certainly knows: it asks to be told what came after that."""
    if request.method == "GET" and not is_fragment(request):
        site = request.app.state.site
        request.scope["after"] = f"{log_position(site.instance)}:{site.facts.version}"


async def _live(request: Request, after: int | None = None) -> StreamingResponse:
    """What changes, as server-sent events."""
    last = request.headers.get("last-event-id", "")
    since = int(last) if last.isdigit() else after
    live: Live = request.app.state.live
    client = request.client.host if request.client is not None else ""
    if not live.has_room(client):
        raise HTTPException(429, "too many pages of this address listen: close some", {"Retry-After": "60"})
    headers = {"cache-control": "no-store", "x-accel-buffering": "no", "content-encoding": "identity"}
    return StreamingResponse(live.changes(since, client), media_type="text/event-stream", headers=headers)


def _failed(request: Request, error: Exception) -> Response:
    """An error of the project, as a page or a value that says what to do."""
    assert isinstance(error, WarehouseAssetsError)
    kinds = (
        (InvalidSelectionError, 404),
        (RunNotFoundError, 404),
        (InvalidInvocationError, 400),
        (LocationError, 502),
        (InstanceError, 503),
    )
    status = next((status for kind, status in kinds if isinstance(error, kind)), 400)
    hint = getattr(error, "hint", None)
    return _told(request, status, getattr(error, "message", str(error)), hint)


def _refused(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    unknown = error.status_code == 404 and error.detail == "Not Found"
    message = f"there is nothing at {request.url.path}" if unknown else str(error.detail)
    return _told(request, error.status_code, message, None, error.headers)


def _misunderstood(request: Request, error: Exception) -> Response:
    assert isinstance(error, RequestValidationError)
    faults = [f"{'.'.join(map(str, one['loc'][1:])) or one['loc'][0]}: {one['msg']}" for one in error.errors()]
    return _told(request, 422, "; ".join(faults), None)


def _told(request: Request, status: int, message: str, hint: str | None, headers: Any = None) -> Response:
    if request.url.path.startswith("/api"):
        return JSONResponse({"error": message, "hint": hint}, status, headers)
    template = "_error.html" if is_fragment(request) else "error.html"
    return render(request, template, status=status, message=message, hint=hint, code=status)


_HANDLERS: dict[int | type[Exception], Any] = {
    WarehouseAssetsError: _failed,
    HTTPException: _refused,
    RequestValidationError: _misunderstood,
}
