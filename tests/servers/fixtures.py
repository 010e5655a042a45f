"""The servers as fixtures: started when the first test asks, shared by all processes of one test run, stopped with the last."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.servers import keeper, mariadb_server, postgres_server, swift_server
from tests.servers.bucket import S3Bucket
from tests.servers.database import Database


@pytest.fixture(scope="session")
def meeting_place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder that all processes of this test run have in common."""
    folder = tmp_path_factory.getbasetemp()
    return folder.parent if "PYTEST_XDIST_WORKER" in os.environ else folder


@pytest.fixture(scope="session")
def postgres_address(meeting_place: Path) -> Iterator[dict[str, Any]]:
    with keeper.use("postgres_server", meeting_place) as address:
        yield address


@pytest.fixture
def postgres(postgres_address: dict[str, Any]) -> Iterator[Database]:
    """An empty database on a PostgreSQL server."""
    with postgres_server.fresh_database(postgres_address) as database:
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


@pytest.fixture(scope="session")
def swift_address(meeting_place: Path) -> Iterator[dict[str, Any]]:
    with keeper.use("swift_server", meeting_place) as address:
        yield address


@pytest.fixture
def swift(swift_address: dict[str, Any]) -> S3Bucket:
    """An empty bucket of a real object store, OpenStack Swift, that speaks S3."""
    return swift_server.fresh_bucket(swift_address)
