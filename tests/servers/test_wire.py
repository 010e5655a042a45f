from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import closing
from urllib.parse import urlsplit

import psycopg
import pytest

from tests.servers.bucket import S3Bucket
from tests.servers.database import Database
from tests.servers.wire import Wire


@pytest.fixture
def wire(postgres: Database, wire_to: Callable[[int], Wire]) -> Iterator[Wire]:
    with psycopg.connect(postgres.url) as connection:
        connection.execute("create table words (word text)")
    return wire_to(postgres.port)


def copy_a_megabyte(connection: psycopg.Connection) -> None:
    with connection.cursor().copy("copy words from stdin") as copy:
        for _ in range(1000):
            copy.write("x" * 999 + "\n")


def test_a_wire_passes_what_it_gets(postgres: Database, wire: Wire) -> None:
    with psycopg.connect(postgres.at(wire.port).url) as connection:
        rows = connection.execute("select repeat('x', 100000)").fetchone()

    assert (rows, wire.connections, wire.to_client > 100_000, wire.cuts) == (("x" * 100_000,), 1, True, 0)


@pytest.mark.parametrize("count", [0, 1, 100_000])
def test_a_connection_breaks_after_so_many_bytes(postgres: Database, wire: Wire, count: int) -> None:
    connection = psycopg.connect(postgres.at(wire.port).url)
    before = wire.to_server
    wire.cut_after(count)
    with pytest.raises(psycopg.OperationalError):
        copy_a_megabyte(connection)
    connection.close()
    with psycopg.connect(postgres.at(wire.port).url) as connection:
        stored = connection.execute("select count(*) from words").fetchone()

    assert (wire.cuts, stored, wire.connections) == (1, (0,), 2)
    assert before + count <= wire.to_server


def test_a_connection_breaks_while_rows_come(postgres: Database, wire: Wire) -> None:
    connection = psycopg.connect(postgres.at(wire.port).url)
    before = wire.to_client
    wire.cut_after(200_000, "to_client")
    with pytest.raises(psycopg.OperationalError):
        connection.execute("select repeat('x', 1000) from generate_series(1, 1000)")
    connection.close()

    assert wire.to_client == before + 200_000


def test_nobody_gets_through_while_a_wire_is_down(postgres: Database, wire: Wire) -> None:
    wire.down = True
    with pytest.raises(psycopg.OperationalError):
        psycopg.connect(postgres.at(wire.port).url)
    wire.down = False
    with psycopg.connect(postgres.at(wire.port).url) as connection:
        answer = connection.execute("select 1").fetchone()

    assert answer == (1,)


def test_an_upload_that_breaks_leaves_no_object(swift: S3Bucket, wire_to: Callable[[int], Wire]) -> None:
    from obstore.exceptions import GenericError
    from obstore.store import from_url

    port = urlsplit(swift.endpoint).port
    assert port is not None
    wire = wire_to(port)
    store = from_url(swift.uri, **swift.at(wire.endpoint).obstore_options, retry_config={"max_retries": 0})
    wire.cut_after(1_000_000)
    with pytest.raises(GenericError):
        store.put("big", b"x" * 3_000_000, use_multipart=False)
    with closing(swift.client()) as client:
        stored = client.list_objects_v2(Bucket=swift.name)["KeyCount"]

    assert (wire.cuts, stored) == (1, 0)
