from __future__ import annotations

import os
from contextlib import closing

import pytest

from tests.servers.bucket import S3Bucket


def test_s3fs_writes_several_parts_and_reads_ranges(swift: S3Bucket) -> None:
    import s3fs

    content = os.urandom(12_000_000)
    filesystem = s3fs.S3FileSystem(**swift.options)
    with filesystem.open(f"{swift.uri}/folder/big", "wb", block_size=5 * 2**20) as file:
        file.write(content)
    read = filesystem.cat_file(f"{swift.uri}/folder/big", start=6_000_000, end=6_000_010)

    assert (read, filesystem.size(f"{swift.uri}/folder/big")) == (content[6_000_000:6_000_010], len(content))


def test_an_object_is_created_only_where_none_is(swift: S3Bucket) -> None:
    from botocore.exceptions import ClientError

    with closing(swift.client()) as client:
        client.put_object(Bucket=swift.name, Key="lock", Body=b"first", IfNoneMatch="*")
        with pytest.raises(ClientError) as refused:
            client.put_object(Bucket=swift.name, Key="lock", Body=b"second", IfNoneMatch="*")
        content = client.get_object(Bucket=swift.name, Key="lock")["Body"].read()

    assert (refused.value.response["ResponseMetadata"]["HTTPStatusCode"], content) == (412, b"first")


def test_obstore_creates_only_where_none_is(swift: S3Bucket) -> None:
    from obstore.exceptions import AlreadyExistsError
    from obstore.store import from_url

    store = from_url(swift.uri, **swift.obstore_options)
    store.put("lock", b"first", mode="create")
    with pytest.raises(AlreadyExistsError):
        store.put("lock", b"second", mode="create")

    assert bytes(store.get("lock").bytes()) == b"first"


def test_polars_writes_and_scans(swift: S3Bucket) -> None:
    import polars as pl

    frame = pl.DataFrame({"n": range(1000), "word": ["☃"] * 1000})
    frame.lazy().sink_parquet(f"{swift.uri}/t.parquet", storage_options=swift.storage_options)
    read = pl.scan_parquet(f"{swift.uri}/*.parquet", storage_options=swift.storage_options).collect()

    assert read.equals(frame)


def test_each_test_finds_an_empty_bucket(swift: S3Bucket) -> None:
    with closing(swift.client()) as client:
        listed = client.list_objects_v2(Bucket=swift.name)["KeyCount"]

    assert listed == 0
