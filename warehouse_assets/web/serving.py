"""The server: it listens before anything is loaded, and stops when it is told to, whoever listens for changes."""

from __future__ import annotations

import signal
import socket
import sys
from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING

import uvicorn

from warehouse_assets.errors import InvalidInvocationError
from warehouse_assets.web.security import Guard
from warehouse_assets.web.starting import Starting

if TYPE_CHECKING:
    from fastapi import FastAPI

    from warehouse_assets.web.settings import Settings

__all__ = ["listening_socket", "serve"]

CONNECTIONS = (
    800  # at once, after which others are told to come again: a process may open 1,024 files where nothing else is said
)


def listening_socket(settings: Settings) -> socket.socket:
    """The socket of a server; InvalidInvocationError where it cannot listen there."""
    family = socket.AF_INET6 if ":" in settings.host else socket.AF_INET
    listener = socket.socket(
        family, socket.SOCK_STREAM, socket.IPPROTO_TCP
    )  # as asyncio sets TCP_NODELAY only where that is said
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((settings.host, settings.port))
    except OSError as error:
        listener.close()
        raise InvalidInvocationError(
            f"cannot listen on {settings.host}:{settings.port}: {error.strerror or error}", hint="Give another one with --port."
        ) from None
    listener.listen(128)
    return listener


def serve(make: Callable[[], FastAPI], listener: socket.socket, settings: Settings) -> None:
    """Serve what `make` gives until SIGINT or SIGTERM. It is called in a thread once the server answers; what it raises ends the server, and is raised."""
    starting = Starting(make, settings)
    config = uvicorn.Config(
        Guard(starting, settings),
        log_level="warning",
        timeout_graceful_shutdown=1,
        limit_concurrency=CONNECTIONS,
        server_header=False,
        access_log=False,
        lifespan="on",
    )
    server = uvicorn.Server(config)
    starting.on_error = partial(setattr, server, "should_exit", True)
    sys.setswitchinterval(0.001)  # what is worked out in the background keeps answers waiting for no longer
    before = {number: signal.signal(number, lambda *_: None) for number in (signal.SIGINT, signal.SIGTERM)}
    try:  # which are raised once more when the server has stopped, and are to end nothing else before it is closed
        server.run(sockets=[listener])
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
    if starting.error is not None:
        raise starting.error
