from __future__ import annotations

import os
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing

import pytest

from tests.servers.bucket import AzureContainer, S3Bucket
from tests.servers.http_proxy import HttpProxy


def test_ranges_are_counted_as_what_they_are(swift: S3Bucket, counted: HttpProxy) -> None:
    with closing(swift.at(counted.endpoint).client()) as client:
        client.put_object(Bucket=swift.name, Key="a ☃ b", Body=b"x" * 100_000)
        read = client.get_object(Bucket=swift.name, Key="a ☃ b", Range="bytes=10-19")["Body"].read()
        client.head_object(Bucket=swift.name, Key="a ☃ b")

    seen = [(one.method, one.path, one.range, one.status, one.sent) for one in counted.requests()]
    path = f"/{swift.name}/a ☃ b"
    assert read == b"x" * 10
    assert seen == [("PUT", path, None, 200, 0), ("GET", path, "bytes=10-19", 206, 10), ("HEAD", path, None, 200, 0)]
    assert counted.received("PUT") >= 100_000  # boto3 signs the body in chunks


def test_s3fs_polars_and_obstore_pass_with_what_they_sign(swift: S3Bucket, counted: HttpProxy) -> None:
    import polars as pl
    import s3fs
    from obstore.store import from_url

    through = swift.at(counted.endpoint)
    content = os.urandom(12_000_000)
    with s3fs.S3FileSystem(**through.options).open(f"{swift.uri}/big", "wb", block_size=5 * 2**20) as file:
        file.write(content)
    frame = pl.DataFrame({"n": range(1000)})
    frame.lazy().sink_parquet(f"{swift.uri}/t.parquet", storage_options=through.storage_options)
    read = pl.scan_parquet(f"{swift.uri}/t.parquet", storage_options=through.storage_options).collect()
    big = bytes(from_url(swift.uri, **through.obstore_options).get("big").bytes())

    assert (big == content, read.equals(frame)) == (True, True)
    assert (counted.received("PUT", "big") >= len(content), counted.sent("GET", "big") >= len(content)) == (True, True)


def test_two_columns_of_a_hundred_are_a_share_of_the_bytes(swift: S3Bucket, counted: HttpProxy) -> None:
    import polars as pl

    frame = pl.DataFrame({f"c{n}": pl.Series(range(n, n + 20_000)).hash(n) for n in range(100)})
    frame.write_parquet(f"{swift.uri}/wide.parquet", storage_options=swift.storage_options)
    options = swift.at(counted.endpoint).storage_options
    pl.scan_parquet(f"{swift.uri}/wide.parquet", storage_options=options).select("c3", "c70").collect()
    share = counted.sent("GET", "wide.parquet")
    counted.forget()
    pl.scan_parquet(f"{swift.uri}/wide.parquet", storage_options=options).collect()

    assert 0 < share < 0.05 * counted.sent("GET", "wide.parquet")


def test_many_clients_at_once_are_counted(swift: S3Bucket, counted: HttpProxy) -> None:
    from obstore.store import from_url

    store = from_url(swift.uri, **swift.at(counted.endpoint).obstore_options)
    with ThreadPoolExecutor(8) as pool:
        [*pool.map(lambda n: store.put(f"k{n}", b"x" * n), range(40))]
        contents = [*pool.map(lambda n: len(store.get(f"k{n}").bytes()), range(40))]

    assert (contents, counted.sent("GET"), counted.received("PUT")) == ([*range(40)], sum(range(40)), sum(range(40)))


def test_clients_that_try_again_get_through_after_errors(swift: S3Bucket, counted: HttpProxy) -> None:
    from obstore.store import from_url

    store = from_url(swift.uri, **swift.at(counted.endpoint).obstore_options)
    counted.fail_next(2)
    store.put("k", b"x")

    assert [one.status for one in counted.requests("PUT", "k")] == [503, 503, 200]


def test_a_client_that_does_not_try_again_sees_the_error(swift: S3Bucket, counted: HttpProxy) -> None:
    from obstore.exceptions import GenericError
    from obstore.store import from_url

    store = from_url(swift.uri, **swift.at(counted.endpoint).obstore_options, retry_config={"max_retries": 0})
    counted.fail_next(1)
    with pytest.raises(GenericError, match="503"):
        store.put("k", b"x")

    assert [one.status for one in counted.requests()] == [503]


def test_azure_passes_too(azurite: AzureContainer) -> None:
    from obstore.store import AzureStore

    with HttpProxy(azurite.endpoint) as proxy:
        store = AzureStore(azurite.name, **azurite.at(proxy.endpoint).obstore_options)
        store.put("k", b"x" * 1000)
        read = store.get_range("k", start=10, end=20)

        assert (bytes(read), proxy.sent("GET"), proxy.received("PUT")) == (b"x" * 10, 10, 1000)
