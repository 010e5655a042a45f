"""A proxy in front of a server that speaks HTTP, which counts what passes and can answer with errors in its place."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import nullcontext
from dataclasses import dataclass
from http.client import HTTPConnection, HTTPResponse
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Any
from urllib.parse import unquote, urlsplit

HOP_BY_HOP = {"connection", "expect", "keep-alive", "proxy-connection", "te", "trailer", "upgrade"}


@dataclass
class Exchange:
    """A request and its answer; `received` and `sent` are the bytes of the bodies, as the proxy got and gave them."""

    method: str
    path: str
    query: str
    range: str | None
    received: int = 0
    status: int = 0
    sent: int = 0


class HttpProxy:
    """Leads to the server at `endpoint`. The Host header stays as it is, so what clients sign holds.

    Requests on the condition that there is no such object pass one after another: that of two only one succeeds is what S3 promises,
    and Swift, which looks before it writes, does not keep.

    with HttpProxy(swift.endpoint) as proxy:
        read(swift.at(proxy.endpoint))
        proxy.sent(method="GET", path="t.parquet")
    """

    def __init__(self, endpoint: str) -> None:
        self.exchanges: list[Exchange] = []
        self._failures: list[int] = []
        self.creating = threading.Lock()
        self._lock = threading.Lock()
        self._server = _Server(self, urlsplit(endpoint).netloc)
        self.endpoint = f"http://127.0.0.1:{self._server.server_port}"
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
        self._thread.start()

    def requests(self, method: str = "", path: str = "") -> list[Exchange]:
        """The exchanges so far, of one method, and of paths that end with `path`; retried ones are there once for each time."""
        return [seen for seen in [*self.exchanges] if method in ("", seen.method) and seen.path.endswith(path)]

    def sent(self, method: str = "", path: str = "") -> int:
        """The bytes of bodies that clients got."""
        return sum(seen.sent for seen in self.requests(method, path))

    def received(self, method: str = "", path: str = "") -> int:
        """The bytes of bodies that clients sent."""
        return sum(seen.received for seen in self.requests(method, path))

    def forget(self) -> None:
        """Counts from nothing again."""
        self.exchanges.clear()

    def fail_next(self, times: int, status: int = 503) -> None:
        """Answers the next requests with an error, without asking the server; it passes the later ones on."""
        with self._lock:
            self._failures = [status] * times

    def __enter__(self) -> HttpProxy:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()

    def _failure(self) -> int | None:
        with self._lock:
            return self._failures.pop() if self._failures else None


class _Server(ThreadingHTTPServer):
    block_on_close = False  # idle clients keep their connections
    daemon_threads = True

    def __init__(self, proxy: HttpProxy, upstream: str) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.proxy = proxy
        self.upstream = upstream

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that goes away, or a server that does: the other side sees it, nobody else has to."""


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    server: _Server

    def do_GET(self) -> None:
        target = urlsplit(self.path)
        exchange = Exchange(
            self.command, unquote(target.path), target.query, self.headers.get("Range") or self.headers.get("x-ms-range")
        )
        self.server.proxy.exchanges.append(exchange)
        status = self.server.proxy._failure()
        if status is not None:
            for _ in self._body(exchange):
                pass
            exchange.status = status
            self.send_response_only(status)
            self.send_header("Content-Length", "0")
            self.end_headers()
            return
        with self.server.proxy.creating if self.headers.get("If-None-Match") == "*" else nullcontext():
            self._pass_on(exchange)

    do_HEAD = do_POST = do_PUT = do_PATCH = do_DELETE = do_OPTIONS = do_GET

    def _pass_on(self, exchange: Exchange) -> None:
        upstream = HTTPConnection(self.server.upstream)
        try:
            self._ask(upstream, exchange)
            self._answer(upstream.getresponse(), exchange)
        finally:
            upstream.close()

    def _ask(self, upstream: HTTPConnection, exchange: Exchange) -> None:
        upstream.putrequest(self.command, self.path, skip_host=True, skip_accept_encoding=True)
        for name, value in self.headers.items():
            if name.lower() not in HOP_BY_HOP:
                upstream.putheader(name, value)
        upstream.endheaders()
        for piece in self._body(exchange):
            upstream.send(piece)

    def _body(self, exchange: Exchange) -> Iterator[bytes]:
        """The body as it has to be passed on: also its chunks stay chunks, of which the sizes are not counted."""
        if "chunked" not in self.headers.get("Transfer-Encoding", ""):
            yield from self._read(int(self.headers.get("Content-Length", 0)), exchange)
            return
        while True:
            head = self.rfile.readline()
            yield head
            size = int(head.split(b";")[0], 16)
            yield from self._read(size, exchange)
            while (line := self.rfile.readline()) not in (b"\r\n", b""):  # trailers, after the last chunk
                yield line
            yield b"\r\n"
            if size == 0:
                return

    def _read(self, size: int, exchange: Exchange) -> Iterator[bytes]:
        while size > 0:
            piece = self.rfile.read(min(size, 2**16))
            if not piece:
                raise ConnectionResetError("The client went away")
            size -= len(piece)
            exchange.received += len(piece)
            yield piece

    def _answer(self, response: HTTPResponse, exchange: Exchange) -> None:
        exchange.status = response.status
        self.send_response_only(response.status, response.reason)
        for name, value in response.getheaders():
            if name.lower() not in {*HOP_BY_HOP, "transfer-encoding"}:
                self.send_header(name, value)
        empty = self.command == "HEAD" or response.status in (204, 304)
        chunked = not empty and response.getheader("Content-Length") is None
        if chunked:
            self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()
        while not empty and (piece := response.read(2**16)):
            exchange.sent += len(piece)  # before the client has it: who counts after it got everything finds everything
            self.wfile.write(b"%x\r\n%b\r\n" % (len(piece), piece) if chunked else piece)
        if chunked:
            self.wfile.write(b"0\r\n\r\n")

    def log_message(self, format: str, *arguments: Any) -> None:
        pass
