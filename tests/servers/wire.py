"""A loopback port that leads to another one, until it is cut."""

from __future__ import annotations

import socket
import struct
import threading
from contextlib import suppress
from types import TracebackType

RESET = struct.pack("ii", 1, 0)  # close() says "connection reset" and drops what is on its way


class Wire:
    """Passes bytes between clients and the server on `upstream`, and counts them; a cut hits all connections of the moment, not later ones.

    with Wire(postgres.port) as wire:
        connection = psycopg.connect(postgres.at(wire.port).url)
        wire.cut_after(1_000_000)  # bytes from now on, towards the server
    """

    def __init__(self, upstream: int) -> None:
        self.upstream = upstream
        self.to_server = self.to_client = 0
        self.connections = self.cuts = 0
        self.down = False
        """Whether new connections are refused too."""
        self._left: dict[str, int | None] = {"to_server": None, "to_client": None}
        self._for_good = False
        self._open: set[socket.socket] = set()
        self._lock = threading.Lock()
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        self._acceptor = threading.Thread(target=self._accept, daemon=True)
        self._acceptor.start()

    @property
    def endpoint(self) -> str:
        """The port as an address of HTTP."""
        return f"http://127.0.0.1:{self.port}"

    def cut(self) -> None:
        """Breaks all connections now."""
        with self._lock:
            self._cut()

    def cut_after(self, count: int, direction: str = "to_server", *, for_good: bool = False) -> None:
        """Breaks all connections once, when exactly `count` more bytes have passed "to_server" or "to_client".

        It is down from then on where that is `for_good`.
        """
        with self._lock:
            self._left[direction], self._for_good = count, for_good

    def __enter__(self) -> Wire:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.down = True
        with suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._acceptor.join()
        self._listener.close()
        self.cut()

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            try:
                if self.down:
                    raise ConnectionRefusedError
                server = socket.create_connection(("127.0.0.1", self.upstream))
            except OSError:
                _reset(client)
                continue
            with self._lock:
                self.connections += 1
                self._open |= {client, server}
            for source, target, direction in ((client, server, "to_server"), (server, client, "to_client")):
                threading.Thread(target=self._pass, args=(source, target, direction), daemon=True).start()

    def _pass(self, source: socket.socket, target: socket.socket, direction: str) -> None:
        try:
            while data := source.recv(65536):
                with self._lock:
                    left = self._left[direction]
                    passed = data if left is None else data[:left]
                    setattr(self, direction, getattr(self, direction) + len(passed))
                    if left is not None:
                        self._left[direction] = left - len(passed)
                target.sendall(passed)
                if left is not None and len(data) >= left:
                    with self._lock:
                        self._left[direction] = None
                        self.down = self.down or self._for_good
                        self._cut()
                    return
            target.shutdown(socket.SHUT_WR)
        except OSError:  # it was cut, or one side went away
            with self._lock:
                self._close({source, target})

    def _cut(self) -> None:
        self.cuts += bool(self._open)
        self._close(set(self._open))

    def _close(self, ends: set[socket.socket]) -> None:
        for end in ends & self._open:
            _reset(end)
        self._open -= ends


def _reset(end: socket.socket) -> None:
    with suppress(OSError):
        end.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)
        end.shutdown(socket.SHUT_RDWR)
    end.close()
