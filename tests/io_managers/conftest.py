from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest


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
