"""MariaDB, from Debian's packages without the service, on a loopback port with a password."""

from __future__ import annotations

import os
import secrets
import subprocess
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager, suppress
from pathlib import Path
from typing import Any

from tests.servers.database import Database
from tests.servers.processes import on_free_port, process, program, unprivileged, wait_until

SETTINGS = {
    "bind-address": "127.0.0.1",
    "character-set-server": "utf8mb4",
    "innodb-buffer-pool-size": "64M",
    "innodb-flush-log-at-trx-commit": "0",  # the data are gone with the server
    "max-connections": "200",
    "skip-name-resolve": "1",
}
PACKAGES = "mariadb-server-core mariadb-client-core"


@contextmanager
def running(folder: Path) -> Iterator[dict[str, Any]]:
    user, password = "wa user", f"s3cret/@:%{secrets.token_hex(4)}"  # as on PostgreSQL, to be quoted in a URL
    data, statements = folder / "data", folder / "init.sql"
    statements.write_text(
        f"alter user root@localhost identified by '{password}';\n"
        f"create or replace user '{user}'@'127.0.0.1' identified by '{password}';\n"
        f"grant all on *.* to '{user}'@'127.0.0.1';\n"
    )
    options: dict[str, Any] = {"cwd": folder, "env": {**os.environ, "TMPDIR": str(folder)}, **unprivileged(folder, statements)}
    install = [program("mariadb-install-db", PACKAGES), "--no-defaults", f"--datadir={data}", "--skip-test-db"]
    install += ["--auth-root-authentication-method=normal"]
    subprocess.run(install, check=True, stdout=subprocess.DEVNULL, **options)

    def start(stack: ExitStack, port: int) -> None:
        places = {"datadir": data, "socket": folder / "socket", "pid-file": folder / "pid", "init-file": statements}
        settings = [f"--{name}={value}" for name, value in {**SETTINGS, **places, "port": port}.items()]
        command = [program("mariadbd", PACKAGES), "--no-defaults", *settings]
        server = stack.enter_context(process(command, folder / "log", **options))
        wait_until(lambda: _connect("127.0.0.1", port, user, password).close(), server)

    with on_free_port(start, folder / "log") as port:
        yield {"host": "127.0.0.1", "port": port, "user": user, "password": password}


def _connect(host: str, port: int, user: str, password: str) -> Any:
    import pymysql

    return pymysql.connect(host=host, port=port, user=user, password=password, autocommit=True)


@contextmanager
def fresh_database(server: dict[str, Any]) -> Iterator[Database]:
    """An empty database, which is dropped at the end."""
    import pymysql

    name = f"test_{secrets.token_hex(6)}"
    with closing(_connect(**server)) as connection, closing(connection.cursor()) as cursor:
        cursor.execute(f"create database {name}")
        try:
            yield Database("mysql", "pymysql", name=name, **server)
        finally:
            cursor.execute("select id from information_schema.processlist where db = %s", (name,))
            for (client,) in cursor.fetchall():  # a forgotten transaction would make the drop wait for its lock
                with suppress(pymysql.OperationalError):  # it left by itself
                    cursor.execute(f"kill {client}")
            cursor.execute(f"drop database {name}")
