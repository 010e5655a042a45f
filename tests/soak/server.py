"""A PostgreSQL server that can be killed as by a power cut, and comes back with its data."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager
from pathlib import Path

import psutil

from tests.servers import postgres_server
from tests.servers.database import Database
from tests.servers.processes import free_port, process, unprivileged, wait_until

USER, PASSWORD = "wa", "soak"


class Server:
    """One server with one database, on a port that stays the same."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._programs = postgres_server._programs(folder)
        self._port = free_port()
        self._stack = ExitStack()
        self._process: subprocess.Popen[bytes] | None = None
        word = folder / "password"
        word.write_text(PASSWORD)
        self._identity = unprivileged(folder, word)
        initdb = [self._programs / "initdb", "--pgdata", folder / "data", "--username", USER, "--pwfile", word, "--no-sync"]
        initdb += ["--auth", "scram-sha-256", "--encoding", "UTF8", "--no-locale", "--no-instructions"]
        subprocess.run(initdb, cwd=folder, check=True, stdout=subprocess.DEVNULL, **self._identity)

    @property
    def database(self) -> Database:
        return Database("postgresql", "psycopg", "127.0.0.1", self._port, USER, PASSWORD, "postgres")

    def start(self) -> None:
        """Return when it answers."""
        settings = [f"--{name}={value}" for name, value in {**postgres_server.SETTINGS, "port": self._port}.items()]
        command = [self._programs / "postgres", "-D", self._folder / "data", *settings]
        found = self._stack.enter_context(process(command, self._folder / "log", cwd=self._folder, **self._identity))
        self._process = found
        wait_until(lambda: postgres_server._connect("127.0.0.1", self._port, USER, PASSWORD).close(), found)

    def kill(self) -> None:
        """End it and all that it started, by SIGKILL."""
        assert self._process is not None
        main = psutil.Process(self._process.pid)
        main.suspend()  # or it would start anew what is killed first
        family = [*main.children(recursive=True), main]
        for member in family:
            member.kill()
        self._process.wait()
        psutil.wait_procs(family, timeout=10)

    def close(self) -> None:
        self._stack.close()


@contextmanager
def running(folder: Path) -> Iterator[Server]:
    with closing(Server(folder)) as server:
        server.start()
        yield server
