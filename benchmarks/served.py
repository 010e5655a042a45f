"""The servers that some stores need, for as long as they are measured."""

from __future__ import annotations

import os
from collections.abc import Generator, Sequence
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

from benchmarks.stores import URL

__all__ = ["served"]


@contextmanager
def served(stores: Sequence[str]) -> Generator[None]:
    """A PostgreSQL server while the block lasts, that of the tests, where the environment variable names no other."""
    if "postgresql" not in stores or URL in os.environ:
        yield
        return
    from tests.servers.postgres_server import fresh_database, running

    with TemporaryDirectory() as folder, running(Path(folder)) as address, fresh_database(address) as database:
        os.environ[URL] = database.url
        try:
            yield
        finally:
            del os.environ[URL]
