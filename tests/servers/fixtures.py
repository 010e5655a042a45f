"""The servers as fixtures: started when the first test asks, shared by all processes of one test run, stopped with the last."""

from __future__ import annotations

import atexit
import fcntl
import os
import ssl
import tempfile
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing
from pathlib import Path
from typing import Any

import pymysql
import pytest

from tests.servers import azurite_server, gcs_server, keeper, mariadb_server, postgres_server, swift_server
from tests.servers.bucket import AzureContainer, GCSBucket, S3Bucket
from tests.servers.database import Database
from tests.servers.http_proxy import HttpProxy
from tests.servers.wire import Wire

_KEPT = ("information_schema", "mysql", "performance_schema", "sys")


def pytest_configure() -> None:
    # Read when gcsfs is imported, by whichever test: it would speak a protocol that the emulator of Google's cloud does not.
    os.environ["GCSFS_EXPERIMENTAL_ZB_HNS_SUPPORT"] = "false"
    _trust_one_authority()


def _trust_one_authority() -> None:
    """Let this process and those it starts read one certificate instead of all the machine's.

    Drivers read them for each connection, also for one without encryption, which takes longer than most tests.
    """
    bundle = ssl.get_default_verify_paths().cafile
    if bundle is None:
        return
    end = "-----END CERTIFICATE-----\n"
    with tempfile.NamedTemporaryFile("w", prefix="wa-authority-", suffix=".pem", delete=False) as file:
        file.write(Path(bundle).read_text().partition(end)[0] + end)
    os.environ["SSL_CERT_FILE"] = file.name
    atexit.register(Path(file.name).unlink, missing_ok=True)


@pytest.fixture(scope="session")
def meeting_place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder that all processes of this test run have in common."""
    folder = tmp_path_factory.getbasetemp()
    return folder.parent if "PYTEST_XDIST_WORKER" in os.environ else folder


@pytest.fixture(scope="session")
def postgres_address(meeting_place: Path) -> Iterator[dict[str, Any]]:
    with keeper.use("postgres_server", meeting_place) as address:
        yield address


@pytest.fixture(scope="session")
def _postgres_databases(postgres_address: dict[str, Any]) -> Iterator[postgres_server.Databases]:
    with closing(postgres_server.Databases(postgres_address)) as databases:
        yield databases


@pytest.fixture
def postgres(_postgres_databases: postgres_server.Databases) -> Iterator[Database]:
    """An empty database on a PostgreSQL server."""
    with _postgres_databases.lent() as database:
        yield database


@pytest.fixture(scope="session")
def mariadb_address(meeting_place: Path) -> Iterator[dict[str, Any]]:
    with keeper.use("mariadb_server", meeting_place) as address:
        yield address


@pytest.fixture
def mariadb(mariadb_address: dict[str, Any]) -> Iterator[Database]:
    """An empty database on a MariaDB server."""
    with mariadb_server.fresh_database(mariadb_address) as database:
        yield database


@pytest.fixture
def mariadb_alone(mariadb: Database, meeting_place: Path) -> Iterator[Database]:
    """The server for one test at a time, without the databases of others: schemas are databases, whose names the tests share."""
    with open(meeting_place / "mariadb.lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        _empty(mariadb)  # of what a process that was killed left to the server to finish
        yield mariadb
        _empty(mariadb)


def _empty(mariadb: Database) -> None:
    """Drop the databases that are not lent to a test."""
    connect = {"host": mariadb.host, "port": mariadb.port, "user": mariadb.user, "password": mariadb.password}
    with closing(pymysql.connect(**connect)) as connection, closing(connection.cursor()) as cursor:
        cursor.execute("select schema_name from information_schema.schemata")
        for (name,) in cursor.fetchall():
            if name not in _KEPT and not name.startswith("test_"):
                cursor.execute("drop database if exists `" + name.replace("`", "``") + "`")


@pytest.fixture(scope="session")
def swift_address(meeting_place: Path) -> Iterator[dict[str, Any]]:
    with keeper.use("swift_server", meeting_place) as address:
        yield address


@pytest.fixture
def swift(swift_address: dict[str, Any]) -> S3Bucket:
    """An empty bucket of a real object store, OpenStack Swift, that speaks S3."""
    return swift_server.fresh_bucket(swift_address)


@pytest.fixture(scope="session")
def azurite_address(meeting_place: Path) -> Iterator[dict[str, Any]]:
    with keeper.use("azurite_server", meeting_place) as address:
        yield address


@pytest.fixture
def azurite(azurite_address: dict[str, Any]) -> AzureContainer:
    """An empty container of Azurite, which stands in for Azure's blob storage."""
    return azurite_server.fresh_container(azurite_address)


@pytest.fixture(scope="session")
def gcs_address(meeting_place: Path) -> Iterator[dict[str, Any]]:
    with keeper.use("gcs_server", meeting_place) as address:
        yield address


@pytest.fixture
def gcs(gcs_address: dict[str, Any]) -> GCSBucket:
    """An empty bucket of an emulator of Google's cloud storage."""
    return gcs_server.fresh_bucket(gcs_address)


@pytest.fixture
def counted(swift_address: dict[str, Any]) -> Iterator[HttpProxy]:
    """A proxy in front of Swift that counts requests and bytes: `swift.at(counted.endpoint)` goes through it."""
    with HttpProxy(swift_address["endpoint"]) as proxy:
        yield proxy


@pytest.fixture
def wire_to() -> Iterator[Callable[[int], Wire]]:
    """Makes a wire to a port, which can be cut: `postgres.at(wire_to(postgres.port).port)` goes through it."""
    with ExitStack() as stack:
        yield lambda port: stack.enter_context(Wire(port))
