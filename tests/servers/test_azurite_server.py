from __future__ import annotations

import pytest

from tests.servers.bucket import AzureContainer


def test_adlfs_writes_and_reads_ranges(azurite: AzureContainer) -> None:
    import adlfs

    content = bytes(range(256)) * 4096
    filesystem = adlfs.AzureBlobFileSystem(**azurite.options)
    with filesystem.open(f"{azurite.name}/folder/big", "wb", block_size=2**18) as file:
        file.write(content)
    read = filesystem.cat_file(f"{azurite.name}/folder/big", start=600_000, end=600_010)

    assert (read, filesystem.size(f"{azurite.name}/folder/big")) == (content[600_000:600_010], len(content))


def test_obstore_creates_only_where_none_is(azurite: AzureContainer) -> None:
    from obstore.exceptions import AlreadyExistsError
    from obstore.store import AzureStore

    store = AzureStore(azurite.name, **azurite.obstore_options)
    store.put("lock", b"first", mode="create")
    with pytest.raises(AlreadyExistsError):
        store.put("lock", b"second", mode="create")

    assert bytes(store.get("lock").bytes()) == b"first"


def test_polars_writes_and_scans(azurite: AzureContainer) -> None:
    import polars as pl

    frame = pl.DataFrame({"n": range(1000), "word": ["☃"] * 1000})
    frame.lazy().sink_parquet(f"{azurite.uri}/t.parquet", storage_options=azurite.storage_options)
    read = pl.scan_parquet(f"{azurite.uri}/*.parquet", storage_options=azurite.storage_options).collect()

    assert read.equals(frame)
