from __future__ import annotations

import fcntl
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pymysql
import pytest

from tests.servers.database import Database

_KEPT = ("information_schema", "mysql", "performance_schema", "sys")


@dataclass(frozen=True)
class Bucket:
    """An empty bucket, and what fsspec has to know to use it."""

    uri: str
    options: dict[str, Any]


@pytest.fixture(scope="session")
def server() -> Iterator[str]:
    """The address of a server that speaks S3."""
    from moto.server import ThreadedMotoServer

    server = ThreadedMotoServer(port=0)
    server.start()
    host, port = server.get_host_and_port()
    yield f"http://{host}:{port}"
    server.stop()


@pytest.fixture
def bucket(server: str) -> Bucket:
    """The bucket `lake`, empty."""
    import boto3

    keys = {"aws_access_key_id": "key", "aws_secret_access_key": "s3cret", "region_name": "us-east-1"}
    bucket = boto3.resource("s3", endpoint_url=server, **keys).create_bucket(Bucket="lake")
    bucket.objects.all().delete()
    options = {"key": "key", "secret": "s3cret", "client_kwargs": {"endpoint_url": server, "region_name": "us-east-1"}}
    return Bucket("s3://lake", {**options, "skip_instance_cache": True})


@pytest.fixture
def mariadb_alone(mariadb: Database, meeting_place: Path) -> Iterator[Database]:
    """The server for one test at a time, without the databases of others: schemas are databases, whose names the tests share."""
    with open(meeting_place / "mariadb.lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield mariadb
        connect = {"host": mariadb.host, "port": mariadb.port, "user": mariadb.user, "password": mariadb.password}
        with closing(pymysql.connect(**connect)) as connection, closing(connection.cursor()) as cursor:
            cursor.execute("select schema_name from information_schema.schemata")
            for (name,) in cursor.fetchall():
                if name not in _KEPT and not name.startswith("test_"):
                    cursor.execute("drop database `" + name.replace("`", "``") + "`")
