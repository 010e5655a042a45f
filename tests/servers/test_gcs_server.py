from __future__ import annotations

from tests.servers.bucket import GCSBucket


def test_gcsfs_writes_several_parts_and_reads_ranges(gcs: GCSBucket) -> None:
    import gcsfs

    content = bytes(range(256)) * 4096
    filesystem = gcsfs.GCSFileSystem(**gcs.options)
    with filesystem.open(f"{gcs.uri}/folder/big", "wb", block_size=2**18) as file:
        file.write(content)
    read = filesystem.cat_file(f"{gcs.uri}/folder/big", start=600_000, end=600_010)

    assert (read, filesystem.size(f"{gcs.uri}/folder/big")) == (content[600_000:600_010], len(content))


def test_gcsfs_lists_and_removes(gcs: GCSBucket) -> None:
    import gcsfs

    filesystem = gcsfs.GCSFileSystem(**gcs.options)
    filesystem.pipe({f"{gcs.name}/t/{name}": b"x" for name in "abc"})
    filesystem.rm(f"{gcs.name}/t/b")
    filesystem.invalidate_cache()

    assert filesystem.ls(f"{gcs.name}/t", detail=False) == [f"{gcs.name}/t/a", f"{gcs.name}/t/c"]
